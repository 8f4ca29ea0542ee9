#pragma once
/// @file estimator.hpp
/// Skeletons as a pose estimator would give them: projected or in the camera's axes, in any joint layout,
/// with jitter, drift, swapped sides and missing joints.

#include <array>
#include <span>
#include <vector>

#include "tmor/data/synth/view.hpp"
#include "tmor/skeleton/sequence.hpp"

TMOR_BEGIN
namespace data::synth {

struct EstimatorOptions {
  LayoutPtr layout;    ///< of the skeletons made
  Index channels = 2;  ///< 2: pixels, x right, y down; 3: metres in the camera's axes, y up, z to the viewer
  float fps = 20;
  Index width = 64, height = 64;  ///< of the picture
  double noise = 1;               ///< factor of all errors; 0: exact skeletons
};

namespace detail {

/// Many cheap numbers that are close to normal: sums of four 16-bit uniform ones, mean 0, deviation 1.
class NormalSource {
 public:
  explicit NormalSource(Rng& rng) : key_(rng.bits()) {}
  float operator()() {
    if (left_ == 0) block_ = philox(key_, 0, next_++), left_ = 2;
    const std::size_t i = static_cast<std::size_t>(--left_) * 2;
    const std::uint32_t a = block_.word[i], b = block_.word[i + 1];
    const std::uint32_t sum = (a >> 16) + (a & 0xFFFF) + (b >> 16) + (b & 0xFFFF);
    return (static_cast<float>(sum) * 0x1p-16f - 2.f) * 1.7320508f;
  }

 private:
  std::uint64_t key_, next_ = 0;
  PhiloxBlock block_{};
  int left_ = 0;
};

/// The joint made for each joint of a layout, -1 where there is none. All canonical names are made, so no
/// rule of joint_map.hpp could give more.
inline std::vector<int> sources(const JointLayout& layout) {
  std::vector<int> out;
  for (const std::string& name : layout.joints) {
    int found = -1;
    for (int j = 0; j < kJoints; ++j)
      if (kJointNames[j] == name) found = j;
    out.push_back(found);
  }
  return out;
}

/// Estimators err more on limbs than on the trunk.
inline float error_of(int joint) {
  const int j = joint < kMiddleJoints + kSideJoints ? joint : joint - kSideJoints;
  switch (j) {
    case kWrist:
    case kAnkle:
    case kHand:
    case kFoot:
      return 1.5f;
    case kHandTip:
    case kThumb:
      return 2.f;
    case kElbow:
    case kKnee:
      return 1.15f;
    default:
      return .8f;
  }
}

/// A stretch of frames in which something is wrong.
struct Stretch {
  Index begin, end;
  bool holds(Index t) const { return t >= begin && t < end; }
};
inline Stretch draw_stretch(Index frames, Index longest, Rng& rng) {
  const Index begin = rng.uniform_int(frames);
  return {begin, std::min(frames, begin + 1 + rng.uniform_int(longest))};
}

/// Swaps left and right of the arms, the legs or both in a stretch of frames.
inline void swap_sides(SkeletonSequence& s, const Stretch& when, bool arms, bool legs) {
  for (const auto& [l, r] : s.layout->pairs()) {
    const std::string& name = s.layout->joints[static_cast<std::size_t>(l)];
    const bool leg =
        name.ends_with("hip") || name.ends_with("knee") || name.ends_with("ankle") || name.ends_with("foot");
    if (leg ? !legs : !arms) continue;
    for (Index t = when.begin; t < when.end; ++t) {
      std::swap_ranges(s.point(0, t, l), s.point(0, t, l) + s.channels, s.point(0, t, r));
      std::swap(*s.state(0, t, l), *s.state(0, t, r));
    }
  }
}

inline void lose(SkeletonSequence& s, Index t, Index v) {
  std::fill_n(s.point(0, t, v), s.channels, 0.f);
  *s.state(0, t, v) = kMissing;
}

inline void add_errors(SkeletonSequence& s, const std::vector<int>& source, float unit, double noise,
                       Rng& rng) {
  NormalSource normal(rng);
  const float strength = static_cast<float>(noise) * unit * draw(rng, .4, 1.4);
  constexpr float kKeep = .9f;  // of the drift from frame to frame
  const float white = .01f * strength, fresh = .02f * strength * std::sqrt(1 - kKeep * kKeep);
  std::vector<float> drift(static_cast<std::size_t>(s.joints * s.channels));
  for (Index t = 0; t < s.frames; ++t)
    for (Index v = 0; v < s.joints; ++v) {
      if (*s.state(0, t, v) == kMissing) continue;
      const float much = error_of(source[static_cast<std::size_t>(v)]);
      for (Index c = 0; c < s.channels; ++c) {
        float& d = drift[static_cast<std::size_t>(v * s.channels + c)];
        const float depth = c == 2 ? 2.f : 1.f;
        d = kKeep * d + depth * fresh * normal();
        s.point(0, t, v)[c] += much * (d + depth * white * normal());
      }
    }
  const double p = std::min(noise, 3.0);
  for (int i = 0; i < 2; ++i)
    if (rng.bernoulli(.12 * p)) {
      const Index what = rng.uniform_int(3);
      swap_sides(s, draw_stretch(s.frames, 8, rng), what != 1, what != 0);
    }
  const Index losses = static_cast<Index>(p * rng.uniform(0, .35) * static_cast<double>(s.joints));
  for (Index i = 0; i < losses; ++i) {
    const Index v = rng.uniform_int(s.joints);
    const Stretch when = draw_stretch(s.frames, 14, rng);
    for (Index t = when.begin; t < when.end; ++t) lose(s, t, v);
  }
  if (rng.bernoulli(.08 * p)) {  // the person is not found
    const Stretch when = draw_stretch(s.frames, 3, rng);
    for (Index t = when.begin; t < when.end; ++t)
      for (Index v = 0; v < s.joints; ++v) lose(s, t, v);
  }
}

}  // namespace detail

/// The skeleton clip of a body whose joints over time are `motion`, one entry a frame.
inline SkeletonSequence estimate(std::span<const Joints> motion, const View& view, float body_height,
                                 const EstimatorOptions& o, Rng rng) {
  const std::vector<int> source = detail::sources(*o.layout);
  SkeletonSequence s = SkeletonSequence::make(o.layout, 1, std::ssize(motion), o.channels);
  s.fps = o.fps;
  const bool flat = o.channels == 2;
  if (flat) s.width = static_cast<float>(o.width), s.height = static_cast<float>(o.height);
  double depth = 0;
  for (Index t = 0; t < s.frames; ++t) {
    const Joints& joints = motion[static_cast<std::size_t>(t)];
    float dx, dy;
    view.camera.displacement(static_cast<float>(t) / o.fps, dx, dy);
    depth -= static_cast<double>(view.camera.to_camera(joints[kPelvis]).z);
    for (Index v = 0; v < s.joints; ++v) {
      const int j = source[static_cast<std::size_t>(v)];
      if (j < 0) continue;
      const Vec3 p = view.camera.to_camera(joints[static_cast<std::size_t>(j)]);
      float x, y;
      view.camera.project(p, x, y);
      x += dx, y += dy;
      float* out = s.point(0, t, v);
      out[0] = flat ? x : p.x;
      out[1] = flat ? y : p.y;
      if (!flat) out[2] = p.z;
      *s.state(0, t, v) = kObserved;
      if (o.noise > 0)
        for (const Occluder& w : view.occluders)
          if (w.covers(x, y) &&
              philox(static_cast<std::uint64_t>(v), rng.state().stream, static_cast<std::uint64_t>(t / 4))
                      .word[0] >>
                  30)
            detail::lose(s, t, v);  // three times of four
    }
  }
  // Errors grow with the size of the body in the picture.
  const float unit =
      flat ? body_height * view.camera.focal / static_cast<float>(depth / static_cast<double>(s.frames))
           : body_height;
  if (o.noise > 0) detail::add_errors(s, source, unit, o.noise, rng);
  return s;
}

}  // namespace data::synth
TMOR_END
