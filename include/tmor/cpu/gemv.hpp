#pragma once
/// @file gemv.hpp
/// A vector times a matrix: what matrix products become when one of them has a single row or column. Bound by
/// reading the matrix, so it is read once, in the order in which it lies.

#include <algorithm>

#include "tmor/core/config.hpp"
#include "tmor/core/parallel.hpp"
#include "tmor/cpu/gemm_kernel.hpp"
#include "tmor/cpu/gemm_pack.hpp"

TMOR_BEGIN

namespace cpu {

/// y[j * y_step] = alpha * sum_p x[p * x_step] * b[p * b_row + j * b_col] + beta * y[j * y_step], j < n, p <
/// k. One of `b_row`, `b_col` is 1.
template <class T> struct GemvArgs {
  Index n, k;
  const T* x;
  Index x_step;
  const T* b;
  Index b_row, b_col;
  T* y;
  Index y_step;
  T alpha, beta;
};

namespace detail {

/// Columns [j0, j1) of a matrix with contiguous rows: four rows at a time are added to sums in the first
/// cache.
template <class T> void gemv_by_columns(const GemvArgs<T>& g, Index j0, Index j1) {
  constexpr Index kLanes = Tile<T>::kLanes, kRows = 4, kBlock = 64 * kLanes;
  alignas(64) T sums[kBlock];
  for (Index j = j0; j < j1; j += kBlock) {
    const Index count = std::min(j1 - j, kBlock), whole = count / kLanes * kLanes;
    std::fill(sums, sums + count, T(0));
    for (Index p = 0; p < g.k; p += kRows) {
      const Index rows = std::min(g.k - p, kRows);
      const T* b = g.b + p * g.b_row + j;
      T x[kRows];
      for (Index r = 0; r < rows; ++r) x[r] = g.x[(p + r) * g.x_step];
      if (rows == kRows) {
        for (Index i = 0; i < whole; i += kLanes) {
          Vec<T> sum = load(sums + i);
#pragma GCC unroll 8
          for (Index r = 0; r < kRows; ++r) sum += load(b + r * g.b_row + i) * x[r];
          store(sums + i, sum);
        }
      }
      for (Index r = 0; r < rows; ++r) {
        for (Index i = rows == kRows ? whole : 0; i < count; ++i) sums[i] += b[r * g.b_row + i] * x[r];
      }
    }
    for (Index i = 0; i < count; ++i) {
      T& y = g.y[(j + i) * g.y_step];
      y = g.beta == T(0) ? g.alpha * sums[i] : g.alpha * sums[i] + g.beta * y;
    }
  }
}

/// Columns [j0, j1) of a matrix with contiguous columns, each the inner product with a contiguous x. One
/// column at a time, in four sums: the matrix passes as a single stream, which processors fetch ahead best.
template <class T> void gemv_by_rows(const GemvArgs<T>& g, Index j0, Index j1) {
  constexpr Index kLanes = Tile<T>::kLanes, kSums = 4;
  for (Index j = j0; j < j1; ++j) {
    const T* b = g.b + j * g.b_col;
    Vec<T> sums[kSums] = {};
    Index p = 0;
    for (; p + kSums * kLanes <= g.k; p += kSums * kLanes) {
#pragma GCC unroll 4
      for (Index u = 0; u < kSums; ++u) sums[u] += load(b + p + u * kLanes) * load(g.x + p + u * kLanes);
    }
    const Vec<T> sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    T total = 0;
    for (Index i = 0; i < kLanes; ++i) total += sum[i];
    for (; p < g.k; ++p) total += b[p] * g.x[p];
    T& y = g.y[j * g.y_step];
    y = g.beta == T(0) ? g.alpha * total : g.alpha * total + g.beta * y;
  }
}

}  // namespace detail

/// Computes `g` and calls `finished(j0, j1)` after each range of columns.
template <class T, class Finished> void gemv(GemvArgs<T> g, const Finished& finished) {
  const bool by_columns = g.b_col == 1;
  if (!by_columns && g.x_step != 1) {
    T* x = scratch<T>(Scratch::pack_a, g.k);
    for (Index p = 0; p < g.k; ++p) x[p] = g.x[p * g.x_step];
    g.x = x;
  }
  const Index worth = (Index{1} << 18) / (g.k + 1) + 1;  // columns a task
  const Index grain = by_columns ? (worth + 511) / 512 * 512 : worth;
  parallel_for(g.n, grain, [&](Index j0, Index j1) {
    by_columns ? detail::gemv_by_columns(g, j0, j1) : detail::gemv_by_rows(g, j0, j1);
    finished(j0, j1);
  });
}

}  // namespace cpu

TMOR_END
