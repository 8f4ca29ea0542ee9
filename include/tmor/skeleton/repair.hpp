#pragma once
/// @file repair.hpp
/// Mending sequences before use: gaps in time, empty frames, and surplus persons.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "tmor/core/config.hpp"
#include "tmor/core/error.hpp"
#include "tmor/skeleton/sequence.hpp"

TMOR_BEGIN

/// What to do before the first and after the last frame in which a joint is known.
enum class GapEnds { kLeave, kHold };

namespace detail {

/// One joint's track: frame t at `x + t * stride * channels` and `state + t * stride`.
struct Track {
  float* x;
  std::uint8_t* state;
  Index frames, stride, channels;

  float* at(Index t) const { return x + t * stride * channels; }
  bool known(Index t) const { return state[t * stride] != kMissing; }
  void impute(Index t, const float* a, const float* b, float w) const {
    for (Index c = 0; c < channels; ++c) at(t)[c] = a[c] + w * (b[c] - a[c]);
    state[t * stride] = kImputed;
  }
};

inline void fill_track(const Track& track, Index max_gap, GapEnds ends) {
  Index last = -1;  // last known frame
  for (Index t = 0; t <= track.frames; ++t) {
    const bool end = t == track.frames;
    if (!end && !track.known(t)) continue;
    const Index gap = t - last - 1;
    const bool open = last < 0 || end;  // known on one side at most
    if (gap > 0 && gap <= max_gap && !(last < 0 && end) && (!open || ends == GapEnds::kHold)) {
      const float* a = track.at(last < 0 ? t : last);
      const float* b = track.at(end ? last : t);
      for (Index i = 1; i <= gap; ++i)
        track.impute(last + i, a, b, static_cast<float>(i) / static_cast<float>(gap + 1));
    }
    last = t;
  }
}

/// Copies frame `from` of person m in `s` to frame `to` of person n in `d`.
inline void copy_frame(const SkeletonSequence& s, Index m, Index from, SkeletonSequence& d, Index n,
                       Index to) {
  std::copy_n(s.point(m, from), s.joints * s.channels, d.point(n, to));
  std::copy_n(s.state(m, from), s.joints, d.state(n, to));
}

inline bool empty_frame(const SkeletonSequence& s, Index m, Index t) {
  const std::uint8_t* p = s.state(m, t);
  return std::all_of(p, p + s.joints, [](std::uint8_t v) { return v == kMissing; });
}

}  // namespace detail

/// Fills each joint's gaps of at most `max_gap` frames linearly in time (each person by itself); filled
/// joints are kImputed. A joint that is never known stays missing. Throws Error for a negative `max_gap`.
inline void fill_gaps_(SkeletonSequence& s, Index max_gap = kMaxSequenceValues,
                       GapEnds ends = GapEnds::kLeave) {
  TMOR_CHECK(max_gap >= 0, "fill_gaps_: max_gap is ", max_gap, ", want 0 or more");
  for (Index m = 0; m < s.persons; ++m)
    for (Index v = 0; v < s.joints; ++v)
      detail::fill_track({s.point(m, 0, v), s.state(m, 0, v), s.frames, s.joints, s.channels}, max_gap, ends);
}

/// Moves each person's non-empty part to the front if it starts late, then fills the empty frames at the end
/// by looping what comes before them (the padding of the ST-GCN and UNIK feeders). Empty frames inside stay
/// empty, as do persons who never appear.
inline void fill_null_frames_(SkeletonSequence& s) {
  const SkeletonSequence old = s;
  for (Index m = 0; m < s.persons; ++m) {
    Index first = 0, end = s.frames;
    while (first < end && detail::empty_frame(old, m, first)) ++first;
    while (end > first && detail::empty_frame(old, m, end - 1)) --end;
    if (first == end) continue;
    for (Index t = 0; t < s.frames; ++t) detail::copy_frame(old, m, first + t % (end - first), s, m, t);
  }
}

/// How much a person moves and spreads: the sum over coordinates of the standard deviation over all known
/// joints (UNIK, AGCN feeders).
inline double person_energy(const SkeletonSequence& s, Index m) {
  double energy = 0;
  for (Index c = 0; c < s.channels; ++c) {
    double n = 0, mean = 0, m2 = 0;  // Welford
    for (Index i = 0; i < s.frames * s.joints; ++i) {
      if (s.state(m, 0)[i] == kMissing) continue;
      const double x = s.point(m, 0)[i * s.channels + c], delta = x - mean;
      n += 1;
      mean += delta / n;
      m2 += delta * (x - mean);
    }
    if (n > 0) energy += std::sqrt(m2 / n);
  }
  return energy;
}

/// The sequence with exactly `count` persons: those of most energy, most first (equals in their old order),
/// filled up with missing ones. Throws Error for count < 1.
inline SkeletonSequence keep_most_active(const SkeletonSequence& s, Index count) {
  SkeletonSequence out = SkeletonSequence::make(s.layout, count, s.frames, s.channels);
  out.fps = s.fps, out.width = s.width, out.height = s.height;
  std::vector<double> energy;
  for (Index m = 0; m < s.persons; ++m) energy.push_back(person_energy(s, m));
  std::vector<Index> order(energy.size());
  std::iota(order.begin(), order.end(), Index{0});
  std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
    return energy[static_cast<std::size_t>(a)] > energy[static_cast<std::size_t>(b)];
  });
  for (Index n = 0; n < std::min(count, s.persons); ++n)
    for (Index t = 0; t < s.frames; ++t)
      detail::copy_frame(s, order[static_cast<std::size_t>(n)], t, out, n, t);
  return out;
}

TMOR_END
