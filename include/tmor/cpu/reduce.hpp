#pragma once
/// @file reduce.hpp
/// How a reduction runs on the CPU. The reduced elements are cut into segments of a few thousand, each summed
/// in registers; the segments' results are combined as a binary tree. Segments and tree depend on the shape
/// alone: the same bits for any number of threads, and an error that grows with the logarithm of the count.
///
/// A reduction `R` is `{identity, map, combine, finish}`:
///
///     struct SumSquares {
///       template <class V> V identity() const { return V(0); }
///       template <class V> V map(V x, V p) const { return x * x; }     // p: a parameter of each output
///       template <class V> V combine(V a, V b) const { return a + b; }
///       template <class C> C finish(C total, Index count) const { return std::sqrt(total); }
///     };

#include "tmor/core/tensor.hpp"
#include "tmor/cpu/lanes.hpp"
#include "tmor/cpu/loop.hpp"

TMOR_BEGIN

namespace cpu {

/// Elements summed in one go, at least: 64 additions for each lane of four accumulators.
inline constexpr Index kReduceSegment = 256 * kLanes<float>;
inline constexpr Index kReduceRows = 128;      ///< the same for columns: rows
inline constexpr Index kReduceOutputs = 2048;  ///< outputs worked on at a time

/// A block of input for a kernel; strides in elements.
struct ReduceBlock {
  const void* x;
  Index units, unit_stride;  ///< outputs of `along_rows`
  Index rows, row_stride;
  Index count, stride;  ///< along a row
  void* acc;            ///< one value an output, kept between calls
  const void* param;
};

/// What the driver, which knows no element types, needs of a reduction.
struct ReduceKernelTable {
  std::size_t x_bytes, acc_bytes, y_bytes;
  void (*init)(const void* r, void* acc, Index n);
  void (*along_rows)(const void* r, const ReduceBlock& b);     ///< every row is reduced to one value
  void (*along_columns)(const void* r, const ReduceBlock& b);  ///< every column is
  void (*merge)(const void* r, void* acc, const void* other, Index n);
  void (*finish)(const void* r, const void* acc, Index n, Index count, void* y, Index y_stride);
};

/// The kernels of reduction `R` from `S` in compute type `C` to `To`.
template <class R, class C, class S, class To> struct ReduceKernels {
  using V = typename Lanes<C>::V;
  static constexpr Index w = Lanes<C>::count;

  static void init(const void* context, void* acc, Index n) {
    const R& r = *static_cast<const R*>(context);
    for (Index i = 0; i < n; ++i) static_cast<C*>(acc)[i] = r.template identity<C>();
  }
  static C across_lanes(const R& r, V v) {
    if constexpr (w == 1) {
      return v;
    } else {
      return tmor::detail::reduce_lanes(v, [&r](auto a, auto b) { return r.combine(a, b); });
    }
  }
  static void along_rows(const void* context, const ReduceBlock& b) {
    const R& r = *static_cast<const R*>(context);
    for (Index u = 0; u < b.units; ++u) {
      const S* x = static_cast<const S*>(b.x) + u * b.unit_stride;
      const C param = static_cast<const C*>(b.param)[u];
      C& acc = static_cast<C*>(b.acc)[u];
      if (b.count < w) {
        C total = acc;
        for (Index i = 0; i < b.rows; ++i)
          for (Index j = 0; j < b.count; ++j)
            total = r.combine(total, r.map(static_cast<C>(x[i * b.row_stride + j * b.stride]), param));
        acc = total;
        continue;
      }
      const V p(param), none = r.template identity<V>();
      V a[4] = {none, none, none, none};
      for (Index i = 0; i < b.rows; ++i, x += b.row_stride) {
        Index j = 0;
        if (b.stride == 1)
          for (; j + 4 * w <= b.count; j += 4 * w)
            for (int k = 0; k < 4; ++k) a[k] = r.combine(a[k], r.map(load_as<V>(x + j + k * w), p));
        for (; j + w <= b.count; j += w) a[0] = r.combine(a[0], r.map(load_row<V>(x, b.stride, j, w), p));
        if constexpr (w > 1)
          if (const Index rest = b.count - j; rest > 0)
            a[1] = r.combine(a[1], first_lanes(r.map(load_row<V>(x, b.stride, j, rest), p),
                                               static_cast<int>(rest), r.template identity<C>()));
      }
      acc = r.combine(acc, across_lanes(r, r.combine(r.combine(a[0], a[1]), r.combine(a[2], a[3]))));
    }
  }

  /// acc[c] = combine(acc[c], x[row][c]) row by row; `acc` has room for a whole last vector.
  static void add_rows(const R& r, const S* x, Index rows, Index row_stride, Index count, Index stride,
                       C* acc, const C* param) {
    for (Index i = 0; i < rows; ++i, x += row_stride)
      for_lanes<C>(count, [&](Index j, Index n) {
        const V v = r.map(load_row<V>(x, stride, j, n), load_as<V>(param + j));
        store_as(acc + j, r.combine(load_as<V>(acc + j), v));
      });
  }
  static void along_columns(const void* context, const ReduceBlock& b) {
    const R& r = *static_cast<const R*>(context);
    const S* x = static_cast<const S*>(b.x);
    C* const acc = static_cast<C*>(b.acc);
    const C* const param = static_cast<const C*>(b.param);
    Index rows = b.rows;
    const Index group = 256 / b.count;
    if (group > 4 && rows >= group && b.stride == 1 && b.row_stride == b.count) {
      // Few columns without gaps: several rows make one long row.
      constexpr Index room = 256 + kLanes<char>;
      C wide[room], wide_param[room] = {};
      const Index n = group * b.count;
      init(context, wide, room);
      for (Index j = 0; j < n; ++j) wide_param[j] = param[j % b.count];
      add_rows(r, x, rows / group, n, n, 1, wide, wide_param);
      for (Index j = 0; j < n; ++j) acc[j % b.count] = r.combine(acc[j % b.count], wide[j]);
      x += rows / group * n;
      rows %= group;
    }
    add_rows(r, x, rows, b.row_stride, b.count, b.stride, acc, param);
  }
  static void merge(const void* context, void* acc, const void* other, Index n) {
    const R& r = *static_cast<const R*>(context);
    for (Index i = 0; i < n; ++i)
      static_cast<C*>(acc)[i] = r.combine(static_cast<C*>(acc)[i], static_cast<const C*>(other)[i]);
  }
  static void finish(const void* context, const void* acc, Index n, Index count, void* y, Index y_stride) {
    const R& r = *static_cast<const R*>(context);
    for (Index i = 0; i < n; ++i)
      static_cast<To*>(y)[i * y_stride] = static_cast<To>(r.finish(static_cast<const C*>(acc)[i], count));
  }
  static constexpr ReduceKernelTable table{sizeof(S),   sizeof(C),      sizeof(To), &init,
                                           &along_rows, &along_columns, &merge,     &finish};
};

/// A list of dimensions with the strides of input (0) and output (1), last one fastest.
struct ReduceDims {
  int rank = 0;
  Index size[Shape::kMaxRank] = {}, stride[2][Shape::kMaxRank] = {};

  void push(Index n, Index x, Index y) {
    size[rank] = n;
    stride[0][rank] = x;
    stride[1][rank++] = y;
  }
  /// Takes the last one off; {1, 0, 0} when there is none.
  void pop(Index& n, Index& x, Index& y) {
    n = 1;
    x = y = 0;
    if (rank == 0) return;
    --rank;
    n = size[rank];
    x = stride[0][rank];
    y = stride[1][rank];
  }
  Index count() const {
    Index n = 1;
    for (int d = 0; d < rank; ++d) n *= size[d];
    return n;
  }
  void offsets(Index i, Index& x, Index& y) const {
    x = y = 0;
    for (int d = rank - 1; d >= 0; --d) {
      x += i % size[d] * stride[0][d];
      y += i % size[d] * stride[1][d];
      i /= size[d];
    }
  }
};

/// The nest of a reduction: kept dimensions around reduced ones, with the fastest of the input innermost.
struct ReduceNest {
  bool columns = false;  ///< is the innermost dimension kept?
  Index n = 1, n_x = 0, n_y = 0;
  Index rows = 1, rows_x = 0;                 ///< fastest reduced dimension but the innermost
  Index units = 1, units_x = 0, units_y = 0;  ///< fastest kept dimension but the innermost
  ReduceDims kept, reduced;                   ///< the others
  Index outputs = 1, count = 1;

  /// `plan`: operands (x, y) with y's strides 0 where x is reduced.
  explicit ReduceNest(LoopPlan plan) {
    for (int i = 1; i < plan.rank; ++i)
      for (int j = i; j > 0 && plan.stride[0][j - 1] < plan.stride[0][j]; --j) {
        std::swap(plan.size[j - 1], plan.size[j]);
        for (int o = 0; o < 2; ++o) std::swap(plan.stride[o][j - 1], plan.stride[o][j]);
      }
    plan.merge();
    const int last = plan.rank - 1;
    columns = plan.stride[1][last] != 0;
    n = plan.size[last];
    n_x = plan.stride[0][last];
    n_y = plan.stride[1][last];
    for (int d = 0; d <= last; ++d) {
      const bool is_kept = plan.stride[1][d] != 0;
      (is_kept ? outputs : count) *= plan.size[d];
      if (d < last) (is_kept ? kept : reduced).push(plan.size[d], plan.stride[0][d], plan.stride[1][d]);
    }
    Index none;
    reduced.pop(rows, rows_x, none);
    if (!columns) kept.pop(units, units_x, units_y);
  }
};

/// Reduces `x` into `y`, both planned in `nest`; `param`: one compute value an output laid out as y, or null.
inline void run_reduction(const ReduceKernelTable& k, const void* r, const ReduceNest& nest, const void* x,
                          void* y, const void* param) {
  // Segments of the reduced elements: parts of a row, or groups of whole rows.
  const Index all_rows = nest.rows * nest.reduced.count();
  Index row_parts = 1, rows_per_segment = 1;
  if (nest.columns) {
    rows_per_segment = kReduceSegment / nest.n > kReduceRows ? kReduceSegment / nest.n : kReduceRows;
  } else if (nest.n > kReduceSegment) {
    row_parts = (nest.n + kReduceSegment - 1) / kReduceSegment;
  } else {
    rows_per_segment = kReduceSegment / nest.n;
  }
  const Index segments = (all_rows + rows_per_segment - 1) / rows_per_segment * row_parts;
  const Index rows_here = rows_per_segment < all_rows ? rows_per_segment : all_rows;
  const Index cost = rows_here * (nest.columns || row_parts == 1 ? nest.n : kReduceSegment);
  // Blocks of outputs.
  const Index width = nest.columns ? nest.n : nest.units, width_x = nest.columns ? nest.n_x : nest.units_x,
              width_y = nest.columns ? nest.n_y : nest.units_y;
  Index block = nest.columns ? kReduceOutputs : kLoopGrain / cost + 1;
  if (block > kReduceOutputs) block = kReduceOutputs;
  if (block > width) block = width;
  const Index blocks = (width + block - 1) / block;
  Ref<Storage> scratch;
  char* partial = nullptr;
  if (segments > 1) {
    scratch = Cpu::allocate(static_cast<std::size_t>(segments * nest.outputs) * k.acc_bytes);
    partial = static_cast<char*>(scratch->data());
  }
  const Index acc_bytes = static_cast<Index>(k.acc_bytes), x_bytes = static_cast<Index>(k.x_bytes),
              y_bytes = static_cast<Index>(k.y_bytes);
  const Index work = nest.columns ? rows_here * block : cost * block;
  parallel_for(nest.kept.count() * blocks * segments, kLoopGrain / work + 1, [&](Index begin, Index end) {
    constexpr std::size_t room = (kReduceOutputs + kLanes<char>)*8;
    alignas(64) char acc[room];
    alignas(64) char params[room] = {};
    for (Index item = begin; item < end; ++item) {
      const Index segment = item % segments, first = item / segments % blocks * block;
      const Index n_out = width - first < block ? width - first : block;
      Index x0, y0;
      nest.kept.offsets(item / segments / blocks, x0, y0);
      x0 += first * width_x;
      y0 += first * width_y;
      k.init(r, acc, n_out + kLanes<char>);
      if (param)
        for (Index i = 0; i < n_out; ++i)
          std::memcpy(params + i * acc_bytes,
                      static_cast<const char*>(param) + (y0 + i * width_y) * acc_bytes, k.acc_bytes);
      const Index part = segment % row_parts * kReduceSegment;
      Index row = segment / row_parts * rows_per_segment;
      const Index row_end = all_rows - row < rows_per_segment ? all_rows : row + rows_per_segment;
      while (row < row_end) {
        Index xr, unused;
        nest.reduced.offsets(row / nest.rows, xr, unused);
        const Index at = row % nest.rows,
                    n_rows = nest.rows - at < row_end - row ? nest.rows - at : row_end - row;
        xr += x0 + at * nest.rows_x;
        ReduceBlock b{nullptr, n_out, width_x, n_rows, nest.rows_x, n_out, nest.n_x, acc, params};
        if (!nest.columns) {
          const Index left = nest.n - part;
          b.count = row_parts > 1 && left > kReduceSegment ? kReduceSegment : left;
          xr += part * nest.n_x;
        }
        b.x = static_cast<const char*>(x) + xr * x_bytes;
        nest.columns ? k.along_columns(r, b) : k.along_rows(r, b);
        row += n_rows;
      }
      if (!partial) {
        k.finish(r, acc, n_out, nest.count, static_cast<char*>(y) + y0 * y_bytes, width_y);
      } else {
        char* to = partial + (segment * nest.outputs + y0) * acc_bytes;
        for (Index i = 0; i < n_out; ++i)
          std::memcpy(to + i * width_y * acc_bytes, acc + i * acc_bytes, k.acc_bytes);
      }
    }
  });
  if (!partial) return;
  parallel_for(nest.outputs, kLoopGrain / segments + 1, [&](Index begin, Index end) {
    const auto at = [&](Index s) { return partial + (s * nest.outputs + begin) * acc_bytes; };
    for (Index step = 1; step < segments; step *= 2)
      for (Index s = 0; s + step < segments; s += 2 * step) k.merge(r, at(s), at(s + step), end - begin);
    k.finish(r, at(0), end - begin, nest.count, static_cast<char*>(y) + begin * y_bytes, 1);
  });
}

}  // namespace cpu

/// y = `x` reduced by `r` in compute type `C`. `y` is contiguous and of x's rank, of size 1 where x is
/// reduced; `param`, if defined, gives `r.map` a value for each output.
template <class C, class R, class To, class T>
void run_reduce(Cpu, const R& r, const Tensor<To, Cpu>& y, const Tensor<T, Cpu>& x,
                const Tensor<C, Cpu>& param = {}) {
  To* const out = y.mutable_data();
  if (x.numel() == 0) {
    for (Index i = 0; i < y.numel(); ++i) out[i] = static_cast<To>(r.finish(r.template identity<C>(), 0));
    return;
  }
  cpu::LoopPlan plan(x.shape());
  plan.add(x.shape(), x.strides());
  plan.add(y.shape(), y.strides());
  cpu::run_reduction(cpu::ReduceKernels<R, C, T, To>::table, &r, cpu::ReduceNest(plan), x.data(), out,
                     param.defined() ? param.data() : nullptr);
}

TMOR_END
