#include "tmor/eval/detection.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "tmor/core/rng.hpp"

using namespace tmor;
using doctest::Approx;
using test::contains;
using test::message;

namespace {

/// Actions of three classes in noise: a row's token points along the class's axis 2 rows *before* the
/// action's row, so that one row alone does not tell.
std::vector<eval::DetectionSequence> sequences(std::size_t count, std::uint64_t seed, Index shift) {
  std::vector<eval::DetectionSequence> out;
  for (std::size_t i = 0; i < count; ++i) {
    Rng rng = Rng(seed).fork(i);
    const Index rows = 40 + rng.uniform_int(30), width = 6;
    std::vector<float> x;
    for (Index k = 0; k < rows * width; ++k) x.push_back(static_cast<float>(0.5 * rng.normal()));
    Timeline truth{tmor::detail::cat("s", i), static_cast<double>(rows), {}};
    for (Index start = 3; start + 12 < rows; start += 14) {
      const Index action = rng.uniform_int(3);
      truth.spans.push_back({action, static_cast<double>(start) - 0.5, static_cast<double>(start) + 4.5});
      for (Index r = start; r < start + 5; ++r)
        x[static_cast<std::size_t>((r - shift) * width + action)] += 2;
    }
    out.push_back({Tensor<>::from(x, {rows, width}), truth});
  }
  return out;
}

const eval::DetectionOptions kSmall{.head = models::TcnConfig{.width = 16, .layers = 3, .dropout = 0.1},
                                    .epochs = 12,
                                    .batch_size = 4,
                                    .window = 32,
                                    .lr = 1e-2};

Tensor<> noise(Index n, Index t, Index w) {
  Rng rng(4);
  std::vector<float> v(static_cast<std::size_t>(n * t * w));
  for (float& x : v) x = static_cast<float>(rng.normal());
  return Tensor<>::from(v, {n, t, w});
}

}  // namespace

TEST_CASE("the dilated head keeps the frames, sees as far as it says, and ignores padding") {
  Rng rng(1);
  for (const bool causal : {false, true}) {
    CAPTURE(causal);
    models::TcnHead<> head(rng, {.in = 5, .classes = 2, .width = 8, .layers = 3, .causal = causal});
    CHECK(head.config.reach() == 7);
    const auto x = noise(1, 40, 5);
    const auto y = head(x, Context{});
    CHECK(y.shape() == Shape{1, 40, 2});
    auto changed = clone(x);
    changed.mutable_data()[20 * 5] += 3;
    const auto z = head(changed, Context{});
    for (Index t = 0; t < 40; ++t) {
      CAPTURE(t);
      const bool within = causal ? t >= 20 && t <= 20 + 14 : t >= 20 - 7 && t <= 20 + 7;
      CHECK((z.at({0, t, 0}) != y.at({0, t, 0})) == within);
    }
    // The same frames before padding full of rubbish.
    auto padded = Tensor<>::full({1, 48, 5}, 9), mask = Tensor<>::zeros({1, 48});
    std::copy_n(x.data(), 200, padded.mutable_data());
    std::fill_n(mask.mutable_data(), 40, 1.0f);
    const auto p = narrow(head(padded, Context{}, mask), 1, 0, 40).to_vector(), q = y.to_vector();
    for (std::size_t i = 0; i < q.size(); ++i) CHECK(p[i] == Approx(q[i]).epsilon(1e-5));
  }
  CHECK_THROWS_AS(models::TcnHead<>(rng, {.in = 5, .taps = 2}), Error);
  models::TcnHead<> head(rng, {.in = 5, .classes = 2, .width = 8});
  CHECK_THROWS_AS(head(noise(1, 8, 4), Context{}), ShapeError);
  CHECK_THROWS_AS(head(noise(1, 8, 5), Context{}, Tensor<>::ones({1, 7})), ShapeError);
  CHECK(parameters(head).size() == 2 + 5 * 4 + 2);
}

TEST_CASE("a trained head finds actions, the dilated one where a single row does not tell") {
  const auto train = sequences(12, 1, 2), test = sequences(6, 2, 2);
  const auto tcn = eval::detection(train, test, 3, kSmall);
  auto options = kSmall;
  options.head = models::TcnConfig{.layers = 0, .dropout = 0.1};
  const auto linear = eval::detection(train, test, 3, options);
  REQUIRE(tcn.maps.size() == 4);
  CAPTURE(tcn.maps[0].map);
  CAPTURE(linear.maps[0].map);
  CHECK(tcn.maps[0].map > 0.8);
  CHECK(linear.maps[0].map < 0.7);
  CHECK(tcn.maps[0].chance < 0.2);
  CHECK(tcn.scores.size() == 6);
  CHECK(tcn.scores[0].id == "s0");
  CHECK(contains(tcn.protocol, "dilated head of 3 layers of 16"));
  CHECK(contains(linear.protocol, "linear head"));
  const auto again = eval::detection(train, test, 3, kSmall);
  CHECK(again.scores[3].scores == tcn.scores[3].scores);
  options = kSmall;
  options.seed = 1;
  CHECK(eval::detection(train, test, 3, options).scores[3].scores != tcn.scores[3].scores);
}

TEST_CASE("zero-shot detection by cosines") {
  const auto test = sequences(4, 3, 0);
  const auto axes = Tensor<>::from({1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}, {3, 6});
  const auto r = eval::zero_shot_detection(test, axes, {"tsu"}, "by hand");
  REQUIRE(r.maps.size() == 1);
  CHECK(r.maps[0].map > 0.7);
  CHECK(contains(r.protocol, "by hand"));
  auto none = test;
  none[0].tokens = Tensor<>::zeros({50, 6});
  CHECK(eval::zero_shot_detection(none, axes).scores[0].scores == std::vector<float>(150));
}

TEST_CASE("detection refuses what does not fit, by name") {
  const auto good = sequences(2, 1, 0);
  const auto error = [&](eval::DetectionSequence bad, eval::DetectionOptions o = kSmall) {
    std::vector<eval::DetectionSequence> test = {good[0], bad};
    return message<Error>([&] { eval::detection(good, test, 3, o); });
  };
  auto bad = good[1];
  bad.truth.spans.push_back({3, 0, 1});
  CHECK(contains(error(bad), "'s1' has the action 3"));
  bad = good[1];
  bad.truth.length = 0;
  CHECK(contains(error(bad), "length 0"));
  bad = good[1];
  bad.tokens = Tensor<>::ones({10, 5});
  CHECK(contains(error(bad), "'s1': tokens (10, 5)"));
  bad.tokens = {};
  CHECK(contains(error(bad), "no features"));
  auto o = kSmall;
  o.policies = {"tsv"};
  CHECK(contains(error(good[1], o), "did you mean 'tsu'"));
  o = kSmall;
  o.epochs = 0;
  CHECK(contains(error(good[1], o), "0 epochs"));
  CHECK_THROWS_AS(eval::detection({}, good, 3), Error);
}
