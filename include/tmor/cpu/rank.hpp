#pragma once
/// @file rank.hpp
/// Orders, positions and running sums along rows on the CPU. A NaN counts as larger than every number; of
/// equal values the first comes first.

#include <algorithm>

#include "tmor/core/tensor.hpp"
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

/// at[i] = position of the largest (or smallest) of row i of `x` (rows, n), contiguous; a NaN wins always.
template <class T>
void run_extreme_index(Cpu, const Tensor<Index, Cpu>& at, const Tensor<T, Cpu>& x, bool largest) {
  const Index n = x.size(1);
  const T* p = x.data();
  Index* out = at.mutable_data();
  parallel_for(x.size(0), cpu::rows_grain(n), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const T* row = p + i * n;
      Index best = 0;
      bool nan = cpu::is_nan(row[0]);
      for (Index j = 1; j < n && !nan; ++j) {
        nan = cpu::is_nan(row[j]);
        if (nan || (largest ? row[j] > row[best] : row[j] < row[best])) best = j;
      }
      out[i] = best;
    }
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
        if (!nan_a && row[a] != row[b]) return largest ? row[a] > row[b] : row[a] < row[b];
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

/// Running sums of the contiguous `x` along dimension `d`, from the last element back where `reverse`.
template <class To, class T>
void run_cumsum(Cpu, const Tensor<To, Cpu>& y, const Tensor<T, Cpu>& x, int d, bool reverse) {
  const Shape& s = x.shape();
  Index outer = 1, inner = 1;
  for (int i = 0; i < s.rank(); ++i)
    if (i != d) (i < d ? outer : inner) *= s[i];
  const Index n = s[d];
  if (x.numel() == 0) return;
  const T* p = x.data();
  To* out = y.mutable_data();
  constexpr Index kWidth = 256;
  const Index width = inner < kWidth ? inner : kWidth, blocks = (inner + width - 1) / width;
  parallel_for(outer * blocks, cpu::rows_grain(n * width), [&](Index begin, Index end) {
    for (Index item = begin; item < end; ++item) {
      const Index c = item % blocks * width, count = inner - c < width ? inner - c : width;
      const Index start = item / blocks * n * inner + c;
      compute_t<To> total[kWidth] = {};
      for (Index t = 0; t < n; ++t) {
        const Index at = start + (reverse ? n - 1 - t : t) * inner;
        for (Index j = 0; j < count; ++j) {
          total[j] += static_cast<compute_t<To>>(p[at + j]);
          out[at + j] = static_cast<To>(total[j]);
        }
      }
    }
  });
}

TMOR_END
