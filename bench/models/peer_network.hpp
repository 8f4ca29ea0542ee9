#pragma once
/// The network of bench/peers/models.py (`SkeletonEncoder`), layer for layer, for comparing speed and
/// training with PyTorch: per head a 1x1 convolution and a V x V matrix, summed over heads, batch norm,
/// residual, ReLU; then a 9x1 convolution over time, batch norm, residual, ReLU. Not a model of the library;
/// see models/skeleton.

#include <cmath>

#include "tmor/nn/conv.hpp"
#include "tmor/nn/linear.hpp"
#include "tmor/nn/norm.hpp"
#include "tmor/ops/joint_mix.hpp"
#include "tmor/ops/matmul.hpp"
#include "tmor/ops/reduce.hpp"

namespace peer {

using namespace tmor;

struct Spatial {
  Tensor<> proj_w, proj_b, mix;  // (heads, in, out), (heads, out), (heads, V, V)
  nn::BatchNorm<> bn;
  nn::Linear<> down;
  nn::BatchNorm<> down_bn;

  Spatial(Rng& rng, Index in, Index out, Index v, Index heads)
      : proj_w(init::kaiming_uniform<float, Cpu>(rng, {heads, in, out}, in)),
        proj_b(init::kaiming_uniform<float, Cpu>(rng, {heads, out}, in)),
        mix(init::uniform<float, Cpu>(rng, {heads, v, v}, 1 / std::sqrt(static_cast<double>(v)))),
        bn(out) {
    if (in != out) {
      down = nn::Linear<>(rng, in, out);
      down_bn = nn::BatchNorm<>(out);
    }
  }
  static void visit(auto& self, auto&& v) {
    v.param("proj_w", self.proj_w);
    v.param("proj_b", self.proj_b);
    v.param("mix", self.mix);
    v.module("bn", self.bn);
    v.module("down", self.down);
    v.module("down_bn", self.down_bn);
  }
  Tensor<> operator()(const Tensor<>& x, const Context& ctx) const {
    // The 1x1 convolution's bias, seen through the mixing: one bias a joint and channel.
    const auto bias = matmul(transpose(sum(mix, {1})), proj_b);
    return bn.relu(joint_mix(x, mix, proj_w, bias), down.w.defined() ? down_bn(down(x), ctx) : x, ctx);
  }
};

struct Block {
  Spatial sp;
  nn::ConvTime<> tc;
  nn::BatchNorm<> bn;
  nn::Linear<> down;
  nn::BatchNorm<> down_bn;
  bool residual;

  Block(Rng& rng, Index in, Index out, Index v, Index heads, Index stride, bool res)
      : sp(rng, in, out, v, heads), tc(rng, out, out, 9, stride), bn(out), residual(res) {
    if (in != out || stride != 1) {
      down = nn::Linear<>(rng, in, out);
      down_bn = nn::BatchNorm<>(out);
    }
  }
  static void visit(auto& self, auto&& v) {
    v.module("sp", self.sp);
    v.module("tc", self.tc);
    v.module("bn", self.bn);
    v.module("down", self.down);
    v.module("down_bn", self.down_bn);
  }
  Tensor<> operator()(const Tensor<>& x, const Context& ctx) const {
    const auto y = tc(sp(x, ctx));
    if (!residual) return bn.relu(y, {}, ctx);
    const Index stride = tc.options.stride;
    const auto skip =
        down.w.defined() ? down_bn(down(stride == 1 ? x : slice(x, 1, 0, x.size(1), stride)), ctx) : x;
    return bn.relu(y, skip, ctx);
  }
};

struct SkeletonEncoder {
  nn::BatchNorm<> bn;  // channels (v, c), where PyTorch's are (c, v)
  std::vector<Block> blocks;
  nn::Linear<> head;

  explicit SkeletonEncoder(Rng& rng, Index v = 17, Index heads = 3, Index embed = 512, int n_blocks = 10,
                           Index width = 64)
      : bn(3 * v) {
    struct Plan {
      Index in, out, stride;
      bool residual;
    };
    std::vector<Plan> plan(static_cast<std::size_t>(n_blocks == 10 ? 4 : 3), Plan{width, width, 1, true});
    plan[0] = {3, width, 1, false};
    for (const Index c : {2 * width, 4 * width}) {
      plan.push_back({c / 2, c, 2, true});
      plan.insert(plan.end(), 2, Plan{c, c, 1, true});
    }
    for (const Plan& p : plan) blocks.emplace_back(rng, p.in, p.out, v, heads, p.stride, p.residual);
    head = nn::Linear<>(rng, 4 * width, embed);
  }
  static void visit(auto& self, auto&& v) {
    v.module("bn", self.bn);
    v.module("blocks", self.blocks);
    v.module("head", self.head);
  }
  /// x (N, T, V, 3) -> (N, embed).
  Tensor<> operator()(const Tensor<>& x, const Context& ctx) const {
    const Index n = x.size(0), t = x.size(1), v = x.size(2), c = x.size(3);
    auto h = reshape(bn(reshape(x, {n, t, v * c}), ctx), {n, t, v, c});
    for (const auto& b : blocks) h = b(h, ctx);
    return head(mean(h, {1, 2}));
  }
};

}  // namespace peer
