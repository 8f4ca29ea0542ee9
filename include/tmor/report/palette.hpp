#pragma once
/// @file palette.hpp
/// The colours of a report in its light and its dark theme. The series colours keep their distance for the
/// two common kinds of colour blindness, and every one stands out from what is behind it (a test computes
/// both); shapes and labels say the same again for those who see no colours.

#include <string>
#include <string_view>

#include "tmor/core/error.hpp"

TMOR_BEGIN
namespace report {

/// Colours of data series; further series begin again with other shapes.
inline constexpr int kColours = 8;

struct Theme {
  std::string_view page, card, line;  ///< behind everything, behind a figure, hairlines
  std::string_view ink, muted;        ///< text, and text of less weight
  std::string_view accent;            ///< links, marks of the best, right answers in heat maps
  std::string_view good, bad;         ///< right and wrong
  std::string_view on_accent;         ///< text on accent and on `bad` at full strength
  std::string_view series[kColours];
};

inline constexpr Theme kLight = {
    "#f4f5f8", "#ffffff",
    "#dfe3ea", "#17202c",
    "#566274", "#0f4fc4",
    "#00705a", "#c2380a",
    "#ffffff", {"#0f4fc4", "#e0450a", "#01957b", "#9a4691", "#3c5400", "#2f93c2", "#4b2a86", "#33454e"}};
inline constexpr Theme kDark = {
    "#0e1218", "#171d26",
    "#2b3442", "#e8edf4",
    "#9fadbf", "#6fb3ff",
    "#3fd0a4", "#ff9466",
    "#0b1017", {"#52b4ff", "#ff7b28", "#0cb989", "#b46aaf", "#e6d840", "#b0fff6", "#8c71ff", "#a1cfd0"}};

namespace detail {

/// The theme as CSS custom properties.
inline std::string theme_css(const Theme& t) {
  std::string s;
  const auto put = [&](std::string_view name, std::string_view value) {
    ((((s += "--") += name) += ':') += value) += ';';
  };
  put("page", t.page), put("card", t.card), put("line", t.line), put("ink", t.ink), put("muted", t.muted);
  put("accent", t.accent), put("good", t.good), put("bad", t.bad), put("on-accent", t.on_accent);
  for (int i = 0; i < kColours; ++i) put("c" + std::to_string(i), t.series[i]);
  return s;
}

/// CSS class of series `i`: its colour.
inline std::string colour_class(std::size_t i) { return "c" + std::to_string(i % kColours); }

}  // namespace detail
}  // namespace report
TMOR_END
