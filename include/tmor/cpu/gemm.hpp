#pragma once
/// @file gemm.hpp
/// Matrix products on the CPU: C = alpha A B + beta C for any strides of A and B, batches of them, and a hook
/// on finished rows of C for biases and activations. Everything is cut by the shape alone, so the bits of the
/// result do not depend on the number of threads. Products with a prepacked B are in packed.hpp.

#include <algorithm>
#include <type_traits>

#include "tmor/core/config.hpp"
#include "tmor/core/error.hpp"
#include "tmor/core/function_ref.hpp"
#include "tmor/core/parallel.hpp"
#include "tmor/cpu/gemm_kernel.hpp"
#include "tmor/cpu/gemm_pack.hpp"
#include "tmor/cpu/gemv.hpp"

TMOR_BEGIN

namespace cpu {

/// The product C (m x n) = alpha * A (m x k) * B (k x n) + beta * C. All strides are in elements and may be
/// anything: a transposed view swaps its two strides, a broadcast one has 0. C's columns are contiguous and C
/// overlaps neither A nor B. With beta == 0, C is not read.
///
/// The sum may run over several *segments* of k terms each: C = alpha * sum_s A_s B_s + beta * C, where A_s
/// and B_s start `a_segments[s]` and `b_segments[s]` elements after `a` and `b` (null: all zero). Heads of a
/// joint mixing, taps of a convolution and items of a batch summed over are segments.
template <class T, class S = T> struct GemmArgs {
  Index m = 0, n = 0, k = 0;
  const S* a = nullptr;
  Index a_row = 0, a_col = 1;
  const S* b = nullptr;
  Index b_row = 0, b_col = 1;
  T* c = nullptr;
  Index c_row = 0;
  T alpha = 1, beta = 0;
  Index segments = 1;
  const Index* a_segments = nullptr;
  const Index* b_segments = nullptr;
};

/// A batch of products of one shape: item (i0, i1, ...) starts sum_d i_d * a[d] elements after `GemmArgs::a`,
/// and so on.
struct GemmBatch {
  static constexpr int kMaxRank = 8;
  int rank = 0;
  Index size[kMaxRank] = {}, a[kMaxRank] = {}, b[kMaxRank] = {}, c[kMaxRank] = {};

  /// Adds a batch dimension inside the ones before.
  void add(Index count, Index a_stride, Index b_stride, Index c_stride) {
    TMOR_CHECK(rank < kMaxRank, "gemm_batched: more than ", kMaxRank, " batch dimensions");
    size[rank] = count, a[rank] = a_stride, b[rank] = b_stride, c[rank] = c_stride, ++rank;
  }
  Index items() const {
    Index n = 1;
    for (int d = 0; d < rank; ++d) n *= size[d];
    return n;
  }
};

/// Called as `hook(c, row, col, count)` once for every element of C, on `count` elements from `c`, which is
/// C(row, col), right after their last store; any callable, or none.
template <class T> using RowHook = FunctionRef<void(T*, Index, Index, Index)>;

/// Adds `bias[col]` to every row.
template <class T> struct AddBias {
  const T* bias;
  void operator()(T* c, Index, Index col, Index count) const {
    for (Index j = 0; j < count; ++j) c[j] += bias[col + j];
  }
};

namespace detail {

inline constexpr double kSerialFlops = 1 << 20;  ///< below this a product is not worth waking a thread
inline constexpr Index kRowBlock = 16;           ///< tiles of rows of a task: its block of A stays in L2

/// The segments' offsets, or zeros where the caller gave none (one segment only).
inline const Index* offsets_or_zero(const Index* p) {
  static constexpr Index zero[1] = {0};
  return p ? p : zero;
}

template <class T, class S> double flops(const GemmArgs<T, S>& g) {
  return 2.0 * static_cast<double>(g.m) * static_cast<double>(g.n) * static_cast<double>(g.k * g.segments);
}

/// The part of a block of the sum that is not known to be zero: rows of C, and terms of each of its segments.
struct BlockExtent {
  Index row, row_end, term, term_end;
};

/// Called as `trim(block, extent)`: may cut off rows and terms at which A is zero; any callable, or none.
using TrimBlock = FunctionRef<void(const KPlan::Block&, BlockExtent&)>;

/// C[i0, i1) x panels [j0, j1) over the blocks [k0, k1) of the sum.
template <class T, class S>
void gemm_block(const GemmArgs<T, S>& g, const Panels<T, S>& panels, Index i0, Index i1, Index j0, Index j1,
                Index k0, Index k1, const std::type_identity_t<RowHook<T>>& hook, bool pack_a,
                const TrimBlock& trim = {}) {
  constexpr Index kCols = Tile<T>::kCols;
  const Index* a_segments = offsets_or_zero(g.a_segments);
  Index b_offsets[KPlan::kMaxSegments], a_offsets[KPlan::kMaxSegments];
  for (Index kb = k0; kb < k1; ++kb) {
    const KPlan::Block block = panels.plan().block(kb);
    BlockExtent extent{i0, i1, 0, block.k};
    if (trim) trim(block, extent);
    const Index row0 = extent.row, row1 = extent.row_end;
    TileArgs<T> t;
    t.k = extent.term_end - extent.term;
    t.segments = block.segments;
    t.c_row = g.c_row;
    t.alpha = g.alpha;
    t.beta = kb == k0 ? g.beta : T(1);
    const bool first = kb == k0, last = kb + 1 == k1;
    T* a_packed = nullptr;
    if (pack_a) {
      a_packed = scratch<T>(Scratch::pack_a, (row1 - row0) * block.terms());
      T* out = a_packed;
      for (Index i = row0, rows; i < row1; i += rows) {
        rows = tile_rows<T>(row1 - i);
        for (Index s = 0; s < block.segments; ++s, out += rows * block.k) {
          const S* in = g.a + a_segments[block.segment + s] + i * g.a_row + block.p * g.a_col;
          pack_panel(in, g.a_col, g.a_row, block.k, rows, rows, out);
        }
      }
    }
    for (Index j = j0; j < j1; ++j) {
      panels.aim(t, block, j, b_offsets);
      const Index col = j * kCols;
      t.cols = static_cast<int>(g.n - col < kCols ? g.n - col : kCols);
      t.b += extent.term * t.b_row;
      const auto untouched = [&](Index i, Index end) {
        for (; i < end; ++i) {
          T* c = g.c + i * g.c_row + col;
          if (first)
            for (int n = 0; n < t.cols; ++n) c[n] = g.beta == T(0) ? T(0) : c[n] * g.beta;
          if (last && hook) hook(c, i, col, Index{t.cols});
        }
      };
      untouched(i0, row0);
      for (Index i = row0; i < row1;) {
        const int rows = tile_rows<T>(row1 - i);
        if (!std::is_same_v<T, S> || pack_a) {
          for (Index s = 0; s < block.segments; ++s) a_offsets[s] = s * rows * block.k;
          t.a = a_packed + (i - row0) * block.terms();
          t.a_row = 1;
          t.a_col = rows;
          t.a_segments = a_offsets;
        } else if constexpr (std::is_same_v<T, S>) {
          t.a = g.a + i * g.a_row + block.p * g.a_col;
          t.a_row = g.a_row;
          t.a_col = g.a_col;
          t.a_segments = a_segments + block.segment;
        }
        t.a += extent.term * t.a_col;
        t.c = g.c + i * g.c_row + col;
        run_tile(rows, t);
        if (last && hook) {
          for (int r = 0; r < rows; ++r) hook(t.c + r * g.c_row, i + r, col, Index{t.cols});
        }
        i += rows;
      }
      untouched(row1, i1);
    }
  }
}

/// C = beta * C and the hook: what is left of a product with no terms.
template <class T, class S>
void gemm_no_terms(const GemmArgs<T, S>& g, const std::type_identity_t<RowHook<T>>& hook) {
  for (Index i = 0; i < g.m; ++i) {
    T* c = g.c + i * g.c_row;
    for (Index j = 0; j < g.n; ++j) c[j] = g.beta == T(0) ? T(0) : c[j] * g.beta;
    if (hook) hook(c, i, Index{0}, g.n);
  }
}

/// Reading B as it lies is free when few rows of A reuse it; packed rows are contiguous, which many rows
/// repay.
template <class T, class S> bool read_b_directly(const GemmArgs<T, S>& g) {
  return std::is_same_v<T, S> && g.b_col == 1 && g.m <= 4 * Tile<T>::kRows;
}

/// Packing A repays when it is read for several panels and its rows lie badly: each term on another page, or
/// all rows in the same few sets of the first cache.
template <class T, class S> bool pack_a(const GemmArgs<T, S>& g) {
  if (!std::is_same_v<T, S>) return true;
  if (g.n <= 2 * Tile<T>::kCols || g.m < Tile<T>::kRows) return false;
  const Index size = static_cast<Index>(sizeof(T));
  return g.a_col == 1 ? g.a_row * size % 1024 == 0 : g.a_col * size >= 2048 || g.a_row != 1;
}

/// True when one row or column meets a matrix with unit stride one way: then `gemm_vector` does it.
template <class T, class S> bool is_vector(const GemmArgs<T, S>& g) {
  if (!std::is_same_v<T, S> || g.segments != 1 || g.a_segments || g.b_segments) return false;
  return g.m == 1 ? g.b_row == 1 || g.b_col == 1 : g.n == 1 && (g.a_row == 1 || g.a_col == 1);
}

template <class T> void gemm_vector(const GemmArgs<T>& g, const std::type_identity_t<RowHook<T>>& hook) {
  if (g.m == 1) {
    gemv<T>({g.n, g.k, g.a, g.a_col, g.b, g.b_row, g.b_col, g.c, 1, g.alpha, g.beta},
            [&](Index j0, Index j1) {
              if (hook) hook(g.c + j0, Index{0}, j0, j1 - j0);
            });
  } else {
    gemv<T>({g.m, g.k, g.b, g.b_row, g.a, g.a_col, g.a_row, g.c, g.c_row, g.alpha, g.beta},
            [&](Index i0, Index i1) {
              for (Index i = i0; i < i1; ++i)
                if (hook) hook(g.c + i * g.c_row, i, Index{0}, Index{1});
            });
  }
}

/// The whole product on the calling thread.
template <class T, class S>
void gemm_serial(const GemmArgs<T, S>& g, const std::type_identity_t<RowHook<T>>& hook) {
  if constexpr (std::is_same_v<T, S>) {
    if (is_vector(g)) return gemm_vector(g, hook);
  }
  const KPlan plan(g.k, g.segments);
  Panels<T, S> panels(plan, g.n, g.b, g.b_row, g.b_col, offsets_or_zero(g.b_segments), read_b_directly(g));
  if (panels.packed_count() > 0) {
    panels.set_packed(scratch<T>(Scratch::pack_b, panels.packed_size()));
    panels.pack_all();
  }
  gemm_block(g, panels, 0, g.m, 0, panels.count(), 0, plan.blocks(), hook, pack_a(g));
}

/// How many pieces the sum over k is cut into: more than one when it is long beside C, where it gives every
/// thread work and keeps each block of B in the cache between its packing and its use. Depends on the shape
/// alone.
template <class T, class S> Index k_pieces(const GemmArgs<T, S>& g, const KPlan& plan) {
  constexpr Index kMost = Index{1} << 22;  // numbers in all pieces' copies of C
  const Index size = g.m * g.n, pieces = std::min({plan.blocks() / 4, kMost / size, Index{16}});
  return pieces < 2 || plan.terms() < 4 * std::min(g.m, g.n) ? 1 : pieces;
}

/// The pieces of the sum on several threads, each into its own matrix, added up in their order.
template <class T, class S>
void gemm_split_k(const GemmArgs<T, S>& g, const KPlan& plan, Index pieces,
                  const std::type_identity_t<RowHook<T>>& hook) {
  const Index size = g.m * g.n, blocks = plan.blocks();
  T* partial = scratch<T>(Scratch::partial, pieces * size);
  parallel_for(pieces, 1, [&](Index piece, Index) {
    GemmArgs<T, S> part = g;
    part.c = partial + piece * size;
    part.c_row = g.n;
    part.alpha = T(1);
    part.beta = T(0);
    const Index k0 = piece * blocks / pieces, k1 = (piece + 1) * blocks / pieces;
    Panels<T, S> panels(plan, g.n, g.b, g.b_row, g.b_col, offsets_or_zero(g.b_segments), read_b_directly(g));
    for (Index kb = k0; kb < k1; ++kb) {
      if (panels.packed_count() > 0) {
        const KPlan::Block block = plan.block(kb);
        const Index size_of_block = block.terms() * panels.packed_count() * Tile<T>::kCols;
        panels.set_packed(scratch<T>(Scratch::pack_b, size_of_block), block.terms_before);
        panels.pack(kb, 0, panels.packed_count());
      }
      part.beta = kb == k0 ? T(0) : T(1);
      gemm_block(part, panels, 0, g.m, 0, panels.count(), kb, kb + 1, {}, pack_a(g));
    }
  });
  parallel_for(g.m, 1 + (Index{1} << 14) / (g.n * pieces), [&](Index i0, Index i1) {
    for (Index i = i0; i < i1; ++i) {
      T* c = g.c + i * g.c_row;
      T* sum = partial + i * g.n;
      for (Index piece = 1; piece < pieces; ++piece) {
        for (Index j = 0; j < g.n; ++j) sum[j] += sum[piece * size + j];
      }
      for (Index j = 0; j < g.n; ++j)
        c[j] = g.beta == T(0) ? g.alpha * sum[j] : g.alpha * sum[j] + g.beta * c[j];
      if (hook) hook(c, i, Index{0}, g.n);
    }
  });
}

/// Blocks of C on several threads, B packed once for all of them (or before: then `panels` holds it).
template <class T, class S>
void gemm_tasks(const GemmArgs<T, S>& g, Panels<T, S>& panels, bool packed,
                const std::type_identity_t<RowHook<T>>& hook) {
  const Index blocks = panels.plan().blocks(), count = panels.count();
  if (!packed && panels.packed_count() > 0) {
    panels.set_packed(scratch<T>(Scratch::pack_b, panels.packed_size()));
    const Index groups = (panels.packed_count() + 3) / 4;
    parallel_for(blocks * groups, 1, [&](Index task, Index) {
      const Index first = task % groups * 4, last = first + 4;
      panels.pack(task / groups, first, last < panels.packed_count() ? last : panels.packed_count());
    });
  }
  // About 16 tasks or more: rows first, since a task reads all of its panels of B for a block of A.
  constexpr Index kRows = Tile<T>::kRows;
  const Index row_tiles = (g.m + kRows - 1) / kRows;
  Index task_tiles = row_tiles / 16;
  task_tiles = task_tiles < 1 ? 1 : task_tiles > kRowBlock ? kRowBlock : task_tiles;
  if (task_tiles < 4) task_tiles = row_tiles < 4 ? row_tiles : 4;
  const Index row_tasks = (row_tiles + task_tiles - 1) / task_tiles;
  Index col_tasks = (16 + row_tasks - 1) / row_tasks;
  const Index by_work = static_cast<Index>(flops(g) / (2 * kSerialFlops * static_cast<double>(row_tasks)));
  if (col_tasks > by_work) col_tasks = by_work;
  if (col_tasks > count) col_tasks = count;
  if (col_tasks < 1) col_tasks = 1;
  const Index wide = (count + 63) / 64;  // a task's panels of B stay in the shared cache
  if (col_tasks < wide) col_tasks = wide;
  const bool copy_a = pack_a(g);
  parallel_for(row_tasks * col_tasks, 1, [&](Index task, Index) {
    const Index row = task % row_tasks, col = task / row_tasks;
    const Index i0 = row * task_tiles * kRows, i1 = i0 + task_tiles * kRows;
    gemm_block(g, panels, i0, i1 < g.m ? i1 : g.m, col * count / col_tasks, (col + 1) * count / col_tasks, 0,
               blocks, hook, copy_a);
  });
}

}  // namespace detail

/// Computes `g` (see GemmArgs) on up to `num_threads()` threads and calls `hook` on every finished
/// element (see RowHook). Scratch memory belongs to the threads and is reused. Throws Error for a negative
/// size.
template <class T, class S>
void gemm(const GemmArgs<T, S>& g, const std::type_identity_t<RowHook<T>>& hook = {}) {
  TMOR_CHECK(g.m >= 0 && g.n >= 0 && g.k >= 0 && g.segments >= 0, "gemm: negative size: m ", g.m, ", n ", g.n,
             ", k ", g.k, ", segments ", g.segments);
  TMOR_CHECK(g.segments <= 1 || (g.a_segments && g.b_segments), "gemm: segments without their offsets");
  if (g.m == 0 || g.n == 0) return;
  if (g.k == 0 || g.segments == 0) return detail::gemm_no_terms(g, hook);
  if constexpr (std::is_same_v<T, S>) {
    if (detail::is_vector(g)) return detail::gemm_vector(g, hook);
  }
  if (detail::flops(g) < detail::kSerialFlops) return detail::gemm_serial(g, hook);
  const KPlan plan(g.k, g.segments);
  const Index pieces = detail::k_pieces(g, plan);
  if (pieces > 1) return detail::gemm_split_k(g, plan, pieces, hook);
  const bool direct = detail::read_b_directly(g);
  Panels<T, S> panels(plan, g.n, g.b, g.b_row, g.b_col, detail::offsets_or_zero(g.b_segments), direct);
  detail::gemm_tasks(g, panels, false, hook);
}

/// Computes `g` for every item of `batch`. Items may share A or B (stride 0); their C must not overlap. The
/// hook sees the rows of each item.
template <class T, class S>
void gemm_batched(const GemmArgs<T, S>& g, const GemmBatch& batch,
                  const std::type_identity_t<RowHook<T>>& hook = {}) {
  const Index items = batch.items();
  const auto item_args = [&](Index item) {
    GemmArgs<T, S> args = g;
    for (int d = batch.rank - 1; d >= 0; --d) {
      const Index i = item % batch.size[d];
      item /= batch.size[d];
      args.a += i * batch.a[d];
      args.b += i * batch.b[d];
      args.c += i * batch.c[d];
    }
    return args;
  };
  const double flops = detail::flops(g) + 1;
  if (items < 16 && flops > 8 * detail::kSerialFlops) {
    for (Index i = 0; i < items; ++i) gemm(item_args(i), hook);
    return;
  }
  if (g.m == 0 || g.n == 0 || items == 0) return;
  const Index fair = (items + 63) / 64, worthwhile = static_cast<Index>(detail::kSerialFlops / 4 / flops) + 1;
  parallel_for(items, fair > worthwhile ? fair : worthwhile, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const GemmArgs<T, S> args = item_args(i);
      if (args.k == 0 || args.segments == 0) {
        detail::gemm_no_terms(args, hook);
      } else {
        detail::gemm_serial(args, hook);
      }
    }
  });
}

}  // namespace cpu

TMOR_END
