#pragma once
/// @file loop.hpp
/// How a loop over broadcast, strided operands runs on the CPU: dimensions are merged where every operand
/// allows it, a kernel runs along the innermost one, the rest is split over threads in pieces that depend on
/// the shape alone. Everything but the kernel is compiled once, whatever the element types and the operation.

#include "tmor/core/parallel.hpp"
#include "tmor/core/shape.hpp"

TMOR_BEGIN

namespace cpu {

/// Elements a thread takes at a time in memory-bound loops.
inline constexpr Index kLoopGrain = 32768;

/// A loop nest over arrays; strides are in elements and 0 where an operand is broadcast.
struct LoopPlan {
  static constexpr int kMaxOperands = 8;
  int rank = 0, operands = 0;
  Index size[Shape::kMaxRank] = {};
  Index stride[kMaxOperands][Shape::kMaxRank] = {};
  char* data[kMaxOperands] = {};
  Index element[kMaxOperands] = {};  ///< bytes

  explicit LoopPlan(const Shape& shape) : rank(shape.rank()) {
    for (int d = 0; d < rank; ++d) size[d] = shape[d];
  }
  /// Adds an operand of that shape and strides, broadcast to the loop's shape. Returns its number.
  [[gnu::noinline]] int add(const Shape& shape, const Shape& strides, const void* p = nullptr,
                            std::size_t element_bytes = 0) {
    const int lead = rank - shape.rank();
    for (int d = 0; d < rank; ++d)
      stride[operands][d] = d < lead || shape[d - lead] == 1 ? 0 : strides[d - lead];
    data[operands] = static_cast<char*>(const_cast<void*>(p));
    element[operands] = static_cast<Index>(element_bytes);
    return operands++;
  }
  /// Drops dimensions of size 1 and merges neighbours that every operand walks as one. Leaves rank >= 1.
  [[gnu::noinline]] void merge() {
    int r = 0;
    for (int d = 0; d < rank; ++d) {
      if (size[d] == 1) continue;
      bool joins = r > 0;
      for (int o = 0; o < operands && joins; ++o) joins = stride[o][r - 1] == stride[o][d] * size[d];
      if (joins) {
        size[r - 1] *= size[d];
        for (int o = 0; o < operands; ++o) stride[o][r - 1] = stride[o][d];
      } else {
        size[r] = size[d];
        for (int o = 0; o < operands; ++o) stride[o][r] = stride[o][d];
        ++r;
      }
    }
    if (r == 0) {
      size[0] = 1;
      for (int o = 0; o < operands; ++o) stride[o][0] = 0;
      r = 1;
    }
    rank = r;
  }
  Index inner() const { return size[rank - 1]; }
  Index rows() const {
    Index n = 1;
    for (int d = 0; d + 1 < rank; ++d) n *= size[d];
    return n;
  }

  // The pieces the loop is dealt into: rows, each cut into blocks of at most kLoopGrain elements.
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
