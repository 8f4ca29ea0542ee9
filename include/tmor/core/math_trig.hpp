#pragma once
/// @file math_trig.hpp
/// Sine and cosine over `V` (float, double, a `Pack` of either).
///
/// x = n pi/2 + r, |r| <= pi/4, with pi/2 in parts whose products with n are exact (Cody and Waite); sin r
/// and cos r are minimax polynomials (math_exp.hpp). Arguments beyond 10^4 (float) or 10^5 (double) are rare
/// in this library and left, lane by lane, to the C library.

#include "tmor/core/math_basic.hpp"

TMOR_BEGIN

namespace detail {

/// sin(x + quarter pi/2).
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V sin_quarters(V x, int quarter) {
  using T = lane_t<V>;
  using I = int_t<V>;
  constexpr bool single = std::is_same_v<T, float>;
  const auto in_range = math::abs(x) <= V(single ? 1e4 : 1e5);
  const V c = select(in_range, x, V(0));
  const V turns = c * V(0.636619772367581343);
  const I n = to_int(turns + math::copysign(V(0.5), turns));
  const V nr = to_real<V>(n);
  V r = keep(math::fma(nr, V(single ? -0x1.92p+0 : -0x1.921fb544p+0), c));
  r = keep(math::fma(nr, V(single ? -0x1.fb4p-12 : -0x1.0b4611a6p-34), r));
  if constexpr (single) r = keep(math::fma(nr, V(-0x1.444p-24), r));
  r = math::fma(nr, V(single ? -2.5633441515945187882e-12 : -2.0222662487959507324e-21), r);

  const V z = r * r;
  V s, q;
  if constexpr (single) {
    s = horner(z, -0.000195166753, 0.00833217386, -0.166666549);
    q = horner(z, 2.44323907e-5, -0.00138873096, 0.0416666455);
  } else {
    s = horner(z, 1.58965042148276843e-10, -2.50507532600252667e-8, 2.75573136620965578e-6,
               -0.000198412698297255862, 0.00833333333332231618, -0.166666666666666317);
    q = horner(z, -1.13583109317477711e-11, 2.08756965816316521e-9, -2.75573141486922807e-7,
               2.480158728874843e-5, -0.00138888888888728955, 0.041666666666666592);
  }
  const V sine = math::fma(r * z, s, r);
  const V cosine = math::fma(z * z, q, keep(V(1) - V(0.5) * z));
  const I m = n + I(quarter);
  const V y = select((m & I(1)) == I(0), sine, cosine);
  return select((m & I(2)) == I(0), y, -y);
}

/// `y`, with the lanes where `x` is beyond the reduction's range (infinite and NaN ones too) taken from `f`.
template <Real V, class F> TMOR_HD TMOR_ALWAYS_INLINE V replace_far(V x, V y, F f) {
  const auto far = !(math::abs(x) <= V(std::is_same_v<lane_t<V>, float> ? 1e4 : 1e5));
  if (__builtin_expect(any(far), 0)) {
    if constexpr (LaneTraits<V>::pack) {
      for (int i = 0; i < V::size; ++i)
        if (far[i]) y.v[i] = f(x[i]);
    } else {
      y = f(x);
    }
  }
  return y;
}

// Calls the compiler cannot see into: -ffast-math would turn the loop above into less exact vector versions.
TMOR_HD __attribute__((noinline)) inline float libm_sin(float x) { return __builtin_sinf(x); }
TMOR_HD __attribute__((noinline)) inline double libm_sin(double x) { return __builtin_sin(x); }
TMOR_HD __attribute__((noinline)) inline float libm_cos(float x) { return __builtin_cosf(x); }
TMOR_HD __attribute__((noinline)) inline double libm_cos(double x) { return __builtin_cos(x); }

}  // namespace detail

namespace math {

/// Sine of `x` radians.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V sin(V x) {
  return detail::replace_far(x, detail::sin_quarters(x, 0), [](auto t) { return detail::libm_sin(t); });
}

/// Cosine of `x` radians.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V cos(V x) {
  return detail::replace_far(x, detail::sin_quarters(x, 1), [](auto t) { return detail::libm_cos(t); });
}

}  // namespace math

TMOR_END
