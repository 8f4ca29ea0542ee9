#pragma once
/// @file cross_entropy.hpp
/// Cross-entropy of rows of logits against classes or distributions, its mean, and its gradient.
///
/// With the target distribution q (label smoothing s: q = (1 - s) target + s / n), mass = sum(q) and p =
/// softmax(x), a row's loss is -sum(q log p) and its gradient (mass p - q) times what arrives from above.

#include "tmor/core/rows/softmax.hpp"

TMOR_BEGIN
namespace rows {

/// Where the target distribution of a row comes from: a class number or, where that is null, a distribution.
template <class T> struct Targets {
  const std::int64_t* classes;  ///< one a row
  const T* distribution;        ///< n a row
  std::int64_t ignored;         ///< rows of this class count for nothing
  compute_t<T> smoothing;
};

template <class T> struct CrossEntropy {
  using Compute = compute_t<T>;
  const T* x;
  Targets<T> targets;
  Index n;
  Compute *loss, *mass;  ///< one a row
  Compute *maximum,
      *log_sum_exp;  ///< one a row, log_sum_exp of x - maximum: p = e^(x - maximum - log_sum_exp)

  template <class Team> TMOR_HD void operator()(const Team& team, Index row) const {
    using C = Compute;
    using V = typename Team::V;
    const T* in = x + row * n;
    const auto found = max_and_sum(team, n, in);
    const C top = found.first, low = math::log(found.second);  // clang 14 captures no structured bindings
    const C s = targets.smoothing, even = s / static_cast<C>(n);
    const V high(top);
    C total(1), l;  // l = low * total - sum(q (x - top))
    if (targets.classes) {
      const std::int64_t target = targets.classes[row];
      if (target == targets.ignored) {
        total = l = C(0);
      } else {
        l = low - (C(1) - s) * (load_as<C>(in + target) - top);
        if (s != C(0)) l -= even * team.sum(n, [&](auto at) { return at.load(in) - high; });
      }
    } else {
      const T* t = targets.distribution + row * n;
      const V keep(C(1) - s), add(even);
      const Two<C> sums = team.sum(n, [&](auto at) {
        const V q = keep * at.load(t) + add;
        return Two<V>{q, select(q == V(C(0)), V(C(0)), q * (at.load(in) - high))};
      });
      total = sums.first;
      l = low * total - sums.second;
    }
    team.at(0, [&](Index) {
      loss[row] = l;
      mass[row] = total;
      maximum[row] = top;
      log_sum_exp[row] = low;
    });
  }
};

template <class T> struct CrossEntropyBackward {
  using Compute = compute_t<T>;
  const T* x;
  Targets<T> targets;
  Index n;
  const Compute *mass, *maximum, *log_sum_exp;
  const Compute* dy;  ///< one for all, or one a row when `per_row`
  bool per_row;
  const Compute* inverse;  ///< a further factor for all rows; null: 1
  T* dx;

  template <class Team> TMOR_HD void operator()(const Team& team, Index row) const {
    using C = Compute;
    using V = typename Team::V;
    const T* in = x + row * n;
    T* out = dx + row * n;
    const C factor = dy[per_row ? row : 0] * (inverse ? *inverse : C(1));
    const C s = targets.smoothing, even = s / static_cast<C>(n);
    const V high(maximum[row]), low(log_sum_exp[row]), m(mass[row]), scale(factor);
    const auto scaled_p = [&](auto at) { return math::exp(at.load(in) - high - low) * m; };
    if (targets.classes) {
      const std::int64_t target = targets.classes[row];
      const bool used = target != targets.ignored;
      const V add(used ? even : C(0));
      team.each(n, [&](auto at) { at.store(out, used ? (scaled_p(at) - add) * scale : V(C(0))); });
      if (used)
        team.at(target, [&](Index i) {
          const C p = math::exp(load_as<C>(in + i) - maximum[row] - log_sum_exp[row]);
          store_as(out + i, (p - even - (C(1) - s)) * factor);
        });
    } else {
      const T* t = targets.distribution + row * n;
      const V keep(C(1) - s), add(even);
      team.each(n, [&](auto at) { at.store(out, (scaled_p(at) - (keep * at.load(t) + add)) * scale); });
    }
  }
};

/// out = {sum(loss) / sum(weight), 1 / sum(weight), sum(loss)}, the first two 0 where nothing has weight;
/// null weights: 1 each. Run on one row.
template <class C> struct WeightedMean {
  using Compute = C;
  const C *loss, *weight;
  Index n;
  C* out;

  template <class Team> TMOR_HD void operator()(const Team& team, Index) const {
    using V = typename Team::V;
    const Two<C> s = team.sum(n, [&](auto at) { return Two<V>{at.load(loss), at.load_or(weight, C(1))}; });
    const C inverse = s.second == C(0) ? C(0) : C(1) / s.second;
    team.at(0, [&](Index) {
      out[0] = s.first * inverse;
      out[1] = inverse;
      out[2] = s.first;
    });
  }
};

}  // namespace rows
TMOR_END
