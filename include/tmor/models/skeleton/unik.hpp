#pragma once
/// @file unik.hpp
/// The default skeleton encoder, after UNIK (Yang et al., "UNIK: A Unified Framework for Real-world
/// Skeleton-based Action Recognition", BMVC 2021): no skeleton graph is given, every block learns dense
/// matrices that mix the joints, one a head, to which a data-dependent attention between joints is added,
/// then convolves over time. Unlike the original it returns frame tokens beside the clip's embedding, takes
/// joints, bones and motion as one early-fused input, and pools frames by attention.

#include "tmor/models/skeleton/staged.hpp"
#include "tmor/nn/conv.hpp"
#include "tmor/ops/joint_mix.hpp"
#include "tmor/ops/joint_scores.hpp"

TMOR_BEGIN
namespace models {

/// Sizes of a `Unik` encoder.
struct UnikConfig {
  static constexpr const char* name = "Unik";
  Index joints = 17;      ///< V
  Index in_channels = 9;  ///< C: coordinates times streams
  Index heads = 3;        ///< mixing matrices a block
  Index taps = 9;         ///< frames a temporal convolution sees
  bool attention = true;  ///< add data-dependent mixing
  double dropout = 0;     ///< before the pooling
  Index embed = 512;      ///< size of the clip's embedding; 0: none, the pooled features are the result
  std::vector<SkeletonStage> stages = {{64},  {64},  {64},     {64},  {128, 2},
                                       {128}, {128}, {256, 2}, {256}, {256}};

  /// Frames in for one frame token out.
  Index stride() const { return detail::stride_of(stages); }
  Index width() const { return stages.back().channels; }
};

/// Joint mixing, normalisation and a temporal convolution, each with a residual.
template <class T = float, class Device = Cpu> struct UnikBlock {
  Param<T, Device> mix;     ///< (heads, V, V): the learned part of the mixing
  Param<T, Device> weight;  ///< (heads, C_in, C_out)
  nn::Linear<T, Device>
      query_key;  ///< C_in -> heads * 2 * (C_out / 4), of the data-dependent part; empty when off
  nn::BatchNorm<T, Device> norm1, norm2;
  nn::ConvTime<T, Device> time;
  nn::Linear<T, Device> down1, down2;  ///< residuals where sizes change; empty elsewhere
  nn::BatchNorm<T, Device> down_norm1, down_norm2;
  bool time_residual = true;

  UnikBlock() = default;
  UnikBlock(Rng& rng, const UnikConfig& c, Index in, SkeletonStage stage, bool residual)
      : mix(init::kaiming_uniform<param_t<T>, Device>(rng, {c.heads, c.joints, c.joints}, c.joints)),
        weight(init::normal<param_t<T>, Device>(rng, {c.heads, in, stage.channels},
                                                std::sqrt(2.0 / static_cast<double>(c.heads * in)))),
        norm1(stage.channels),
        norm2(stage.channels),
        time(rng, stage.channels, stage.channels, c.taps, stage.stride, false),
        time_residual(residual) {
    TMOR_CHECK(c.heads > 0, "[Unik] needs heads");
    if (c.attention)
      query_key = nn::Linear<T, Device>(rng, in, 2 * c.heads * std::max<Index>(1, stage.channels / 4));
    if (in != stage.channels) {
      down1 = nn::Linear<T, Device>(rng, in, stage.channels, false);
      down_norm1 = nn::BatchNorm<T, Device>(stage.channels);
    }
    if (residual && stage.stride != 1) {
      down2 = nn::Linear<T, Device>(rng, stage.channels, stage.channels, false);
      down_norm2 = nn::BatchNorm<T, Device>(stage.channels);
    }
  }
  static void visit(auto& self, auto&& v) {
    v.param("mix", self.mix);
    v.param("weight", self.weight);
    v.module("query_key", self.query_key);
    v.module("norm1", self.norm1);
    v.module("time", self.time);
    v.module("norm2", self.norm2);
    v.module("down1", self.down1);
    v.module("down_norm1", self.down_norm1);
    v.module("down2", self.down2);
    v.module("down_norm2", self.down_norm2);
    v.setting("time_residual", self.time_residual);
  }

  /// x (N, T, V, C_in) -> (N, T / stride, V, C_out).
  Tensor<T, Device> operator()(const Tensor<T, Device>& x, const Context& ctx) const {
    const auto mixed = joint_mix(x, mixing(x), to<T>(weight));
    const auto skip1 = down1.w.defined() ? down_norm1(down1(x), ctx) : x;
    const auto h = norm1.relu(mixed, skip1, ctx);
    const auto y = time(h);
    if (!time_residual) return norm2.relu(y, {}, ctx);
    const auto skip2 =
        down2.w.defined() ? down_norm2(down2(detail::every_frame(h, time.options.stride)), ctx) : h;
    return norm2.relu(y, skip2, ctx);
  }

 private:
  /// (heads, V, V), or (N, heads, V, V) with attention: W_h + softmax over the joints mixed from of q_h k_h^T
  /// / (T d).
  Tensor<T, Device> mixing(const Tensor<T, Device>& x) const {
    const auto learned = to<T>(mix);
    if (!query_key.w.defined()) return learned;
    const Index heads = mix.size(0), d = query_key.w.size(0) / (2 * heads);
    const auto score = joint_scores(x, to<T>(query_key.w), to<T>(query_key.b), heads,
                                    1.0 / static_cast<double>(x.size(1) * d));
    return softmax(score, -2) + learned;
  }
};

/// The encoder of these blocks.
template <class T = float, class Device = Cpu> using Unik = StagedEncoder<UnikBlock, UnikConfig, T, Device>;

}  // namespace models
TMOR_END
