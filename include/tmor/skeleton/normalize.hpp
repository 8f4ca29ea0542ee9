#pragma once
/// @file normalize.hpp
/// Normalisations: into image units, onto the body, into a box, and to a common view. All work in place,
/// leave missing joints missing and zero, and set the image size to unknown, because coordinates are no
/// longer pixels.

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tmor/core/config.hpp"
#include "tmor/core/error.hpp"
#include "tmor/skeleton/repair.hpp"
#include "tmor/skeleton/sequence.hpp"

TMOR_BEGIN

namespace detail {

/// Calls `f(point)` for every joint that is not missing, in memory order.
template <class F> void for_each_known(SkeletonSequence& s, F&& f) {
  for (std::size_t i = 0; i < s.valid.size(); ++i)
    if (s.valid[i] != kMissing) f(s.xyz.data() + static_cast<Index>(i) * s.channels);
}

/// x[c] = x[c] * scale + shift[c] for known joints.
inline void scale_shift(SkeletonSequence& s, float scale, const float* shift) {
  for_each_known(s, [&](float* p) {
    for (Index c = 0; c < s.channels; ++c) p[c] = p[c] * scale + shift[c];
  });
}

inline void check_image_size(const SkeletonSequence& s, const char* op) {
  TMOR_CHECK(s.width > 0 && s.height > 0, op, ": the image size is unknown (", s.width, " x ", s.height,
             "); set width and height, or use normalize_body_ or normalize_box_");
}

/// The box of the known joints; `empty` if there is none.
struct Box {
  float low[3], high[3];
  bool empty = true;

  float center(Index c) const { return 0.5f * (low[c] + high[c]); }
  float side(Index channels) const {
    float longest = 0;
    for (Index c = 0; c < channels; ++c) longest = std::max(longest, high[c] - low[c]);
    return longest;
  }
};

inline Box known_box(const SkeletonSequence& s) {
  Box b{};
  for (std::size_t i = 0; i < s.valid.size(); ++i) {
    if (s.valid[i] == kMissing) continue;
    const float* p = s.xyz.data() + static_cast<Index>(i) * s.channels;
    for (Index c = 0; c < s.channels; ++c) {
      b.low[c] = b.empty ? p[c] : std::min(b.low[c], p[c]);
      b.high[c] = b.empty ? p[c] : std::max(b.high[c], p[c]);
    }
    b.empty = false;
  }
  return b;
}

/// A point of the body over time, (M, T, C), by the rules of joint_map.hpp; so "pelvis" works in every
/// layout.
struct BodyTrack {
  std::vector<float> x;
  std::vector<std::uint8_t> state;
};

inline BodyTrack body_track(const SkeletonSequence& s, std::string_view joint) {
  const JointRules rules = joint_rules(*s.layout, joint);
  BodyTrack b{std::vector<float>(static_cast<std::size_t>(s.persons * s.frames * s.channels)),
              std::vector<std::uint8_t>(static_cast<std::size_t>(s.persons * s.frames))};
  for (Index i = 0; i < s.persons * s.frames; ++i)
    b.state[static_cast<std::size_t>(i)] =
        apply_rules(rules, s.point(0, i), s.state(0, i), s.channels, b.x.data() + i * s.channels);
  return b;
}

/// Median distance from pelvis to neck over all persons and frames; a third of the box if there is none; 1 if
/// that is nothing too.
inline float torso_length(const SkeletonSequence& s, const BodyTrack& pelvis) {
  const BodyTrack neck = body_track(s, "neck");
  std::vector<float> lengths;
  for (std::size_t i = 0; i < pelvis.state.size(); ++i) {
    if (pelvis.state[i] == kMissing || neck.state[i] == kMissing) continue;
    float sum = 0;
    for (std::size_t c = 0; c < static_cast<std::size_t>(s.channels); ++c) {
      const std::size_t k = i * static_cast<std::size_t>(s.channels) + c;
      sum += (neck.x[k] - pelvis.x[k]) * (neck.x[k] - pelvis.x[k]);
    }
    lengths.push_back(std::sqrt(sum));
  }
  float length = 0;
  if (!lengths.empty()) {
    const auto middle = lengths.begin() + std::ssize(lengths) / 2;
    std::nth_element(lengths.begin(), middle, lengths.end());
    length = *middle;
  }
  if (const Box box = known_box(s); !(length > 0) && !box.empty) length = box.side(s.channels) / 3;
  return length > 0 ? length : 1;
}

}  // namespace detail

/// x -> 2 x / width - 1, y -> 2 y / width - height / width, z -> 2 z / width (VideoPose3D, UNIK): x in [-1,
/// 1], the aspect is kept. Throws Error if the image size is unknown.
inline void normalize_image_(SkeletonSequence& s) {
  detail::check_image_size(s, "normalize_image_");
  const float shift[3] = {-1, -s.height / s.width, 0};
  detail::scale_shift(s, 2 / s.width, shift);
  s.width = s.height = 0;
}

/// x -> (x - w/2) / (w/2), y -> (y - h/2) / (h/2) (PYSKL): both in [-1, 1], the aspect is lost; a third
/// coordinate is left alone. Throws Error if the image size is unknown.
inline void normalize_half_image_(SkeletonSequence& s) {
  detail::check_image_size(s, "normalize_half_image_");
  const float half_w = s.width / 2, half_h = s.height / 2;
  detail::for_each_known(s, [&](float* p) {
    p[0] = (p[0] - half_w) / half_w;
    p[1] = (p[1] - half_h) / half_h;
  });
  s.width = s.height = 0;
}

/// What `normalize_body_` puts at the origin: each person's pelvis in each frame (removes where the person
/// goes), or one point for the whole clip (keeps it), the mean pelvis of the first person that has one.
enum class BodyCenter { kEachFrame, kClip };

/// Centres on the pelvis and makes the median torso (pelvis to neck) 1 long. Frames without a pelvis take it
/// from their neighbours in time; persons without one use the middle of the clip's box.
inline void normalize_body_(SkeletonSequence& s, BodyCenter mode = BodyCenter::kEachFrame) {
  detail::BodyTrack pelvis = detail::body_track(s, "pelvis");
  const float scale = 1 / detail::torso_length(s, pelvis);
  const detail::Box box = detail::known_box(s);
  float clip[3] = {box.center(0), box.center(1), box.center(2)};
  bool found = false;
  for (Index m = 0; m < s.persons; ++m) {
    const detail::Track track{pelvis.x.data() + m * s.frames * s.channels, pelvis.state.data() + m * s.frames,
                              s.frames, 1, s.channels};
    double sum[3] = {}, n = 0;
    for (Index t = 0; t < s.frames; ++t) {
      if (!track.known(t)) continue;
      for (Index c = 0; c < s.channels; ++c) sum[c] += static_cast<double>(track.at(t)[c]);
      n += 1;
    }
    if (n > 0 && !found)
      for (Index c = 0; c < s.channels; ++c) clip[c] = static_cast<float>(sum[c] / n);
    found = found || n > 0;
    detail::fill_track(track, s.frames, GapEnds::kHold);
  }
  for (Index m = 0; m < s.persons; ++m)
    for (Index t = 0; t < s.frames; ++t) {
      const Index i = m * s.frames + t;
      const bool own =
          mode == BodyCenter::kEachFrame && pelvis.state[static_cast<std::size_t>(i)] != kMissing;
      const float* center = own ? pelvis.x.data() + i * s.channels : clip;
      for (Index v = 0; v < s.joints; ++v) {
        if (*s.state(m, t, v) == kMissing) continue;
        for (Index c = 0; c < s.channels; ++c)
          s.point(m, t, v)[c] = (s.point(m, t, v)[c] - center[c]) * scale;
      }
    }
  s.width = s.height = 0;
}

/// Puts the box of all known joints of the clip in the middle of [-1, 1]^C, its longest side filling it; the
/// aspect is kept. A box without extent is only centred.
inline void normalize_box_(SkeletonSequence& s) {
  const detail::Box box = detail::known_box(s);
  const float side = box.side(s.channels), scale = side > 0 ? 2 / side : 1;
  const float shift[3] = {-box.center(0) * scale, -box.center(1) * scale, -box.center(2) * scale};
  detail::scale_shift(s, scale, shift);
  s.width = s.height = 0;
}

namespace detail {

/// First frame of the first person in which both points are known and apart; their difference b - a goes to
/// `d`.
inline bool first_difference(const SkeletonSequence& s, const BodyTrack& a, const BodyTrack& b, float* d) {
  for (std::size_t i = 0; i < a.state.size(); ++i) {
    if (a.state[i] == kMissing || b.state[i] == kMissing) continue;
    float sum = 0;
    for (Index c = 0; c < 3; ++c) {
      const std::size_t k = i * static_cast<std::size_t>(s.channels) + static_cast<std::size_t>(c);
      d[c] = b.x[k] - a.x[k];
      sum += d[c] * d[c];
    }
    if (sum > 0) return true;
  }
  return false;
}

/// The direction from the right to the left shoulder, else hip.
inline bool lateral_direction(const SkeletonSequence& s, float* d) {
  return first_difference(s, body_track(s, "right_shoulder"), body_track(s, "left_shoulder"), d) ||
         first_difference(s, body_track(s, "right_hip"), body_track(s, "left_hip"), d);
}

inline void check_3d(const SkeletonSequence& s, const char* op) {
  TMOR_CHECK(s.channels == 3, op, ": needs 3 coordinates a joint, the sequence has ", s.channels);
}

}  // namespace detail

/// 3-D: turns the clip about the vertical axis (0, 1 or 2) through the origin, so that in the first frame
/// that shows both shoulders (else hips) the person faces the camera: the line from right to left lies along
/// +x (+y if x is the vertical). Does nothing where no frame shows them. Throws Error for 2-D input or a
/// wrong axis.
inline void face_camera_(SkeletonSequence& s, Index vertical = 1) {
  detail::check_3d(s, "face_camera_");
  TMOR_CHECK(vertical >= 0 && vertical < 3, "face_camera_: axis ", vertical, ", want 0, 1 or 2");
  const Index a = vertical == 0 ? 1 : 0, b = 3 - vertical - a;
  float d[3];
  if (!detail::lateral_direction(s, d)) return;
  const float r = std::sqrt(d[a] * d[a] + d[b] * d[b]);
  if (!(r > 0)) return;
  const float co = d[a] / r, si = d[b] / r;
  detail::for_each_known(s, [&](float* p) {
    const float pa = p[a], pb = p[b];
    p[a] = co * pa + si * pb;
    p[b] = -si * pa + co * pb;
  });
  s.width = s.height = 0;
}

/// 3-D: turns the clip about the origin, so that in the first frames that show them the spine (pelvis to
/// neck) points along +z and the right shoulder lies towards +x of the left one (NTU pre-processing of AGCN
/// and PYSKL). Does nothing where either is never seen or both are parallel. Throws Error for 2-D input.
inline void align_body_axes_(SkeletonSequence& s) {
  detail::check_3d(s, "align_body_axes_");
  float z[3], left[3], x[3], y[3];
  if (!detail::first_difference(s, detail::body_track(s, "pelvis"), detail::body_track(s, "neck"), z)) return;
  if (!detail::lateral_direction(s, left)) return;
  const auto dot = [](const float* p, const float* q) { return p[0] * q[0] + p[1] * q[1] + p[2] * q[2]; };
  const float z_length = std::sqrt(dot(z, z));
  for (float& c : z) c /= z_length;
  const float along = dot(left, z);
  for (Index c = 0; c < 3; ++c) x[c] = along * z[c] - left[c];  // right, without its part along the spine
  const float x_length = std::sqrt(dot(x, x));
  if (!(x_length > 1e-6f * std::sqrt(dot(left, left)))) return;
  for (float& c : x) c /= x_length;
  for (Index c = 0; c < 3; ++c) y[c] = z[(c + 1) % 3] * x[(c + 2) % 3] - z[(c + 2) % 3] * x[(c + 1) % 3];
  detail::for_each_known(s, [&](float* p) {
    const float turned[3] = {dot(x, p), dot(y, p), dot(z, p)};
    std::copy_n(turned, 3, p);
  });
  s.width = s.height = 0;
}

TMOR_END
