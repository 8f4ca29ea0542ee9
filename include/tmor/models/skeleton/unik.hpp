#pragma once
/// @file unik.hpp
/// The default skeleton encoder, after UNIK (Yang et al., "UNIK: A Unified Framework for Real-world
/// Skeleton-based Action Recognition", BMVC 2021): no skeleton graph is given, every block learns dense
/// matrices that mix the joints, one a head, to which a data-dependent attention between joints is added,
/// then convolves over time. Unlike the original it returns frame tokens beside the clip's embedding, takes
/// joints, bones and motion as one early-fused input, and pools frames by attention.

#include "tmor/nn/conv.hpp"
#include "tmor/nn/dropout.hpp"
#include "tmor/nn/linear.hpp"
#include "tmor/nn/norm.hpp"
#include "tmor/ops/joint_mix.hpp"
#include "tmor/ops/joint_scores.hpp"
#include "tmor/ops/matmul.hpp"
#include "tmor/ops/reduce.hpp"
#include "tmor/ops/softmax.hpp"

TMOR_BEGIN
namespace models {

/// One spatio-temporal block of the encoder.
struct UnikStage {
  Index channels = 64;
  Index stride = 1;  ///< over frames
};

/// Sizes of a `Unik` encoder.
struct UnikConfig {
  Index joints = 17;      ///< V
  Index in_channels = 9;  ///< C: coordinates times streams
  Index heads = 3;        ///< mixing matrices a block
  Index taps = 9;         ///< frames a temporal convolution sees
  bool attention = true;  ///< add data-dependent mixing
  double dropout = 0;     ///< before the pooling
  Index embed = 512;      ///< size of the clip's embedding; 0: none, the pooled features are the result
  std::vector<UnikStage> stages = {{64}, {64}, {64}, {64}, {128, 2}, {128}, {128}, {256, 2}, {256}, {256}};

  /// Frames in for one frame token out.
  Index stride() const {
    Index s = 1;
    for (const UnikStage& st : stages) s *= st.stride;
    return s;
  }
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
  UnikBlock(Rng& rng, const UnikConfig& c, Index in, UnikStage stage, bool residual)
      : mix(init::kaiming_uniform<param_t<T>, Device>(rng, {c.heads, c.joints, c.joints}, c.joints)),
        weight(init::normal<param_t<T>, Device>(rng, {c.heads, in, stage.channels},
                                                std::sqrt(2.0 / static_cast<double>(c.heads * in)))),
        norm1(stage.channels),
        norm2(stage.channels),
        time(rng, stage.channels, stage.channels, c.taps, stage.stride, false),
        time_residual(residual) {
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
  }

  /// x (N, T, V, C_in) -> (N, T / stride, V, C_out).
  Tensor<T, Device> operator()(const Tensor<T, Device>& x, const Context& ctx) const {
    const auto mixed = joint_mix(x, mixing(x), to<T>(weight));
    const auto skip1 = down1.w.defined() ? down_norm1(down1(x), ctx) : x;
    const auto h = norm1.relu(mixed, skip1, ctx);
    const auto y = time(h);
    if (!time_residual) return norm2.relu(y, {}, ctx);
    const auto skip2 = down2.w.defined() ? down_norm2(down2(every_frame(h, time.options.stride)), ctx) : h;
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
  static Tensor<T, Device> every_frame(const Tensor<T, Device>& x, Index stride) {
    return stride == 1 ? x : slice(x, 1, 0, x.size(1), stride);
  }
};

/// What a skeleton encoder returns.
template <class T = float, class Device = Cpu> struct SkeletonFeatures {
  Tensor<T, Device> tokens;  ///< (N, T / stride, width): one vector a group of frames, persons averaged
  Tensor<T, Device> pooled;  ///< (N, width)
  Tensor<T, Device>
      embed;  ///< (N, embed): the clip in the shared space, not normalised; undefined when embed is 0
};

/// (N, M, T, V, C) skeletons -> features.
template <class T = float, class Device = Cpu> struct Unik {
  UnikConfig config;
  nn::BatchNorm<T, Device> input_norm;  ///< over (V, C), as one channel each
  std::vector<UnikBlock<T, Device>> blocks;
  nn::Dropout drop;
  Param<T, Device> pool_query;  ///< (width,): attention pooling over frames; zero at first, which is the mean
  nn::Linear<T, Device> project;

  Unik() = default;
  Unik(Rng& rng, const UnikConfig& c) : config(c), input_norm(c.joints * c.in_channels), drop{c.dropout} {
    TMOR_CHECK(!c.stages.empty() && c.joints > 0 && c.in_channels > 0 && c.heads > 0,
               "[Unik] needs stages, joints, channels and heads");
    Index in = c.in_channels;
    for (std::size_t i = 0; i < c.stages.size(); ++i) {
      blocks.emplace_back(rng, c, in, c.stages[i], i > 0);
      in = c.stages[i].channels;
    }
    pool_query = init::constant<param_t<T>, Device>({in}, 0);
    if (c.embed > 0) project = nn::Linear<T, Device>(rng, in, c.embed);
  }
  static void visit(auto& self, auto&& v) {
    v.module("input_norm", self.input_norm);
    v.module("blocks", self.blocks);
    v.param("pool_query", self.pool_query, no_decay);
    v.module("project", self.project);
  }

  /// `x` (N, M, T, V, C); `present` (N, M), 1 where there is a person, undefined when all are there; a clip
  /// without anybody gives the average of nothing, zeros. @throws ShapeError unless V and C are the
  /// configured ones.
  SkeletonFeatures<T, Device> operator()(const Tensor<T, Device>& x, const Context& ctx,
                                         const Tensor<T, Device>& present = {}) const {
    TMOR_CHECK_SHAPE(x.rank() == 5 && x.size(3) == config.joints && x.size(4) == config.in_channels,
                     "[Unik] input ", x.shape(), " instead of (N, M, T, ", config.joints, ", ",
                     config.in_channels, ")");
    TMOR_CHECK_SHAPE(x.size(2) >= config.stride(), "[Unik] clips of ", x.size(2), " frames; at least ",
                     config.stride(), " needed");
    const Index n = x.size(0), m = x.size(1), t = x.size(2), v = config.joints, c = config.in_channels;
    auto h = reshape(input_norm(reshape(x, {n * m, t, v * c}), ctx), {n * m, t, v, c});
    for (const auto& block : blocks) h = block(h, ctx);
    SkeletonFeatures<T, Device> out;
    out.tokens = drop(over_persons(reshape(mean(h, {2}), {n, m, h.size(1), h.size(3)}), present), ctx);
    out.pooled = pool(out.tokens);
    if (project.w.defined()) out.embed = project(out.pooled);
    return out;
  }

 private:
  static Tensor<T, Device> over_persons(const Tensor<T, Device>& x, const Tensor<T, Device>& present) {
    if (!present.defined()) return x.size(1) == 1 ? squeeze(x, 1) : mean(x, {1});
    const auto count = maximum(sum(present, {1}), Tensor<T, Device>::ones({}));
    return sum(x * reshape(present, {x.size(0), x.size(1), 1, 1}), {1}) / reshape(count, {x.size(0), 1, 1});
  }
  Tensor<T, Device> pool(const Tensor<T, Device>& tokens) const {
    const Index n = tokens.size(0), t = tokens.size(1), w = tokens.size(2);
    const auto score =
        matmul(tokens, reshape(to<T>(pool_query), {w, 1})) * (1.0 / std::sqrt(static_cast<double>(w)));
    const auto weight = softmax(reshape(score, {n, 1, t}), -1);
    return reshape(matmul(weight, tokens), {n, w});
  }
};

}  // namespace models
TMOR_END
