#pragma once
/// @file module.hpp
/// How a layer describes itself, once, for everybody:
///
///     template <class T = float, class Device = Cpu>
///     struct Gate {
///       Linear<T, Device> up, down;
///       Param<T, Device> scale;                       // a float tensor (double when T is double)
///       static void visit(auto& self, auto&& v) {
///         v.module("up", self.up);
///         v.module("down", self.down);
///         v.param("scale", self.scale, no_decay);     // or just v.param("w", self.w)
///         v.buffer("seen", self.seen);                // saved, but not trained
///         v.setting("eps", self.eps);                 // any other member, for `to<Device>` to copy
///       }
///       Tensor<T, Device> operator()(const Tensor<T, Device>& x, const Context& ctx) const;
///     };
///
/// Optimisers, checkpoints, `to<Device>`, `summary`, gradient norms and averages all come from this one
/// function. A module holds tensors, and copying it shares them. Whether it trains, and where random numbers
/// come from, is not its state: it arrives with each call in a `Context`.

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tmor/core/rng.hpp"
#include "tmor/core/tensor.hpp"

TMOR_BEGIN

/// What a forward pass is told besides its input.
struct Context {
  bool training = false;  ///< batch statistics, dropout; off: running statistics, no randomness
  Rng* rng = nullptr;     ///< source of dropout masks; needed when training a model that has any
  double loss_scale = 1;  ///< factor of the gradients that a loss function which goes backward itself leaves

  /// The generator. @throws Error when the caller gave none.
  Rng& random() const {
    TMOR_CHECK(rng, "[Context] this model draws random numbers while training: pass Context{true, &rng}");
    return *rng;
  }
};

/// A trained tensor of a module with activations `T`: float, or double when `T` is double.
template <class T, class Device = Cpu> using Param = Tensor<param_t<T>, Device>;

/// Is a parameter shrunk by weight decay? Weights of products are; biases, norms and scales are not.
enum class Decay : bool { no, yes };
inline constexpr Decay no_decay = Decay::no;

namespace detail {

template <class M> inline constexpr bool is_list = false;
template <class M> inline constexpr bool is_list<std::vector<M>> = true;
template <class M> inline constexpr bool is_optional = false;
template <class M> inline constexpr bool is_optional<std::optional<M>> = true;

/// Follows a `visit` into modules, lists, optional ones and alternatives, keeping the dotted path
/// ("blocks.3.conv.w"). What is done with tensors and settings, and before parts are entered, `Self` says.
template <class Self> class PathWalker {
 public:
  template <class S> void setting(const char*, S&) {}
  template <class M> void module(const std::string& name, M& m) {
    const std::size_t before = path_.size();
    path_ += name + ".";
    enter(m);
    path_.resize(before);
  }
  /// A variant of modules, which visits as the one it holds.
  template <class Variant> void one_of(Variant& v) {
    self().parts(v);
    std::visit([this](auto& m) { this->enter(m); }, v);
  }

 protected:
  /// A list, an optional module or an alternative is about to be entered.
  template <class Parts> void parts(Parts&) {}
  std::string path_;

 private:
  Self& self() { return static_cast<Self&>(*this); }
  template <class M> void enter(M& m) {
    using Plain = std::remove_const_t<M>;
    if constexpr (is_list<Plain>) {
      self().parts(m);
      for (std::size_t i = 0; i < m.size(); ++i) module(std::to_string(i), m[i]);
    } else if constexpr (is_optional<Plain>) {
      self().parts(m);
      if (m) enter(*m);
    } else {
      Plain::visit(m, self());
    }
  }
};

/// Calls functions for every defined tensor.
template <class OnParam, class OnBuffer> class Walker : public PathWalker<Walker<OnParam, OnBuffer>> {
  friend class PathWalker<Walker>;

 public:
  Walker(OnParam p, OnBuffer b) : on_param_(std::move(p)), on_buffer_(std::move(b)) {}

  template <class Tn> void param(const char* name, Tn& t, Decay decay = Decay::yes) {
    if (t.defined()) on_param_(this->path_ + name, t, decay);
  }
  template <class Tn> void buffer(const char* name, Tn& t) {
    if (t.defined()) on_buffer_(this->path_ + name, t);
  }

 private:
  OnParam on_param_;
  OnBuffer on_buffer_;
};

}  // namespace detail

/// Calls `on_param(name, tensor, decay)` and `on_buffer(name, tensor)` for everything in `model`, in visiting
/// order. A tied parameter is met once for every place it has.
template <class M, class OnParam, class OnBuffer>
void visit_tensors(M& model, OnParam on_param, OnBuffer on_buffer) {
  detail::Walker<OnParam, OnBuffer> w(std::move(on_param), std::move(on_buffer));
  std::remove_const_t<M>::visit(model, w);
}

/// One parameter of a model.
template <class T = float, class Device = Cpu> struct NamedParam {
  std::string name;
  Tensor<T, Device> tensor;
  Decay decay = Decay::yes;
};

/// Every parameter of `model` once (tied ones under their first name), as handles that share its tensors.
/// `T` is float, or double for a model with double activations.
template <class T = float, class Device = Cpu, class M>
std::vector<NamedParam<T, Device>> parameters(const M& model) {
  std::vector<NamedParam<T, Device>> out;
  visit_tensors(
      model,
      [&](const std::string& name, const auto& t, Decay decay) {
        for (const auto& have : out)
          if (have.tensor.same_view(t)) return;
        out.push_back({name, t, decay});
      },
      [](const std::string&, const auto&) {});
  return out;
}

/// Number of trained values.
template <class T = float, class Device = Cpu, class M> Index parameter_count(const M& model) {
  Index n = 0;
  for (const auto& p : parameters<T, Device>(model)) n += p.tensor.numel();
  return n;
}

/// Forgets every gradient.
template <class T = float, class Device = Cpu, class M> void clear_grads(const M& model) {
  for (const auto& p : parameters<T, Device>(model)) p.tensor.clear_grad();
}

/// Wants, or no longer wants, gradients of every parameter: freezing a tower.
template <class T = float, class Device = Cpu, class M> void set_trainable(const M& model, bool on) {
  for (const auto& p : parameters<T, Device>(model)) p.tensor.requires_grad_(on);
}

TMOR_END
