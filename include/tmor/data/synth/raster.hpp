#pragma once
/// @file raster.hpp
/// A small software rasteriser: capsules (two balls and what lies between) with a depth buffer, soft edges
/// and one light.

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "tmor/data/synth/view.hpp"
#include "tmor/io/pixels.hpp"

TMOR_BEGIN
namespace data::synth {

/// Red, green, blue in [0, 1].
using Colour = Vec3;

/// Two balls and what lies between, in the camera's axes, metres.
struct Capsule {
  Vec3 a, b;
  float radius_a, radius_b;
  Colour colour;
  bool head = false;  ///< hair where the surface does not look towards `face`
  Colour hair;
  Vec3 face, crown;  ///< directions
};

/// A picture in floats with a depth for each pixel.
class Canvas {
 public:
  Canvas(Index width, Index height)
      : width_(width),
        height_(height),
        colour_(static_cast<std::size_t>(width * height)),
        depth_(static_cast<std::size_t>(width * height), std::numeric_limits<float>::max()) {}

  Index width() const { return width_; }
  Index height() const { return height_; }
  Colour& at(Index y, Index x) { return colour_[static_cast<std::size_t>(y * width_ + x)]; }
  const Colour& at(Index y, Index x) const { return colour_[static_cast<std::size_t>(y * width_ + x)]; }

  /// Draws what is nearer than what is there; draw from far to near, edges blend with what is behind.
  /// (dx, dy): displacement of the picture; `light` points to the lamp.
  void draw(const Capsule& k, const Camera& camera, float dx, float dy, Vec3 light) {
    if (k.a.z > -.1f || k.b.z > -.1f) return;
    float ax, ay, bx, by;
    camera.project(k.a, ax, ay);
    camera.project(k.b, bx, by);
    ax += dx, bx += dx, ay += dy, by += dy;
    const float ra = k.radius_a * camera.focal / -k.a.z, rb = k.radius_b * camera.focal / -k.b.z;
    const auto clip = [](float v, Index most) {
      return static_cast<Index>(std::clamp(v, 0.f, static_cast<float>(most)));
    };
    const Index left = clip(std::min(ax - ra, bx - rb) - 1, width_),
                right = clip(std::max(ax + ra, bx + rb) + 2, width_);
    const Index top = clip(std::min(ay - ra, by - rb) - 1, height_),
                bottom = clip(std::max(ay + ra, by + rb) + 2, height_);
    const float wx = bx - ax, wy = by - ay, across = 1 / std::max(wx * wx + wy * wy, 1e-6f);
    for (Index y = top; y < bottom; ++y)
      for (Index x = left; x < right; ++x) {
        const float px = static_cast<float>(x) + .5f - ax, py = static_cast<float>(y) + .5f - ay;
        const float t = std::clamp((px * wx + py * wy) * across, 0.f, 1.f);
        const float ox = px - t * wx, oy = py - t * wy, r = ra + t * (rb - ra), d2 = ox * ox + oy * oy;
        const float outer = r + .5f;
        if (d2 >= outer * outer) continue;
        const float d = std::sqrt(d2), inside = std::min(d / std::max(r, .5f), 1.f);
        const float nz = std::sqrt(1 - inside * inside);
        const Vec3 normal{d > 0 ? inside * ox / d : 0, d > 0 ? -inside * oy / d : 0, nz};
        const float depth = -k.a.z - t * (k.b.z - k.a.z) - nz * (k.radius_a + t * (k.radius_b - k.radius_a));
        float& z = depth_[static_cast<std::size_t>(y * width_ + x)];
        if (depth >= z) continue;
        const bool bald = !k.head || (dot(normal, k.face) > .15f && dot(normal, k.crown) < .55f);
        const float lit = .5f + .6f * std::max(0.f, dot(normal, light));
        const float cover = std::clamp(outer - d, 0.f, 1.f);
        Colour& c = at(y, x);
        c = between(c, lit * (bald ? k.colour : k.hair), cover);
        if (cover > .5f) z = depth;
      }
  }

  /// A flat rectangle in front of everything, its right side darker.
  void cover(const Occluder& o, Colour colour) {
    const auto clip = [](float v, Index most) {
      return static_cast<Index>(std::clamp(v, 0.f, static_cast<float>(most)));
    };
    const Index left = clip(o.left, width_), right = clip(o.right, width_);
    for (Index y = clip(o.top, height_); y < clip(o.bottom, height_); ++y)
      for (Index x = left; x < right; ++x)
        at(y, x) = (1.05f - .3f * (static_cast<float>(x) - o.left) / (o.right - o.left)) * colour;
  }

 private:
  Index width_, height_;
  std::vector<Colour> colour_;
  std::vector<float> depth_;
};

}  // namespace data::synth
TMOR_END
