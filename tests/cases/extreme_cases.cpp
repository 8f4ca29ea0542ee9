#include <algorithm>

#include "reduce_table.hpp"
#include "tmor/ops/reduce.hpp"

using namespace table;

namespace {
const ShapeSets kShapes = {{{2, 3, 5}}, {{1, 1, 1}}, {{3, 2, 37}}, {{0, 2, 3}}, {{2, 70, 20}}};
double variance(const std::vector<double>& v, double correction) {
  const double mean = sum_of(v) / static_cast<double>(v.size());
  double s = 0;
  for (double x : v) s += (x - mean) * (x - mean);
  return s / (static_cast<double>(v.size()) - correction);
}
}  // namespace

TEST_CASE("op table: max, min and their places") {
  auto largest = [](const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); };
  auto smallest = [](const std::vector<double>& v) { return *std::min_element(v.begin(), v.end()); };
  row<1>(
      "max", kShapes,
      [](auto x) {
        return max(x, {1, 2});
      },
      [&](const Arrays& in) {
        return reduced(in[0], {1, 2}, false, largest);
      });
  row<1>(
      "min", kShapes, [](auto x) { return min(x, 1, true); },
      [&](const Arrays& in) { return reduced(in[0], {1}, true, smallest); });
  row<1>(
      "argmax", kShapes,
      [](auto x) {
        return argmax(x, {1, -1});
      },
      [&](const Arrays& in) {
        return reduced(in[0], {1, 2}, false, [](const std::vector<double>& v) {
          return static_cast<double>(std::max_element(v.begin(), v.end()) - v.begin());
        });
      },
      {.grad = false});
  row<1>(
      "argmin", kShapes, [](auto x) { return argmin(x, 1); },
      [&](const Arrays& in) {
        return reduced(in[0], {1}, false, [](const std::vector<double>& v) {
          return static_cast<double>(std::min_element(v.begin(), v.end()) - v.begin());
        });
      },
      {.grad = false});
}

TEST_CASE("op table: variance") {
  const ShapeSets shapes = {{{2, 3, 5}}, {{1, 2, 1}}, {{3, 2, 37}}, {{2, 70, 20}}};
  row<1>(
      "var", shapes,
      [](auto x) {
        return var(x + 3, {0, 1});
      },
      [](const Arrays& in) {
        return reduced(in[0], {0, 1}, false, [](const auto& v) { return variance(v, 1); });
      },
      {.tol = 5e-6, .tol64 = 1e-12});
  row<1>(
      "stddev", shapes, [](auto x) { return stddev(x, 1, true, false); },
      [](const Arrays& in) {
        return reduced(in[0], {1}, true, [](const auto& v) { return std::sqrt(variance(v, 0)); });
      },
      {.tol = 5e-6});
}

TEST_CASE("op table: any, all, cumsum") {
  auto positive = [](auto x) { return greater(x, decltype(x)::scalar(0)); };
  row<1>(
      "any", kShapes, [&](auto x) { return any(positive(x), -1); },
      [](const Arrays& in) {
        return reduced(in[0], {2}, false, [](const std::vector<double>& v) {
          return std::any_of(v.begin(), v.end(), [](double x) { return x > 0; }) ? 1.0 : 0.0;
        });
      },
      {.grad = false});
  row<1>(
      "all", kShapes, [&](auto x) { return all(positive(x), 1, true); },
      [](const Arrays& in) {
        return reduced(in[0], {1}, true, [](const std::vector<double>& v) {
          return std::all_of(v.begin(), v.end(), [](double x) { return x > 0; }) ? 1.0 : 0.0;
        });
      },
      {.grad = false});
  row<1>(
      "cumsum", kShapes, [](auto x) { return cumsum(x, 1) - cumsum(x, 2, true); },
      [](const Arrays& in) {
        Array y(in[0].shape);
        const Shape& s = y.shape;
        for_each_index(s, [&](const Shape& at, Index i) {
          for (Index t = 0; t <= at[1]; ++t) y[i] += in[0].broadcast_at({at[0], t, at[2]});
          for (Index t = at[2]; t < s[2]; ++t) y[i] -= in[0].broadcast_at({at[0], at[1], t});
        });
        return y;
      },
      {.tol = 2e-5});
}
