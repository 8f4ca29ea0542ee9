#pragma once
/// @file index.hpp
/// Reading and adding at positions given by integers, on the CPU. Tensors are contiguous and seen as
/// (outer, n, inner), the positions lie along the middle. Where several positions are equal, their values are
/// added in the order of the positions, by one thread: the same bits every time.

#include <algorithm>

#include "tmor/core/tensor.hpp"
#include "tmor/cpu/loop.hpp"

TMOR_BEGIN

namespace cpu {
inline Index index_grain(Index elements) { return kLoopGrain / (elements > 0 ? elements : 1) + 1; }
}  // namespace cpu

/// Position of the first of `ids` outside [0, n), or -1.
inline Index run_find_outside(Cpu, const Tensor<Index, Cpu>& ids, Index n) {
  const Index* p = ids.data();
  const Index count = ids.numel();
  for (Index i = 0; i < count; ++i)
    if (p[i] < 0 || p[i] >= n) return i;
  return -1;
}

/// Every row's label as the number of the first row that has it, and one share of as many as have it, where
/// `share` is defined. With `negative_alone` no two rows have the same negative label.
template <class C>
void run_first_with_label(Cpu, const Tensor<std::int64_t, Cpu>& labels, bool negative_alone,
                          const Tensor<C, Cpu>& first, const Tensor<C, Cpu>& share) {
  const Index n = labels.numel();
  const std::int64_t* label = labels.data();
  C *const out = first.mutable_data(), *const part = share.defined() ? share.mutable_data() : nullptr;
  std::vector<Index> order(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) order[static_cast<std::size_t>(i)] = i;
  std::sort(order.begin(), order.end(),
            [&](Index a, Index b) { return label[a] != label[b] ? label[a] < label[b] : a < b; });
  for (std::size_t i = 0, j; i < order.size(); i = j) {
    const bool alone = negative_alone && label[order[i]] < 0;
    for (j = i + 1; !alone && j < order.size() && label[order[j]] == label[order[i]];) ++j;
    for (std::size_t k = i; k < j; ++k) {
      out[order[k]] = static_cast<C>(order[i]);
      if (part) part[order[k]] = C(1) / static_cast<C>(j - i);
    }
  }
}

/// y[o, j, :] = x[o, ids[j], :] for y (outer, k, inner), x (outer, n, inner), ids (k).
template <class T>
void run_index_select(Cpu, const Tensor<T, Cpu>& y, const Tensor<T, Cpu>& x, const Tensor<Index, Cpu>& ids) {
  const Index n = x.size(1), k = y.size(1), inner = y.size(2);
  const T* from = x.data();
  const Index* id = ids.data();
  T* to = y.mutable_data();
  if (y.numel() == 0) return;
  parallel_for(y.size(0) * k, cpu::index_grain(inner), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i)
      std::memcpy(static_cast<void*>(to + i * inner), from + (i / k * n + id[i % k]) * inner,
                  static_cast<std::size_t>(inner) * sizeof(T));
  });
}

/// x[o, ids[j], :] += dy[o, j, :], the reverse of `run_index_select`.
template <class T>
void run_index_add(Cpu, const Tensor<T, Cpu>& x, const Tensor<T, Cpu>& dy, const Tensor<Index, Cpu>& ids) {
  using C = compute_t<T>;
  const Index n = x.size(1), k = dy.size(1), inner = dy.size(2);
  if (dy.numel() == 0) return;
  // Positions with the same target side by side, in their order.
  const Index* id = ids.data();
  std::vector<Index> order(static_cast<std::size_t>(k)), starts;
  for (Index j = 0; j < k; ++j) order[static_cast<std::size_t>(j)] = j;
  std::sort(order.begin(), order.end(),
            [id](Index a, Index b) { return id[a] != id[b] ? id[a] < id[b] : a < b; });
  for (Index j = 0; j < k; ++j) {
    const auto i = static_cast<std::size_t>(j);
    if (j == 0 || id[order[i]] != id[order[i - 1]]) starts.push_back(j);
  }
  starts.push_back(k);
  const Index groups = static_cast<Index>(starts.size()) - 1;
  const T* from = dy.data();
  T* to = x.mutable_data();
  parallel_for(x.size(0) * groups, cpu::index_grain(inner * (k / groups)), [&](Index begin, Index end) {
    constexpr Index kWidth = 512;
    C sum[kWidth];
    for (Index i = begin; i < end; ++i) {
      const auto g = static_cast<std::size_t>(i % groups);
      const Index outer = i / groups, target = id[order[static_cast<std::size_t>(starts[g])]];
      for (Index c = 0; c < inner; c += kWidth) {
        const Index width = inner - c < kWidth ? inner - c : kWidth;
        T* row = to + (outer * n + target) * inner + c;
        for (Index e = 0; e < width; ++e) sum[e] = static_cast<C>(row[e]);
        for (Index j = starts[g]; j < starts[g + 1]; ++j) {
          const T* add = from + (outer * k + order[static_cast<std::size_t>(j)]) * inner + c;
          for (Index e = 0; e < width; ++e) sum[e] += static_cast<C>(add[e]);
        }
        for (Index e = 0; e < width; ++e) row[e] = static_cast<T>(sum[e]);
      }
    }
  });
}

/// y[o, j, i] = x[o, ids[o, j, i], i] for y and ids (outer, k, inner), x (outer, n, inner).
template <class T>
void run_gather(Cpu, const Tensor<T, Cpu>& y, const Tensor<T, Cpu>& x, const Tensor<Index, Cpu>& ids) {
  const Index n = x.size(1), k = y.size(1), inner = y.size(2);
  const T* from = x.data();
  const Index* id = ids.data();
  T* to = y.mutable_data();
  if (y.numel() == 0) return;
  parallel_for(y.size(0) * k, cpu::index_grain(inner), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row)
      for (Index i = 0; i < inner; ++i) {
        const Index at = row * inner + i;
        to[at] = from[(row / k * n + id[at]) * inner + i];
      }
  });
}

/// x[o, ids[o, j, i], i] += v[o, j, i], the reverse of `run_gather`.
template <class T>
void run_scatter_add(Cpu, const Tensor<T, Cpu>& x, const Tensor<T, Cpu>& v, const Tensor<Index, Cpu>& ids) {
  const Index n = x.size(1), k = v.size(1), inner = v.size(2);
  T* to = x.mutable_data();
  const T* from = v.data();
  const Index* id = ids.data();
  if (v.numel() == 0) return;
  parallel_for(v.size(0), cpu::index_grain(k * inner), [&](Index begin, Index end) {
    for (Index o = begin; o < end; ++o)
      for (Index at = o * k * inner; at < (o + 1) * k * inner; ++at) {
        T& target = to[(o * n + id[at]) * inner + at % inner];
        target = static_cast<T>(target + from[at]);
      }
  });
}

TMOR_END
