#pragma once
/// @file attention.cuh
/// Attention on the GPU without ever storing scores. Forward, a warp has one query and meets 32 keys at a
/// time, a key a lane, with the running maximum and sum of Milakov and Gimelshein (2018). Backward computes
/// the weights again, once for every query (its gradient) and once for every key (its own and its value's):
/// sums have one order, no atomics.

#include "tmor/core/attention_call.hpp"
#include "tmor/core/math_exp.hpp"
#include "tmor/cuda/block.cuh"

TMOR_BEGIN
namespace cuda {

/// A tensor (batch, heads, rows, columns) inside a kernel.
template <class T> struct Heads {
  T* p;
  Index batch, head, row, column;
  TMOR_HD T* at(Index b, Index h, Index i) const { return p + b * batch + h * head + i * row; }
};
template <class T, class U> Heads<T> heads_of(T* p, const Tensor<U, Cuda>& t) {
  return {p, t.strides()[0], t.strides()[1], t.strides()[2], t.strides()[3]};
}
template <class T> Heads<const T> reads(const Tensor<T, Cuda>& t) {
  return t.defined() ? heads_of(t.data(), t) : Heads<const T>{nullptr, 0, 0, 0, 0};
}
template <class T> Heads<T> writes(const Tensor<T, Cuda>& t) { return heads_of(t.mutable_data(), t); }

template <class T> struct AttentionView {
  Heads<const T> q, k, v;
  Heads<const bool> mask;
  Heads<const T> bias;
  const std::int64_t* lengths;
  Index batch, heads, queries, keys, dim, value_dim;
  bool causal;
  T scale;

  /// Keys [0, n) that a query may see, as far as lengths and causality go.
  TMOR_HD Index visible(Index b, Index i) const {
    Index n = keys;
    if (lengths && lengths[b] < n) n = lengths[b] > 0 ? lengths[b] : 0;
    if (causal && i + keys - queries + 1 < n) n = i + keys - queries + 1;
    return n > 0 ? n : 0;
  }
  /// The score of a query and a key; -infinity where one does not see the other.
  TMOR_HD T score(Index b, Index h, Index i, Index j) const {
    const T hidden = -std::numeric_limits<T>::infinity();
    if (j >= visible(b, i) || (mask.p && !mask.at(b, h, i)[j * mask.column])) return hidden;
    const T *x = q.at(b, h, i), *y = k.at(b, h, j);
    T s = 0;
    for (Index d = 0; d < dim; ++d) s += x[d * q.column] * y[d * k.column];
    return bias.p ? s * scale + bias.at(b, h, i)[j * bias.column] : s * scale;
  }
};
template <class T> AttentionView<T> view_of(const AttentionCall<T, Cuda>& c) {
  return {reads(c.q),    reads(c.k),    reads(c.v),
          reads(c.mask), reads(c.bias), c.key_lengths.defined() ? c.key_lengths.data() : nullptr,
          c.batch(),     c.heads(),     c.queries(),
          c.keys(),      c.dim(),       c.value_dim(),
          c.causal,      c.scale};
}

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
        const T s = j0 + lane < end ? a.score(b, h, i, j0 + lane) : -std::numeric_limits<T>::infinity();
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
        maximum[q] = total > T(0) ? top : -kLowest<T>;
        inverse_sum[q] = inverse;
      }
    }
  }
}

/// What backward reads besides.
template <class T> struct AttentionBack {
  AttentionView<T> a;
  Heads<const T> dy;
  const T *maximum, *inverse_sum;
  T* delta;  ///< sum(y dy) of every query

  TMOR_HD T weight(Index b, Index h, Index i, Index j) const {
    const T s = a.score(b, h, i, j);
    const Index q = (b * a.heads + h) * a.queries + i;
    return is_hidden(s) ? T(0) : math::exp(s - maximum[q]) * inverse_sum[q];
  }
  /// d loss / d weight.
  TMOR_HD T d_weight(Index b, Index h, Index i, Index j) const {
    const T *g = dy.at(b, h, i), *v = a.v.at(b, h, j);
    T s = 0;
    for (Index d = 0; d < a.value_dim; ++d) s += g[d * dy.column] * v[d * a.v.column];
    return s;
  }
};

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
        if (j0 + lane < end) ds = s.weight(b, h, i, j0 + lane) * (s.d_weight(b, h, i, j0 + lane) - delta);
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
          weight = s.weight(b, h, i, j);
          ds = weight * (s.d_weight(b, h, i, j) - s.delta[(b * a.heads + h) * a.queries + i]);
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

/// y = softmax(scale q k^T + bias) v, and the maximum and inverse sum of every query.
template <class T> void run_attention(Cuda, const AttentionCall<T, Cuda>& call, const Tensor<T, Cuda>& y) {
  const Index queries = call.maximum.numel();
  if (queries > 0)
    launch({"attention", blocks_for(queries, cuda::kAttentionWarps), 32 * cuda::kAttentionWarps},
           cuda::attention_forward<T>, cuda::view_of(call), cuda::writes(y), call.maximum.mutable_data(),
           call.inverse_sum.mutable_data());
}
/// The gradients of q, k and v.
template <class T>
void run_attention_backward(Cuda, const AttentionCall<T, Cuda>& call, const Tensor<T, Cuda>& y,
                            const Tensor<T, Cuda>& dy, const Tensor<T, Cuda>& dq, const Tensor<T, Cuda>& dk,
                            const Tensor<T, Cuda>& dv) {
  const auto delta = Tensor<T, Cuda>::empty(call.maximum.shape());
  const cuda::AttentionBack<T> back{cuda::view_of(call), cuda::reads(dy), call.maximum.data(),
                                    call.inverse_sum.data(), delta.mutable_data()};
  const Index queries = delta.numel(), keys = call.batch() * call.heads() * call.keys();
  constexpr unsigned threads = 32 * cuda::kAttentionWarps;
  if (queries > 0)
    launch({"attention grad query", blocks_for(queries, cuda::kAttentionWarps), threads},
           cuda::attention_grad_query<T>, back, cuda::reads(y), cuda::writes(dq));
  if (keys > 0)
    launch({"attention grad key", blocks_for(keys, cuda::kAttentionWarps), threads},
           cuda::attention_grad_key<T>, back, cuda::writes(dk), cuda::writes(dv));
}

TMOR_END
