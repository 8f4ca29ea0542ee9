#pragma once
/// @file norm.hpp
/// Normalisation layers over the last (channel) dimension; see ops/norm.hpp for what each computes.

#include "tmor/nn/init.hpp"
#include "tmor/ops/norm.hpp"

TMOR_BEGIN
namespace nn {

/// Layer normalisation (Ba et al. 2016) over the last dimension, with scale and shift.
template <class T = float, class Device = Cpu> struct LayerNorm {
  Param<T, Device> gamma, beta;  ///< (C,)
  double eps = 1e-5;

  LayerNorm() = default;
  explicit LayerNorm(Index channels, double epsilon = 1e-5)
      : gamma(init::constant<param_t<T>, Device>({channels}, 1)),
        beta(init::constant<param_t<T>, Device>({channels}, 0)),
        eps(epsilon) {}
  static void visit(auto& self, auto&& v) {
    v.param("gamma", self.gamma, no_decay);
    v.param("beta", self.beta, no_decay);
    v.setting("eps", self.eps);
  }
  Tensor<T, Device> operator()(const Tensor<T, Device>& x) const { return layer_norm(x, gamma, beta, eps); }
};

/// Root-mean-square normalisation (Zhang and Sennrich 2019) over the last dimension, with scale.
template <class T = float, class Device = Cpu> struct RmsNorm {
  Param<T, Device> gamma;  ///< (C,)
  double eps = 1e-6;

  RmsNorm() = default;
  explicit RmsNorm(Index channels, double epsilon = 1e-6)
      : gamma(init::constant<param_t<T>, Device>({channels}, 1)), eps(epsilon) {}
  static void visit(auto& self, auto&& v) {
    v.param("gamma", self.gamma, no_decay);
    v.setting("eps", self.eps);
  }
  Tensor<T, Device> operator()(const Tensor<T, Device>& x) const { return rms_norm(x, gamma, eps); }
};

/// Batch normalisation (Ioffe and Szegedy 2015) of the last dimension over all others. While training it
/// uses, and averages into its buffers, the statistics of the batch; else the averages. `frozen` uses the
/// averages always.
template <class T = float, class Device = Cpu> struct BatchNorm {
  Param<T, Device> gamma, beta;                ///< (C,)
  Param<T, Device> running_mean, running_var;  ///< (C,) buffers
  double momentum = 0.1, eps = 1e-5;
  bool frozen = false;

  BatchNorm() = default;
  explicit BatchNorm(Index channels, double gamma_init = 1)
      : gamma(init::constant<param_t<T>, Device>({channels}, gamma_init)),
        beta(init::constant<param_t<T>, Device>({channels}, 0)),
        running_mean(Param<T, Device>::zeros({channels})),
        running_var(Param<T, Device>::ones({channels})) {}
  static void visit(auto& self, auto&& v) {
    v.param("gamma", self.gamma, no_decay);
    v.param("beta", self.beta, no_decay);
    v.buffer("running_mean", self.running_mean);
    v.buffer("running_var", self.running_var);
    v.setting("momentum", self.momentum);
    v.setting("eps", self.eps);
    v.setting("frozen", self.frozen);
  }
  Tensor<T, Device> operator()(const Tensor<T, Device>& x, const Context& ctx) const {
    return batch_norm(x, gamma, beta, running_mean, running_var, ctx.training && !frozen, momentum, eps);
  }
  /// relu(norm(x) + residual) in one pass; an undefined residual is none.
  Tensor<T, Device> relu(const Tensor<T, Device>& x, const Tensor<T, Device>& residual,
                         const Context& ctx) const {
    return batch_norm_relu(x, residual, gamma, beta, running_mean, running_var, ctx.training && !frozen,
                           momentum, eps);
  }
};

/// Group normalisation (Wu and He 2018): channels in `groups`, statistics over a group and all middle
/// dimensions.
template <class T = float, class Device = Cpu> struct GroupNorm {
  Param<T, Device> gamma, beta;  ///< (C,)
  Index groups = 1;
  double eps = 1e-5;

  GroupNorm() = default;
  GroupNorm(Index n_groups, Index channels, double epsilon = 1e-5)
      : gamma(init::constant<param_t<T>, Device>({channels}, 1)),
        beta(init::constant<param_t<T>, Device>({channels}, 0)),
        groups(n_groups),
        eps(epsilon) {
    TMOR_CHECK(n_groups > 0 && channels % n_groups == 0, "[GroupNorm] ", channels, " channels in ", n_groups,
               " groups");
  }
  static void visit(auto& self, auto&& v) {
    v.param("gamma", self.gamma, no_decay);
    v.param("beta", self.beta, no_decay);
    v.setting("groups", self.groups);
    v.setting("eps", self.eps);
  }
  Tensor<T, Device> operator()(const Tensor<T, Device>& x) const {
    return group_norm(x, groups, gamma, beta, eps);
  }
};

}  // namespace nn
TMOR_END
