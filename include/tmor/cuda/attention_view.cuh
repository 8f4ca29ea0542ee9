#pragma once
/// @file attention_view.cuh
/// What the kernels of attention are given, and who sees whom.

#include "tmor/core/attention_call.hpp"
#include "tmor/core/team.hpp"
#include "tmor/cuda/device.hpp"
#include "tmor/cuda/launch.cuh"

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
  using C = compute_t<T>;
  Heads<const T> q, k, v;
  Heads<const bool> mask;
  Heads<const C> bias;
  const std::int64_t* lengths;
  Index batch, heads, queries, keys, dim, value_dim;
  bool causal;
  C scale;

  /// The number of a query among all.
  TMOR_HD Index query(Index b, Index h, Index i) const { return (b * heads + h) * queries + i; }
  /// Keys [0, n) that a query may see, as far as lengths and causality go.
  TMOR_HD Index visible(Index b, Index i) const {
    Index n = keys;
    if (lengths && lengths[b] < n) n = lengths[b] > 0 ? lengths[b] : 0;
    if (causal && i + keys - queries + 1 < n) n = i + keys - queries + 1;
    return n > 0 ? n : 0;
  }
  /// Does a query that may see keys up to `end` see this one?
  TMOR_HD bool shows(Index b, Index h, Index i, Index j, Index end) const {
    return j < end && (!mask.p || mask.at(b, h, i)[j * mask.column]);
  }
  /// Its score, of the product of the two; -infinity where it does not, for which the lowest number stands,
  /// too.
  TMOR_HD C score(Index b, Index h, Index i, Index j, Index end, C product) const {
    const C hidden = -std::numeric_limits<C>::infinity();
    if (!shows(b, h, i, j, end)) return hidden;
    const C s = bias.p ? product * scale + bias.at(b, h, i)[j * bias.column] : product * scale;
    return s <= kLowest<C> ? hidden : s;
  }
};
template <class T> AttentionView<T> view_of(const AttentionCall<T, Cuda>& c) {
  return {reads(c.q),    reads(c.k),    reads(c.v),
          reads(c.mask), reads(c.bias), c.key_lengths.defined() ? c.key_lengths.data() : nullptr,
          c.batch(),     c.heads(),     c.queries(),
          c.keys(),      c.dim(),       c.value_dim(),
          c.causal,      c.scale};
}

/// What backward reads besides.
template <class T> struct AttentionBack {
  AttentionView<T> a;
  Heads<const T> dy;
  const compute_t<T>*maximum, *inverse_sum;
  compute_t<T>* delta;  ///< sum(y dy) of every query
};

/// The maximum of a query that sees nothing, which makes every weight 0.
template <class C> inline constexpr C kNothingSeen = -kLowest<C>;

}  // namespace cuda
TMOR_END
