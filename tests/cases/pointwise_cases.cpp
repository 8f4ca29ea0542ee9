#include "table.hpp"
#include "tmor/ops/elementwise.hpp"

using namespace table;

TEST_CASE("op table: arithmetic") {
  row<2>(
      "add", binary_shapes(), [](auto a, auto b) { return a + b; },
      [](const Arrays& in) { return map(in, [](double a, double b) { return a + b; }); });
  row<2>(
      "sub", binary_shapes(), [](auto a, auto b) { return a - b; },
      [](const Arrays& in) { return map(in, [](double a, double b) { return a - b; }); });
  row<2>(
      "mul", binary_shapes(), [](auto a, auto b) { return a * b; },
      [](const Arrays& in) { return map(in, [](double a, double b) { return a * b; }); });
  row<2>(
      "div", binary_shapes(), [](auto a, auto b) { return a / b; },
      [](const Arrays& in) { return map(in, [](double a, double b) { return a / b; }); },
      {.ranges = {{-2, 2}, {0.5, 2}}});
}

TEST_CASE("op table: powers and selections") {
  row<2>(
      "pow", binary_shapes(), [](auto a, auto b) { return pow(a, b); },
      [](const Arrays& in) { return map(in, [](double a, double b) { return std::pow(a, b); }); },
      {.ranges = {{0.2, 3}, {-2, 2}}});
  row<2>(
      "maximum", binary_shapes(), [](auto a, auto b) { return maximum(a, b); },
      [](const Arrays& in) { return map(in, [](double a, double b) { return std::fmax(a, b); }); });
  row<2>(
      "minimum", binary_shapes(), [](auto a, auto b) { return minimum(a, b); },
      [](const Arrays& in) { return map(in, [](double a, double b) { return std::fmin(a, b); }); });
  row<3>(
      "where", {{{0}, {0}, {0}}, {{}, {}, {}}, {{3, 37}, {37}, {3, 1}}, {{2, 3, 5}, {2, 3, 5}, {2, 3, 5}}},
      [](auto c, auto a, auto b) { return where(greater(c, decltype(c)::scalar(0)), a, b); },
      [](const Arrays& in) { return map(in, [](double c, double a, double b) { return c > 0 ? a : b; }); });
}

TEST_CASE("op table: with a constant") {
  row<1>(
      "add_scalar", unary_shapes(), [](auto x) { return 0.5 + (x + 1.25); },
      [](const Arrays& in) { return map(in, [](double x) { return x + 1.75; }); });
  row<1>(
      "mul_scalar", unary_shapes(), [](auto x) { return 0.5 * (x * 3) / 4; },
      [](const Arrays& in) { return map(in, [](double x) { return x * 0.375; }); });
  row<1>(
      "scalar_minus", unary_shapes(), [](auto x) { return 1 - x; },
      [](const Arrays& in) { return map(in, [](double x) { return 1 - x; }); });
  row<1>(
      "scalar_over", unary_shapes(), [](auto x) { return 2 / x; },
      [](const Arrays& in) { return map(in, [](double x) { return 2 / x; }); }, {.low = 0.5});
  row<1>(
      "pow_scalar", unary_shapes(), [](auto x) { return pow(x, 2.5); },
      [](const Arrays& in) { return map(in, [](double x) { return std::pow(x, 2.5); }); }, {.low = 0.2});
  row<1>(
      "clamp", unary_shapes(), [](auto x) { return clamp(x, -0.7, 0.9); },
      [](const Arrays& in) { return map(in, [](double x) { return std::fmin(std::fmax(x, -0.7), 0.9); }); });
  row<1>(
      "leaky_relu", unary_shapes(), [](auto x) { return leaky_relu(x, 0.1); },
      [](const Arrays& in) { return map(in, [](double x) { return x > 0 ? x : 0.1 * x; }); });
  row<1>(
      "to", unary_shapes(), [](auto x) { return to<float>(x); }, [](const Arrays& in) { return in[0]; },
      {.tol64 = 1e-7, .grad = false});
}

TEST_CASE("op table: comparisons") {
  // Few distinct values, so that equality happens.
  auto coarse = [](auto x) { return to<typename decltype(x)::value_type>(to<tmor::Index>(x)); };
  auto row_of = [&](const char* name, auto op, auto reference) {
    row<2>(
        name, binary_shapes(), [&](auto a, auto b) { return op(coarse(a), coarse(b)); },
        [&](const Arrays& in) {
          return map(in,
                     [&](double a, double b) { return reference(std::trunc(a), std::trunc(b)) ? 1.0 : 0.0; });
        },
        {.grad = false});
  };
  row_of(
      "equal", [](auto a, auto b) { return equal(a, b); }, [](double a, double b) { return a == b; });
  row_of(
      "not_equal", [](auto a, auto b) { return not_equal(a, b); }, [](double a, double b) { return a != b; });
  row_of(
      "less", [](auto a, auto b) { return less(a, b); }, [](double a, double b) { return a < b; });
  row_of(
      "less_equal", [](auto a, auto b) { return less_equal(a, b); },
      [](double a, double b) { return a <= b; });
  row_of(
      "greater", [](auto a, auto b) { return greater(a, b); }, [](double a, double b) { return a > b; });
  row_of(
      "greater_equal", [](auto a, auto b) { return greater_equal(a, b); },
      [](double a, double b) { return a >= b; });
  row<1>(
      "logical_not", unary_shapes(), [](auto x) { return logical_not(greater(x, decltype(x)::scalar(0))); },
      [](const Arrays& in) { return map(in, [](double x) { return x > 0 ? 0.0 : 1.0; }); }, {.grad = false});
}
