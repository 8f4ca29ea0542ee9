#pragma once
/// @file pair_targets.hpp
/// Which of the n x n pairs of a contrastive loss are positives, and which take no part: read from a number a
/// row where they come from labels, so that nothing n x n is in memory for them.

#include "tmor/core/team.hpp"

TMOR_BEGIN
namespace rows {

/// Numbers of rows are exact as floats: below 2^24.
template <class C> struct PairTargets {
  const C* group = nullptr;      ///< (n,): pairs of equal groups are positives; or null and
  const C* weight = nullptr;     ///< (n, n): what `value` gives
  const C* in_group = nullptr;   ///< (n,), with `group`: what `value` gives for positives of a row
  const C* kind = nullptr;       ///< (n,): pairs of equal kinds that are no positives take no part; or null
  const bool* ignore = nullptr;  ///< (n, n): the same where it holds; or null

  TMOR_HD bool hides() const { return kind || ignore; }

  /// The target of row i (of n columns) at what a lane has in hand; 0 where a pair is no positive.
  template <class V, class At> TMOR_HD TMOR_ALWAYS_INLINE V value(At at, Index i, Index n) const {
    if (weight) return at.load(weight + i * n);
    return select(at.load(group) == V(group[i]), V(in_group[i]), V(C(0)));
  }
  /// `v`, but `otherwise` for pairs that take no part; `target` is their `value`.
  template <class V, class At>
  TMOR_HD TMOR_ALWAYS_INLINE V unless_hidden(At at, Index i, Index n, V target, V v, V otherwise) const {
    V hidden(C(0));
    if (kind) hidden = select(at.load(kind) == V(kind[i]), V(C(1)), hidden);
    if (ignore) hidden = select(at.load(ignore + i * n) != V(C(0)), V(C(1)), hidden);
    return select(target == V(C(0)), select(hidden != V(C(0)), otherwise, v), v);
  }
};

}  // namespace rows
TMOR_END
