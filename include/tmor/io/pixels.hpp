#pragma once
/// @file pixels.hpp
/// A picture in memory. Reading and writing files of them is image.hpp's work.

#include <cstdint>
#include <vector>

#include "tmor/core/config.hpp"

TMOR_BEGIN
namespace io {

/// 8-bit RGB, rows from the top, each (width, 3).
struct Pixels {
  Index height = 0, width = 0;
  std::vector<std::uint8_t> rgb;  ///< height * width * 3

  static Pixels black(Index height, Index width) {
    return {height, width, std::vector<std::uint8_t>(static_cast<std::size_t>(height * width * 3))};
  }
  std::uint8_t* at(Index y, Index x) { return rgb.data() + (y * width + x) * 3; }
  const std::uint8_t* at(Index y, Index x) const { return rgb.data() + (y * width + x) * 3; }
};

}  // namespace io
TMOR_END
