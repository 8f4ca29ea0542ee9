#pragma once
/// @file line_chart.hpp
/// Curves: losses and metrics over steps, accuracy over the number of examples with error bars. An SVG that
/// stands without scripts; with them the values under the pointer are read out.

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tmor/report/axis.hpp"
#include "tmor/report/figure.hpp"
#include "tmor/report/marker.hpp"

TMOR_BEGIN
namespace report {

/// A curve. Points whose value is NaN, infinite or (on a logarithmic axis) not positive are gaps.
struct Series {
  std::string name = {};
  std::vector<double> x = {}, y = {};
  std::vector<double> error = {};  ///< half the length of the error bar of each point; empty: none
};

struct LineChart {
  std::string title = {};
  std::string note = {};  ///< a sentence below: the protocol, what the error bars are
  Axis x = {}, y = {};
  std::vector<Series> series = {};
  bool points = false;  ///< a marker at each point
  double smooth = 0;    ///< in (0, 1): the moving average of this weight, the curve itself behind it
};

/// Most points of a curve that are drawn; of more, the lowest and highest of each stretch are kept.
inline constexpr std::size_t kMaxPoints = 500;

namespace detail {

/// At most about kMaxPoints of the points, in their order: of each stretch the lowest, the highest and the
/// first gap, so that neither a spike nor a failure disappears.
inline std::vector<std::size_t> thin_out(const Series& s, bool log) {
  std::vector<std::size_t> keep;
  const std::size_t n = s.x.size(), stretch = n <= kMaxPoints ? 1 : (2 * n + kMaxPoints - 1) / kMaxPoints;
  for (std::size_t begin = 0; begin < n; begin += stretch) {
    std::size_t low = n, high = n, gap = n;
    for (std::size_t i = begin; i < std::min(n, begin + stretch); ++i) {
      if (!drawable(s.y[i], log)) {
        gap = std::min(gap, i);
        continue;
      }
      if (low == n || s.y[i] < s.y[low]) low = i;
      if (high == n || s.y[i] > s.y[high]) high = i;
    }
    std::array<std::size_t, 3> found{low, high, gap};
    std::sort(found.begin(), found.end());
    for (std::size_t k = 0; k < 3; ++k)
      if (found[k] < n && (k == 0 || found[k] != found[k - 1])) keep.push_back(found[k]);
  }
  return keep;
}

/// Sorted by x, without the points whose x cannot be drawn.
inline Series in_order(const Series& s, bool log_x) {
  TMOR_CHECK_SHAPE(s.x.size() == s.y.size() && (s.error.empty() || s.error.size() == s.y.size()),
                   "[line_chart] series '", s.name, "': ", s.x.size(), " places, ", s.y.size(),
                   " values and ", s.error.size(), " errors");
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < s.x.size(); ++i)
    if (drawable(s.x[i], log_x)) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return s.x[a] < s.x[b]; });
  Series out{s.name, {}, {}, {}};
  for (const std::size_t i : order) {
    out.x.push_back(s.x[i]);
    out.y.push_back(s.y[i]);
    if (!s.error.empty()) out.error.push_back(s.error[i]);
  }
  return out;
}

/// Exponential moving average, corrected for its start; gaps stay gaps and do not spoil what follows.
inline Series smoothed(Series s, double weight, bool log) {
  double sum = 0, total = 0;
  for (double& y : s.y) {
    if (!drawable(y, log)) continue;
    sum = weight * sum + (1 - weight) * y;
    total = weight * total + (1 - weight);
    y = sum / total;
  }
  return s;
}

/// Where the plot lies in the picture, and its scales.
struct Plot {
  static constexpr double kWidth = 460, kHeight = 270, kLeft = 54, kRight = 446, kTop = 8, kBottom = 226;
  Scale x, y;
  double at_x(double v) const { return kLeft + x.place(v) * (kRight - kLeft); }
  double at_y(double v) const { return kBottom - y.place(v) * (kBottom - kTop); }
};

inline std::string axes_svg(const Plot& p, const LineChart& c) {
  std::string s;
  for (std::size_t i = 0; i < p.y.ticks.size(); ++i) {
    const std::string y = px(p.at_y(p.y.ticks[i]));
    s += cat("<line class=\"rule\" x1=\"", px(p.kLeft), "\" x2=\"", px(p.kRight), "\" y1=\"", y, "\" y2=\"",
             y, "\"/><text class=\"tick end\" x=\"", px(p.kLeft - 8), "\" y=\"", y, "\" dy=\".35em\">",
             p.y.labels[i], "</text>");
  }
  double free_from = -1e9;
  for (std::size_t i = 0; i < p.x.ticks.size(); ++i) {
    const double x = p.at_x(p.x.ticks[i]);
    s += cat("<line class=\"axis\" x1=\"", px(x), "\" x2=\"", px(x), "\" y1=\"", px(p.kBottom), "\" y2=\"",
             px(p.kBottom + 4), "\"/>");
    const double half = 4.5 * static_cast<double>(character_count(p.x.labels[i]));
    if (x - half < free_from) continue;  // would run into the label before it
    free_from = x + half;
    s += cat("<text class=\"tick mid\" x=\"", px(x), "\" y=\"", px(p.kBottom + 19), "\">", p.x.labels[i],
             "</text>");
  }
  s += cat("<line class=\"axis\" x1=\"", px(p.kLeft), "\" x2=\"", px(p.kRight), "\" y1=\"", px(p.kBottom),
           "\" y2=\"", px(p.kBottom), "\"/><text class=\"label mid\" x=\"", px((p.kLeft + p.kRight) / 2),
           "\" y=\"", px(p.kHeight - 7), "\">", escape(shorten(c.x.label, 60)), "</text>");
  return s;
}

inline std::string curve_path(const Plot& p, const Series& s, bool log) {
  std::string d;
  bool on = false;
  for (const std::size_t i : thin_out(s, log)) {
    if (!drawable(s.y[i], log)) {
      on = false;
      continue;
    }
    d += cat(on ? "L" : "M", px(p.at_x(s.x[i])), " ", px(p.at_y(s.y[i])));
    if (!on) d += "h0";  // a point between gaps is seen as a dot (round line ends)
    on = true;
  }
  return d;
}

/// Error bars clipped to the plot.
inline std::string error_bars(const Plot& p, const Series& s, bool log, double shift) {
  std::string out;
  for (std::size_t i = 0; i < s.error.size(); ++i) {
    if (!drawable(s.y[i], log) || !drawable(s.error[i], false) || s.error[i] <= 0) continue;
    const auto end = [&](double v) {
      if (!drawable(v, log)) v = p.y.low;
      return px(p.at_y(std::clamp(v, p.y.low, p.y.high)));
    };
    const double x = p.at_x(s.x[i]) + shift;
    const std::string y1 = end(s.y[i] - s.error[i]), y2 = end(s.y[i] + s.error[i]);
    out += cat("M", px(x), " ", y1, "V", y2, "M", px(x - 3.5), " ", y1, "h7M", px(x - 3.5), " ", y2, "h7");
  }
  return out.empty() ? out : "<path class=\"bar\" d=\"" + out + "\"/>";
}

inline std::string series_svg(const Plot& p, const LineChart& c, const Series& s, std::size_t i,
                              double shift) {
  // Beyond the eighth series the colours return: dashed, then dotted.
  const char* const dash = i < kColours ? "" : i < 2 * kColours ? " dashed" : " dotted";
  std::string out = cat("<g class=\"", colour_class(i), dash, "\">");
  if (c.smooth > 0) {
    out +=
        cat("<path class=\"curve faint\" d=\"", curve_path(p, s, c.y.log), "\"/><path class=\"curve\" d=\"",
            curve_path(p, smoothed(s, c.smooth, c.y.log), c.y.log), "\"/>");
  } else {
    out += cat("<path class=\"curve\" d=\"", curve_path(p, s, c.y.log), "\"/>");
  }
  out += error_bars(p, s, c.y.log, shift);
  if (c.points)
    for (const std::size_t k : thin_out(s, c.y.log))
      if (drawable(s.y[k], c.y.log)) out += marker_svg(i, p.at_x(s.x[k]) + shift, p.at_y(s.y[k]), 4.2);
  return out + "</g>";
}

/// What the script needs to read values out.
inline io::Json read_out(const Plot& p, const LineChart& c, const std::vector<Series>& series) {
  const auto axis = [](const Scale& s, const Axis& a) {
    return io::Json{{"low", s.low},
                    {"high", s.high},
                    {"log", s.log},
                    {"percent", a.percent},
                    {"label", clean_utf8(a.label)}};
  };
  const auto rounded = [](double v) {  // to five digits, which then are all that is written
    char buffer[32];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, v, std::chars_format::general, 5).ptr;
    std::from_chars(buffer, end, v);
    return v;
  };
  io::Json list = io::Json::array();
  for (const Series& s : series) {
    io::Json points = io::Json::array();
    for (const std::size_t i : thin_out(s, c.y.log)) {
      if (!drawable(s.y[i], c.y.log)) continue;
      io::Json point = {s.x[i], rounded(s.y[i])};
      if (!s.error.empty()) point.push_back(rounded(s.error[i]));
      points.push_back(std::move(point));
    }
    list.push_back({{"name", clean_utf8(s.name)}, {"points", std::move(points)}});
  }
  return {{"box", {p.kLeft, p.kRight, p.kTop, p.kBottom, p.kWidth}},
          {"x", axis(p.x, c.x)},
          {"y", axis(p.y, c.y)},
          {"series", std::move(list)}};
}

}  // namespace detail

/// The chart as a figure with a legend. Without a value that can be drawn it says so. @throws ShapeError for
/// a series whose parts differ in length.
inline Html line_chart(const LineChart& chart) {
  using detail::cat;
  std::vector<Series> series;
  std::vector<double> xs, ys;
  std::string gaps;
  for (const Series& given : chart.series) {
    series.push_back(detail::in_order(given, chart.x.log));
    const Series& s = series.back();
    std::size_t missing = given.x.size() - s.x.size();
    for (std::size_t i = 0; i < s.x.size(); ++i) {
      if (!detail::drawable(s.y[i], chart.y.log)) {
        ++missing;
        continue;
      }
      xs.push_back(s.x[i]);
      ys.push_back(s.y[i]);
      if (s.error.empty() || !detail::drawable(s.error[i], false)) continue;
      ys.push_back(s.y[i] - s.error[i]);
      ys.push_back(s.y[i] + s.error[i]);
    }
    if (missing > 0)
      gaps += cat(gaps.empty() ? "Not drawn: " : ", ", missing, missing == 1 ? " value of " : " values of ",
                  s.name);
  }
  if (xs.empty()) return detail::empty_figure(chart.title, "There are no values to draw.");
  if (!gaps.empty()) gaps += chart.y.log ? " (not finite, or not positive)." : " (not finite).";

  const detail::Plot plot{make_scale(chart.x, xs, chart.points ? 0.04 : 0), make_scale(chart.y, ys, 0.05)};
  std::string s =
      cat("<figure class=\"card chart\" data-chart>", detail::caption(chart.title, chart.y.label).text);
  if (series.size() > 1 || chart.points) {
    s += "<ul class=\"legend\">";
    for (std::size_t i = 0; i < series.size(); ++i)
      s += cat("<li>", detail::swatch(i, chart.points), escape(series[i].name), "</li>");
    s += "</ul>";
  }
  s += cat("<div class=\"plot\"><svg viewBox=\"0 0 ", detail::px(plot.kWidth), " ", detail::px(plot.kHeight),
           "\" role=\"img\" tabindex=\"0\" aria-label=\"", escape(chart.title), ": ", escape(chart.y.label),
           " over ", escape(chart.x.label), "\">", detail::axes_svg(plot, chart));
  // Bars at one place would hide one another: they stand a little beside it.
  const double middle = (static_cast<double>(series.size()) - 1) / 2;
  for (std::size_t i = 0; i < series.size(); ++i)
    s += detail::series_svg(plot, chart, series[i], i,
                            chart.points ? 2.5 * (static_cast<double>(i) - middle) : 0);
  s += cat("</svg><output class=\"tip\" hidden></output></div>",
           script_data(detail::read_out(plot, chart, series)).text);
  return {s + detail::notes({chart.note, gaps}) + "</figure>"};
}

}  // namespace report
TMOR_END
