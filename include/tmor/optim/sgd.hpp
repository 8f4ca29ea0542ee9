#pragma once
/// @file sgd.hpp
/// Stochastic gradient descent with momentum (Sutskever et al. 2013, in the form PyTorch uses), all
/// parameters in one fused pass.

#include "tmor/optim/params.hpp"

TMOR_BEGIN
namespace optim {

/// Settings of `Sgd`.
struct SgdOptions {
  double lr = 0.1;
  double momentum = 0;
  bool nesterov = false;    ///< look ahead along the momentum; needs momentum > 0
  double weight_decay = 0;  ///< added to the gradient as weight_decay * p, where the module asks for decay
  bool keep_grads =
      false;  ///< a step uses the gradients up; true leaves them, and more would be added to them
  std::vector<ParamRule> rules = {};
};

namespace detail {
/// b = momentum * b + g; p -= lr * b, or with Nesterov p -= lr * (g + momentum * b).
template <class T> struct MomentumRule {
  static constexpr int writes = 2;
  T lr, momentum, decay;
  bool nesterov;
  /// x: parameter, momentum buffer, gradient.
  template <class V> TMOR_HD TMOR_ALWAYS_INLINE void operator()(V (&x)[3]) const {
    const V g = x[2] + V(decay) * x[0];
    x[1] = V(momentum) * x[1] + g;
    x[0] -= V(lr) * (nesterov ? g + V(momentum) * x[1] : x[1]);
  }
};
template <class T> struct SgdRule {
  static constexpr int writes = 1;
  T lr, decay;
  /// x: parameter, gradient.
  template <class V> TMOR_HD TMOR_ALWAYS_INLINE void operator()(V (&x)[2]) const {
    x[0] -= V(lr) * (x[1] + V(decay) * x[0]);
  }
};
}  // namespace detail

/// The optimiser of the parameters that require a gradient when it is made.
template <class T = float, class Device = Cpu>
class Sgd : public detail::OptimizerBase<T, Device, SgdOptions> {
  using Base = detail::OptimizerBase<T, Device, SgdOptions>;
  using Base::options_, Base::params_;

 public:
  /// @throws Error for settings out of range, a rule that holds for no parameter, or a parameter that is not
  /// contiguous.
  explicit Sgd(const std::vector<NamedParam<T, Device>>& params, const SgdOptions& options = {})
      : Base("Sgd", params, options, {{"momentum", options.momentum}}) {
    TMOR_CHECK(!options.nesterov || options.momentum > 0, "[Sgd] nesterov needs a momentum above 0");
    if (options.momentum > 0)
      for (const auto& p : params_) buffer_.push_back(Tensor<T, Device>::zeros(p.tensor.shape()));
  }

  /// One step with learning rate `lr`. A parameter without a gradient is left as it is, state and all.
  void step(double lr) {
    std::vector<UpdatePart<T, 3, detail::MomentumRule<T>>> with_momentum;
    std::vector<UpdatePart<T, 2, detail::SgdRule<T>>> plain;
    for (std::size_t i = 0; i < params_.size(); ++i) {
      const auto& p = params_[i];
      const auto g = detail::contiguous_grad(p.tensor);
      if (!g.defined() || p.lr_scale == 0) continue;
      const T rate = static_cast<T>(lr * p.lr_scale), decay = static_cast<T>(p.weight_decay);
      T* const grad = const_cast<T*>(g.data());
      if (buffer_.empty()) {
        plain.push_back({{rate, decay}, {p.tensor.mutable_data(), grad}, p.tensor.numel()});
      } else {
        with_momentum.push_back({{rate, static_cast<T>(options_.momentum), decay, options_.nesterov},
                                 {p.tensor.mutable_data(), buffer_[i].mutable_data(), grad},
                                 p.tensor.numel()});
      }
    }
    run_update(Device{}, with_momentum);
    run_update(Device{}, plain);
    if (!options_.keep_grads) this->clear_grads();
  }
  /// One step with the learning rate of the options.
  void step() { step(options_.lr); }

  /// What is saved: the momentum of every parameter.
  static void visit(auto& self, auto&& v) {
    for (std::size_t i = 0; i < self.buffer_.size(); ++i)
      v.buffer((self.params_[i].name + ".momentum").c_str(), self.buffer_[i]);
  }

 private:
  std::vector<Tensor<T, Device>> buffer_;
};

}  // namespace optim
TMOR_END
