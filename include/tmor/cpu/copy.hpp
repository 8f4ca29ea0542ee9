#pragma once
/// @file copy.hpp
/// Copies between strided layouts of the same element type, near the speed of memory also where rows become
/// columns. Elements are moved as bytes, so the code is compiled once for each element size.

#include "tmor/cpu/loop.hpp"

TMOR_BEGIN

namespace cpu {

/// A rectangle of `rows` x `columns` elements; strides in bytes.
struct CopyPlane {
  Index rows, columns;
  Index dst_row, dst_column, src_row, src_column;
};

namespace detail {

template <int Bytes> struct UnsignedOf;
template <> struct UnsignedOf<1> { using type = std::uint8_t; };
template <> struct UnsignedOf<2> { using type = std::uint16_t; };
template <> struct UnsignedOf<4> { using type = std::uint32_t; };
template <> struct UnsignedOf<8> { using type = std::uint64_t; };

/// A square of `N` x `N` elements in `N` vectors of 16 bytes.
template <int Bytes> struct CopySquare {
  static constexpr int N = 16 / Bytes;
  typedef typename UnsignedOf<Bytes>::type Vec __attribute__((vector_size(16)));

  /// The lower or the upper halves of `a` and `b`, element by element in turns. Written out, because nvcc
  /// does not take a list of lanes made by a pack.
  static TMOR_ALWAYS_INLINE Vec zip(Vec a, Vec b, bool high) {
    if constexpr (N == 2) {
      return high ? __builtin_shufflevector(a, b, 1, 3) : __builtin_shufflevector(a, b, 0, 2);
    } else if constexpr (N == 4) {
      return high ? __builtin_shufflevector(a, b, 2, 6, 3, 7) : __builtin_shufflevector(a, b, 0, 4, 1, 5);
    } else if constexpr (N == 8) {
      return high ? __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
                  : __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
    } else {
      return high
                 ? __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
                 : __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    }
  }
  /// dst[j][i] = src[i][j]: log2(N) rounds that interleave row i with row i + N/2.
  static TMOR_ALWAYS_INLINE void transpose(char* dst, Index dst_row, const char* src, Index src_row) {
    Vec v[N], w[N];
    for (int i = 0; i < N; ++i) __builtin_memcpy(&v[i], src + i * src_row, 16);
    for (int round = 1; round < N; round *= 2) {
      for (int i = 0; i < N / 2; ++i) {
        w[2 * i] = zip(v[i], v[i + N / 2], false);
        w[2 * i + 1] = zip(v[i], v[i + N / 2], true);
      }
      for (int i = 0; i < N; ++i) v[i] = w[i];
    }
    for (int i = 0; i < N; ++i) __builtin_memcpy(dst + i * dst_row, &v[i], 16);
  }
};

/// A plane whose rows lie element after element in `dst` and whose columns do in `src`. Goes through a tile
/// that takes whole cache lines from one side and gives whole ones to the other, so that strides which share
/// a cache set cost nothing.
template <int Bytes> void copy_transposed(const CopyPlane& p, char* dst, const char* src) {
  constexpr Index kLine = 64, side = kLine / Bytes, square = 16 / Bytes;
  alignas(64) char tile[side * kLine];
  const Index full_rows = p.rows / side * side, full_columns = p.columns / side * side;
  const auto edge = [&](Index r0, Index r1, Index c0, Index c1) {
    const auto scalars = [&](Index r, Index r_end, Index c_begin, Index c_end) {
      for (; r < r_end; ++r)
        for (Index c = c_begin; c < c_end; ++c)
          __builtin_memcpy(dst + r * p.dst_row + c * Bytes, src + r * Bytes + c * p.src_column, Bytes);
    };
    const Index r2 = r1 - (r1 - r0) % square, c2 = c1 - (c1 - c0) % square;
    for (Index c = c0; c < c2; c += square)
      for (Index r = r0; r < r2; r += square)
        CopySquare<Bytes>::transpose(dst + r * p.dst_row + c * Bytes, p.dst_row,
                                     src + r * Bytes + c * p.src_column, p.src_column);
    scalars(r0, r1, c2, c1);
    scalars(r2, r1, c0, c2);
  };
  for (Index c = 0; c < full_columns; c += side) {
    for (Index r = 0; r < full_rows; r += side) {
      if (c + side < full_columns)
        for (Index i = 0; i < side; ++i) __builtin_prefetch(src + (c + side + i) * p.src_column + r * Bytes);
      for (Index i = 0; i < side; i += square)
        for (Index j = 0; j < side; j += square)
          CopySquare<Bytes>::transpose(tile + j * kLine + i * Bytes, kLine,
                                       src + (c + i) * p.src_column + (r + j) * Bytes, p.src_column);
      for (Index j = 0; j < side; ++j)
        __builtin_memcpy(dst + (r + j) * p.dst_row + c * Bytes, tile + j * kLine, kLine);
    }
    edge(full_rows, p.rows, c, c + side);
  }
  edge(0, p.rows, full_columns, p.columns);
}

/// Any other plane.
template <int Bytes> void copy_rows(const CopyPlane& p, char* dst, const char* src) {
  const bool dense = p.dst_column == Bytes && p.src_column == Bytes;
  for (Index r = 0; r < p.rows; ++r, dst += p.dst_row, src += p.src_row) {
    if (dense && p.columns > 16) {
      std::memcpy(dst, src, static_cast<std::size_t>(p.columns) * Bytes);
    } else {
      for (Index c = 0; c < p.columns; ++c)
        __builtin_memcpy(dst + c * p.dst_column, src + c * p.src_column, Bytes);
    }
  }
}

/// The nest of a copy: planes inside, the outer dimensions around them.
struct CopyNest {
  LoopPlan plan;  ///< operands (dst, src), the dimension that is innermost in `dst` last
  CopyPlane plane{};
  bool transposed = false;
  int row_dim = -1;  ///< of the plan; the columns are its last dimension

  CopyNest(const Shape& shape, const Shape& dst_strides, const Shape& src_shape, const Shape& src_strides,
           Index bytes)
      : plan(shape) {
    plan.add(shape, dst_strides);
    plan.add(src_shape, src_strides);
    sort_by_dst();
    plan.merge();
    const int last = plan.rank - 1;
    row_dim = last - 1;
    for (int d = 0; d < last; ++d)
      if (plan.stride[0][last] == 1 && plan.stride[1][d] == 1 && plan.stride[1][last] != 1) {
        row_dim = d;
        transposed = true;
      }
    const bool has_rows = row_dim >= 0;
    plane = {has_rows ? plan.size[row_dim] : 1,
             plan.size[last],
             has_rows ? plan.stride[0][row_dim] * bytes : 0,
             plan.stride[0][last] * bytes,
             has_rows ? plan.stride[1][row_dim] * bytes : 0,
             plan.stride[1][last] * bytes};
  }

  /// Writing in the order of memory is worth more than reading in it.
  void sort_by_dst() {
    for (int i = 1; i < plan.rank; ++i)
      for (int j = i; j > 0 && plan.stride[0][j - 1] < plan.stride[0][j]; --j) {
        std::swap(plan.size[j - 1], plan.size[j]);
        for (int o = 0; o < 2; ++o) std::swap(plan.stride[o][j - 1], plan.stride[o][j]);
      }
  }
};

}  // namespace detail

/// dst = src, `src` broadcast to `shape`, for elements of `Bytes` bytes. Strides are in elements; those of
/// `dst` are positive and its elements do not overlap.
template <int Bytes>
void copy_elements(const Shape& shape, void* dst, const Shape& dst_strides, const void* src,
                   const Shape& src_shape, const Shape& src_strides) {
  const detail::CopyNest nest(shape, dst_strides, src_shape, src_strides, Bytes);
  const CopyPlane& whole = nest.plane;
  Index outer = 1;
  for (int d = 0; d + 1 < nest.plan.rank; ++d)
    if (d != nest.row_dim) outer *= nest.plan.size[d];
  if (outer * whole.rows * whole.columns == 0) return;
  // Planes are dealt out in blocks of about kLoopGrain elements, near square where rows become columns.
  const Index most = nest.transposed ? 256 : kLoopGrain;
  const Index columns = whole.columns < most ? whole.columns : most;
  Index rows = (kLoopGrain + columns - 1) / columns;
  if (nest.transposed) rows = (rows + 63) / 64 * 64;
  if (rows > whole.rows) rows = whole.rows;
  const Index column_blocks = (whole.columns + columns - 1) / columns,
              row_blocks = (whole.rows + rows - 1) / rows;
  const Index per_chunk = kLoopGrain / (rows * columns);
  parallel_for(
      outer * row_blocks * column_blocks, per_chunk > 0 ? per_chunk : 1, [&](Index begin, Index end) {
        for (Index item = begin; item < end; ++item) {
          const Index c = item % column_blocks * columns, r = item / column_blocks % row_blocks * rows;
          Index left = item / column_blocks / row_blocks, to = 0, from = 0;
          for (int d = nest.plan.rank - 2; d >= 0; --d) {
            if (d == nest.row_dim) continue;
            const Index i = left % nest.plan.size[d];
            left /= nest.plan.size[d];
            to += i * nest.plan.stride[0][d] * Bytes;
            from += i * nest.plan.stride[1][d] * Bytes;
          }
          CopyPlane p = whole;
          p.rows = whole.rows - r < rows ? whole.rows - r : rows;
          p.columns = whole.columns - c < columns ? whole.columns - c : columns;
          char* d = static_cast<char*>(dst) + to + r * p.dst_row + c * p.dst_column;
          const char* s = static_cast<const char*>(src) + from + r * p.src_row + c * p.src_column;
          nest.transposed ? detail::copy_transposed<Bytes>(p, d, s) : detail::copy_rows<Bytes>(p, d, s);
        }
      });
}

}  // namespace cpu

TMOR_END
