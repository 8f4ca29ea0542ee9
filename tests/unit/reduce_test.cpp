#include "tmor/ops/reduce.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tmor/autograd/backward.hpp"
#include "tmor/ops/index.hpp"
#include "tmor/ops/random.hpp"

using namespace tmor;
using Floats = std::vector<float>;
using Indices = std::vector<Index>;

namespace {
constexpr float kInf = std::numeric_limits<float>::infinity();
const float kNaN = std::numeric_limits<float>::quiet_NaN();
}  // namespace

TEST_CASE("sums of millions of floats keep their accuracy") {
  const Index n = 5'000'000;
  const auto x = Tensor<>::full({n}, 0.1f);
  CHECK(sum(x).item() == doctest::Approx(0.1f * static_cast<double>(n)).epsilon(1e-6));
  CHECK(mean(x).item() == doctest::Approx(0.1f).epsilon(1e-6));
  const auto columns = sum(reshape(x, {n / 5, 5}), 0).to_vector();
  for (float c : columns) CHECK(c == doctest::Approx(0.1f * static_cast<double>(n / 5)).epsilon(1e-6));
  // A mean far from 0 does not spoil the variance.
  Rng rng(1);
  CHECK(var(normal(rng, {1 << 20}, 1000, 1)).item() == doctest::Approx(1).epsilon(5e-3));
}

TEST_CASE("the bits do not depend on the number of threads") {
  Rng rng(2);
  const auto x = uniform(rng, {37, 411, 53});
  const int before = num_threads();
  const auto all = [&] {
    std::vector<Floats> v;
    for (const Dims& dims : {Dims{}, Dims{0}, Dims{1}, Dims{2}, Dims{0, 1}, Dims{1, 2}, Dims{0, 2}}) {
      v.push_back(sum(x, dims).to_vector());
      v.push_back(var(transpose(x), dims).to_vector());
    }
    v.push_back(cumsum(x, 1).to_vector());
    return v;
  };
  set_num_threads(1);
  const auto one = all();
  set_num_threads(4);
  CHECK(all() == one);
  set_num_threads(before);
}

TEST_CASE("integers and booleans are counted exactly") {
  const auto i = Tensor<std::int32_t>::full({3, 1000}, 2'000'000'000);
  CHECK(sum(i, 1).to_vector() == Indices(3, 2'000'000'000'000));
  CHECK(sum(Tensor<bool>::full({70, 1000}, true)).item() == 70000);
  CHECK(max(Tensor<Index>::from({-7, -3})).item() == -3);
  CHECK(min(Tensor<Index>::from({-7, -3})).item() == -7);
  CHECK(cumsum(Tensor<bool>::full({4}, true), 0).to_vector() == Indices{1, 2, 3, 4});
}

TEST_CASE("no elements") {
  const auto none = Tensor<>::empty({2, 0});
  CHECK(sum(none, 1).to_vector() == Floats{0, 0});
  CHECK(std::isnan(mean(none).item()));
  CHECK(logsumexp(none, 1).to_vector() == Floats{-kInf, -kInf});
  CHECK(all(Tensor<bool>::empty({0})).item());
  CHECK_FALSE(any(Tensor<bool>::empty({0})).item());
  CHECK(max(none, 0).numel() == 0);
  CHECK_THROWS_AS(max(none, 1), ShapeError);
  CHECK_THROWS_AS(argmin(none), ShapeError);
}

TEST_CASE("infinities and NaN") {
  CHECK(max(Tensor<>::from({-kInf, -kInf})).item() == -kInf);
#ifndef __FAST_MATH__  // which assumes that there is no NaN
  for (Index at : {0, 1, 17, 40}) {
    auto x = Tensor<>::zeros({41});
    x.mutable_data()[at] = kNaN;
    CHECK(std::isnan(max(x).item()));
    CHECK(std::isnan(min(x).item()));
    CHECK(argmax(x).item() == at);
    CHECK(argmin(x).item() == at);
  }
#endif
  CHECK(logsumexp(Tensor<>::from({kInf, 2})).item() == kInf);
  const auto x = Tensor<>::from({-kInf, -kInf, 1, -kInf}, {2, 2});
  x.requires_grad_();
  const auto y = logsumexp(x, 1);
  CHECK(y.to_vector() == Floats{-kInf, 1});
  backward(sum(narrow(y, 0, 1, 1)));
  CHECK(x.grad().to_vector() == Floats{0, 0, 1, 0});
  CHECK(logsumexp(Tensor<>::from({1000, 1000})).item() == doctest::Approx(1000.6931));
}

TEST_CASE("ties go to the first") {
  const auto x = Tensor<>::from({1, 3, 3, 0, 0, 3}, {2, 3});
  x.requires_grad_();
  CHECK(argmax(x).item() == 1);
  CHECK(argmax(x, 0).to_vector() == Indices{0, 0, 0});
  CHECK(argmin(x, 1).to_vector() == Indices{0, 0});
  backward(max(x));
  CHECK(x.grad().to_vector() == Floats{0, 1, 0, 0, 0, 0});
}

TEST_CASE("norm has gradient 0 at 0") {
  const auto x = Tensor<>::from({0, 0, 3, 4}, {2, 2});
  x.requires_grad_();
  backward(sum(norm(x, 1)));
  CHECK(x.grad().to_vector() == Floats{0, 0, 0.6f, 0.8f});
}

TEST_CASE("storage-only types are summed in float") {
  const auto x = to<bf16>(Tensor<>::full({1000}, 1.0f));
  CHECK(static_cast<float>(sum(x).item()) == 1000);
  CHECK(static_cast<float>(var(x).item()) == 0);
}

TEST_CASE("wrong dimensions are errors") {
  const auto x = Tensor<>::ones({2, 3});
  CHECK_THROWS_AS(sum(x, 2), ShapeError);
  CHECK_THROWS_AS(sum(x, {0, -2}), ShapeError);
  CHECK_THROWS_AS(cumsum(x, -3), ShapeError);
  CHECK(sum(x, {}, true).shape() == Shape{1, 1});
  CHECK(sum(Tensor<>::scalar(2)).item() == 2);
}
