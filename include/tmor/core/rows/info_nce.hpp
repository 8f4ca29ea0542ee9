#pragma once
/// @file info_nce.hpp
/// The symmetric contrastive loss of a square matrix of logits S (n, n), in three passes over it. With the
/// target Q, row and column masses r and c, and P, P' the softmax of the rows and of the columns of S:
///
///     loss  = 1/n sum_i (r_i lse(row i) + c_i lse(column i)) / 2 - 1/n sum_ij Q_ij S_ij,
///     dS_ij = 1/n ((r_i P_ij + c_j P'_ij) / 2 - Q_ij).
///
/// Rows and columns share one exponential, e^(S - top), top the largest logit, as long as every row and
/// column has a logit near enough to it; where one has not (a scale of 100 can do that) each uses its own
/// maximum.

#include "tmor/core/math_exp.hpp"
#include "tmor/core/math_log.hpp"
#include "tmor/core/team.hpp"

TMOR_BEGIN
namespace rows {

/// Memory of the passes; vectors have n elements.
template <class C> struct InfoNceData {
  Index n;
  C* s;                             ///< (n, n): logits, then e^(S - top), then dS
  const C *group, *in_group;        ///< Q_ij = in_group[i] where group[i] == group[j], else 0; or null and
  const C* target;                  ///< (n, n): Q
  const C *row_mass, *column_mass;  ///< null: 1 each
  C *row_shift, *column_shift;      ///< what is subtracted from the logits of a row, of a column
  C *row_sum, *column_sum;          ///< of e^(S - shift); then the factors of e^(S - shift) in dS
  C* positive;                      ///< sum_j Q_ij S_ij
  C* parts;                         ///< (chunks, n)
  RowChunks chunks;
  C *shared, *loss;  ///< one each; `shared` is 1 when all shifts are the same and `s` holds e^(S - top)

  /// Q_ij of row i at what a lane has in hand.
  template <class V, class At> TMOR_HD TMOR_ALWAYS_INLINE V targets(At at, Index i) const {
    if (target) return at.load(target + i * n);
    return select(at.load(group) == V(group[i]), V(in_group[i]), V(C(0)));
  }
};

/// Before the passes, where pairs are to be ignored: their logits become so low that they weigh nothing, in
/// the loss and in its gradient. Positives are never ignored.
template <class C> struct InfoNceIgnore {
  using Compute = C;
  InfoNceData<C> d;
  const bool* ignore;  ///< (n, n)

  template <class Team> TMOR_HD void operator()(const Team& team, Index i) const {
    using V = typename Team::V;
    C* s = d.s + i * d.n;
    const V lowest(kLowest<C> / C(4));  // times zero it is zero, which infinity is not
    team.each(d.n, [&](auto at) {
      const V v = at.load(static_cast<const C*>(s));
      const V hidden = select(d.template targets<V>(at, i) == V(C(0)), lowest, v);
      at.store(s, select(at.load(ignore + i * d.n) != V(C(0)), hidden, v));
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
    for (Index i = begin; i < end; ++i) {
      const C* s = d.s + i * d.n;
      d.row_shift[i] = team.max(d.n, [&](auto at) {
        const V v = at.load(s);
        at.store(most, i == begin ? v : math::max(v, at.load(static_cast<const C*>(most))));
        return v;
      });
    }
  }
};

/// Between the passes: the largest logit of every column and of all, and whether one shift will do.
template <class C> struct InfoNceShifts {
  using Compute = C;
  InfoNceData<C> d;

  template <class Team> TMOR_HD void operator()(const Team& team, Index) const {
    using V = typename Team::V;
    // A term this far below the top is a normal number, and so are those e^-20 times smaller that matter.
    constexpr C kReach = sizeof(C) == 4 ? C(60) : C(600);
    team.each(d.n, [&](auto at) {
      V m(kLowest<C>);
      for (Index chunk = 0; chunk < d.chunks.count; ++chunk) m = math::max(m, at.load(d.parts + chunk * d.n));
      at.store(d.column_shift, m);
    });
    const auto load = [](auto at, const C* p) { return at.load(p); };
    const C top = team.max(d.n, [&](auto at) { return load(at, d.row_shift); });
    const C below =
        team.max(d.n, [&](auto at) { return -math::min(load(at, d.row_shift), load(at, d.column_shift)); });
    const bool shared = top + below < kReach;
    if (shared)
      team.each(d.n, [&](auto at) {
        at.store(d.row_shift, V(top));
        at.store(d.column_shift, V(top));
      });
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
    for (Index i = begin; i < end; ++i) {
      C* s = d.s + i * d.n;
      const V shift(d.row_shift[i]);
      const auto add_to_column = [&](auto at, V e) {
        at.store(sums, i == begin ? e : e + at.load(static_cast<const C*>(sums)));
      };
      Two<C> row;
      if (shared) {
        row = team.sum(d.n, [&](auto at) {
          const V v = at.load(static_cast<const C*>(s)), e = math::exp(v - shift);
          at.store(s, e);
          add_to_column(at, e);
          return Two<V>{e, d.template targets<V>(at, i) * v};
        });
      } else {
        row = team.sum(d.n, [&](auto at) {
          const V v = at.load(static_cast<const C*>(s));
          add_to_column(at, math::exp(v - at.load(static_cast<const C*>(d.column_shift))));
          return Two<V>{math::exp(v - shift), d.template targets<V>(at, i) * v};
        });
      }
      d.row_sum[i] = row.first;
      d.positive[i] = row.second;
    }
  }
};

/// Between the passes: the loss, and the factors of e^(S - shift) in its gradient.
template <class C> struct InfoNceLoss {
  using Compute = C;
  InfoNceData<C> d;

  template <class Team> TMOR_HD void operator()(const Team& team, Index) const {
    using V = typename Team::V;
    const V half(C(0.5) / static_cast<C>(d.n));
    const C loss = team.sum(d.n, [&](auto at) {
      V columns(C(0));
      for (Index chunk = 0; chunk < d.chunks.count; ++chunk) columns += at.load(d.parts + chunk * d.n);
      const V rows = at.load(static_cast<const C*>(d.row_sum));
      const V r = at.load_or(d.row_mass, C(1)) * half, c = at.load_or(d.column_mass, C(1)) * half;
      at.store(d.row_sum, r / rows);
      at.store(d.column_sum, c / columns);
      return r * (math::log(rows) + at.load(static_cast<const C*>(d.row_shift))) +
             c * (math::log(columns) + at.load(static_cast<const C*>(d.column_shift))) -
             (half + half) * at.load(static_cast<const C*>(d.positive));
    });
    team.at(0, [&](Index) { *d.loss = loss; });
  }
};

/// Pass 3: dS in place of S.
template <class C> struct InfoNceGradient {
  using Compute = C;
  InfoNceData<C> d;

  template <class Team> TMOR_HD void operator()(const Team& team, Index i) const {
    using V = typename Team::V;
    C* s = d.s + i * d.n;
    const C *column_sum = d.column_sum, *column_shift = d.column_shift;
    const V row(d.row_sum[i]), shift(d.row_shift[i]), once(C(1) / static_cast<C>(d.n));
    const bool shared = *d.shared != C(0);
    team.each(d.n, [&](auto at) {
      const V v = at.load(static_cast<const C*>(s)), column = at.load(column_sum);
      const V p = shared ? v * (row + column)
                         : math::exp(v - shift) * row + math::exp(v - at.load(column_shift)) * column;
      at.store(s, p - once * d.template targets<V>(at, i));
    });
  }
};

}  // namespace rows
TMOR_END
