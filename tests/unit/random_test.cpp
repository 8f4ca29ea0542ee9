#include "tmor/ops/random.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tmor/autograd/backward.hpp"
#include "tmor/core/parallel.hpp"

using namespace tmor;

namespace {

struct Moments {
  double mean = 0, variance = 0, third = 0, fourth = 0, low = 1e300, high = -1e300;
};
template <class T> Moments moments(const Tensor<T>& t) {
  const auto v = t.to_vector();
  const double n = static_cast<double>(v.size());
  Moments m;
  for (double x : v) m.mean += x / n;
  for (double x : v) {
    const double d = x - m.mean;
    m.variance += d * d / n;
    m.third += d * d * d / n;
    m.fourth += d * d * d * d / n;
    m.low = std::min(m.low, x);
    m.high = std::max(m.high, x);
  }
  return m;
}
bool near(double got, double want, double tolerance) { return std::fabs(got - want) <= tolerance; }

constexpr Index kMany = 1 << 20;  // the standard error of a mean of N(0, 1) is 0.001

}  // namespace

TEST_CASE("uniform: moments, bounds, and the words of the stream") {
  Rng rng(3, 4);
  const Moments m = moments(uniform(rng, {kMany}, -1, 3));
  CHECK(near(m.mean, 1, 0.006));
  CHECK(near(m.variance, 16.0 / 12, 0.008));
  CHECK(m.low >= -1);
  CHECK(m.low < -0.9999);
  CHECK(m.high < 3);
  CHECK(m.high > 2.9999);

  Rng one(3, 4);
  one.reserve(5);
  const auto v = uniform(one, {1003}).to_vector();
  bool equal = true;
  for (std::size_t i = 0; i < v.size(); ++i)
    equal &= v[i] == uniform_from_bits(philox(3, 4, 5 + i / 4).word[i % 4]);
  CHECK(equal);
  CHECK(one.state().counter == 5 + 251);
  CHECK(uniform<double>(one, {4}).to_vector() !=
        uniform<double>(one, {4}).to_vector());  // the second goes on behind the first
}

TEST_CASE("normal: moments, tails, independence of neighbours") {
  Rng rng(1);
  const auto t = normal(rng, {kMany});
  const Moments m = moments(t);
  CHECK(near(m.mean, 0, 0.005));
  CHECK(near(m.variance, 1, 0.008));
  CHECK(near(m.third, 0, 0.015));
  CHECK(near(m.fourth, 3, 0.06));
  CHECK(m.high > 4);
  CHECK(m.low < -4);
  const auto v = t.to_vector();
  double neighbours = 0, within = 0;
  for (std::size_t i = 0; i + 1 < v.size(); ++i) {
    neighbours += static_cast<double>(v[i]) * static_cast<double>(v[i + 1]) / kMany;
    if (std::fabs(v[i]) < 1) within += 1.0 / kMany;
  }
  CHECK(near(neighbours, 0, 0.005));
  CHECK(near(within, 0.682689, 0.003));
  const Moments shifted = moments(normal<double>(rng, {kMany}, 5, 0.5));
  CHECK(near(shifted.mean, 5, 0.003));
  CHECK(near(shifted.variance, 0.25, 0.002));
}

TEST_CASE(
    "truncated normal: the quantile function inverts the distribution function; moments of the result") {
  for (const double z : {-5.0, -3.1, -2.0, -1.2, -0.3, 0.0, 0.01, 1.3, 1.7, 4.0}) {
    const double p = 0.5 * std::erfc(-z / std::sqrt(2.0));
    CHECK(near(fn::TruncatedNormal::quantile(p), z, 1e-6));
  }
  Rng rng(2);
  const Moments m = moments(truncated_normal(rng, {kMany}, 1, 0.5, 0, 2));
  CHECK(near(m.mean, 1, 0.003));
  CHECK(near(m.variance, 0.25 * 0.773741, 0.002));  // 1 - 4 phi(2) / (2 Phi(2) - 1)
  CHECK(m.low >= 0);
  CHECK(m.high <= 2);
  CHECK(m.low < 0.001);
  CHECK(m.high > 1.999);
}

TEST_CASE("bernoulli, permutation") {
  Rng rng(7);
  CHECK(near(moments(bernoulli<float>(rng, {kMany}, 0.3)).mean, 0.3, 0.0025));
  CHECK(moments(bernoulli<float>(rng, {1000}, 1)).low == 1);
  CHECK(moments(bernoulli<float>(rng, {1000}, 0)).high == 0);
  auto p = permutation(rng, 100).to_vector();
  CHECK_FALSE(std::is_sorted(p.begin(), p.end()));
  std::sort(p.begin(), p.end());
  for (Index i = 0; i < 100; ++i) CHECK(p[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("the numbers do not depend on the number of threads") {
  const int before = num_threads();
  const auto all = [] {
    Rng rng(11);
    std::vector<std::vector<float>> v;
    v.push_back(uniform(rng, {100003}).to_vector());
    v.push_back(normal(rng, {100003}).to_vector());
    v.push_back(truncated_normal(rng, {100003}, 0, 1, -2, 2).to_vector());
    v.push_back(dropout(Tensor<>::ones({100003}), 0.5, rng).to_vector());
    return v;
  };
  set_num_threads(1);
  const auto one = all();
  set_num_threads(3);
  CHECK(all() == one);
  set_num_threads(before);
}

TEST_CASE("dropout: rate, scale, evaluation mode, and the same mask in backward") {
  Rng rng(5);
  const auto x = Tensor<>::ones({kMany});
  x.requires_grad_();
  const auto y = dropout(x, 0.2, rng);
  const Moments m = moments(y);
  CHECK(near(m.mean, 1, 0.003));
  CHECK(m.low == 0);
  CHECK(m.high == 1.25f);
  backward(y, Tensor<>::ones({kMany}));
  CHECK(x.grad().to_vector() == y.to_vector());
  CHECK(dropout(x, 0.2, rng, false).same_view(x));
  CHECK(drop_path(x, 0.2, rng, false).same_view(x));
}

TEST_CASE("impossible parameters are errors") {
  Rng rng(1);
  CHECK_THROWS_AS(uniform(rng, {2}, 1, 0), Error);
  CHECK_THROWS_AS(normal(rng, {2}, 0, -1), Error);
  CHECK_THROWS_AS(truncated_normal(rng, {2}, 0, 1, 50, 60), Error);
  CHECK_THROWS_AS(bernoulli(rng, {2}, 1.5), Error);
  CHECK_THROWS_AS(dropout(Tensor<>::ones({2}), 1, rng), Error);
  CHECK_THROWS_AS(permutation(rng, -1), Error);
}
