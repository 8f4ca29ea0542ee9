#pragma once
/// @file info_nce.hpp
/// The symmetric contrastive loss of a square matrix of logits S (n, n), of which a block of rows is in
/// memory at a time. With the target Q, row and column masses r and c, and P, P' the softmax of the rows and
/// of the columns of S:
///
///     loss  = 1/n sum_i (r_i lse(row i) + c_i lse(column i)) / 2 - 1/n sum_ij Q_ij S_ij,
///     dS_ij = 1/n ((r_i P_ij + c_j P'_ij) / 2 - Q_ij).
///
/// Rows of a block are whole; what its columns add up to is merged with the blocks before (a shift and a sum
/// of e^(S - shift) each). Rows and columns share one exponential, e^(S - top), top the largest logit, as
/// long as every row and column has a logit near enough to it; where one has not (a scale of 100 can do that)
/// each uses its own maximum.

#include "tmor/core/math_exp.hpp"
#include "tmor/core/math_log.hpp"
#include "tmor/core/rows/pair_targets.hpp"

TMOR_BEGIN
namespace rows {

/// Memory of the passes over rows [first, first + chunks.rows) of S; vectors have n elements.
template <class C> struct InfoNceData {
  Index n, first;
  C* s;            ///< (chunks.rows, n): logits / scale; then, of the only block, e^(S - top)
  const C* scale;  ///< one number; null: 1
  PairTargets<C> pairs;
  const C *row_mass, *column_mass;  ///< null: 1 each
  C *row_shift, *column_shift;      ///< what is subtracted from the logits of a row, of a column
  C *row_sum, *column_sum;          ///< of e^(S - shift); then the factors of e^(S - shift) in n dS
  C* positive;                      ///< sum_j Q_ij S_ij
  C* block_shift;                   ///< what is subtracted from the logits of a column in this block
  C* parts;                         ///< (chunks, n)
  RowChunks chunks;                 ///< of the rows of the block
  C *shared, *loss;                 ///< one each; `shared` is 1 when all shifts are the same

  /// Is there one block only? Then `s` is kept from the loss to its gradient.
  TMOR_HD bool whole() const { return chunks.rows == n; }
  /// What is in `s` times this is a logit.
  TMOR_HD C factor() const { return scale ? *scale : C(1); }
  template <class V, class At> TMOR_HD TMOR_ALWAYS_INLINE V targets(At at, Index i) const {
    return pairs.template value<V>(at, i, n);
  }
  /// e^(S - shift) of v = S / scale. Rounded in the same way in every pass: logits may be thousands, and a
  /// softmax is right only if its terms are those of its sum.
  template <class V> TMOR_HD TMOR_ALWAYS_INLINE V power(V v, V shift) const {
    return math::exp(math::fma(v, V(factor()), -shift));
  }
};

/// Can logits down to `below` under the top share its exponential? A term this far below it is a normal
/// number, and so are those e^-20 times smaller that matter.
template <class C> TMOR_HD bool within_reach(C below) { return below < (sizeof(C) == 4 ? C(60) : C(600)); }

/// Before the passes, where pairs are to be ignored: logits in place of logits / scale, theirs so low that
/// they weigh nothing, in the loss and in its gradient. Positives are never ignored.
template <class C> struct InfoNceIgnore {
  using Compute = C;
  InfoNceData<C> d;

  template <class Team> TMOR_HD void operator()(const Team& team, Index row) const {
    using V = typename Team::V;
    C* s = d.s + row * d.n;
    const Index i = d.first + row;
    const V lowest(kLowest<C> / C(4)), scale(d.factor());  // times zero it is zero, which infinity is not
    team.each(d.n, [&](auto at) {
      const V v = at.load(static_cast<const C*>(s)) * scale, target = d.template targets<V>(at, i);
      at.store(s, d.pairs.unless_hidden(at, i, d.n, target, v, lowest));
    });
  }
};

/// Pass 1: the largest logit of every row, and of every column within the chunk.
template <class C> struct InfoNceMaxima {
  using Compute = C;
  InfoNceData<C> d;

  template <class Team> TMOR_HD void operator()(const Team& team, Index chunk, Index begin, Index end) const {
    using V = typename Team::V;
    C* most = d.parts + chunk * d.n;
    const V scale(d.factor());
    for (Index row = begin; row < end; ++row) {
      const C* s = d.s + row * d.n;
      const C top = team.max(d.n, [&](auto at) {
        const V v = at.load(s) * scale;
        at.store(most, row == begin ? v : math::max(v, at.load(static_cast<const C*>(most))));
        return v;
      });
      team.at(0, [&](Index) { d.row_shift[d.first + row] = top; });
    }
  }
};

/// Between the passes: the largest logit of every column and of all, and whether one shift will do.
template <class C> struct InfoNceShifts {
  using Compute = C;
  InfoNceData<C> d;

  template <class Team> TMOR_HD void operator()(const Team& team, Index) const {
    using V = typename Team::V;
    C* row_shift = d.row_shift + d.first;
    team.each(d.n, [&](auto at) {
      V m(kLowest<C>);
      for (Index chunk = 0; chunk < d.chunks.count; ++chunk) m = math::max(m, at.load(d.parts + chunk * d.n));
      at.store(d.block_shift, m);
    });
    const auto most = [&](Index n, C sign, const C* p) {
      return team.max(n, [&](auto at) { return V(sign) * at.load(p); });
    };
    const C top = most(d.chunks.rows, C(1), row_shift);
    const C below = math::max(most(d.chunks.rows, C(-1), row_shift), most(d.n, C(-1), d.block_shift));
    const bool shared = within_reach(top + below);
    if (shared) {
      team.each(d.chunks.rows, [&](auto at) { at.store(row_shift, V(top)); });
      team.each(d.n, [&](auto at) { at.store(d.block_shift, V(top)); });
    }
    team.at(0, [&](Index) { *d.shared = shared ? C(1) : C(0); });
  }
};

/// Pass 2: the sums of e^(S - shift) over rows, and over columns within the chunk; the positive logits.
template <class C> struct InfoNceSums {
  using Compute = C;
  InfoNceData<C> d;

  template <class Team> TMOR_HD void operator()(const Team& team, Index chunk, Index begin, Index end) const {
    using V = typename Team::V;
    C* sums = d.parts + chunk * d.n;
    const bool shared = *d.shared != C(0);
    const V scale(d.factor());
    for (Index row = begin; row < end; ++row) {
      const Index i = d.first + row;
      C* s = d.s + row * d.n;
      const V shift(d.row_shift[i]);
      const auto add_to_column = [&](auto at, V e) {
        at.store(sums, row == begin ? e : e + at.load(static_cast<const C*>(sums)));
      };
      Two<C> both;
      if (shared) {
        both = team.sum(d.n, [&](auto at) {
          const V v = at.load(static_cast<const C*>(s)), e = d.template power<V>(v, shift);
          at.store(s, e);  // read again where there is one block only
          add_to_column(at, e);
          return Two<V>{e, d.template targets<V>(at, i) * (v * scale)};
        });
      } else {
        both = team.sum(d.n, [&](auto at) {
          const V v = at.load(static_cast<const C*>(s));
          add_to_column(at, d.template power<V>(v, at.load(static_cast<const C*>(d.block_shift))));
          return Two<V>{d.template power<V>(v, shift), d.template targets<V>(at, i) * (v * scale)};
        });
      }
      team.at(0, [&](Index) {
        d.row_sum[i] = both.first;
        d.positive[i] = both.second;
      });
    }
  }
};

/// After the passes over a block: its columns added to those of the blocks before.
template <class C> struct InfoNceColumns {
  using Compute = C;
  InfoNceData<C> d;

  template <class Team> TMOR_HD void operator()(const Team& team, Index) const {
    using V = typename Team::V;
    team.each(d.n, [&](auto at) {
      V sum(C(0)), shift = at.load(static_cast<const C*>(d.block_shift));
      for (Index chunk = 0; chunk < d.chunks.count; ++chunk) sum += at.load(d.parts + chunk * d.n);
      if (d.first > 0) {
        const V before = at.load(static_cast<const C*>(d.column_shift)), most = math::max(shift, before);
        sum = sum * math::exp(shift - most) +
              at.load(static_cast<const C*>(d.column_sum)) * math::exp(before - most);
        shift = most;
      }
      at.store(d.column_shift, shift);
      at.store(d.column_sum, sum);
    });
  }
};

/// After the last block: the loss, and the factors of e^(S - shift) in n times its gradient.
template <class C> struct InfoNceLoss {
  using Compute = C;
  InfoNceData<C> d;

  template <class Team> TMOR_HD void operator()(const Team& team, Index) const {
    using V = typename Team::V;
    const V half(C(0.5) / static_cast<C>(d.n));
    const auto load = [](auto at, const C* p) { return at.load(p); };
    const auto lse = [&](auto at, const C* sum, const C* shift) {
      return math::log(load(at, sum)) + load(at, shift);
    };
    const C loss = team.sum(d.n, [&](auto at) {
      const V r = at.load_or(d.row_mass, C(1)) * half, c = at.load_or(d.column_mass, C(1)) * half;
      return r * lse(at, d.row_sum, d.row_shift) + c * lse(at, d.column_sum, d.column_shift) -
             (half + half) * load(at, d.positive);
    });
    // Blocks have shifts of their own: can all rows and columns take one? A sum tells how low the largest of
    // its at most 2^24 < e^17 terms may be.
    C top(0);
    bool shared = *d.shared != C(0);
    if (!d.whole()) {
      top =
          team.max(d.n, [&](auto at) { return math::max(load(at, d.row_shift), load(at, d.column_shift)); });
      const C below = team.max(d.n, [&](auto at) {
        return -math::min(lse(at, d.row_sum, d.row_shift), lse(at, d.column_sum, d.column_shift));
      });
      shared = within_reach(top + below + C(17));
    }
    const bool move = shared && !d.whole();
    const auto factor = [&](auto at, const C* mass, C* sum, C* shift) {
      V f = at.load_or(mass, C(1)) * V(C(0.5)) / load(at, sum);
      if (move) {
        f = f * math::exp(V(top) - load(at, shift));
        at.store(shift, V(top));
      }
      at.store(sum, f);
    };
    team.each(d.n, [&](auto at) {
      factor(at, d.row_mass, d.row_sum, d.row_shift);
      factor(at, d.column_mass, d.column_sum, d.column_shift);
    });
    team.at(0, [&](Index) {
      *d.loss = loss;
      if (!d.whole()) *d.shared = shared ? C(1) : C(0);  // else it is as it was, and others may still read it
    });
  }
};

/// Pass 3: n dS, numbers of at most 1, so that f16 has room for them.
template <class C, class S> struct InfoNceGradient {
  using Compute = C;
  InfoNceData<C> d;
  S* slopes;  ///< (chunks.rows, n); may be d.s

  template <class Team> TMOR_HD void operator()(const Team& team, Index r) const {
    using V = typename Team::V;
    const C* s = d.s + r * d.n;
    S* out = slopes + r * d.n;
    const Index i = d.first + r;
    const C *column_sum = d.column_sum, *column_shift = d.column_shift;
    const V row(d.row_sum[i]), shift(d.row_shift[i]);
    const auto each = [&](auto&& softmaxes) {
      team.each(d.n, [&](auto at) {
        const V p = softmaxes(at, at.load(s), at.load(column_sum));
        at.store(out, p - d.template targets<V>(at, i));
      });
    };
    if (*d.shared == C(0)) {
      each([&](auto at, V v, V column) {
        return d.template power<V>(v, shift) * row + d.template power<V>(v, at.load(column_shift)) * column;
      });
    } else if (d.whole()) {
      each([&](auto, V v, V column) { return v * (row + column); });
    } else {
      each([&](auto, V v, V column) { return d.template power<V>(v, shift) * (row + column); });
    }
  }
};

}  // namespace rows
TMOR_END
