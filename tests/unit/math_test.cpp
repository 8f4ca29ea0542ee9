// Every function of core/math.hpp against the C library in long double, over its whole range: evenly spaced
// arguments, arguments of every exponent, and special values. Errors are in units in the last place of the
// result. The same source is also built with -ffast-math, where only finite values and normal results count.
#include "tmor/core/math.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tmor/core/error.hpp"

using namespace tmor;
using Long = long double;

namespace {

#ifdef __FAST_MATH__
constexpr bool kFast = true;
#else
constexpr bool kFast = false;
#endif

/// xorshift64*: the same arguments in every run.
struct Random {
  std::uint64_t s = 0x9e3779b97f4a7c15;
  double operator()() {  // in [0, 1)
    s ^= s >> 12, s ^= s << 25, s ^= s >> 27;
    return static_cast<double>((s * 0x2545f4914f6cdd1d) >> 11) * 0x1p-53;
  }
  double operator()(double a, double b) { return a + (b - a) * (*this)(); }
};

template <class T> bool is_nan(T x) {
  const auto magnitude = detail::to_bits(x) & detail::Format<T>::magnitude_mask;
  return magnitude > detail::to_bits(static_cast<T>(__builtin_inf()));
}
template <class T> bool is_inf(T x) {
  const auto magnitude = detail::to_bits(x) & detail::Format<T>::magnitude_mask;
  return magnitude == detail::to_bits(static_cast<T>(__builtin_inf()));
}

/// |got - want| in units in the last place of `want`, an overflow counted as the next number.
template <class T> double ulps(T got, Long want) {
  using L = std::numeric_limits<T>;
  const Long past = 2 * std::ldexp(Long(1), L::max_exponent - 1);
  want = std::clamp(want, -past, past);
  const Long g = is_inf(got) ? (got > 0 ? past : -past) : static_cast<Long>(got);
  const int exponent = want == 0 ? L::min_exponent : std::max(std::ilogb(want) + 1, L::min_exponent);
  const Long unit = std::ldexp(Long(1), std::min(exponent, L::max_exponent) - L::digits);
  if (kFast && std::abs(want) < L::min() && std::abs(g) <= L::min()) return 0;  // subnormals may be flushed
  return is_nan(got) ? 1e30 : static_cast<double>(std::abs(g - want) / unit);
}

/// `n` arguments spread evenly over [lo, hi], and as many spread evenly over the exponents there, 0 included.
template <class T> std::vector<T> arguments(double lo, double hi, int n) {
  std::vector<T> x;
  Random random;
  const T low = static_cast<T>(lo), high = static_cast<T>(hi);
  auto put = [&](T v) {
    // Under -ffast-math numbers that are subnormal on the way may count as 0; seen in the bits, as == does so
    // too.
    const auto magnitude = detail::to_bits(v) & detail::Format<T>::magnitude_mask;
    if (kFast && magnitude != 0 && magnitude < detail::to_bits(8 * std::numeric_limits<T>::min())) return;
    if (v >= low && v <= high) x.push_back(v);
  };
  for (int i = 0; i < n; ++i) put(static_cast<T>(random(lo, hi)));
  const double top =
      static_cast<double>(detail::to_bits(static_cast<T>(std::max(std::abs(lo), std::abs(hi)))));
  for (int i = 0; i < n; ++i) {
    const T v = detail::from_bits<T>(static_cast<int_t<T>>(random(0, top)));
    put(v);
    put(-v);
  }
  for (double v : {0.0, 1.0, -1.0, 0.5, lo, hi}) put(static_cast<T>(v));
  while (x.size() % kLanes<float> != 0) x.push_back(x.front());
  return x;
}

/// What is under test: `f` of n arguments, on packs and on scalars.
template <class T> using Evaluate = void (*)(const T* x, T* packed, T* scalar, std::size_t n);
template <class T, class F> void evaluate(const T* x, T* packed, T* scalar, std::size_t n) {
  for (std::size_t i = 0; i < n; i += Pack<T>::size) F{}(Pack<T>::load(x + i)).store(packed + i);
  for (std::size_t i = 0; i < n; ++i) scalar[i] = F{}(x[i]);
}
using Reference = Long (*)(Long);

/// Checks `f` over [lo, hi]; the bound is in units in the last place.
template <class T>
void check_range(const std::string& name, Evaluate<T> f, Reference reference, double lo, double hi,
                 double bound) {
  double worst = 0, worst_at = 0;
  const std::vector<T> x = arguments<T>(lo, hi, 60000);
  std::vector<T> packed(x.size()), scalar(x.size());
  f(x.data(), packed.data(), scalar.data(), x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Long want = reference(static_cast<Long>(x[i]));
    const double e = std::max(ulps(packed[i], want), ulps(scalar[i], want));
    if (e > worst) worst = e, worst_at = static_cast<double>(x[i]);
  }
  MESSAGE(name << (sizeof(T) == 4 ? " float: " : " double: ") << worst << " ulp at " << worst_at);
  CHECK_MESSAGE(worst <= bound, name << " at " << worst_at);
}
template <class T, class F>
void check(const std::string& name, F, Reference reference, double lo, double hi, double bound) {
  check_range<T>(name, evaluate<T, F>, reference, lo, hi, bound);
}

/// The same function of a scalar and of a pack.
#define TMOR_F(name) [](auto x) { return math::name(x); }
#define TMOR_R(expression) [](Long x) -> Long { return expression; }

/// `f` called as a function: under -ffast-math the compiler would put the processor's own, less exact ones
/// here.
Long libm(Long (*f)(Long), Long x) {
  Long (*volatile hidden)(Long) = f;
  return hidden(x);
}

Long softplus_reference(Long x) { return (x > 0 ? x : 0) + libm(log1pl, libm(expl, -std::abs(x))); }

}  // namespace

TEST_CASE_TEMPLATE("math: accuracy over the whole range", T, float, double) {
  constexpr bool single = sizeof(T) == 4;
  const double max = static_cast<double>(std::numeric_limits<T>::max());
  auto pick = [](double f, double d) { return single ? f : d; };
  check<T>("exp", TMOR_F(exp), TMOR_R(libm(expl, x)), pick(-105, -750), pick(90, 711), 1.1);
  check<T>("exp far", TMOR_F(exp), TMOR_R(libm(expl, x)), -max, pick(88, 709), 1.1);
  check<T>("exp2", TMOR_F(exp2), TMOR_R(libm(exp2l, x)), pick(-152, -1078), pick(129, 1025), 1.1);
  check<T>("expm1", TMOR_F(expm1), TMOR_R(libm(expm1l, x)), -50, pick(88.8, 709.8), 2);
  check<T>("tanh", TMOR_F(tanh), TMOR_R(libm(tanhl, x)), -25, 25, 2.5);
  check<T>("tanh far", TMOR_F(tanh), TMOR_R(libm(tanhl, x)), -max, max, 2.5);
  check<T>("sigmoid", TMOR_F(sigmoid), TMOR_R(1 / (1 + libm(expl, -x))), pick(-105, -746), pick(105, 746),
           2.5);
  check<T>("log", TMOR_F(log), TMOR_R(libm(logl, x)),
           static_cast<double>(std::numeric_limits<T>::denorm_min()), 10, 1.1);
  check<T>("log far", TMOR_F(log), TMOR_R(libm(logl, x)), 0.1, max, 1.1);
  check<T>("log1p", TMOR_F(log1p), TMOR_R(libm(log1pl, x)), -0.999999, 10, 1.5);
  check<T>("log1p far", TMOR_F(log1p), TMOR_R(libm(log1pl, x)), -0.5, max, 1.5);
  check<T>("softplus", TMOR_F(softplus), softplus_reference, pick(-104, -745), 800, 2.5);
  check<T>("log_sigmoid", TMOR_F(log_sigmoid), TMOR_R(-softplus_reference(-x)), -800, pick(104, 745), 2.5);
  check<T>("erf", TMOR_F(erf), TMOR_R(libm(erfl, x)), -7, 7, 2);
  check<T>("erf far", TMOR_F(erf), TMOR_R(libm(erfl, x)), -max, max, 2);
  check<T>("erfc", TMOR_F(erfc), TMOR_R(libm(erfcl, x)), -7, pick(10.1, 27), 5);
  check<T>("erfc far", TMOR_F(erfc), TMOR_R(libm(erfcl, x)), -max, max, 5);
  check<T>("sin", TMOR_F(sin), TMOR_R(libm(sinl, x)), -20, 20, 2);
  check<T>("sin far", TMOR_F(sin), TMOR_R(libm(sinl, x)), -2e5, 2e5, 2.5);
  check<T>("cos", TMOR_F(cos), TMOR_R(libm(cosl, x)), -20, 20, 2);
  check<T>("cos far", TMOR_F(cos), TMOR_R(libm(cosl, x)), -2e5, 2e5, 2.5);
  check<T>("sqrt", TMOR_F(sqrt), TMOR_R(libm(sqrtl, x)), 0, max, 0.501);
  check<T>("rsqrt", TMOR_F(rsqrt), TMOR_R(1 / libm(sqrtl, x)),
           static_cast<double>(std::numeric_limits<T>::min()), max, 1.6);
}

TEST_CASE_TEMPLATE("math: pow over the whole range", T, float, double) {
  using V = Pack<T>;
  Random random;
  double worst = 0;
  T at_x = 0, at_y = 0;
  const double largest = sizeof(T) == 4 ? 151 : 1076;
  for (int i = 0; i < 120000; ++i) {
    // x of any exponent or near 1, y such that the result has any exponent, some beyond the range.
    const double exponent = i % 3 == 0 ? random(-largest, largest) : random(-1, 1) * std::pow(0.5, i % 50);
    const T x = static_cast<T>(std::exp2(exponent));
    T y = static_cast<T>(random(-1.05, 1.05) * largest / std::log2(static_cast<double>(x)));
    if (i % 5 == 0) y = std::round(y);
    if (!(x > 0) || is_inf(x) || is_inf(y) || is_nan(y)) continue;
    if (kFast && (x < std::numeric_limits<T>::min() || std::abs(y) < std::numeric_limits<T>::min())) continue;
    const Long want = std::pow(static_cast<Long>(x), static_cast<Long>(y));
    if (kFast && !(want < static_cast<Long>(std::numeric_limits<T>::max()))) continue;
    const double e = std::max(ulps(math::pow(V(x), V(y))[V::size - 1], want), ulps(math::pow(x, y), want));
    if (e > worst) worst = e, at_x = x, at_y = y;
  }
  MESSAGE("pow " << (sizeof(T) == 4 ? "float: " : "double: ") << worst << " ulp at "
                 << static_cast<double>(at_x) << ", " << static_cast<double>(at_y));
  CHECK(worst <= 2);
  for (int n = -3; n <= 10; ++n)
    for (T x : {T(-2), T(-0.5), T(3), T(1)})
      CHECK(math::pow(x, T(n)) == doctest::Approx(std::pow(x, T(n))).epsilon(1e-6));
}

#ifndef __FAST_MATH__

namespace {

template <class T> std::vector<T> special_values() {
  using L = std::numeric_limits<T>;
  std::vector<T> r;
  for (T v : {T(0), T(1), T(0.5), T(2), T(3), T(1e4), T(12345.678), T(1e30), L::infinity(), L::quiet_NaN(),
              L::max(), L::min(), L::denorm_min(), L::epsilon(), T(1) + L::epsilon()}) {
    r.push_back(v);
    r.push_back(-v);
  }
  return r;
}

/// Equal in class, and within `bound` where finite.
template <class T> bool agree(T got, Long want, double bound) {
  if (std::isnan(want) || is_nan(got)) return std::isnan(want) && is_nan(got);
  return ulps(got, want) <= bound;
}

template <class T>
void check_special_values(const std::string& name, Evaluate<T> f, Reference reference, double bound) {
  std::vector<T> x = special_values<T>();
  while (x.size() % Pack<T>::size != 0) x.push_back(T(0));
  std::vector<T> packed(x.size()), scalar(x.size());
  f(x.data(), packed.data(), scalar.data(), x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Long want = reference(static_cast<Long>(x[i]));
    CHECK_MESSAGE(agree(scalar[i], want, bound), name << "(" << x[i] << ") = " << scalar[i]);
    CHECK_MESSAGE(agree(packed[i], want, bound), name << "(" << x[i] << ") = " << packed[i] << " in a pack");
  }
}
template <class T, class F>
void check_specials(const std::string& name, F, Reference reference, double bound) {
  check_special_values<T>(name, evaluate<T, F>, reference, bound);
}

}  // namespace

TEST_CASE_TEMPLATE("math: zeros, infinities, NaN, subnormals and the largest numbers", T, float, double) {
  check_specials<T>("exp", TMOR_F(exp), TMOR_R(libm(expl, x)), 1.1);
  check_specials<T>("exp2", TMOR_F(exp2), TMOR_R(libm(exp2l, x)), 1.1);
  check_specials<T>("expm1", TMOR_F(expm1), TMOR_R(libm(expm1l, x)), 2);
  check_specials<T>("tanh", TMOR_F(tanh), TMOR_R(libm(tanhl, x)), 2.5);
  check_specials<T>("sigmoid", TMOR_F(sigmoid), TMOR_R(1 / (1 + libm(expl, -x))), 2.5);
  check_specials<T>("log", TMOR_F(log), TMOR_R(libm(logl, x)), 1.1);
  check_specials<T>("log1p", TMOR_F(log1p), TMOR_R(libm(log1pl, x)), 1.5);
  check_specials<T>("softplus", TMOR_F(softplus), softplus_reference, 2.5);
  check_specials<T>("log_sigmoid", TMOR_F(log_sigmoid), TMOR_R(-softplus_reference(-x)), 2.5);
  check_specials<T>("erf", TMOR_F(erf), TMOR_R(libm(erfl, x)), 2);
  check_specials<T>("erfc", TMOR_F(erfc), TMOR_R(libm(erfcl, x)), 5);
  check_specials<T>("sin", TMOR_F(sin), TMOR_R(libm(sinl, x)), 2);
  check_specials<T>("cos", TMOR_F(cos), TMOR_R(libm(cosl, x)), 2);
  check_specials<T>("sqrt", TMOR_F(sqrt), TMOR_R(libm(sqrtl, x)), 0.501);
  for (T x : special_values<T>())
    for (T y : special_values<T>()) {
      const Long want = std::pow(static_cast<Long>(x), static_cast<Long>(y));
      const T got = math::pow(x, y), packed = math::pow(Pack<T>(x), Pack<T>(y))[0];
      CHECK_MESSAGE(agree(got, want, 2), "pow(" << x << ", " << y << ") = " << got);
      CHECK_MESSAGE(agree(packed, want, 2), "pow(" << x << ", " << y << ") = " << packed << " in a pack");
    }
}

TEST_CASE_TEMPLATE("math: min and max pass a NaN on from their first argument", T, float, double) {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  CHECK(is_nan(math::max(nan, T(0))));
  CHECK(is_nan(math::min(Pack<T>(nan), Pack<T>(0))[0]));
  CHECK(math::max(T(0), nan) == T(0));
  CHECK(is_nan(math::round(nan)));
  CHECK(math::floor(-std::numeric_limits<T>::infinity()) == -std::numeric_limits<T>::infinity());
}

#endif
