#pragma once
/// @file init.hpp
/// Initial values of parameters; each draws from an explicit `Rng` and returns a tensor that wants a
/// gradient. `fan_in` is the number of inputs a single output sums over.

#include <cmath>

#include "tmor/core/module.hpp"
#include "tmor/ops/random.hpp"

TMOR_BEGIN

/// Initialisers.
namespace init {

/// A parameter holding `t`'s numbers.
template <class P, class Device> Tensor<P, Device> parameter(const Tensor<P, Device>& t) {
  t.requires_grad_();
  return t;
}
template <class P, class Device> Tensor<P, Device> constant(const Shape& shape, double value) {
  return parameter(Tensor<P, Device>::full(shape, static_cast<P>(value)));
}
/// N(mean, std^2).
template <class P, class Device>
Tensor<P, Device> normal(Rng& rng, const Shape& shape, double std, double mean = 0) {
  return parameter(tmor::normal<P, Device>(rng, shape, mean, std));
}
/// N(0, std^2) cut at two standard deviations.
template <class P, class Device>
Tensor<P, Device> truncated_normal(Rng& rng, const Shape& shape, double std) {
  return parameter(tmor::truncated_normal<P, Device>(rng, shape, 0, std, -2 * std, 2 * std));
}
/// U(-bound, bound).
template <class P, class Device> Tensor<P, Device> uniform(Rng& rng, const Shape& shape, double bound) {
  return parameter(tmor::uniform<P, Device>(rng, shape, -bound, bound));
}
/// He et al. 2015 for ReLU with negative slope `a`: bound = sqrt(6 / ((1 + a^2) fan_in)). a = sqrt(5), the
/// common default of linear and convolution layers, gives 1/sqrt(fan_in).
template <class P, class Device>
Tensor<P, Device> kaiming_uniform(Rng& rng, const Shape& shape, Index fan_in, double a = 2.23606797749979) {
  return init::uniform<P, Device>(
      rng, shape, fan_in > 0 ? std::sqrt(6.0 / ((1 + a * a) * static_cast<double>(fan_in))) : 0.0);
}
/// He et al. 2015, normal: std = sqrt(2 / fan).
template <class P, class Device> Tensor<P, Device> kaiming_normal(Rng& rng, const Shape& shape, Index fan) {
  return init::normal<P, Device>(rng, shape, fan > 0 ? std::sqrt(2.0 / static_cast<double>(fan)) : 0.0);
}
/// Glorot and Bengio 2010: bound = gain sqrt(6 / (fan_in + fan_out)).
template <class P, class Device>
Tensor<P, Device> xavier_uniform(Rng& rng, const Shape& shape, Index fan_in, Index fan_out, double gain = 1) {
  return init::uniform<P, Device>(rng, shape, gain * std::sqrt(6.0 / static_cast<double>(fan_in + fan_out)));
}

}  // namespace init

TMOR_END
