#pragma once
/// @file norm.hpp
/// Layer, root-mean-square and l2 normalisation of a row, and their gradients.
///
/// With z = (x - mean) / sqrt(var + eps), g = gamma and u = g dy, a row's gradients are
///
///     dx = (u - avg(u) - z avg(u z)) / sqrt(var + eps),   dgamma += dy z,   dbeta += dy.
///
/// Root-mean-square normalisation is the same with mean = 0 and without avg(u).

#include "tmor/core/team.hpp"

TMOR_BEGIN
namespace rows {

/// y = z gamma + beta; `kCentre` subtracts the mean (layer norm), else not (rms norm). Null gamma: 1, beta:
/// 0.
template <class T, bool kCentre> struct Norm {
  using Compute = compute_t<T>;
  const T* x;
  const Compute *gamma, *beta;
  T* y;
  Compute *mean, *rstd;  ///< one a row, for backward; `mean` only when kCentre
  Index n;
  Compute eps;

  template <class Team> TMOR_HD void operator()(const Team& team, Index row) const {
    using C = Compute;
    using V = typename Team::V;
    const T* in = x + row * n;
    const C count = static_cast<C>(n);
    C centre(0);
    if constexpr (kCentre) centre = team.sum(n, [&](auto at) { return at.load(in); }) / count;
    // Two passes over a row that is in cache; the sum of the deviations takes back the rounding of the mean.
    const V c(centre);
    const Two<C> s = team.sum(n, [&](auto at) {
      const V d = at.load(in) - c;
      return Two<V>{d, d * d};
    });
    const C rest = kCentre ? s.first / count : C(0);
    const C r = math::rsqrt(math::max(s.second / count - rest * rest, C(0)) + eps);
    const V shift(rest), scale(r);
    team.each(n, [&](auto at) {
      const V z = (at.load(in) - c - shift) * scale;
      at.store(y + row * n, z * at.load_or(gamma, C(1)) + at.load_or(beta, C(0)));
    });
    team.at(0, [&](Index) {
      if constexpr (kCentre) mean[row] = centre + rest;
      rstd[row] = r;
    });
  }
};

/// The gradients; dgamma and dbeta as sums over each chunk of rows, `parts` (chunks, 2, n).
template <class T, bool kCentre> struct NormBackward {
  using Compute = compute_t<T>;
  const T *x, *dy;
  const Compute *gamma, *mean, *rstd;
  T* dx;           ///< null: not wanted
  Compute* parts;  ///< null: not wanted
  Index n;

  template <class Team> TMOR_HD void operator()(const Team& team, Index chunk, Index begin, Index end) const {
    using C = Compute;
    using V = typename Team::V;
    C* dgamma = parts ? parts + chunk * 2 * n : nullptr;
    C* dbeta = parts ? dgamma + n : nullptr;
    if (parts) {
      team.each(n, [&](auto at) {
        at.store(dgamma, V(C(0)));
        at.store(dbeta, V(C(0)));
      });
    }
    for (Index row = begin; row < end; ++row) {
      const T *in = x + row * n, *g = dy + row * n;
      const V r(rstd[row]), m(kCentre ? mean[row] : C(0));
      if (dx) {
        const Two<C> s = team.sum(n, [&](auto at) {
          const V u = at.load_or(gamma, C(1)) * at.load(g);
          return Two<V>{u, u * ((at.load(in) - m) * r)};
        });
        const V avg_u(kCentre ? s.first / static_cast<C>(n) : C(0)), avg_uz(s.second / static_cast<C>(n));
        team.each(n, [&](auto at) {
          const V z = (at.load(in) - m) * r, u = at.load_or(gamma, C(1)) * at.load(g);
          at.store(dx + row * n, r * (u - avg_u - z * avg_uz));
        });
      }
      if (parts) {
        team.each(n, [&](auto at) {
          const V z = (at.load(in) - m) * r, d = at.load(g);
          at.store(dgamma, at.load(static_cast<const C*>(dgamma)) + d * z);
          at.store(dbeta, at.load(static_cast<const C*>(dbeta)) + d);
        });
      }
    }
  }
};

/// y = x / max(|x|, eps), |x| the Euclidean length of the row.
template <class T> struct L2Normalize {
  using Compute = compute_t<T>;
  const T* x;
  T* y;
  Compute* length;  ///< one a row, for backward
  Index n;
  Compute eps;

  template <class Team> TMOR_HD void operator()(const Team& team, Index row) const {
    using V = typename Team::V;
    const T* in = x + row * n;
    const Compute l = math::sqrt(team.sum(n, [&](auto at) {
      const V v = at.load(in);
      return v * v;
    }));
    const V scale(Compute(1) / math::max(l, eps));
    team.each(n, [&](auto at) { at.store(y + row * n, at.load(in) * scale); });
    team.at(0, [&](Index) { length[row] = l; });
  }
};

/// dx = (dy - y sum(y dy)) / |x|; dy / eps where |x| < eps.
template <class T> struct L2NormalizeBackward {
  using Compute = compute_t<T>;
  const T *x, *dy;
  const Compute* length;
  T* dx;
  Index n;
  Compute eps;

  template <class Team> TMOR_HD void operator()(const Team& team, Index row) const {
    using C = Compute;
    using V = typename Team::V;
    const T *in = x + row * n, *g = dy + row * n;
    const C l = length[row], inverse = C(1) / math::max(l, eps);
    const C dot = team.sum(n, [&](auto at) { return at.load(in) * at.load(g); });
    const V along(l < eps ? C(0) : dot * inverse * inverse), scale(inverse);
    team.each(n, [&](auto at) { at.store(dx + row * n, (at.load(g) - at.load(in) * along) * scale); });
  }
};

}  // namespace rows
TMOR_END
