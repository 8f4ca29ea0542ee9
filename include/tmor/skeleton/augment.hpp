#pragma once
/// @file augment.hpp
/// Augmentations, in place. Geometric ones act about the origin, so normalise first; missing joints stay
/// missing and zero. Random ones take their numbers from the given Rng only.

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "tmor/core/config.hpp"
#include "tmor/core/error.hpp"
#include "tmor/core/rng.hpp"
#include "tmor/skeleton/normalize.hpp"
#include "tmor/skeleton/sequence.hpp"

TMOR_BEGIN

/// Swaps left and right joints and flips x: about the image's vertical middle while the image size is known,
/// else about x = 0. Twice is the identity.
inline void mirror_(SkeletonSequence& s) {
  detail::for_each_known(s, [&](float* p) { p[0] = s.width - p[0]; });
  for (const auto& [left, right] : s.layout->pairs())
    for (Index m = 0; m < s.persons; ++m)
      for (Index t = 0; t < s.frames; ++t) {
        std::swap_ranges(s.point(m, t, left), s.point(m, t, left) + s.channels, s.point(m, t, right));
        std::swap(*s.state(m, t, left), *s.state(m, t, right));
      }
}

/// p -> A p for every joint, A being C x C in rows. Throws ShapeError for another size.
inline void transform_(SkeletonSequence& s, std::span<const float> a) {
  TMOR_CHECK_SHAPE(std::ssize(a) == s.channels * s.channels, "transform_: a matrix of ", a.size(),
                   " numbers for ", s.channels, " coordinates");
  detail::for_each_known(s, [&](float* p) {
    float q[3] = {};
    for (Index r = 0; r < s.channels; ++r)
      for (Index c = 0; c < s.channels; ++c) q[r] += a[static_cast<std::size_t>(r * s.channels + c)] * p[c];
    std::copy_n(q, s.channels, p);
  });
}

/// Turns x towards y by `radians` (in 3-D: about z).
inline void rotate_(SkeletonSequence& s, double radians) {
  const float co = static_cast<float>(std::cos(radians)), si = static_cast<float>(std::sin(radians));
  detail::for_each_known(s, [&](float* p) {
    const float x = p[0], y = p[1];
    p[0] = co * x - si * y;
    p[1] = si * x + co * y;
  });
}

namespace detail {

/// Rz Ry Rx in rows, right-handed, radians.
inline std::array<double, 9> rotation(double about_x, double about_y, double about_z) {
  const double cx = std::cos(about_x), sx = std::sin(about_x), cy = std::cos(about_y), sy = std::sin(about_y),
               cz = std::cos(about_z), sz = std::sin(about_z);
  return {cz * cy,
          cz * sy * sx - sz * cx,
          cz * sy * cx + sz * sx,  //
          sz * cy,
          sz * sy * sx + cz * cx,
          sz * sy * cx - cz * sx,  //
          -sy,
          cy * sx,
          cy * cx};
}

}  // namespace detail

/// 3-D: Rz Ry Rx p, right-handed, in radians. Throws Error for 2-D input.
inline void rotate_(SkeletonSequence& s, double about_x, double about_y, double about_z) {
  detail::check_3d(s, "rotate_");
  const auto r = detail::rotation(about_x, about_y, about_z);
  float a[9];
  std::transform(r.begin(), r.end(), a, [](double x) { return static_cast<float>(x); });
  transform_(s, a);
}

/// Multiplies every coordinate by `factor`.
inline void scale_(SkeletonSequence& s, float factor) {
  const float none[3] = {};
  detail::scale_shift(s, factor, none);
}

/// Adds `shift`, C numbers. Throws ShapeError for another size.
inline void translate_(SkeletonSequence& s, std::span<const float> shift) {
  TMOR_CHECK_SHAPE(std::ssize(shift) == s.channels, "translate_: ", shift.size(), " numbers for ", s.channels,
                   " coordinates");
  detail::scale_shift(s, 1, shift.data());
}

/// p -> S p, S being 1 on the diagonal and `off` elsewhere, row by row: C (C - 1) numbers. Throws ShapeError
/// for another count.
inline void shear_(SkeletonSequence& s, std::span<const float> off) {
  const Index n = s.channels;
  TMOR_CHECK_SHAPE(std::ssize(off) == n * (n - 1), "shear_: ", off.size(), " numbers, want ", n * (n - 1));
  float a[9];
  for (Index i = 0, k = 0; i < n * n; ++i) a[i] = i % (n + 1) == 0 ? 1.f : off[static_cast<std::size_t>(k++)];
  transform_(s, std::span<const float>(a, static_cast<std::size_t>(n * n)));
}

/// Adds normal noise of that standard deviation to every known coordinate.
inline void add_noise_(SkeletonSequence& s, double deviation, Rng& rng) {
  detail::for_each_known(s, [&](float* p) {
    for (Index c = 0; c < s.channels; ++c) p[c] += static_cast<float>(deviation * rng.normal());
  });
}

namespace detail {

inline void check_probability(double p, const char* op) {
  TMOR_CHECK(p >= 0 && p <= 1, op, ": probability ", p, ", want 0 to 1");
}

inline void drop_joint(SkeletonSequence& s, Index m, Index t, Index v) {
  std::fill_n(s.point(m, t, v), s.channels, 0.f);
  *s.state(m, t, v) = kMissing;
}

}  // namespace detail

/// Makes each joint of each person missing in the whole clip with probability p.
inline void drop_joints_(SkeletonSequence& s, double p, Rng& rng) {
  detail::check_probability(p, "drop_joints_");
  for (Index m = 0; m < s.persons; ++m)
    for (Index v = 0; v < s.joints; ++v)
      if (rng.bernoulli(p))
        for (Index t = 0; t < s.frames; ++t) detail::drop_joint(s, m, t, v);
}

/// Makes each frame missing, for all persons, with probability p.
inline void drop_frames_(SkeletonSequence& s, double p, Rng& rng) {
  detail::check_probability(p, "drop_frames_");
  for (Index t = 0; t < s.frames; ++t)
    if (rng.bernoulli(p))
      for (Index m = 0; m < s.persons; ++m)
        for (Index v = 0; v < s.joints; ++v) detail::drop_joint(s, m, t, v);
}

/// A slow change of view over the clip (`random_move` of ST-GCN and UNIK): at the first and the last frame an
/// angle of
/// {-10, -5, 0, 5, 10} degrees, a scale of {.9, 1, 1.1} and a shift of {-.2, -.1, 0, .1, .2} in x and in y,
/// linear in between. Meant for coordinates in [-1, 1].
inline void random_move_(SkeletonSequence& s, Rng& rng) {
  struct Pose {
    double angle, scale, x, y;
  };
  const auto draw = [&] {
    const auto step = [&](Index n, double size) {
      return size * static_cast<double>(rng.uniform_int(n) - n / 2);
    };
    Pose p{};  // drawn in this order
    p.angle = step(5, 5) * 3.14159265358979323846 / 180;
    p.scale = 1 + step(3, 0.1);
    p.x = step(5, 0.1);
    p.y = step(5, 0.1);
    return p;
  };
  const Pose a = draw(), b = draw();
  for (Index t = 0; t < s.frames; ++t) {
    const double w = s.frames > 1 ? static_cast<double>(t) / static_cast<double>(s.frames - 1) : 0;
    const auto between = [&](double from, double to) { return from + w * (to - from); };
    const double angle = between(a.angle, b.angle), scale = between(a.scale, b.scale);
    const float co = static_cast<float>(scale * std::cos(angle)),
                si = static_cast<float>(scale * std::sin(angle));
    const float dx = static_cast<float>(between(a.x, b.x)), dy = static_cast<float>(between(a.y, b.y));
    for (Index m = 0; m < s.persons; ++m)
      for (Index v = 0; v < s.joints; ++v) {
        if (*s.state(m, t, v) == kMissing) continue;
        float* p = s.point(m, t, v);
        const float x = p[0], y = p[1];
        p[0] = co * x - si * y + dx;
        p[1] = si * x + co * y + dy;
      }
  }
}

/// Strengths of `augment_`; 0 switches a part off. Lengths are in the sequence's units after normalisation.
struct Augmentation {
  double mirror = 0.5;      ///< probability
  double rotate = 0.25;     ///< radians, uniform in [-rotate, rotate] (3-D: about each axis)
  double scale = 0.2;       ///< factor uniform in [1 - scale, 1 + scale]
  double shear = 0.1;       ///< each off-diagonal entry uniform in [-shear, shear]
  double shift = 0.1;       ///< each coordinate uniform in [-shift, shift]
  double noise = 0.0;       ///< standard deviation
  double joint_drop = 0.0;  ///< probability a joint
  double frame_drop = 0.0;  ///< probability a frame
};

namespace detail {

/// What `augment_` does to a clip as a whole, drawn.
struct DrawnMove {
  bool mirror = false;
  double turn[3] = {};  ///< about each axis; 2-D: the first
  float scale = 1, shear[6] = {}, shift[3] = {};
};

inline DrawnMove draw_move(const Augmentation& a, Index channels, Rng& rng) {
  check_probability(a.mirror, "augment_: mirror");
  const auto within = [&](double most) { return static_cast<float>(rng.uniform(-most, most)); };
  DrawnMove m;
  m.mirror = a.mirror > 0 && rng.bernoulli(a.mirror);
  if (a.rotate > 0)
    for (Index i = 0; i < (channels == 3 ? 3 : 1); ++i) m.turn[i] = rng.uniform(-a.rotate, a.rotate);
  if (a.scale > 0) m.scale = 1 + within(a.scale);
  if (a.shear > 0)
    for (float& x : m.shear) x = within(a.shear);
  if (a.shift > 0)
    for (float& x : m.shift) x = within(a.shift);
  return m;
}

}  // namespace detail

/// Mirror, rotation, scale, shear, shift, noise, joint and frame drop, in this order, each drawn once a clip.
inline void augment_(SkeletonSequence& s, const Augmentation& a, Rng& rng) {
  const detail::DrawnMove m = detail::draw_move(a, s.channels, rng);
  if (m.mirror) mirror_(s);
  if (a.rotate > 0 && s.channels == 2) rotate_(s, m.turn[0]);
  if (a.rotate > 0 && s.channels == 3) rotate_(s, m.turn[0], m.turn[1], m.turn[2]);
  if (a.scale > 0) scale_(s, m.scale);
  const std::size_t n = static_cast<std::size_t>(s.channels);
  if (a.shear > 0) shear_(s, std::span<const float>(m.shear, n * (n - 1)));
  if (a.shift > 0) translate_(s, std::span<const float>(m.shift, n));
  if (a.noise > 0) add_noise_(s, a.noise, rng);
  if (a.joint_drop > 0) drop_joints_(s, a.joint_drop, rng);
  if (a.frame_drop > 0) drop_frames_(s, a.frame_drop, rng);
}

TMOR_END
