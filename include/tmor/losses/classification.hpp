#pragma once
/// @file classification.hpp
/// Losses of classifiers: cross-entropy (losses/cross_entropy.hpp), binary cross-entropy, Kullback-Leibler
/// divergence. Shapes are never broadcast here: a loss that silently pairs (n, 1) with (n,) trains on n^2
/// pairs.

#include "tmor/losses/cross_entropy.hpp"
#include "tmor/losses/reduction.hpp"
#include "tmor/ops/elementwise.hpp"

TMOR_BEGIN
namespace loss {

namespace fn {

/// -(w t log sigmoid(x) + (1 - t) log(1 - sigmoid(x))); -log sigmoid(x) is softplus(-x).
struct BceWithLogits {
  static constexpr const char* name = "bce_with_logits";
  double positive_weight;
  template <class V> TMOR_HD V operator()(V x, V t) const {
    return V(positive_weight) * t * math::softplus(-x) + (V(1) - t) * math::softplus(x);
  }
};
/// p (log p - log q), 0 where p = 0.
struct KlTerm {
  static constexpr const char* name = "kl_div";
  template <class V> TMOR_HD V operator()(V log_q, V p) const {
    return select(p > V(0), p * (math::log(select(p > V(0), p, V(1))) - log_q), V(0));
  }
};

}  // namespace fn

/// Binary cross-entropy of logits x against targets t in [0, 1] of the same shape, element by element.
///
/// `mask` (same shape, or undefined) leaves out elements where it is false: the mean is over the others, 0
/// when there are none. `positive_weight` multiplies the part of positive targets.
/// @throws ShapeError for unequal shapes.
template <class T, class Device>
Tensor<param_t<T>, Device> bce_with_logits(const Tensor<T, Device>& x, const Tensor<T, Device>& t,
                                           const Tensor<bool, Device>& mask = {}, double positive_weight = 1,
                                           Reduction reduction = Reduction::mean) {
  return tmor::detail::elementwise_loss(fn::BceWithLogits{positive_weight}, x, t, mask, reduction);
}

/// Kullback-Leibler divergence sum(p (log p - log q)) over the last dimension, of predicted log-probabilities
/// log_q and probabilities p of the same shape; the mean is over all other dimensions.
/// @throws ShapeError for unequal shapes or scalars.
template <class T, class Device>
Tensor<param_t<T>, Device> kl_div(const Tensor<T, Device>& log_q, const Tensor<T, Device>& p,
                                  Reduction reduction = Reduction::mean) {
  tmor::detail::check_equal_shapes("kl_div", log_q, p);
  TMOR_CHECK_SHAPE(p.rank() >= 1, "[kl_div] needs at least one dimension");
  using C = compute_t<T>;
  return tmor::detail::reduce_loss(sum(pointwise(fn::KlTerm{}, to<C>(log_q), to<C>(p)), -1), reduction);
}

}  // namespace loss
TMOR_END
