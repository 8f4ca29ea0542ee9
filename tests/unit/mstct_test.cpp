#include <doctest/doctest.h>

#include <algorithm>

#include "../support/files.hpp"
#include "tmor/autograd/gradcheck.hpp"
#include "tmor/eval/detection.hpp"

using namespace tmor;
using doctest::Approx;
using test::contains;
using test::message;

namespace {

constexpr models::MstctConfig kTiny{
    .in = 3, .classes = 2, .width = 4, .stages = 3, .heads = 2, .dropout = 0.2, .span = 16};

template <class T = float> Tensor<T> noise(Index n, Index t, Index w) {
  Rng rng(4);
  std::vector<T> v(static_cast<std::size_t>(n * t * w));
  for (T& x : v) x = static_cast<T>(rng.normal());
  return Tensor<T>::from(v, {n, t, w});
}

/// An action of class 0 where feature 0 is high on average over 9 rows, of class 1 from then to the end: what
/// one row alone does not tell, and the second not even its neighbours.
std::vector<eval::DetectionSequence> planted(std::size_t count, std::uint64_t seed) {
  std::vector<eval::DetectionSequence> out;
  for (std::size_t i = 0; i < count; ++i) {
    Rng rng = Rng(seed).fork(i);
    const Index rows = 33 + rng.uniform_int(30), start = rng.uniform_int(rows - 9);
    std::vector<float> x;
    for (Index k = 0; k < rows * 3; ++k) x.push_back(static_cast<float>(rng.normal()));
    for (Index r = start; r < start + 9; ++r) x[static_cast<std::size_t>(3 * r)] += 2.5f;
    Timeline truth{tmor::detail::cat("s", i), static_cast<double>(rows), {}};
    truth.spans.push_back({0, static_cast<double>(start) - 0.5, static_cast<double>(start) + 8.5});
    truth.spans.push_back({1, static_cast<double>(start) + 8.5, static_cast<double>(rows)});
    out.push_back({Tensor<>::from(x, {rows, 3}), truth});
  }
  return out;
}

}  // namespace

TEST_CASE("the multi-scale head keeps the rows, however few or odd, and every row is seen") {
  Rng rng(1);
  const models::MstctHead<> head(rng, kTiny);
  for (const Index t : {1, 2, 3, 4, 5, 7, 8, 9, 31}) {
    CAPTURE(t);
    const auto x = noise(2, t, 3);
    const auto y = head(x, Context{});
    CHECK(y.shape() == Shape{2, t, 2});
    for (const float v : y.to_vector()) CHECK(is_finite(v));
    auto changed = clone(x);
    changed.mutable_data()[3 * (t - 1)] += 2;  // the last row of the first sequence
    const auto z = head(changed, Context{});
    CHECK(z.at({0, 0, 0}) != y.at({0, 0, 0}));
    CHECK(z.at({1, 0, 0}) == y.at({1, 0, 0}));
  }
}

TEST_CASE("padding of the multi-scale head, whatever is in it, changes nothing") {
  Rng rng(1);
  const models::MstctHead<> head(rng, kTiny);
  for (const Index t : {1, 3, 4, 6, 9, 12}) {
    CAPTURE(t);
    const auto x = noise(1, t, 3);
    const auto y = head(x, Context{}).to_vector();
    for (const Index total : {t, t + 1, t + 2, t + 9}) {
      CAPTURE(total);
      auto padded = Tensor<>::full({2, total, 3}, 9), mask = Tensor<>::zeros({2, total});
      std::copy_n(x.data(), 3 * t, padded.mutable_data());
      std::fill_n(mask.mutable_data(), t, 1.0f);
      std::fill_n(mask.mutable_data() + total, total, 1.0f);
      const auto p = narrow(narrow(head(padded, Context{}, mask), 0, 0, 1), 1, 0, t).to_vector();
      for (std::size_t i = 0; i < y.size(); ++i) CHECK(p[i] == Approx(y[i]).epsilon(1e-4));
    }
  }
  CHECK_THROWS_AS(head(noise(1, 4, 2), Context{}), ShapeError);
  CHECK_THROWS_AS(head(noise(1, 4, 3), Context{}, Tensor<>::ones({1, 5})), ShapeError);
}

TEST_CASE("the gradient of the multi-scale head in double, with padding") {
  Rng rng(2);
  models::MstctHead<double> head(rng, kTiny);
  const auto mask = Tensor<double>::from({1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0}, {2, 6});
  const auto r = gradcheck(
      [&](const std::vector<Tensor<double>>& in) {
        return head(in[0], Context{}, mask) * reshape(mask, {2, 6, 1});
      },
      std::vector{noise<double>(2, 6, 3)});
  CHECK_MESSAGE(r.ok, r.message);
  // And of one number of each parameter, through the whole network.
  head = models::MstctHead<double>(rng, kTiny);  // without the gradients of the first part
  auto loss = [&] { return sum(head(noise<double>(1, 5, 3), Context{}) * noise<double>(1, 5, 2)); };
  backward(loss());
  for (const auto& p : parameters<double>(head)) {
    CAPTURE(p.name);
    REQUIRE(p.tensor.grad().defined());
    auto values = p.tensor;
    const NoGrad guard;
    const double before = values.data()[0], h = 1e-5, analytic = p.tensor.grad().to_vector()[0];
    values.mutable_data()[0] = before + h;
    const double up = loss().item();
    values.mutable_data()[0] = before - h;
    const double down = loss().item();
    values.mutable_data()[0] = before;
    CHECK(analytic == Approx((up - down) / (2 * h)).epsilon(1e-5).scale(1));
  }
}

TEST_CASE("a trained multi-scale head finds what a single row does not tell, also in longer sequences") {
  const auto train = planted(40, 1);
  eval::DetectionOptions o{.head = models::MstctConfig{.width = 16, .stages = 3, .heads = 2, .dropout = 0.1},
                           .epochs = 40,
                           .batch_size = 4,
                           .window = 64,
                           .lr = 5e-3};
  const auto r = eval::detection(train, planted(6, 2), 2, o);
  CHECK(r.maps[0].ap[0] > 0.8);
  CHECK(r.maps[0].ap[1] > 0.8);
  CHECK(contains(r.protocol, "multi-scale head of 3 stages of 16, 64 rows at once"));
  const auto again = eval::detection(train, planted(6, 2), 2, o);
  CHECK(again.scores[2].scores == r.scores[2].scores);
  o.head = models::TcnConfig{.layers = 0, .dropout = 0.1};
  CHECK(eval::detection(train, planted(6, 2), 2, o).maps[0].map < r.maps[0].map - 0.1);
}

TEST_CASE("a long sequence is read in overlapping windows of the head's rows") {
  Rng rng(3);
  const eval::DetectionModel model(models::FrameHead<>(models::MstctHead<>(rng, kTiny)));  // spans of 16
  for (const Index t : {16, 17, 23, 24, 25, 40, 61}) {
    CAPTURE(t);
    const auto x = reshape(noise(1, t, 3), {t, 3});
    const auto y = model(x);
    REQUIRE(y.shape() == Shape{t, 2});
    const auto window = [&](Index start) { return model(contiguous(narrow(x, 0, start, 16))).to_vector(); };
    const auto got = y.to_vector(), first = window(0), last = window(t - 16);
    const auto rows = [](const std::vector<float>& v, Index from, Index to) {
      return std::vector<float>(v.begin() + 2 * from, v.begin() + 2 * to);
    };
    CHECK(rows(got, 0, 12) == rows(first, 0, 12));
    if (t >= 24) {
      CHECK(rows(got, t - 4, t) == rows(last, 12, 16));
      const auto second = window(8);
      CHECK(rows(got, 12, 20) == rows(second, 4, 12));
    }
  }
}

TEST_CASE("heads behind one type say what they are, and only a dilated one streams") {
  Rng rng(5);
  const models::FrameHead<> tcn(
      rng, models::TcnConfig{.in = 3, .classes = 2, .width = 4, .layers = 2, .causal = true});
  const models::FrameHead<> multi(rng, kTiny);
  CHECK(models::name_of(tcn.config()) == std::string("tcn"));
  CHECK(models::name_of(multi.config()) == std::string("mstct"));
  CHECK(models::describe(tcn.config()) == "causal dilated head of 2 layers of 4");
  CHECK(models::describe(multi.config()) == "multi-scale head of 3 stages of 4, 16 rows at once");
  CHECK(models::tokens_of(multi.config()) == 3);
  CHECK(models::classes_of(tcn.config()) == 2);
  CHECK(models::streamable(tcn.config()).layers == 2);
  CHECK(contains(message<Error>([&] { models::streamable(multi.config()); }), "train a dilated head (tcn)"));
  CHECK(parameters(multi).size() == 3 * (2 + 2 * 2 + 4 * 2 + 2 + 2 + 2 + 2) + 2);
  auto bad = kTiny;
  bad.heads = 3;
  CHECK(contains(message<Error>([&] { models::MstctHead<>(rng, bad); }), "heads divide the width"));
}
