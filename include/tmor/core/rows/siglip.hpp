#pragma once
/// @file siglip.hpp
/// SigLIP (Zhai et al. 2023) of rows of similarities: every pair is a question of its own. With z = 1 for
/// positives and -1 for the rest, and the logit t = similarity + bias,
///
///     loss = 1/n sum_ij softplus(-z t),   d loss / d t = -z sigmoid(-z t) / n.

#include "tmor/core/math_exp.hpp"
#include "tmor/core/math_log.hpp"
#include "tmor/core/rows/pair_targets.hpp"

TMOR_BEGIN
namespace rows {

/// Rows [first, ...) of the similarities (n, n). Pairs that take no part count for nothing.
template <class C, class S> struct Siglip {
  using Compute = C;
  Index n, first;
  const C* s;  ///< similarities / scale
  S* slopes;   ///< n d loss / d t, numbers of at most 1; may be `s`; null: not wanted
  PairTargets<C> pairs;
  const C *scale, *bias;  ///< one number each
  C *loss, *slope;        ///< (n,): of every row n times its loss, and the sum of n d loss / d t

  template <class Team> TMOR_HD void operator()(const Team& team, Index row) const {
    using V = typename Team::V;
    const Index i = first + row;
    const C* t = s + row * n;
    S* out = slopes ? slopes + row * n : nullptr;
    const V factor(*scale), b(*bias), zero(C(0));
    const Two<C> both = team.sum(n, [&](auto at) {
      const V target = pairs.template value<V>(at, i, n);
      const V logit = at.load(t) * factor + b;
      const V u = select(target == zero, logit, -logit);  // -z t
      V l = math::softplus(u), d = math::sigmoid(u);
      d = select(target == zero, d, -d);
      if (pairs.hides()) {
        l = pairs.unless_hidden(at, i, n, target, l, zero);
        d = pairs.unless_hidden(at, i, n, target, d, zero);
      }
      if (out) at.store(out, d);
      return Two<V>{l, d};
    });
    team.at(0, [&](Index) {
      loss[i] = both.first;
      slope[i] = both.second;
    });
  }
};

}  // namespace rows
TMOR_END
