#pragma once
/// @file resize.hpp
/// Pictures of another size: bilinear resizing and centre crops.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "tmor/core/error.hpp"
#include "tmor/io/pixels.hpp"

TMOR_BEGIN
namespace io {

/// Most pixels of one picture that `resize` makes and, by default, the readers accept (64 million).
inline constexpr Index kMaxPixels = Index{1} << 26;

namespace detail {

/// Where each of `to` samples along a side of `from` pixels comes from: weights[i * width + k] of pixel
/// begin[i] + k. A triangle filter with half-pixel centres, widened when shrinking so that nothing is
/// skipped.
struct Filter {
  Index width = 0;
  std::vector<Index> begin;
  std::vector<float> weights;

  Filter(Index from, Index to) {
    const double scale = static_cast<double>(from) / static_cast<double>(to), reach = std::max(scale, 1.0);
    width = std::min(from, static_cast<Index>(std::ceil(reach)) * 2 + 1);
    begin.resize(static_cast<std::size_t>(to));
    weights.resize(static_cast<std::size_t>(to * width));
    for (Index i = 0; i < to; ++i) {
      const double centre = (static_cast<double>(i) + 0.5) * scale;
      const auto first = static_cast<Index>(std::floor(centre - reach + 0.5));
      const Index b = std::clamp<Index>(first, 0, from - width);
      begin[static_cast<std::size_t>(i)] = b;
      float* w = weights.data() + i * width;
      double total = 0;
      for (Index k = 0; k < width; ++k)
        total += std::max(0.0, 1 - std::abs(static_cast<double>(b + k) + 0.5 - centre) / reach);
      for (Index k = 0; k < width; ++k) {
        const double value = std::max(0.0, 1 - std::abs(static_cast<double>(b + k) + 0.5 - centre) / reach);
        w[k] = static_cast<float>(value / total);
      }
    }
  }
};

}  // namespace detail

/// Bilinear, anti-aliased when it shrinks. Pixels are squares: the outer edges of both pictures coincide.
/// @throws Error for an empty picture, sizes below 1 or more than kMaxPixels.
inline Pixels resize(const Pixels& from, Index height, Index width) {
  TMOR_CHECK(from.height >= 1 && from.width >= 1, "[resize] the picture is empty");
  TMOR_CHECK(height >= 1 && width >= 1 && width <= kMaxPixels / height, "[resize] to ", width, " x ", height,
             " pixels: sizes must be at least 1, and no more than ", kMaxPixels, " pixels in all");
  if (from.height == height && from.width == width) return from;
  const detail::Filter across(from.width, width), down(from.height, height);
  std::vector<float> rows(static_cast<std::size_t>(from.height * width * 3));
  for (Index y = 0; y < from.height; ++y)
    for (Index x = 0; x < width; ++x) {
      float sum[3] = {};
      const float* w = across.weights.data() + x * across.width;
      const std::uint8_t* p = from.at(y, across.begin[static_cast<std::size_t>(x)]);
      for (Index k = 0; k < across.width; ++k)
        for (Index c = 0; c < 3; ++c) sum[c] += w[k] * static_cast<float>(p[k * 3 + c]);
      std::copy_n(sum, 3, rows.data() + (y * width + x) * 3);
    }
  Pixels out = Pixels::black(height, width);
  std::vector<float> row(static_cast<std::size_t>(width * 3));
  for (Index y = 0; y < height; ++y) {
    std::fill(row.begin(), row.end(), 0.5f);  // rounds
    for (Index k = 0; k < down.width; ++k) {
      const float w = down.weights[static_cast<std::size_t>(y * down.width + k)];
      const float* p = rows.data() + (down.begin[static_cast<std::size_t>(y)] + k) * width * 3;
      for (std::size_t i = 0; i < row.size(); ++i) row[i] += w * p[i];
    }
    std::transform(row.begin(), row.end(), out.at(y, 0),
                   [](float v) { return static_cast<std::uint8_t>(std::clamp(v, 0.f, 255.f)); });
  }
  return out;
}

/// The middle `height` x `width` pixels. @throws Error unless the picture has as many.
inline Pixels centre_crop(const Pixels& from, Index height, Index width) {
  TMOR_CHECK(height >= 1 && width >= 1 && height <= from.height && width <= from.width, "[centre_crop] ",
             width, " x ", height, " pixels out of ", from.width, " x ", from.height, ": resize first");
  Pixels out = Pixels::black(height, width);
  const Index top = (from.height - height) / 2, left = (from.width - width) / 2;
  for (Index y = 0; y < height; ++y) std::copy_n(from.at(top + y, left), width * 3, out.at(y, 0));
  return out;
}

/// The largest middle square, resized to `side` x `side`: what image encoders want. @throws Error as both.
inline Pixels resize_square(const Pixels& from, Index side) {
  const Index shorter = std::min(from.height, from.width);
  return resize(centre_crop(from, shorter, shorter), side, side);
}

}  // namespace io
TMOR_END
