#pragma once
/// @file staged.hpp
/// The frame that the convolutional skeleton encoders share: joints normalised, one block after another, the
/// common head. What sets UNIK, ST-GCN++ and CTR-GCN apart is their `Block`.

#include "tmor/models/skeleton/features.hpp"

TMOR_BEGIN
namespace models {

/// (N, M, T, V, C) skeletons -> features. `Block(rng, config, channels in, stage, residual?)` maps
/// (N, T, V, channels in) to (N, T / stage.stride, V, stage.channels).
template <template <class, class> class Block, class Config, class T, class Device> struct StagedEncoder {
  Config config;
  nn::BatchNorm<param_t<T>, Device> input_norm;  ///< over (V, C), as one channel each
  std::vector<Block<T, Device>> blocks;
  SkeletonHead<T, Device> head;

  StagedEncoder() = default;
  /// @throws Error for sizes that make no network.
  StagedEncoder(Rng& rng, const Config& c) : config(c), input_norm(c.joints * c.in_channels) {
    detail::check_sizes(Config::name, c);
    TMOR_CHECK(!c.stages.empty(), "[", Config::name, "] needs stages");
    Index in = c.in_channels;
    for (std::size_t i = 0; i < c.stages.size(); ++i) {
      blocks.emplace_back(rng, c, in, c.stages[i], i > 0);
      in = c.stages[i].channels;
    }
    head = SkeletonHead<T, Device>(rng, in, c.embed, c.dropout);
  }
  static void visit(auto& self, auto&& v) {
    v.setting("config", self.config);
    v.module("input_norm", self.input_norm);
    v.module("blocks", self.blocks);
    SkeletonHead<T, Device>::visit(self.head, v);
  }

  /// `x` (N, M, T, V, C); `present` (N, M), 1 where there is a person, undefined when all are there; a clip
  /// without anybody gives the average of nothing, zeros. @throws ShapeError unless V and C are the
  /// configured ones.
  SkeletonFeatures<T, Device> operator()(const Tensor<param_t<T>, Device>& x, const Context& ctx,
                                         const Tensor<param_t<T>, Device>& present = {}) const {
    detail::check_skeletons(Config::name, x, config);
    auto h = to<T>(detail::normalised_joints(input_norm, x, ctx));
    for (const auto& block : blocks) h = block(h, ctx);
    return head(h, x.size(0), ctx, present);
  }
};

}  // namespace models
TMOR_END
