#pragma once
/// @file graph.hpp
/// Skeleton graphs for graph convolutions, and the temporal layer they share.

#include "tmor/models/skeleton/features.hpp"
#include "tmor/nn/conv.hpp"
#include "tmor/ops/movement.hpp"
#include "tmor/ops/pool.hpp"

TMOR_BEGIN
namespace models {

/// The three matrices of a skeleton's tree that graph networks mix joints by (Yan et al. 2018): every joint
/// itself, its parent, the mean of its children. (3, V, V), from joint v to joint w. `parents[j]` is the
/// joint next to j on the way to the root, the root's own is itself (`JointLayout::parent`).
/// @throws Error when parents are not one a joint.
template <class T = float, class Device = Cpu>
Tensor<T, Device> skeleton_graph(const std::vector<Index>& parents, Index joints) {
  TMOR_CHECK(std::ssize(parents) == joints, "[skeleton_graph] ", parents.size(), " parents for ", joints,
             " joints; take them from the layout: joint_layout(name)->parent");
  std::vector<T> a(static_cast<std::size_t>(3 * joints * joints), T(0));
  std::vector<Index> children(parents.size(), 0);
  for (Index j = 0; j < joints; ++j) {
    const Index p = parents[static_cast<std::size_t>(j)];
    TMOR_CHECK(p >= 0 && p < joints, "[skeleton_graph] joint ", j, " has parent ", p, " of ", joints,
               " joints");
    if (p != j) ++children[static_cast<std::size_t>(p)];
  }
  const auto at = [&](Index k, Index from, Index to) -> T& {
    return a[static_cast<std::size_t>((k * joints + from) * joints + to)];
  };
  for (Index j = 0; j < joints; ++j) {
    const Index p = parents[static_cast<std::size_t>(j)];
    at(0, j, j) = T(1);
    if (p == j) continue;
    at(1, p, j) = T(1);
    at(2, j, p) = T(1) / static_cast<T>(children[static_cast<std::size_t>(p)]);
  }
  return Tensor<T, Device>::from(a, {3, joints, joints});
}

/// Several views of time side by side (Liu et al. 2020; as Chen et al. 2021 and Duan et al. 2022 use it):
/// convolutions of one kernel at several dilations, a maximum over three frames, and the frame alone, each
/// with an equal share of the channels. (N, T, V, in) -> (N, T / stride, V, out).
template <class T = float, class Device = Cpu> struct MultiScaleTime {
  nn::Linear<T, Device> reduce;  ///< in -> the channels of all branches but the last
  nn::BatchNorm<T, Device> norm;
  std::vector<nn::ConvTime<T, Device>> convs;  ///< one a dilation
  nn::Linear<T, Device> point;                 ///< of the last branch
  Index stride = 1;

  MultiScaleTime() = default;
  MultiScaleTime(Rng& rng, Index in, Index out, Index taps, Index dilations, Index frame_stride)
      : stride(frame_stride) {
    const Index branches = dilations + 2, share = out / branches, first = out - share * (branches - 1);
    TMOR_CHECK(share > 0, "[MultiScaleTime] ", out, " channels for ", branches, " branches");
    reduce = nn::Linear<T, Device>(rng, in, out - share);
    norm = nn::BatchNorm<T, Device>(out - share);
    for (Index d = 1; d <= dilations; ++d)
      convs.emplace_back(rng, d == 1 ? first : share, d == 1 ? first : share, taps, frame_stride, true, d);
    point = nn::Linear<T, Device>(rng, in, share);
  }
  static void visit(auto& self, auto&& v) {
    v.module("reduce", self.reduce);
    v.module("norm", self.norm);
    v.module("convs", self.convs);
    v.module("point", self.point);
    v.setting("stride", self.stride);
  }

  Tensor<T, Device> operator()(const Tensor<T, Device>& x, const Context& ctx) const {
    const auto h = norm.relu(reduce(x), {}, ctx);
    std::vector<Tensor<T, Device>> out;
    Index from = 0;
    for (const auto& conv : convs) {
      const Index c = conv.w.size(1);
      out.push_back(conv(narrow(h, -1, from, c)));
      from += c;
    }
    out.push_back(
        max_pool_time(narrow(h, -1, from, h.size(-1) - from), {.kernel = 3, .stride = stride, .pad = 1}));
    out.push_back(point(detail::every_frame(x, stride)));
    return concat(out, -1);
  }
};

}  // namespace models
TMOR_END
