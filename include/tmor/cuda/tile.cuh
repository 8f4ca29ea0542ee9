#pragma once
/// @file tile.cuh
/// Tiles of matrices for kernels on tensor cores: from device memory to shared memory, to fragments
/// (cuda/mma.cuh), and their products. A block has `kTileWarps` warps.

#include "tmor/core/attention_call.hpp"
#include "tmor/cuda/attention_view.cuh"
#include "tmor/cuda/mma.cuh"

TMOR_BEGIN
namespace cuda {

inline constexpr int kTileWarps = 4, kTileThreads = 32 * kTileWarps;
inline constexpr int kTileRows = 16 * kTileWarps;  ///< rows of a block's results, 16 for each warp

template <class T> struct alignas(2 * sizeof(T)) Pair { T v[2]; };

/// Rows of `dim` columns that a kernel reads, or writes.
template <class T> struct Rows {
  Heads<T> x;
  int dim;
  /// Every row starts at a multiple of 16 bytes and its columns are neighbours, a multiple of 8: it is read
  /// 16 bytes, and written two columns, at a time.
  bool whole;
};
template <class T> Rows<T> rows_of(const Heads<T>& x, Index dim) {
  const bool together = x.column == 1 && x.batch % 8 == 0 && x.head % 8 == 0 && x.row % 8 == 0 &&
                        reinterpret_cast<std::uintptr_t>(x.p) % 16 == 0;
  return {x, static_cast<int>(dim), together && dim % 8 == 0};
}

/// Rows of `D` (64 or 128) columns in shared memory. Where eight columns lie in a row depends on the row, so
/// that the eight rows ldmatrix reads at once lie in different banks.
template <class T, int D> struct Tile {
  Eight<T>* p;
  /// The eight columns from `column` on, a multiple of 8.
  __device__ Eight<T>* at(int row, int column) const {
    return p + row * (D / 8) + ((column / 8) ^ (row % 8));
  }
};

/// Begins to fetch rows [first, first + N) to a tile, all threads of the block together; there are zeros for
/// rows from `end` on and for columns from `dim` to the next multiple of 16.
template <int N, int D, class T>
__device__ inline void fetch(const Tile<T, D>& tile, const Rows<const T>& rows, Index b, Index h, Index first,
                             Index end) {
  for (int e = static_cast<int>(threadIdx.x); e < N * D / 8; e += kTileThreads) {
    const int row = e / (D / 8), column = e % (D / 8) * 8;
    if (column >= (rows.dim + 15) / 16 * 16) continue;
    Eight<T>* const to = tile.at(row, column);
    const bool wanted = first + row < end && column < rows.dim;
    const T* const from = wanted ? rows.x.at(b, h, first + row) + column * rows.x.column : rows.x.p;
    if (rows.whole) {
      cp_async16(to, from, wanted);
    } else {
      for (int c = 0; c < 8; ++c)
        to->v[c] = wanted && column + c < rows.dim ? from[c * rows.x.column] : T(0.0f);
    }
  }
}

/// Columns `column` and the next of a row; 0 beyond the end.
template <class T> __device__ inline Pair<T> read_pair(const Rows<const T>& rows, const T* row, int column) {
  const T* const p = row + column * rows.x.column;
  if (rows.whole && column < rows.dim) return vector_at<const Pair<T>>(p);
  return {{column < rows.dim ? p[0] : T(0.0f), column + 1 < rows.dim ? p[rows.x.column] : T(0.0f)}};
}
template <class T>
__device__ inline void write_pair(const Rows<T>& rows, T* row, int column, float low, float high) {
  T* const p = row + column * rows.x.column;
  const unsigned both = pack_pair<T>(low, high);
  Pair<T> v;
  for (int e = 0; e < 2; ++e) v.v[e].bits = static_cast<std::uint16_t>(both >> 16 * e);
  if (rows.whole && column < rows.dim) {
    vector_at<Pair<T>>(p) = v;
  } else {
    if (column < rows.dim) p[0] = v.v[0];
    if (column + 1 < rows.dim) p[rows.x.column] = v.v[1];
  }
}

/// Where this lane's registers lie in a fragment: rows `row()` and 8 below, columns `column()` and the next.
struct Lane {
  int lane = static_cast<int>(threadIdx.x % 32);
  __device__ int row() const { return lane / 4; }
  __device__ int column() const { return 2 * (lane % 4); }
};

/// Rows [first, first + 16) of device memory as factors A, 16 columns each.
template <class T, int N>
__device__ inline void read_rows(unsigned (&a)[N][4], const Rows<const T>& rows, Index b, Index h,
                                 Index first, Index end) {
  const Lane lane;
  TMOR_UNROLL
  for (int k = 0; k < N; ++k) TMOR_UNROLL
  for (int r = 0; r < 4; ++r) {
    const Index i = first + lane.row() + 8 * (r % 2);
    a[k][r] = 0;
    if (i >= end) continue;
    const Pair<T> v = read_pair(rows, rows.x.at(b, h, i), 16 * k + lane.column() + 8 * (r / 2));
    a[k][r] = static_cast<unsigned>(v.v[0].bits) | static_cast<unsigned>(v.v[1].bits) << 16;
  }
}
/// Rows [row, row + 16) of a tile, columns [k, k + 16), as a factor A.
template <class T, int D>
__device__ inline void load_a(unsigned (&a)[4], const Tile<T, D>& tile, int row, int k) {
  const int lane = static_cast<int>(threadIdx.x % 32), m = lane / 8;
  ldmatrix<4>(a, tile.at(row + lane % 8 + 8 * (m % 2), k + 8 * (m / 2)));
}
/// Two factors B side by side that multiply by the rows [row, row + 16) of a tile: by its columns
/// [k, k + 16).
template <class T, int D>
__device__ inline void load_b_rows(unsigned (&b)[4], const Tile<T, D>& tile, int row, int k) {
  const int lane = static_cast<int>(threadIdx.x % 32), m = lane / 8;
  ldmatrix<4>(b, tile.at(row + lane % 8 + 8 * (m / 2), k + 8 * (m % 2)));
}
/// Two factors B side by side that are the tile itself: its rows [k, k + 16), columns [column, column + 16).
template <class T, int D>
__device__ inline void load_b(unsigned (&b)[4], const Tile<T, D>& tile, int k, int column) {
  const int lane = static_cast<int>(threadIdx.x % 32), m = lane / 8;
  ldmatrix<4, true>(b, tile.at(k + lane % 8 + 8 * (m % 2), column + 8 * (m / 2)));
}
/// Two products with one factor A.
template <class T>
__device__ inline void multiply_two(float (&left)[4], float (&right)[4], const unsigned (&a)[4],
                                    const unsigned (&b)[4]) {
  mma_m16n8k16<T>(left, a, {b[0], b[1]});
  mma_m16n8k16<T>(right, a, {b[2], b[3]});
}

/// s = x tile^T: 16 rows by the first `count` rows of the tile; `dim` columns each. The rest of s is 0.
template <class T, int D, int N>
__device__ inline void multiply_by_rows(float (&s)[N][4], const unsigned (&x)[D / 16][4],
                                        const Tile<T, D>& tile, Index count, int dim) {
  TMOR_UNROLL
  for (auto& part : s)
    for (float& v : part) v = 0;
  TMOR_UNROLL
  for (int k = 0; k < D / 16; ++k) {
    if (16 * k >= dim) break;
    TMOR_UNROLL
    for (int n = 0; n < N / 2; ++n) {
      if (16 * n >= count) break;
      unsigned b[4];
      load_b_rows(b, tile, 16 * n, 16 * k);
      multiply_two<T>(s[2 * n], s[2 * n + 1], x[k], b);
    }
  }
}
/// Two results beside one another, 16 rows by 16, as a factor A, rounded to `T`.
template <class T>
__device__ inline void pack_weights(unsigned (&a)[4], const float (&left)[4], const float (&right)[4]) {
  a[0] = pack_pair<T>(left[0], left[1]);
  a[1] = pack_pair<T>(left[2], left[3]);
  a[2] = pack_pair<T>(right[0], right[1]);
  a[3] = pack_pair<T>(right[2], right[3]);
}
/// sums += s tile: 16 rows of weights of the tile's first `count` rows, rounded to `T`; `dim` columns.
template <class T, int D, int N>
__device__ inline void add_weighted_rows(float (&sums)[D / 8][4], const float (&s)[N][4],
                                         const Tile<T, D>& tile, Index count, int dim) {
  TMOR_UNROLL
  for (int k = 0; k < N / 2; ++k) {
    if (16 * k >= count) break;
    unsigned a[4];
    pack_weights<T>(a, s[2 * k], s[2 * k + 1]);
    TMOR_UNROLL
    for (int n = 0; n < D / 16; ++n) {
      if (16 * n >= dim) break;
      unsigned b[4];
      load_b(b, tile, 16 * k, 16 * n);
      multiply_two<T>(sums[2 * n], sums[2 * n + 1], a, b);
    }
  }
}
/// Writes 16 rows from `first` on, times factor[0] the lane's upper and factor[1] its lower one.
template <class T, int N>
__device__ inline void write_rows(const Rows<T>& rows, Index b, Index h, Index first, Index end,
                                  const float (&sums)[N][4], const float (&factor)[2]) {
  const Lane lane;
  TMOR_UNROLL
  for (int r = 0; r < 2; ++r) {
    const Index i = first + lane.row() + 8 * r;
    if (i >= end) continue;
    T* const row = rows.x.at(b, h, i);
    TMOR_UNROLL
    for (int n = 0; n < N; ++n)
      write_pair(rows, row, 8 * n + lane.column(), sums[n][2 * r] * factor[r],
                 sums[n][2 * r + 1] * factor[r]);
  }
}

/// Sum and maximum over the four lanes that share rows of a fragment.
__device__ inline float row_sum(float v) {
  v += __shfl_xor_sync(0xffffffffu, v, 1);
  return v + __shfl_xor_sync(0xffffffffu, v, 2);
}
__device__ inline float row_max(float v) {
  v = math::max(v, __shfl_xor_sync(0xffffffffu, v, 1));
  return math::max(v, __shfl_xor_sync(0xffffffffu, v, 2));
}

}  // namespace cuda
TMOR_END
