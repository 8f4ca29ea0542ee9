#pragma once
/// @file params.hpp
/// Which parameters an optimiser trains and with what: weight decay where the module asks for it, rules by
/// name for the rest. Shared by the optimisers.

#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tmor/core/module.hpp"
#include "tmor/core/suggest.hpp"
#include "tmor/cpu/pointwise.hpp"
#include "tmor/cpu/update.hpp"

TMOR_BEGIN
namespace optim {

/// Settings of the parameters below one name, in place of the optimiser's own. The rule with the longest
/// matching prefix holds.
struct ParamRule {
  std::string prefix = {};  ///< "text" holds for "text" and "text.blocks.0.w", not for "texture"
  double lr_scale = 1;      ///< times the learning rate; 0 leaves the parameters as they are
  std::optional<double> weight_decay =
      {};  ///< of all of them, norms and biases too; unset: as without the rule
};

/// One trained parameter and its settings.
template <class T, class Device> struct TrainedParam {
  std::string name;
  Tensor<T, Device> tensor;
  double lr_scale = 1;
  double weight_decay = 0;
};

namespace detail {

inline bool has_prefix(std::string_view name, std::string_view prefix) {
  return name.substr(0, prefix.size()) == prefix &&
         (prefix.empty() || prefix.back() == '.' || name.size() == prefix.size() ||
          name[prefix.size()] == '.');
}

/// The parameters that require a gradient, with their settings.
/// @throws Error for one that is not contiguous, or a rule that holds for none.
template <class T, class Device>
std::vector<TrainedParam<T, Device>> trained_params(const std::vector<NamedParam<T, Device>>& params,
                                                    double weight_decay,
                                                    const std::vector<ParamRule>& rules) {
  std::vector<TrainedParam<T, Device>> out;
  for (const auto& p : params) {
    if (!p.tensor.requires_grad()) continue;
    TMOR_CHECK(p.tensor.is_contiguous(), "[optim] parameter '", p.name, "' ", p.tensor.shape(),
               " is not contiguous: clone it before making the optimiser");
    const ParamRule* rule = nullptr;
    for (const auto& r : rules)
      if (has_prefix(p.name, r.prefix) && (!rule || r.prefix.size() > rule->prefix.size())) rule = &r;
    const double own = p.decay == Decay::yes ? weight_decay : 0;
    out.push_back(
        {p.name, p.tensor, rule ? rule->lr_scale : 1, rule ? rule->weight_decay.value_or(own) : own});
  }
  std::vector<std::string> names;
  for (const auto& p : params) names.push_back(p.name);
  for (const auto& r : rules) {
    bool used = false;
    for (const auto& name : names) used |= has_prefix(name, r.prefix);
    TMOR_CHECK(used, "[optim] the rule for '", r.prefix, "' holds for no parameter; did you mean '",
               nearest_name(r.prefix, names), "'?");
    TMOR_CHECK(r.lr_scale >= 0 && r.weight_decay.value_or(0) >= 0, "[optim] the rule for '", r.prefix,
               "' has a negative lr_scale or weight_decay");
  }
  return out;
}

/// The gradient of `p` as contiguous memory of equal shape, or undefined when there is none.
template <class T, class Device> Tensor<T, Device> contiguous_grad(const Tensor<T, Device>& p) {
  const Tensor<T, Device> g = p.grad();
  if (!g.defined() || g.is_contiguous()) return g;
  auto own = Tensor<T, Device>::empty(g.shape());
  copy_into(Device{}, own, g);
  p.set_grad(own);
  return own;
}

/// What the optimisers have in common: the trained parameters, the options, and the checks of both.
template <class T, class Device, class Options> class OptimizerBase {
 public:
  using value_type = T;
  using device_type = Device;

  void clear_grads() const {
    for (const auto& p : params_) p.tensor.clear_grad();
  }
  const Options& options() const { return options_; }
  const std::vector<TrainedParam<T, Device>>& params() const { return params_; }

 protected:
  /// `settings` beside the learning rate and the weight decay may not be negative either.
  OptimizerBase(const char* name, const std::vector<NamedParam<T, Device>>& params, const Options& options,
                const std::vector<std::pair<const char*, double>>& settings)
      : options_(options), params_(trained_params(params, options.weight_decay, options.rules)) {
    const auto check = [name](const char* setting, double value) {
      TMOR_CHECK(value >= 0, "[", name, "] ", setting, " is ", value, ": it must not be negative");
    };
    check("lr", options.lr);
    check("weight_decay", options.weight_decay);
    for (const auto& [setting, value] : settings) check(setting, value);
  }

  Options options_;
  std::vector<TrainedParam<T, Device>> params_;
};

}  // namespace detail

}  // namespace optim
TMOR_END
