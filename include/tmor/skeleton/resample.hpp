#pragma once
/// @file resample.hpp
/// Changing the number of frames: crops, padding, resampling, speed. All return a new sequence with `fps`
/// adapted; a joint is valid in the result only where the source knew it.

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "tmor/core/config.hpp"
#include "tmor/core/error.hpp"
#include "tmor/core/rng.hpp"
#include "tmor/skeleton/repair.hpp"
#include "tmor/skeleton/sequence.hpp"

TMOR_BEGIN

namespace detail {

/// A frame between i and i + 1 at weight w of the later one. A joint known in only one of the two counts
/// where that one is the nearer; it keeps the state of what it is made of.
inline void blend_frame(const SkeletonSequence& s, Index m, Index i, float w, SkeletonSequence& d, Index t) {
  const Index j = std::min(i + 1, s.frames - 1);
  for (Index v = 0; v < s.joints; ++v) {
    const float *a = s.point(m, i, v), *b = s.point(m, j, v);
    const std::uint8_t sa = *s.state(m, i, v), sb = *s.state(m, j, v);
    float* out = d.point(m, t, v);
    std::uint8_t& state = *d.state(m, t, v);
    if (sa != kMissing && sb != kMissing) {
      for (Index c = 0; c < s.channels; ++c) out[c] = a[c] + w * (b[c] - a[c]);
      state = w == 0.f ? sa : std::max(sa, sb);
    } else {
      const bool later = w > 0.5f;
      std::copy_n(later ? b : a, s.channels, out);
      state = later ? sb : sa;
    }
  }
}

inline void check_range(const SkeletonSequence& s, Index start, Index length, const char* op) {
  TMOR_CHECK(start >= 0 && length >= 1 && length <= s.frames - start, op, ": frames ", start, " to ", start,
             " + ", length, " of a sequence of ", s.frames);
}

}  // namespace detail

/// Frames of any order and number. Throws Error for none, or one outside the sequence.
inline SkeletonSequence take_frames(const SkeletonSequence& s, std::span<const Index> frames) {
  SkeletonSequence out = s.like(std::ssize(frames));
  for (Index t = 0; t < out.frames; ++t) {
    const Index from = frames[static_cast<std::size_t>(t)];
    TMOR_CHECK(from >= 0 && from < s.frames, "take_frames: frame ", from, " of a sequence of ", s.frames);
    for (Index m = 0; m < s.persons; ++m) detail::copy_frame(s, m, from, out, m, t);
  }
  return out;
}

/// Frames start to start + length - 1. Throws Error if they are not all there.
inline SkeletonSequence crop(const SkeletonSequence& s, Index start, Index length) {
  detail::check_range(s, start, length, "crop");
  SkeletonSequence out = s.like(length);
  for (Index m = 0; m < s.persons; ++m)
    for (Index t = 0; t < length; ++t) detail::copy_frame(s, m, start + t, out, m, t);
  return out;
}

/// How `fit_frames` makes a short sequence longer: missing frames, the sequence from its start again, or its
/// last frame.
enum class Padding { kMissing, kLoop, kHold };

/// Exactly `length` frames from `start` on, padded at the end where the sequence is too short.
inline SkeletonSequence fit_frames(const SkeletonSequence& s, Index length, Padding padding,
                                   Index start = 0) {
  detail::check_range(s, start, 1, "fit_frames");
  SkeletonSequence out = s.like(length);
  const Index have = s.frames - start;
  for (Index t = 0; t < length; ++t) {
    if (t >= have && padding == Padding::kMissing) break;
    const Index from = t < have ? t : padding == Padding::kLoop ? t % have : have - 1;
    for (Index m = 0; m < s.persons; ++m) detail::copy_frame(s, m, start + from, out, m, t);
  }
  return out;
}

/// `length` frames from the middle (evaluation), padded if there are fewer.
inline SkeletonSequence center_crop(const SkeletonSequence& s, Index length,
                                    Padding padding = Padding::kLoop) {
  return fit_frames(s, length, padding, std::max<Index>(0, (s.frames - length) / 2));
}

/// `length` frames from a random place (training), padded if there are fewer.
inline SkeletonSequence random_crop(const SkeletonSequence& s, Index length, Rng& rng,
                                    Padding padding = Padding::kLoop) {
  return fit_frames(s, length, padding, rng.uniform_int(std::max<Index>(1, s.frames - length + 1)));
}

/// `count` frames at equal steps from the first to the last of frames start .. start + length - 1, linear
/// between frames; a single frame is taken from the middle.
inline SkeletonSequence resample(const SkeletonSequence& s, Index start, Index length, Index count) {
  detail::check_range(s, start, length, "resample");
  SkeletonSequence out = s.like(count);
  const double last = static_cast<double>(length - 1);
  if (length > 1 && count > 1) out.fps = static_cast<float>(s.fps * static_cast<double>(count - 1) / last);
  for (Index t = 0; t < count; ++t) {
    const double at = count == 1 ? last / 2 : last * static_cast<double>(t) / static_cast<double>(count - 1);
    const Index i = std::min(static_cast<Index>(at), length - 1);
    for (Index m = 0; m < s.persons; ++m)
      detail::blend_frame(s, m, start + i, static_cast<float>(at - static_cast<double>(i)), out, t);
  }
  return out;
}

/// `count` frames at equal steps over the whole sequence.
inline SkeletonSequence resample(const SkeletonSequence& s, Index count) {
  return resample(s, 0, s.frames, count);
}

/// The sequence played `factor` times as fast (2: half the frames), `fps` kept. Throws Error unless factor is
/// in [1/64, 64].
inline SkeletonSequence change_speed(const SkeletonSequence& s, double factor) {
  TMOR_CHECK(factor >= 1.0 / 64 && factor <= 64, "change_speed: factor ", factor, ", want 1/64 to 64");
  SkeletonSequence out = resample(s, std::max<Index>(1, std::lround(static_cast<double>(s.frames) / factor)));
  out.fps = s.fps;
  return out;
}

/// Frames [start, start + length) of a sequence.
struct FrameRange {
  Index start = 0, length = 0;
};

/// A random stretch of `low` to `high` of so many frames (fractions, 0 < low <= high <= 1).
inline FrameRange random_range(Index frames, double low, double high, Rng& rng) {
  TMOR_CHECK(low > 0 && low <= high && high <= 1, "random_range: fractions ", low, " to ", high,
             ", want 0 < low <= high <= 1");
  const double wanted = static_cast<double>(frames) * rng.uniform(low, high);
  const Index length = std::clamp<Index>(std::lround(wanted), 1, frames);
  return {rng.uniform_int(frames - length + 1), length};
}
inline FrameRange random_range(const SkeletonSequence& s, double low, double high, Rng& rng) {
  return random_range(s.frames, low, high, rng);
}

/// Such a stretch resampled to `count` frames: crop and speed change in one (CTR-GCN's `p_interval`).
inline SkeletonSequence random_resized_crop(const SkeletonSequence& s, Index count, double low, double high,
                                            Rng& rng) {
  const FrameRange part = random_range(s, low, high, rng);
  return resample(s, part.start, part.length, count);
}

namespace detail {

/// One frame from each of `count` equal parts, at `place(part)` in [0, 1) of it.
template <class F> SkeletonSequence sample_parts(const SkeletonSequence& s, Index count, F&& place) {
  std::vector<Index> frames;
  const double part = static_cast<double>(s.frames) / static_cast<double>(std::max<Index>(count, 1));
  for (Index t = 0; t < count; ++t)
    frames.push_back(std::min(static_cast<Index>((static_cast<double>(t) + place()) * part), s.frames - 1));
  SkeletonSequence out = take_frames(s, frames);
  out.fps = static_cast<float>(s.fps / part);
  return out;
}

}  // namespace detail

/// `count` existing frames, the middle one of each of `count` equal parts (evaluation).
inline SkeletonSequence sample_uniform(const SkeletonSequence& s, Index count) {
  return detail::sample_parts(s, count, [] { return 0.5; });
}

/// `count` existing frames, a random one of each of `count` equal parts (PYSKL's UniformSample); frames
/// repeat where the sequence is shorter.
inline SkeletonSequence sample_uniform(const SkeletonSequence& s, Index count, Rng& rng) {
  return detail::sample_parts(s, count, [&] { return rng.uniform(); });
}

TMOR_END
