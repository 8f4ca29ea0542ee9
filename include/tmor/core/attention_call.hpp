#pragma once
/// @file attention_call.hpp
/// What the attention of either device is called with.

#include "tmor/core/tensor.hpp"

TMOR_BEGIN

/// q, k, v, the rules on who sees whom, and what forward leaves to backward.
template <class T, class Device> struct AttentionCall {
  using C = compute_t<T>;  ///< of scores and sums

  Tensor<T, Device> q, k, v;  ///< (batch, heads, queries, dim), (..., keys, dim), (..., keys, value_dim)

  /// Undefined, or broadcast to (batch, heads, queries, keys) with a contiguous last dimension: false hides a
  /// key; added to the scores.
  Tensor<bool, Device> mask;
  Tensor<C, Device> bias;
  Tensor<std::int64_t, Device> key_lengths;  ///< undefined, or (batch,) contiguous: keys beyond are hidden
  bool causal;                               ///< query i sees keys up to i + keys - queries
  C scale;                                   ///< of q k^T

  /// (batch, heads, queries): the largest score, and 1 / sum(e^(score - largest)); where a query sees
  /// nothing, the largest number and 0, which make every weight 0.
  Tensor<C, Device> maximum, inverse_sum;

  Index batch() const { return q.shape()[0]; }
  Index heads() const { return q.shape()[1]; }
  Index queries() const { return q.shape()[2]; }
  Index keys() const { return k.shape()[2]; }
  Index dim() const { return q.shape()[3]; }
  Index value_dim() const { return v.shape()[3]; }
};

TMOR_END
