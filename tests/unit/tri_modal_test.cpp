#include <doctest/doctest.h>

#include <array>

#include "support/tiny_models.hpp"
#include "tmor/autograd/gradcheck.hpp"
#include "tmor/models/text/overlap.hpp"
#include "tmor/optim/adamw.hpp"

using namespace tmor;
using namespace test;

namespace {

std::vector<float> values(const Tensor<>& t) { return t.to_vector(); }
Tensor<> pick(const Tensor<>& x, std::vector<Index> at) {
  return index_select(x, 0, Tensor<Index>::from(at));
}
/// The part of rows of a whose nearest row of b is their own.
double recall_at_1(const Tensor<>& a, const Tensor<>& b) {
  const auto best = argmax(matmul(a, transpose(b)), {1}).to_vector();
  Index right = 0;
  for (std::size_t i = 0; i < best.size(); ++i) right += best[i] == static_cast<Index>(i);
  return static_cast<double>(right) / static_cast<double>(best.size());
}

}  // namespace

TEST_CASE("VideoEncoder: shapes, stored features, and errors that name what does not fit") {
  Rng rng(1);
  for (const bool class_token : {true, false}) {
    auto c = tiny_video();
    c.class_token = class_token;
    c.features = 5;
    const models::VideoEncoder<> net(rng, c);
    const auto out = net(normal(rng, {2, 3, 8, 4, 3}), Context{});
    CHECK(out.tokens.shape() == Shape{2, 3, 16});
    CHECK(out.pooled.shape() == Shape{2, 16});
    CHECK(out.embed.shape() == Shape{2, 16});
    CHECK(net.of_features(normal(rng, {2, 2, 5}), Context{}).tokens.shape() == Shape{2, 2, 16});
    CHECK_THROWS_AS(net(normal(rng, {2, 3, 4, 8, 3}), Context{}), ShapeError);
    CHECK_THROWS_AS(net(normal(rng, {2, 4, 8, 4, 3}), Context{}), ShapeError);
    CHECK_THROWS_AS(net.of_features(normal(rng, {2, 3, 6}), Context{}), ShapeError);
  }
  auto stored = tiny_video();
  stored.patch = 0;
  CHECK_THROWS_AS(models::VideoEncoder<>(rng, stored), Error);
  stored.features = 4;
  const models::VideoEncoder<> net(rng, stored);
  CHECK(net.of_features(normal(rng, {1, 3, 4}), Context{}).embed.shape() == Shape{1, 16});
  CHECK_THROWS_AS(net(normal(rng, {1, 3, 8, 4, 3}), Context{}), Error);
  CHECK_THROWS_AS(models::VideoEncoder<>(rng, tiny_video()).of_features(normal(rng, {1, 3, 4}), Context{}),
                  Error);
  auto uneven = tiny_video();
  uneven.patch = 3;
  CHECK_THROWS_AS(models::VideoEncoder<>(rng, uneven), Error);
}

TEST_CASE("VideoEncoder: a patch is the square of pixels it says, and frames know their order") {
  Rng rng(2);
  const models::VideoEncoder<> net(rng, tiny_video());
  // The second patch of a frame: rows 4..7. Its token must be weight times its pixels, row by row.
  const auto x = normal(rng, {1, 8, 4, 3});
  const auto& vit = net.frame;
  const auto pixels = reshape(narrow(x, 1, 4, 4), {1, 48});
  const auto a = values(vit.patch(pixels));
  const auto cut = permute(reshape(x, {1, 2, 4, 1, 4, 3}), {0, 1, 3, 2, 4, 5});
  const auto b = values(narrow(vit.patch(reshape(cut, {1, 2, 48})), 1, 1, 1));
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]));
  const auto clip = normal(rng, {1, 3, 8, 4, 3});
  CHECK(values(net(clip, Context{}).embed) != values(net(flip(clip, 1), Context{}).embed));
}

TEST_CASE("VideoEncoder: the gradient of its input") {
  Rng rng(3);
  auto c = tiny_video(3);
  c.features = 4;
  c.dim = 4;
  const models::VideoEncoder<double> net(rng, c);
  const auto by_frames = gradcheck<Cpu>([&](const auto& v) { return net(v[0], Context{}).embed; },
                                        {normal<double>(rng, {1, 2, 8, 4, 3})}, {.tolerance = 1e-5});
  CHECK_MESSAGE(by_frames.ok, by_frames.message);
  const auto by_features =
      gradcheck<Cpu>([&](const auto& v) { return net.of_features(v[0], Context{}).tokens; },
                     {normal<double>(rng, {2, 3, 4})}, {.tolerance = 1e-5});
  CHECK_MESSAGE(by_features.ok, by_features.message);
}

TEST_CASE("TriModal: the loss is the weighted sum of its parts, each that of its embeddings") {
  for (const auto contrast : {models::Contrast::info_nce, models::Contrast::siglip}) {
    Rng rng(4);
    auto c = tiny_tri_modal();
    c.loss.contrast = contrast;
    c.loss.video_text = 0.25;
    const models::TriModal<> net(rng, c);
    auto b = random_triplets(rng, 5);
    b.group = Tensor<Index>::from({7, -1, 7, -1, 2});
    const auto y = net.loss(b, Context{});
    const auto s = net.embed_skeletons(b.skeleton, Context{}), v = net.embed_frames(b.frames, Context{}),
               t = net.embed_texts(b.text, Context{});
    const auto ids = Tensor<Index>::from({7, 90, 7, 91, 2});
    const auto of = [&](const models::PairScale<>& p, const Tensor<>& a, const Tensor<>& w) {
      return contrast == models::Contrast::siglip ? loss::siglip(a, w, p.log_scale, p.bias, ids).item()
                                                  : loss::info_nce(a, w, p.log_scale, ids).item();
    };
    CHECK(y.skeleton_video.item() == doctest::Approx(of(net.sv, s, v)).epsilon(1e-4));
    CHECK(y.skeleton_text.item() == doctest::Approx(of(net.st, s, t)).epsilon(1e-4));
    CHECK(y.video_text.item() == doctest::Approx(of(net.vt, v, t)).epsilon(1e-4));
    CHECK(y.total.item() == doctest::Approx(y.skeleton_video.item() + y.skeleton_text.item() +
                                            0.25f * y.video_text.item() + 0.5f * y.frame.item()));
  }
}

TEST_CASE("TriModal: every pair learns from the samples that have both") {
  Rng rng(5);
  const models::TriModal<> net(rng, tiny_tri_modal());
  auto b = random_triplets(rng, 6);
  b.has_skeleton = {true, true, false, true, true, true};
  b.has_video = {true, false, true, true, true, false};
  b.has_text = {false, true, true, true, false, true};
  b.group = Tensor<Index>::from({3, 3, 4, -1, 4, -1});
  bool ignored[36] = {};
  ignored[1 * 6 + 3] = ignored[5 * 6 + 1] = true;
  b.ignore = Tensor<bool>::from_pointer(ignored, {6, 6});
  const auto y = net.loss(b, Context{});
  const auto s = net.embed_skeletons(b.skeleton, Context{}), v = net.embed_frames(b.frames, Context{}),
             t = net.embed_texts(b.text, Context{});
  CHECK(y.skeleton_video.item() ==
        doctest::Approx(loss::info_nce(pick(s, {0, 3, 4}), pick(v, {0, 3, 4}), net.sv.log_scale).item())
            .epsilon(1e-4));
  const bool st_ignored[9] = {false, true, false, false, false, false, true, false, false};
  CHECK(y.skeleton_text.item() ==
        doctest::Approx(loss::info_nce(pick(s, {1, 3, 5}), pick(t, {1, 3, 5}), net.st.log_scale,
                                       Tensor<Index>::from({3, 90, 91}),
                                       Tensor<bool>::from_pointer(st_ignored, {3, 3}))
                            .item())
            .epsilon(1e-4));
  CHECK(y.video_text.item() ==
        doctest::Approx(loss::info_nce(pick(v, {2, 3}), pick(t, {2, 3}), net.vt.log_scale).item())
            .epsilon(1e-4));

  // Kinds leave out the same pairs as a table of them.
  auto kinds = b;
  kinds.kind = Tensor<Index>::from({-1, 4, 9, 4, -1, 9});
  for (const auto& [i, j] : {std::pair{1, 3}, {3, 1}, {2, 5}, {5, 2}}) ignored[i * 6 + j] = true;
  b.ignore = Tensor<bool>::from_pointer(ignored, {6, 6});
  for (const auto contrast : {models::Contrast::info_nce, models::Contrast::siglip}) {
    auto c = tiny_tri_modal();
    c.loss.contrast = contrast;
    Rng init(8);
    const models::TriModal<> tables(init, c);
    CHECK(tables.loss(b, Context{}).total.item() == tables.loss(kinds, Context{}).total.item());
    kinds.kind = {};
    CHECK(tables.loss(b, Context{}).total.item() != tables.loss(kinds, Context{}).total.item());
    kinds.kind = Tensor<Index>::from({-1, 4, 9, 4, -1, 9});
  }

  // What a sample has not is never looked at, whatever stands there.
  auto other = b;
  other.skeleton = clone(b.skeleton);
  const auto third = narrow(other.skeleton, 0, 2, 1);
  copy_(third, Tensor<>::full(third.shape(), std::numeric_limits<float>::quiet_NaN()));
  CHECK(net.loss(other, Context{true, &rng}).total.item() == net.loss(b, Context{true, &rng}).total.item());

  // A pair that no two samples have is left out; nothing at all is an error.
  b.has_video = {true, false, false, false, false, false};
  const auto fewer = net.loss(b, Context{});
  CHECK_FALSE(fewer.skeleton_video.defined());
  CHECK_FALSE(fewer.video_text.defined());
  CHECK(fewer.skeleton_text.defined());
  b.has_text = {true, false, false, false, false, false};
  b.has_skeleton = b.has_text;
  b.has_video = {false, true, false, false, false, false};
  CHECK_THROWS_AS(net.loss(b, Context{}), Error);
  b.has_video.pop_back();
  CHECK_THROWS_AS(net.loss(b, Context{}), ShapeError);
}

TEST_CASE("Near-duplicates are found by tokens and by embeddings") {
  // {1, 2, 3}, {1, 2, 3, 4}, {1, 2, 3}, {7}; what follows the end does not count.
  const models::TextBatch<> t{Tensor<Index>::from({1, 2, 3, 3, 1, 2, 3, 4, 3, 2, 1, 9, 7, 1, 2, 3}, {4, 4}),
                              Tensor<Index>::from({3, 3, 2, 0})};
  CHECK(values(to<float>(models::overlapping_texts(t, 0.7))) ==
        std::vector<float>{1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1});
  CHECK(values(to<float>(models::overlapping_texts(t, 0.8))) ==
        std::vector<float>{1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1});
  const auto x = Tensor<>::from({1, 0, 2, 0.5f, 0, 3}, {3, 2});
  CHECK(values(to<float>(loss::similar_pairs(x))) == std::vector<float>{1, 1, 0, 1, 1, 0, 0, 0, 1});
}

TEST_CASE("TriModal: the frame term pairs the moments of equal time, and only those the skeleton shows") {
  Rng rng(6);
  const models::TriModal<> net(rng, tiny_tri_modal());
  auto b = random_triplets(rng, 3);
  const auto y = net.loss(b, Context{});
  const auto t = net.targets(b);
  const auto e = net.embed(b, t, Context{});
  REQUIRE(e.skeleton_tokens.shape() == Shape{3, 4, 8});
  REQUIRE(e.video_tokens.shape() == Shape{3, 3, 8});
  const auto by_hand = [&](const std::vector<float>& times, std::vector<Index> shown,
                           const loss::Moments& m) {
    const auto a = loss::at_times(e.skeleton_tokens, Tensor<>::from(times, {3, 3}));
    return loss::frame_info_nce(pick(reshape(a, {9, 8}), shown), pick(reshape(e.video_tokens, {9, 8}), shown),
                                net.frame.log_scale, m)
        .item();
  };
  const float third = 1.f / 3, a = third / 2, m = 0.5f, z = 1 - a;
  CHECK(y.frame.item() == doctest::Approx(by_hand({a, m, z, a, m, z, a, m, z}, {0, 1, 2, 3, 4, 5, 6, 7, 8},
                                                  {{0, 0, 0, 1, 1, 1, 2, 2, 2},
                                                   {-1, -1, -1, -2, -2, -2, -3, -3, -3},
                                                   {0, 1, 2, 0, 1, 2, 0, 1, 2}}))
                              .epsilon(1e-4));
  const std::vector<float> times = {0, 0.2f, 0.4f, -0.1f, 0, 0.1f, 0.9f, 1, 1.5f};
  b.video_time = Tensor<>::from(times, {3, 3});
  b.group = Tensor<Index>::from({1, 2, 1});
  CHECK(net.loss(b, Context{}).frame.item() ==
        doctest::Approx(by_hand(times, {0, 1, 2, 4, 5, 6, 7},
                                {{0, 0, 0, 1, 1, 2, 2}, {1, 1, 1, 2, 2, 1, 1}, {0, 1, 2, 1, 2, 0, 1}}))
            .epsilon(1e-4));
  b.video_time = Tensor<>::zeros({3, 2});
  CHECK_THROWS_AS(net.loss(b, Context{}), ShapeError);
}

TEST_CASE("TriModal: a locked tower keeps its parameters and statistics; its projection may go on") {
  Rng rng(7);
  models::TriModal<> net(rng, tiny_tri_modal());
  net.lock(models::Lock::all, models::Lock::body, models::Lock::none);
  std::vector<std::pair<std::string, std::vector<float>>> before;
  const auto each = [&](auto f) {
    visit_tensors(
        net, [&](const std::string& name, const auto& t, auto) { f(name, t); },
        [&](const std::string& name, const auto& t) { f(name, t); });
  };
  each([&](const std::string& name, const auto& t) { before.emplace_back(name, t.to_vector()); });
  optim::AdamW<> optimizer(parameters(net), {.lr = 1e-2});
  backward(net.loss(random_triplets(rng, 4), Context{true, &rng}).total);
  optimizer.step();
  std::size_t i = 0;
  each([&](const std::string& name, const auto& t) {
    CAPTURE(name);
    const bool fixed =
        name.starts_with("skeleton.") || (name.starts_with("video.") && !name.starts_with("video.project."));
    const bool same = before[i++].second == t.to_vector();
    if (fixed) CHECK(same);
    if (name == "text.token.w" || name == "video.project.w" || name == "st.log_scale" ||
        name == "skeleton_frame.w")
      CHECK_FALSE(same);
  });
  net.lock(models::Lock::none, models::Lock::none, models::Lock::none);
  for (const auto& p : parameters(net)) CHECK(p.tensor.requires_grad());
}

TEST_CASE("TriModal: scales are limited, towers may be missing, embeddings must agree") {
  Rng rng(8);
  auto c = tiny_tri_modal();
  const models::TriModal<> net(rng, c);
  CHECK(net.sv.log_scale.item() == doctest::Approx(std::log(1 / 0.07)));
  copy_(net.vt.log_scale.detach(), Tensor<>::scalar(5));
  net.limit_scales_();
  CHECK(net.vt.log_scale.item() == doctest::Approx(std::log(100.0)));
  c.video.reset();
  const models::TriModal<> pair(rng, c);
  const auto y = pair.loss(random_triplets(rng, 3), Context{});
  CHECK_FALSE(y.skeleton_video.defined());
  CHECK_FALSE(y.frame.defined());
  CHECK(y.total.item() == y.skeleton_text.item());
  CHECK_THROWS_AS(pair.embed_frames(normal(rng, {1, 3, 8, 4, 3}), Context{}), Error);
  c.text->embed = 8;
  CHECK_THROWS_AS(models::TriModal<>(rng, c), Error);
}

TEST_CASE("TriModal: 32 random triplets are learnt by heart, R@1 = 100 % in all six directions") {
  Rng rng(9);
  const models::TriModal<> net(rng, tiny_tri_modal());
  const auto b = random_triplets(rng, 32);
  optim::AdamW<> optimizer(parameters(net), {.lr = 4e-3});
  for (int i = 0; i < 150; ++i) {
    backward(net.loss(b, Context{true, &rng}).total);
    optimizer.step();
    net.limit_scales_();
  }
  const auto s = net.embed_skeletons(b.skeleton, Context{}), v = net.embed_frames(b.frames, Context{}),
             t = net.embed_texts(b.text, Context{});
  CHECK(recall_at_1(s, v) == 1.0);
  CHECK(recall_at_1(v, s) == 1.0);
  CHECK(recall_at_1(s, t) == 1.0);
  CHECK(recall_at_1(t, s) == 1.0);
  CHECK(recall_at_1(v, t) == 1.0);
  CHECK(recall_at_1(t, v) == 1.0);
}
