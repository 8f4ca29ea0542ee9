#pragma once
/// What clips.hpp does, on a GPU.

#include "families.hpp"
#include "tmor/cuda/cuda.cuh"

namespace families {

template <> struct ChangedClips<Cuda> {
  static Tensor<float, Cuda> run(const Tensor<float, Cuda>& x) {
    const auto clips = clips_of(x.to_vector(), x.shape());
    const auto b =
        change_clips(collate<Cuda>(clips), *clips[0].layout, changes_of(x.shape()), kChangedFrames);
    return flatten(b.x * 2 + unsqueeze(b.known, -1), 0, -1);
  }
};

template <> struct DrawnVideos<Cuda> {
  static Tensor<float, Cuda> run() {
    return flatten(data::synth::draw_videos<Cuda>(videos(), kShown), 0, -1);
  }
};

}  // namespace families
