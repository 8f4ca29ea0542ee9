#include "reduce_table.hpp"
#include "tmor/ops/reduce.hpp"

using namespace table;

TEST_CASE("op table: sums") {
  for (const Reduction& r : reductions()) {
    row<1>(
        r.name, r.shapes, [&](auto x) { return sum(x, r.dims); },
        [&](const Arrays& in) { return reduced(in[0], r.dims, false, sum_of); }, {.tol = 1e-5});
  }
  row<1>(
      "sum, kept dimensions", {{{2, 3, 5}}, {{1, 0, 2}}},
      [](auto x) {
        return sum(x, {0, -1}, true);
      },
      [](const Arrays& in) {
        return reduced(in[0], {0, 2}, true, sum_of);
      },
      {.tol = 1e-5});
  row<1>(
      "sum of all", unary_shapes(), [](auto x) { return sum(x); },
      [](const Arrays& in) { return reduced(in[0], {}, false, sum_of); }, {.tol = 1e-5});
}

TEST_CASE("op table: mean, norm") {
  row<1>(
      "mean", {{{2, 3, 5}}, {{1, 1, 1}}, {{3, 2, 37}}, {{2, 130, 3}}},
      [](auto x) {
        return mean(x, {0, -1});
      },
      [](const Arrays& in) {
        return reduced(in[0], {0, 2}, false, [](const std::vector<double>& v) {
          return sum_of(v) / static_cast<double>(v.size());
        });
      });
  row<1>(
      "norm", {{{2, 3, 5}}, {{1, 1, 1}}, {{3, 2, 37}}, {{2, 0, 3}}}, [](auto x) { return norm(x, 2, true); },
      [](const Arrays& in) {
        return reduced(in[0], {2}, true, [](std::vector<double> v) {
          for (double& x : v) x *= x;
          return std::sqrt(sum_of(v));
        });
      });
  row<1>(
      "logsumexp", {{{2, 3, 5}}, {{1, 1, 1}}, {{3, 2, 37}}, {{2, 0, 3}}},
      [](auto x) {
        return logsumexp(x * 30, {1, 2});
      },
      [](const Arrays& in) {
        return reduced(in[0], {1, 2}, false, [](const std::vector<double>& v) {
          double s = 0;
          for (double x : v) s += std::exp(30 * x);
          return std::log(s);
        });
      },
      {.tol = 5e-6});
}
