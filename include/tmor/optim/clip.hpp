#pragma once
/// @file clip.hpp
/// Bounding gradients between `backward` and the optimiser's step.

#include "tmor/core/finite.hpp"
#include "tmor/optim/params.hpp"

TMOR_BEGIN
namespace optim {

namespace detail {
template <class T> struct ScaleRule {
  static constexpr int writes = 1;
  T factor;
  template <class V> TMOR_HD TMOR_ALWAYS_INLINE void operator()(V (&x)[1]) const { x[0] *= V(factor); }
};
template <class T> struct ClampRule {
  static constexpr int writes = 1;
  T limit;
  template <class V> TMOR_HD TMOR_ALWAYS_INLINE void operator()(V (&x)[1]) const {
    const V high = select(x[0] > V(limit), V(limit), x[0]);  // NaN stays NaN
    x[0] = select(high < V(-limit), V(-limit), high);
  }
};

/// Changes every gradient there is, in place. `Params`: NamedParam or TrainedParam.
template <class Rule, template <class, class> class P, class T, class Device>
void update_grads(const std::vector<P<T, Device>>& params, const Rule& rule) {
  std::vector<UpdatePart<T, 1, Rule>> parts;
  for (const auto& p : params) {
    const auto g = contiguous_grad(p.tensor);
    if (g.defined()) parts.push_back({rule, {g.mutable_data()}, g.numel()});
  }
  run_update(Device{}, parts);
}
}  // namespace detail

/// The Euclidean norm of all gradients taken as one vector, summed in a fixed order; 0 when there are none.
/// `params`: of `parameters(model)` or `optimizer.params()`.
template <template <class, class> class P, class T, class Device>
double grad_norm(const std::vector<P<T, Device>>& params) {
  std::vector<ReadPart<T>> parts;
  std::vector<Tensor<T, Device>> alive;
  for (const auto& p : params) {
    const auto g = detail::contiguous_grad(p.tensor);
    if (!g.defined()) continue;
    parts.push_back({g.data(), g.numel()});
    alive.push_back(g);
  }
  return std::sqrt(sum_of_squares(Device{}, parts));
}

/// Scales all gradients so that their common norm is at most `max_norm`, and returns the norm they had. When
/// that is infinite or NaN (`!is_finite(norm)`), the gradients stay as they are: skip the step or stop.
/// @throws Error unless max_norm > 0.
template <template <class, class> class P, class T, class Device>
double clip_grad_norm(const std::vector<P<T, Device>>& params, double max_norm) {
  TMOR_CHECK(max_norm > 0, "[clip_grad_norm] max_norm is ", max_norm, ", it must be above 0");
  const double norm = grad_norm(params);
  const double factor = max_norm / (norm + 1e-6);  // the small number as in PyTorch
  if (is_finite(norm) && factor < 1)
    detail::update_grads(params, detail::ScaleRule<T>{static_cast<T>(factor)});
  return norm;
}

/// Limits every element of every gradient to [-limit, limit]; NaN stays. @throws Error unless limit > 0.
template <template <class, class> class P, class T, class Device>
void clip_grad_value(const std::vector<P<T, Device>>& params, double limit) {
  TMOR_CHECK(limit > 0, "[clip_grad_value] limit is ", limit, ", it must be above 0");
  detail::update_grads(params, detail::ClampRule<T>{static_cast<T>(limit)});
}

}  // namespace optim
TMOR_END
