#pragma once
/// @file math_basic.hpp
/// The exact functions over `V` (float, double, a `Pack` of either): sign, order, rounding, square root.

#include "tmor/core/pack.hpp"

TMOR_BEGIN

namespace detail {

// Vector extensions have no square root, a loop over std::sqrt stays scalar because of errno, and -ffast-math
// turns a division into an estimate two units off: these two name the instruction.
#if defined(__AVX__)
#define TMOR_SQRT_ASM(suffix, shape, r, x) asm("vsqrt" suffix " %1, %0" : "=v"(r) : "v"(x))
#define TMOR_DIVIDE_ASM(suffix, r, a, b) asm("vdiv" suffix " %2, %1, %0" : "=v"(r) : "v"(a), "v"(b))
#elif defined(__SSE2__)
#define TMOR_SQRT_ASM(suffix, shape, r, x) asm("sqrt" suffix " %1, %0" : "=x"(r) : "x"(x))
#define TMOR_DIVIDE_ASM(suffix, r, a, b) asm("div" suffix " %2, %0" : "=x"(r) : "0"(a), "x"(b))
#elif defined(__aarch64__)
#define TMOR_SQRT_ASM(suffix, shape, r, x) asm("fsqrt %0." shape ", %1." shape : "=w"(r) : "w"(x))
#endif

template <class T, int N> TMOR_ALWAYS_INLINE Pack<T, N> sqrt_pack(Pack<T, N> x) {
#ifdef TMOR_SQRT_ASM
  if constexpr (sizeof(x.v) >= 16 && sizeof(x.v) <= TMOR_VECTOR_BYTES) {
    Pack<T, N> r;
    if constexpr (sizeof(T) == 4) {
      TMOR_SQRT_ASM("ps", "4s", r.v, x.v);
    } else {
      TMOR_SQRT_ASM("pd", "2d", r.v, x.v);
    }
    return r;
  }
#endif
  for (int i = 0; i < N; ++i)
    x.v[i] = sizeof(T) == 4 ? T(__builtin_sqrtf(float(x[i]))) : T(__builtin_sqrt(x[i]));
  return x;
}

/// a / b, correctly rounded under -ffast-math too.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V divide(V a, V b) {
#if defined(TMOR_DIVIDE_ASM) && defined(__FAST_MATH__)
  if constexpr (LaneTraits<V>::pack && sizeof(V) >= 16 && sizeof(lane_t<V>) == 4) {
    V r;
    TMOR_DIVIDE_ASM("ps", r.v, a.v, b.v);
    return r;
  }
#endif
  return a / b;
}

#undef TMOR_SQRT_ASM
#undef TMOR_DIVIDE_ASM

}  // namespace detail

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
#if defined(__FAST_MATH__) && defined(__SSE2__) && !defined(__CUDA_ARCH__)
    return detail::sqrt_pack(Pack<float, 4>(x))[0];  // not an estimate
#else
    return __builtin_sqrtf(x);
#endif
  } else if constexpr (std::is_same_v<V, double>) {
    return __builtin_sqrt(x);
  } else {
    return detail::sqrt_pack(x);
  }
}

/// 1 / sqrt(x); infinity at zero.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V rsqrt(V x) {
  return detail::divide(V(1), detail::keep(sqrt(x)));
}

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
