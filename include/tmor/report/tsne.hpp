#pragma once
/// @file tsne.hpp
/// Exact t-SNE (van der Maaten and Hinton, "Visualizing data using t-SNE", JMLR 9, 2008) of a few hundred to
/// kMaxTsnePoints points, begun from their principal components (Kobak and Berens, Nature Communications 10,
/// 2019). Same seed and build, same bits, with any number of threads.

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "tmor/core/error.hpp"
#include "tmor/core/finite.hpp"
#include "tmor/core/parallel.hpp"
#include "tmor/core/rng.hpp"

TMOR_BEGIN
namespace report {

/// Most points; memory and time grow with their square (1,500: 9 MB, a few seconds).
inline constexpr Index kMaxTsnePoints = 1500;

struct TsneOptions {
  double perplexity = 30;  ///< effective number of neighbours; lowered to (n - 1) / 3 for few points
  int steps = 500;
  std::uint64_t seed = 0;
};

namespace detail {

/// Squared distances (n, n) of the rows of (n, d).
inline std::vector<float> squared_distances(std::span<const float> x, Index n, Index d) {
  std::vector<float> out(static_cast<std::size_t>(n * n));
  parallel_for(n, 8, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i)
      for (Index j = 0; j < n; ++j) {
        double sum = 0;
        for (Index k = 0; k < d; ++k) {
          const double diff =
              double{x[static_cast<std::size_t>(i * d + k)]} - x[static_cast<std::size_t>(j * d + k)];
          sum += diff * diff;
        }
        out[static_cast<std::size_t>(i * n + j)] = static_cast<float>(sum);
      }
  });
  return out;
}

/// Replaces the squared distances of point `i` to the others by the Gaussian neighbourhood p(j|i) whose
/// entropy is `entropy` (in nats), by bisection over the width.
inline void neighbourhood(std::span<float> row, std::size_t i, double entropy) {
  double nearest = -1, beta = 1, low = 0, high = -1, mean = 0;
  for (std::size_t j = 0; j < row.size(); ++j) {
    if (j == i) continue;
    nearest = nearest < 0 ? row[j] : std::min(nearest, double{row[j]});
    mean += row[j];
  }
  mean = mean / static_cast<double>(row.size() - 1) - nearest;
  if (mean > 0) beta = 1 / mean;
  for (int k = 0; k < 60; ++k) {
    double sum = 0, weighted = 0;
    for (std::size_t j = 0; j < row.size(); ++j) {
      if (j == i) continue;
      const double gap = row[j] - nearest, p = std::exp(-beta * gap);
      sum += p;
      weighted += p * gap;
    }
    const double excess = std::log(sum) + beta * weighted / sum - entropy;
    if (std::abs(excess) < 1e-5) break;
    if (excess > 0) {
      low = beta;
      beta = high < 0 ? 2 * beta : (beta + high) / 2;
    } else {
      high = beta;
      beta = (beta + low) / 2;
    }
    if (beta > 1e30) break;  // neighbours at one and the same distance: no width has that entropy
  }
  double sum = 0;
  for (std::size_t j = 0; j < row.size(); ++j) sum += j == i ? 0 : std::exp(-beta * (row[j] - nearest));
  for (std::size_t j = 0; j < row.size(); ++j)
    row[j] = j == i ? 0.f : static_cast<float>(std::exp(-beta * (row[j] - nearest)) / sum);
}

/// The joint probabilities (n, n), symmetric, of sum 1.
inline std::vector<float> joint_probabilities(std::span<const float> x, Index n, Index d, double perplexity) {
  std::vector<float> p = squared_distances(x, n, d);
  const std::size_t rows = static_cast<std::size_t>(n);
  parallel_for(n, 8, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i)
      neighbourhood(std::span(p).subspan(static_cast<std::size_t>(i) * rows, rows),
                    static_cast<std::size_t>(i), std::log(perplexity));
  });
  const float scale = 0.5f / static_cast<float>(n);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < i; ++j)
      p[i * rows + j] = p[j * rows + i] = (p[i * rows + j] + p[j * rows + i]) * scale;
  return p;
}

inline double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// Makes `v` orthogonal to `to` (a unit vector, or empty) and of length 1; false if nothing is left.
inline bool orthonormalize(std::vector<double>& v, std::span<const double> to) {
  const double along = to.empty() ? 0 : dot(v, to);
  for (std::size_t k = 0; k < to.size(); ++k) v[k] -= along * to[k];
  const double length = std::sqrt(dot(v, v));
  if (!(length > 1e-30)) return false;
  for (double& a : v) a /= length;
  return true;
}

/// The first two principal components of the rows as (n, 2), by power iteration; a direction's largest entry
/// is positive. Columns are zero where the points do not spread.
inline std::vector<double> principal_components(std::span<const float> x, Index n, Index d, Rng rng) {
  const std::size_t rows = static_cast<std::size_t>(n), columns = static_cast<std::size_t>(d);
  std::vector<double> centred(x.begin(), x.end()), out(2 * rows);
  for (std::size_t k = 0; k < columns; ++k) {
    double mean = 0;
    for (std::size_t i = 0; i < rows; ++i) mean += centred[i * columns + k];
    mean /= static_cast<double>(n);
    for (std::size_t i = 0; i < rows; ++i) centred[i * columns + k] -= mean;
  }
  const auto row = [&](std::size_t i) {
    return std::span<const double>(centred).subspan(i * columns, columns);
  };
  std::vector<double> first;
  for (std::size_t component = 0; component < 2; ++component) {
    std::vector<double> v(columns);
    for (double& a : v) a = rng.normal();
    bool some = orthonormalize(v, first);
    for (int k = 0; some && k < 50; ++k) {
      std::vector<double> next(columns);
      for (std::size_t i = 0; i < rows; ++i) {
        const double along = dot(row(i), v);
        for (std::size_t c = 0; c < columns; ++c) next[c] += along * row(i)[c];
      }
      some = orthonormalize(next, first);
      if (some) v = std::move(next);
    }
    if (!some) break;
    const double largest =
        *std::max_element(v.begin(), v.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
    for (std::size_t i = 0; i < rows; ++i) out[2 * i + component] = (largest < 0 ? -1 : 1) * dot(row(i), v);
    first = std::move(v);
  }
  return out;
}

/// One step's attraction and repulsion of point `i`; returns the sum of its unnormalised q(i,j).
struct Forces {
  float attract[2] = {0, 0}, repel[2] = {0, 0};
  double sum = 0;
};
inline Forces forces_on(std::span<const float> y, std::span<const float> p_row, std::size_t i) {
  Forces f;
  const float xi = y[2 * i], yi = y[2 * i + 1];
  float sum = 0;
  for (std::size_t j = 0; j < p_row.size(); ++j) {
    const float dx = xi - y[2 * j], dy = yi - y[2 * j + 1];
    const float q = 1 / (1 + dx * dx + dy * dy);
    sum += q;
    const float pull = p_row[j] * q, push = q * q;
    f.attract[0] += pull * dx, f.attract[1] += pull * dy;
    f.repel[0] += push * dx, f.repel[1] += push * dy;
  }
  f.sum = double{sum} - 1;  // without the point itself
  return f;
}

}  // namespace detail

/// Places in the plane, (n, 2), of the rows of `x` (n, d): near ones stay near.
/// @throws Error for more than kMaxTsnePoints points or values that are not finite, ShapeError for sizes that
/// do not fit.
inline std::vector<float> tsne(std::span<const float> x, Index n, Index d, const TsneOptions& o = {}) {
  TMOR_CHECK(n >= 0 && n <= kMaxTsnePoints, "[tsne] ", n, " points: give at most ", kMaxTsnePoints,
             ", a random choice of them shows the same");
  TMOR_CHECK_SHAPE(d >= 1 && std::ssize(x) == n * d, "[tsne] ", x.size(), " values for ", n, " points of ",
                   d);
  TMOR_CHECK(std::all_of(x.begin(), x.end(), [](float v) { return is_finite(v) && std::abs(v) < 1e15f; }),
             "[tsne] a value is NaN, infinite or huge");
  TMOR_CHECK(o.perplexity >= 1 && o.steps >= 1, "[tsne] perplexity ", o.perplexity, " and ", o.steps,
             " steps, want at least 1 of each");
  const std::size_t rows = static_cast<std::size_t>(n);
  if (n < 2) return std::vector<float>(2 * rows);

  Rng rng(o.seed);
  const double perplexity = std::clamp(o.perplexity, 1.0, std::max(1.0, static_cast<double>(n - 1) / 3));
  const std::vector<float> p = detail::joint_probabilities(x, n, d, perplexity);
  const auto components = detail::principal_components(x, n, d, rng.fork(1));
  double spread = 0;
  for (std::size_t i = 0; i < rows; ++i) spread += components[2 * i] * components[2 * i];
  spread = std::sqrt(spread / static_cast<double>(n));
  std::vector<float> y(2 * rows), velocity(2 * rows), gain(2 * rows, 1.f);
  for (std::size_t i = 0; i < y.size(); ++i)  // the noise parts points that fall together
    y[i] = static_cast<float>(1e-4 * (spread > 0 ? components[i] / spread : 0) + 1e-6 * rng.normal());

  // Steps as in the paper's program: exaggeration at first, momentum, gains by the sign of the gradient.
  const float rate = std::max(50.f, static_cast<float>(n) / 12);
  std::vector<detail::Forces> forces(rows);
  for (int step = 0; step < o.steps; ++step) {
    parallel_for(n, 32, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const std::size_t k = static_cast<std::size_t>(i);
        forces[k] = detail::forces_on(y, std::span(p).subspan(k * rows, rows), k);
      }
    });
    double total = 0;
    for (const auto& f : forces) total += f.sum;
    const bool early = step < o.steps / 4;
    const float exaggeration = early ? 12.f : 1.f, momentum = early ? 0.5f : 0.8f;
    const float per_q = static_cast<float>(1 / std::max(total, 1e-12));
    double centre[2] = {0, 0};
    for (std::size_t i = 0; i < y.size(); ++i) {
      const auto& f = forces[i / 2];
      const float g = 4 * (exaggeration * f.attract[i % 2] - per_q * f.repel[i % 2]);
      gain[i] = (g > 0) != (velocity[i] > 0) ? gain[i] + 0.2f : std::max(gain[i] * 0.8f, 0.01f);
      velocity[i] = momentum * velocity[i] - rate * gain[i] * g;
      y[i] += velocity[i];
      centre[i % 2] += y[i];
    }
    for (std::size_t i = 0; i < y.size(); ++i)
      y[i] -= static_cast<float>(centre[i % 2] / static_cast<double>(n));
  }
  return y;
}

/// The rows of `x` (n, d) less the mean of their kind (`kinds[i]` in 0, 1, ...), of length 1: the texts and
/// the clips of a contrastive space lie in two cones apart (Liang et al., "Mind the gap", NeurIPS 2022), and
/// a map of them shows little else unless the means are taken off. @throws ShapeError for sizes that do not
/// fit.
inline std::vector<float> without_kind_means(std::span<const float> x, Index n, Index d,
                                             std::span<const Index> kinds) {
  TMOR_CHECK_SHAPE(n >= 0 && d >= 1 && std::ssize(x) == n * d && std::ssize(kinds) == n,
                   "[without_kind_means] ", x.size(), " values and ", kinds.size(), " kinds for ", n,
                   " points of ", d);
  const std::size_t rows = static_cast<std::size_t>(n), columns = static_cast<std::size_t>(d);
  const auto unit = [&](std::vector<double>& v) {
    for (std::size_t i = 0; i < rows; ++i) {
      double square = 0;
      for (std::size_t k = 0; k < columns; ++k) square += v[i * columns + k] * v[i * columns + k];
      if (square > 0)
        for (std::size_t k = 0; k < columns; ++k) v[i * columns + k] /= std::sqrt(square);
    }
  };
  std::vector<double> v(x.begin(), x.end());
  unit(v);
  std::vector<Index> done;
  for (const Index kind : kinds) {
    if (std::find(done.begin(), done.end(), kind) != done.end()) continue;
    done.push_back(kind);
    const double members = static_cast<double>(std::count(kinds.begin(), kinds.end(), kind));
    if (members < 2) continue;
    for (std::size_t k = 0; k < columns; ++k) {
      double mean = 0;
      for (std::size_t i = 0; i < rows; ++i) mean += kinds[i] == kind ? v[i * columns + k] / members : 0;
      for (std::size_t i = 0; i < rows; ++i) v[i * columns + k] -= kinds[i] == kind ? mean : 0;
    }
  }
  unit(v);
  return {v.begin(), v.end()};
}

}  // namespace report
TMOR_END
