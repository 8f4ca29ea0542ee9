#pragma once
/// @file confusion.hpp
/// A confusion matrix as a heat map: rows are the true classes, each shown in fractions of its samples; right
/// answers in one colour, mistakes in another. Beside it the most frequent mistakes in words.

#include <algorithm>
#include <string>
#include <vector>

#include "tmor/report/figure.hpp"

TMOR_BEGIN
namespace report {

struct Confusion {
  std::string title = {};
  std::string note = {};
  std::vector<std::string> labels = {};  ///< of the C classes
  std::vector<Index> counts = {};        ///< (C, C), row: the true class, column: the predicted one
};

/// Most classes whose matrix is drawn; of more only the mistakes are listed.
inline constexpr std::size_t kMaxConfusionClasses = 120;

namespace detail {

struct Mistake {
  std::size_t truth, predicted;
  Index count, of;
};

/// The `most` largest entries off the diagonal, larger counts first.
inline std::vector<Mistake> top_mistakes(const Confusion& c, const std::vector<Index>& samples,
                                         std::size_t most) {
  std::vector<Mistake> out;
  const std::size_t n = c.labels.size();
  for (std::size_t t = 0; t < n; ++t)
    for (std::size_t p = 0; p < n; ++p)
      if (t != p && c.counts[t * n + p] > 0) out.push_back({t, p, c.counts[t * n + p], samples[t]});
  std::stable_sort(out.begin(), out.end(),
                   [](const Mistake& a, const Mistake& b) { return a.count > b.count; });
  out.resize(std::min(out.size(), most));
  return out;
}

inline double part(Index count, Index of) {
  return of > 0 ? static_cast<double>(count) / static_cast<double>(of) : 0.0;
}

/// One square with its words; nothing for a count of zero.
inline std::string confusion_cell(const Confusion& c, std::size_t t, std::size_t p, Index of, double x,
                                  double y, double size, bool numbers) {
  const std::size_t n = c.labels.size();
  const Index count = c.counts[t * n + p];
  if (count == 0) return "";
  const double rate = part(count, of);
  std::string s =
      cat("<rect class=\"", t == p ? "hit" : "miss", "\" x=\"", px(x), "\" y=\"", px(y), "\" width=\"",
          px(size - 1), "\" height=\"", px(size - 1), "\" fill-opacity=\"", fixed(0.1 + 0.9 * rate, 2),
          "\"><title>", escape(c.labels[t]), t == p ? " recognised as such: " : " taken for ",
          t == p ? "" : escape(c.labels[p]) + ": ", count, " of ", of, " (", percent_text(rate),
          ")</title></rect>");
  if (numbers)
    s += cat("<text class=\"cell mid", rate > 0.5 ? " on" : "", "\" x=\"", px(x + size / 2 - 0.5), "\" y=\"",
             px(y + size / 2), "\" dy=\".33em\">", fixed(100 * rate, 0), "</text>");
  return s;
}

/// The matrix and its column labels; the row labels are a picture of their own, which stays when the matrix
/// is scrolled on a narrow screen.
inline std::string confusion_svg(const Confusion& c, const std::vector<Index>& samples) {
  const std::size_t n = c.labels.size();
  const double count = static_cast<double>(n),
               size = std::clamp((n > 12 ? 640.0 : 400.0) / count, 15.0, 46.0);
  const bool numbers = size >= 26;
  std::size_t longest = 1;
  for (const auto& l : c.labels) longest = std::max(longest, character_count(l));
  const std::size_t letters = std::min<std::size_t>(longest, 18);
  const double width = 7.0 * static_cast<double>(letters) + 10;  // of a label
  const double head = 0.72 * width + 16, height = head + count * size, all = count * size + 0.72 * width;
  std::string rows = cat("<svg class=\"rows\" width=\"", px(width), "\" height=\"", px(height),
                         "\" viewBox=\"0 0 ", px(width), " ", px(height), "\" aria-hidden=\"true\">");
  std::string grid = cat("<svg class=\"matrix\" width=\"", px(all), "\" height=\"", px(height),
                         "\" viewBox=\"0 0 ", px(all), " ", px(height), "\" role=\"img\" aria-label=\"",
                         escape(c.title), "\">", "<rect class=\"ground\" x=\"0\" y=\"", px(head),
                         "\" width=\"", px(count * size - 1), "\" height=\"", px(count * size - 1), "\"/>");
  for (std::size_t i = 0; i < n; ++i) {
    const double at = static_cast<double>(i) * size, y = head + at;
    const std::string label = escape(shorten(c.labels[i], letters)), title = escape(c.labels[i]);
    rows += cat("<text class=\"tick end\" x=\"", px(width - 8), "\" y=\"", px(y + size / 2),
                "\" dy=\".35em\">", "<title>", title, "</title>", label, "</text>");
    grid += cat("<text class=\"tick\" transform=\"translate(", px(at + size / 2 + 2), " ", px(head - 6),
                ") rotate(-45)\"><title>", title, "</title>", label, "</text>");
    for (std::size_t p = 0; p < n; ++p)
      grid += confusion_cell(c, i, p, samples[i], static_cast<double>(p) * size, y, size, numbers);
  }
  return cat("<div class=\"scroll heat\" tabindex=\"0\" data-read>", rows, "</svg>", grid, "</svg></div>");
}

}  // namespace detail

/// The matrix as a figure. Without samples it says so. @throws ShapeError unless there are C * C counts,
/// Error for a negative one.
inline Html confusion_matrix(const Confusion& c) {
  using detail::cat;
  const std::size_t n = c.labels.size();
  TMOR_CHECK_SHAPE(c.counts.size() == n * n, "[confusion_matrix] ", c.counts.size(), " counts for ", n,
                   " classes, want ", n * n);
  std::vector<Index> samples(n);
  Index right = 0, all = 0;
  for (std::size_t t = 0; t < n; ++t) {
    for (std::size_t p = 0; p < n; ++p) {
      TMOR_CHECK(c.counts[t * n + p] >= 0, "[confusion_matrix] a negative count in row ", t, ", column ", p);
      samples[t] += c.counts[t * n + p];
    }
    right += c.counts[t * n + t];
    all += samples[t];
  }
  if (all == 0) return detail::empty_figure(c.title, "There are no samples to count.");

  std::string s =
      cat("<figure class=\"card confusion\">",
          detail::caption(c.title, cat(right, " of ", all, " right (", percent_text(detail::part(right, all)),
                                       "). Rows: the true class, in percent of its samples; columns: the "
                                       "predicted class."))
              .text);
  const bool large = n > 12;  // needs the whole width
  s += cat("<div class=\"split\"><div class=\"wide", large ? " all" : "", "\">");
  if (n <= kMaxConfusionClasses) {
    s += "<ul class=\"legend\"><li><i class=\"box hit\"></i>right</li><li><i class=\"box "
         "miss\"></i>mistaken</li></ul>" +
         detail::confusion_svg(c, samples) +
         "<p class=\"readout\" aria-live=\"polite\">Point at a square for its counts.</p>";
  } else {
    s += cat("<p class=\"none\">", n,
             " classes are too many to draw; these are the most frequent mistakes.</p>");
  }
  s += cat("</div><div class=\"side", large ? " all" : "", "\"><h4>Most frequent mistakes</h4>");
  const auto mistakes = detail::top_mistakes(c, samples, 8);
  s += mistakes.empty() ? "<p class=\"none\">None.</p>" : "<ol class=\"mistakes\">";
  for (const auto& m : mistakes)
    s += cat("<li><span><b>", escape(c.labels[m.truth]), "</b> taken for <b>", escape(c.labels[m.predicted]),
             "</b></span><span class=\"num\">", m.count, " of ", m.of, "</span></li>");
  if (!mistakes.empty()) s += "</ol>";
  s += "</div></div>";
  return {s + detail::notes({c.note}) + "</figure>"};
}

}  // namespace report
TMOR_END
