#pragma once
/// @file attention.hpp
/// Attention on the CPU, in tiles of scores that stay in the cache (Dao et al. 2022, FlashAttention): the
/// matrix of all scores exists neither forward nor backward. Products are calls of the gemm, what lies
/// between them is done row by row.

#include "tmor/core/attention_call.hpp"
#include "tmor/core/math_exp.hpp"
#include "tmor/cpu/gemm.hpp"
#include "tmor/cpu/rows.hpp"

TMOR_BEGIN
namespace cpu {

/// One head of one item of a (batch, heads, rows, columns) tensor.
template <class T> struct Slice {
  T* p;
  Index row, col;
};
template <class T> Slice<const T> slice(const Tensor<T, Cpu>& x, Index b, Index h) {
  const Shape& st = x.strides();
  return {x.data() + b * st[0] + h * st[1], st[2], st[3]};
}

// A tile of scores: up to 512 keys, of as many queries as make about 64 Ki scores.
template <class T> Index tile_keys(const AttentionCall<T, Cpu>& call) {
  return call.keys() < 512 ? call.keys() : 512;
}
template <class T> Index tile_queries(const AttentionCall<T, Cpu>& call) {
  const Index width = tile_keys(call), n = 65536 / (width > 0 ? width : 1);
  return call.queries() < n ? call.queries() : n;
}

/// The number of first keys that query `i` of item `b` may see, apart from the mask. Grows with `i`.
template <class T> Index visible_keys(const AttentionCall<T, Cpu>& call, Index b, Index i) {
  Index n = call.keys();
  if (call.key_lengths.defined()) {
    const std::int64_t length = call.key_lengths.data()[b];
    if (length < n) n = length;
  }
  const Index ahead = call.keys() - call.queries();
  if (call.causal && i + 1 + ahead < n) n = i + 1 + ahead;
  return n < 0 ? 0 : n;
}

/// Part of the scores of one head: queries [i0, i1) against keys [j0, j1), row-major in `s`.
template <class T> struct ScoreTile {
  const AttentionCall<T, Cpu>& call;
  Index b, h, i0, i1, j0, j1;
  T* s;

  Index rows() const { return i1 - i0; }
  Index cols() const { return j1 - j0; }
  T* row(Index i) const { return s + (i - i0) * cols(); }
  /// Number of keys of this tile that query `i` may see.
  Index visible(Index i) const {
    const Index n = visible_keys(call, b, i) - j0;
    return n < 0 ? 0 : n < cols() ? n : cols();
  }

  /// s = scale q k^T + bias, `kLowest` where the mask hides; only the visible part of a row is meaningful.
  void compute() const {
    const auto q = slice(call.q, b, h), k = slice(call.k, b, h);
    GemmArgs<T> g;
    g.m = rows(), g.n = cols(), g.k = call.dim();
    g.a = q.p + i0 * q.row, g.a_row = q.row, g.a_col = q.col;
    g.b = k.p + j0 * k.row, g.b_row = k.col, g.b_col = k.row;
    g.c = s, g.c_row = cols();
    g.alpha = call.scale;
    gemm(g);
    const Tensor<bool, Cpu>& mask = call.mask;
    const Tensor<T, Cpu>& bias = call.bias;
    if (!mask.defined() && !bias.defined()) return;
    using V = typename HostTeam<T>::V;
    for (Index i = i0; i < i1; ++i) {
      const auto at_row = [&](const auto& t) {
        return t.defined() ? slice(t, b, h).p + i * t.strides()[2] + j0 : nullptr;
      };
      const bool* seen = at_row(mask);
      const T* add = at_row(bias);
      HostTeam<T>{}.each(visible(i), [&](auto at) {
        const V v = at.load(static_cast<const T*>(row(i))) + at.load_or(add, T(0));
        at.store(row(i), select(at.load_or(seen, T(1)) != V(T(0)), v, V(kLowest<T>)));
      });
    }
  }

  /// Turns scores into e^(score - max(largest so far, largest here)). Updates that maximum and the sum of
  /// weights of every row, and tells `rescale(i, factor)` by what earlier results of it must be multiplied.
  template <class F> void weights(T* maximum, T* sum, F&& rescale) const {
    using V = typename HostTeam<T>::V;
    const HostTeam<T> team;
    for (Index i = i0; i < i1; ++i) {
      T* w = row(i);
      const auto load = [&](auto at) { return at.load(static_cast<const T*>(w)); };
      Index n = visible(i);
      const T here = team.max(n, load), top = math::max(maximum[i], here);
      if (here <= kLowest<T>) n = 0;  // all hidden
      const T factor = math::exp(maximum[i] - top);
      sum[i] = sum[i] * factor + team.sum(n, [&](auto at) {
        const V e = math::exp(load(at) - V(top));
        at.store(w, e);
        return e;
      });
      for (Index j = n; j < cols(); ++j) w[j] = T(0);
      maximum[i] = top;
      rescale(i, factor);
    }
  }

  /// Turns scores into the softmax itself, from the maximum and inverse sum of every row.
  void probabilities() const {
    using V = typename HostTeam<T>::V;
    const T* maximum = call.maximum.data() + (b * call.heads() + h) * call.queries();
    const T* inverse = call.inverse_sum.data() + (b * call.heads() + h) * call.queries();
    for (Index i = i0; i < i1; ++i) {
      T* w = row(i);
      const Index n = visible(i);
      HostTeam<T>{}.each(n, [&](auto at) {
        at.store(w, math::exp(at.load(static_cast<const T*>(w)) - V(maximum[i])) * V(inverse[i]));
      });
      for (Index j = n; j < cols(); ++j) w[j] = T(0);
    }
  }
};

template <class T> T* tile_memory(Ref<Storage>& hold, Index elements) {
  hold = Cpu::allocate(static_cast<std::size_t>(elements) * sizeof(T));
  return static_cast<T*>(hold->data());
}

}  // namespace cpu

/// y = softmax(scale q k^T + bias) v, and the maximum and inverse sum of every query. `y` is (batch, heads,
/// queries, value_dim) with contiguous columns.
template <class T> void run_attention(Cpu, const AttentionCall<T, Cpu>& call, const Tensor<T, Cpu>& y) {
  using namespace cpu;
  const Index heads = call.heads(), queries = call.queries(), height = tile_queries(call),
              width = tile_keys(call);
  if (y.numel() == 0) return;
  T *all_maxima = call.maximum.mutable_data(), *all_sums = call.inverse_sum.mutable_data(),
    *out = y.mutable_data();
  const Index tiles = (queries + height - 1) / height;
  parallel_for(call.batch() * heads * tiles, 1, [&](Index task, Index) {
    const Index b = task / tiles / heads, h = task / tiles % heads, i0 = task % tiles * height;
    const Index i1 = i0 + height < queries ? i0 + height : queries;
    T *maximum = all_maxima + (b * heads + h) * queries, *sum = all_sums + (b * heads + h) * queries;
    const Index y_row = y.strides()[2], columns = call.value_dim();
    T* y_head = out + b * y.strides()[0] + h * y.strides()[1];
    for (Index i = i0; i < i1; ++i) {
      maximum[i] = kLowest<T>;
      sum[i] = T(0);
      for (Index d = 0; d < columns; ++d) y_head[i * y_row + d] = T(0);
    }
    const auto scale_row = [&](Index i, T factor) {
      for (Index d = 0; d < columns; ++d) y_head[i * y_row + d] *= factor;
    };
    Ref<Storage> hold;
    T* s = tile_memory<T>(hold, height * width);
    const Index end = visible_keys(call, b, i1 - 1);
    for (Index j0 = 0; j0 < end; j0 += width) {
      const Index j1 = j0 + width < end ? j0 + width : end;
      const ScoreTile<T> tile{call, b, h, i0, i1, j0, j1, s};
      tile.compute();
      tile.weights(maximum, sum, [&](Index i, T factor) {
        if (j0 > 0) scale_row(i, factor);
      });
      const auto v = slice(call.v, b, h);
      GemmArgs<T> g;
      g.m = i1 - i0, g.n = columns, g.k = j1 - j0;
      g.a = s, g.a_row = j1 - j0;
      g.b = v.p + j0 * v.row, g.b_row = v.row, g.b_col = v.col;
      g.c = y_head + i0 * y_row, g.c_row = y_row;
      g.beta = j0 > 0 ? T(1) : T(0);
      gemm(g);
    }
    for (Index i = i0; i < i1; ++i) {
      if (sum[i] > T(0)) {
        sum[i] = T(1) / sum[i];
        scale_row(i, sum[i]);
      } else {
        maximum[i] = -kLowest<T>;
      }
    }
  });
}

/// Adds the gradients to dq, dk, dv, whose columns are contiguous, as are those of y and dy. Tiles of scores
/// are computed again; one thread does a head, so that sums have one order.
template <class T>
void run_attention_backward(Cpu, const AttentionCall<T, Cpu>& call, const Tensor<T, Cpu>& y,
                            const Tensor<T, Cpu>& dy, const Tensor<T, Cpu>& dq, const Tensor<T, Cpu>& dk,
                            const Tensor<T, Cpu>& dv) {
  using namespace cpu;
  const Index heads = call.heads(), queries = call.queries(), height = tile_queries(call),
              width = tile_keys(call);
  const Index dim = call.dim(), value_dim = call.value_dim();
  T *dq_all = dq.mutable_data(), *dk_all = dk.mutable_data(), *dv_all = dv.mutable_data();
  const auto head = [](T* p, const Tensor<T, Cpu>& t, Index b, Index h) {
    return Slice<T>{p + b * t.strides()[0] + h * t.strides()[1], t.strides()[2], 1};
  };
  parallel_for(call.batch() * heads, 1, [&](Index task, Index) {
    const Index b = task / heads, h = task % heads;
    const auto q = slice(call.q, b, h), k = slice(call.k, b, h), v = slice(call.v, b, h);
    const auto out = slice(y, b, h), dout = slice(dy, b, h);
    const auto gq = head(dq_all, dq, b, h), gk = head(dk_all, dk, b, h), gv = head(dv_all, dv, b, h);
    Ref<Storage> hold;
    T* p = tile_memory<T>(hold, 2 * height * width + height);
    T *dp = p + height * width, *delta = dp + height * width;
    for (Index i0 = 0; i0 < queries; i0 += height) {
      const Index i1 = i0 + height < queries ? i0 + height : queries, m = i1 - i0;
      for (Index i = i0; i < i1; ++i)
        delta[i - i0] = HostTeam<T>{}.sum(value_dim, [&](auto at) {
          return at.load(out.p + i * out.row) * at.load(dout.p + i * dout.row);
        });
      const Index end = visible_keys(call, b, i1 - 1);
      for (Index j0 = 0; j0 < end; j0 += width) {
        const Index j1 = j0 + width < end ? j0 + width : end, n = j1 - j0;
        const ScoreTile<T> tile{call, b, h, i0, i1, j0, j1, p};
        tile.compute();
        tile.probabilities();
        GemmArgs<T> g;
        // dv += p^T dy
        g.m = n, g.n = value_dim, g.k = m;
        g.a = p, g.a_row = 1, g.a_col = n;
        g.b = dout.p + i0 * dout.row, g.b_row = dout.row, g.b_col = 1;
        g.c = gv.p + j0 * gv.row, g.c_row = gv.row, g.beta = T(1);
        gemm(g);
        // dp = dy v^T
        g.m = m, g.n = n, g.k = value_dim;
        g.a = dout.p + i0 * dout.row, g.a_row = dout.row, g.a_col = 1;
        g.b = v.p + j0 * v.row, g.b_row = v.col, g.b_col = v.row;
        g.c = dp, g.c_row = n, g.beta = T(0);
        gemm(g);
        // ds = p (dp - sum(p dp)), and sum(p dp) = sum(y dy)
        using V = typename HostTeam<T>::V;
        for (Index i = 0; i < m; ++i)
          HostTeam<T>{}.each(n, [&](auto at) {
            const V weight = at.load(static_cast<const T*>(p + i * n)),
                    d = at.load(static_cast<const T*>(dp + i * n));
            at.store(dp + i * n, weight * (d - V(delta[i])));
          });
        // dq += scale ds k,  dk += scale ds^T q
        g.m = m, g.n = dim, g.k = n;
        g.a = dp, g.a_row = n, g.a_col = 1;
        g.b = k.p + j0 * k.row, g.b_row = k.row, g.b_col = k.col;
        g.c = gq.p + i0 * gq.row, g.c_row = gq.row;
        g.alpha = call.scale, g.beta = T(1);
        gemm(g);
        g.m = n, g.n = dim, g.k = m;
        g.a = dp, g.a_row = 1, g.a_col = n;
        g.b = q.p + i0 * q.row, g.b_row = q.row, g.b_col = q.col;
        g.c = gk.p + j0 * gk.row, g.c_row = gk.row;
        gemm(g);
      }
    }
  });
}

TMOR_END
