#pragma once
/// @file timeline.hpp
/// What happens when, in a long clip: for every action the true stretches above, the scores shaded and the
/// predicted stretches below, over one time axis.

#include <algorithm>
#include <string>
#include <vector>

#include "tmor/report/axis.hpp"
#include "tmor/report/figure.hpp"

TMOR_BEGIN
namespace report {

/// From `begin` to `end`, in seconds.
struct Span {
  double begin = 0, end = 0;
};

/// One action over time.
struct TimelineRow {
  std::string action = {};
  std::vector<Span> truth = {}, predicted = {};
  std::vector<float> scores = {};  ///< in [0, 1], evenly over the whole time; empty: none
};

struct Timeline {
  std::string title = {};
  std::string note = {};
  double seconds = 0;  ///< length of the clip
  std::vector<TimelineRow> rows = {};
};

namespace detail {

/// Most pieces of shading a row has; of more scores, neighbours share the highest.
inline constexpr std::size_t kMaxShades = 240;

/// Spans cut to the clip; those outside or not finite are left out.
inline std::string span_rects(const std::vector<Span>& spans, double seconds, const char* what, double y,
                              double height, const std::string& action) {
  std::string s;
  for (const Span& b : spans) {
    if (!is_finite(b.begin) || !is_finite(b.end)) continue;
    const double begin = std::clamp(b.begin, 0.0, seconds), end = std::clamp(b.end, 0.0, seconds);
    if (end <= begin) continue;
    s += cat("<rect class=\"", what, "\" x=\"", fixed(1000 * begin / seconds, 1), "\" width=\"",
             fixed(std::max(1.5, 1000 * (end - begin) / seconds), 1), "\" y=\"", px(y), "\" height=\"",
             px(height), "\"><title>", escape(action), ", ", what, ": ", fixed(begin, 1), "–", fixed(end, 1),
             " s</title></rect>");
  }
  return s;
}

/// Scores in sixteen shades, equal neighbours joined.
inline std::string shades(const std::vector<float>& scores, double y, double height) {
  const std::size_t n = scores.size(), bins = std::min(n, kMaxShades);
  std::vector<int> shade(bins);
  for (std::size_t i = 0; i < n; ++i) {
    const double v = is_finite(scores[i]) ? std::clamp(static_cast<double>(scores[i]), 0.0, 1.0) : 0.0;
    int& at = shade[i * bins / n];
    at = std::max(at, static_cast<int>(std::lround(15 * v)));
  }
  std::string s;
  for (std::size_t i = 0, j; i < bins; i = j) {
    for (j = i + 1; j < bins && shade[j] == shade[i];) ++j;
    if (shade[i] == 0) continue;
    const double x = 1000.0 * static_cast<double>(i) / static_cast<double>(bins),
                 w = 1000.0 * static_cast<double>(j - i) / static_cast<double>(bins);
    s += cat("<rect class=\"shade\" x=\"", px(x), "\" width=\"", px(w), "\" y=\"", px(y), "\" height=\"",
             px(height), "\" fill-opacity=\"", fixed(0.75 * shade[i] / 15, 2), "\"/>");
  }
  return s;
}

}  // namespace detail

/// The timeline as a figure. Without rows or time it says so.
inline Html timeline(const Timeline& t) {
  using detail::cat;
  using detail::px;
  if (t.rows.empty() || !(t.seconds > 0) || !is_finite(t.seconds))
    return detail::empty_figure(t.title, "There are no actions to show.");
  std::string s =
      cat("<figure class=\"card\">", detail::caption(t.title, "").text,
          "<ul class=\"legend\"><li><i class=\"box truth\"></i>truth</li><li><i class=\"box shade\"></i>score"
          "</li><li><i class=\"box predicted\"></i>prediction</li></ul><div class=\"timeline\" data-read>");
  for (const TimelineRow& r : t.rows)
    s += cat("<div class=\"lane\"><span class=\"name\">", escape(r.action),
             "</span><svg viewBox=\"0 0 1000 30\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"",
             escape(r.action), "\"><rect class=\"ground\" width=\"1000\" height=\"30\"/>",
             detail::span_rects(r.truth, t.seconds, "truth", 2, 10, r.action),
             detail::shades(r.scores, 14, 14),
             detail::span_rects(r.predicted, t.seconds, "predicted", 22, 6, r.action), "</svg></div>");
  s += "<div class=\"lane\"><span class=\"name\"></span><div class=\"times\">";
  Axis axis;
  const double ends[] = {0.0, t.seconds};
  const Scale scale = make_scale(axis, ends, 0, 6);
  for (std::size_t i = 0; i < scale.ticks.size(); ++i)
    if (scale.place(scale.ticks[i]) < 0.97)
      s += cat("<span style=\"left:", detail::fixed(100 * scale.place(scale.ticks[i]), 2), "%\">",
               scale.labels[i], i == 0 ? " s" : "", "</span>");
  s += "</div></div></div><p class=\"readout\" aria-live=\"polite\">Point at a band for its times.</p>";
  return {s + detail::notes({t.note}) + "</figure>"};
}

}  // namespace report
TMOR_END
