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

/// The mean or sum of `y`, of the elements where `mask` (y's shape, or undefined) is true; the mean of
/// nothing is 0. Without reduction hidden elements are 0.
template <class T, class Device>
Tensor<T, Device> reduce_loss(const char* op, const Tensor<T, Device>& y, const Tensor<bool, Device>& mask,
                              loss::Reduction reduction) {
  using loss::Reduction;
  if (!mask.defined()) {
    if (reduction == Reduction::none) return y;
    if (reduction == Reduction::sum) return sum(y);
    return y.numel() == 0 ? sum(y) : mean(y);
  }
  TMOR_CHECK_SHAPE(mask.shape() == y.shape(), "[", op, "] mask ", mask.shape(),
                   " must have the shape of the input, ", y.shape());
  const auto seen = where(mask, y, Tensor<T, Device>::scalar(T(0)));
  if (reduction == Reduction::none) return seen;
  if (reduction == Reduction::sum) return sum(seen);
  return sum(seen) / maximum(sum(to<T>(mask)), Tensor<T, Device>::scalar(T(1)));
}

}  // namespace detail
TMOR_END
