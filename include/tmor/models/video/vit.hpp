#pragma once
/// @file vit.hpp
/// The video encoder: a vision transformer looks at every frame by itself (Dosovitskiy et al. 2021, with the
/// structure of CLIP's, Radford et al. 2021, so that its weights fit), a small transformer then looks over
/// the frames. Stored frame features may take the place of the first.

#include "tmor/autograd/checkpoint.hpp"
#include "tmor/nn/transformer.hpp"
#include "tmor/ops/reduce.hpp"

TMOR_BEGIN
namespace models {

/// Sizes of a `VideoEncoder`.
struct VideoConfig {
  Index frames = 8;               ///< F at most
  Index height = 32, width = 32;  ///< of a frame, pixels; multiples of `patch`
  Index patch = 8;                ///< side of the squares a frame is cut into; 0: stored features only
  Index features = 0;             ///< size of stored frame features; 0: frames only
  Index dim = 64;                 ///< of all tokens
  Index depth = 2;                ///< blocks that look at a frame
  Index heads = 4;
  Index temporal_depth = 1;  ///< blocks that look over frames
  Index embed = 512;         ///< size of the clip's embedding; 0: none
  double dropout = 0;
  bool class_token = true;  ///< a frame is what its class token became; off: the mean of its patches
  bool quick_gelu = true;   ///< as CLIP's published weights want; off: gelu
  bool checkpoint = false;  ///< keep only what goes into each block and compute the rest again for the
                            ///< gradient: the memory of one block, a third more time
};

namespace detail {

/// One block after the other; with `again`, each is a checkpoint of the tape.
template <class T, class Device>
Tensor<T, Device> through(const std::vector<nn::TransformerBlock<T, Device>>& blocks, Tensor<T, Device> h,
                          const Context& ctx, bool again) {
  for (const auto& block : blocks)
    h = again && needs_grad(h)
            ? tmor::checkpoint(
                  ctx.rng, [block, ctx](const Tensor<T, Device>& x) { return block(x, ctx); }, h)
            : block(h, ctx);
  return h;
}

}  // namespace detail

/// Pictures -> one vector each.
template <class T = float, class Device = Cpu> struct Vit {
  Index side = 0;  ///< of a patch
  bool checkpoint = false;
  nn::Linear<T, Device> patch;   ///< 3 side^2 -> dim, pixels in the order (row, column, channel)
  Param<T, Device> class_token;  ///< (dim,), undefined without
  Param<T, Device> position;     ///< (tokens, dim), the class token's first
  nn::LayerNorm<T, Device> norm_pre, norm_post;
  std::vector<nn::TransformerBlock<T, Device>> blocks;

  Vit() = default;
  Vit(Rng& rng, const VideoConfig& c)
      : side(c.patch),
        checkpoint(c.checkpoint),
        patch(rng, 3 * c.patch * c.patch, c.dim, false),
        position(init::normal<param_t<T>, Device>(
            rng, {(c.height / c.patch) * (c.width / c.patch) + (c.class_token ? 1 : 0), c.dim}, 0.02)),
        norm_pre(c.dim),
        norm_post(c.dim) {
    if (c.class_token) class_token = init::normal<param_t<T>, Device>(rng, {c.dim}, 0.02);
    for (Index i = 0; i < c.depth; ++i)
      blocks.emplace_back(rng, c.dim, c.heads, 4 * c.dim,
                          c.quick_gelu ? Activation::quick_gelu : Activation::gelu, c.dropout);
  }
  static void visit(auto& self, auto&& v) {
    v.setting("side", self.side);
    v.setting("checkpoint", self.checkpoint);
    v.module("patch", self.patch);
    v.param("class_token", self.class_token, no_decay);
    v.param("position", self.position, no_decay);
    v.module("norm_pre", self.norm_pre);
    v.module("blocks", self.blocks);
    v.module("norm_post", self.norm_post);
  }

  /// Pictures (B, H, W, 3), normalised as the weights want them -> (B, dim).
  Tensor<T, Device> operator()(const Tensor<param_t<T>, Device>& x, const Context& ctx) const {
    const Index b = x.size(0), rows = x.size(1) / side, columns = x.size(2) / side, dim = position.size(1);
    const auto cut = permute(reshape(to<T>(x), {b, rows, side, columns, side, 3}), {0, 1, 3, 2, 4, 5});
    auto h = patch(reshape(cut, {b, rows * columns, side * side * 3}));
    if (class_token.defined())
      h = concat({expand(reshape(to<T>(class_token), {1, 1, dim}), {b, 1, dim}), h}, 1);
    h = norm_pre(h + to<T>(position));
    h = detail::through(blocks, h, ctx, checkpoint);
    return norm_post(class_token.defined() ? select(h, 1, 0) : mean(h, {1}));
  }
};

/// What the video encoder returns.
template <class T = float, class Device = Cpu> struct VideoFeatures {
  Tensor<T, Device> tokens;  ///< (N, F, dim): one vector a frame
  Tensor<T, Device> pooled;  ///< (N, dim)
  Tensor<T, Device> embed;   ///< (N, embed): the clip in the shared space, not normalised; undefined when 0
};

/// Frames, or stored features of them -> features of the clip.
template <class T = float, class Device = Cpu> struct VideoEncoder {
  VideoConfig config;
  Vit<T, Device> frame;               ///< empty when `config.patch` is 0
  nn::Linear<T, Device> from_stored;  ///< features -> dim; empty when `config.features` is 0
  Param<T, Device> time;              ///< (frames, dim)
  std::vector<nn::TransformerBlock<T, Device>> blocks;
  nn::LayerNorm<T, Device> norm;
  nn::Linear<T, Device> project;

  VideoEncoder() = default;
  /// @throws Error for sizes that do not fit one another.
  VideoEncoder(Rng& rng, const VideoConfig& c) : config(c) {
    TMOR_CHECK(c.frames > 0 && c.dim > 0 && c.heads > 0 && c.dim % c.heads == 0, "[VideoEncoder] ", c.frames,
               " frames, ", c.dim, " channels in ", c.heads, " heads");
    TMOR_CHECK(c.patch > 0 || c.features > 0, "[VideoEncoder] neither a patch nor stored features");
    TMOR_CHECK(
        c.patch == 0 ||
            (c.height >= c.patch && c.width >= c.patch && c.height % c.patch == 0 && c.width % c.patch == 0),
        "[VideoEncoder] frames of ", c.height, " x ", c.width, " are not cut evenly by patches of ", c.patch);
    if (c.patch > 0) frame = Vit<T, Device>(rng, c);
    if (c.features > 0) from_stored = nn::Linear<T, Device>(rng, c.features, c.dim);
    time = init::normal<param_t<T>, Device>(rng, {c.frames, c.dim}, 0.02);
    for (Index i = 0; i < c.temporal_depth; ++i)
      blocks.emplace_back(rng, c.dim, c.heads, 4 * c.dim,
                          c.quick_gelu ? Activation::quick_gelu : Activation::gelu, c.dropout);
    norm = nn::LayerNorm<T, Device>(c.dim);
    if (c.embed > 0) project = nn::Linear<T, Device>(rng, c.dim, c.embed);
  }
  static void visit(auto& self, auto&& v) {
    v.setting("config", self.config);
    v.module("frame", self.frame);
    v.module("from_stored", self.from_stored);
    v.param("time", self.time, no_decay);
    v.module("blocks", self.blocks);
    v.module("norm", self.norm);
    v.module("project", self.project);
  }

  /// Frames (N, F, H, W, 3), F <= config.frames. @throws ShapeError for other sizes, Error without a patch.
  VideoFeatures<T, Device> operator()(const Tensor<param_t<T>, Device>& x, const Context& ctx) const {
    return over_time(look(x, ctx), ctx);
  }
  /// Stored features (N, F, config.features), F <= config.frames, made once by some image encoder.
  /// @throws ShapeError for other sizes, Error when built without.
  VideoFeatures<T, Device> of_features(const Tensor<param_t<T>, Device>& x, const Context& ctx) const {
    TMOR_CHECK(from_stored.w.defined(), "[VideoEncoder] built for frames; set `features` to use stored ones");
    TMOR_CHECK_SHAPE(x.rank() == 3 && x.size(2) == config.features, "[VideoEncoder] features ", x.shape(),
                     " instead of (N, F, ", config.features, ")");
    return over_time(from_stored(to<T>(x)), ctx);
  }
  /// What the vision transformer alone makes of frames (N, F, H, W, 3): (N, F, dim).
  Tensor<T, Device> look(const Tensor<param_t<T>, Device>& x, const Context& ctx) const {
    TMOR_CHECK(config.patch > 0, "[VideoEncoder] built for stored features; set `patch` to use frames");
    TMOR_CHECK_SHAPE(
        x.rank() == 5 && x.size(2) == config.height && x.size(3) == config.width && x.size(4) == 3,
        "[VideoEncoder] frames ", x.shape(), " instead of (N, F, ", config.height, ", ", config.width,
        ", 3)");
    const Index n = x.size(0), f = x.size(1);
    return reshape(frame(reshape(x, {n * f, config.height, config.width, 3}), ctx), {n, f, config.dim});
  }

 private:
  VideoFeatures<T, Device> over_time(const Tensor<T, Device>& frames, const Context& ctx) const {
    const Index f = frames.size(1);
    TMOR_CHECK_SHAPE(f > 0 && f <= config.frames, "[VideoEncoder] ", f, " frames; from 1 to ", config.frames);
    const auto h = detail::through(blocks, frames + to<T>(narrow(time, 0, 0, f)), ctx, config.checkpoint);
    VideoFeatures<T, Device> out;
    out.tokens = norm(h);
    out.pooled = mean(out.tokens, {1});
    if (project.w.defined()) out.embed = project(out.pooled);
    return out;
  }
};

}  // namespace models
TMOR_END
