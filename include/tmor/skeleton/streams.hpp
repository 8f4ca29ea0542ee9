#pragma once
/// @file streams.hpp
/// Skeleton clips as tensors: collating sequences into a batch, and the joint, bone and motion streams as
/// operations on it.

#include <span>

#include "tmor/ops/elementwise.hpp"
#include "tmor/ops/index.hpp"
#include "tmor/ops/movement.hpp"
#include "tmor/skeleton/sequence.hpp"

TMOR_BEGIN

/// N clips of equal size on one device.
template <class Device = Cpu> struct SkeletonBatch {
  Tensor<float, Device> x;        ///< (N, M, T, V, C); missing joints are zero
  Tensor<float, Device> known;    ///< (N, M, T, V): 1 where a joint is observed or imputed, else 0
  Tensor<float, Device> present;  ///< (N, M): 1 where a person has any joint in any frame
};

/// Puts sequences of one layout and one number of frames and coordinates side by side; clips with fewer
/// persons than the most get absent ones. @throws Error for an empty list or sequences that do not agree.
template <class Device = Cpu> SkeletonBatch<Device> collate(std::span<const SkeletonSequence> clips) {
  TMOR_CHECK(!clips.empty(), "[collate] no clips");
  const SkeletonSequence& first = clips.front();
  Index persons = 0;
  for (const SkeletonSequence& s : clips) {
    TMOR_CHECK(s.layout == first.layout && s.frames == first.frames && s.channels == first.channels,
               "[collate] a clip of ", s.frames, " frames, ", s.channels, " coordinates, layout ",
               s.layout ? s.layout->name : "none", " among clips of ", first.frames, ", ", first.channels,
               ", ", first.layout->name);
    persons = std::max(persons, s.persons);
  }
  const auto n = static_cast<Index>(clips.size()), t = first.frames, v = first.joints, c = first.channels;
  std::vector<float> x(static_cast<std::size_t>(n * persons * t * v * c)),
      known(static_cast<std::size_t>(n * persons * t * v)), present(static_cast<std::size_t>(n * persons));
  for (Index i = 0; i < n; ++i) {
    const SkeletonSequence& s = clips[static_cast<std::size_t>(i)];
    std::copy(s.xyz.begin(), s.xyz.end(), x.begin() + i * persons * t * v * c);
    for (Index j = 0; j < std::ssize(s.valid); ++j) {
      if (s.valid[static_cast<std::size_t>(j)] == kMissing) continue;
      known[static_cast<std::size_t>(i * persons * t * v + j)] = 1;
      present[static_cast<std::size_t>(i * persons + j / (t * v))] = 1;
    }
  }
  return {Tensor<float, Device>::from(x, {n, persons, t, v, c}),
          Tensor<float, Device>::from(known, {n, persons, t, v}),
          Tensor<float, Device>::from(present, {n, persons})};
}

/// Which streams a network reads, side by side in its channels.
struct Streams {
  bool joint = true;   ///< coordinates
  bool bone = true;    ///< joint minus parent, zero at the root and where either is missing
  bool motion = true;  ///< next frame minus this one, zero at the last frame and where either is missing
  bool known = false;  ///< the validity itself, one channel

  Index channels(Index coordinates) const { return (joint + bone + motion) * coordinates + known; }
};

/// Coordinates of joints relative to their parents, (N, M, T, V, C).
template <class Device>
Tensor<float, Device> bones(const SkeletonBatch<Device>& b, const JointLayout& layout) {
  const auto parent = Tensor<Index, Device>::from(layout.parent);
  const auto both = b.known * index_select(b.known, 3, parent);
  return (b.x - index_select(b.x, 3, parent)) * unsqueeze(both, -1);
}

/// Coordinates of the next frame relative to this one, (N, M, T, V, C).
template <class Device> Tensor<float, Device> motion(const SkeletonBatch<Device>& b) {
  const Index t = b.x.size(2);
  if (t < 2) return Tensor<float, Device>::zeros(b.x.shape());
  const auto step = narrow(b.x, 2, 1, t - 1) - narrow(b.x, 2, 0, t - 1);
  const auto both = narrow(b.known, 2, 1, t - 1) * narrow(b.known, 2, 0, t - 1);
  return pad(step * unsqueeze(both, -1), 2, 0, 1);
}

/// The chosen streams side by side: (N, M, T, V, streams.channels(C)). @throws Error when none is chosen.
template <class Device>
Tensor<float, Device> stream_channels(const SkeletonBatch<Device>& b, const JointLayout& layout,
                                      const Streams& streams) {
  std::vector<Tensor<float, Device>> parts;
  if (streams.joint) parts.push_back(b.x);
  if (streams.bone) parts.push_back(bones(b, layout));
  if (streams.motion) parts.push_back(motion(b));
  if (streams.known) parts.push_back(unsqueeze(b.known, -1));
  TMOR_CHECK(!parts.empty(), "[stream_channels] no stream chosen");
  return parts.size() == 1 ? parts[0] : concat(parts, -1);
}

TMOR_END
