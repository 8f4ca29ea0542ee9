#pragma once
/// @file axis.hpp
/// Axes of charts: range, ticks at round numbers, and where a value lies.

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "tmor/report/html.hpp"

TMOR_BEGIN
namespace report {

/// What an axis of a chart shows.
struct Axis {
  std::string label = {};
  bool log = false;                ///< logarithmic; values that are not positive are gaps
  bool percent = false;            ///< values are fractions, shown in percent
  bool from_zero = false;          ///< the range includes zero (linear axes)
  std::vector<double> ticks = {};  ///< where to put ticks; empty: at round numbers
};

/// An axis with its range.
struct Scale {
  double low = 0, high = 1;
  bool log = false;
  std::vector<double> ticks;
  std::vector<std::string> labels;  ///< one for each tick

  /// 0 at `low`, 1 at `high`.
  double place(double v) const {
    return log ? (std::log(v) - std::log(low)) / (std::log(high) - std::log(low)) : (v - low) / (high - low);
  }
};

namespace detail {

/// Can be drawn on an axis; what cannot is a gap. The bounds leave room for sums and quotients.
inline bool drawable(double v, bool log) {
  return is_finite(v) && std::abs(v) < 1e100 && (!log || v > 1e-100);
}

/// Multiples of 1, 2 or 5 times a power of ten in [low, high], about `count` of them.
inline std::vector<double> round_ticks(double low, double high, int count) {
  const double rough = (high - low) / count;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double m = rough / power;
  const double step = power * (m < 1.5 ? 1 : m < 3.5 ? 2 : m < 7.5 ? 5 : 10);
  std::vector<double> out;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step && out.size() < 50; ++k)
    out.push_back(k * step);
  return out;
}

/// Powers of ten in [low, high]; with 2 and 5 times those where there are few, round numbers where there are
/// none.
inline std::vector<double> log_ticks(double low, double high) {
  const double first = std::floor(std::log10(low)), last = std::ceil(std::log10(high));
  const double step = std::max(1.0, std::ceil((last - first) / 6));
  const auto within = [&](double v) { return v >= low * (1 - 1e-9) && v <= high * (1 + 1e-9); };
  std::vector<double> decades, more;
  for (double k = first; k <= last; k += step) {
    const double ten = std::pow(10.0, k);
    if (within(ten)) decades.push_back(ten);
    for (const double m : {1.0, 2.0, 5.0})
      if (within(m * ten)) more.push_back(m * ten);
  }
  if (decades.size() >= 3) return decades;
  return more.size() >= 2 ? more : round_ticks(low, high, 4);
}

/// Labels of ticks that stand together: as many decimals as tell them apart, thousands as k, M, G.
inline std::vector<std::string> tick_labels(std::span<const double> ticks, const Axis& axis) {
  double top = 0, step = 0;
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    top = std::max(top, std::abs(ticks[i]));
    const double gap = i ? std::abs(ticks[i] - ticks[i - 1]) : 0;
    if (gap > 0 && (step == 0 || gap < step)) step = gap;
  }
  std::vector<std::string> out;
  for (const double v : ticks) {
    double unit = 1;
    const char* suffix = "";
    const double a = std::abs(v);
    if (axis.percent) {
      unit = 0.01, suffix = " %";
    } else if (top >= 1e13 || (axis.log ? a < 1e-3 : top < 1e-3)) {
      char buffer[32];
      out.emplace_back(buffer,
                       v == 0 ? std::to_chars(buffer, buffer + 32, 0).ptr
                              : std::to_chars(buffer, buffer + 32, v, std::chars_format::general, 3).ptr);
      continue;
    } else if (top >= 1e4) {
      const double by = axis.log ? a : top;
      if (by >= 1e9)
        unit = 1e9, suffix = "G";
      else if (by >= 1e6)
        unit = 1e6, suffix = "M";
      else if (by >= 1e3)
        unit = 1e3, suffix = "k";
    }
    if (v == 0) {
      out.emplace_back(axis.percent ? "0 %" : "0");
      continue;
    }
    const double fine = (axis.log ? a : step) / unit;
    const int digits =
        fine > 0 && fine < 1 ? std::min(9, static_cast<int>(std::ceil(-std::log10(fine) - 1e-9))) : 0;
    // Steps of 2.5 and uneven ticks need one digit more.
    const double shifted = v / unit * std::pow(10.0, digits);
    const bool exact = std::abs(shifted - std::round(shifted)) < 1e-3;
    out.push_back(fixed(v / unit, exact ? digits : digits + 1) + suffix);
  }
  return out;
}

}  // namespace detail

/// An axis over `values`; those that cannot be drawn are passed over. With none left, the range is [0, 1] (or
/// [1, 10] on a logarithmic axis). `pad` is the part of the range to leave free at either end.
inline Scale make_scale(const Axis& axis, std::span<const double> values, double pad = 0, int ticks = 5) {
  Scale s;
  s.log = axis.log;
  bool any = false;
  const auto include = [&](double v) {
    if (!detail::drawable(v, axis.log)) return;
    s.low = any ? std::min(s.low, v) : v;
    s.high = any ? std::max(s.high, v) : v;
    any = true;
  };
  for (const double v : values) include(v);
  for (const double v : axis.ticks) include(v);
  if (any && axis.from_zero && !axis.log) include(0);
  if (!any) s.low = axis.log ? 1 : 0, s.high = axis.log ? 10 : 1;
  if (axis.log) {
    if (s.high < s.low * 1.01) s.low /= 1.5, s.high *= 1.5;
  } else if (s.high - s.low <= 1e-9 * std::max(std::abs(s.low), std::abs(s.high))) {
    const double room = s.low == 0 ? 1 : std::abs(s.low) / 2;
    s.low -= room, s.high += room;
  }
  if (axis.log) {
    const double factor = std::pow(s.high / s.low, pad);
    s.low /= factor, s.high *= factor;
  } else {
    const double room = pad * (s.high - s.low), zero = axis.from_zero && s.low == 0 ? 0 : room;
    s.low -= zero, s.high += room;
  }
  s.ticks = !axis.ticks.empty() ? axis.ticks
            : axis.log          ? detail::log_ticks(s.low, s.high)
                                : detail::round_ticks(s.low, s.high, ticks);
  std::erase_if(s.ticks, [&](double v) { return !detail::drawable(v, axis.log); });
  s.labels = detail::tick_labels(s.ticks, axis);
  return s;
}

}  // namespace report
TMOR_END
