#pragma once
/// @file batch_norm.hpp
/// Batch normalisation of (rows, channels): statistics of columns, the output row by row, the gradients.
///
/// With M rows, z = (x - mean) rstd, y = gamma z + beta (+ residual), o = relu(y) where asked for, and
/// dz = dy where o > 0 (everywhere without relu):
///
///     dbeta = sum(dz),  dgamma = sum(dz z),  dresidual = dz,
///     dx = gamma rstd (dz - dbeta / M - z dgamma / M)   with the batch's statistics,
///     dx = gamma rstd dz                                with given ones.

#include "tmor/core/team.hpp"

TMOR_BEGIN
namespace rows {

/// Per chunk of rows and column: a shift s near the mean, sum(x - s), sum((x - s)^2); `parts` (chunks, 3,
/// cols).
///
/// s is the mean of the chunk's first rows: however far from zero the numbers are, the sum of squares stays
/// within a small factor of the variance, and one pass over memory is enough.
template <class T> struct ColumnMoments {
  using Compute = compute_t<T>;
  const T* x;
  Compute* parts;
  Index cols;

  template <class Team> TMOR_HD void operator()(const Team& team, Index chunk, Index begin, Index end) const {
    using C = Compute;
    using V = typename Team::V;
    constexpr Index kFirst = 16;
    const Index first = end - begin < kFirst ? end - begin : kFirst;
    C *shift = parts + chunk * 3 * cols, *sum = shift + cols, *squares = sum + cols;
    team.each(cols, [&](auto at) {
      V s(C(0));
      for (Index row = begin; row < begin + first; ++row) s += at.load(x + row * cols);
      at.store(shift, s * V(C(1) / static_cast<C>(first)));
      at.store(sum, V(C(0)));
      at.store(squares, V(C(0)));
    });
    for (Index r0 = begin, r1; r0 < end; r0 = r1) {
      r1 = end - r0 < Team::kRowsAtOnce ? end : r0 + Team::kRowsAtOnce;
      team.each(cols, [&](auto at) {
        const V s = at.load(static_cast<const C*>(shift));
        V a = at.load(static_cast<const C*>(sum)), b = at.load(static_cast<const C*>(squares));
        for (Index row = r0; row < r1; ++row) {
          const V d = at.load(x + row * cols) - s;
          a += d;
          b = math::fma(d, d, b);
        }
        at.store(sum, a);
        at.store(squares, b);
      });
    }
  }
};

/// The moments of all rows from those of the chunks, two groups at a time (Chan, Golub and LeVeque 1983), and
/// the running averages: r += momentum (new - r), the variance with M - 1 in its denominator.
template <class C> struct ColumnStatistics {
  using Compute = C;
  const C* parts;
  RowChunks chunks;
  Index cols;
  C eps, momentum;
  C *mean, *rstd;
  C *running_mean, *running_var;  ///< null: leave them

  template <class Team> TMOR_HD void operator()(const Team& team, Index) const {
    using V = typename Team::V;
    team.each(cols, [&](auto at) {
      V m(C(0)), squares(C(0));
      C count(0);
      for (Index chunk = 0; chunk < chunks.count; ++chunk) {
        const C* part = parts + chunk * 3 * cols;
        const C k = static_cast<C>(chunks.end(chunk) - chunks.begin(chunk)), total = count + k;
        const V off = at.load(part + cols) * V(C(1) / k);
        const V within = at.load(part + 2 * cols) - off * off * V(k);
        const V between = at.load(part) + off - m;
        m += between * V(k / total);
        squares += math::max(within, V(C(0))) + between * between * V(count * k / total);
        count = total;
      }
      at.store(mean, m);
      at.store(rstd, math::rsqrt(squares * V(C(1) / count) + V(eps)));
      if (running_mean) {
        const V old_mean = at.load(static_cast<const C*>(running_mean));
        const V old_var = at.load(static_cast<const C*>(running_var));
        at.store(running_mean, old_mean + V(momentum) * (m - old_mean));
        at.store(running_var, old_var + V(momentum) * (squares * V(C(1) / (count - C(1))) - old_var));
      }
    });
  }
};

/// rstd = 1 / sqrt(var + eps) for every column.
template <class C> struct ColumnRstd {
  using Compute = C;
  const C* var;
  C* rstd;
  Index cols;
  C eps;

  template <class Team> TMOR_HD void operator()(const Team& team, Index) const {
    using V = typename Team::V;
    team.each(cols, [&](auto at) { at.store(rstd, math::rsqrt(at.load(var) + V(eps))); });
  }
};

/// y = gamma z + beta, + residual where there is one, and relu where asked for.
template <class T, bool kRelu> struct BatchNorm {
  using Compute = compute_t<T>;
  const T *x, *residual;  ///< residual: null for none
  const Compute *mean, *rstd, *gamma, *beta;
  T* y;
  Index cols;

  template <class Team> TMOR_HD void operator()(const Team& team, Index row) const {
    using C = Compute;
    using V = typename Team::V;
    const T *in = x + row * cols, *add = residual ? residual + row * cols : nullptr;
    team.each(cols, [&](auto at) {
      const V z = (at.load(in) - at.load(mean)) * at.load(rstd);
      V v = z * at.load_or(gamma, C(1)) + at.load_or(beta, C(0));
      if (add) v += at.load(add);
      if constexpr (kRelu) v = select(v > V(C(0)), v, V(C(0)));
      at.store(y + row * cols, v);
    });
  }
};

/// dz at one place: dy, but 0 where relu gave 0.
template <bool kRelu, class At, class T>
TMOR_HD TMOR_ALWAYS_INLINE auto masked_dy(At at, const T* dy, const T* y) {
  auto d = at.load(dy);
  if constexpr (kRelu) d = select(at.load(y) > decltype(d)(0), d, decltype(d)(0));
  return d;
}

/// Per chunk of rows: sum(dz z) and sum(dz); `parts` (chunks, 2, cols).
template <class T, bool kRelu> struct BatchNormSums {
  using Compute = compute_t<T>;
  const T *x, *y, *dy;
  const Compute *mean, *rstd;
  Compute* parts;
  Index cols;

  template <class Team> TMOR_HD void operator()(const Team& team, Index chunk, Index begin, Index end) const {
    using C = Compute;
    using V = typename Team::V;
    C *dgamma = parts + chunk * 2 * cols, *dbeta = dgamma + cols;
    team.each(cols, [&](auto at) {
      at.store(dgamma, V(C(0)));
      at.store(dbeta, V(C(0)));
    });
    for (Index r0 = begin, r1; r0 < end; r0 = r1) {
      r1 = end - r0 < Team::kRowsAtOnce ? end : r0 + Team::kRowsAtOnce;
      team.each(cols, [&](auto at) {
        const V m = at.load(mean), r = at.load(rstd);
        V a = at.load(static_cast<const C*>(dgamma)), b = at.load(static_cast<const C*>(dbeta));
        for (Index row = r0; row < r1; ++row) {
          const V d = masked_dy<kRelu>(at, dy + row * cols, y + row * cols);
          a = math::fma(d, (at.load(x + row * cols) - m) * r, a);
          b += d;
        }
        at.store(dgamma, a);
        at.store(dbeta, b);
      });
    }
  }
};

/// dx and dresidual. `dgamma` and `dbeta` are null where the statistics were given, not the batch's.
template <class T, bool kRelu> struct BatchNormBackward {
  using Compute = compute_t<T>;
  const T *x, *y, *dy;
  const Compute *mean, *rstd, *gamma, *dgamma, *dbeta;
  T *dx, *dresidual;  ///< null: not wanted
  Index cols;
  Compute inverse_rows;  ///< 1 / M

  template <class Team> TMOR_HD void operator()(const Team& team, Index row) const {
    using C = Compute;
    using V = typename Team::V;
    const Index o = row * cols;
    // What does not change within a row is asked before it: a branch of the loop would keep registers.
    const auto each = [&](auto sums, auto residual) {
      team.each(cols, [&](auto at) {
        const V d = masked_dy<kRelu>(at, dy + o, y + o);
        if constexpr (residual) at.store(dresidual + o, d);
        if (!dx) return;
        const V r = at.load(rstd);
        V u = d;
        if constexpr (sums) {
          const V z = (at.load(x + o) - at.load(mean)) * r;
          u = d - V(inverse_rows) * (at.load(dbeta) + z * at.load(dgamma));
        }
        at.store(dx + o, u * r * at.load_or(gamma, C(1)));
      });
    };
    const auto with = [&](auto residual) {
      dgamma ? each(std::true_type{}, residual) : each(std::false_type{}, residual);
    };
    if constexpr (kRelu)
      if (dresidual) return with(std::true_type{});
    with(std::false_type{});
  }
};

}  // namespace rows
TMOR_END
