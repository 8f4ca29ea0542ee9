#pragma once
/// @file loop.hpp
/// How a loop over broadcast, strided operands runs on the CPU: dimensions are merged where every operand
/// allows it, a kernel runs along the innermost one, the rest is split over threads in pieces that depend on
/// the shape alone. Everything but the kernel is compiled once, whatever the element types and the operation.

#include "tmor/core/loop_plan.hpp"
#include "tmor/core/parallel.hpp"

TMOR_BEGIN

namespace cpu {

/// Elements a thread takes at a time in memory-bound loops.
inline constexpr Index kLoopGrain = 32768;

/// A loop nest, and the pieces it is dealt into: rows, each cut into blocks of at most kLoopGrain elements.
struct LoopPlan : tmor::LoopPlan {
  using tmor::LoopPlan::LoopPlan;

  Index block() const { return inner() < kLoopGrain ? (inner() > 0 ? inner() : 1) : kLoopGrain; }
  Index pieces_per_row() const { return (inner() + block() - 1) / block(); }
  Index pieces() const { return rows() * pieces_per_row(); }
  /// Pieces that make about `kLoopGrain` elements.
  Index grain() const { return kLoopGrain / block(); }
};

/// Works along part of a row: operand `o` lies at `row[o]` with `stride[o]` elements between neighbours.
/// `chunk` is the number of the group of pieces it belongs to.
using RowKernel = void (*)(const void* context, Index chunk, void* const* row, const Index* stride,
                           Index count);

/// Runs `kernel` over every piece of `plan` (merged); `grain` pieces make a chunk, and run in order on one
/// thread.
[[gnu::noinline]] inline void run_loop(const LoopPlan& p, Index grain, RowKernel kernel,
                                       const void* context) {
  const Index n = p.inner(), block = p.block(), per_row = p.pieces_per_row();
  const int last = p.rank - 1;
  Index inner_stride[LoopPlan::kMaxOperands];
  for (int o = 0; o < p.operands; ++o) inner_stride[o] = p.stride[o][last];
  parallel_chunks(p.pieces(), grain, [&](Index chunk, Index begin, Index end) {
    Index at[Shape::kMaxRank] = {}, left = begin / per_row;
    Index offset[LoopPlan::kMaxOperands] = {};
    for (int d = last - 1; d >= 0; --d) {
      at[d] = left % p.size[d];
      left /= p.size[d];
      for (int o = 0; o < p.operands; ++o) offset[o] += at[d] * p.stride[o][d];
    }
    Index piece = begin % per_row;
    for (Index i = begin; i < end; ++i) {
      void* row[LoopPlan::kMaxOperands];
      const Index b = piece * block;
      for (int o = 0; o < p.operands; ++o)
        row[o] = p.data[o] + (offset[o] + b * inner_stride[o]) * p.element[o];
      kernel(context, chunk, row, inner_stride, n - b < block ? n - b : block);
      if (++piece < per_row) continue;
      piece = 0;
      // Walk the rows like an odometer: dividing for each short row would cost more than the row.
      for (int d = last - 1; d >= 0; --d) {
        for (int o = 0; o < p.operands; ++o) offset[o] += p.stride[o][d];
        if (++at[d] < p.size[d]) break;
        at[d] = 0;
        for (int o = 0; o < p.operands; ++o) offset[o] -= p.size[d] * p.stride[o][d];
      }
    }
  });
}

}  // namespace cpu

TMOR_END
