#pragma once
/// @file linear.hpp
/// Fully connected layer.

#include "tmor/nn/init.hpp"
#include "tmor/ops/matmul.hpp"

TMOR_BEGIN
namespace nn {

/// y = act(x w^T + b) over the last dimension: (..., in) -> (..., out).
template <class T = float, class Device = Cpu> struct Linear {
  Param<T, Device> w;  ///< (out, in)
  Param<T, Device> b;  ///< (out,), undefined when built without bias

  Linear() = default;
  /// w and b from U(-1/sqrt(in), 1/sqrt(in)).
  Linear(Rng& rng, Index in, Index out, bool bias = true)
      : w(init::kaiming_uniform<param_t<T>, Device>(rng, {out, in}, in)) {
    if (bias) b = init::kaiming_uniform<param_t<T>, Device>(rng, {out}, in);
  }
  static void visit(auto& self, auto&& v) {
    v.param("w", self.w);
    v.param("b", self.b, no_decay);
  }
  /// @throws ShapeError unless the last dimension of `x` is `in`.
  Tensor<T, Device> operator()(const Tensor<T, Device>& x, Activation act = Activation::none) const {
    return linear(x, w, b, act);
  }
};

}  // namespace nn
TMOR_END
