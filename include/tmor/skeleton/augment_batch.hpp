#pragma once
/// @file augment_batch.hpp
/// Random changes of the clips of a batch, drawn a clip at a time and applied on the batch's device.

#include <vector>

#include "tmor/skeleton/augment.hpp"
#include "tmor/skeleton/clip_change.hpp"

TMOR_BEGIN

/// The frames that `augment` takes of a clip and makes of it.
struct Stretch {
  double low = 1, high = 1;  ///< a random stretch of that part of the clip, as `random_range`
  Index frames = 0;          ///< of the result, at equal steps over the stretch; 0: as many as the clips have
};

/// Draws what happens to a clip of `frames` frames and `channels` coordinates: the numbers that
/// `random_range` (where s.low < 1) and `augment_` would draw from `rng`, except for noise and drops, which
/// take theirs from it joint by joint. @throws Error for probabilities and fractions outside [0, 1].
inline ClipChange draw_change(const Augmentation& a, const Stretch& s, Index frames, Index channels,
                              Rng rng) {
  ClipChange c;
  c.random = rng.state();
  if (s.low < 1) c.stretch = random_range(frames, s.low, s.high, rng);
  const detail::DrawnMove m = detail::draw_move(a, channels, rng);
  const auto n = static_cast<std::size_t>(channels);
  // A rotation, then scaled, then sheared.
  const auto turn =
      channels == 3 ? detail::rotation(m.turn[0], m.turn[1], m.turn[2]) : detail::rotation(0, 0, m.turn[0]);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k < n; ++k)
        sum += (i == k ? 1 : static_cast<double>(m.shear[i * (n - 1) + k - (k > i)])) * turn[k * 3 + j];
      c.matrix[i][j] = static_cast<float>(static_cast<double>(m.scale) * sum);
    }
  std::copy_n(m.shift, n, c.shift);
  c.mirror = m.mirror;
  c.noise = static_cast<float>(a.noise);
  c.joint_drop = static_cast<float>(a.joint_drop);
  c.frame_drop = static_cast<float>(a.frame_drop);
  return c;
}

/// Every clip of the batch as `augment_` would have it, on the batch's device, in one pass; before that, a
/// random stretch of it at another speed (`s`). `clips[n]` says which clip of the data n is: what happens to
/// it is drawn from `rng.fork(clips[n])`, so it depends on the generator (one for each epoch) and the clip
/// alone, not on the batch, the device or the number of threads. Coordinates are normalised, about the
/// origin. @throws as `draw_change` and `change_clips`.
template <class Device>
SkeletonBatch<Device> augment(const SkeletonBatch<Device>& b, const JointLayout& layout,
                              const Augmentation& a, const Rng& rng, std::span<const Index> clips,
                              const Stretch& s = {}) {
  detail::check_batch(b, "augment");
  std::vector<ClipChange> changes;
  for (const Index clip : clips)
    changes.push_back(
        draw_change(a, s, b.x.size(2), b.x.size(4), rng.fork(static_cast<std::uint64_t>(clip))));
  return change_clips(b, layout, changes, s.frames > 0 ? s.frames : b.x.size(2));
}

TMOR_END
