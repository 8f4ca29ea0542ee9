#pragma once
/// @file ranked.hpp
/// Queries and what was found for them, best first: zero-shot answers, retrieval in any direction. Whether an
/// answer is right is said by a sign and a word, not by colour alone.

#include <algorithm>
#include <string>
#include <vector>

#include "tmor/report/figure.hpp"

TMOR_BEGIN
namespace report {

/// One answer.
struct Hit {
  std::string text = {};
  double score = 0;
  bool right = false;
  std::vector<Picture> frames = {};  ///< thumbnails of a found clip; a few are enough
};

/// One query with its answers.
struct Ranked {
  std::string query = {};            ///< a text, or the name of a clip
  std::string truth = {};            ///< the right answer, where it may not be among the hits
  std::vector<Picture> frames = {};  ///< thumbnails of a queried clip
  std::vector<Hit> hits = {};        ///< best first
};

namespace detail {

inline std::string film(const std::vector<Picture>& frames) {
  if (frames.empty()) return "";
  std::string s = "<div class=\"film\">";
  for (const Picture& p : frames) s += picture(p).text;
  return s + "</div>";
}

/// The answers with bars in proportion to the best score.
inline std::string hit_list(const std::vector<Hit>& hits) {
  if (hits.empty()) return "<p class=\"none\">Nothing was found.</p>";
  double top = 0;
  for (const Hit& h : hits)
    if (is_finite(h.score)) top = std::max(top, h.score);
  std::string s = "<ol class=\"hits\">";
  for (const Hit& h : hits) {
    const double part = is_finite(h.score) && top > 0 ? std::max(0.0, h.score / top) : 0;
    s += cat("<li class=\"", h.right ? "good" : "bad", "\"><span class=\"sign\" role=\"img\" aria-label=\"",
             h.right ? "right" : "wrong", "\">", h.right ? "✓" : "✗", "</span><div><span class=\"text\">",
             escape(h.text), "</span>", film(h.frames), "<svg class=\"meter\" viewBox=\"0 0 100 4\" ",
             "preserveAspectRatio=\"none\" aria-hidden=\"true\"><path d=\"M0 0H", px(100 * part),
             "V4H0z\"/></svg></div>", "<span class=\"num\">", number_text(h.score), "</span></li>");
  }
  return s + "</ol>";
}

}  // namespace detail

/// The queries as a grid of cards. Without queries it says so.
inline Html ranked(const std::vector<Ranked>& queries) {
  using detail::cat;
  if (queries.empty()) return detail::empty_figure("", "There are no examples.");
  std::string s = "<div class=\"grid three\">";
  for (const Ranked& q : queries) {
    s += cat("<figure class=\"card\">", detail::film(q.frames), "<p class=\"query\">", escape(q.query),
             "</p>");
    if (!q.truth.empty()) s += cat("<p class=\"sub\">Truth: ", escape(q.truth), "</p>");
    s += detail::hit_list(q.hits) + "</figure>";
  }
  return {s + "</div>"};
}

}  // namespace report
TMOR_END
