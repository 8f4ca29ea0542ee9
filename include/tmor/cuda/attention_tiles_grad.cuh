#pragma once
/// @file attention_tiles_grad.cuh
/// The gradients of attention on tensor cores. Weights are computed again, once by blocks of 64 queries for
/// theirs and once by blocks of 64 keys for theirs and their values': sums have one order, no atomics. The
/// latter keep weights transposed, rows being keys, so that they too are factors as they come.

#include "tmor/cuda/attention_tiles.cuh"

TMOR_BEGIN
namespace cuda {

/// Two blocks a multiprocessor at least, which lets a thread have all the registers there are: aiming at
/// more, the compiler spills some.
inline constexpr int kGradBlocks = 2;

template <class T, int D>
__global__ void __launch_bounds__(kTileThreads, kGradBlocks)
    attention_tiles_grad_query(AttentionBack<T> s, Rows<const T> queries, Rows<const T> keys,
                               Rows<const T> values, Rows<const T> dy, Rows<const T> y, Rows<T> dq) {
  constexpr int kKeys = 4096 / D;
  const AttentionView<T>& a = s.a;
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
  unsigned q[D / 16][4], g[D / 16][4];
  read_rows(q, queries, b, h, mine, a.queries);
  read_rows(g, dy, b, h, mine, a.queries);
  const Lane lane;
  float top[2] = {}, inverse[2] = {}, delta[2] = {};
  TMOR_UNROLL
  for (int r = 0; r < 2; ++r) {
    const Index i = mine + lane.row() + 8 * r;
    if (i < a.queries) {
      for (int d = lane.column(); d < y.dim; d += 8) {
        const Pair<T> v = read_pair(y, y.x.at(b, h, i), d), w = read_pair(dy, dy.x.at(b, h, i), d);
        for (int e = 0; e < 2; ++e) delta[r] += static_cast<float>(v.v[e]) * static_cast<float>(w.v[e]);
      }
      top[r] = s.maximum[a.query(b, h, i)];
      inverse[r] = s.inverse_sum[a.query(b, h, i)];
    }
    delta[r] = row_sum(delta[r]);
    if (lane.column() == 0 && i < a.queries) s.delta[a.query(b, h, i)] = delta[r];
  }
  float sums[D / 8][4] = {};
  for (Index j0 = 0, step = 0; j0 < end; j0 += kKeys, ++step) {
    fetch_step(j0 + kKeys, step + 1);
    cp_async_wait<1>();
    __syncthreads();  // all of the tile is there
    if (j0 < my_end) {
      float w[kKeys / 8][4], dw[kKeys / 8][4];
      multiply_by_rows<T, D>(w, q, Tile<T, D>{memory[step % 2]}, my_end - j0, keys.dim);
      make_scores(w, a, b, h, mine, j0);
      multiply_by_rows<T, D>(dw, g, Tile<T, D>{memory[2 + step % 2]}, my_end - j0, values.dim);
      TMOR_UNROLL
      for (int n = 0; n < kKeys / 8; ++n) TMOR_UNROLL
      for (int e = 0; e < 4; ++e)
        w[n][e] = exp2_approx((w[n][e] - top[e / 2]) * kLog2E) * inverse[e / 2] * (dw[n][e] - delta[e / 2]);
      add_weighted_rows<T, D>(sums, w, Tile<T, D>{memory[step % 2]}, my_end - j0, keys.dim);
    }
    __syncthreads();  // before the tile is overwritten
  }
  write_rows(dq, b, h, mine, a.queries, sums, {a.scale, a.scale});
}

/// s = rows of one tile, [row, row + 16), times rows of another, transposed.
template <class T, int D, int N>
__device__ inline void multiply_tiles(float (&s)[N][4], const Tile<T, D>& x, int row, const Tile<T, D>& tile,
                                      Index count, int dim) {
  TMOR_UNROLL
  for (auto& part : s)
    for (float& v : part) v = 0;
  TMOR_UNROLL
  for (int k = 0; k < D / 16; ++k) {
    if (16 * k >= dim) break;
    unsigned f[4];
    load_a(f, x, row, 16 * k);
    TMOR_UNROLL
    for (int n = 0; n < N / 2; ++n) {
      if (16 * n >= count) break;
      unsigned b[4];
      load_b_rows(b, tile, 16 * n, 16 * k);
      multiply_two<T>(s[2 * n], s[2 * n + 1], f, b);
    }
  }
}

template <class T, int D>
__global__ void __launch_bounds__(kTileThreads, kGradBlocks)
    attention_tiles_grad_key(AttentionBack<T> s, Rows<const T> queries, Rows<const T> keys,
                             Rows<const T> values, Rows<const T> dy, Rows<T> dk, Rows<T> dv) {
  constexpr int kQueries = 2048 / D;
  const AttentionView<T>& a = s.a;
  TMOR_SHARED(Eight<T>, own, [2][kTileRows * D / 8]);
  TMOR_SHARED(Eight<T>, memory, [4][kQueries * D / 8]);
  const Tile<T, D> key_tile{own[0]}, value_tile{own[1]};
  const TilePlace place(a.heads, a.keys);
  const Index b = place.b, h = place.h, mine = place.mine();
  const int my_row = static_cast<int>(mine - place.first);
  // The last query sees most, and the first that sees any of these keys, if it is one of many, this much
  // less.
  Index i0 = a.causal ? place.first - (a.keys - a.queries) : 0;
  i0 = i0 > 0 ? i0 / kQueries * kQueries : 0;
  if (a.queries == 0 || place.first >= a.visible(b, a.queries - 1)) i0 = a.queries;
  const auto fetch_step = [&](Index i, Index step) {
    if (i < a.queries) {
      fetch<kQueries>(Tile<T, D>{memory[step % 2]}, queries, b, h, i, a.queries);
      fetch<kQueries>(Tile<T, D>{memory[2 + step % 2]}, dy, b, h, i, a.queries);
    }
    cp_async_commit();
  };
  if (i0 < a.queries) {
    fetch<kTileRows>(key_tile, keys, b, h, place.first, a.keys);
    fetch<kTileRows>(value_tile, values, b, h, place.first, a.keys);
  }
  fetch_step(i0, 0);
  const Lane lane;
  float key_sums[D / 8][4] = {}, value_sums[D / 8][4] = {};
  for (Index step = 0; i0 < a.queries; i0 += kQueries, ++step) {
    fetch_step(i0 + kQueries, step + 1);
    cp_async_wait<1>();
    __syncthreads();  // all of the tile is there
    if (mine < a.keys) {
      const Tile<T, D> query_tile{memory[step % 2]}, dy_tile{memory[2 + step % 2]};
      const Index count = a.queries - i0;
      float w[kQueries / 8][4], dw[kQueries / 8][4];
      multiply_tiles<T, D>(w, key_tile, my_row, query_tile, count, keys.dim);
      multiply_tiles<T, D>(dw, value_tile, my_row, dy_tile, count, values.dim);
      TMOR_UNROLL
      for (int n = 0; n < kQueries / 8; ++n) TMOR_UNROLL
      for (int c = 0; c < 2; ++c) {
        const Index i = i0 + 8 * n + lane.column() + c;
        Index end = 0;
        float top = 0, inverse = 0, delta = 0;
        if (i < a.queries) {
          const Index at = a.query(b, h, i);
          end = a.visible(b, i);
          top = s.maximum[at];
          inverse = s.inverse_sum[at];
          delta = s.delta[at];
        }
        TMOR_UNROLL
        for (int r = 0; r < 2; ++r) {
          float &weight = w[n][2 * r + c], &change = dw[n][2 * r + c];
          weight = a.score(b, h, i, mine + lane.row() + 8 * r, end, weight);
          weight = exp2_approx((weight - top) * kLog2E) * inverse;
          change = weight * (change - delta);
        }
      }
      add_weighted_rows<T, D>(value_sums, w, dy_tile, count, values.dim);
      add_weighted_rows<T, D>(key_sums, dw, query_tile, count, keys.dim);
    }
    __syncthreads();  // before the tile is overwritten
  }
  write_rows(dk, b, h, mine, a.keys, key_sums, {a.scale, a.scale});
  write_rows(dv, b, h, mine, a.keys, value_sums, {1.0f, 1.0f});
}

template <class T>
void attend_back_by_tiles(const AttentionBack<T>& s, const AttentionCall<T, Cuda>& call,
                          const Tensor<T, Cuda>& y, const Tensor<T, Cuda>& dq, const Tensor<T, Cuda>& dk,
                          const Tensor<T, Cuda>& dv) {
  const AttentionView<T>& a = s.a;
  const auto q = rows_of(a.q, a.dim), k = rows_of(a.k, a.dim), v = rows_of(a.v, a.value_dim),
             g = rows_of(s.dy, a.value_dim);
  const auto for_queries = static_cast<unsigned>(tiles_of(call.q.shape())),
             for_keys = static_cast<unsigned>(tiles_of(call.k.shape()));
  with_tile_columns(call, [&](auto d) {
    constexpr int columns = decltype(d)::value;
    if (for_queries > 0)
      launch({"attention grad query by tiles", for_queries, kTileThreads},
             attention_tiles_grad_query<T, columns>, s, q, k, v, g, rows_of(reads(y), a.value_dim),
             rows_of(writes(dq), a.dim));
    if (for_keys > 0)
      launch({"attention grad key by tiles", for_keys, kTileThreads}, attention_tiles_grad_key<T, columns>, s,
             q, k, v, g, rows_of(writes(dk), a.dim), rows_of(writes(dv), a.value_dim));
  });
}

}  // namespace cuda
TMOR_END
