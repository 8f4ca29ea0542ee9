// Derivatives by dual numbers against central differences of the C library in long double, and the
// conventions at kinks.
#include "tmor/core/dual.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tmor/core/error.hpp"

using namespace tmor;
using Long = long double;

namespace {

using Reference = Long (*)(Long);

/// Fourth-order central difference; its error is far below 1e-12 for the functions here.
Long slope(Reference f, Long x) {
  const Long h = 1e-3L * std::max(Long(1e-2), std::abs(x));
  return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h);
}

template <class F> void check(const std::string& name, F f, Reference reference, std::vector<double> points) {
  using D = Dual<double, 1>;
  using P = Dual<Pack<float>, 2>;
  for (double x : points) {
    const double want = static_cast<double>(slope(reference, x));
    const double scale = 1 + std::abs(want);
    const D r = f(D::variable(x, 0));
    CHECK_MESSAGE(std::abs(r.v - static_cast<double>(reference(x))) <= 1e-13 * (1 + std::abs(r.v)),
                  name << " " << x);
    CHECK_MESSAGE(std::abs(r.d[0] - want) <= 1e-9 * scale, name << "' " << x << " = " << r.d[0]);
    const P p = f(P::variable(Pack<float>(x), 1));
    CHECK_MESSAGE(std::abs(static_cast<double>(p.d[1][0]) - want) <= 4e-6 * scale,
                  name << "' in a pack " << x);
    CHECK(p.d[0][0] == 0.0f);
  }
}

#define TMOR_F(expression) [](auto x) { return expression; }
#define TMOR_R(expression) [](Long x) -> Long { return expression; }

const std::vector<double> kReal = {-6.5, -2, -0.9, -0.25, 0.125, 0.5, 1, 1.75, 4, 7.5};
const std::vector<double> kPositive = {0.01, 0.125, 0.5, 1, 1.75, 4, 100};

}  // namespace

TEST_CASE("dual numbers: arithmetic") {
  using D = Dual<double, 2>;
  const D x = D::variable(3, 0), y = D::variable(-2, 1);
  auto is = [](const D& r, double v, double dx, double dy) {
    CHECK(r.v == doctest::Approx(v));
    CHECK(r.d[0] == doctest::Approx(dx));
    CHECK(r.d[1] == doctest::Approx(dy));
  };
  is(x + y, 1, 1, 1);
  is(x - y, 5, 1, -1);
  is(x * y, -6, -2, 3);
  is(x / y, -1.5, -0.5, -0.75);
  is(-x, -3, -1, 0);
  is(x * 2.0 + D(1), 7, 2, 0);
  is(math::fma(x, y, x), -3, -1, 3);
  is(select(x > y, x * y, y), -6, -2, 3);
  is(math::min(x, y), -2, 0, 1);
  is(math::max(x, y), 3, 1, 0);
  is(math::max(x, x * D(1) + D(0)), 3, 1, 0);
  D z = x;
  z += y;
  z *= y;
  z -= D(1);
  z /= x;
  is(z, -1, 0 + (-2.0 * 3 - (-3)) / 9, (1 + 2 * -2.0 + 2) / 3);
  CHECK((x != y));
  CHECK((x >= y));
  CHECK_FALSE((x == y));
}

TEST_CASE("dual numbers: derivatives of the elementary functions") {
  check("exp", TMOR_F(math::exp(x)), TMOR_R(std::exp(x)), kReal);
  check("exp2", TMOR_F(math::exp2(x)), TMOR_R(std::exp2(x)), kReal);
  check("expm1", TMOR_F(math::expm1(x)), TMOR_R(std::expm1(x)), kReal);
  check("tanh", TMOR_F(math::tanh(x)), TMOR_R(std::tanh(x)), kReal);
  check("sigmoid", TMOR_F(math::sigmoid(x)), TMOR_R(1 / (1 + std::exp(-x))), kReal);
  check("log", TMOR_F(math::log(x)), TMOR_R(std::log(x)), kPositive);
  check("log1p", TMOR_F(math::log1p(x)), TMOR_R(std::log1p(x)), kPositive);
  check("softplus", TMOR_F(math::softplus(x)), TMOR_R(std::log1p(std::exp(x))), kReal);
  check("log_sigmoid", TMOR_F(math::log_sigmoid(x)), TMOR_R(-std::log1p(std::exp(-x))), kReal);
  check("sqrt", TMOR_F(math::sqrt(x)), TMOR_R(std::sqrt(x)), kPositive);
  check("rsqrt", TMOR_F(math::rsqrt(x)), TMOR_R(1 / std::sqrt(x)), {0.125, 0.5, 1, 4, 100});
  check("erf", TMOR_F(math::erf(x)), TMOR_R(std::erf(x)), kReal);
  check("erfc", TMOR_F(math::erfc(x)), TMOR_R(std::erfc(x)), kReal);
  check("sin", TMOR_F(math::sin(x)), TMOR_R(std::sin(x)), kReal);
  check("cos", TMOR_F(math::cos(x)), TMOR_R(std::cos(x)), kReal);
  check("abs", TMOR_F(math::abs(x)), TMOR_R(std::abs(x)), kReal);
  check("floor", TMOR_F(math::floor(x) * x), TMOR_R(std::floor(x) * x), {-2.5, 0.5, 3.5});
  check("round", TMOR_F(math::round(x) * x), TMOR_R(std::round(x) * x), {-2.25, 0.25, 3.75});
  check("pow, constant exponent", TMOR_F(math::pow(x, decltype(x)(2.5))), TMOR_R(std::pow(x, 2.5L)),
        {0.125, 0.5, 1, 4, 10});
  check("pow, constant base", TMOR_F(math::pow(decltype(x)(1.5), x)), TMOR_R(std::pow(1.5L, x)), kReal);
  check("pow of itself", TMOR_F(math::pow(x, x)), TMOR_R(std::pow(x, x)), {0.125, 0.5, 1, 4});
  check("pow, negative base", TMOR_F(math::pow(x, decltype(x.v)(3))), TMOR_R(x * x * x), kReal);
  check("a composition", TMOR_F(x * math::sigmoid(x) + math::tanh(x * x) / (decltype(x)(2) + math::cos(x))),
        TMOR_R(x / (1 + std::exp(-x)) + std::tanh(x * x) / (2 + std::cos(x))), kReal);
}

TEST_CASE("dual numbers: conventions at kinks") {
  using D = Dual<float, 1>;
  const D zero = D::variable(0.0f, 0), minus = D::variable(-1.0f, 0);
  CHECK(math::abs(zero).d[0] == 0.0f);
  CHECK(math::abs(minus).d[0] == -1.0f);
  CHECK(select(zero > D(0), zero, D(0)).d[0] == 0.0f);  // relu
  CHECK(math::max(zero, D(0)).d[0] == 1.0f);            // the first of two equal ones
  CHECK(math::max(D(0), zero).d[0] == 0.0f);
  CHECK(math::pow(zero, D(2)).d[0] == 0.0f);
  CHECK(math::pow(zero, D(1)).d[0] == 1.0f);
  CHECK(math::pow(zero, D(0)).d[0] == 0.0f);
  CHECK(math::pow(D(0), D::variable(2.0f, 0)).d[0] == 0.0f);
  CHECK(math::pow(minus, D(2)).d[0] != 0.0f);
  // A branch that is not taken leaves no trace, whatever its derivative.
  CHECK(select(zero > D(0), math::log(zero), zero * D(3)).d[0] == 3.0f);
}
