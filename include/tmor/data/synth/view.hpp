#pragma once
/// @file view.hpp
/// Where a clip is seen from: a perspective camera that shakes a little, and what stands in the way.

#include <algorithm>
#include <span>
#include <vector>

#include "tmor/data/synth/script.hpp"

TMOR_BEGIN
namespace data::synth {

/// A perspective camera. Its axes are x to the right of the picture, y up, z towards the viewer.
struct Camera {
  Vec3 at;
  Axes axes;
  float focal = 64;                              ///< in pixels
  float cx = 32, cy = 32;                        ///< the picture's middle, pixels, y down
  float shake = 0, rate[2] = {}, phase[2] = {};  ///< pixels, Hz

  /// How far the picture is displaced at t seconds, in pixels.
  void displacement(float t, float& dx, float& dy) const {
    dx = shake * std::sin(kTau * (rate[0] * t + phase[0]));
    dy = shake * std::sin(kTau * (rate[1] * t + phase[1]));
  }
  /// A point of the world in the camera's axes; z < 0 is before the camera.
  Vec3 to_camera(Vec3 p) const {
    const Vec3 d = p - at;
    return {dot(axes.x, d), dot(axes.y, d), dot(axes.z, d)};
  }
  /// Pixels of a point in the camera's axes (no shake).
  void project(Vec3 p, float& x, float& y) const {
    const float depth = std::max(-p.z, .05f);
    x = cx + focal * p.x / depth;
    y = cy - focal * p.y / depth;
  }
};

/// A rectangle of the picture, in pixels, in front of everything.
struct Occluder {
  float left, top, right, bottom;
  bool covers(float x, float y) const { return x >= left && x < right && y >= top && y < bottom; }
};

struct View {
  Camera camera;
  std::vector<Occluder> occluders;
};

struct ViewOptions {
  Index width = 64, height = 64;  ///< of the picture
  bool test = false;              ///< unseen cameras
  double occluder = .25;          ///< probability of one
  double shake = .5;              ///< probability of a shaking camera
};

namespace detail {

/// Azimuth against the way the person faces at the start, radians. Directions come in sectors of 20 degrees:
/// the first 12 of each are the training's, of the other 8 the middle 6 the test's.
inline float draw_azimuth(bool test, Rng& rng) {
  const double sector = static_cast<double>(rng.uniform_int(18)) * 20 - 180;
  const double within = test ? rng.uniform(13, 19) : rng.uniform(0, 12);
  return static_cast<float>((sector + within) * kTau / 360);
}

/// The camera sees all of the points, with some space around.
inline Camera place_camera(std::span<const Joints> motion, const ViewOptions& o, Rng& rng) {
  Vec3 low = motion[0][0], high = low;
  for (const Joints& frame : motion)
    for (const Vec3& p : frame) {
      low = {std::min(low.x, p.x), std::min(low.y, p.y), std::min(low.z, p.z)};
      high = {std::max(high.x, p.x), std::max(high.y, p.y), std::max(high.z, p.z)};
    }
  const float size = static_cast<float>(std::min(o.width, o.height));
  const float azimuth = draw_azimuth(o.test, rng);
  const float from_above = (o.test ? draw(rng, 26, 36) : draw(rng, -5, 25)) * kTau / 360;
  const float roll = draw(rng, -.1, .1);
  Camera c;
  c.focal = size * draw(rng, 1, 2);
  c.cx = .5f * static_cast<float>(o.width), c.cy = .5f * static_cast<float>(o.height);
  // Our z points from the person to the camera.
  c.axes = Axes{}.turned(azimuth, roll, from_above);
  const Vec3 middle = between(low, high, .5f);
  const float fill = draw(rng, .72, .95);  // of half the picture
  float distance = .8f;                    // the least at which every joint stays inside
  for (std::size_t t = 0; t < motion.size(); t += 2)
    for (const Vec3& p : motion[t]) {
      const Vec3 q = p - middle;
      constexpr float kFlesh = .1f;  // around a joint
      const float x = (std::abs(dot(q, c.axes.x)) + kFlesh) / c.cx;
      const float y = (std::abs(dot(q, c.axes.y)) + kFlesh) / c.cy;
      distance = std::max(distance, std::max(x, y) * c.focal / fill + dot(q, c.axes.z));
    }
  const float slack = .7f * (1 - fill) * distance / c.focal;
  const float right = slack * c.cx * draw(rng, -1, 1), up = slack * c.cy * draw(rng, -1, 1);
  c.at = middle + distance * c.axes.z + right * c.axes.x + up * c.axes.y;
  if (rng.bernoulli(o.shake)) c.shake = size / 64 * draw(rng, .4, 1.6);
  for (int i = 0; i < 2; ++i) c.rate[i] = draw(rng, .5, 2), c.phase[i] = draw(rng, 0, 1);
  return c;
}

}  // namespace detail

/// Draws where the joints of a clip, one entry a frame, are seen from. @throws Error for no frames or a
/// picture without pixels.
inline View make_view(std::span<const Joints> motion, const ViewOptions& o, Rng rng) {
  TMOR_CHECK(!motion.empty() && o.width > 0 && o.height > 0, "synth view: ", motion.size(),
             " frames in a picture of ", o.width, " x ", o.height);
  View v{detail::place_camera(motion, o, rng), {}};
  if (rng.bernoulli(o.occluder)) {
    const float w = static_cast<float>(o.width), h = static_cast<float>(o.height);
    if (rng.bernoulli(.5)) {  // a post
      const float x = w * detail::draw(rng, .1, .8), thick = w * detail::draw(rng, .06, .15);
      v.occluders.push_back({x, h * detail::draw(rng, -.1, .3), x + thick, h});
    } else {  // furniture in front of the feet
      const float x = w * detail::draw(rng, -.2, .6), y = h * detail::draw(rng, .68, .9);
      v.occluders.push_back({x, y, x + w * detail::draw(rng, .3, .7), h});
    }
  }
  return v;
}

}  // namespace data::synth
TMOR_END
