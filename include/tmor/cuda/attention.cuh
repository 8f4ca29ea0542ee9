#pragma once
/// @file attention.cuh
/// Attention on the GPU without ever storing scores; of bf16 and f16 on tensor cores
/// (cuda/attention_tiles.cuh), of float and double here. Forward, a warp has one query and meets 32 keys at a
/// time, a key a lane, with the running maximum and sum of Milakov and Gimelshein (2018). Backward computes
/// the weights again, once for every query (its gradient) and once for every key (its own and its value's):
/// sums have one order, no atomics.

#include "tmor/core/math_exp.hpp"
#include "tmor/cuda/attention_tiles_grad.cuh"
#include "tmor/cuda/attention_tiles_sm90.cuh"
#include "tmor/cuda/block.cuh"

TMOR_BEGIN
namespace cuda {

inline constexpr int kColumns = 4;  ///< result columns a lane has in hand; more take another pass
inline constexpr unsigned kAttentionWarps = 4;

template <class T> TMOR_HD bool is_hidden(T score) { return score == -std::numeric_limits<T>::infinity(); }
/// Sum and maximum over a warp.
template <class T> __device__ inline T warp_sum(T v) {
  for (int mask = 16; mask > 0; mask /= 2) v += lane_xor(v, mask);
  return v;
}
template <class T> __device__ inline T warp_max(T v) {
  for (int mask = 16; mask > 0; mask /= 2) v = math::max(v, lane_xor(v, mask));
  return v;
}
/// sums[c] += sum over lanes l < count of weight(l) row(l)[column of this lane].
template <class T, class Row>
__device__ inline void add_rows(T (&sums)[kColumns], T weight, Index count, Index first, Index columns,
                                const Row& row) {
  TMOR_SHARED(T, weights, [kAttentionWarps][32]);
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  weights[warp][lane] = weight;
  __syncwarp();
  for (int l = 0; l < count; ++l) {
    const T w = weights[warp][l];
    const auto [p, step] = row(l);
    for (int c = 0; c < kColumns; ++c) {
      const Index d = first + lane + 32 * c;
      if (d < columns) sums[c] += w * p[d * step];
    }
  }
  __syncwarp();
}
template <class P> struct Strided {
  P p;
  Index step;
};
template <class T> TMOR_HD T score_of(const AttentionView<T>& a, Index b, Index h, Index i, Index j) {
  const Index end = a.visible(b, i);
  if (!a.shows(b, h, i, j, end)) return -std::numeric_limits<T>::infinity();
  const T *x = a.q.at(b, h, i), *y = a.k.at(b, h, j);
  T s = 0;
  for (Index d = 0; d < a.dim; ++d) s += x[d * a.q.column] * y[d * a.k.column];
  return a.score(b, h, i, j, end, s);
}

template <class T>
__global__ void __launch_bounds__(32 * kAttentionWarps)
    attention_forward(AttentionView<T> a, Heads<T> y, T* maximum, T* inverse_sum) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const Index all = a.batch * a.heads * a.queries;
  for (Index q = static_cast<Index>(blockIdx.x) * kAttentionWarps + threadIdx.x / 32; q < all;
       q += static_cast<Index>(gridDim.x) * kAttentionWarps) {
    const Index i = q % a.queries, h = q / a.queries % a.heads, b = q / a.queries / a.heads;
    const Index end = a.visible(b, i);
    for (Index first = 0; first == 0 || first < a.value_dim; first += 32 * kColumns) {
      T top = kLowest<T>, total = 0, sums[kColumns] = {};
      for (Index j0 = 0; j0 < end; j0 += 32) {
        const T s = j0 + lane < end ? score_of(a, b, h, i, j0 + lane) : -std::numeric_limits<T>::infinity();
        const T most = math::max(top, warp_max(is_hidden(s) ? kLowest<T> : s));
        const T weight = is_hidden(s) ? T(0) : math::exp(s - most), shrink = math::exp(top - most);
        total = total * shrink + warp_sum(weight);
        for (T& sum : sums) sum *= shrink;
        top = most;
        add_rows(sums, weight, end - j0 < 32 ? end - j0 : 32, first, a.value_dim, [&](int l) {
          return Strided<const T*>{a.v.at(b, h, j0 + l), a.v.column};
        });
      }
      const T inverse = total > T(0) ? T(1) / total : T(0);
      for (int c = 0; c < kColumns; ++c)
        if (const Index d = first + lane + 32 * c; d < a.value_dim)
          y.at(b, h, i)[d * y.column] = sums[c] * inverse;
      if (lane == 0) {
        maximum[q] = total > T(0) ? top : kNothingSeen<T>;
        inverse_sum[q] = inverse;
      }
    }
  }
}

template <class T> TMOR_HD T weight_of(const AttentionBack<T>& back, Index b, Index h, Index i, Index j) {
  const T s = score_of(back.a, b, h, i, j);
  const Index q = back.a.query(b, h, i);
  return is_hidden(s) ? T(0) : math::exp(s - back.maximum[q]) * back.inverse_sum[q];
}
/// d loss / d weight.
template <class T> TMOR_HD T d_weight(const AttentionBack<T>& back, Index b, Index h, Index i, Index j) {
  const T *g = back.dy.at(b, h, i), *v = back.a.v.at(b, h, j);
  T s = 0;
  for (Index d = 0; d < back.a.value_dim; ++d) s += g[d * back.dy.column] * v[d * back.a.v.column];
  return s;
}

template <class T>
__global__ void __launch_bounds__(32 * kAttentionWarps)
    attention_grad_query(AttentionBack<T> s, Heads<const T> y, Heads<T> dq) {
  const AttentionView<T>& a = s.a;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const Index all = a.batch * a.heads * a.queries;
  for (Index q = static_cast<Index>(blockIdx.x) * kAttentionWarps + threadIdx.x / 32; q < all;
       q += static_cast<Index>(gridDim.x) * kAttentionWarps) {
    const Index i = q % a.queries, h = q / a.queries % a.heads, b = q / a.queries / a.heads;
    T delta = 0;
    for (Index d = lane; d < a.value_dim; d += 32)
      delta += y.at(b, h, i)[d * y.column] * s.dy.at(b, h, i)[d * s.dy.column];
    delta = warp_sum(delta);
    if (lane == 0) s.delta[q] = delta;
    const Index end = a.visible(b, i);
    for (Index first = 0; first < a.dim; first += 32 * kColumns) {
      T sums[kColumns] = {};
      for (Index j0 = 0; j0 < end; j0 += 32) {
        T ds = 0;
        if (j0 + lane < end)
          ds = weight_of(s, b, h, i, j0 + lane) * (d_weight(s, b, h, i, j0 + lane) - delta);
        add_rows(sums, ds, end - j0 < 32 ? end - j0 : 32, first, a.dim, [&](int l) {
          return Strided<const T*>{a.k.at(b, h, j0 + l), a.k.column};
        });
      }
      for (int c = 0; c < kColumns; ++c)
        if (const Index d = first + lane + 32 * c; d < a.dim)
          dq.at(b, h, i)[d * dq.column] = sums[c] * a.scale;
    }
  }
}

template <class T>
__global__ void __launch_bounds__(32 * kAttentionWarps)
    attention_grad_key(AttentionBack<T> s, Heads<T> dk, Heads<T> dv) {
  const AttentionView<T>& a = s.a;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const Index all = a.batch * a.heads * a.keys, widest = a.dim > a.value_dim ? a.dim : a.value_dim;
  for (Index k = static_cast<Index>(blockIdx.x) * kAttentionWarps + threadIdx.x / 32; k < all;
       k += static_cast<Index>(gridDim.x) * kAttentionWarps) {
    const Index j = k % a.keys, h = k / a.keys % a.heads, b = k / a.keys / a.heads;
    for (Index first = 0; first < widest; first += 32 * kColumns) {
      T key[kColumns] = {}, value[kColumns] = {};
      for (Index i0 = 0; i0 < a.queries; i0 += 32) {
        const Index i = i0 + lane, count = a.queries - i0 < 32 ? a.queries - i0 : 32;
        T weight = 0, ds = 0;
        if (i < a.queries) {
          weight = weight_of(s, b, h, i, j);
          ds = weight * (d_weight(s, b, h, i, j) - s.delta[a.query(b, h, i)]);
        }
        add_rows(value, weight, count, first, a.value_dim, [&](int l) {
          return Strided<const T*>{s.dy.at(b, h, i0 + l), s.dy.column};
        });
        add_rows(key, ds, count, first, a.dim, [&](int l) {
          return Strided<const T*>{a.q.at(b, h, i0 + l), a.q.column};
        });
      }
      for (int c = 0; c < kColumns; ++c) {
        const Index d = first + lane + 32 * c;
        if (d < a.dim) dk.at(b, h, j)[d * dk.column] = key[c] * a.scale;
        if (d < a.value_dim) dv.at(b, h, j)[d * dv.column] = value[c];
      }
    }
  }
}

}  // namespace cuda

/// Does `run_attention` take tensors of bf16 and f16 with such shapes of q and k and columns of v?
inline bool attention_takes_half(Cuda, const Shape& q, const Shape& k, Index width) {
  return cuda::fits_tiles(q, width) && cuda::fits_tiles(k, width);
}
/// y = softmax(scale q k^T + bias) v, and the maximum and inverse sum of every query.
template <class T> void run_attention(Cuda, const AttentionCall<T, Cuda>& call, const Tensor<T, Cuda>& y) {
  const Index queries = call.maximum.numel();
  if constexpr (sizeof(T) == 2) {
    if (!cuda::attend_by_wgmma(call, y)) cuda::attend_by_tiles(call, y);
  } else if (queries > 0) {
    launch({"attention", blocks_for(queries, cuda::kAttentionWarps), 32 * cuda::kAttentionWarps},
           cuda::attention_forward<T>, cuda::view_of(call), cuda::writes(y), call.maximum.mutable_data(),
           call.inverse_sum.mutable_data());
  }
}
/// The gradients of q, k and v.
template <class T>
void run_attention_backward(Cuda, const AttentionCall<T, Cuda>& call, const Tensor<T, Cuda>& y,
                            const Tensor<T, Cuda>& dy, const Tensor<T, Cuda>& dq, const Tensor<T, Cuda>& dk,
                            const Tensor<T, Cuda>& dv) {
  const auto delta = Tensor<compute_t<T>, Cuda>::empty(call.maximum.shape());
  const cuda::AttentionBack<T> back{cuda::view_of(call), cuda::reads(dy), call.maximum.data(),
                                    call.inverse_sum.data(), delta.mutable_data()};
  if constexpr (sizeof(T) == 2) {
    cuda::attend_back_by_tiles(back, call, y, dq, dk, dv);
    return;
  } else {
    const Index queries = delta.numel(), keys = call.batch() * call.heads() * call.keys();
    constexpr unsigned threads = 32 * cuda::kAttentionWarps;
    if (queries > 0)
      launch({"attention grad query", blocks_for(queries, cuda::kAttentionWarps), threads},
             cuda::attention_grad_query<T>, back, cuda::reads(y), cuda::writes(dq));
    if (keys > 0)
      launch({"attention grad key", blocks_for(keys, cuda::kAttentionWarps), threads},
             cuda::attention_grad_key<T>, back, cuda::writes(dk), cuda::writes(dv));
  }
}

TMOR_END
