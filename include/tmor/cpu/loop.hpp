#pragma once
/// @file loop.hpp
/// How a loop over broadcast, strided operands runs on the CPU: dimensions are merged where every operand
/// allows it, the innermost runs in the caller's kernel, the rest is split over threads in blocks that depend
/// on the shape alone.

#include "tmor/core/parallel.hpp"
#include "tmor/core/shape.hpp"

TMOR_BEGIN

namespace cpu {

/// A loop nest over `operands` arrays; strides are in elements and 0 where an operand is broadcast.
struct LoopPlan {
  static constexpr int kMaxOperands = 8;
  int rank = 0, operands = 0;
  Index size[Shape::kMaxRank] = {};
  Index stride[kMaxOperands][Shape::kMaxRank] = {};

  explicit LoopPlan(const Shape& shape) : rank(shape.rank()) {
    for (int d = 0; d < rank; ++d) size[d] = shape[d];
  }
  /// Adds an operand of that shape and strides, broadcast to the loop's shape. Returns its number.
  int add(const Shape& shape, const Shape& strides) {
    const int lead = rank - shape.rank();
    for (int d = 0; d < rank; ++d)
      stride[operands][d] = d < lead || shape[d - lead] == 1 ? 0 : strides[d - lead];
    return operands++;
  }
  /// Drops dimensions of size 1 and merges neighbours that every operand walks as one. Leaves rank >= 1.
  void merge() {
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
  /// Offsets of every operand at row `row` (all dimensions but the innermost, row-major).
  void offsets_at(Index row, Index* offset) const {
    for (int o = 0; o < operands; ++o) offset[o] = 0;
    for (int d = rank - 2; d >= 0; --d) {
      const Index i = row % size[d];
      row /= size[d];
      for (int o = 0; o < operands; ++o) offset[o] += i * stride[o][d];
    }
  }
};

/// Elements a thread takes at a time in memory-bound loops.
inline constexpr Index kLoopGrain = 32768;

/// Pieces a loop is dealt into: rows, each cut into blocks of at most `kLoopGrain` elements.
struct RowPieces {
  Index block, per_row, total;
  explicit RowPieces(const LoopPlan& p) {
    const Index n = p.inner();
    block = n < kLoopGrain ? (n > 0 ? n : 1) : kLoopGrain;
    per_row = (n + block - 1) / block;
    total = p.rows() * per_row;
  }
  /// Pieces that make about `kLoopGrain` elements.
  Index grain() const { return kLoopGrain / block; }
};

/// Calls `f(chunk, offsets, begin, count)` for every piece: `offsets[o]` is where operand `o`'s row starts,
/// [begin, begin+count) the part of the innermost dimension, `chunk` the number of the group of `grain`
/// pieces it belongs to; pieces of one chunk run in order on one thread.
template <class F> void for_each_piece(const LoopPlan& p, Index grain, F&& f) {
  const RowPieces pieces(p);
  const Index n = p.inner();
  parallel_chunks(pieces.total, grain, [&](Index chunk, Index begin, Index end) {
    Index offset[LoopPlan::kMaxOperands], at[Shape::kMaxRank];
    // Walk the rows like an odometer: dividing for each short row would cost more than the row.
    Index row = begin / pieces.per_row, piece = begin % pieces.per_row, left = row;
    for (int d = p.rank - 2; d >= 0; --d) {
      at[d] = left % p.size[d];
      left /= p.size[d];
    }
    p.offsets_at(row, offset);
    for (Index i = begin; i < end; ++i) {
      const Index b = piece * pieces.block;
      f(chunk, static_cast<const Index*>(offset), b, n - b < pieces.block ? n - b : pieces.block);
      if (++piece < pieces.per_row) continue;
      piece = 0;
      for (int d = p.rank - 2; d >= 0; --d) {
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
