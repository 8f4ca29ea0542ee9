#pragma once
/// @file index.cuh
/// Reading and adding at positions given by integers, orders and running sums, on the GPU; what each function
/// does is said in cpu/index.hpp and cpu/rank.hpp. No floating-point atomics: values with the same target are
/// added by one thread in the order of their positions.

#include <algorithm>

#include "tmor/core/tensor.hpp"
#include "tmor/cuda/block.cuh"
#include "tmor/cuda/pointwise.cuh"

TMOR_BEGIN
namespace cuda {

struct FindOutside {
  const Index* ids;
  Index n;
  unsigned long long* first;
  TMOR_HD void operator()(Index i) const {
#if defined(__CUDA_ARCH__) || defined(TMOR_CUDA_EMULATED)
    if (ids[i] < 0 || ids[i] >= n) atomicMin(first, static_cast<unsigned long long>(i));
#endif
  }
};
/// Element e of (outer, k, inner).
template <class T> struct SelectRows {
  T* y;
  const T* x;
  const Index* ids;
  Index n, k, inner;
  TMOR_HD void operator()(Index e) const {
    const Index i = e % inner, row = e / inner;
    y[e] = x[(row / k * n + ids[row % k]) * inner + i];
  }
};
/// Element e of (outer, groups, inner): the rows order[start[g]], ... all go to one target.
template <class T> struct AddRows {
  T* x;
  const T* dy;
  const Index *ids, *order, *start;
  Index n, k, inner, groups;
  TMOR_HD void operator()(Index e) const {
    const Index i = e % inner, g = e / inner % groups, outer = e / inner / groups;
    T& to = x[(outer * n + ids[order[start[g]]]) * inner + i];
    compute_t<T> sum = static_cast<compute_t<T>>(to);
    for (Index j = start[g]; j < start[g + 1]; ++j)
      sum += static_cast<compute_t<T>>(dy[(outer * k + order[j]) * inner + i]);
    to = static_cast<T>(sum);
  }
};
template <class T> struct Gather {
  T* y;
  const T* x;
  const Index* ids;
  Index n, k, inner;
  TMOR_HD void operator()(Index e) const { y[e] = x[(e / inner / k * n + ids[e]) * inner + e % inner]; }
};
/// Column e of (outer, inner), its k values in order.
template <class T> struct ScatterAdd {
  T* x;
  const T* v;
  const Index* ids;
  Index n, k, inner;
  TMOR_HD void operator()(Index e) const {
    const Index outer = e / inner, i = e % inner;
    for (Index j = 0; j < k; ++j) {
      const Index at = (outer * k + j) * inner + i;
      T& to = x[(outer * n + ids[at]) * inner + i];
      to = static_cast<T>(to + v[at]);
    }
  }
};
template <class T> struct ScatterRows {
  T* y;
  const Index* at;
  const T* v;
  Index n, k;
  TMOR_HD void operator()(Index e) const { y[e / k * n + at[e]] = v[e]; }
};
template <class To, class T> struct RunningSums {
  To* y;
  const T* x;
  Index n, inner;
  bool reverse;
  TMOR_HD void operator()(Index e) const {
    const Index first = e / inner * n * inner + e % inner;
    compute_t<To> total(0);
    for (Index t = 0; t < n; ++t) {
      const Index at = first + (reverse ? n - 1 - t : t) * inner;
      total += static_cast<compute_t<To>>(x[at]);
      y[at] = static_cast<To>(total);
    }
  }
};

/// Which of two comes first: the larger or the smaller, and where NaN stands.
struct RankOrder {
  bool largest, nan_first;
};
/// A place in that order; of equal values the earlier comes first.
template <class C> struct Ranked {
  C value;
  Index at;  ///< -1: nothing

  TMOR_HD static bool is_nan(C x) {
    if constexpr (std::is_same_v<C, float> || std::is_same_v<C, double>) {
      const auto magnitude = detail::to_bits(x) & detail::Format<C>::magnitude_mask;
      return magnitude > detail::to_bits(std::numeric_limits<C>::infinity());
    } else {
      return false;
    }
  }
  TMOR_HD bool before(const Ranked& o, RankOrder order) const {
    if (at < 0 || o.at < 0) return o.at < 0 && at >= 0;
    const bool nan = is_nan(value), o_nan = is_nan(o.value);
    if (nan != o_nan) return nan == order.nan_first;
    if (!nan && value != o.value) return (value > o.value) == order.largest;
    return at < o.at;
  }
};
template <class C> __device__ inline Ranked<C> lane_xor(Ranked<C> v, int mask) {
  return {lane_xor(v.value, mask), lane_xor(v.at, mask)};
}
/// The k first of each row, one after the other.
template <class T, class C>
__global__ void __launch_bounds__(kMostThreads)
    rank_rows(Index* out, const T* x, Index rows, Index n, Index k, RankOrder order) {
  for (Index row = blockIdx.x; row < rows; row += gridDim.x) {
    Ranked<C> last{C(0), -1};
    for (Index j = 0; j < k; ++j) {
      Ranked<C> best{C(0), -1};
      for (Index i = threadIdx.x; i < n; i += blockDim.x) {
        const Ranked<C> v{static_cast<C>(x[row * n + i]), i};
        if ((j == 0 || last.before(v, order)) && v.before(best, order)) best = v;
      }
      last = block_reduce(best, [order](const auto& a, const auto& b) { return b.before(a, order) ? b : a; });
      if (threadIdx.x == 0) out[row * k + j] = last.at;
    }
  }
}
template <class T>
void rank(const Tensor<Index, Cuda>& at, const Tensor<T, Cuda>& x, Index k, RankOrder order) {
  constexpr Index most = Index{1} << 20;
  const Index rows = x.size(0), n = x.size(1);
  if (rows > 0 && k > 0)
    launch({"rank", static_cast<unsigned>(rows < most ? rows : most), threads_for(n)},
           rank_rows<T, compute_t<T>>, at.mutable_data(), x.data(), rows, n, k, order);
}

}  // namespace cuda

inline Index run_find_outside(Cuda, const Tensor<Index, Cuda>& ids, Index n) {
  using Word = unsigned long long;
  static_assert(sizeof(Word) == sizeof(Index));
  const auto first = Tensor<Index, Cuda>::full({}, Index{-1});  // as unsigned: more than any position
  cuda::for_each("find_outside", ids.numel(),
                 cuda::FindOutside{ids.data(), n, reinterpret_cast<Word*>(first.mutable_data())});
  return first.item();
}
template <class T>
void run_index_select(Cuda, const Tensor<T, Cuda>& y, const Tensor<T, Cuda>& x,
                      const Tensor<Index, Cuda>& ids) {
  cuda::for_each(
      "index_select", y.numel(),
      cuda::SelectRows<T>{y.mutable_data(), x.data(), ids.data(), x.size(1), y.size(1), y.size(2)});
}
/// The positions are put in the order of their targets by the host.
template <class T>
void run_index_add(Cuda, const Tensor<T, Cuda>& x, const Tensor<T, Cuda>& dy,
                   const Tensor<Index, Cuda>& ids) {
  const Index k = dy.size(1), inner = dy.size(2);
  if (dy.numel() == 0) return;
  const std::vector<Index> id = ids.to_vector();
  const auto target = [&](Index j) { return id[static_cast<std::size_t>(j)]; };
  std::vector<Index> order(static_cast<std::size_t>(k)), start;
  for (Index j = 0; j < k; ++j) order[static_cast<std::size_t>(j)] = j;
  std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) { return target(a) < target(b); });
  for (std::size_t j = 0; j < order.size(); ++j)
    if (j == 0 || target(order[j]) != target(order[j - 1])) start.push_back(static_cast<Index>(j));
  const Index groups = static_cast<Index>(start.size());
  start.push_back(k);
  const auto d_order = Tensor<Index, Cuda>::from(order), d_start = Tensor<Index, Cuda>::from(start);
  cuda::for_each("index_add", x.size(0) * groups * inner,
                 cuda::AddRows<T>{x.mutable_data(), dy.data(), ids.data(), d_order.data(), d_start.data(),
                                  x.size(1), k, inner, groups});
}
template <class T>
void run_gather(Cuda, const Tensor<T, Cuda>& y, const Tensor<T, Cuda>& x, const Tensor<Index, Cuda>& ids) {
  cuda::for_each("gather", y.numel(),
                 cuda::Gather<T>{y.mutable_data(), x.data(), ids.data(), x.size(1), y.size(1), y.size(2)});
}
template <class T>
void run_scatter_add(Cuda, const Tensor<T, Cuda>& x, const Tensor<T, Cuda>& v,
                     const Tensor<Index, Cuda>& ids) {
  cuda::for_each(
      "scatter_add", v.size(0) * v.size(2),
      cuda::ScatterAdd<T>{x.mutable_data(), v.data(), ids.data(), x.size(1), v.size(1), v.size(2)});
}
template <class T>
void run_extreme_index(Cuda, const Tensor<Index, Cuda>& at, const Tensor<T, Cuda>& x, bool largest) {
  cuda::rank(at, x, 1, {largest, true});
}
template <class T>
void run_topk_index(Cuda, const Tensor<Index, Cuda>& at, const Tensor<T, Cuda>& x, bool largest) {
  cuda::rank(at, x, at.size(1), {largest, largest});
}
template <class T>
void run_scatter_rows(Cuda, const Tensor<T, Cuda>& y, const Tensor<Index, Cuda>& at,
                      const Tensor<T, Cuda>& v) {
  cuda::for_each("scatter_rows", v.numel(),
                 cuda::ScatterRows<T>{y.mutable_data(), at.data(), v.data(), y.size(1), at.size(1)});
}
template <class To, class T>
void run_cumsum(Cuda, const Tensor<To, Cuda>& y, const Tensor<T, Cuda>& x, int d, bool reverse) {
  Index inner = 1;
  for (int i = d + 1; i < x.rank(); ++i) inner *= x.shape()[i];
  const Index n = x.shape()[d];
  if (x.numel() > 0)
    cuda::for_each("cumsum", x.numel() / n,
                   cuda::RunningSums<To, T>{y.mutable_data(), x.data(), n, inner, reverse});
}

TMOR_END
