#pragma once
/// @file pack.hpp
/// `Pack<T>`: a vector register of `T` on the compilers' vector extensions, as wide as the instruction set
/// this translation unit is built for (a wider one would be as slow as scalar code). Host only.

#include "tmor/core/lanes.hpp"

TMOR_BEGIN

/// Elements of `T` in one vector register.
template <class T> inline constexpr int kLanes = TMOR_VECTOR_BYTES / static_cast<int>(sizeof(T));

namespace detail {
template <class T, int N> struct VectorOf { typedef T type __attribute__((vector_size(N * sizeof(T)))); };
template <class T, int N> using vector_t = typename VectorOf<T, N>::type;
}  // namespace detail

/// One truth value a lane: 0 or all bits set in an integer of the lane's width `I`.
template <class I, int N> struct Mask {
  using Vec = detail::vector_t<I, N>;
  Vec v;

  friend TMOR_ALWAYS_INLINE Mask operator&(Mask a, Mask b) { return {a.v & b.v}; }
  friend TMOR_ALWAYS_INLINE Mask operator|(Mask a, Mask b) { return {a.v | b.v}; }
  friend TMOR_ALWAYS_INLINE Mask operator^(Mask a, Mask b) { return {a.v ^ b.v}; }
  friend TMOR_ALWAYS_INLINE Mask operator!(Mask a) { return {~a.v}; }
  TMOR_ALWAYS_INLINE bool operator[](int i) const { return v[i] != 0; }
};

template <class T, int N = kLanes<T>> struct Pack {
  static_assert(std::is_arithmetic_v<T> && N >= 2 && (N & (N - 1)) == 0, "a power of two of numbers");
  using value_type = T;
  using Vec = detail::vector_t<T, N>;
  using MaskType = Mask<typename detail::SignedInt<sizeof(T)>::type, N>;
  static constexpr int size = N;
  Vec v;

  Pack() = default;  ///< indeterminate, as `float x;` is
  TMOR_ALWAYS_INLINE explicit Pack(Vec x) : v(x) {}
  /// `x` in every lane.
  TMOR_ALWAYS_INLINE Pack(T x) : v(x - Vec{}) {}  // NOLINT: x - 0 keeps -0, and is no operation
  template <class U>
  requires(std::is_arithmetic_v<U> && !std::is_same_v<U, T>) TMOR_ALWAYS_INLINE explicit Pack(U x)
      : Pack(static_cast<T>(x)) {}

  TMOR_ALWAYS_INLINE T operator[](int i) const { return v[i]; }

  /// `N` elements from `p`, of any alignment.
  static TMOR_ALWAYS_INLINE Pack load(const T* p) {
    Pack r;
    __builtin_memcpy(&r.v, p, sizeof(Vec));
    return r;
  }
  /// `n` elements (0 <= n <= N) from `p`, then zeros.
  static TMOR_ALWAYS_INLINE Pack load_partial(const T* p, int n) {
    T lane[N] = {};
    for (int i = 0; i < n; ++i) lane[i] = p[i];
    return load(lane);
  }
  TMOR_ALWAYS_INLINE void store(T* p) const { __builtin_memcpy(p, &v, sizeof(Vec)); }
  /// The first `n` (0 <= n <= N) lanes.
  TMOR_ALWAYS_INLINE void store_partial(T* p, int n) const {
    T lane[N];
    store(lane);
    for (int i = 0; i < n; ++i) p[i] = lane[i];
  }

#define TMOR_PACK_ARITHMETIC(op)                                                               \
  friend TMOR_ALWAYS_INLINE Pack operator op(Pack a, Pack b) { return Pack(Vec(a.v op b.v)); } \
  TMOR_ALWAYS_INLINE Pack& operator op##=(Pack b) { return *this = *this op b; }
  TMOR_PACK_ARITHMETIC(+)
  TMOR_PACK_ARITHMETIC(-)
  TMOR_PACK_ARITHMETIC(*)
  TMOR_PACK_ARITHMETIC(/)
#undef TMOR_PACK_ARITHMETIC
  friend TMOR_ALWAYS_INLINE Pack operator-(Pack a) { return Pack(Vec(-a.v)); }
  friend TMOR_ALWAYS_INLINE Pack operator+(Pack a) { return a; }

#define TMOR_PACK_BITS(op)                                                                    \
  friend TMOR_ALWAYS_INLINE Pack operator op(Pack a, Pack b) requires std::is_integral_v<T> { \
    return Pack(Vec(a.v op b.v));                                                             \
  }
  TMOR_PACK_BITS(&)
  TMOR_PACK_BITS(|)
  TMOR_PACK_BITS(^)
#undef TMOR_PACK_BITS
  friend TMOR_ALWAYS_INLINE Pack operator<<(Pack a, int n) requires std::is_integral_v<T> {
    return Pack(Vec(a.v << n));
  }
  friend TMOR_ALWAYS_INLINE Pack operator>>(Pack a, int n) requires std::is_integral_v<T> {
    return Pack(Vec(a.v >> n));
  }

#define TMOR_PACK_COMPARE(op)                                      \
  friend TMOR_ALWAYS_INLINE MaskType operator op(Pack a, Pack b) { \
    return {reinterpret_cast<typename MaskType::Vec>(a.v op b.v)}; \
  }
  TMOR_PACK_COMPARE(==)
  TMOR_PACK_COMPARE(!=)
  TMOR_PACK_COMPARE(<)
  TMOR_PACK_COMPARE(<=)
  TMOR_PACK_COMPARE(>)
  TMOR_PACK_COMPARE(>=)
#undef TMOR_PACK_COMPARE

  /// Lane by lane `mask ? a : b`.
  friend TMOR_ALWAYS_INLINE Pack select(MaskType mask, Pack a, Pack b) {
    return Pack(Vec(mask.v ? a.v : b.v));
  }
};

namespace detail {

/// The lanes combined two halves at a time: a tree whose shape depends on the lane count alone.
template <class T, int N, class Op> TMOR_ALWAYS_INLINE T reduce_lanes(Pack<T, N> p, Op op) {
  if constexpr (N == 2) {
    return op(p[0], p[1]);
  } else {
    Pack<T, N / 2> half[2];
    __builtin_memcpy(&half, &p, sizeof p);
    return reduce_lanes(op(half[0], half[1]), op);
  }
}

}  // namespace detail

/// Sum of the lanes, always added in the same order.
template <class T, int N> TMOR_ALWAYS_INLINE T hsum(Pack<T, N> p) {
  return detail::reduce_lanes(p, [](auto a, auto b) { return a + b; });
}
/// Largest lane; with a NaN among them, some lane.
template <class T, int N> TMOR_ALWAYS_INLINE T hmax(Pack<T, N> p) {
  return detail::reduce_lanes(p, [](auto a, auto b) { return select(a < b, b, a); });
}
/// Smallest lane; with a NaN among them, some lane.
template <class T, int N> TMOR_ALWAYS_INLINE T hmin(Pack<T, N> p) {
  return detail::reduce_lanes(p, [](auto a, auto b) { return select(b < a, b, a); });
}

TMOR_HD TMOR_ALWAYS_INLINE bool any(bool mask) { return mask; }
TMOR_HD TMOR_ALWAYS_INLINE bool all(bool mask) { return mask; }
/// Whether some lane is set.
template <class I, int N> TMOR_ALWAYS_INLINE bool any(Mask<I, N> mask) {
  return hmin(Pack<I, N>(mask.v)) != 0;
}
/// Whether every lane is set.
template <class I, int N> TMOR_ALWAYS_INLINE bool all(Mask<I, N> mask) {
  return hmax(Pack<I, N>(mask.v)) != 0;
}

/// `p` with every lane from the `n`-th on replaced by `rest`.
template <class T, int N> TMOR_ALWAYS_INLINE Pack<T, N> first_lanes(Pack<T, N> p, int n, T rest = T(0)) {
  using Int = typename detail::SignedInt<sizeof(T)>::type;
  detail::vector_t<Int, N> index;
  for (int i = 0; i < N; ++i) index[i] = static_cast<Int>(i);
  return select(Pack<Int, N>(index) < Pack<Int, N>(static_cast<Int>(n)), p, Pack<T, N>(rest));
}

TMOR_END
