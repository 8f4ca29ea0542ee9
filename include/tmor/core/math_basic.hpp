#pragma once
/// @file math_basic.hpp
/// The exact functions over `V` (float, double, a `Pack` of either): sign, order, rounding, square root.

#include "tmor/core/pack.hpp"

TMOR_BEGIN

namespace math {

/// The smaller argument; `a` unless `b < a`, so a NaN in `a` is passed on and one in `b` is not.
template <class V> TMOR_HD TMOR_ALWAYS_INLINE V min(V a, V b) { return select(b < a, b, a); }
/// The larger argument; `a` unless `a < b`, so a NaN in `a` is passed on and one in `b` is not.
template <class V> TMOR_HD TMOR_ALWAYS_INLINE V max(V a, V b) { return select(a < b, b, a); }

/// a * b + c, in one rounding where the instruction set has it.
template <class V> TMOR_HD TMOR_ALWAYS_INLINE V fma(V a, V b, V c) {
  if constexpr (detail::LaneTraits<V>::pack) {
    return V(typename V::Vec(a.v * b.v + c.v));
  } else {
    return a * b + c;
  }
}

template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V abs(V x) {
  return detail::from_bits<V>(detail::to_bits(x) & int_t<V>(detail::Format<lane_t<V>>::magnitude_mask));
}
template <class V>
requires std::is_integral_v<V> TMOR_HD TMOR_ALWAYS_INLINE V abs(V x) {
  return static_cast<V>(x < 0 ? -x : x);
}

/// The magnitude of `x` with the sign of `sign`, which may be that of a zero or NaN.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V copysign(V x, V sign) {
  using I = int_t<V>;
  const I magnitude(detail::Format<lane_t<V>>::magnitude_mask);
  const I sign_bit((lane_t<I>(-1)) ^ detail::Format<lane_t<V>>::magnitude_mask);
  return detail::from_bits<V>((detail::to_bits(x) & magnitude) | (detail::to_bits(sign) & sign_bit));
}

/// `x` rounded towards zero.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V trunc(V x) {
  // From 2^mantissa_bits on every number is whole; NaN takes that way too.
  const V limit(lane_t<V>(lane_t<int_t<V>>(1) << detail::Format<lane_t<V>>::mantissa_bits));
  const auto small = abs(x) < limit;
  const V whole = detail::to_real<V>(detail::to_int(select(small, x, V(0))));
  return select(small, copysign(whole, x), x);
}
/// The largest whole number not above `x`.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V floor(V x) {
  const V t = trunc(x);
  return select(x < t, t - V(1), t);
}
/// The smallest whole number not below `x`.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V ceil(V x) { return -floor(-x); }
/// The whole number nearest to `x`, of two the even one.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V round(V x) {
  const V t = trunc(x), rest = abs(x - t);  // exact; NaN for an infinity
  const V half = t * V(0.5);
  const auto odd = trunc(half) != half;
  const auto away = (rest > V(0.5)) | ((rest == V(0.5)) & odd);
  return select(away, t + copysign(V(1), x), t);
}

/// Square root, correctly rounded; NaN below zero, -0 for -0.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V sqrt(V x) {
  if constexpr (std::is_same_v<V, float>) {
    return __builtin_sqrtf(x);
  } else if constexpr (std::is_same_v<V, double>) {
    return __builtin_sqrt(x);
  } else {
    // Vector extensions have no square root, and a loop over std::sqrt stays scalar because of errno.
#if defined(__AVX__) || defined(__SSE2__) || defined(__aarch64__)
    if constexpr (sizeof(x.v) >= 16) {
      constexpr bool single = sizeof(lane_t<V>) == 4;
      V r;
#if defined(__AVX__)
      if constexpr (single) {
        asm("vsqrtps %1, %0" : "=v"(r.v) : "v"(x.v));
      } else {
        asm("vsqrtpd %1, %0" : "=v"(r.v) : "v"(x.v));
      }
#elif defined(__SSE2__)
      if constexpr (single) {
        asm("sqrtps %1, %0" : "=x"(r.v) : "x"(x.v));
      } else {
        asm("sqrtpd %1, %0" : "=x"(r.v) : "x"(x.v));
      }
#else
      if constexpr (single) {
        asm("fsqrt %0.4s, %1.4s" : "=w"(r.v) : "w"(x.v));
      } else {
        asm("fsqrt %0.2d, %1.2d" : "=w"(r.v) : "w"(x.v));
      }
#endif
      return r;
    }
#endif
    for (int i = 0; i < V::size; ++i) x.v[i] = math::sqrt(x[i]);
    return x;
  }
}

/// 1 / sqrt(x); infinity at zero.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V rsqrt(V x) { return V(1) / sqrt(x); }

}  // namespace math

namespace detail {

/// The polynomial with these coefficients, highest degree first, by Horner's rule.
template <Real V, class... C> TMOR_HD TMOR_ALWAYS_INLINE V horner(V x, double first, C... rest) {
  V sum(static_cast<lane_t<V>>(first));
  ((sum = math::fma(sum, x, V(static_cast<lane_t<V>>(rest)))), ...);
  return sum;
}

/// `x` with the lower half of its significand cleared: the product of two such numbers is exact.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V upper_half(V x) {
  if constexpr (std::is_same_v<lane_t<V>, float>) {
    return from_bits<V>(to_bits(x) & int_t<V>(-0x1000));
  } else {
    return from_bits<V>(to_bits(x) & int_t<V>(-0x8000000LL));
  }
}

}  // namespace detail

TMOR_END
