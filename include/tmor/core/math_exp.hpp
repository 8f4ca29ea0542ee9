#pragma once
/// @file math_exp.hpp
/// exp and its family over `V` (float, double, a `Pack` of either).
///
/// Reduction (Cody and Waite, Software Manual for the Elementary Functions, 1980): x = n ln2 + r with |r| <=
/// ln2 / 2, ln2 in two parts of which the first times n is exact; e^r = 1 + r + r^2 P(r). All polynomials of
/// math*.hpp are minimax fits of our own, made by tests/golden/minimax.py. Rounding to n goes through
/// integers: adding and subtracting a large constant would not survive -ffast-math.

#include "tmor/core/math_basic.hpp"

TMOR_BEGIN

namespace detail {

template <class T> struct ExpConstants;
template <> struct ExpConstants<float> {
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  static constexpr float lowest = -104.0f, highest = 89.0f;  ///< beyond: 0 and infinity
  static constexpr float offset = 192.0f;  ///< makes every n positive, so that a cut rounds down
};
template <> struct ExpConstants<double> {
  static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
  static constexpr double lowest = -746.0, highest = 710.0;
  static constexpr double offset = 1100.0;
};

template <Real V> struct ExpReduced {
  int_t<V> n;
  V r;
};

/// x = n ln2 + r for `x` between `lowest` and `highest`.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE ExpReduced<V> exp_reduce(V x) {
  using K = ExpConstants<lane_t<V>>;
  const auto i = to_int(math::fma(x, V(1.44269504088896341), V(K::offset + lane_t<V>(0.5))));
  const V n = keep(to_real<V>(i) - V(K::offset));
  const V r = keep(math::fma(n, V(-K::ln2_high), x));
  return {i - int_t<V>(static_cast<int>(K::offset)), math::fma(n, V(-K::ln2_low), r)};
}

/// e^r - 1 for |r| <= ln2 / 2; error of e^r below 2^-28 (float), 2^-57 (double).
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V expm1_reduced(V r) {
  V p;
  if constexpr (std::is_same_v<lane_t<V>, float>) {
    p = horner(r, 0.0013814707, 0.00836878139, 0.0416683898, 0.166665201, 0.499999934);
  } else {
    p = horner(r, 2.50002205051690724e-8, 2.76303807178655513e-7, 2.75575865207399778e-6,
               2.48014927570774797e-5, 0.000198412695056930923, 0.00138888889439280448,
               0.00833333333349520136, 0.0416666666665291674, 0.166666666666664108, 0.500000000000001072);
  }
  return keep(math::fma(r * r, p, r));
}

/// 2^n for n in the range of normal exponents.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V pow2(int_t<V> n) {
  using F = Format<lane_t<V>>;
  return from_bits<V>((n + int_t<V>(F::exponent_bias)) << F::mantissa_bits);
}

/// x 2^n in two steps: n may be twice the range of normal exponents, results may be subnormal or infinite.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V scale_by_pow2(V x, int_t<V> n) {
  const auto half = n >> 1;
  return keep(x * pow2<V>(half)) * pow2<V>(n - half);
}

/// e^x for `x` between `lowest` and `highest`.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V exp_in_range(V x) {
  const auto [n, r] = exp_reduce(x);
  return scale_by_pow2(V(1) + expm1_reduced(r), n);
}

/// e^x - 1 for -40 <= x <= 40.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V expm1_in_range(V x) {
  const auto [n, r] = exp_reduce(x);
  const V s = pow2<V>(n);
  return math::fma(s, expm1_reduced(r), keep(s - V(1)));
}

/// `y`, but NaN where `x` is: for a `y` made of a clamped `x`. Nothing under -ffast-math.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V with_nan_of(V x, V y) { return select(x != x, x, y); }

}  // namespace detail

namespace math {

/// e^x; subnormal results included, infinity above 88.72 (float) or 709.78 (double).
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V exp(V x) {
  using K = detail::ExpConstants<lane_t<V>>;
  const V y = detail::exp_in_range(max(V(K::lowest), min(V(K::highest), x)));
  return detail::with_nan_of(x, y);
}

/// 2^x.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V exp2(V x) {
  using K = detail::ExpConstants<lane_t<V>>;
  constexpr bool single = std::is_same_v<lane_t<V>, float>;
  const V c = max(V(single ? -151 : -1076), min(V(single ? 129 : 1025), x));
  const auto i = detail::to_int(c + V(K::offset + lane_t<V>(0.5)));
  const V r = c - detail::keep(detail::to_real<V>(i) - V(K::offset));
  const V p = detail::expm1_reduced(r * V(0.693147180559945309));
  return detail::with_nan_of(x, detail::scale_by_pow2(V(1) + p, i - int_t<V>(static_cast<int>(K::offset))));
}

/// e^x - 1, accurate near 0.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V expm1(V x) {
  using K = detail::ExpConstants<lane_t<V>>;
  const V c = max(V(-40), min(V(K::highest), x));
  const auto [n, r] = detail::exp_reduce(c);
  const V p = detail::expm1_reduced(r);
  // 2^n is out of range for the largest n: work with half of it.
  const V half = detail::pow2<V>(n - int_t<V>(1));
  const V y = V(2) * fma(half, p, detail::keep(half - V(0.5)));
  // For a subnormal x the result is x itself; half of it would lose its last bit.
  return detail::with_nan_of(x, select(abs(x) < V(detail::Format<lane_t<V>>::smallest_normal), x, y));
}

/// Hyperbolic tangent, (e^2|x| - 1) / (e^2|x| + 1) with the sign of x.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V tanh(V x) {
  // From here on the result rounds to 1.
  const V a = min(V(std::is_same_v<lane_t<V>, float> ? 9.1 : 19.1), abs(x));
  const V e = detail::expm1_in_range(a + a);
  return detail::with_nan_of(x, copysign(detail::divide(e, e + V(2)), x));
}

/// 1 / (1 + e^-x); keeps its relative accuracy down to the smallest result.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V sigmoid(V x) {
  using K = detail::ExpConstants<lane_t<V>>;
  const V e = detail::exp_in_range(max(V(K::lowest), -abs(x)));
  return detail::with_nan_of(x, detail::divide(select(x < V(0), e, V(1)), V(1) + e));
}

}  // namespace math

TMOR_END
