#pragma once
/// @file ctrgcn.hpp
/// CTR-GCN (Chen et al., "Channel-wise Topology Refinement Graph Convolution for Skeleton-Based Action
/// Recognition", ICCV 2021): the graph is shared by all channels, and refined for each channel of each clip
/// by how the joints differ there.

#include "tmor/models/skeleton/graph.hpp"
#include "tmor/models/skeleton/staged.hpp"

TMOR_BEGIN
namespace models {

/// Sizes of a `Ctrgcn` encoder.
struct CtrgcnConfig {
  static constexpr const char* name = "Ctrgcn";
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

/// Mixing of joints by three graphs, each refined: the one from joint v to joint u in channel c is
/// graph[u, v] + alpha refine(tanh(q_u - k_v))[c].
template <class T = float, class Device = Cpu> struct CtrMix {
  Param<T, Device> graph;           ///< (3, V, V), to joint u from joint v
  Param<T, Device> alpha;           ///< scalar; 0 at first
  nn::Linear<T, Device> query_key;  ///< C_in -> 2 * 3 * r, of features averaged over time
  Param<T, Device> refine;          ///< (3, r, C_out)
  nn::Linear<T, Device> value;      ///< C_in -> 3 * C_out

  CtrMix() = default;
  CtrMix(Rng& rng, const CtrgcnConfig& c, Index in, Index out)
      : alpha(init::constant<param_t<T>, Device>({}, 0)) {
    const Index r = std::max<Index>(8, in / 8);
    const auto towards = skeleton_graph<param_t<T>, Device>(c.parents, c.joints);
    graph = init::parameter(contiguous(transpose(towards, 1, 2)));
    query_key = nn::Linear<T, Device>(rng, in, 6 * r);
    refine = init::kaiming_uniform<param_t<T>, Device>(rng, {3, r, out}, r);
    value = nn::Linear<T, Device>(rng, in, 3 * out);
  }
  static void visit(auto& self, auto&& v) {
    v.param("graph", self.graph, no_decay);
    v.param("alpha", self.alpha, no_decay);
    v.module("query_key", self.query_key);
    v.param("refine", self.refine);
    v.module("value", self.value);
  }

  /// x (N, T, V, C_in) -> (N, T, V, C_out).
  Tensor<T, Device> operator()(const Tensor<T, Device>& x) const {
    const Index n = x.size(0), t = x.size(1), v = x.size(2), r = refine.size(1), c = refine.size(2);
    // (N, V, 2 3 r) -> (2, N, 3, V, r)
    const auto qk = permute(reshape(query_key(mean(x, {1})), {n, v, 2, 3, r}), {2, 0, 3, 1, 4});
    const auto difference =
        tanh(reshape(select(qk, 0, 0), {n, 3, v, 1, r}) - reshape(select(qk, 0, 1), {n, 3, 1, v, r}));
    const auto refined = matmul(reshape(difference, {n, 3, v * v, r}), to<T>(refine)) * to<T>(alpha) +
                         reshape(to<T>(graph), {3, v * v, 1});
    // One product a clip and channel: (V, 3 V) times (3 V, T).
    const auto mix = reshape(permute(reshape(refined, {n, 3, v, v, c}), {0, 4, 2, 1, 3}), {n, c, v, 3 * v});
    const auto values =
        reshape(permute(reshape(value(x), {n, t, v, 3, c}), {0, 4, 3, 2, 1}), {n, c, 3 * v, t});
    return permute(matmul(mix, values), {0, 3, 2, 1});
  }
};

/// Refined joint mixing, then time, with a residual about the first and about both.
template <class T = float, class Device = Cpu> struct CtrgcnBlock {
  CtrMix<T, Device> mix;
  nn::BatchNorm<T, Device> norm1, norm2;
  MultiScaleTime<T, Device> time;
  nn::Linear<T, Device> down1, down2;  ///< residuals where sizes change; empty elsewhere
  nn::BatchNorm<T, Device> down_norm1, down_norm2;
  bool residual = true;

  CtrgcnBlock() = default;
  CtrgcnBlock(Rng& rng, const CtrgcnConfig& c, Index in, SkeletonStage stage, bool with_residual)
      : mix(rng, c, in, stage.channels),
        norm1(stage.channels, 1e-6),
        norm2(stage.channels),
        time(rng, stage.channels, stage.channels, 5, 2, stage.stride),
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
    v.module("mix", self.mix);
    v.module("norm1", self.norm1);
    v.module("time", self.time);
    v.module("norm2", self.norm2);
    v.module("down1", self.down1);
    v.module("down_norm1", self.down_norm1);
    v.module("down2", self.down2);
    v.module("down_norm2", self.down_norm2);
    v.setting("residual", self.residual);
  }

  /// x (N, T, V, C_in) -> (N, T / stride, V, C_out).
  Tensor<T, Device> operator()(const Tensor<T, Device>& x, const Context& ctx) const {
    const auto skip = down1.w.defined() ? down_norm1(down1(x), ctx) : x;
    const auto y = time(norm1.relu(mix(x), skip, ctx), ctx);
    if (!residual) return norm2.relu(y, {}, ctx);
    return norm2.relu(y, down2.w.defined() ? down_norm2(down2(detail::every_frame(x, time.stride)), ctx) : x,
                      ctx);
  }
};

/// The encoder of these blocks.
template <class T = float, class Device = Cpu>
using Ctrgcn = StagedEncoder<CtrgcnBlock, CtrgcnConfig, T, Device>;

}  // namespace models
TMOR_END
