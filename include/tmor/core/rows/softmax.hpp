#pragma once
/// @file softmax.hpp
/// Softmax and log-softmax of a row, and their gradients.

#include "tmor/core/math_exp.hpp"
#include "tmor/core/math_log.hpp"
#include "tmor/core/team.hpp"

TMOR_BEGIN
namespace rows {

/// Where the row of a broadcast operand starts: leading sizes with the operand's strides, 0 where broadcast.
struct BroadcastRows {
  int rank = 0;
  Index size[8] = {}, stride[8] = {};

  TMOR_HD Index offset(Index row) const {
    Index o = 0;
    for (int d = rank - 1; d >= 0; --d) {
      o += row % size[d] * stride[d];
      row /= size[d];
    }
    return o;
  }
};

/// y = e^(x - max) / sum; elements the mask hides, and rows with nothing to see, give 0.
template <class T> struct Softmax {
  using Compute = compute_t<T>;
  const T* x;
  T* y;
  Index n;
  const bool* mask;  ///< null: none; true keeps
  BroadcastRows mask_rows;

  template <class Team> TMOR_HD void operator()(const Team& team, Index row) const {
    using C = Compute;
    using V = typename Team::V;
    const T* in = x + row * n;
    T* out = y + row * n;
    const bool* seen = mask ? mask + mask_rows.offset(row) : nullptr;
    const C top = team.max(
        n, [&](auto at) { return select(at.load_or(seen, C(1)) != V(0), at.load(in), V(kLowest<C>)); });
    const auto weight = [&](auto at) {
      return select(at.load_or(seen, C(1)) != V(0), math::exp(at.load(in) - V(top)), V(0));
    };
    if constexpr (std::is_same_v<T, C>) {
      const C sum = team.sum(n, [&](auto at) {
        const V e = weight(at);
        at.store(out, e);
        return e;
      });
      const V scale(sum == C(0) ? C(0) : C(1) / sum);
      team.each(n, [&](auto at) { at.store(out, at.load(static_cast<const T*>(out)) * scale); });
    } else {  // a short type would round twice
      const C sum = team.sum(n, weight);
      const V scale(sum == C(0) ? C(0) : C(1) / sum);
      team.each(n, [&](auto at) { at.store(out, weight(at) * scale); });
    }
  }
};

/// dx = y (dy - sum(y dy)).
template <class T> struct SoftmaxBackward {
  using Compute = compute_t<T>;
  const T *y, *dy;
  T* dx;
  Index n;

  template <class Team> TMOR_HD void operator()(const Team& team, Index row) const {
    using V = typename Team::V;
    const T *p = y + row * n, *g = dy + row * n;
    const V dot(team.sum(n, [&](auto at) { return at.load(p) * at.load(g); }));
    team.each(n, [&](auto at) { at.store(dx + row * n, at.load(p) * (at.load(g) - dot)); });
  }
};

/// The maximum of a row and the sum of e^(x - maximum).
template <class Team, class T>
TMOR_HD TMOR_ALWAYS_INLINE auto max_and_sum(const Team& team, Index n, const T* x) {
  using C = compute_t<T>;
  using V = typename Team::V;
  const C top = team.max(n, [&](auto at) { return at.load(x); });
  return Two<C>{top, team.sum(n, [&](auto at) { return math::exp(at.load(x) - V(top)); })};
}

/// y = x - max - log(sum).
template <class T> struct LogSoftmax {
  using Compute = compute_t<T>;
  const T* x;
  T* y;
  Index n;

  template <class Team> TMOR_HD void operator()(const Team& team, Index row) const {
    using V = typename Team::V;
    const T* in = x + row * n;
    const auto [top, sum] = max_and_sum(team, n, in);
    const V high(top), low(math::log(sum));
    team.each(n, [&](auto at) { at.store(y + row * n, at.load(in) - high - low); });
  }
};

/// dx = dy - e^y sum(dy).
template <class T> struct LogSoftmaxBackward {
  using Compute = compute_t<T>;
  const T *y, *dy;
  T* dx;
  Index n;

  template <class Team> TMOR_HD void operator()(const Team& team, Index row) const {
    using V = typename Team::V;
    const T *log_p = y + row * n, *g = dy + row * n;
    const V sum(team.sum(n, [&](auto at) { return at.load(g); }));
    team.each(n, [&](auto at) { at.store(dx + row * n, at.load(g) - math::exp(at.load(log_p)) * sum); });
  }
};

}  // namespace rows
TMOR_END
