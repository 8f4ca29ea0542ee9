#pragma once
/// @file block.cuh
/// What the threads of a block do together: reductions in a fixed order, and `BlockTeam`, a block as the team
/// of a row body (core/team.hpp).

#include "tmor/core/team.hpp"
#include "tmor/cuda/device.hpp"
#include "tmor/cuda/launch.cuh"

TMOR_BEGIN
namespace cuda {

inline constexpr unsigned kAllLanes = 0xffffffffu;

/// The value of lane `lane ^ mask`.
template <class C> __device__ inline C lane_xor(C v, int mask) {
  if constexpr (sizeof(C) < 4) {
    return static_cast<C>(__shfl_xor_sync(kAllLanes, static_cast<int>(v), mask));
  } else {
    return __shfl_xor_sync(kAllLanes, v, mask);
  }
}
template <class C> __device__ inline Two<C> lane_xor(Two<C> v, int mask) {
  return {lane_xor(v.first, mask), lane_xor(v.second, mask)};
}

/// `combine` over the values of all threads of a block of whole warps, in a fixed order: a butterfly in each
/// warp, then the warps one after the other. Every thread gets the result.
template <class C, class Combine> __device__ C block_reduce(C v, const Combine& combine) {
  for (int mask = 16; mask > 0; mask /= 2) v = combine(v, lane_xor(v, mask));
  const unsigned warps = blockDim.x / 32;
  if (warps == 1) return v;
  TMOR_SHARED(C, of_warp, [32]);
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = v;
  __syncthreads();
  v = of_warp[0];
  for (unsigned w = 1; w < warps; ++w) v = combine(v, of_warp[w]);
  __syncthreads();  // before the next reduction writes there
  return v;
}

/// A block working on a row, an element a thread at a time.
template <class C> class BlockTeam {
 public:
  using V = C;
  static constexpr Index kRowsAtOnce = 4;

  /// The element with number `i`.
  struct At {
    Index i;
    template <class S> TMOR_HD V load(const S* p) const { return load_as<V>(p + i); }
    template <class S> TMOR_HD V load_or(const S* p, C otherwise) const { return p ? load(p) : otherwise; }
    template <class S> TMOR_HD void store(S* p, V v) const { store_as(p + i, v); }
  };

  template <class F> __device__ void each(Index n, F&& f) const {
    for (Index i = threadIdx.x; i < n; i += blockDim.x) f(At{i});
  }
  template <class F> __device__ void at(Index i, F&& f) const {
    if (static_cast<Index>(threadIdx.x) == i % blockDim.x) f(i);
  }
  template <class F> __device__ auto sum(Index n, F&& f) const {
    decltype(f(At{0})) s{};
    for (Index i = threadIdx.x; i < n; i += blockDim.x) s = s + f(At{i});
    return block_reduce(s, [](auto a, auto b) { return a + b; });
  }
  template <class F> __device__ C max(Index n, F&& f) const {
    C m = kLowest<C>;
    for (Index i = threadIdx.x; i < n; i += blockDim.x) m = math::max(m, f(At{i}));
    return block_reduce(m, [](C a, C b) { return math::max(a, b); });
  }
};

/// Threads of a block that works on a row of `n`, and how many that is at most.
inline constexpr unsigned kMostThreads = 256;
inline unsigned threads_for(Index n) { return n <= 32 ? 32 : n <= 64 ? 64 : n <= 1024 ? 128 : kMostThreads; }

template <class Body> __global__ void __launch_bounds__(kMostThreads) each_row(Body body, Index rows) {
  const BlockTeam<typename Body::Compute> team;
  for (Index row = blockIdx.x; row < rows; row += gridDim.x) body(team, row);
}
/// There are few chunks: registers are worth more than blocks side by side.
template <class Body>
__global__ void __launch_bounds__(kMostThreads, 4) each_chunk(Body body, RowChunks chunks) {
  const Index chunk = blockIdx.x;
  body(BlockTeam<typename Body::Compute>{}, chunk, chunks.begin(chunk), chunks.end(chunk));
}

}  // namespace cuda

/// body(team, row) for every row; `cols` is the length of a row.
template <class Body> void run_rows(Cuda, Index rows, Index cols, const Body& body) {
  constexpr Index most = Index{1} << 20;
  if (rows > 0)
    launch({"rows", static_cast<unsigned>(rows < most ? rows : most), cuda::threads_for(cols)},
           cuda::each_row<Body>, body, rows);
}
/// body(team, chunk, begin, end) for every chunk of rows. A thread meets the same columns in every `each` of
/// a chunk.
template <class Body> void run_row_chunks(Cuda, const RowChunks& chunks, const Body& body) {
  if (chunks.count > 0)
    launch({"row chunks", static_cast<unsigned>(chunks.count), cuda::kMostThreads}, cuda::each_chunk<Body>,
           body, chunks);
}

TMOR_END
