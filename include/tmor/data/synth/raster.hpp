#pragma once
/// @file raster.hpp
/// A small software rasteriser: capsules (two balls and what lies between) with depth, soft edges and one
/// light. What happens to a pixel is plain arithmetic on values, the same for every device.

#include <algorithm>
#include <limits>
#include <vector>

#include "tmor/data/synth/view.hpp"

TMOR_BEGIN
namespace data::synth {

/// Red, green, blue in [0, 1].
using Colour = Vec3;

/// A pixel while it is drawn.
struct Pixel {
  Colour colour;
  float depth = std::numeric_limits<float>::max();  ///< of what it shows
};

/// Two balls and what lies between, in the camera's axes, metres.
struct Capsule {
  Vec3 a, b;
  float radius_a, radius_b;
  Colour colour;
  bool head = false;  ///< hair where the surface does not look towards `face`
  Colour hair;
  Vec3 face, crown;  ///< directions
};

/// Pixels [left, right) of rows [top, bottom).
struct PixelBox {
  Index left = 0, top = 0, right = 0, bottom = 0;

  /// Those between these bounds that a picture has.
  PixelBox() = default;
  PixelBox(float from_x, float from_y, float to_x, float to_y, Index width, Index height)
      : left(clip(from_x, width)),
        top(clip(from_y, height)),
        right(clip(to_x, width)),
        bottom(clip(to_y, height)) {}
  TMOR_HD bool holds(Index y, Index x) const { return x >= left && x < right && y >= top && y < bottom; }

 private:
  static Index clip(float v, Index most) {
    return static_cast<Index>(std::clamp(v, 0.f, static_cast<float>(most)));
  }
};

/// A capsule as it lies in a picture.
struct Stroke {
  Capsule k;
  Vec3 light;                            ///< points to the lamp
  float ax = 0, ay = 0, ra = 0, rb = 0;  ///< the first ball's middle, both radii, in pixels
  float wx = 0, wy = 0, across = 0;      ///< to the second ball's middle, 1 / the square of that way
  PixelBox box;                          ///< all that it touches; empty where it is behind the camera

  /// (dx, dy): displacement of the picture.
  Stroke(const Capsule& capsule, const Camera& camera, float dx, float dy, Vec3 lamp, Index width,
         Index height)
      : k(capsule), light(lamp) {
    if (k.a.z > -.1f || k.b.z > -.1f) return;
    float bx, by;
    camera.project(k.a, ax, ay);
    camera.project(k.b, bx, by);
    ax += dx, bx += dx, ay += dy, by += dy;
    ra = k.radius_a * camera.focal / -k.a.z, rb = k.radius_b * camera.focal / -k.b.z;
    box = {std::min(ax - ra, bx - rb) - 1,
           std::min(ay - ra, by - rb) - 1,
           std::max(ax + ra, bx + rb) + 2,
           std::max(ay + ra, by + rb) + 2,
           width,
           height};
    wx = bx - ax, wy = by - ay, across = 1 / std::max(wx * wx + wy * wy, 1e-6f);
  }

  /// Draws what is nearer than what is there; draw from far to near, edges blend with what is behind.
  TMOR_HD void shade(Index y, Index x, Pixel& pixel) const {
    const float px = static_cast<float>(x) + .5f - ax, py = static_cast<float>(y) + .5f - ay;
    const float t = std::clamp((px * wx + py * wy) * across, 0.f, 1.f);
    const float ox = px - t * wx, oy = py - t * wy, r = ra + t * (rb - ra), d2 = ox * ox + oy * oy;
    const float outer = r + .5f;
    if (d2 >= outer * outer) return;
    const float d = std::sqrt(d2), inside = std::min(d / std::max(r, .5f), 1.f);
    const float nz = std::sqrt(1 - inside * inside);
    const Vec3 normal{d > 0 ? inside * ox / d : 0, d > 0 ? -inside * oy / d : 0, nz};
    const float depth = -k.a.z - t * (k.b.z - k.a.z) - nz * (k.radius_a + t * (k.radius_b - k.radius_a));
    if (depth >= pixel.depth) return;
    const bool bald = !k.head || (dot(normal, k.face) > .15f && dot(normal, k.crown) < .55f);
    const float lit = .5f + .6f * std::max(0.f, dot(normal, light));
    const float cover = std::clamp(outer - d, 0.f, 1.f);
    pixel.colour = between(pixel.colour, lit * (bald ? k.colour : k.hair), cover);
    if (cover > .5f) pixel.depth = depth;
  }
};

/// A flat rectangle in front of everything, its right side darker.
struct Cover {
  Occluder at;
  Colour colour;
  PixelBox box;

  Cover(const Occluder& o, Colour c, Index width, Index height)
      : at(o), colour(c), box(o.left, o.top, o.right, o.bottom, width, height) {}
  TMOR_HD void paint(Index x, Pixel& pixel) const {
    pixel.colour = (1.05f - .3f * (static_cast<float>(x) - at.left) / (at.right - at.left)) * colour;
  }
};

/// A picture while it is drawn.
class Canvas {
 public:
  Canvas(Index width, Index height)
      : width_(width), height_(height), pixels_(static_cast<std::size_t>(width * height)) {}

  Index width() const { return width_; }
  Index height() const { return height_; }
  Pixel& at(Index y, Index x) { return pixels_[static_cast<std::size_t>(y * width_ + x)]; }
  const Pixel& at(Index y, Index x) const { return pixels_[static_cast<std::size_t>(y * width_ + x)]; }

  /// f(y, x, pixel) for the pixels of a box of the picture.
  template <class F> void each(const PixelBox& box, const F& f) {
    for (Index y = box.top; y < box.bottom; ++y)
      for (Index x = box.left; x < box.right; ++x) f(y, x, at(y, x));
  }

 private:
  Index width_, height_;
  std::vector<Pixel> pixels_;
};

}  // namespace data::synth
TMOR_END
