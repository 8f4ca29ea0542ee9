#pragma once
/// @file adamw.hpp
/// Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019), all parameters in one fused pass.

#include "tmor/optim/params.hpp"

TMOR_BEGIN
namespace optim {

/// Settings of `AdamW`; the defaults are PyTorch's.
struct AdamWOptions {
  double lr = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;  ///< of parameters whose module asks for decay
  /// True (AdamW): parameters shrink by lr * weight_decay a step. False (Adam): weight_decay * p is added to
  /// the gradient.
  bool decoupled = true;
  bool keep_grads =
      false;  ///< a step uses the gradients up; true leaves them, and more would be added to them
  std::vector<ParamRule> rules = {};
};

namespace detail {
/// The update of one element, with everything that depends on the step alone worked out.
template <class T> struct AdamRule {
  static constexpr int writes = 3;
  T beta1_rest, beta2, beta2_rest, eps;
  T shrink;    ///< 1 - lr * decay
  T l2;        ///< decay added to the gradient
  T rate;      ///< lr / (1 - beta1^t)
  T unbiased;  ///< 1 / sqrt(1 - beta2^t)

  /// x: parameter, mean of the gradient, mean of its square, gradient.
  template <class V> TMOR_HD TMOR_ALWAYS_INLINE void operator()(V (&x)[4]) const {
    const V p = x[0] * V(shrink), g = x[3] + V(l2) * x[0];
    x[1] += V(beta1_rest) * (g - x[1]);
    x[2] = V(beta2) * x[2] + V(beta2_rest) * g * g;
    x[0] = p - V(rate) * x[1] / (math::sqrt(x[2]) * V(unbiased) + V(eps));
  }
};
}  // namespace detail

/// The optimiser of the parameters that require a gradient when it is made.
///
///     optim::AdamW opt(parameters(model), {.lr = 3e-4, .weight_decay = 0.05});
///     backward(loss);
///     opt.step();                                // or opt.step(lr) from a Schedule
template <class T = float, class Device = Cpu>
class AdamW : public detail::OptimizerBase<T, Device, AdamWOptions> {
  using Base = detail::OptimizerBase<T, Device, AdamWOptions>;
  using Base::options_, Base::params_;

 public:
  /// @throws Error for settings out of range, a rule that holds for no parameter, or a parameter that is not
  /// contiguous.
  explicit AdamW(const std::vector<NamedParam<T, Device>>& params, const AdamWOptions& options = {})
      : Base("AdamW", params, options,
             {{"beta1", options.beta1}, {"beta2", options.beta2}, {"eps", options.eps}}) {
    TMOR_CHECK(options.beta1 < 1 && options.beta2 < 1, "[AdamW] betas ", options.beta1, " and ",
               options.beta2, ": they must be below 1");
    for (const auto& p : params_) {
      mean_.push_back(Tensor<T, Device>::zeros(p.tensor.shape()));
      square_.push_back(Tensor<T, Device>::zeros(p.tensor.shape()));
    }
    steps_ = Tensor<Index>::zeros({static_cast<Index>(params_.size())});
  }

  /// One step with learning rate `lr`. A parameter without a gradient is left as it is, state and all.
  void step(double lr) {
    using Rule = detail::AdamRule<T>;
    std::vector<UpdatePart<T, 4, Rule>> parts;
    Index* const steps = steps_.mutable_data();
    for (std::size_t i = 0; i < params_.size(); ++i) {
      const auto& p = params_[i];
      const auto g = detail::contiguous_grad(p.tensor);
      if (!g.defined() || p.lr_scale == 0) continue;
      const auto t = static_cast<double>(++steps[i]);
      const double rate = lr * p.lr_scale, decay = p.weight_decay;
      const Rule rule{.beta1_rest = static_cast<T>(1 - options_.beta1),
                      .beta2 = static_cast<T>(options_.beta2),
                      .beta2_rest = static_cast<T>(1 - options_.beta2),
                      .eps = static_cast<T>(options_.eps),
                      .shrink = static_cast<T>(options_.decoupled ? 1 - rate * decay : 1),
                      .l2 = static_cast<T>(options_.decoupled ? 0 : decay),
                      .rate = static_cast<T>(rate / (1 - std::pow(options_.beta1, t))),
                      .unbiased = static_cast<T>(1 / std::sqrt(1 - std::pow(options_.beta2, t)))};
      parts.push_back({rule,
                       {p.tensor.mutable_data(), mean_[i].mutable_data(), square_[i].mutable_data(),
                        const_cast<T*>(g.data())},
                       p.tensor.numel()});
    }
    run_update(Device{}, parts);
    if (!options_.keep_grads) this->clear_grads();
  }
  /// One step with the learning rate of the options.
  void step() { step(options_.lr); }

  /// What is saved: the two means of every parameter, and how many steps each has seen.
  static void visit(auto& self, auto&& v) {
    for (std::size_t i = 0; i < self.params_.size(); ++i) {
      v.buffer((self.params_[i].name + ".mean").c_str(), self.mean_[i]);
      v.buffer((self.params_[i].name + ".square").c_str(), self.square_[i]);
    }
    v.buffer("steps", self.steps_);
  }

 private:
  std::vector<Tensor<T, Device>> mean_, square_;
  Tensor<Index> steps_;
};

/// `AdamW` as Adam: weight decay, if any, goes into the gradient.
inline AdamWOptions adam_options(double lr = 1e-3, double weight_decay = 0) {
  return {.lr = lr, .weight_decay = weight_decay, .decoupled = false};
}

}  // namespace optim
TMOR_END
