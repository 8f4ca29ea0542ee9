#pragma once
/// @file conv.hpp
/// Convolution layers, channels-last; see ops/conv.hpp.

#include "tmor/nn/init.hpp"
#include "tmor/ops/conv.hpp"

TMOR_BEGIN
namespace nn {

/// Convolution over the frames of a clip: (N, T, V, in) -> (N, T', V, out).
template <class T = float, class Device = Cpu> struct ConvTime {
  Param<T, Device> w;  ///< (taps, in, out)
  Param<T, Device> b;  ///< (out,), undefined when built without bias
  ConvTimeOptions options;

  ConvTime() = default;
  /// `taps` frames; the default padding keeps T at stride 1 when `taps` is odd.
  ConvTime(Rng& rng, Index in, Index out, Index taps, Index stride = 1, bool bias = true, Index dilation = 1)
      : w(init::kaiming_uniform<param_t<T>, Device>(rng, {taps, in, out}, taps * in)),
        options{.stride = stride, .pad = dilation * (taps - 1) / 2, .dilation = dilation} {
    if (bias) b = init::kaiming_uniform<param_t<T>, Device>(rng, {out}, taps * in);
  }
  static void visit(auto& self, auto&& v) {
    v.param("w", self.w);
    v.param("b", self.b, no_decay);
    v.setting("options", self.options);
  }
  Tensor<T, Device> operator()(const Tensor<T, Device>& x) const {
    return conv_time(x, to<T>(w), options, b.defined() ? to<T>(b) : Tensor<T, Device>());
  }
};

/// Convolution of images: (N, H, W, in) -> (N, H', W', out).
template <class T = float, class Device = Cpu> struct Conv2d {
  Param<T, Device> w;  ///< (kh, kw, in / groups, out)
  Param<T, Device> b;  ///< (out,), undefined when built without bias
  Conv2dOptions options;

  Conv2d() = default;
  Conv2d(Rng& rng, Index in, Index out, Index kh, Index kw, const Conv2dOptions& o = {}, bool bias = true)
      : w(init::kaiming_uniform<param_t<T>, Device>(rng, {kh, kw, in / o.groups, out},
                                                    kh * kw * in / o.groups)),
        options(o) {
    if (bias) b = init::kaiming_uniform<param_t<T>, Device>(rng, {out}, kh * kw * in / o.groups);
  }
  static void visit(auto& self, auto&& v) {
    v.param("w", self.w);
    v.param("b", self.b, no_decay);
    v.setting("options", self.options);
  }
  Tensor<T, Device> operator()(const Tensor<T, Device>& x) const {
    const auto y = conv2d(x, to<T>(w), options);
    return b.defined() ? y + to<T>(b) : y;
  }
};

}  // namespace nn
TMOR_END
