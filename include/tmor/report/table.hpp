#pragma once
/// @file table.hpp
/// Figures of several models beside one another: the best of each column marked, what is missing given as "–"
/// with its reason, and how the figures came about below.

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tmor/report/figure.hpp"

TMOR_BEGIN
namespace report {

/// One figure, with the deviation over repeated runs if there were any; or why there is none.
struct Cell {
  std::optional<double> value;
  std::optional<double> deviation;
  std::string reason;  ///< where there is no value

  Cell(double v) : value(v) {}  // NOLINT(google-explicit-constructor): a figure is a cell
  Cell(double mean, double dev) : value(mean), deviation(dev) {}
  static Cell missing(std::string why) {
    Cell c(0.0);
    c.value.reset();
    c.reason = std::move(why);
    return c;
  }
};

struct Column {
  std::string name = {};
  bool percent = true;                ///< figures are fractions, shown in percent
  bool higher_is_better = true;       ///< which one is marked
  bool marked = true;                 ///< false: none, where there is no better and worse
  std::optional<double> chance = {};  ///< what guessing gives
};

struct Row {
  std::string name = {};
  std::vector<Cell> cells = {};  ///< one a column
};

struct Table {
  std::string title = {};
  std::string protocol = {};  ///< how the figures came about
  std::string seeds = {};     ///< "5 seeds, 0 to 4; mean ± sample deviation"
  std::string rows_are = "Model";
  std::vector<Column> columns = {};
  std::vector<Row> rows = {};
};

namespace detail {

inline std::string cell_text(double v, const Column& c) {
  if (!c.percent) return number_text(v);
  return fixed(100 * v, 1);  // the sign is in the head of the column
}

/// What readers see of a value, so that figures that look equal are marked alike.
inline std::string best_of(const Table& t, std::size_t column) {
  const Column& c = t.columns[column];
  if (!c.marked) return "";
  std::optional<double> best;
  int found = 0;
  for (const Row& r : t.rows) {
    const auto& v = r.cells[column].value;
    if (!v || !is_finite(*v)) continue;
    ++found;
    if (!best || (c.higher_is_better ? *v > *best : *v < *best)) best = *v;
  }
  return found > 1 ? cell_text(*best, c) : "";
}

}  // namespace detail

/// The table as a figure. Without rows it says so. @throws ShapeError for a row with too few or many cells.
inline Html table(const Table& t) {
  using detail::cat;
  for (const Row& r : t.rows)
    TMOR_CHECK_SHAPE(r.cells.size() == t.columns.size(), "[report::table] row '", r.name, "' has ",
                     r.cells.size(), " cells for ", t.columns.size(), " columns");
  if (t.rows.empty() || t.columns.empty()) return detail::empty_figure(t.title, "There are no results.");
  std::string s = cat("<figure class=\"card", t.columns.size() > 3 ? " full" : "", "\">",
                      detail::caption(t.title, "").text,
                      "<div class=\"scroll\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">",
                      escape(t.rows_are), "</th>");
  std::vector<std::string> best;
  bool chance = false;
  for (std::size_t i = 0; i < t.columns.size(); ++i) {
    const Column& c = t.columns[i];
    s += cat("<th scope=\"col\">", escape(c.name), c.percent ? "&nbsp;<small>%</small>" : "",
             c.higher_is_better || !c.marked ? "" : " <small>↓ lower is better</small>", "</th>");
    best.push_back(detail::best_of(t, i));
    chance |= c.chance.has_value();
  }
  s += "</tr></thead><tbody>";
  std::vector<std::string> reasons;
  for (const Row& r : t.rows) {
    s += cat("<tr><th scope=\"row\">", escape(r.name), "</th>");
    for (std::size_t i = 0; i < r.cells.size(); ++i) {
      const Cell& c = r.cells[i];
      if (c.value && is_finite(*c.value)) {
        const std::string text = detail::cell_text(*c.value, t.columns[i]);
        s += cat("<td>", text == best[i] ? cat("<b>", text, "</b>") : text);
        if (c.deviation && is_finite(*c.deviation))
          s += cat(" <small>± ", detail::cell_text(*c.deviation, t.columns[i]), "</small>");
        s += "</td>";
        continue;
      }
      const std::string why = !c.reason.empty() ? c.reason : c.value ? "not a finite number" : "not measured";
      auto it = std::find(reasons.begin(), reasons.end(), why);
      if (it == reasons.end()) it = reasons.insert(it, why);
      s += cat("<td class=\"missing\" title=\"", escape(why), "\">–<sup>", it - reasons.begin() + 1,
               "</sup></td>");
    }
    s += "</tr>";
  }
  s += "</tbody>";
  if (chance) {
    s += "<tfoot><tr><th scope=\"row\">Chance</th>";
    for (const Column& c : t.columns)
      s += cat("<td>", c.chance && is_finite(*c.chance) ? detail::cell_text(*c.chance, c) : "", "</td>");
    s += "</tr></tfoot>";
  }
  s += "</table></div><figcaption>";
  for (std::size_t i = 0; i < reasons.size(); ++i)
    s += cat("<p><sup>", i + 1, "</sup> ", escape(reasons[i]), "</p>");
  if (!t.protocol.empty()) s += cat("<p>", escape(t.protocol), "</p>");
  if (!t.seeds.empty()) s += cat("<p>", escape(t.seeds), "</p>");
  return {s + "</figcaption></figure>"};
}

}  // namespace report
TMOR_END
