#pragma once
/// @file accumulate.hpp
/// Gradient accumulation: one optimiser step from several batches, for batches beyond memory.

#include "tmor/autograd/backward.hpp"
#include "tmor/cpu/pointwise.hpp"

TMOR_BEGIN
namespace optim {

/// `backward` of the share loss / parts. Called for each of `parts` batches of equal size before one
/// optimiser step, it leaves the gradient of the mean loss over all of them. (Batch statistics and
/// contrastive losses still see one batch at a time.) `scale` multiplies the gradients, as GradScaler wants.
template <class T, class Device>
void backward_share(const Tensor<T, Device>& loss, Index parts, double scale = 1) {
  TMOR_CHECK(parts >= 1, "[backward_share] of ", parts, " parts: give at least 1");
  TMOR_CHECK_SHAPE(loss.numel() == 1, "[backward_share] needs a scalar loss, got shape ", loss.shape());
  backward(loss,
           Tensor<T, Device>::full(
               loss.shape(), static_cast<T>(static_cast<compute_t<T>>(scale / static_cast<double>(parts)))));
}

}  // namespace optim
TMOR_END
