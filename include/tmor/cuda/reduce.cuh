#pragma once
/// @file reduce.cuh
/// Reductions on the GPU in an order that the shape alone decides, so that they give the same bits every
/// time: the elements of an output are cut into segments, a block reduces one (along a row) or 32 neighbours
/// of one (down columns), and segments are combined in their order.

#include "tmor/core/tensor.hpp"
#include "tmor/cuda/block.cuh"
#include "tmor/cuda/each.cuh"

TMOR_BEGIN
namespace cuda {

/// The elements of a reduction: `kept` dimensions number the outputs, `reduced` ones what goes into each.
template <int K> struct Reduction {
  Nest<K> kept, reduced;
  Index outputs = 0, count = 0, segment = 0;

  /// `out` is the operand whose strides are 0 where dimensions are reduced.
  Reduction(const LoopPlan& plan, int out)
      : kept(plan, [&](int d) { return plan.stride[out][d] != 0; }),
        reduced(plan, [&](int d) { return plan.stride[out][d] == 0; }),
        outputs(kept.count()),
        count(reduced.count()) {
    const Index blocks = columns() ? (outputs + 31) / 32 : outputs;
    const Index least = columns() ? 64 : 2048;
    Index segments = blocks < 256 ? (count + least - 1) / least : 1;
    if (segments > 64) segments = 64;
    segment = segments > 1 ? (count + segments - 1) / segments : count;
  }
  /// Do neighbouring outputs lie side by side in the first operand?
  bool columns() const {
    return kept.rank > 0 && kept.stride[0][kept.rank - 1] == 1 && outputs >= 16 &&
           !(reduced.rank > 0 && reduced.stride[0][reduced.rank - 1] == 1);
  }
  Index segments() const { return segment > 0 ? (count + segment - 1) / segment : 1; }
};

/// Where a segment's result goes: to `parts` (segments, outputs), or finished to `y` where there is one.
template <class C, class R, class To> struct ReductionOut {
  R r;
  C* parts;
  To* y;
  Index outputs, count;

  TMOR_HD void put(Index o, Index segment, C v) const {
    if (parts) {
      parts[segment * outputs + o] = v;
    } else {
      y[o] = static_cast<To>(r.finish(v, count));
    }
  }
};

/// The segments of an output, in order.
template <class C, class R, class To> struct CombineSegments {
  ReductionOut<C, R, To> out;
  Index segments;
  TMOR_HD void operator()(Index o) const {
    C v = out.parts[o];
    for (Index s = 1; s < segments; ++s) v = out.r.combine(v, out.parts[s * out.outputs + o]);
    out.y[o] = static_cast<To>(out.r.finish(v, out.count));
  }
};

/// value(o, at) is element `at` (the operands' offsets) of output `o`.
template <class C, int K, class R, class Value, class To>
__global__ void __launch_bounds__(kMostThreads)
    reduce_rows(Reduction<K> n, Value value, ReductionOut<C, R, To> out) {
  const R r = out.r;
  const Index begin = blockIdx.y * n.segment;
  const Index end = begin + n.segment < n.count ? begin + n.segment : n.count;
  for (Index o = blockIdx.x; o < n.outputs; o += gridDim.x) {
    C acc = r.template identity<C>();
    for (Index i = begin + threadIdx.x; i < end; i += blockDim.x) {
      Index at[K] = {};
      n.kept.add_offsets(o, at);
      n.reduced.add_offsets(i, at);
      acc = r.combine(acc, value(o, at));
    }
    acc = block_reduce(acc, [&r](C a, C b) { return r.combine(a, b); });
    if (threadIdx.x == 0) out.put(o, blockIdx.y, acc);
  }
}

inline constexpr unsigned kReduceRowsAtOnce = 8;
template <class C, int K, class R, class Value, class To>
__global__ void __launch_bounds__(kMostThreads)
    reduce_columns(Reduction<K> n, Value value, ReductionOut<C, R, To> out) {
  const R r = out.r;
  const Index o = static_cast<Index>(blockIdx.x) * 32 + threadIdx.x;
  const Index begin = blockIdx.y * n.segment;
  const Index end = begin + n.segment < n.count ? begin + n.segment : n.count;
  C acc = r.template identity<C>();
  if (o < n.outputs)
    for (Index i = begin + threadIdx.y; i < end; i += kReduceRowsAtOnce) {
      Index at[K] = {};
      n.kept.add_offsets(o, at);
      n.reduced.add_offsets(i, at);
      acc = r.combine(acc, value(o, at));
    }
  TMOR_SHARED(C, rows, [kReduceRowsAtOnce][33]);
  rows[threadIdx.y][threadIdx.x] = acc;
  __syncthreads();
  if (threadIdx.y != 0 || o >= n.outputs) return;
  for (unsigned y = 1; y < kReduceRowsAtOnce; ++y) acc = r.combine(acc, rows[y][threadIdx.x]);
  out.put(o, blockIdx.y, acc);
}

/// y[o] = finish(combine of value(o, at) over all elements of output o); `y` is contiguous.
template <class C, int K, class R, class Value, class To>
void reduce(const char* name, const R& r, const Reduction<K>& n, const Value& value, To* y) {
  if (n.outputs == 0) return;
  const Index segments = n.segments();
  const Ref<Storage> parts = segments > 1
                                 ? Cuda::allocate(static_cast<std::size_t>(segments * n.outputs) * sizeof(C))
                                 : Ref<Storage>();
  const ReductionOut<C, R, To> out{r, parts ? static_cast<C*>(parts->data()) : nullptr, y, n.outputs,
                                   n.count};
  if (n.columns()) {
    launch({name,
            {static_cast<unsigned>((n.outputs + 31) / 32), static_cast<unsigned>(segments)},
            {32, kReduceRowsAtOnce}},
           reduce_columns<C, K, R, Value, To>, n, value, out);
  } else {
    constexpr Index most = Index{1} << 20;
    launch({name,
            {static_cast<unsigned>(n.outputs < most ? n.outputs : most), static_cast<unsigned>(segments)},
            threads_for(n.segment)},
           reduce_rows<C, K, R, Value, To>, n, value, out);
  }
  if (parts) for_each(name, n.outputs, CombineSegments<C, R, To>{out, segments});
}

/// r.map of the elements of x, with the output's parameter.
template <class C, class R, class T> struct MappedElements {
  R r;
  const T* x;
  const C* param;  ///< one an output, or null
  TMOR_HD C operator()(Index o, const Index* at) const {
    return r.map(static_cast<C>(x[at[0]]), param ? param[o] : C(0));
  }
};

}  // namespace cuda

/// y = `x` reduced by `r` in compute type `C`. `y` is contiguous and of x's rank, of size 1 where x is
/// reduced; `param`, if defined, gives `r.map` a value for each output.
template <class C, class R, class To, class T>
void run_reduce(Cuda, const R& r, const Tensor<To, Cuda>& y, const Tensor<T, Cuda>& x,
                const Tensor<C, Cuda>& param = {}) {
  LoopPlan plan(x.shape());
  plan.add(x.shape(), x.strides());
  plan.add(y.shape(), y.strides());
  plan.merge();
  cuda::reduce<C>("reduce", r, cuda::Reduction<1>(plan, 1),
                  cuda::MappedElements<C, R, T>{r, x.data(), param.defined() ? param.data() : nullptr},
                  y.mutable_data());
}

TMOR_END
