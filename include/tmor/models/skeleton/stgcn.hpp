#pragma once
/// @file stgcn.hpp
/// ST-GCN++ (Duan et al., "PYSKL: Towards Good Practices for Skeleton Action Recognition", ACM MM 2022):
/// graph convolutions whose matrices start at the skeleton's tree and are learned, a residual inside them,
/// and several views of time.

#include "tmor/models/skeleton/graph.hpp"
#include "tmor/models/skeleton/staged.hpp"
#include "tmor/ops/joint_mix.hpp"

TMOR_BEGIN
namespace models {

/// Sizes of a `Stgcn` encoder.
struct StgcnConfig {
  static constexpr const char* name = "Stgcn";
  Index joints = 17;           ///< V
  Index in_channels = 9;       ///< C: coordinates times streams
  std::vector<Index> parents;  ///< of the joints, V: `JointLayout::parent`
  double dropout = 0;          ///< before the pooling
  Index embed = 512;           ///< size of the clip's embedding; 0: none
  std::vector<SkeletonStage> stages = {{64},  {64},  {64},     {64},  {128, 2},
                                       {128}, {128}, {256, 2}, {256}, {256}};

  Index stride() const { return detail::stride_of(stages); }
  Index width() const { return stages.back().channels; }
};

/// Joint mixing along the graph, then time, with a residual about the first and about both.
template <class T = float, class Device = Cpu> struct StgcnBlock {
  Param<T, Device> graph;   ///< (3, V, V)
  Param<T, Device> weight;  ///< (3, C_in, C_out)
  nn::BatchNorm<T, Device> norm1, norm2, norm3;
  MultiScaleTime<T, Device> time;
  nn::Linear<T, Device> merge;         ///< of the views of time
  nn::Linear<T, Device> down1, down2;  ///< residuals where sizes change; empty elsewhere
  nn::BatchNorm<T, Device> down_norm1, down_norm2;
  bool residual = true;

  StgcnBlock() = default;
  StgcnBlock(Rng& rng, const StgcnConfig& c, Index in, SkeletonStage stage, bool with_residual)
      : graph(init::parameter(skeleton_graph<param_t<T>, Device>(c.parents, c.joints))),
        weight(init::normal<param_t<T>, Device>(rng, {3, in, stage.channels},
                                                std::sqrt(2.0 / static_cast<double>(3 * in)))),
        norm1(stage.channels),
        norm2(stage.channels),
        norm3(stage.channels),
        time(rng, stage.channels, stage.channels, 3, 4, stage.stride),
        merge(rng, stage.channels, stage.channels),
        residual(with_residual) {
    if (in != stage.channels) {
      down1 = nn::Linear<T, Device>(rng, in, stage.channels, false);
      down_norm1 = nn::BatchNorm<T, Device>(stage.channels);
    }
    if (residual && (stage.stride != 1 || in != stage.channels)) {
      down2 = nn::Linear<T, Device>(rng, in, stage.channels, false);
      down_norm2 = nn::BatchNorm<T, Device>(stage.channels);
    }
  }
  static void visit(auto& self, auto&& v) {
    v.param("graph", self.graph, no_decay);
    v.param("weight", self.weight);
    v.module("norm1", self.norm1);
    v.module("time", self.time);
    v.module("norm2", self.norm2);
    v.module("merge", self.merge);
    v.module("norm3", self.norm3);
    v.module("down1", self.down1);
    v.module("down_norm1", self.down_norm1);
    v.module("down2", self.down2);
    v.module("down_norm2", self.down_norm2);
    v.setting("residual", self.residual);
  }

  /// x (N, T, V, C_in) -> (N, T / stride, V, C_out).
  Tensor<T, Device> operator()(const Tensor<T, Device>& x, const Context& ctx) const {
    const auto skip = down1.w.defined() ? down_norm1(down1(x), ctx) : x;
    const auto h = norm1.relu(joint_mix(x, to<T>(graph), to<T>(weight)), skip, ctx);
    const auto y = merge(norm2.relu(time(h, ctx), {}, ctx));
    if (!residual) return norm3.relu(y, {}, ctx);
    return norm3.relu(y, down2.w.defined() ? down_norm2(down2(detail::every_frame(x, time.stride)), ctx) : x,
                      ctx);
  }
};

/// The encoder of these blocks.
template <class T = float, class Device = Cpu>
using Stgcn = StagedEncoder<StgcnBlock, StgcnConfig, T, Device>;

}  // namespace models
TMOR_END
