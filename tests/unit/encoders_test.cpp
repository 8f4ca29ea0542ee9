#include <doctest/doctest.h>

#include "support/files.hpp"
#include "support/tiny_models.hpp"
#include "tmor/autograd/gradcheck.hpp"
#include "tmor/train/skeleton_model.hpp"

using namespace tmor;
using models::SkeletonConfig;

namespace {

/// Every encoder, of a skeleton of four joints: a root, its child, and that one's two.
std::vector<SkeletonConfig> tiny_encoders() {
  const std::vector<Index> parents = {0, 0, 1, 1};
  const std::vector<models::SkeletonStage> stages = {{6}, {12, 2}};
  return {test::tiny_unik(5), models::StgcnConfig{4, 2, parents, 0, 5, stages},
          models::CtrgcnConfig{4, 2, parents, 0, 5, stages},
          models::DstformerConfig{.joints = 4,
                                  .in_channels = 2,
                                  .dim = 8,
                                  .depth = 1,
                                  .heads = 2,
                                  .frames_per_token = 2,
                                  .embed = 5}};
}
void check_near(const Tensor<>& a, const Tensor<>& b, double tolerance) {
  REQUIRE(a.shape() == b.shape());
  const auto x = a.to_vector(), y = b.to_vector();
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(std::abs(static_cast<double>(x[i] - y[i])) <= tolerance);
}

}  // namespace

TEST_CASE("Skeleton encoders: shapes, names, and errors that name what does not fit") {
  for (const auto& c : tiny_encoders()) {
    const std::string name = models::name_of(c);
    CAPTURE(name);
    Rng rng(1);
    const models::SkeletonEncoder<> net(rng, c);
    CHECK(net.config().index() == c.index());
    CHECK(net.stride() == 2);
    for (const Index frames : {8, 7, 2}) {
      const auto out = net(normal(rng, {3, 2, frames, 4, 2}), Context{true, &rng});
      CHECK(out.tokens.shape() == Shape{3, (frames + 1) / 2, net.width()});
      CHECK(out.pooled.shape() == Shape{3, net.width()});
      CHECK(out.embed.shape() == Shape{3, 5});
    }
    CHECK_THROWS_AS(net(normal(rng, {3, 1, 8, 5, 2}), Context{}), ShapeError);
    CHECK_THROWS_AS(net(normal(rng, {3, 8, 4, 2}), Context{}), ShapeError);
    CHECK_THROWS_AS(net(normal(rng, {3, 1, 1, 4, 2}), Context{}), ShapeError);
    auto none = c;
    std::visit([](auto& x) { x.embed = 0; }, none);
    CHECK_FALSE(
        models::SkeletonEncoder<>(rng, none)(normal(rng, {1, 1, 4, 4, 2}), Context{}).embed.defined());
  }
}

TEST_CASE("Skeleton encoders: an absent person changes nothing, and every parameter takes part") {
  for (const auto& c : tiny_encoders()) {
    const std::string name = models::name_of(c);
    CAPTURE(name);
    Rng rng(2);
    const models::SkeletonEncoder<> net(rng, c);
    const auto one = normal(rng, {2, 1, 6, 4, 2}), noise = normal(rng, {2, 1, 6, 4, 2});
    const auto present = Tensor<>::from({1, 0, 1, 0}, {2, 2});
    check_near(net(concat({one, noise}, 1), Context{}, present).embed, net(one, Context{}).embed, 1e-5);
    // Drawn anew until each was met: channels that ReLU shuts for all of so small an input have no gradient.
    std::vector<bool> met(parameters(net).size(), false);
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      Rng draws(seed);
      const models::SkeletonEncoder<> drawn(draws, c);
      const auto all = parameters(drawn);
      for (const auto& p : all) {  // away from the start, where some factors are zero on purpose
        NoGrad guard;
        copy_(p.tensor.detach(), p.tensor.detach() + normal(draws, p.tensor.shape(), 0, 0.1));
      }
      backward(sum(square(drawn(one, Context{}).embed)));
      for (std::size_t i = 0; i < all.size(); ++i) {
        REQUIRE(all[i].tensor.grad().defined());
        const auto g = all[i].tensor.grad().to_vector();
        if (std::any_of(g.begin(), g.end(), [](float v) { return v != 0; })) met[i] = true;
      }
    }
    for (std::size_t i = 0; i < met.size(); ++i) CHECK_MESSAGE(met[i], parameters(net)[i].name);
  }
}

TEST_CASE("Skeleton encoders: the gradient of the input") {
  for (const auto& c : tiny_encoders()) {
    const std::string name = models::name_of(c);
    CAPTURE(name);
    Rng rng(3);
    const models::SkeletonEncoder<double> net(rng, c);
    for (const auto& p : parameters<double>(net)) {
      NoGrad guard;
      copy_(p.tensor.detach(), p.tensor.detach() + normal<double>(rng, p.tensor.shape(), 0, 0.1));
    }
    const auto check = gradcheck<Cpu>(
        [&](const auto& v) {
          return net(v[0], Context{true, nullptr}).embed;
        },
        {normal<double>(rng, {2, 1, 4, 4, 2})}, {.tolerance = 2e-5});
    CHECK_MESSAGE(check.ok, check.message);
  }
}

TEST_CASE("skeleton_graph: itself, the parent, the mean of the children") {
  const auto g = models::skeleton_graph({0, 0, 1, 1}, 4);
  CHECK(g.to_vector() == std::vector<float>{1, 0, 0, 0, 0, 1, 0, 0, 0, 0,   1, 0, 0, 0,   0, 1,
                                            0, 1, 0, 0, 0, 0, 1, 1, 0, 0,   0, 0, 0, 0,   0, 0,
                                            0, 0, 0, 0, 1, 0, 0, 0, 0, 0.5, 0, 0, 0, 0.5, 0, 0});
  CHECK_THROWS_AS(models::skeleton_graph({0, 0}, 3), Error);
  CHECK_THROWS_AS(models::skeleton_graph({0, 7}, 2), Error);
  SkeletonConfig c = models::StgcnConfig{};
  models::set_layout(c, *joint_layout("coco17"));
  CHECK(std::get<1>(c).parents == joint_layout("coco17")->parent);
  Rng rng(4);
  CHECK_THROWS_AS(models::SkeletonEncoder<>(rng, models::StgcnConfig{}), Error);
}

TEST_CASE("CtrMix is what its formula says") {
  Rng rng(5);
  const models::CtrgcnConfig c{3, 2, {0, 0, 1}, 0, 5, {{4}}};
  const models::CtrMix<double> mix(rng, c, 2, 4);
  copy_(mix.alpha.detach(), Tensor<double>::scalar(0.7));
  const auto x = normal<double>(rng, {2, 3, 3, 2});
  const auto y = mix(x);
  REQUIRE(y.shape() == Shape{2, 3, 3, 4});
  const auto qk = mix.query_key(mean(x, {1}));
  const auto value = mix.value(x);
  const Index r = 8;
  for (Index n = 0; n < 2; ++n)
    for (Index t = 0; t < 3; ++t)
      for (Index u = 0; u < 3; ++u)
        for (Index ch = 0; ch < 4; ++ch) {
          double sum = 0;
          for (Index k = 0; k < 3; ++k)
            for (Index v = 0; v < 3; ++v) {
              double refined = 0;
              for (Index i = 0; i < r; ++i)
                refined += std::tanh(qk.at({n, u, k * r + i}) - qk.at({n, v, 3 * r + k * r + i})) *
                           mix.refine.at({k, i, ch});
              sum += (mix.graph.at({k, u, v}) + 0.7 * refined) * value.at({n, t, v, k * 4 + ch});
            }
          CHECK(y.at({n, t, u, ch}) == doctest::Approx(sum).epsilon(1e-10));
        }
}

TEST_CASE("Any skeleton encoder is exported and comes back, and files from before there were several do") {
  const test::TempDir dir;
  const std::string path = dir.path() + "/m.safetensors";
  for (const auto& c : tiny_encoders()) {
    Rng rng(6);
    models::TriModalConfig config;
    config.skeleton = c;
    config.text = test::tiny_text(5);
    const models::TriModal<> net(rng, config);
    const auto words = l2_normalize(normal(rng, {2, 5}));
    train::save_skeleton_model(path, train::skeleton_only(net, {"walk", "sit"}, words, {{"frames", 8}}));
    const auto back = train::load_skeleton_model(path);
    const auto x = normal(rng, {2, 1, 8, 4, 2});
    CHECK(back.scores(x).to_vector() ==
          matmul(net.embed_skeletons(x, Context{}), transpose(words)).to_vector());
    train::save_skeleton_model(path, train::skeleton_only(net));
    const auto alone = train::load_skeleton_model(path);
    CHECK(alone.embed(x).to_vector() == net.embed_skeletons(x, Context{}).to_vector());
    CHECK_THROWS_AS(alone.scores(x), Error);
    CHECK_THROWS_AS(train::skeleton_only(net, {"walk"}, words), ShapeError);
  }
  // A description of far more than the file holds is refused before memory is taken for it.
  for (auto c : tiny_encoders()) {
    std::visit(
        [](auto& x) {
          if constexpr (requires { x.stages; }) {
            x.stages.assign(256, {1 << 16});
          } else {
            x.dim = 1 << 14;
          }
        },
        c);
    Rng rng(7);
    train::save_checkpoint(path,
                           {{"format", "tmor skeleton model 1"},
                            {"encoder", train::to_json(c)},
                            {"classes", {"a"}},
                            {"input", {}}},
                           train::part("model", models::SkeletonEncoder<>(rng, test::tiny_unik())));
    CHECK_THROWS_AS(train::load_skeleton_model(path), IoError);
  }
  auto old = train::to_json(SkeletonConfig(test::tiny_unik()));
  old.erase("encoder");
  CHECK(train::from_json<SkeletonConfig>(old, "old").index() == 0);
}
