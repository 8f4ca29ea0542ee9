#pragma once
/// @file features.hpp
/// What every skeleton encoder returns, and its common end: persons averaged, frames pooled by attention, a
/// projection into the shared space.

#include "tmor/nn/dropout.hpp"
#include "tmor/nn/linear.hpp"
#include "tmor/nn/norm.hpp"
#include "tmor/ops/matmul.hpp"
#include "tmor/ops/reduce.hpp"
#include "tmor/ops/softmax.hpp"

TMOR_BEGIN
namespace models {

/// One stage of a convolutional encoder.
struct SkeletonStage {
  Index channels = 64;
  Index stride = 1;  ///< over frames
};

/// What a skeleton encoder returns.
template <class T = float, class Device = Cpu> struct SkeletonFeatures {
  Tensor<T, Device> tokens;  ///< (N, T / stride, width): one vector a group of frames, persons averaged
  Tensor<T, Device> pooled;  ///< (N, width)
  Tensor<T, Device>
      embed;  ///< (N, embed): the clip in the shared space, not normalised; undefined when embed is 0
};

namespace detail {

/// @throws ShapeError unless x is (N, M, T, V, C) with the configured V and C and a whole token of frames.
template <class T, class Device, class Config>
void check_skeletons(const char* who, const Tensor<T, Device>& x, const Config& c) {
  TMOR_CHECK_SHAPE(x.rank() == 5 && x.size(3) == c.joints && x.size(4) == c.in_channels, "[", who, "] input ",
                   x.shape(), " instead of (N, M, T, ", c.joints, ", ", c.in_channels, ")");
  TMOR_CHECK_SHAPE(x.size(2) >= c.stride(), "[", who, "] clips of ", x.size(2), " frames; at least ",
                   c.stride(), " needed");
}
/// Sizes that every encoder needs.
template <class Config> void check_sizes(const char* who, const Config& c) {
  TMOR_CHECK(c.joints > 0 && c.in_channels > 0, "[", who, "] needs joints and channels");
}
/// (N, M, T, V, C) -> (N M, T, V, C), normalised with one mean and variance a joint's channel.
template <class T, class Device>
Tensor<T, Device> normalised_joints(const nn::BatchNorm<T, Device>& norm, const Tensor<T, Device>& x,
                                    const Context& ctx) {
  const Index nm = x.size(0) * x.size(1), t = x.size(2), v = x.size(3), c = x.size(4);
  return reshape(norm(reshape(x, {nm, t, v * c}), ctx), {nm, t, v, c});
}
/// Every `stride`-th frame of (N, T, V, C).
template <class T, class Device> Tensor<T, Device> every_frame(const Tensor<T, Device>& x, Index stride) {
  return stride == 1 ? x : slice(x, 1, 0, x.size(1), stride);
}
/// Frames in for one frame token out.
inline Index stride_of(const std::vector<SkeletonStage>& stages) {
  Index s = 1;
  for (const SkeletonStage& st : stages) s *= st.stride;
  return s;
}

}  // namespace detail

/// From the features of joints to `SkeletonFeatures`.
template <class T = float, class Device = Cpu> struct SkeletonHead {
  nn::Dropout drop;
  Param<T, Device> pool_query;  ///< (width,): attention pooling over frames; zero at first, which is the mean
  nn::Linear<T, Device> project;

  SkeletonHead() = default;
  SkeletonHead(Rng& rng, Index width, Index embed, double dropout)
      : drop{dropout}, pool_query(init::constant<param_t<T>, Device>({width}, 0)) {
    if (embed > 0) project = nn::Linear<T, Device>(rng, width, embed);
  }
  static void visit(auto& self, auto&& v) {
    v.module("drop", self.drop);
    v.param("pool_query", self.pool_query, no_decay);
    v.module("project", self.project);
  }

  /// h (N M, T', V, width); `present` (N, M) or undefined.
  SkeletonFeatures<T, Device> operator()(const Tensor<T, Device>& h, Index n, const Context& ctx,
                                         const Tensor<param_t<T>, Device>& present) const {
    const Index m = h.size(0) / n;
    SkeletonFeatures<T, Device> out;
    out.tokens = drop(over_persons(reshape(mean(h, {2}), {n, m, h.size(1), h.size(3)}), present), ctx);
    out.pooled = pool(out.tokens);
    if (project.w.defined()) out.embed = project(out.pooled);
    return out;
  }

 private:
  static Tensor<T, Device> over_persons(const Tensor<T, Device>& x,
                                        const Tensor<param_t<T>, Device>& present) {
    if (!present.defined()) return x.size(1) == 1 ? squeeze(x, 1) : mean(x, {1});
    const auto there = to<T>(present), count = maximum(sum(there, {1}), Tensor<T, Device>::ones({}));
    return sum(x * reshape(there, {x.size(0), x.size(1), 1, 1}), {1}) / reshape(count, {x.size(0), 1, 1});
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
