#pragma once
/// Clips of skeletons changed, and generated videos drawn: by the functions on sequences and object by object
/// here, by kernels on a GPU (clips.cuh).

#include "tmor/data/synth.hpp"
#include "tmor/skeleton/clip_change.hpp"
#include "tmor/skeleton/transforms.hpp"

namespace families {

using namespace tmor;

inline constexpr Index kChangedFrames = 7;

/// Clips (N, M, T, 13, C) made of these numbers; joints with a large first coordinate are missing.
inline std::vector<SkeletonSequence> clips_of(const std::vector<float>& x, const Shape& shape) {
  std::vector<SkeletonSequence> clips;
  const auto c = static_cast<std::size_t>(shape[4]);
  for (Index n = 0; n < shape[0]; ++n) {
    clips.push_back(SkeletonSequence::make(joint_layout("penn13"), shape[1], shape[2], shape[4]));
    auto& s = clips.back();
    const std::size_t first = static_cast<std::size_t>(n) * s.xyz.size();
    for (std::size_t j = 0; j < s.valid.size(); ++j) {
      if (x[first + j * c] > 0.7f) continue;
      s.valid[j] = kObserved;
      for (std::size_t k = 0; k < c; ++k) s.xyz[j * c + k] = x[first + j * c + k];
    }
  }
  return clips;
}
inline std::vector<ClipChange> changes_of(const Shape& shape) {
  Rng rng(5);
  std::vector<ClipChange> changes(static_cast<std::size_t>(shape[0]));
  for (auto& c : changes) {
    const Index n = &c - changes.data();
    c.stretch = {n + 1, shape[2] - 2 - n};
    c.mirror = n > 0;
    for (auto& row : c.matrix)
      for (float& a : row) a = static_cast<float>(rng.uniform(-1, 1));
    for (float& a : c.shift) a = static_cast<float>(rng.uniform(-1, 1));
  }
  return changes;
}

template <class D> struct ChangedClips {
  static Tensor<float, D> run(const Tensor<float, D>& x) {
    auto clips = clips_of(x.to_vector(), x.shape());
    const auto changes = changes_of(x.shape());
    const auto n = static_cast<std::size_t>(x.size(4));
    for (std::size_t i = 0; i < clips.size(); ++i) {
      const ClipChange& c = changes[i];
      clips[i] = resample(clips[i], c.stretch.start, c.stretch.length, kChangedFrames);
      if (c.mirror) mirror_(clips[i]);
      std::vector<float> a;
      for (const auto& row : c.matrix)
        if (a.size() < n * n) a.insert(a.end(), row, row + n);
      transform_(clips[i], a);
      translate_(clips[i], std::span<const float>(c.shift, n));
    }
    const auto b = collate<D>(clips);
    return flatten(b.x * 2 + unsqueeze(b.known, -1), 0, -1);
  }
};

/// Videos of one clip that something stands in front of, and of one that shakes.
inline data::synth::SynthSet videos() {
  data::synth::SynthOptions o;
  o.frames = 30, o.video_frames = 2, o.width = 60, o.height = 52;
  return {o, 1, 16};
}
inline constexpr Index kShown[] = {3, 9};

template <class D> struct DrawnVideos {
  static Tensor<float, D> run() {
    std::vector<float> out;
    const auto set = videos();
    for (const Index i : kShown)
      for (const auto& picture : set(i).video)
        for (const std::uint8_t v : picture.rgb) out.push_back(static_cast<float>(v) / 127.5f - 1);
    return Tensor<float, D>::from(out);
  }
};

}  // namespace families
