#pragma once
/// @file dual.hpp
/// `Dual<V, N>`: a value with its derivatives by N variables (forward-mode differentiation). A functor
/// written over `V` gives its value and gradient when evaluated on duals:
///
///     using D = Dual<float, 2>;
///     D z = f(D::variable(x, 0), D::variable(y, 1));  // z.v = f(x, y), z.d[0] = df/dx, z.d[1] = df/dy
///
/// Comparisons compare values, so `select` takes value and derivatives of one branch. Conventions: abs'(0) =
/// 0, min and max differentiate the argument they return (the first on ties), rounding has derivative 0.

#include "tmor/core/math.hpp"

TMOR_BEGIN

template <class V, int N> struct Dual {
  using value_type = V;
  V v;
  V d[N];

  Dual() = default;
  /// A constant.
  TMOR_HD TMOR_ALWAYS_INLINE Dual(V value) : v(value) {  // NOLINT: constants mix with duals
    for (int i = 0; i < N; ++i) d[i] = V(0);
  }
  template <class U>
  requires(std::is_arithmetic_v<U> && !std::is_same_v<U, V>) TMOR_HD TMOR_ALWAYS_INLINE
      explicit(!std::is_same_v<U, lane_t<V>>) Dual(U value)
      : Dual(V(static_cast<lane_t<V>>(value))) {}
  /// The `i`-th variable, at `value`.
  static TMOR_HD TMOR_ALWAYS_INLINE Dual variable(V value, int i) {
    Dual r(value);
    r.d[i] = V(1);
    return r;
  }

  /// A function of `x` with this value and this derivative at `x.v`.
  static TMOR_HD TMOR_ALWAYS_INLINE Dual chain(V value, V derivative, const Dual& x) {
    Dual r;
    r.v = value;
    for (int i = 0; i < N; ++i) r.d[i] = derivative * x.d[i];
    return r;
  }
  /// A function of `a` and `b` with this value and these partial derivatives.
  static TMOR_HD TMOR_ALWAYS_INLINE Dual chain(V value, V by_a, const Dual& a, V by_b, const Dual& b) {
    Dual r;
    r.v = value;
    for (int i = 0; i < N; ++i) r.d[i] = math::fma(by_a, a.d[i], by_b * b.d[i]);
    return r;
  }

  friend TMOR_HD TMOR_ALWAYS_INLINE Dual operator+(const Dual& a, const Dual& b) {
    Dual r;
    r.v = a.v + b.v;
    for (int i = 0; i < N; ++i) r.d[i] = a.d[i] + b.d[i];
    return r;
  }
  friend TMOR_HD TMOR_ALWAYS_INLINE Dual operator-(const Dual& a, const Dual& b) {
    Dual r;
    r.v = a.v - b.v;
    for (int i = 0; i < N; ++i) r.d[i] = a.d[i] - b.d[i];
    return r;
  }
  friend TMOR_HD TMOR_ALWAYS_INLINE Dual operator*(const Dual& a, const Dual& b) {
    return chain(a.v * b.v, b.v, a, a.v, b);
  }
  friend TMOR_HD TMOR_ALWAYS_INLINE Dual operator/(const Dual& a, const Dual& b) {
    const V inverse = V(1) / b.v, q = a.v / b.v;
    return chain(q, inverse, a, -q * inverse, b);
  }
  friend TMOR_HD TMOR_ALWAYS_INLINE Dual operator-(const Dual& a) {
    Dual r;
    r.v = -a.v;
    for (int i = 0; i < N; ++i) r.d[i] = -a.d[i];
    return r;
  }
  friend TMOR_HD TMOR_ALWAYS_INLINE Dual operator+(const Dual& a) { return a; }
  TMOR_HD TMOR_ALWAYS_INLINE Dual& operator+=(const Dual& b) { return *this = *this + b; }
  TMOR_HD TMOR_ALWAYS_INLINE Dual& operator-=(const Dual& b) { return *this = *this - b; }
  TMOR_HD TMOR_ALWAYS_INLINE Dual& operator*=(const Dual& b) { return *this = *this * b; }
  TMOR_HD TMOR_ALWAYS_INLINE Dual& operator/=(const Dual& b) { return *this = *this / b; }

  friend TMOR_HD TMOR_ALWAYS_INLINE auto operator==(const Dual& a, const Dual& b) { return a.v == b.v; }
  friend TMOR_HD TMOR_ALWAYS_INLINE auto operator!=(const Dual& a, const Dual& b) { return a.v != b.v; }
  friend TMOR_HD TMOR_ALWAYS_INLINE auto operator<(const Dual& a, const Dual& b) { return a.v < b.v; }
  friend TMOR_HD TMOR_ALWAYS_INLINE auto operator<=(const Dual& a, const Dual& b) { return a.v <= b.v; }
  friend TMOR_HD TMOR_ALWAYS_INLINE auto operator>(const Dual& a, const Dual& b) { return a.v > b.v; }
  friend TMOR_HD TMOR_ALWAYS_INLINE auto operator>=(const Dual& a, const Dual& b) { return a.v >= b.v; }

  /// Lane by lane `mask ? a : b`, derivatives included.
  template <class M> friend TMOR_HD TMOR_ALWAYS_INLINE Dual select(M mask, const Dual& a, const Dual& b) {
    Dual r;
    r.v = select(mask, a.v, b.v);
    for (int i = 0; i < N; ++i) r.d[i] = select(mask, a.d[i], b.d[i]);
    return r;
  }
};

namespace math {

template <class V, int N>
TMOR_HD TMOR_ALWAYS_INLINE Dual<V, N> fma(Dual<V, N> a, Dual<V, N> b, Dual<V, N> c) {
  return a * b + c;
}

// f(x), with f' in terms of the argument `x` and the value `y`.
#define TMOR_DUAL(name, derivative)                                                      \
  template <class V, int N> TMOR_HD TMOR_ALWAYS_INLINE Dual<V, N> name(Dual<V, N> arg) { \
    const V x = arg.v;                                                                   \
    [[maybe_unused]] const V y = math::name(x);                                          \
    return Dual<V, N>::chain(y, derivative, arg);                                        \
  }
TMOR_DUAL(abs, select(x > V(0), V(1), select(x < V(0), V(-1), V(0))))
TMOR_DUAL(trunc, V(0))
TMOR_DUAL(floor, V(0))
TMOR_DUAL(ceil, V(0))
TMOR_DUAL(round, V(0))
TMOR_DUAL(sqrt, V(0.5) / y)
TMOR_DUAL(rsqrt, V(-0.5) * y / x)
TMOR_DUAL(exp, y)
TMOR_DUAL(exp2, y* V(0.693147180559945309))
TMOR_DUAL(expm1, math::exp(x))
TMOR_DUAL(tanh, (V(1) - y) * (V(1) + y))
TMOR_DUAL(sigmoid, y*(V(1) - y))
TMOR_DUAL(log, V(1) / x)
TMOR_DUAL(log1p, V(1) / (V(1) + x))
TMOR_DUAL(softplus, math::sigmoid(x))
TMOR_DUAL(log_sigmoid, math::sigmoid(-x))
TMOR_DUAL(erf, V(1.12837916709551257) * math::exp(-x * x))
TMOR_DUAL(erfc, V(-1.12837916709551257) * math::exp(-x * x))
TMOR_DUAL(sin, math::cos(x))
TMOR_DUAL(cos, -math::sin(x))
#undef TMOR_DUAL

/// By x: y x^(y-1), 0 where y is; by y: x^y log x, 0 where x is 0 (as limits from inside).
template <class V, int N> TMOR_HD TMOR_ALWAYS_INLINE Dual<V, N> pow(Dual<V, N> x, Dual<V, N> y) {
  const V p = math::pow(x.v, y.v);
  const V by_x = select(y.v == V(0), V(0), y.v * math::pow(x.v, y.v - V(1)));
  const V by_y = select(x.v == V(0), V(0), p * math::log(x.v));
  return Dual<V, N>::chain(p, by_x, x, by_y, y);
}
/// With a constant exponent, also for negative x.
template <class V, int N> TMOR_HD TMOR_ALWAYS_INLINE Dual<V, N> pow(Dual<V, N> x, V y) {
  return Dual<V, N>::chain(math::pow(x.v, y), select(y == V(0), V(0), y * math::pow(x.v, y - V(1))), x);
}

}  // namespace math

TMOR_END
