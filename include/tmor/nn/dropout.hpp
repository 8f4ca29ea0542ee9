#pragma once
/// @file dropout.hpp
/// Random zeroing while training.

#include "tmor/core/module.hpp"
#include "tmor/ops/random.hpp"

TMOR_BEGIN
namespace nn {

/// Dropout (Srivastava et al. 2014): each value is zero with probability p, the others are divided by 1 - p.
struct Dropout {
  double p = 0;
  static void visit(auto& self, auto&& v) { v.setting("p", self.p); }
  template <class T, class Device>
  Tensor<T, Device> operator()(const Tensor<T, Device>& x, const Context& ctx) const {
    return ctx.training && p > 0 ? dropout(x, p, ctx.random()) : x;
  }
};

/// Stochastic depth (Huang et al. 2016): each sample, a slice of the first dimension, is dropped whole.
struct DropPath {
  double p = 0;
  static void visit(auto& self, auto&& v) { v.setting("p", self.p); }
  template <class T, class Device>
  Tensor<T, Device> operator()(const Tensor<T, Device>& x, const Context& ctx) const {
    return ctx.training && p > 0 ? drop_path(x, p, ctx.random()) : x;
  }
};

}  // namespace nn
TMOR_END
