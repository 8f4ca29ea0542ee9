#pragma once
/// @file update.cuh
/// Optimiser steps, averages and gradient norms on the GPU: one launch for as many tensors as fit into a
/// kernel's parameters. `Part` is UpdatePart or ReadPart of cpu/update.hpp.

#include "tmor/cuda/pointwise.cuh"

TMOR_BEGIN
namespace cuda {

template <class Part> struct Updates {
  static constexpr int kMost = sizeof(Part) > 1700 ? 1
                                                   : static_cast<int>(3400 / (sizeof(Part) + sizeof(Index)));
  Part part[kMost];
  Index first[kMost + 1];  ///< element of each part, of all of them
  int count;

  TMOR_HD void operator()(Index e) const {
    int low = 0, high = count;  // the part that e is in lies in [low, high)
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      (first[middle] <= e ? low : high) = middle;
    }
    const Part& p = part[low];
    using T = std::remove_pointer_t<std::remove_extent_t<decltype(p.data)>>;
    constexpr int k_arrays = static_cast<int>(std::extent_v<decltype(p.data)>);
    const Index i = e - first[low];
    T x[k_arrays];
    for (int k = 0; k < k_arrays; ++k) x[k] = p.data[k][i];
    p.rule(x);
    for (int k = 0; k < decltype(p.rule)::writes; ++k) p.data[k][i] = x[k];
  }
};

template <class T> struct Square {
  const T* x;
  TMOR_HD double operator()(Index, const Index* at) const {
    const auto v = static_cast<double>(x[at[0]]);
    return v * v;
  }
};

}  // namespace cuda

template <class Part> void run_update(Cuda, const std::vector<Part>& parts) {
  // In a graph its rates would stay those of one step, and so many launches are few.
  detail::refuse_capture("a step of an optimiser or an average",
                         "its numbers change from step to step; take it after replay()");
  for (std::size_t i = 0; i < parts.size();) {
    cuda::Updates<Part> u{};
    for (; u.count < cuda::Updates<Part>::kMost && i < parts.size(); ++i) {
      u.part[u.count] = parts[i];
      u.first[u.count + 1] = u.first[u.count] + parts[i].numel;
      ++u.count;
    }
    cuda::for_each("update", u.first[u.count], u);
  }
}

/// Sum of the squares of all elements, in double and in a fixed order.
template <class Part> double sum_of_squares(Cuda, const std::vector<Part>& parts) {
  if (parts.empty()) return 0;
  const auto sums = Tensor<double, Cuda>::zeros({static_cast<Index>(parts.size())});
  double* out = sums.mutable_data();
  for (const Part& p : parts) {
    LoopPlan plan(Shape{p.numel});
    plan.add(Shape{p.numel}, Shape{1});
    plan.add(Shape{1}, Shape{1});
    cuda::reduce<double>("sum_of_squares", cuda::SumUp{}, cuda::Reduction<1>(plan, 1),
                         cuda::Square<std::remove_cvref_t<decltype(*p.data)>>{p.data}, out++);
  }
  double total = 0;
  for (double s : sums.to_vector()) total += s;
  return total;
}

TMOR_END
