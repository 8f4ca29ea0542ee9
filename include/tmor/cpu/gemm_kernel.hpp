#pragma once
/// @file gemm_kernel.hpp
/// The innermost loop of every matrix product: one tile of C, as many rows and vectors as the registers hold,
/// accumulated over all of its terms before it is stored once. Written on compiler vectors of the width of
/// the instruction set; after Van Zee and van de Geijn, "BLIS: A Framework for Rapidly Instantiating BLAS
/// Functionality", ACM TOMS 41(3), 2015.

#include <cstring>

#include "tmor/core/config.hpp"

TMOR_BEGIN

namespace cpu {

/// Size of the tile of C for element type `T`: 14 x 32 floats with AVX-512, 6 x 16 with AVX2.
template <class T> struct Tile {
  static constexpr int kLanes = TMOR_VECTOR_BYTES / static_cast<int>(sizeof(T));
#if TMOR_VECTOR_BYTES == 64 || defined(__aarch64__)
  static constexpr int kRows = 14;  // 28 sums, 2 vectors of B and a broadcast element of A in 32 registers
#else
  static constexpr int kRows = 6;  // 12 + 2 + 1 in 16
#endif
  static constexpr int kVectors = 2;
  static constexpr int kCols = kVectors * kLanes;
};

/// Rows of the next tile when `m` are left: full tiles first, then two or three of nearly equal height, since
/// short tiles waste the multiplier. Never 10 to 13 of 14, so that those kernels need not exist.
template <class T> constexpr int tile_rows(Index m) {
  constexpr int kRows = Tile<T>::kRows;
  if (m >= 2 * kRows || m == kRows) return kRows;
  const int left = static_cast<int>(m);
  for (int tiles = (left + kRows - 1) / kRows;; ++tiles) {
    const int rows = (left + tiles - 1) / tiles;
    if (rows < 10 || rows == kRows) return rows;
  }
}

/// What a tile kernel needs. Element i of term (s, p), s < segments and p < k, is
/// `a[a_segments[s] + i * a_row + p * a_col]`; it multiplies the row `b + b_segments[s] + p * b_row`.
template <class T> struct TileArgs {
  Index k, segments;
  const Index *a_segments, *b_segments;
  const T* a;
  Index a_row, a_col;
  const T* b;
  Index b_row;
  T* c;
  Index c_row;
  int cols;  ///< columns stored; B is read to the full width
  T alpha, beta;
};

namespace detail {

template <class T> struct VecOf { typedef T type __attribute__((vector_size(TMOR_VECTOR_BYTES))); };
template <class T> using Vec = typename VecOf<T>::type;

template <class T> TMOR_ALWAYS_INLINE Vec<T> load(const T* p) {
  Vec<T> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class T> TMOR_ALWAYS_INLINE void store(T* p, const Vec<T>& v) { std::memcpy(p, &v, sizeof v); }

/// The columns of a tile that do not fill its vectors; out of line, or compilers repeat it for every row.
template <class T> [[gnu::noinline]] void store_part(T* c, const T* row, int cols, T beta) {
  for (int j = 0; j < cols; ++j) c[j] = beta == T(0) ? row[j] : row[j] + c[j] * beta;
}

/// c[0, cols) = alpha * sums + beta * c, with c not read when beta is 0.
template <class T, int kVectors>
TMOR_ALWAYS_INLINE void store_row(T* c, const Vec<T>* sums, int cols, T alpha, T beta) {
  constexpr int kLanes = Tile<T>::kLanes;
  if (cols == kVectors * kLanes) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const Vec<T> r = sums[v] * alpha;
      store(c + v * kLanes, beta == T(0) ? r : r + load(c + v * kLanes) * beta);
    }
  } else {
    T row[kVectors * kLanes];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) store(row + v * kLanes, Vec<T>(sums[v] * alpha));
    store_part(c, row, cols, beta);
  }
}

/// The strides of A stay general: a packed tile, a row-major and a transposed matrix run at the same speed.
template <class T, int kRows, int kVectors> [[gnu::noinline]] void tile(const TileArgs<T>& t) {
  constexpr int kLanes = Tile<T>::kLanes;
  Vec<T> sum[kRows][kVectors] = {};
  const Index a_row = t.a_row, a_col = t.a_col, b_row = t.b_row;
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {  // C on its way while the sums form
    __builtin_prefetch(t.c + i * t.c_row, 1);
    __builtin_prefetch(t.c + i * t.c_row + kVectors * kLanes - 1, 1);
  }
  for (Index s = 0; s < t.segments; ++s) {
    const T* a = t.a + t.a_segments[s];
    const T* b = t.b + t.b_segments[s];
    for (Index p = 0; p < t.k; ++p, a += a_col, b += b_row) {
      Vec<T> bv[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) bv[v] = load(b + v * kLanes);
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        const T ai = a[i * a_row];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sum[i][v] += bv[v] * ai;
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    store_row<T, kVectors>(t.c + i * t.c_row, sum[i], t.cols, t.alpha, t.beta);
  }
}

template <class T, int kVectors> void run_tile(int rows, const TileArgs<T>& t) {
  constexpr int kRows = Tile<T>::kRows;
  switch (rows) {
    case 1:
      return tile<T, 1, kVectors>(t);
    case 2:
      return tile<T, 2, kVectors>(t);
    case 3:
      return tile<T, 3, kVectors>(t);
    case 4:
      return tile<T, 4, kVectors>(t);
    case 5:
      return tile<T, 5, kVectors>(t);
    case 6:
      return tile<T, 6, kVectors>(t);
    default:
      break;
  }
  if constexpr (kRows > 6) {
    switch (rows) {
      case 7:
        return tile<T, 7, kVectors>(t);
      case 8:
        return tile<T, 8, kVectors>(t);
      case 9:
        return tile<T, 9, kVectors>(t);
      default:
        return tile<T, kRows, kVectors>(t);
    }
  }
}

}  // namespace detail

/// Computes a tile of `rows` rows, a number that `tile_rows` gives, and up to `Tile<T>::kCols` columns.
template <class T> void run_tile(int rows, const TileArgs<T>& t) {
  if (t.cols > Tile<T>::kLanes) {
    detail::run_tile<T, Tile<T>::kVectors>(rows, t);
  } else {
    detail::run_tile<T, 1>(rows, t);
  }
}

}  // namespace cpu

TMOR_END
