#pragma once
/// Checks of changes of skeleton batches against the functions on sequences, for any device.

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "tmor/skeleton/augment_batch.hpp"
#include "tmor/skeleton/transforms.hpp"

namespace test {

using namespace tmor;

/// Clips of two persons, about a fifth of the joints missing.
inline std::vector<SkeletonSequence> random_clips(Rng& rng, const char* layout, Index channels, Index count,
                                                  Index frames) {
  std::vector<SkeletonSequence> clips;
  for (Index n = 0; n < count; ++n) {
    clips.push_back(SkeletonSequence::make(joint_layout(layout), 2, frames, channels));
    auto& s = clips.back();
    for (std::size_t i = 0; i < s.valid.size(); ++i) {
      if (rng.bernoulli(0.2)) continue;
      s.valid[i] = kObserved;
      for (Index c = 0; c < channels; ++c)
        s.xyz[i * static_cast<std::size_t>(channels) + static_cast<std::size_t>(c)] =
            static_cast<float>(rng.uniform(-1, 1));
    }
  }
  return clips;
}

template <class Device> void check_same(const SkeletonBatch<Device>& got, const SkeletonBatch<>& want) {
  REQUIRE(got.x.shape() == want.x.shape());
  CHECK(got.known.to_vector() == want.known.to_vector());
  CHECK(got.present.to_vector() == want.present.to_vector());
  const auto a = got.x.to_vector(), b = want.x.to_vector(), known = want.known.to_vector();
  const std::size_t c = a.size() / known.size();
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = std::fmax(worst, static_cast<double>(std::abs(a[i] - b[i])));
    if (known[i / c] == 0) CHECK(a[i] == 0.f);
  }
  CHECK(worst < 1e-6);
}

/// Stretches, mirror, matrices and shifts, each clip its own, as the functions on sequences have them.
template <class Device> void check_changes(const char* layout, Index channels) {
  CAPTURE(channels);
  Rng rng(3);
  const Index from = 9;
  const auto clips = random_clips(rng, layout, channels, 4, from);
  const auto& joints = *clips[0].layout;
  const auto b = collate<Device>(clips);
  const FrameRange stretches[] = {{0, 0}, {0, from}, {2, 5}, {from - 1, 1}};
  for (const Index frames : {from, Index{1}, Index{4}, Index{17}}) {
    CAPTURE(frames);
    std::vector<ClipChange> changes(4);
    std::vector<SkeletonSequence> want;
    for (std::size_t n = 0; n < 4; ++n) {
      ClipChange& c = changes[n];
      c.stretch = stretches[n];
      c.mirror = n % 2 == 1;
      for (auto& row : c.matrix)
        for (float& a : row) a = static_cast<float>(rng.uniform(-1, 1));
      for (float& a : c.shift) a = static_cast<float>(rng.uniform(-1, 1));
      auto s = c.stretch.length > 0 ? resample(clips[n], c.stretch.start, c.stretch.length, frames)
                                    : resample(clips[n], frames);
      if (c.mirror) mirror_(s);
      std::vector<float> a;
      for (Index i = 0; i < channels; ++i) a.insert(a.end(), c.matrix[i], c.matrix[i] + channels);
      transform_(s, a);
      translate_(s, std::span<const float>(c.shift, static_cast<std::size_t>(channels)));
      want.push_back(s);
    }
    check_same(change_clips(b, joints, changes, frames), collate<Cpu>(want));
  }
  check_same(change_clips(b, joints, std::vector<ClipChange>(4), from), collate<Cpu>(clips));
}

/// `augment` draws as `augment_` does, clip by clip.
template <class Device> void check_augment(const char* layout, Index channels) {
  CAPTURE(channels);
  Rng rng(4);
  const auto clips = random_clips(rng, layout, channels, 3, 12);
  const Augmentation a{.mirror = 0.5, .rotate = 0.5, .scale = 0.3, .shear = 0.2, .shift = 0.1};
  const Rng epoch(7);
  const std::vector<Index> ids{41, 0, 6};
  std::vector<SkeletonSequence> moved, stretched;
  for (std::size_t n = 0; n < 3; ++n) {
    moved.push_back(clips[n]);
    Rng own = epoch.fork(static_cast<std::uint64_t>(ids[n])), again = own;
    augment_(moved.back(), a, own);
    const auto part = random_range(clips[n], 0.5, 1, again);
    stretched.push_back(resample(clips[n], part.start, part.length, 8));
    augment_(stretched.back(), a, again);
  }
  const auto b = collate<Device>(clips);
  check_same(augment(b, *clips[0].layout, a, epoch, ids), collate<Cpu>(moved));
  check_same(augment(b, *clips[0].layout, a, epoch, ids, {.low = 0.5, .frames = 8}), collate<Cpu>(stretched));
}

/// Noise and drops: what is drawn belongs to the clip, and has the distribution that was asked for.
template <class Device> void check_noise_and_drops() {
  Rng rng(5);
  const auto clips = random_clips(rng, "penn13", 2, 60, 20);
  const auto& layout = *clips[0].layout;
  std::vector<Index> ids;
  for (Index i = 0; i < 60; ++i) ids.push_back(i);
  const Augmentation still{.mirror = 0, .rotate = 0, .scale = 0, .shear = 0, .shift = 0};
  auto noisy = still, holey = still;
  noisy.noise = 0.1;
  holey.joint_drop = 0.3, holey.frame_drop = 0.2;
  const auto b = collate<Device>(clips);

  const auto before = b.x.to_vector(), after = augment(b, layout, noisy, Rng(1), ids).x.to_vector();
  const auto known = b.known.to_vector();
  double n = 0, sum = 0, squares = 0, beside = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (known[i / 2] == 0) continue;
    const double d = static_cast<double>(after[i] - before[i]) / 0.1;
    n += 1, sum += d, squares += d * d;
    if (i % 2 == 1) beside += d * static_cast<double>(after[i - 1] - before[i - 1]) / 0.1;
  }
  CHECK(std::abs(sum / n) < 5 / std::sqrt(n));
  CHECK(std::abs(squares / n - 1) < 5 * std::sqrt(2 / n));
  CHECK(std::abs(beside / n) < 5 / std::sqrt(2 * n));  // the coordinates of a joint are independent

  const auto left = augment(b, layout, holey, Rng(1), ids);
  const auto is = left.known.to_vector(), x = left.x.to_vector();
  const auto at = [&](const std::vector<float>& v, Index clip, Index m, Index t, Index j) {
    return v[static_cast<std::size_t>(((clip * 2 + m) * 20 + t) * 13 + j)] != 0;
  };
  Index joints = 0, frames = 0;
  for (Index clip = 0; clip < 60; ++clip) {
    std::vector<bool> frame(20, false), joint(26, false);  // something of it is left
    for (Index m = 0; m < 2; ++m)
      for (Index t = 0; t < 20; ++t)
        for (Index j = 0; j < 13; ++j)
          if (at(is, clip, m, t, j))
            frame[static_cast<std::size_t>(t)] = joint[static_cast<std::size_t>(m * 13 + j)] = true;
    for (Index m = 0; m < 2; ++m)
      for (Index t = 0; t < 20; ++t)
        for (Index j = 0; j < 13; ++j)  // nothing else is missing
          CHECK(at(is, clip, m, t, j) == (at(known, clip, m, t, j) && frame[static_cast<std::size_t>(t)] &&
                                          joint[static_cast<std::size_t>(m * 13 + j)]));
    joints += std::count(joint.begin(), joint.end(), false);
    frames += std::count(frame.begin(), frame.end(), false);
  }
  const auto near = [](Index count, double p, double of) {
    return std::abs(static_cast<double>(count) - p * of) < 5 * std::sqrt(p * (1 - p) * of);
  };
  CHECK(near(joints, 0.3, 60 * 26));
  CHECK(near(frames, 0.2, 60 * 20));
  for (std::size_t i = 0; i < x.size(); ++i)
    if (is[i / 2] == 0) CHECK(x[i] == 0.f);

  // In other company, and alone, the same happens to a clip.
  const std::vector<SkeletonSequence> two{clips[17], clips[3]};
  noisy.joint_drop = 0.3, noisy.mirror = 0.5, noisy.rotate = 0.3;
  const auto all = augment(b, layout, noisy, Rng(1), ids),
             few = augment(collate<Device>(two), layout, noisy, Rng(1), std::vector<Index>{17, 3});
  for (Index i = 0; i < 2; ++i)
    CHECK(narrow(few.x, 0, i, 1).to_vector() == narrow(all.x, 0, i == 0 ? 17 : 3, 1).to_vector());
  CHECK(augment(b, layout, noisy, Rng(2), ids).x.to_vector() != all.x.to_vector());
}

template <class Device> void check_normalize_box() {
  Rng rng(6);
  for (const Index channels : {2, 3}) {
    auto clips = random_clips(rng, "penn13", channels, 3, 5);
    scale_(clips[1], 40);
    auto& point = clips[2];  // one joint alone, and nothing of the second person
    std::fill(point.valid.begin(), point.valid.end(), static_cast<std::uint8_t>(kMissing));
    point.valid[3] = kObserved;
    point.zero_missing_();
    auto want = clips;
    for (auto& s : want) normalize_box_(s);
    check_same(normalize_box(collate<Device>(clips)), collate<Cpu>(want));
    std::vector<SkeletonSequence> nobody{clips[0].like(5)};
    check_same(normalize_box(collate<Device>(nobody)), collate<Cpu>(nobody));
  }
}

}  // namespace test
