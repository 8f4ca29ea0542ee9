#pragma once
/// @file index.cuh
/// Reading and adding at positions given by integers, orders and running sums, on the GPU; what each function
/// does is said in cpu/index.hpp and cpu/rank.hpp. No floating-point atomics: values with the same target are
/// added by one thread in the order of their positions.

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
/// Is a position one of n? Others come here in graphs only, whose positions nobody has checked.
TMOR_HD inline bool inside(Index id, Index n) { return id >= 0 && id < n; }
/// What stands at a position outside.
template <class T> TMOR_HD T nowhere() {
  if constexpr (is_floating<T>) {
    return static_cast<T>(std::numeric_limits<compute_t<T>>::quiet_NaN());
  } else {
    return T(0);
  }
}
/// Element e of (outer, k, inner).
template <class T> struct SelectRows {
  T* y;
  const T* x;
  const Index* ids;
  Index n, k, inner;
  TMOR_HD void operator()(Index e) const {
    const Index i = e % inner, row = e / inner, id = ids[row % k];
    y[e] = inside(id, n) ? x[(row / k * n + id) * inner + i] : nowhere<T>();
  }
};
/// Equal positions as a chain in their order: who comes after position `j`, -1 behind the last; and is it the
/// first?
struct ChainEqual {
  const Index* ids;
  Index k;
  Index* next;
  bool* first;
  TMOR_HD void operator()(Index j) const {
    Index i = j - 1;
    while (i >= 0 && ids[i] != ids[j]) --i;
    first[j] = i < 0;
    for (i = j + 1; i < k && ids[i] != ids[j];) ++i;
    next[j] = i < k ? i : -1;
  }
};
/// Element e of (outer, k, inner): the first of a chain adds all of it.
template <class T> struct AddRows {
  T* x;
  const T* dy;
  const Index *ids, *next;
  const bool* first;
  Index n, k, inner;
  TMOR_HD void operator()(Index e) const {
    const Index i = e % inner, at = e / inner % k, outer = e / inner / k;
    if (!first[at] || !inside(ids[at], n)) return;
    T& to = x[(outer * n + ids[at]) * inner + i];
    compute_t<T> sum = static_cast<compute_t<T>>(to);
    for (Index j = at; j >= 0; j = next[j]) sum += static_cast<compute_t<T>>(dy[(outer * k + j) * inner + i]);
    to = static_cast<T>(sum);
  }
};
template <class T> struct Gather {
  T* y;
  const T* x;
  const Index* ids;
  Index n, k, inner;
  TMOR_HD void operator()(Index e) const {
    y[e] = inside(ids[e], n) ? x[(e / inner / k * n + ids[e]) * inner + e % inner] : nowhere<T>();
  }
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
      if (!inside(ids[at], n)) continue;
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

/// Row i among n labels.
template <class C> struct FirstWithLabel {
  const std::int64_t* labels;
  Index n;
  bool negative_alone;
  C *first, *share;
  TMOR_HD void operator()(Index i) const {
    Index found = i, count = 1;
    if (!(negative_alone && labels[i] < 0)) {
      count = 0;
      for (Index j = n - 1; j >= 0; --j)
        if (labels[j] == labels[i]) found = j, ++count;
    }
    first[i] = static_cast<C>(found);
    if (share) share[i] = C(1) / static_cast<C>(count);
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
  if (cuda_capturing()) return -1;  // nobody can say
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
/// No sorting, so that it needs no host: k steps of k threads for the chains, which take less time than a
/// trip to the host up to some 10^5 positions.
template <class T>
void run_index_add(Cuda, const Tensor<T, Cuda>& x, const Tensor<T, Cuda>& dy,
                   const Tensor<Index, Cuda>& ids) {
  const Index k = dy.size(1), inner = dy.size(2);
  if (dy.numel() == 0) return;
  const auto next = Tensor<Index, Cuda>::empty({k});
  const auto first = Tensor<bool, Cuda>::empty({k});
  cuda::for_each("chain of positions", k,
                 cuda::ChainEqual{ids.data(), k, next.mutable_data(), first.mutable_data()});
  cuda::for_each("index_add", dy.numel(),
                 cuda::AddRows<T>{x.mutable_data(), dy.data(), ids.data(), next.data(), first.data(),
                                  x.size(1), k, inner});
}
template <class C>
void run_first_with_label(Cuda, const Tensor<std::int64_t, Cuda>& labels, bool negative_alone,
                          const Tensor<C, Cuda>& first, const Tensor<C, Cuda>& share) {
  const Index n = labels.numel();
  cuda::for_each("first_with_label", n,
                 cuda::FirstWithLabel<C>{labels.data(), n, negative_alone, first.mutable_data(),
                                         share.defined() ? share.mutable_data() : nullptr});
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
