#pragma once
/// @file team.hpp
/// Row bodies are written once for both devices, over a *team*: the lanes that together work on one row. On
/// the CPU a team is one thread and its lanes those of a `Pack` (`HostTeam`, here); on a GPU it is a block of
/// threads.
///
///     struct Scale {                                       // y = x / sum(x), row by row
///       using Compute = float;
///       const float* x;
///       float* y;
///       Index n;
///       template <class Team> TMOR_HD void operator()(const Team& team, Index row) const {
///         const float* in = x + row * n;
///         const float s = team.sum(n, [&](auto at) { return at.load(in); });
///         team.each(n, [&](auto at) { at.store(y + row * n, at.load(in) / typename Team::V(s)); });
///       }
///     };
///
/// `at` stands for the few elements a lane (or pack) has in hand; it converts from and to the element type in
/// memory. Sums are taken in a fixed order. What is stored at an element may be read back, in a later `each`
/// or `sum`, only at the same element: then no lane waits for another one's store. What is one for the whole
/// row is stored by one lane: `team.at(0, ...)`.

#include "tmor/core/math_basic.hpp"
#include "tmor/core/pack_convert.hpp"

TMOR_BEGIN

/// Two values summed in one pass.
template <class V> struct Two {
  V first, second;
  friend TMOR_HD TMOR_ALWAYS_INLINE Two operator+(Two a, Two b) {
    return {a.first + b.first, a.second + b.second};
  }
};

/// The smallest finite value: identity of `max`. No infinity, so that -ffast-math does no harm, and so that
/// x - max is defined for a row of nothing but -infinity.
template <class C> inline constexpr C kLowest = -std::numeric_limits<C>::max();

/// One thread of the CPU working on a row, a `Pack<C>` at a time.
template <class C> class HostTeam {
 public:
  using V = Pack<C>;
  /// How many rows a body that accumulates columns takes together: few enough to stream through memory.
  static constexpr Index kRowsAtOnce = 4;

  /// `n` elements from number `i` on: all the lanes when `Full`.
  template <bool Full> struct At {
    Index i;
    int n;

    /// Elements of the row that starts at `p`; beyond its end zeros.
    template <class S> TMOR_ALWAYS_INLINE V load(const S* p) const {
      if constexpr (Full) {
        return load_as<V>(p + i);
      } else {
        return load_partial_as<V>(p + i, n);
      }
    }
    /// The same where there is a row at all, else `otherwise`.
    template <class S> TMOR_ALWAYS_INLINE V load_or(const S* p, C otherwise) const {
      return p ? load(p) : V(otherwise);
    }
    template <class S> TMOR_ALWAYS_INLINE void store(S* p, V v) const {
      if constexpr (Full) {
        store_as(p + i, v);
      } else {
        store_partial_as(p + i, v, n);
      }
    }
  };

  /// f(at) for all of [0, n).
  template <class F> TMOR_ALWAYS_INLINE void each(Index n, F&& f) const {
    Index i = 0;
    for (; i + V::size <= n; i += V::size) f(At<true>{i, V::size});
    if (i < n) f(At<false>{i, static_cast<int>(n - i)});
  }
  /// f(i) by the lane that has element `i` in hand, after what it stored in an `each` before.
  template <class F> TMOR_ALWAYS_INLINE void at(Index i, F&& f) const { f(i); }
  /// The sum of f(at), a `V` or a `Two<V>`, over [0, n), in runs of `kRun` vectors: a lane that added all of
  /// a long row up would lose digits to its own sum, the more the narrower the vectors.
  template <class F> TMOR_ALWAYS_INLINE auto sum(Index n, F&& f) const {
    using R = decltype(f(At<true>{0, 0}));
    const R none = fill(R(), C(0));
    R s[2] = {none, none};
    Index i = 0;
    while (i + 2 * V::size <= n) {
      const Index stop = n - i < kRun * V::size ? n : i + kRun * V::size;
      R run[2] = {none, none};
      for (; i + 2 * V::size <= stop; i += 2 * V::size) {
        run[0] = run[0] + f(At<true>{i, V::size});
        run[1] = run[1] + f(At<true>{i + V::size, V::size});
      }
      s[0] = s[0] + run[0];
      s[1] = s[1] + run[1];
    }
    if (i + V::size <= n) {
      s[0] = s[0] + f(At<true>{i, V::size});
      i += V::size;
    }
    if (i < n) s[1] = s[1] + first(f(At<false>{i, static_cast<int>(n - i)}), static_cast<int>(n - i), C(0));
    return total(s[0] + s[1]);
  }
  /// The largest f(at) over [0, n); `kLowest` when there is none.
  template <class F> TMOR_ALWAYS_INLINE C max(Index n, F&& f) const {
    V m(kLowest<C>);
    each(n,
         [&]<bool Full>(At<Full> at) { m = math::max(m, first(f(at), Full ? V::size : at.n, kLowest<C>)); });
    return hmax(m);
  }

 private:
  static constexpr Index kRun = 64;

  static TMOR_ALWAYS_INLINE V fill(V, C c) { return V(c); }
  static TMOR_ALWAYS_INLINE Two<V> fill(Two<V>, C c) { return {V(c), V(c)}; }
  static TMOR_ALWAYS_INLINE V first(V v, int n, C rest) { return n == V::size ? v : first_lanes(v, n, rest); }
  static TMOR_ALWAYS_INLINE Two<V> first(Two<V> v, int n, C rest) {
    return {first(v.first, n, rest), first(v.second, n, rest)};
  }
  static TMOR_ALWAYS_INLINE C total(V v) { return hsum(v); }
  static TMOR_ALWAYS_INLINE Two<C> total(Two<V> v) { return {hsum(v.first), hsum(v.second)}; }
};

/// How a body that accumulates columns deals out its rows: `count` chunks of `grain` rows (the last may be
/// shorter). The shape alone decides, so sums of chunks in their order have the same bits everywhere.
struct RowChunks {
  Index rows = 0, grain = 1, count = 0;

  RowChunks() = default;
  RowChunks(Index n_rows, Index cols) : rows(n_rows) {
    constexpr Index kElements = 16384, kMost = 128;
    const Index by_work = kElements / (cols > 0 ? cols : 1), by_count = (rows + kMost - 1) / kMost;
    grain = by_work > by_count ? by_work : by_count;
    if (grain < 1) grain = 1;
    count = (rows + grain - 1) / grain;
  }
  TMOR_HD Index begin(Index chunk) const { return chunk * grain; }
  TMOR_HD Index end(Index chunk) const { return (chunk + 1) * grain < rows ? (chunk + 1) * grain : rows; }
};

TMOR_END
