#pragma once
/// @file mstct.hpp
/// A head that looks at a sequence of frame tokens at several temporal scales, after MS-TCT (Dai et al.,
/// "MS-TCT: Multi-Scale Temporal ConvTransformer for Action Detection", CVPR 2022), to a design of our own:
/// stages that each merge pairs of rows, in each stage blocks of attention over the whole sequence (global)
/// and convolution over neighbouring rows (local), and a sum of all stages brought back to the first one's
/// rows. Differences from the paper: one width for all stages, convolutions of all channels, and no branch
/// for the centres of actions.

#include <vector>

#include "tmor/nn/conv.hpp"
#include "tmor/nn/transformer.hpp"
#include "tmor/ops/reduce.hpp"

TMOR_BEGIN
namespace models {

/// Sizes of an `MstctHead`. A logit depends on every row that the head is given.
struct MstctConfig {
  Index in = 256, classes = 51;
  Index width = 256;  ///< of every stage
  Index stages = 4;   ///< stage k has a row for 2^k rows, the last of them perhaps for fewer
  Index blocks = 1;   ///< of a stage; the paper has 3
  Index heads = 4;    ///< of attention; divide the width
  Index taps = 3;     ///< rows a convolution sees, odd
  double dropout = 0.3;
  /// Rows that the head was trained on at once, and so is given at once: eval/detection.hpp cuts longer
  /// sequences into overlapping windows of so many.
  Index span = 256;
};

/// Frame tokens (N, T, in) -> class logits (N, T, classes), for any T of at least 1.
template <class T = float, class Device = Cpu> struct MstctHead {
  using X = Tensor<T, Device>;

  /// x + attention(norm(x)), then x + down(gelu(convolution(norm(x)))).
  struct Block {
    nn::LayerNorm<T, Device> norm1, norm2;
    nn::MultiheadAttention<T, Device> global;
    nn::ConvTime<T, Device> local;
    nn::Linear<T, Device> down;
    static void visit(auto& self, auto&& v) {
      v.module("norm1", self.norm1);
      v.module("global", self.global);
      v.module("norm2", self.norm2);
      v.module("local", self.local);
      v.module("down", self.down);
    }
  };
  struct Stage {
    nn::ConvTime<T, Device> merge;  ///< half as many rows; the first stage has as many as it is given
    std::vector<Block> blocks;
    nn::LayerNorm<T, Device> norm;
    nn::Linear<T, Device> lateral;  ///< into the sum of stages
    static void visit(auto& self, auto&& v) {
      v.module("merge", self.merge);
      v.module("blocks", self.blocks);
      v.module("norm", self.norm);
      v.module("lateral", self.lateral);
    }
  };

  MstctConfig config;
  std::vector<Stage> stages;
  nn::Dropout drop;
  nn::Linear<T, Device> out;

  MstctHead() = default;
  /// @throws Error for sizes below 1, even taps, more than 8 stages, heads that do not divide the width.
  MstctHead(Rng& rng, const MstctConfig& c) : config(c), drop{c.dropout} {
    TMOR_CHECK(c.in >= 1 && c.classes >= 1 && c.width >= 1 && c.stages >= 1 && c.stages <= 8 &&
                   c.blocks >= 1 && c.heads >= 1 && c.width % c.heads == 0 && c.taps >= 1 &&
                   c.taps % 2 == 1 && c.span >= 1,
               "[MstctHead] ", c.in, " -> ", c.width, " -> ", c.classes, ", ", c.stages, " stages of ",
               c.blocks, " blocks, ", c.heads, " heads, ", c.taps, " taps, ", c.span,
               " rows: sizes are at least 1, stages at most 8, taps odd, and heads divide the width");
    for (Index k = 0; k < c.stages; ++k) {
      Stage s;
      s.merge = {rng, k == 0 ? c.in : c.width, c.width, c.taps, k == 0 ? 1 : 2};
      for (Index b = 0; b < c.blocks; ++b)
        s.blocks.push_back({nn::LayerNorm<T, Device>(c.width),
                            nn::LayerNorm<T, Device>(c.width),
                            {rng, c.width, c.heads},
                            {rng, c.width, 2 * c.width, c.taps},
                            {rng, 2 * c.width, c.width}});
      s.norm = nn::LayerNorm<T, Device>(c.width);
      s.lateral = {rng, c.width, c.width};
      stages.push_back(std::move(s));
    }
    out = nn::Linear<T, Device>(rng, c.width, c.classes);
  }
  static void visit(auto& self, auto&& v) {
    v.setting("config", self.config);
    v.module("drop", self.drop);
    v.module("stages", self.stages);
    v.module("out", self.out);
  }

  /// `mask` (N, T), 1 for rows of the sequence, 0 for padding, which the others then do not see. Of every
  /// sequence at least one row counts. @throws ShapeError for tokens of another width or a mask that does
  /// not fit.
  X operator()(const X& x, const Context& ctx, const X& mask = {}) const {
    TMOR_CHECK_SHAPE(x.rank() == 3 && x.size(1) >= 1 && x.size(2) == config.in, "[MstctHead] tokens ",
                     x.shape(), ": expected (N, T, ", config.in, ") with T of at least 1");
    const Index n = x.size(0), t = x.size(1);
    TMOR_CHECK_SHAPE(!mask.defined() || mask.shape() == (Shape{n, t}), "[MstctHead] mask ", mask.shape(),
                     " for tokens ", x.shape(), ": expected (N, T)");
    std::vector<X> outputs, keeps;  // of the stages
    X h = x, keep = mask.defined() ? reshape(mask, {n, t, 1}) : X::ones({n, t, 1});
    h = h * keep;
    for (std::size_t k = 0; k < stages.size(); ++k) {
      const Stage& s = stages[k];
      h = over_time(s.merge, h);
      if (k > 0) keep = halved(keep);
      h = h * keep;
      AttentionOptions<Device> seen;
      if (mask.defined()) seen.mask = reshape(greater(keep, X::scalar(T(0))), {n, 1, 1, keep.size(1)});
      for (const Block& b : s.blocks) {
        h = h + drop(b.global(b.norm1(h), seen), ctx);
        h = (h + drop(b.down(gelu(over_time(b.local, b.norm2(h) * keep))), ctx)) * keep;
      }
      outputs.push_back(s.lateral(s.norm(h)));
      keeps.push_back(keep);
    }
    X mixed = outputs.back();
    for (std::size_t k = stages.size() - 1; k-- > 0;)
      mixed = outputs[k] + doubled(mixed, keeps[k + 1], keeps[k].size(1));
    return out(drop(gelu(mixed), ctx));
  }

 private:
  static X over_time(const nn::ConvTime<T, Device>& conv, const X& x) {
    const auto y = conv(reshape(x, {x.size(0), x.size(1), 1, x.size(2)}));
    return reshape(y, {y.size(0), y.size(1), y.size(3)});
  }
  /// A row for two: counts where one of them does.
  static X halved(const X& keep) {
    const NoGrad guard;
    const Index n = keep.size(0), t = keep.size(1);
    return max(reshape(pad(keep, 1, 0, t % 2), {n, (t + 1) / 2, 2}), {2}, true);
  }
  /// Back to `rows` rows: the even ones as they are, each odd one the mean of its neighbours, or, where there
  /// is no next one, the one before.
  static X doubled(const X& x, const X& keep, Index rows) {
    const Index n = x.size(0), half = x.size(1);
    const auto next = [&](const X& y) { return pad(narrow(y, 1, 1, half - 1), 1, 0, 1); };
    const auto between = x + (next(x) - x) * (next(keep) * T(0.5));
    return narrow(reshape(stack({x, between}, 2), {n, 2 * half, x.size(2)}), 1, 0, rows);
  }
};

}  // namespace models
TMOR_END
