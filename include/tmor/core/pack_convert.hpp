#pragma once
/// @file pack_convert.hpp
/// Vectors from and to memory of another element type: `load_as<Pack<float>>(p)` reads bf16, f16, double,
/// integers or bool as floats, `store_as(p, v)` rounds and writes. `V` may be float or double too, so that
/// one loop body serves packs and their tail.
///
/// Stores of reals to integers cut the fraction off and saturate (NaN gives the lowest value); to bool they
/// give `x != 0`.

#include <limits>

#include "tmor/core/dtype.hpp"
#include "tmor/core/math_basic.hpp"

TMOR_BEGIN

namespace detail {

/// `x` as an element of type `S`.
template <class S, class T> TMOR_HD TMOR_ALWAYS_INLINE S store_cast(T x) {
  if constexpr (std::is_same_v<S, bool>) {
    return x != T(0);
  } else if constexpr (std::is_integral_v<S> && std::is_floating_point_v<T>) {
    using L = std::numeric_limits<S>;
    // -2^b is exact in T; 2^b is the first value too large.
    constexpr T low = static_cast<T>(L::min());
    constexpr T past = T(2) * static_cast<T>(L::max() / 2 + 1);
    return x >= past ? L::max() : x > low ? static_cast<S>(x) : L::min();
  } else {
    return static_cast<S>(static_cast<compute_t<S>>(x));
  }
}

template <int N> using U16 = vector_t<std::uint16_t, N>;
template <int N> using U32 = vector_t<std::uint32_t, N>;
template <int N> using I32 = vector_t<std::int32_t, N>;

template <int N> TMOR_ALWAYS_INLINE Pack<float, N> decode(U16<N> h, bf16) {
  return Pack<float, N>(reinterpret_cast<vector_t<float, N>>(__builtin_convertvector(h, U32<N>) << 16));
}
template <int N> TMOR_ALWAYS_INLINE U16<N> encode(Pack<float, N> x, bf16) {
  const U32<N> u = reinterpret_cast<U32<N>>(x.v);
  const U32<N> nan = (u >> 16) | 0x40u, rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  const U32<N> is_nan = reinterpret_cast<U32<N>>((u & 0x7fffffffu) > 0x7f800000u);
  return __builtin_convertvector((is_nan & nan) | (~is_nan & rounded), U16<N>);
}

template <int N> TMOR_ALWAYS_INLINE Pack<float, N> decode(U16<N> h, f16) {
  using V = Pack<float, N>;
  using I = Pack<std::int32_t, N>;
  const I u(__builtin_convertvector(h, I32<N>)), magnitude = u & I(0x7fff);
  const I inf_nan = select(magnitude >= I(0x7c00), I(0x7f800000), I(0));
  const I normal = ((magnitude << 13) + I(112 << 23)) | inf_nan;
  const I subnormal = to_bits(to_real<V>(magnitude) * V(0x1p-24f));
  return from_bits<V>(select(magnitude < I(0x400), subnormal, normal) | ((u & I(0x8000)) << 16));
}
template <int N> TMOR_ALWAYS_INLINE U16<N> encode(Pack<float, N> x, f16) {
  using V = Pack<float, N>;
  using I = Pack<std::int32_t, N>;
  const I u = to_bits(x), magnitude = u & I(0x7fffffff);
  const I r = magnitude - I(112 << 23);
  const I normal = (r + I(0xfff) + ((r >> 13) & I(1))) >> 13;
  // Below 2^-14, in units of 2^-24: rounded to nearest even on the integers.
  const auto small = magnitude < I(0x38800000);
  const V units = select(small, from_bits<V>(magnitude) * V(0x1p24f), V(0));
  const I cut = to_int(units);
  const V rest = units - to_real<V>(cut);
  const auto up = (rest > V(0.5f)) | ((rest == V(0.5f)) & ((cut & I(1)) == I(1)));
  I h = select(small, cut + select(up, I(1), I(0)), normal);
  h = select(magnitude >= I(0x477ff000), I(0x7c00), h);  // rounds to 65536 or more
  h = select(magnitude > I(0x7f800000), I(0x7e00), h);
  return __builtin_convertvector((h | ((u >> 16) & I(0x8000))).v, U16<N>);
}

}  // namespace detail

namespace detail {
template <class V>
concept PackOf = LaneTraits<V>::pack;
}

// Scalars and packs apart: a vector must not appear in a function that could run on a GPU.

/// The element at `p`, or with a pack the `V::size` elements from `p`, as the lane type of `V`.
template <class V, class S> TMOR_HD TMOR_ALWAYS_INLINE V load_as(const S* p) {
  return static_cast<V>(static_cast<compute_t<S>>(*p));
}
template <detail::PackOf V, class S> TMOR_ALWAYS_INLINE V load_as(const S* p) {
  using T = lane_t<V>;
  if constexpr (std::is_same_v<S, T>) {
    return V::load(p);
  } else if constexpr (std::is_same_v<T, float> && sizeof(compute_t<S>) != sizeof(S)) {
    detail::U16<V::size> h;
    __builtin_memcpy(&h, p, sizeof h);
    return detail::decode<V::size>(h, S{});
  } else if constexpr (std::is_same_v<T, float> && std::is_same_v<S, std::int32_t>) {
    return detail::to_real<V>(Pack<std::int32_t, V::size>::load(p));
  } else {
    T lane[V::size];
    for (int i = 0; i < V::size; ++i) lane[i] = static_cast<T>(static_cast<compute_t<S>>(p[i]));
    return V::load(lane);
  }
}

/// The first `n` (0 <= n <= lanes) elements from `p`, then zeros.
template <class V, class S> TMOR_HD TMOR_ALWAYS_INLINE V load_partial_as(const S* p, int n) {
  return n > 0 ? load_as<V>(p) : V(0);
}
template <detail::PackOf V, class S> TMOR_ALWAYS_INLINE V load_partial_as(const S* p, int n) {
  S part[V::size] = {};
  for (int i = 0; i < n; ++i) part[i] = p[i];
  return load_as<V>(part);
}

/// Writes `x`, or the lanes of a pack, to `p`, converted to `S`.
template <class S, class V> TMOR_HD TMOR_ALWAYS_INLINE void store_as(S* p, V x) {
  *p = detail::store_cast<S>(x);
}
template <class S, detail::PackOf V> TMOR_ALWAYS_INLINE void store_as(S* p, V x) {
  using T = lane_t<V>;
  if constexpr (std::is_same_v<S, T>) {
    x.store(p);
  } else if constexpr (std::is_same_v<T, float> && sizeof(compute_t<S>) != sizeof(S)) {
    const detail::U16<V::size> h = detail::encode<V::size>(x, S{});
    __builtin_memcpy(static_cast<void*>(p), &h, sizeof h);
  } else {
    T lane[V::size];
    x.store(lane);
    for (int i = 0; i < V::size; ++i) p[i] = detail::store_cast<S>(lane[i]);
  }
}

/// Writes the first `n` (0 <= n <= lanes) lanes.
template <class S, class V> TMOR_HD TMOR_ALWAYS_INLINE void store_partial_as(S* p, V x, int n) {
  if (n > 0) store_as(p, x);
}
template <class S, detail::PackOf V> TMOR_ALWAYS_INLINE void store_partial_as(S* p, V x, int n) {
  S part[V::size];
  store_as(part, x);
  for (int i = 0; i < n; ++i) p[i] = part[i];
}

TMOR_END
