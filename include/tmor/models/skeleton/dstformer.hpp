#pragma once
/// @file dstformer.hpp
/// A transformer over joints and frames after DSTformer (Zhu et al., "MotionBERT: A Unified Perspective on
/// Learning Human Motion Representations", ICCV 2023): two streams, one looking over joints and then over
/// time, one the other way round, mixed by learned weights. Unlike the original, a token covers several
/// frames, times are told by sines, so that clips may have any length, and frames are pooled by attention.

#include "tmor/models/skeleton/features.hpp"
#include "tmor/nn/conv.hpp"
#include "tmor/nn/transformer.hpp"

TMOR_BEGIN
namespace models {

/// Sizes of a `Dstformer` encoder.
struct DstformerConfig {
  Index joints = 17;      ///< V
  Index in_channels = 9;  ///< C: coordinates times streams
  Index dim = 128;        ///< of a token, even
  Index depth = 3;        ///< blocks of two streams
  Index heads = 4;
  Index frames_per_token = 4;
  double dropout = 0;
  Index embed = 512;  ///< size of the clip's embedding; 0: none

  Index stride() const { return frames_per_token; }
  Index width() const { return dim; }
};

/// Both streams and their mixture.
template <class T = float, class Device = Cpu> struct DstBlock {
  nn::TransformerBlock<T, Device> joints1, time1, time2, joints2;
  nn::Linear<T, Device> mixture;  ///< 2 dim -> 2: equal shares at first

  DstBlock() = default;
  DstBlock(Rng& rng, const DstformerConfig& c)
      : joints1(rng, c.dim, c.heads, 2 * c.dim, Activation::gelu, c.dropout),
        time1(rng, c.dim, c.heads, 2 * c.dim, Activation::gelu, c.dropout),
        time2(rng, c.dim, c.heads, 2 * c.dim, Activation::gelu, c.dropout),
        joints2(rng, c.dim, c.heads, 2 * c.dim, Activation::gelu, c.dropout) {
    mixture.w = init::constant<param_t<T>, Device>({2, 2 * c.dim}, 0);
    mixture.b = init::constant<param_t<T>, Device>({2}, 0);
  }
  static void visit(auto& self, auto&& v) {
    v.module("joints1", self.joints1);
    v.module("time1", self.time1);
    v.module("time2", self.time2);
    v.module("joints2", self.joints2);
    v.module("mixture", self.mixture);
  }

  /// x (N, T, V, dim) -> the same.
  Tensor<T, Device> operator()(const Tensor<T, Device>& x, const Context& ctx) const {
    const auto a = over_time(time1, over_joints(joints1, x, ctx), ctx);
    const auto b = over_joints(joints2, over_time(time2, x, ctx), ctx);
    const auto share = softmax(mixture(concat({a, b}, -1)), -1);
    return a * narrow(share, -1, 0, 1) + b * narrow(share, -1, 1, 1);
  }

 private:
  using Block = nn::TransformerBlock<T, Device>;
  static Tensor<T, Device> over_joints(const Block& block, const Tensor<T, Device>& x, const Context& ctx) {
    return reshape(block(reshape(x, {x.size(0) * x.size(1), x.size(2), x.size(3)}), ctx), x.shape());
  }
  static Tensor<T, Device> over_time(const Block& block, const Tensor<T, Device>& x, const Context& ctx) {
    return transpose(over_joints(block, transpose(x, 1, 2), ctx), 1, 2);
  }
};

/// (N, M, T, V, C) skeletons -> features.
template <class T = float, class Device = Cpu> struct Dstformer {
  DstformerConfig config;
  nn::ConvTime<param_t<T>, Device> embed;  ///< frames -> tokens
  Param<T, Device> joint;                  ///< (V, dim): which joint a token is of
  std::vector<DstBlock<T, Device>> blocks;
  nn::LayerNorm<T, Device> norm;
  SkeletonHead<T, Device> head;

  Dstformer() = default;
  Dstformer(Rng& rng, const DstformerConfig& c) : config(c) {
    detail::check_sizes("Dstformer", c);
    TMOR_CHECK(c.dim > 0 && c.dim % 2 == 0 && c.frames_per_token > 0, "[Dstformer] tokens of ", c.dim,
               " numbers (an even number) and ", c.frames_per_token, " frames");
    embed = nn::ConvTime<param_t<T>, Device>(rng, c.in_channels, c.dim, 2 * c.frames_per_token - 1,
                                             c.frames_per_token);
    joint = init::normal<param_t<T>, Device>(rng, {c.joints, c.dim}, 0.02);
    for (Index i = 0; i < c.depth; ++i) blocks.emplace_back(rng, c);
    norm = nn::LayerNorm<T, Device>(c.dim);
    head = SkeletonHead<T, Device>(rng, c.dim, c.embed, c.dropout);
  }
  static void visit(auto& self, auto&& v) {
    v.setting("config", self.config);
    v.module("embed", self.embed);
    v.param("joint", self.joint, no_decay);
    v.module("blocks", self.blocks);
    v.module("norm", self.norm);
    SkeletonHead<T, Device>::visit(self.head, v);
  }
  /// As `Unik`. @throws ShapeError unless V and C are the configured ones.
  SkeletonFeatures<T, Device> operator()(const Tensor<param_t<T>, Device>& x, const Context& ctx,
                                         const Tensor<param_t<T>, Device>& present = {}) const {
    detail::check_skeletons("Dstformer", x, config);
    const auto tokens = embed(reshape(x, {x.size(0) * x.size(1), x.size(2), x.size(3), x.size(4)}));
    auto h = to<T>(tokens + joint + times(tokens.size(1)));
    for (const auto& block : blocks) h = block(h, ctx);
    return head(norm(h), x.size(0), ctx, present);
  }

 private:
  /// (T, 1, dim): sines and cosines of the token's number at wavelengths from 2 pi to 20000 pi (Vaswani et
  /// al. 2017).
  Param<T, Device> times(Index t) const {
    using P = param_t<T>;
    std::vector<P> v;
    for (Index i = 0; i < t; ++i)
      for (Index k = 0; k < config.dim; ++k) {
        const double rate = std::pow(1e-4, static_cast<double>(k / 2 * 2) / static_cast<double>(config.dim));
        const double angle = static_cast<double>(i) * rate;
        v.push_back(static_cast<P>(k % 2 == 0 ? std::sin(angle) : std::cos(angle)));
      }
    return Param<T, Device>::from(v, {t, 1, config.dim});
  }
};

}  // namespace models
TMOR_END
