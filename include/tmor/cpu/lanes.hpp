#pragma once
/// @file lanes.hpp
/// Reading and writing rows of any element type and stride as vectors.

#include "tmor/core/pack_convert.hpp"

TMOR_BEGIN

namespace cpu {

/// What a functor is evaluated on for compute type `C`: a `Pack` for float and double, `C` itself for
/// integers.
template <class C> struct Lanes {
  using V = C;
  static constexpr Index count = 1;
};
template <> struct Lanes<float> {
  using V = Pack<float>;
  static constexpr Index count = kLanes<float>;
};
template <> struct Lanes<double> {
  using V = Pack<double>;
  static constexpr Index count = kLanes<double>;
};

namespace detail {
// The rare cases, compiled once for each pair of types instead of into every kernel.
template <class V, class S> [[gnu::noinline]] V load_any(const S* p, Index stride, Index n) {
  using C = typename V::value_type;
  C lane[V::size] = {};
  for (Index j = 0; j < n; ++j) lane[j] = static_cast<C>(p[j * stride]);
  return V::load(lane);
}
template <class V, class S> [[gnu::noinline]] void store_any(S* p, Index stride, Index n, V v) {
  S lane[V::size];
  store_as(static_cast<S*>(lane), v);
  for (Index j = 0; j < n; ++j) p[j * stride] = lane[j];
}
}  // namespace detail

/// Elements [i, i + n) of a row with `stride`, converted to `V`; further lanes are 0 or repeat a broadcast
/// value.
template <class V, class S> TMOR_ALWAYS_INLINE V load_row(const S* p, Index stride, Index i, Index n) {
  if constexpr (std::is_arithmetic_v<V>) {
    return static_cast<V>(p[i * stride]);
  } else {
    if (stride == 1 && n == V::size) return load_as<V>(p + i);
    if (stride == 0) return V(static_cast<typename V::value_type>(p[0]));
    return detail::load_any<V>(p + i * stride, stride, n);
  }
}
/// Writes the first `n` lanes of `v` to elements [i, i + n) of a row with `stride`.
template <class V, class S> TMOR_ALWAYS_INLINE void store_row(S* p, Index stride, Index i, Index n, V v) {
  if constexpr (std::is_arithmetic_v<V>) {
    p[i * stride] = static_cast<S>(v);
  } else if (stride == 1 && n == V::size) {
    store_as(p + i, v);
  } else {
    detail::store_any(p + i * stride, stride, n, v);
  }
}

/// `body(i, n)` for `n` elements from `i` at a time, a vector's worth but for the last.
template <class C, class Body> TMOR_ALWAYS_INLINE void for_lanes(Index count, Body&& body) {
  constexpr Index w = Lanes<C>::count;
  for (Index i = 0; i < count; i += w) body(i, count - i < w ? count - i : w);
}

}  // namespace cpu

TMOR_END
