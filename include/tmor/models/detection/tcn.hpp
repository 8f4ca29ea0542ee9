#pragma once
/// @file tcn.hpp
/// Heads that turn the frame tokens of a sequence into one set of class logits a frame: dilated convolutions
/// over time (MS-TCN, Abu Farha and Gall 2019; the sizes are those that UNIK's authors use on TSU), or one
/// linear layer.

#include <vector>

#include "tmor/nn/conv.hpp"
#include "tmor/nn/dropout.hpp"
#include "tmor/nn/linear.hpp"
#include "tmor/ops/elementwise.hpp"
#include "tmor/ops/views.hpp"

TMOR_BEGIN
namespace models {

/// Sizes of a `TcnHead`. Its logits depend on `reach()` frames to each side.
struct TcnConfig {
  Index in = 256, classes = 51;
  Index width = 512;  ///< of the layers
  Index layers = 5;   ///< dilations 1, 2, 4, ...; 0: one linear layer from tokens to logits
  Index taps = 3;     ///< frames a convolution sees, odd
  double dropout = 0.5;
  bool causal = false;  ///< a frame sees itself and earlier ones only: what an online detector can do

  /// Frames that a logit depends on, before and after its own (before it only when causal: twice as many).
  Index reach() const { return layers == 0 ? 0 : (taps - 1) / 2 * ((Index{1} << layers) - 1); }
};

/// Frame tokens (N, T, in) -> class logits (N, T, classes).
template <class T = float, class Device = Cpu> struct TcnHead {
  /// x + dropout(mix(relu(dilated(x)))).
  struct Layer {
    nn::ConvTime<T, Device> dilated;
    nn::Linear<T, Device> mix;
    static void visit(auto& self, auto&& v) {
      v.module("dilated", self.dilated);
      v.module("mix", self.mix);
    }
  };

  TcnConfig config;
  nn::Linear<T, Device> in;
  std::vector<Layer> layers;
  nn::Dropout drop;
  nn::Linear<T, Device> out;

  TcnHead() = default;
  /// @throws Error for sizes below 1, even taps, or more than 20 layers.
  TcnHead(Rng& rng, const TcnConfig& c) : config(c), drop{c.dropout} {
    TMOR_CHECK(c.in >= 1 && c.classes >= 1 && c.width >= 1 && c.layers >= 0 && c.layers <= 20 &&
                   c.taps >= 1 && c.taps % 2 == 1,
               "[TcnHead] ", c.in, " -> ", c.width, " -> ", c.classes, ", ", c.layers, " layers of ", c.taps,
               " taps: sizes are at least 1, layers 0 to 20, taps odd");
    if (c.layers > 0) in = nn::Linear<T, Device>(rng, c.in, c.width);
    for (Index i = 0; i < c.layers; ++i) {
      const Index dilation = Index{1} << i;
      layers.push_back({{rng, c.width, c.width, c.taps, 1, true, dilation}, {rng, c.width, c.width}});
      if (c.causal) layers.back().dilated.options.pad = dilation * (c.taps - 1);
    }
    out = nn::Linear<T, Device>(rng, c.layers > 0 ? c.width : c.in, c.classes);
  }
  static void visit(auto& self, auto&& v) {
    v.setting("config", self.config);
    v.module("drop", self.drop);
    v.module("in", self.in);
    v.module("layers", self.layers);
    v.module("out", self.out);
  }

  /// `mask` (N, T), 1 for frames of the sequence, 0 for padding: without it, padded frames would be told from
  /// none at a sequence's end. @throws ShapeError for tokens of another width or a mask that does not fit.
  Tensor<T, Device> operator()(const Tensor<T, Device>& x, const Context& ctx,
                               const Tensor<T, Device>& mask = {}) const {
    TMOR_CHECK_SHAPE(x.rank() == 3 && x.size(2) == config.in, "[TcnHead] tokens ", x.shape(),
                     ": expected (N, T, ", config.in, ")");
    const Index n = x.size(0), t = x.size(1);
    TMOR_CHECK_SHAPE(!mask.defined() || mask.shape() == (Shape{n, t}), "[TcnHead] mask ", mask.shape(),
                     " for tokens ", x.shape(), ": expected (N, T)");
    if (layers.empty()) return out(drop(x, ctx));
    const auto keep = mask.defined() ? reshape(mask, {n, t, 1}) : mask;
    const auto masked = [&](const Tensor<T, Device>& h) { return keep.defined() ? h * keep : h; };
    auto h = masked(in(x));
    for (const auto& layer : layers) {
      auto y = relu(layer.dilated(reshape(h, {n, t, 1, config.width})));
      if (config.causal) y = narrow(y, 1, 0, t);
      h = masked(h + drop(layer.mix(reshape(y, {n, t, config.width})), ctx));
    }
    return out(h);
  }
};

}  // namespace models
TMOR_END
