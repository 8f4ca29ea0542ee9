#include "tmor/train/gradcache.hpp"

#include <doctest/doctest.h>

#include "support/tiny_models.hpp"
#include "tmor/optim/sgd.hpp"

using namespace tmor;
using namespace test;

namespace {

/// Everything of `net` that training changes: gradients, then buffers.
template <class M> std::vector<std::pair<std::string, std::vector<double>>> state_of(const M& net) {
  std::vector<std::pair<std::string, std::vector<double>>> out;
  visit_tensors(
      net,
      [&](const std::string& name, const auto& t, auto) {
        out.emplace_back("gradient of " + name,
                         t.grad().defined() ? t.grad().to_vector() : std::vector<double>());
      },
      [&](const std::string& name, const auto& t) { out.emplace_back(name, t.to_vector()); });
  return out;
}
models::TriModalConfig with_dropout() {
  auto c = tiny_tri_modal();
  std::get<models::UnikConfig>(c.skeleton).dropout = 0.2;
  c.video->dropout = 0.1;
  c.text->dropout = 0.1;
  return c;
}

constexpr Index kEmbed = 64;

}  // namespace

TEST_CASE("grad_cache: gradients, statistics, draws and loss of one pass whose batch norms see the chunks") {
  using Net = models::TriModal<double>;
  Rng init(1), same(1), data(2);
  const Net cached(init, with_dropout()), whole(same, with_dropout());
  std::vector<models::TriBatch<double>> chunks;
  for (const Index n : {3, 4, 2}) chunks.push_back(random_triplets<double>(data, n));
  chunks[0].has_video = {false, false, false};  // a chunk without any
  chunks[1].has_skeleton = {true, false, true, true};
  chunks[2].group = Tensor<Index>::from({5, 5});
  bool ignored[81] = {};
  ignored[1] = ignored[9] = ignored[30] = true;
  const auto ignore = Tensor<bool>::from_pointer(ignored, {9, 9});

  Rng draws(3), expected_draws(3);
  const auto y = train::grad_cache(
      cached, 3, [&](Index i) { return chunks[static_cast<std::size_t>(i)]; }, Context{true, &draws}, ignore);

  std::vector<models::TriTargets<>> targets;
  std::vector<models::TriEmbeddings<double>> parts;
  for (const auto& c : chunks) {
    targets.push_back(Net::targets(c));
    parts.push_back(whole.embed(c, targets.back(), Context{true, &expected_draws}));
  }
  const auto join = [&](auto member) {
    std::vector<Tensor<double>> of;
    for (const auto& p : parts)
      if ((p.*member).defined()) of.push_back(p.*member);
    return concat(of, 0);
  };
  using E = models::TriEmbeddings<double>;
  const auto expected = whole.loss(E{join(&E::skeleton), join(&E::video), join(&E::text),
                                     join(&E::skeleton_tokens), join(&E::video_tokens)},
                                   Net::join(targets, ignore));
  backward(expected.total);

  CHECK(y.total.item() == doctest::Approx(expected.total.item()).epsilon(1e-12));
  CHECK(y.frame.item() == doctest::Approx(expected.frame.item()).epsilon(1e-12));
  CHECK_FALSE(y.total.requires_grad());
  CHECK(draws.state() == expected_draws.state());
  const auto a = state_of(cached), b = state_of(whole);
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CAPTURE(a[i].first);
    REQUIRE(a[i].second.size() == b[i].second.size());
    for (std::size_t k = 0; k < a[i].second.size(); ++k)
      CHECK(std::abs(a[i].second[k] - b[i].second[k]) < 1e-10);
  }
}

TEST_CASE("A checkpointed video tower has the same gradients, with dropout and within grad_cache") {
  std::vector<std::vector<double>> gradients[2];
  for (const bool checkpoint : {false, true}) {
    Rng init(1), data(2), draws(3);
    auto c = with_dropout();
    c.video->checkpoint = checkpoint;
    const models::TriModal<double> net(init, c);
    const auto b = random_triplets<double>(data, 3);
    backward(net.loss(b, Context{true, &draws}).total);
    train::grad_cache(
        net, 2, [&](Index) { return b; }, Context{true, &draws});
    for (const auto& p : parameters<double>(net))
      gradients[checkpoint].push_back(p.tensor.grad().to_vector());
  }
  REQUIRE(gradients[0].size() == gradients[1].size());
  for (std::size_t i = 0; i < gradients[0].size(); ++i)
    for (std::size_t k = 0; k < gradients[0][i].size(); ++k)
      CHECK(std::abs(gradients[0][i][k] - gradients[1][i][k]) < 1e-10);
}

TEST_CASE("grad_cache: the gradient of a scaled loss, for f16") {
  Rng rng(8);
  const models::TriModal<> net(rng, tiny_tri_modal());
  const auto gradients = [&](double scale) {
    clear_grads(net);
    Rng draws(6);
    const auto chunk = [](Index i) {
      Rng data(static_cast<std::uint64_t>(i));
      return random_triplets(data, 4);
    };
    const auto loss = train::grad_cache(net, 2, chunk, Context{true, &draws, scale}).total.item();
    std::vector<std::vector<float>> g;
    for (const auto& p : parameters(net)) g.push_back((p.tensor.grad() / scale).to_vector());
    return std::pair{loss, g};
  };
  CHECK(gradients(1024) == gradients(1));  // a power of two: to the bit
}

TEST_CASE("grad_cache: any towers and any loss") {
  Rng rng(4);
  const nn::Linear<> left(rng, 3, 4), right(rng, 5, 4);
  const auto x = normal(rng, {6, 3}), z = normal(rng, {6, 5}), scale = Tensor<>::scalar(1);
  const auto embed = [&](Index i, const Context&) {
    return std::vector{left(narrow(x, 0, 2 * i, 2)), right(narrow(z, 0, 2 * i, 2))};
  };
  const float loss = train::grad_cache(
      3, embed,
      [&](const auto& e) {
        const auto y = loss::info_nce(e[0], e[1], scale);
        backward(y);
        return y.item();
      },
      Context{});
  const auto got = left.w.grad().to_vector();
  left.w.clear_grad();
  const auto y = loss::info_nce(left(x), right(z), scale);
  backward(y);
  CHECK(loss == doctest::Approx(y.item()));
  const auto want = left.w.grad().to_vector();
  for (std::size_t i = 0; i < want.size(); ++i) CHECK(got[i] == doctest::Approx(want[i]).epsilon(1e-5));
  CHECK_THROWS_AS(
      train::grad_cache(
          2,
          [&](Index i, const Context&) { return std::vector<Tensor<>>(static_cast<std::size_t>(i + 1), x); },
          [](const auto&) { return 0; }, Context{}),
      Error);
}

TEST_CASE("grad_cache: a batch of 4096 takes 1.1 times the memory of one of 64, and its embeddings") {
  auto c = tiny_tri_modal();
  auto unik = tiny_unik(kEmbed);
  unik.stages = {{32}, {64, 2}};  // activations as large as those of models that are trained
  c.skeleton = unik;
  c.video = tiny_video(kEmbed);
  c.text = tiny_text(kEmbed);
  c.loss.frame = 0;
  Rng rng(5);
  const models::TriModal<> net(rng, c);
  const auto chunk = [](Index i) {  // made when asked for: the inputs of all chunks are not held
    Rng data(static_cast<std::uint64_t>(100 + i));
    auto b = random_triplets(data, 64);
    b.skeleton = normal(data, {64, 1, 32, 4, 2});
    b.group = Tensor<Index>::from(std::vector<Index>(64, i));
    b.kind = Tensor<Index>::from(std::vector<Index>(64, i / 2));
    return b;
  };
  const auto peak = [&](Index chunks) {
    clear_grads(net);
    reset_peak_memory();
    const std::size_t before = memory_stats().in_use;
    Rng draws(6);
    train::grad_cache(net, chunks, chunk, Context{true, &draws});
    return static_cast<double>(memory_stats().peak - before);
  };
  const double small = peak(1), large = peak(64), embeddings = 3. * 4096 * kEmbed * sizeof(float);
  MESSAGE("peak of 64: ", small / 1048576, " MiB; of 4096: ", large / 1048576, " MiB; embeddings ",
          embeddings / 1048576, " MiB");
  CHECK(large <= 1.1 * small + embeddings);
}
