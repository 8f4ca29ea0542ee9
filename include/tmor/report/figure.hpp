#pragma once
/// @file figure.hpp
/// What all figures share: title and sub-title, figures beside one another, and a figure that has nothing to
/// show.

#include <string>
#include <string_view>
#include <vector>

#include "tmor/report/html.hpp"

TMOR_BEGIN
namespace report {

/// Figures beside one another where the screen is wide enough, else one below the other. Confusion matrices,
/// maps and tables of more than three columns take the whole width all the same.
inline Html beside(const std::vector<Html>& figures) {
  Html out{"<div class=\"grid\">"};
  for (const Html& f : figures) out += f;
  out.text += "</div>";
  return out;
}

/// A paragraph of plain text.
inline Html paragraph(std::string_view text) { return {"<p>" + escape(text) + "</p>"}; }

namespace detail {

inline Html caption(std::string_view title, std::string_view more) {
  std::string s;
  if (!title.empty()) s += cat("<h3>", escape(title), "</h3>");
  if (!more.empty()) s += cat("<p class=\"sub\">", escape(more), "</p>");
  return {s};
}

/// What stands below a figure, a paragraph each; nothing for empty ones.
inline std::string notes(const std::vector<std::string>& paragraphs) {
  std::string s;
  for (const std::string& p : paragraphs)
    if (!p.empty()) s += cat("<p>", escape(p), "</p>");
  return s.empty() ? s : cat("<figcaption>", s, "</figcaption>");
}

inline Html empty_figure(std::string_view title, std::string_view what) {
  return {cat("<figure class=\"card empty\">", caption(title, "").text, "<p class=\"none\">", escape(what),
              "</p></figure>")};
}

}  // namespace detail
}  // namespace report
TMOR_END
