#pragma once
/// @file sequence.hpp
/// A clip of skeletons on the CPU: coordinates, which joints are known, and what the coordinates mean.

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "tmor/core/config.hpp"
#include "tmor/core/error.hpp"
#include "tmor/core/finite.hpp"
#include "tmor/skeleton/joint_map.hpp"
#include "tmor/skeleton/layout.hpp"

TMOR_BEGIN

/// Most coordinates one sequence may hold (1 GiB), checked before memory is taken.
inline constexpr Index kMaxSequenceValues = Index{1} << 28;

/// M persons over T frames with V joints of C coordinates (2 or 3). A missing joint has state kMissing and
/// zero coordinates; every transform keeps that so. Plain data: readers fill it and call `check`.
struct SkeletonSequence {
  LayoutPtr layout;
  Index persons = 0, frames = 0, joints = 0, channels = 0;
  float fps = 0;                ///< frames a second, 0 if unknown
  float width = 0, height = 0;  ///< of the image in pixels; 0 if unknown or once coordinates are not pixels
  std::vector<float> xyz;       ///< (M, T, V, C)
  std::vector<std::uint8_t> valid;  ///< (M, T, V), values of JointState

  /// A sequence with every joint missing. Throws Error for sizes below 1, channels other than 2 or 3, or more
  /// than kMaxSequenceValues coordinates.
  static SkeletonSequence make(LayoutPtr layout, Index persons, Index frames, Index channels) {
    TMOR_CHECK(layout, "skeleton sequence: no layout");
    SkeletonSequence s;
    s.joints = layout->size();
    s.layout = std::move(layout);
    s.persons = persons, s.frames = frames, s.channels = channels;
    s.check_sizes("skeleton sequence");
    s.xyz.resize(static_cast<std::size_t>(persons * frames * s.joints * channels));
    s.valid.resize(static_cast<std::size_t>(persons * frames * s.joints));
    return s;
  }

  /// All joints missing, same layout and meaning, another number of frames (fps is kept).
  SkeletonSequence like(Index new_frames) const {
    SkeletonSequence s = make(layout, persons, new_frames, channels);
    s.fps = fps, s.width = width, s.height = height;
    return s;
  }

  /// The C coordinates of a joint, those of the frame's other joints behind them.
  float* point(Index m, Index t, Index v = 0) {
    return xyz.data() + ((m * frames + t) * joints + v) * channels;
  }
  const float* point(Index m, Index t, Index v = 0) const {
    return xyz.data() + ((m * frames + t) * joints + v) * channels;
  }
  /// The state of a joint, those of the frame's other joints behind it.
  std::uint8_t* state(Index m, Index t, Index v = 0) { return valid.data() + (m * frames + t) * joints + v; }
  const std::uint8_t* state(Index m, Index t, Index v = 0) const {
    return valid.data() + (m * frames + t) * joints + v;
  }

  /// Throws Error, beginning with `where`, unless the sizes agree, every state is a JointState, every
  /// coordinate is finite and every missing joint is zero.
  void check(std::string_view where) const;

  /// Zeroes the coordinates of missing joints; for readers of formats that store guesses there.
  void zero_missing_() {
    for (std::size_t i = 0; i < valid.size(); ++i)
      if (valid[i] == kMissing) std::fill_n(xyz.data() + static_cast<Index>(i) * channels, channels, 0.f);
  }

  /// Marks joints at exactly zero as missing; for formats that have no other mark.
  void mark_zeros_missing_() {
    for (std::size_t i = 0; i < valid.size(); ++i) {
      const float* p = xyz.data() + static_cast<Index>(i) * channels;
      if (std::all_of(p, p + channels, [](float x) { return x == 0.f; })) valid[i] = kMissing;
    }
  }

 private:
  void check_sizes(std::string_view where) const {
    TMOR_CHECK(persons >= 1 && frames >= 1 && joints >= 1, where, ": ", persons, " persons, ", frames,
               " frames, ", joints, " joints; want at least 1 of each");
    TMOR_CHECK(channels == 2 || channels == 3, where, ": ", channels, " coordinates a joint, want 2 or 3");
    // Divisions, so that absurd sizes cannot overflow the product.
    TMOR_CHECK(persons <= kMaxSequenceValues / joints / channels / frames, where, ": ", persons,
               " persons x ", frames, " frames x ", joints, " joints x ", channels, " is more than ",
               kMaxSequenceValues, " values");
  }
};

inline void SkeletonSequence::check(std::string_view where) const {
  TMOR_CHECK(layout, where, ": no layout");
  check_sizes(where);
  TMOR_CHECK(joints == layout->size(), where, ": ", joints, " joints, but layout ", layout->name, " has ",
             layout->size());
  TMOR_CHECK(
      std::ssize(valid) == persons * frames * joints && std::ssize(xyz) == std::ssize(valid) * channels,
      where, ": ", xyz.size(), " coordinates and ", valid.size(), " states for ", persons, " x ", frames,
      " x ", joints, " x ", channels);
  TMOR_CHECK(is_finite(fps) && fps >= 0 && is_finite(width) && width >= 0 && is_finite(height) && height >= 0,
             where, ": fps, width and height must be finite and not negative");
  for (Index m = 0; m < persons; ++m)
    for (Index t = 0; t < frames; ++t)
      for (Index v = 0; v < joints; ++v) {
        const std::uint8_t s = *state(m, t, v);
        const float* p = point(m, t, v);
        const auto here = [&](std::string_view what) {
          detail::fail<Error>(where, ": person ", m, ", frame ", t, ", joint '",
                              layout->joints[static_cast<std::size_t>(v)], "': ", what);
        };
        if (s > kImputed) here("state is not 0, 1 or 2");
        for (Index c = 0; c < channels; ++c) {
          if (!is_finite(p[c])) here("coordinate is NaN or infinite");
          if (s == kMissing && p[c] != 0.f) here("missing but not zero; call zero_missing_()");
        }
      }
}

/// The sequence in another layout, see `make_map`; `map.from` must be the sequence's layout. Throws
/// ShapeError.
inline SkeletonSequence map_joints(const SkeletonSequence& s, const JointMap& map) {
  TMOR_CHECK_SHAPE(s.joints == map.from->size() && s.layout->name == map.from->name,
                   "map_joints: sequence has layout ", s.layout->name, ", the map is from ", map.from->name);
  SkeletonSequence out = SkeletonSequence::make(map.to, s.persons, s.frames, s.channels);
  out.fps = s.fps, out.width = s.width, out.height = s.height;
  map.apply(s.xyz, s.valid, s.persons * s.frames, s.channels, out.xyz, out.valid);
  return out;
}

TMOR_END
