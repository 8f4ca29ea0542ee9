#pragma once
/// @file regression.hpp
/// Losses of regression: squared, absolute and smooth absolute error. Prediction and target must have equal
/// shapes; `mask`, of that shape too, leaves out elements where it is false (the mean is over the others, 0
/// when there are none).

#include "tmor/losses/reduction.hpp"

TMOR_BEGIN
namespace loss {
namespace fn {

struct SquaredError {
  static constexpr const char* name = "mse";
  template <class V> TMOR_HD V operator()(V x, V t) const { return (x - t) * (x - t); }
};
struct AbsoluteError {
  static constexpr const char* name = "l1";
  template <class V> TMOR_HD V operator()(V x, V t) const { return math::abs(x - t); }
};
struct SmoothL1 {
  static constexpr const char* name = "smooth_l1";
  double beta;
  template <class V> TMOR_HD V operator()(V x, V t) const {
    const V d = math::abs(x - t);
    return select(d < V(beta), d * d * V(0.5 / beta), d - V(0.5 * beta));
  }
};

}  // namespace fn

/// (x - t)^2. @throws ShapeError for unequal shapes.
template <class T, class Device>
Tensor<param_t<T>, Device> mse(const Tensor<T, Device>& x, const Tensor<T, Device>& t,
                               const Tensor<bool, Device>& mask = {}, Reduction reduction = Reduction::mean) {
  return tmor::detail::elementwise_loss(fn::SquaredError{}, x, t, mask, reduction);
}

/// |x - t|; gradient 0 where equal. @throws ShapeError for unequal shapes.
template <class T, class Device>
Tensor<param_t<T>, Device> l1(const Tensor<T, Device>& x, const Tensor<T, Device>& t,
                              const Tensor<bool, Device>& mask = {}, Reduction reduction = Reduction::mean) {
  return tmor::detail::elementwise_loss(fn::AbsoluteError{}, x, t, mask, reduction);
}

/// With d = |x - t|: d^2 / (2 beta) where d < beta, else d - beta / 2 (Girshick 2015; Huber's loss over
/// beta).
/// @throws ShapeError for unequal shapes; Error unless beta > 0.
template <class T, class Device>
Tensor<param_t<T>, Device> smooth_l1(const Tensor<T, Device>& x, const Tensor<T, Device>& t,
                                     const Tensor<bool, Device>& mask = {}, double beta = 1,
                                     Reduction reduction = Reduction::mean) {
  TMOR_CHECK(beta > 0, "[smooth_l1] beta is ", beta, ", it must be above 0 (l1 is the limit)");
  return tmor::detail::elementwise_loss(fn::SmoothL1{beta}, x, t, mask, reduction);
}

}  // namespace loss
TMOR_END
