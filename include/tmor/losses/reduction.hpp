#pragma once
/// @file reduction.hpp
/// What losses share: how the values of many elements become one, and the rule that shapes are equal.

#include "tmor/ops/elementwise.hpp"
#include "tmor/ops/reduce.hpp"

TMOR_BEGIN
namespace loss {

/// How a loss combines its elements.
enum class Reduction { mean, sum, none };

}  // namespace loss

namespace detail {

/// @throws ShapeError naming both shapes, and the reshape that may be meant, unless they are equal.
template <class A, class B> void check_equal_shapes(const char* op, const A& prediction, const B& target) {
  TMOR_CHECK_SHAPE(prediction.shape() == target.shape(), "[", op, "] prediction ", prediction.shape(),
                   " and target ", target.shape(), " must have equal shapes",
                   prediction.numel() == target.numel()
                       ? cat("; did you mean reshape(target, ", prediction.shape(), ")?")
                       : std::string());
}

template <class T, class Device>
Tensor<T, Device> reduce_loss(const Tensor<T, Device>& y, loss::Reduction reduction) {
  if (reduction == loss::Reduction::none) return y;
  return reduction == loss::Reduction::sum || y.numel() == 0 ? sum(y) : mean(y);
}

/// f where the mask is true, else 0 with gradient 0: whatever x and t hold there, NaN included, has no
/// influence.
template <class F> struct Masked {
  static constexpr const char* name = F::name;
  F f;
  template <class V> TMOR_HD V operator()(V x, V t, V seen) const {
    return select(seen != V(0), f(x, t), V(0));
  }
};

/// f(x, t) element by element in float (double for double), reduced; the mean is over the elements where
/// `mask` (x's shape, or undefined) is true, 0 when there are none. @throws ShapeError for unequal shapes.
template <class F, class T, class Device>
Tensor<param_t<T>, Device> elementwise_loss(const F& f, const Tensor<T, Device>& prediction,
                                            const Tensor<T, Device>& target, const Tensor<bool, Device>& mask,
                                            loss::Reduction reduction) {
  using C = compute_t<T>;
  check_equal_shapes(F::name, prediction, target);
  const auto x = to<C>(prediction), t = to<C>(target);
  if (!mask.defined()) return reduce_loss(pointwise(f, x, t), reduction);
  TMOR_CHECK_SHAPE(mask.shape() == x.shape(), "[", F::name, "] mask ", mask.shape(),
                   " must have the shape of the input, ", x.shape());
  const auto y = pointwise(Masked<F>{f}, x, t, mask);
  if (reduction != loss::Reduction::mean) return reduce_loss(y, reduction);
  return sum(y) / maximum(sum(to<C>(mask)), Tensor<C, Device>::scalar(C(1)));
}

}  // namespace detail
TMOR_END
