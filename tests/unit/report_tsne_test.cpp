// Places in the plane for embeddings.
#include <doctest/doctest.h>

#include <limits>

#include "../support/files.hpp"
#include "tmor/report/tsne.hpp"

using namespace tmor;
using report::tsne;
using test::contains;
using test::message;

namespace {

/// `groups` clouds of `each` points in `d` dimensions, one after the other.
std::vector<float> clouds(Index groups, Index each, Index d, double spread) {
  Rng rng(3);
  std::vector<float> x;
  for (Index g = 0; g < groups; ++g) {
    std::vector<double> centre;
    for (Index k = 0; k < d; ++k) centre.push_back(rng.normal());
    for (Index i = 0; i < each; ++i)
      for (const double c : centre) x.push_back(static_cast<float>(c + spread * rng.normal()));
  }
  return x;
}

/// Fraction of points whose nearest neighbour in the plane is of their group.
double purity(const std::vector<float>& y, Index each) {
  const std::size_t n = y.size() / 2, size = static_cast<std::size_t>(each);
  std::size_t same = 0;
  for (std::size_t i = 0; i < n; ++i) {
    std::size_t best = i == 0;
    const auto far = [&](std::size_t j) {
      return std::hypot(y[2 * i] - y[2 * j], y[2 * i + 1] - y[2 * j + 1]);
    };
    for (std::size_t j = 0; j < n; ++j)
      if (j != i && far(j) < far(best)) best = j;
    same += best / size == i / size;
  }
  return static_cast<double>(same) / static_cast<double>(n);
}

}  // namespace

TEST_CASE("neighbourhoods have the entropy asked for") {
  std::vector<float> row{0, 1, 2, 3, 5, 8, 13, 21};
  report::detail::neighbourhood(row, 0, std::log(3.0));
  double sum = 0, entropy = 0;
  for (const float p : row) {
    sum += p;
    if (p > 0) entropy -= p * std::log(p);
  }
  CHECK(row[0] == 0);
  CHECK(sum == doctest::Approx(1).epsilon(1e-5));
  CHECK(std::exp(entropy) == doctest::Approx(3).epsilon(1e-3));
}

TEST_CASE("principal components are those of an ellipse") {
  Rng rng(1);
  std::vector<float> x;
  for (int i = 0; i < 200; ++i) {
    const double a = 5 * rng.normal(), b = rng.normal();
    x.push_back(static_cast<float>(3 + 0.6 * a - 0.8 * b));
    x.push_back(static_cast<float>(7 + 0.8 * a + 0.6 * b));
  }
  const auto c = report::detail::principal_components(x, 200, 2, Rng(0));
  double first = 0, second = 0, both = 0;
  for (std::size_t i = 0; i < 200; ++i) {
    first += c[2 * i] * c[2 * i] / 200;
    second += c[2 * i + 1] * c[2 * i + 1] / 200;
    both += c[2 * i] * c[2 * i + 1] / 200;
  }
  CHECK(std::sqrt(first) == doctest::Approx(5).epsilon(0.15));
  CHECK(std::sqrt(second) == doctest::Approx(1).epsilon(0.15));
  CHECK(std::abs(both) < 0.01);
}

TEST_CASE("clouds stay together, and the gradient is the one of the paper") {
  const Index each = 20;
  const auto x = clouds(5, each, 10, 0.3);
  const auto y = tsne(x, 5 * each, 10, {.perplexity = 10, .steps = 300});
  CHECK(purity(y, each) >= 0.98);

  // Attraction less repulsion against central differences of the Kullback-Leibler divergence.
  const std::size_t n = 6;
  const auto small = clouds(6, 1, 4, 0);
  const auto p = report::detail::joint_probabilities(small, 6, 4, 1.5);
  std::vector<float> at{0, 1, 2, -1, .5f, .5f, -2, 0, 1, 1, -1, -1};
  const auto divergence = [&](const std::vector<float>& where) {
    double total = 0, sum = 0;
    const auto q = [&](std::size_t i, std::size_t j) {
      const double dx = where[2 * i] - where[2 * j], dy = where[2 * i + 1] - where[2 * j + 1];
      return 1 / (1 + dx * dx + dy * dy);
    };
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        if (i != j) total += q(i, j);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        if (i != j && p[i * n + j] > 0) sum += p[i * n + j] * std::log(p[i * n + j] * total / q(i, j));
    return sum;
  };
  double total = 0;
  for (std::size_t i = 0; i < n; ++i)
    total += report::detail::forces_on(at, std::span(p).subspan(i * n, n), i).sum;
  for (std::size_t k = 0; k < 2 * n; ++k) {
    const auto f = report::detail::forces_on(at, std::span(p).subspan(k / 2 * n, n), k / 2);
    auto up = at, down = at;
    up[k] += 0.015625f, down[k] -= 0.015625f;
    const double difference = (divergence(up) - divergence(down)) / 0.03125;
    CHECK(4 * (f.attract[k % 2] - f.repel[k % 2] / total) ==
          doctest::Approx(difference).epsilon(2e-3).scale(0.05));
  }
}

TEST_CASE("same seed, same bits, with any number of threads") {
  const auto x = clouds(4, 30, 8, 0.5);
  const int before = num_threads();
  set_num_threads(1);
  const auto one = tsne(x, 120, 8, {.steps = 60});
  set_num_threads(3);
  CHECK(tsne(x, 120, 8, {.steps = 60}) == one);
  set_num_threads(before);
  CHECK(tsne(x, 120, 8, {.steps = 60, .seed = 1}) != one);
}

TEST_CASE("few points, equal points, points on a line") {
  CHECK(tsne({}, 0, 3).empty());
  CHECK(tsne(std::vector<float>{1, 2, 3}, 1, 3) == std::vector<float>{0, 0});
  for (const Index n : {2, 3, 4, 50}) {
    const std::vector<float> same(static_cast<std::size_t>(3 * n), 1.f);
    std::vector<float> line;
    for (Index i = 0; i < 3 * n; ++i) line.push_back(static_cast<float>(i / 3));
    for (const auto& x : {same, line}) {
      const auto y = tsne(x, n, 3, {.steps = 100});
      CHECK(std::all_of(y.begin(), y.end(), [](float v) { return is_finite(v); }));
      CHECK((y[0] != y[2] || y[1] != y[3]));
    }
  }
}

TEST_CASE("what cannot be placed is refused") {
  CHECK(contains(message<Error>([] { tsne(std::vector<float>(3000), 3000, 1); }), "1500"));
  CHECK_THROWS_AS(tsne(std::vector<float>(5), 2, 3), ShapeError);
  CHECK_THROWS_AS(tsne(std::vector<float>{1, std::numeric_limits<float>::infinity()}, 2, 1), Error);
  CHECK_THROWS_AS(tsne(std::vector<float>(4), 2, 2, {.perplexity = 0}), Error);
}

TEST_CASE("taking off the mean of each kind closes the gap between them") {
  const std::vector<float> x{9, 1, 9, -1, -9, 1, -9, -1, 0, 5};
  const std::vector<Index> kinds{0, 0, 1, 1, 7};
  const auto y = report::without_kind_means(x, 5, 2, kinds);
  for (const std::size_t i : {0u, 1u, 2u, 3u}) {
    CHECK(std::abs(y[2 * i]) < 1e-6f);
    CHECK(y[2 * i + 1] == doctest::Approx(x[2 * i + 1]));
  }
  CHECK(y[9] == 1);  // alone of its kind: nothing to take off
  CHECK_THROWS_AS(report::without_kind_means(x, 5, 2, std::vector<Index>{1}), ShapeError);
}
