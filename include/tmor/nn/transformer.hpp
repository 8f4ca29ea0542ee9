#pragma once
/// @file transformer.hpp
/// Multi-head attention and the pre-norm transformer block (Vaswani et al. 2017; Xiong et al. 2020).

#include "tmor/nn/dropout.hpp"
#include "tmor/nn/linear.hpp"
#include "tmor/nn/norm.hpp"
#include "tmor/ops/attention.hpp"
#include "tmor/ops/movement.hpp"

TMOR_BEGIN
namespace nn {

/// Self- or cross-attention of `heads` heads: q (N, Tq, dim), k and v (N, Tk, dim) -> (N, Tq, dim).
template <class T = float, class Device = Cpu> struct MultiheadAttention {
  Linear<T, Device> q, k, v, out;
  Index heads = 1;

  MultiheadAttention() = default;
  MultiheadAttention(Rng& rng, Index dim, Index n_heads)
      : q(rng, dim, dim), k(rng, dim, dim), v(rng, dim, dim), out(rng, dim, dim), heads(n_heads) {
    TMOR_CHECK(n_heads > 0 && dim % n_heads == 0, "[MultiheadAttention] ", dim,
               " channels do not split into ", n_heads, " heads");
  }
  static void visit(auto& self, auto&& v) {
    v.module("q", self.q);
    v.module("k", self.k);
    v.module("v", self.v);
    v.module("out", self.out);
    v.setting("heads", self.heads);
  }
  /// `mask` (broadcast to (N, heads, Tq, Tk)): false hides a key; undefined is no mask.
  Tensor<T, Device> operator()(const Tensor<T, Device>& x, const Tensor<T, Device>& memory,
                               const AttentionOptions<Device>& options = {}) const {
    auto split_heads = [&](const Tensor<T, Device>& t) {
      return transpose(reshape(t, {t.size(0), t.size(1), heads, t.size(2) / heads}), 1, 2);
    };
    const auto y = attention(split_heads(q(x)), split_heads(k(memory)), split_heads(v(memory)), options);
    return out(reshape(transpose(y, 1, 2), {x.size(0), x.size(1), x.size(2)}));
  }
  Tensor<T, Device> operator()(const Tensor<T, Device>& x,
                               const AttentionOptions<Device>& options = {}) const {
    return (*this)(x, x, options);
  }
};

/// x + attention(norm(x)), then x + mlp(norm(x)).
template <class T = float, class Device = Cpu> struct TransformerBlock {
  LayerNorm<T, Device> norm1, norm2;
  MultiheadAttention<T, Device> attn;
  Linear<T, Device> up, down;
  Activation act = Activation::gelu;
  Dropout drop;
  DropPath path;

  TransformerBlock() = default;
  TransformerBlock(Rng& rng, Index dim, Index heads, Index hidden, Activation activation = Activation::gelu,
                   double dropout = 0, double drop_path = 0)
      : norm1(dim),
        norm2(dim),
        attn(rng, dim, heads),
        up(rng, dim, hidden),
        down(rng, hidden, dim),
        act(activation),
        drop{dropout},
        path{drop_path} {}
  static void visit(auto& self, auto&& v) {
    v.module("norm1", self.norm1);
    v.module("attn", self.attn);
    v.module("norm2", self.norm2);
    v.module("up", self.up);
    v.module("down", self.down);
    v.setting("act", self.act);
    v.module("drop", self.drop);
    v.module("path", self.path);
  }
  Tensor<T, Device> operator()(const Tensor<T, Device>& x, const Context& ctx,
                               const AttentionOptions<Device>& options = {}) const {
    const auto h = x + path(drop(attn(norm1(x), options), ctx), ctx);
    return h + path(drop(down(up(norm2(h), act)), ctx), ctx);
  }
};

}  // namespace nn
TMOR_END
