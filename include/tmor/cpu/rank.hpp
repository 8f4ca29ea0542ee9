#pragma once
/// @file rank.hpp
/// Orders, positions and running sums along rows on the CPU. A NaN counts as larger than every number; of
/// equal values the first comes first.

#include <algorithm>

#include "tmor/core/tensor.hpp"
#include "tmor/cpu/lanes.hpp"
#include "tmor/cpu/loop.hpp"

TMOR_BEGIN

namespace cpu {

template <class T> bool is_nan(T x) {
  if constexpr (std::is_same_v<T, double>) {
    return (std::bit_cast<std::uint64_t>(x) & ~(std::uint64_t{1} << 63)) > 0x7ff0000000000000u;
  } else if constexpr (is_floating<T>) {
    return (std::bit_cast<std::uint32_t>(static_cast<float>(x)) & 0x7fffffffu) > 0x7f800000u;
  } else {
    return false;
  }
}

/// Rows of `n` elements a thread takes at a time.
inline Index rows_grain(Index n) { return n < kLoopGrain ? kLoopGrain / (n > 0 ? n : 1) : 1; }

}  // namespace cpu

namespace cpu {

/// Does `x` come before `best`? A NaN does unless `best` is one.
template <class T> bool beats(T x, T best, bool largest) {
  if (is_nan(x) || is_nan(best)) return is_nan(x) && !is_nan(best);
  return largest ? x > best : x < best;
}

/// Position of the largest (or smallest) of `n` >= 1 numbers.
template <class T> Index extreme_index(const T* x, Index n, bool largest) {
  using C = compute_t<T>;
  constexpr Index w = Lanes<C>::count;
  Index best = 0, i = 1;
  if constexpr (w > 1) {
    using V = typename Lanes<C>::V;
    using I = Pack<typename tmor::detail::SignedInt<sizeof(C)>::type>;
    const V sign(largest ? C(1) : C(-1));
    if (n >= 2 * w) {
      // Each lane keeps the first best of its own; then they are compared.
      V top = load_as<V>(x) * sign;
      I round(0), at(0);
      for (i = w; i + w <= n; i += w) {
        const V v = load_as<V>(x + i) * sign;
        round += I(1);
        const auto wins = (v > top) | ((v != v) & (top == top));
        top = select(wins, v, top);
        at = select(wins, round, at);
      }
      best = static_cast<Index>(at[0]) * w;
      for (int k = 1; k < w; ++k) {
        const Index j = static_cast<Index>(at[k]) * w + k;
        if (beats(x[j], x[best], largest) || (j < best && !beats(x[best], x[j], largest))) best = j;
      }
    }
  }
  for (; i < n; ++i)
    if (beats(x[i], x[best], largest)) best = i;
  return best;
}

}  // namespace cpu

/// at[i] = position of the largest (or smallest) of row i of `x` (rows, n), contiguous, n >= 1.
template <class T>
void run_extreme_index(Cpu, const Tensor<Index, Cpu>& at, const Tensor<T, Cpu>& x, bool largest) {
  const Index n = x.size(1);
  const T* p = x.data();
  Index* out = at.mutable_data();
  parallel_for(x.size(0), cpu::rows_grain(n), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) out[i] = cpu::extreme_index(p + i * n, n, largest);
  });
}

/// at[i, :] = positions of the k largest (or smallest) of row i of `x` (rows, n), contiguous, best first.
template <class T>
void run_topk_index(Cpu, const Tensor<Index, Cpu>& at, const Tensor<T, Cpu>& x, bool largest) {
  const Index n = x.size(1), k = at.size(1);
  const T* p = x.data();
  Index* out = at.mutable_data();
  parallel_for(x.size(0), cpu::rows_grain(n), [&](Index begin, Index end) {
    std::vector<Index> order(static_cast<std::size_t>(n));
    for (Index i = begin; i < end; ++i) {
      const T* row = p + i * n;
      for (Index j = 0; j < n; ++j) order[static_cast<std::size_t>(j)] = j;
      std::partial_sort(order.begin(), order.begin() + k, order.end(), [row, largest](Index a, Index b) {
        const bool nan_a = cpu::is_nan(row[a]), nan_b = cpu::is_nan(row[b]);
        if (nan_a != nan_b) return nan_a == largest;
        if (!nan_a && row[a] != row[b]) return (row[a] > row[b]) == largest;
        return a < b;
      });
      std::copy_n(order.begin(), k, out + i * k);
    }
  });
}

/// y[i, at[i, j]] = v[i, j] for contiguous (rows, n), (rows, k) and (rows, k).
template <class T>
void run_scatter_rows(Cpu, const Tensor<T, Cpu>& y, const Tensor<Index, Cpu>& at, const Tensor<T, Cpu>& v) {
  const Index n = y.size(1), k = at.size(1);
  T* out = y.mutable_data();
  const Index* index = at.data();
  const T* value = v.data();
  for (Index i = 0; i < y.size(0); ++i)
    for (Index j = 0; j < k; ++j) out[i * n + index[i * k + j]] = value[i * k + j];
}

namespace cpu {

inline constexpr Index kCumsumColumns = 1024;

/// Running sums down `count` (at most kCumsumColumns) columns of `n` rows, `step` elements apart.
template <class To, class T> void cumsum_columns(To* y, const T* x, Index n, Index step, Index count) {
  using C = compute_t<To>;
  using V = typename Lanes<C>::V;
  if (count == 1) {
    C total(0);
    for (Index t = 0; t < n; ++t) y[t * step] = static_cast<To>(total += static_cast<C>(x[t * step]));
    return;
  }
  C total[kCumsumColumns + Lanes<C>::count] = {};
  for (Index t = 0; t < n; ++t, x += step, y += step)
    for_lanes<C>(count, [&](Index j, Index m) {
      const auto sum = load_as<V>(total + j) + load_row<V>(x, 1, j, m);
      store_as(total + j, sum);
      store_row(y, 1, j, m, sum);
    });
}

}  // namespace cpu

/// Running sums of the contiguous `x` along dimension `d`, from the last element back where `reverse`.
template <class To, class T>
void run_cumsum(Cpu, const Tensor<To, Cpu>& y, const Tensor<T, Cpu>& x, int d, bool reverse) {
  const Shape& s = x.shape();
  Index outer = 1, inner = 1;
  for (int i = 0; i < s.rank(); ++i)
    if (i != d) (i < d ? outer : inner) *= s[i];
  const Index n = s[d];
  if (x.numel() == 0) return;
  const T* from = x.data();
  To* to = y.mutable_data();
  const Index width = inner < cpu::kCumsumColumns ? inner : cpu::kCumsumColumns;
  const Index blocks = (inner + width - 1) / width;
  parallel_for(outer * blocks, cpu::rows_grain(n * width), [&](Index begin, Index end) {
    for (Index item = begin; item < end; ++item) {
      const Index c = item % blocks * width, count = inner - c < width ? inner - c : width;
      const Index first = (item / blocks * n + (reverse ? n - 1 : 0)) * inner + c;
      cpu::cumsum_columns(to + first, from + first, n, reverse ? -inner : inner, count);
    }
  });
}

TMOR_END
