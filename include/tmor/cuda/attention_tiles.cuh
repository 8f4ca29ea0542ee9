#pragma once
/// @file attention_tiles.cuh
/// Attention of bf16 and f16 on tensor cores, after FlashAttention-2 (Dao 2023): a block has 64 queries, 16 a
/// warp, in registers; keys and values pass by in tiles of shared memory, the next one being fetched while
/// one is worked on. Scores, maxima and sums are float; weights are rounded to the element type where they
/// multiply values. Up to 128 columns, any strides; shared memory stays below what every GPU gives a block.

#include "tmor/cuda/tile.cuh"

TMOR_BEGIN
namespace cuda {

inline constexpr float kLog2E = 1.44269504f;
inline constexpr Index kMostTileColumns = 128;

/// Where a block works: rows [first, first + kTileRows) of one head, the block's among `rows`.
struct TilePlace {
  Index b, h, first;
  __device__ TilePlace(Index heads, Index rows) {
    const Index blocks = (rows + kTileRows - 1) / kTileRows, at = blockIdx.x;
    first = at % blocks * kTileRows;
    h = at / blocks % heads;
    b = at / blocks / heads;
  }
  /// The first of this warp's rows.
  __device__ Index mine() const { return first + 16 * static_cast<Index>(threadIdx.x / 32); }
};
/// Keys that the last of `count` queries from `first` on may see: none of the others sees more.
template <class T>
__device__ inline Index visible_to(const AttentionView<T>& a, Index b, Index first, Index count) {
  if (first >= a.queries) return 0;
  return a.visible(b, (first + count < a.queries ? first + count : a.queries) - 1);
}
/// Products become scores: rows are queries from `first` on, columns keys from `j0` on.
template <class T, int N>
__device__ inline void make_scores(float (&s)[N][4], const AttentionView<T>& a, Index b, Index h, Index first,
                                   Index j0) {
  const Lane lane;
  TMOR_UNROLL
  for (int r = 0; r < 2; ++r) {
    const Index i = first + lane.row() + 8 * r, end = i < a.queries ? a.visible(b, i) : 0;
    TMOR_UNROLL
    for (int n = 0; n < N; ++n) TMOR_UNROLL
    for (int e = 0; e < 2; ++e)
      s[n][2 * r + e] = a.score(b, h, i, j0 + 8 * n + lane.column() + e, end, s[n][2 * r + e]);
  }
}

/// Scores become weights, e^(score - largest so far); `rescale(r, factor)` is to bring what was added up for
/// the lane's upper (r = 0) or lower row to the new largest.
template <int N, class Rescale>
__device__ inline void weigh(float (&s)[N][4], float (&top)[2], float (&total)[2], const Rescale& rescale) {
  TMOR_UNROLL
  for (int r = 0; r < 2; ++r) {
    float most = top[r];
    TMOR_UNROLL
    for (const auto& part : s) most = math::max(most, math::max(part[2 * r], part[2 * r + 1]));
    most = row_max(most);
    const float shrink = exp2_approx((top[r] - most) * kLog2E);
    top[r] = most;
    total[r] *= shrink;
    TMOR_UNROLL
    for (auto& part : s) TMOR_UNROLL
    for (int e = 0; e < 2; ++e) {
      part[2 * r + e] = exp2_approx((part[2 * r + e] - most) * kLog2E);
      total[r] += part[2 * r + e];
    }
    rescale(r, shrink);
  }
}
/// After the last key: the inverse sums of weights, which are kept for backward with the largest scores.
template <class T>
__device__ inline void finish_rows(float (&inverse)[2], const AttentionView<T>& a, Index b, Index h,
                                   Index mine, const float (&top)[2], float (&total)[2], float* maximum,
                                   float* inverse_sum) {
  const Lane lane;
  TMOR_UNROLL
  for (int r = 0; r < 2; ++r) {
    total[r] = row_sum(total[r]);
    inverse[r] = total[r] > 0 ? 1 / total[r] : 0;
    const Index i = mine + lane.row() + 8 * r;
    if (lane.column() != 0 || i >= a.queries) continue;
    maximum[a.query(b, h, i)] = total[r] > 0 ? top[r] : kNothingSeen<float>;
    inverse_sum[a.query(b, h, i)] = inverse[r];
  }
}

template <class T, int D>
__global__ void __launch_bounds__(kTileThreads)
    attention_tiles(AttentionView<T> a, Rows<const T> queries, Rows<const T> keys, Rows<const T> values,
                    Rows<T> y, float* maximum, float* inverse_sum) {
  constexpr int kKeys = 4096 / D;
  TMOR_SHARED(Eight<T>, memory, [4][kKeys * D / 8]);
  const TilePlace place(a.heads, a.queries);
  const Index b = place.b, h = place.h, mine = place.mine();
  const Index end = visible_to(a, b, place.first, kTileRows), my_end = visible_to(a, b, mine, 16);
  const auto fetch_step = [&](Index j0, Index step) {
    if (j0 < end) {
      fetch<kKeys>(Tile<T, D>{memory[step % 2]}, keys, b, h, j0, a.keys);
      fetch<kKeys>(Tile<T, D>{memory[2 + step % 2]}, values, b, h, j0, a.keys);
    }
    cp_async_commit();
  };
  fetch_step(0, 0);
  unsigned q[D / 16][4];
  read_rows(q, queries, b, h, mine, a.queries);
  float sums[D / 8][4] = {}, top[2] = {kLowest<float>, kLowest<float>}, total[2] = {};
  for (Index j0 = 0, step = 0; j0 < end; j0 += kKeys, ++step) {
    fetch_step(j0 + kKeys, step + 1);
    cp_async_wait<1>();
    __syncthreads();  // all of the tile is there
    if (j0 < my_end) {
      float s[kKeys / 8][4];
      multiply_by_rows<T, D>(s, q, Tile<T, D>{memory[step % 2]}, my_end - j0, keys.dim);
      make_scores(s, a, b, h, mine, j0);
      weigh(s, top, total, [&](int r, float shrink) {
        TMOR_UNROLL
        for (auto& part : sums) TMOR_UNROLL
        for (int e = 0; e < 2; ++e) part[2 * r + e] *= shrink;
      });
      add_weighted_rows<T, D>(sums, s, Tile<T, D>{memory[2 + step % 2]}, my_end - j0, values.dim);
    }
    __syncthreads();  // before the tile is overwritten
  }
  float inverse[2];
  finish_rows(inverse, a, b, h, mine, top, total, maximum, inverse_sum);
  write_rows(y, b, h, mine, a.queries, sums, inverse);
}

/// Blocks for all rows of a tensor (batch, heads, rows, columns).
inline Index tiles_of(const Shape& s) { return s[0] * s[1] * ((s[2] + kTileRows - 1) / kTileRows); }
/// Do its columns, and `width` of values, fit into tiles, and its rows into a launch?
inline bool fits_tiles(const Shape& s, Index width) {
  return s[3] <= kMostTileColumns && width <= kMostTileColumns && tiles_of(s) <= 0x7fffffff;
}
/// f(number of columns in tiles, as a type).
template <class T, class F> void with_tile_columns(const AttentionCall<T, Cuda>& c, const F& f) {
  if (c.dim() <= 64 && c.value_dim() <= 64) {
    f(std::integral_constant<int, 64>{});
  } else {
    f(std::integral_constant<int, 128>{});
  }
}

/// Launches `kernel(number of columns in tiles, as a type)`.
template <class T, class Kernel>
void launch_attention(const AttentionCall<T, Cuda>& call, const Tensor<T, Cuda>& y, const char* name,
                      const Kernel& kernel) {
  const AttentionView<T> a = view_of(call);
  const auto blocks = static_cast<unsigned>(tiles_of(call.q.shape()));
  if (blocks == 0) return;
  with_tile_columns(call, [&](auto d) {
    launch({name, blocks, kTileThreads}, kernel(d), a, rows_of(a.q, a.dim), rows_of(a.k, a.dim),
           rows_of(a.v, a.value_dim), rows_of(writes(y), a.value_dim), call.maximum.mutable_data(),
           call.inverse_sum.mutable_data());
  });
}
template <class T> void attend_by_tiles(const AttentionCall<T, Cuda>& call, const Tensor<T, Cuda>& y) {
  launch_attention(call, y, "attention by tiles",
                   [](auto d) { return &attention_tiles<T, decltype(d)::value>; });
}

}  // namespace cuda
TMOR_END
