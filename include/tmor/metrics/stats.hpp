#pragma once
/// @file stats.hpp
/// Summaries of repeated runs: mean, spread, and how well the mean is known.

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "tmor/core/config.hpp"
#include "tmor/core/error.hpp"

TMOR_BEGIN

/// Throws Error for no values.
inline double mean(std::span<const double> values) {
  TMOR_CHECK(!values.empty(), "mean: no values");
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

/// Standard deviation of the sample (n - 1 below the sum); 0 for one value. Throws Error for none.
inline double standard_deviation(std::span<const double> values) {
  const double center = mean(values);
  if (values.size() < 2) return 0;
  double sum = 0;
  for (const double v : values) sum += (v - center) * (v - center);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

/// Standard error of the mean, deviation / sqrt(n); 0 for one value. Throws Error for none.
inline double standard_error(std::span<const double> values) {
  return standard_deviation(values) / std::sqrt(static_cast<double>(values.size()));
}

/// The middle value, the mean of the two middle ones for an even number. Throws Error for none.
inline double median(std::span<const double> values) {
  TMOR_CHECK(!values.empty(), "median: no values");
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

TMOR_END
