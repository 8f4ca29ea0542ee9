#pragma once
/// @file embedding_map.hpp
/// A shared space in the plane: clips as marks in the colour and shape of their action, texts as labelled
/// stars among them. The places come from tsne.hpp or anywhere else.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tmor/report/figure.hpp"
#include "tmor/report/marker.hpp"

TMOR_BEGIN
namespace report {

struct MapItem {
  double x = 0, y = 0;
  Index action = 0;        ///< row of EmbeddingMap::actions
  std::string label = {};  ///< caption of a clip, or the text itself
  bool is_text = false;
};

struct EmbeddingMap {
  std::string title = {};
  std::string note = {};
  std::vector<std::string> actions = {};
  std::vector<MapItem> items = {};
};

namespace detail {

/// A rectangle that labels keep clear of.
struct Box {
  double x1, y1, x2, y2;
  bool meets(const Box& o) const { return x1 < o.x2 && o.x1 < x2 && y1 < o.y2 && o.y1 < y2; }
};

/// Places labels one after the other beside their points where they meet no other; false if there is none.
class LabelPlaces {
 public:
  LabelPlaces(double width, double height) : width_(width), height_(height) {}
  void occupy(const Box& b) { taken_.push_back(b); }
  /// (x, y) of the middle of the base line.
  bool place(double x, double y, std::size_t letters, double& at_x, double& at_y) {
    const double w = 3.5 * static_cast<double>(letters) + 3, h = 15;  // half the width, the height
    const double tries[][2] = {{x, y - 12},     {x, y + 21},     {x + w + 11, y + 5}, {x - w - 11, y + 5},
                               {x + w, y - 12}, {x - w, y - 12}, {x + w, y + 21},     {x - w, y + 21}};
    for (const auto& t : tries) {
      const Box b{t[0] - w, t[1] - h + 3, t[0] + w, t[1] + 3};
      if (b.x1 < 2 || b.x2 > width_ - 2 || b.y1 < 2 || b.y2 > height_ - 2) continue;
      if (std::any_of(taken_.begin(), taken_.end(), [&](const Box& o) { return o.meets(b); })) continue;
      taken_.push_back(b);
      at_x = t[0], at_y = t[1];
      return true;
    }
    return false;
  }

 private:
  double width_, height_;
  std::vector<Box> taken_;
};

inline std::string star(double x, double y, double r) {
  std::string d;
  for (int k = 0; k < 10; ++k) {
    const double a = 3.141592653589793 * (k / 5.0 - 0.5), length = k % 2 ? 0.45 * r : r;
    d += cat(k ? "L" : "M", px(x + length * std::cos(a)), " ", px(y + length * std::sin(a)));
  }
  return d + "z";
}

}  // namespace detail

/// The map as a figure with a legend. Without items it says so; items whose place is not finite are left out
/// and counted. @throws Error for an item whose action is not in the list.
inline Html embedding_map(const EmbeddingMap& map) {
  using detail::cat;
  using detail::px;
  constexpr double kWidth = 560, kHeight = 500, kRoom = 24;
  double low[2] = {0, 0}, high[2] = {0, 0};
  std::size_t shown = 0;
  const auto drawn = [](const MapItem& i) {
    return is_finite(i.x) && is_finite(i.y) && std::abs(i.x) < 1e100 && std::abs(i.y) < 1e100;
  };
  for (const MapItem& i : map.items) {
    TMOR_CHECK(i.action >= 0 && i.action < std::ssize(map.actions), "[embedding_map] an item of action ",
               i.action, ", but there are ", map.actions.size());
    if (!drawn(i)) continue;
    const double at[2] = {i.x, i.y};
    for (int k = 0; k < 2; ++k) {
      low[k] = shown ? std::min(low[k], at[k]) : at[k];
      high[k] = shown ? std::max(high[k], at[k]) : at[k];
    }
    ++shown;
  }
  if (shown == 0) return detail::empty_figure(map.title, "There are no embeddings to show.");
  const double scale = std::min((kWidth - 2 * kRoom) / std::max(high[0] - low[0], 1e-30),
                                (kHeight - 2 * kRoom) / std::max(high[1] - low[1], 1e-30));
  const auto at_x = [&](double v) { return kWidth / 2 + (v - (low[0] + high[0]) / 2) * scale; };
  const auto at_y = [&](double v) { return kHeight / 2 - (v - (low[1] + high[1]) / 2) * scale; };

  // A group an action, so that the legend can show one alone.
  std::vector<std::string> groups(map.actions.size()), texts(map.actions.size());
  detail::LabelPlaces places(kWidth, kHeight);
  for (const MapItem& i : map.items)
    if (i.is_text && drawn(i)) places.occupy({at_x(i.x) - 8, at_y(i.y) - 8, at_x(i.x) + 8, at_y(i.y) + 8});
  for (const MapItem& i : map.items) {
    if (!drawn(i)) continue;
    const std::size_t a = static_cast<std::size_t>(i.action);
    const double x = at_x(i.x), y = at_y(i.y);
    const std::string title =
        cat("<title>", escape(map.actions[a]), i.label.empty() ? "" : ": " + escape(i.label), "</title>");
    if (!i.is_text) {
      groups[a] +=
          cat("<path class=\"mark\" d=\"", detail::marker_path(a, x, y, 3.6), "\">", title, "</path>");
      continue;
    }
    texts[a] += cat("<path class=\"star\" d=\"", detail::star(x, y, 9), "\">", title, "</path>");
    const std::string label = shorten(i.label.empty() ? map.actions[a] : i.label, 22);
    double label_x = 0, label_y = 0;
    if (places.place(x, y, character_count(label), label_x, label_y))
      texts[a] += cat("<text class=\"halo mid\" x=\"", px(label_x), "\" y=\"", px(label_y), "\">",
                      escape(label), "</text>");
  }
  std::string s = cat("<figure class=\"card map\" data-map>", detail::caption(map.title, "").text,
                      "<div class=\"split\"><div class=\"wide\" data-read><svg viewBox=\"0 0 ", px(kWidth),
                      " ", px(kHeight), "\" role=\"img\" aria-label=\"", escape(map.title), "\">");
  for (const auto& layer : {groups, texts})  // the texts above the clips
    for (std::size_t a = 0; a < layer.size(); ++a)
      if (!layer[a].empty())
        s += cat("<g class=\"", detail::colour_class(a), "\" data-group=\"", a, "\">", layer[a], "</g>");
  s += "</svg><p class=\"readout\" aria-live=\"polite\">Point at a mark for its caption.</p></div>"
       "<div class=\"side\"><ul class=\"keys\">";
  for (std::size_t a = 0; a < map.actions.size(); ++a)
    if (!groups[a].empty() || !texts[a].empty())
      s += cat("<li><button type=\"button\" data-group=\"", a, "\" aria-pressed=\"false\">",
               detail::swatch(a, true), escape(map.actions[a]), "</button></li>");
  s += "</ul></div></div>";
  const std::size_t missing = map.items.size() - shown;
  const std::string gaps = missing > 0 ? cat(missing, " not drawn: their places are not finite.") : "";
  return {s + detail::notes({map.note, gaps}) + "</figure>"};
}

}  // namespace report
TMOR_END
