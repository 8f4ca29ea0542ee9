#pragma once
/// @file lbfgs.hpp
/// Limited-memory BFGS (Nocedal and Wright, Numerical Optimization, 2nd ed., algorithm 7.5) for smooth
/// functions of a vector, with a bisecting line search for the weak Wolfe conditions (Lewis and Overton,
/// "Nonsmooth optimization via quasi-Newton methods", 2013). Deterministic, in double.

#include <algorithm>
#include <cmath>
#include <vector>

#include "tmor/core/error.hpp"

TMOR_BEGIN
namespace eval {

struct LbfgsOptions {
  int history = 10;  ///< remembered steps
  int max_iterations = 300;
  double tolerance = 1e-5;  ///< stop when no element of the gradient is larger
};
struct LbfgsResult {
  double value = 0;
  int iterations = 0;
  bool converged = false;  ///< the gradient is below the tolerance
};

/// Minimises `f`, starting from and writing to `x`. `f(x, gradient)` returns the value and fills the gradient
/// (of x's size). Stops at the tolerance, at the iteration limit, or where no step makes `f` smaller.
/// @throws Error for options out of range.
template <class F> LbfgsResult lbfgs(F&& f, std::vector<double>& x, const LbfgsOptions& o = {}) {
  TMOR_CHECK(o.history >= 1 && o.max_iterations >= 0 && o.tolerance >= 0, "[lbfgs] history ", o.history,
             ", iterations ", o.max_iterations, ", tolerance ", o.tolerance, ": too small");
  using Vector = std::vector<double>;
  const std::size_t n = x.size();
  const auto dot = [n](const Vector& a, const Vector& b) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += a[i] * b[i];
    return sum;
  };
  struct Step {
    Vector s, y;  // change of x, of the gradient
    double sy;
  };
  std::vector<Step> steps;  // oldest first
  Vector g(n), d(n), next(n), g_next(n), alpha(static_cast<std::size_t>(o.history));
  LbfgsResult r;
  r.value = f(x, g);
  for (;; ++r.iterations) {
    double most = 0;
    for (const double v : g) most = std::max(most, std::fabs(v));
    r.converged = most <= o.tolerance;
    if (r.converged || r.iterations == o.max_iterations) return r;

    // d = -H g by the two loops over the remembered steps.
    for (std::size_t i = 0; i < n; ++i) d[i] = -g[i];
    for (std::size_t k = steps.size(); k-- > 0;) {
      alpha[k] = dot(steps[k].s, d) / steps[k].sy;
      for (std::size_t i = 0; i < n; ++i) d[i] -= alpha[k] * steps[k].y[i];
    }
    const double scale =
        steps.empty() ? 1 / std::sqrt(dot(g, g)) : steps.back().sy / dot(steps.back().y, steps.back().y);
    for (double& v : d) v *= scale;
    for (std::size_t k = 0; k < steps.size(); ++k) {
      const double beta = dot(steps[k].y, d) / steps[k].sy;
      for (std::size_t i = 0; i < n; ++i) d[i] += (alpha[k] - beta) * steps[k].s[i];
    }

    const double slope = dot(g, d);
    double t = 1, low = 0, high = 0, value = 0;  // high 0: not known yet
    bool found = false;
    for (int tries = 0; tries < 40 && !found; ++tries) {
      for (std::size_t i = 0; i < n; ++i) next[i] = x[i] + t * d[i];
      value = f(next, g_next);
      if (!(value <= r.value + 1e-4 * t * slope)) {
        high = t;
      } else if (dot(g_next, d) < 0.9 * slope) {
        low = t;
      } else {
        found = true;
        break;
      }
      t = high > 0 ? (low + high) / 2 : 2 * t;
    }
    if (!found && !(value < r.value)) return r;  // as good as the arithmetic allows
    Step step{Vector(n), Vector(n), 0};
    for (std::size_t i = 0; i < n; ++i) {
      step.s[i] = next[i] - x[i];
      step.y[i] = g_next[i] - g[i];
    }
    step.sy = dot(step.s, step.y);
    x.swap(next);
    g.swap(g_next);
    r.value = value;
    if (step.sy <= 0) continue;
    if (steps.size() == static_cast<std::size_t>(o.history)) steps.erase(steps.begin());
    steps.push_back(std::move(step));
  }
}

}  // namespace eval
TMOR_END
