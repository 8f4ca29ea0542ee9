#pragma once
/// @file each.cuh
/// The simplest kernel: a body called for every index below n. And `Nest`, what a loop over strided,
/// broadcast operands (core/loop_plan.hpp) looks like inside a kernel.

#include "tmor/core/each.hpp"
#include "tmor/core/loop_plan.hpp"
#include "tmor/cuda/device.hpp"
#include "tmor/cuda/launch.cuh"

TMOR_BEGIN
namespace cuda {

/// Threads of a block of `for_each`, of which 8 are to fit on a multiprocessor: then a thread may have 64
/// registers, where the compiler's own choice, 32, would spill some.
inline constexpr unsigned kEachThreads = 128, kEachBlocks = 8;

template <class Body>
__global__ void __launch_bounds__(kEachThreads, kEachBlocks) each_index(Body body, Index n) {
  for (Index i = thread_index(); i < n; i += thread_count()) body(i);
}

/// `body(i)` for 0 <= i < n, each by one thread, in no order. `body` is a struct of values with a TMOR_HD
/// operator(); `name` is for errors.
template <class Body> void for_each(const char* name, Index n, const Body& body) {
  if (n > 0) launch({name, blocks_for(n, kEachThreads), kEachThreads}, each_index<Body>, body, n);
}

/// Sizes and, for each of `K` operands, strides in elements; the last dimension is fastest.
template <int K> struct Nest {
  int rank = 0;
  bool narrow = true;  ///< all indices fit 32 bits, whose divisions are faster
  Index size[Shape::kMaxRank] = {};
  Index stride[K][Shape::kMaxRank] = {};

  Nest() = default;
  /// The first `K` operands of `plan`; the dimensions for which `take(d)` holds.
  template <class Take> Nest(const LoopPlan& plan, Take take) {
    for (int d = 0; d < plan.rank; ++d)
      if (take(d)) {
        size[rank] = plan.size[d];
        for (int o = 0; o < K; ++o) stride[o][rank] = plan.stride[o][d];
        ++rank;
      }
    narrow = count() < (Index{1} << 31);
  }
  explicit Nest(const LoopPlan& plan) : Nest(plan, [](int) { return true; }) {}

  Index count() const {
    Index n = 1;
    for (int d = 0; d < rank; ++d) n *= size[d];
    return n;
  }
  /// at[o] += offset of element `i` in operand o.
  TMOR_HD void add_offsets(Index i, Index* at) const {
    for (int d = rank - 1; d >= 0; --d) {
      const Index digit = take_digit(i, size[d], narrow);
      for (int o = 0; o < K; ++o) at[o] += digit * stride[o][d];
    }
  }
};

}  // namespace cuda

/// See core/each.hpp.
template <class Body> void run_each(Cuda, const char* name, Index n, const Body& body) {
  cuda::for_each(name, n, body);
}

TMOR_END
