#pragma once
/// @file picture.hpp
/// A frame of a clip as a list of what is drawn, and drawing it: one frame on the CPU object by object, or
/// many at once on a device pixel by pixel. Both call the same functions of a pixel in the same order.

#include <cmath>
#include <span>
#include <vector>

#include "tmor/core/each.hpp"
#include "tmor/data/synth/raster.hpp"
#include "tmor/io/pixels.hpp"

TMOR_BEGIN
namespace data::synth {

/// Wall and floor.
struct Room {
  Vec3 eye;   ///< of the camera
  Axes axes;  ///< of the camera
  float focal, cx, cy;
  Colour low, high, ground;  ///< of the wall below and above, of the floor
  float tile, contrast;      ///< of the floor
  Index pattern;             ///< of the wall: 0 none, 1 upright stripes, 2 level ones, 3 waves
  float period, strength;
  float wall;  ///< metres behind the middle, negative

  /// What pixel (y, x) shows, which may lie outside of the picture.
  TMOR_HD Colour at(Index y, Index x) const {
    const float px = (static_cast<float>(x) + .5f - cx) / focal;
    const float py = (cy - static_cast<float>(y) - .5f) / focal;
    const Vec3 ray = axes * Vec3{px, py, -1};
    // Where the ray meets the wall, square to the camera's way over the floor, or the floor before it.
    const Vec3 away = unit({axes.z.x, 0, axes.z.z});
    const float down = ray.y < -1e-4f ? eye.y / -ray.y : 1e6f;
    const float start = dot(eye, away), toward = dot(ray, away);
    const float back = toward < -1e-4f ? (wall - start) / toward : 1e6f;
    if (down < back) {
      const Vec3 p = eye + down * ray;
      const bool odd =
          (static_cast<int>(std::floor(p.x / tile)) + static_cast<int>(std::floor(p.z / tile))) & 1;
      return (odd ? 1 - contrast : 1.f) * ground;
    }
    const Vec3 p = eye + back * ray;
    const float up = std::clamp(p.y / 2.5f, 0.f, 1.f), side = p.x * away.z - p.z * away.x;
    float shade = 1;
    if (pattern == 1) shade += strength * (detail::fraction(side / period) < .5f ? 1.f : -1.f);
    if (pattern == 2) shade += strength * (detail::fraction(p.y / period) < .5f ? 1.f : -1.f);
    if (pattern == 3)
      shade += strength * std::sin(kTau * side / (3 * period)) * std::sin(kTau * p.y / (3 * period));
    return shade * between(low, high, up);
  }
};

/// A soft dark patch of floor.
struct Shadow {
  float x = 0, y = 0, rx = 0, ry = 0;  ///< an ellipse, in pixels; nothing where it has no height

  TMOR_HD void darken(Index row, Index column, Pixel& pixel) const {
    const float v = (static_cast<float>(row) + .5f - y) / ry;
    if (!(v * v < 1)) return;
    const float u = (static_cast<float>(column) + .5f - x) / rx, d = u * u + v * v;
    if (d < 1) pixel.colour = (1 - .45f * (1 - d)) * pixel.colour;
  }
};

/// How colours become bytes, with grain.
struct Film {
  float gain, noise;
  std::uint64_t grain, frame;  ///< seed and stream of its random words

  /// The random words of pixels 4 i to 4 i + 3; one gives the grain of all colours.
  TMOR_HD PhiloxBlock words(Index i) const { return philox(grain, frame, static_cast<std::uint64_t>(i)); }
  TMOR_HD void develop(std::uint32_t word, const Colour& c, std::uint8_t* out) const {
    const float by = 255 * gain, of_byte = 255 * noise * 0x1p-8f, rgb[3] = {c.x, c.y, c.z};
    for (int k = 0; k < 3; ++k) {
      const float speck = static_cast<float>(static_cast<int>(word >> (8 * k) & 0xFF) - 128) * of_byte;
      out[k] = static_cast<std::uint8_t>(std::clamp(rgb[k] * by + speck, 0.f, 255.f));
    }
  }
};

/// A frame, drawn in this order.
struct Picture {
  Room room;
  Index shift_x = 0, shift_y = 0;  ///< of the room, in pixels
  Shadow shadow;
  std::vector<Stroke> strokes;
  std::vector<Cover> covers;
  Film film;
};

/// The room of a clip's pictures with `margin` more pixels on each side, for their shifts.
inline Canvas draw_room(const Room& room, Index width, Index height, Index margin) {
  Canvas c(width + 2 * margin, height + 2 * margin);
  c.each({0, 0, static_cast<float>(c.width()), static_cast<float>(c.height()), c.width(), c.height()},
         [&](Index y, Index x, Pixel& pixel) { pixel.colour = room.at(y - margin, x - margin); });
  return c;
}

/// A picture on the CPU, of the size that `room`, from `draw_room`, was drawn for.
inline io::Pixels draw(const Picture& p, const Canvas& room, Index margin) {
  const Index width = room.width() - 2 * margin, height = room.height() - 2 * margin;
  Canvas canvas(width, height);
  for (Index y = 0; y < height; ++y)
    for (Index x = 0; x < width; ++x) {
      Pixel& pixel = canvas.at(y, x);
      pixel.colour = room.at(y + margin - p.shift_y, x + margin - p.shift_x).colour;
      p.shadow.darken(y, x, pixel);
    }
  for (const Stroke& s : p.strokes)
    canvas.each(s.box, [&](Index y, Index x, Pixel& pixel) { s.shade(y, x, pixel); });
  for (const Cover& c : p.covers)
    canvas.each(c.box, [&](Index, Index x, Pixel& pixel) { c.paint(x, pixel); });
  io::Pixels out = io::Pixels::black(height, width);
  PhiloxBlock block{};
  for (Index i = 0; i < width * height; ++i) {
    if (i % 4 == 0) block = p.film.words(i / 4);
    p.film.develop(block.word[i % 4], canvas.at(0, i).colour, out.rgb.data() + 3 * i);
  }
  return out;
}

namespace detail {

/// A picture among many, whose strokes and covers lie in common lists.
struct PlainPicture {
  Room room;
  Index shift_x, shift_y;
  Shadow shadow;
  Index stroke, last_stroke, cover, last_cover;
  Film film;
};

/// One pixel of one of many pictures: a body for `run_each`.
struct DrawPixels {
  const PlainPicture* pictures;
  const Stroke* strokes;
  const Cover* covers;
  float* out;
  Index width, height;
  bool narrow;

  TMOR_HD void operator()(Index e) const {
    Index rest = e;
    const Index x = take_digit(rest, width, narrow), y = take_digit(rest, height, narrow);
    const PlainPicture& p = pictures[rest];
    Pixel pixel;
    pixel.colour = p.room.at(y - p.shift_y, x - p.shift_x);
    p.shadow.darken(y, x, pixel);
    for (Index i = p.stroke; i < p.last_stroke; ++i)
      if (strokes[i].box.holds(y, x)) strokes[i].shade(y, x, pixel);
    for (Index i = p.cover; i < p.last_cover; ++i)
      if (covers[i].box.holds(y, x)) covers[i].paint(x, pixel);
    const Index i = y * width + x;
    std::uint8_t rgb[3];
    p.film.develop(p.film.words(i / 4).word[i % 4], pixel.colour, rgb);
    for (int k = 0; k < 3; ++k) out[3 * e + k] = static_cast<float>(rgb[k]) / 127.5f - 1;
  }
};

}  // namespace detail

/// Pictures drawn on a device in one pass, their bytes as towers read them, in [-1, 1]; `shape` is (...,
/// height, width, 3). On a GPU they are those of the CPU but for rounding. @throws ShapeError for a shape of
/// another number of pictures.
template <class Device> Tensor<float, Device> draw_on(std::span<const Picture> pictures, const Shape& shape) {
  const int rank = shape.rank();
  TMOR_CHECK_SHAPE(rank >= 3 && shape[rank - 1] == 3 &&
                       shape.numel() == std::ssize(pictures) * shape[rank - 3] * shape[rank - 2] * 3,
                   "[draw_on] ", pictures.size(), " pictures into ", shape,
                   ": expected (..., height, width, 3)");
  std::vector<detail::PlainPicture> plain;
  std::vector<Stroke> strokes;
  std::vector<Cover> covers;
  for (const Picture& p : pictures) {
    const Index stroke = std::ssize(strokes), cover = std::ssize(covers);
    strokes.insert(strokes.end(), p.strokes.begin(), p.strokes.end());
    covers.insert(covers.end(), p.covers.begin(), p.covers.end());
    plain.push_back({p.room, p.shift_x, p.shift_y, p.shadow, stroke, std::ssize(strokes), cover,
                     std::ssize(covers), p.film});
  }
  const DeviceArray<detail::PlainPicture, Device> all(plain);
  const DeviceArray<Stroke, Device> of_strokes(strokes);
  const DeviceArray<Cover, Device> of_covers(covers);
  const auto out = Tensor<float, Device>::empty(shape);
  const Index n = out.numel() / 3;
  run_each(Device{}, "draw", n,
           detail::DrawPixels{all.data(), of_strokes.data(), of_covers.data(), out.mutable_data(),
                              shape[rank - 2], shape[rank - 3], n < (Index{1} << 31)});
  return out;
}

}  // namespace data::synth
TMOR_END
