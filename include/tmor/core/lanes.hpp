#pragma once
/// @file lanes.hpp
/// What numeric code is written over: `V` is float, double, or a `Pack` of either. Here are the names such
/// code needs (lane type, matching integers, mask) and the primitives on scalars; pack.hpp adds the same on
/// packs.

#include <bit>
#include <type_traits>

#include "tmor/core/config.hpp"

TMOR_BEGIN

template <class T, int N> struct Pack;

/// `mask ? a : b`, the branch of functors; here for scalars.
template <class T>
requires std::is_arithmetic_v<T> TMOR_HD TMOR_ALWAYS_INLINE T select(bool mask, T a, T b) {
  return mask ? a : b;
}

namespace detail {

template <int Bytes> struct SignedInt { using type = void; };
template <> struct SignedInt<1> { using type = std::int8_t; };
template <> struct SignedInt<2> { using type = std::int16_t; };
template <> struct SignedInt<4> { using type = std::int32_t; };
template <> struct SignedInt<8> { using type = std::int64_t; };

template <class V> struct LaneTraits {
  using Lane = V;
  using Int = typename SignedInt<sizeof(V)>::type;
  static constexpr bool pack = false;
};
template <class T, int N> struct LaneTraits<Pack<T, N>> {
  using Lane = T;
  using Int = Pack<typename SignedInt<sizeof(T)>::type, N>;
  static constexpr bool pack = true;
};

}  // namespace detail

/// The element type of `V`: float for float and for `Pack<float>`.
template <class V> using lane_t = typename detail::LaneTraits<V>::Lane;
/// Integers of the same width and count as `V`.
template <class V> using int_t = typename detail::LaneTraits<V>::Int;

/// float, double or a `Pack` of either.
template <class V>
concept Real = std::is_same_v < lane_t<V>,
float > || std::is_same_v<lane_t<V>, double>;

namespace detail {

/// Layout of the IEEE format `T`, as integers of its width.
template <class T> struct Format;
template <> struct Format<float> {
  static constexpr int mantissa_bits = 23, exponent_bias = 127;
  static constexpr std::int32_t magnitude_mask = 0x7fffffff, mantissa_mask = 0x007fffff;
  static constexpr float smallest_normal = 0x1p-126f;
};
template <> struct Format<double> {
  static constexpr int mantissa_bits = 52, exponent_bias = 1023;
  static constexpr std::int64_t magnitude_mask = 0x7fffffffffffffff, mantissa_mask = 0x000fffffffffffff;
  static constexpr double smallest_normal = 0x1p-1022;
};

/// The bits of `x`.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE int_t<V> to_bits(V x) {
  if constexpr (LaneTraits<V>::pack) {
    return int_t<V>(reinterpret_cast<typename int_t<V>::Vec>(x.v));
  } else {
    return std::bit_cast<int_t<V>>(x);
  }
}
/// The value with bits `i`.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V from_bits(int_t<V> i) {
  if constexpr (LaneTraits<V>::pack) {
    return V(reinterpret_cast<typename V::Vec>(i.v));
  } else {
    return std::bit_cast<V>(i);
  }
}
/// `x` with its fraction cut off; `x` must fit the integer.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE int_t<V> to_int(V x) {
  if constexpr (LaneTraits<V>::pack) {
    return int_t<V>(__builtin_convertvector(x.v, typename int_t<V>::Vec));
  } else {
    return static_cast<int_t<V>>(x);
  }
}
/// `i` as a real number, rounded to nearest.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V to_real(int_t<V> i) {
  if constexpr (LaneTraits<V>::pack) {
    return V(__builtin_convertvector(i.v, typename V::Vec));
  } else {
    return static_cast<V>(i);
  }
}

#if __has_builtin(__builtin_assoc_barrier)
#define TMOR_FENCE(x) __builtin_assoc_barrier(x)
#elif __has_builtin(__arithmetic_fence)
#define TMOR_FENCE(x) __arithmetic_fence(x)
#else
#define TMOR_FENCE(x) (x)
#endif

/// `x`, rounded here and now: -ffast-math may not rearrange the sum that made it with the one that uses it.
/// Marks the few places where the order of operations is the algorithm.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V keep(V x) {
#if defined(__FAST_MATH__) && !defined(__CUDA_ARCH__)
  if constexpr (LaneTraits<V>::pack) {
    return V(TMOR_FENCE(x.v));
  } else {
    return TMOR_FENCE(x);
  }
#else
  return x;
#endif
}
#undef TMOR_FENCE

}  // namespace detail

TMOR_END
