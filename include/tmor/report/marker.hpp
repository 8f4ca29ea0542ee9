#pragma once
/// @file marker.hpp
/// Marks of data points: series i has colour i mod 8 and a shape, so that it is known without its colour.

#include <string>

#include "tmor/report/html.hpp"
#include "tmor/report/palette.hpp"

TMOR_BEGIN
namespace report::detail {

/// The outline of series `i`'s mark around (x, y): circle, square, triangle, diamond. Which one comes first
/// moves on by one every kColours series, so the first 32 series differ.
inline std::string marker_path(std::size_t i, double x, double y, double r) {
  switch ((i + i / kColours) % 4) {
    case 0:
      return cat("M", px(x - r), " ", px(y), "a", px(r), " ", px(r), " 0 1 0 ", px(2 * r), " 0a", px(r), " ",
                 px(r), " 0 1 0 ", px(-2 * r), " 0z");
    case 1:
      r *= 0.88;
      return cat("M", px(x - r), " ", px(y - r), "h", px(2 * r), "v", px(2 * r), "h", px(-2 * r), "z");
    case 2:
      r *= 1.2;
      return cat("M", px(x), " ", px(y - r), "l", px(r), " ", px(1.75 * r), "h", px(-2 * r), "z");
    default:
      r *= 1.25;
      return cat("M", px(x), " ", px(y - r), "l", px(r), " ", px(r), "l", px(-r), " ", px(r), "l", px(-r),
                 " ", px(-r), "z");
  }
}

inline std::string marker_svg(std::size_t i, double x, double y, double r) {
  return cat("<path class=\"mark\" d=\"", marker_path(i, x, y, r), "\"/>");
}

/// The sample of series `i` in a legend: its mark, on a line where `points` is false.
inline std::string swatch(std::size_t i, bool points) {
  return cat("<svg class=\"swatch ", colour_class(i),
             points || i < kColours ? ""
             : i < 2 * kColours     ? " dashed"
                                    : " dotted",
             "\" viewBox=\"0 0 18 12\" aria-hidden=\"true\">",
             points ? marker_svg(i, 9, 6, 4.2) : std::string("<path class=\"curve\" d=\"M1 6h16\"/>"),
             "</svg>");
}

}  // namespace report::detail
TMOR_END
