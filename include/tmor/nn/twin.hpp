#pragma once
/// @file twin.hpp
/// Modules on another device, or with other activations: `to<Cuda>(net)` is the same network there,
/// `copy_tensors(from, to)` brings numbers back; `to<bf16>(net)` is the network itself, its parameters
/// shared, computing in bf16.
///
///     auto there = to<Cuda>(net);                        // Unik<float, Cuda> of a Unik<float>
///     optim::AdamW<float, Cuda> adam(parameters<float, Cuda>(there));
///     ...                                                // train it there
///     copy_tensors(there, net);
///
///     const auto half = to<bf16>(net);                   // Unik<bf16> of net's own float parameters
///     backward(loss(half(x, ctx)));                      // their gradients, in float, for net's optimiser

#include <functional>

#include "tmor/core/module.hpp"
#include "tmor/ops/device.hpp"

TMOR_BEGIN
namespace detail {

template <class X> inline constexpr char type_tag = 0;  // its address tells types apart

/// What one place of a `visit` held: a tensor, a setting, or how many parts follow.
struct Visited {
  std::string name;
  const void* type;
  const void* at;     ///< the tensor or setting
  std::size_t count;  ///< of a list, of an optional module, or number of the alternative
  void* twin;         ///< the tensor made of it
};

template <class Parts> std::size_t count_of(const Parts& p) {
  if constexpr (is_list<Parts>) {
    return p.size();
  } else if constexpr (is_optional<Parts>) {
    return p ? 1 : 0;
  } else {
    return p.index();
  }
}
template <std::size_t I = 0, class... M> void emplace_alternative(std::variant<M...>& v, std::size_t index) {
  if constexpr (I < sizeof...(M)) {
    if (index == I)
      v.template emplace<I>();
    else
      emplace_alternative<I + 1>(v, index);
  }
}

/// Notes all places of a module.
class ModuleReader : public PathWalker<ModuleReader> {
  friend class PathWalker<ModuleReader>;

 public:
  template <class Tn> void param(const char* name, const Tn& t, Decay = Decay::yes) { setting(name, t); }
  template <class Tn> void buffer(const char* name, const Tn& t) { setting(name, t); }
  template <class S> void setting(const char* name, const S& s) {
    places.push_back({path_ + name, &type_tag<S>, &s, 0, nullptr});
  }
  std::vector<Visited> places;

 private:
  template <class Parts> void parts(const Parts& p) {
    places.push_back({path_, nullptr, nullptr, count_of(p), nullptr});
  }
};

/// Walks a fresh module along the places of another on device `From`, and makes it the same: with copies of
/// its tensors on another device, with its tensors themselves on the same.
template <class From, class To> class ModuleWriter : public PathWalker<ModuleWriter<From, To>> {
  friend class PathWalker<ModuleWriter>;

 public:
  explicit ModuleWriter(std::vector<Visited>& places) : places_(places) {}

  template <class T> void param(const char* name, Tensor<T, To>& t, Decay = Decay::yes) {
    Visited& place = next(name, &type_tag<Tensor<T, From>>);
    const auto& source = *static_cast<const Tensor<T, From>*>(place.at);
    place.twin = &t;
    t = {};
    if (!source.defined()) return;
    if constexpr (std::is_same_v<From, To>) {
      t = source;
    } else {
      for (const Visited* p = places_.data(); p != &place; ++p)  // tied tensors stay tied
        if (p->type == place.type && static_cast<const Tensor<T, From>*>(p->at)->defined() &&
            static_cast<const Tensor<T, From>*>(p->at)->same_view(source)) {
          t = *static_cast<const Tensor<T, To>*>(p->twin);
          return;
        }
      t = tmor::to<To>(source.detach());
      if constexpr (is_floating<T>) t.requires_grad_(source.requires_grad());
    }
  }
  template <class T> void buffer(const char* name, Tensor<T, To>& t) { param(name, t); }
  template <class S> void setting(const char* name, S& s) {
    s = *static_cast<const S*>(next(name, &type_tag<S>).at);
  }
  void finish() const {
    TMOR_CHECK(at_ == places_.size(), "[to] the twin does not visit '", places_[at_].name, "'");
  }

 private:
  template <class Parts> void parts(Parts& p) {
    const std::size_t n = next("", nullptr).count;
    if constexpr (is_list<Parts>) {
      p.clear();
      p.resize(n);
    } else if constexpr (is_optional<Parts>) {
      p.reset();
      if (n > 0) p.emplace();
    } else {
      emplace_alternative(p, n);
    }
  }
  Visited& next(const char* name, const void* type) {
    const std::string full = this->path_ + name;
    TMOR_CHECK(at_ < places_.size() && places_[at_].name == full && places_[at_].type == type, "[to] '",
               at_ < places_.size() ? places_[at_].name : "the end", "' of a module meets '", full,
               "' of its twin: visit must name the same members whatever they hold");
    return places_[at_++];
  }

  std::vector<Visited>& places_;
  std::size_t at_ = 0;
};

/// The type of `M`'s twin on device `To`, or with activations `To`, and the element type and device of `M`;
/// `M` itself where it names no device.
template <class M, class To> struct Twin {
  using type = M;
  using From = To;
  using Element = To;
};
template <class T, class D, class To> struct TwinArguments {
  using Element = std::conditional_t<DeviceTag<To>, T, To>;
  using Device = std::conditional_t<DeviceTag<To>, To, D>;
};
template <template <class, class> class M, class T, class D, class To>
requires DeviceTag<D>
struct Twin<M<T, D>, To> {
  using Of = TwinArguments<T, D, To>;
  using type = M<typename Of::Element, typename Of::Device>;
  using From = D;
  using Element = T;
};
template <template <template <class, class> class, class, class, class> class M,
          template <class, class> class Block, class Config, class T, class D, class To>
requires DeviceTag<D>
struct Twin<M<Block, Config, T, D>, To> {
  using Of = TwinArguments<T, D, To>;
  using type = M<Block, Config, typename Of::Element, typename Of::Device>;
  using From = D;
  using Element = T;
};

struct AnyVisitor {};

}  // namespace detail

/// Has a `visit`. Tensors have none.
template <class M>
concept Module = requires(const M& m, detail::AnyVisitor& v) {
  M::visit(m, v);
};

namespace detail {
template <class Twin, class From, class To, class M> Twin make_twin(const M& module) {
  ModuleReader reader;
  M::visit(module, reader);
  ModuleWriter<From, To> writer(reader.places);
  Twin twin;
  Twin::visit(twin, writer);
  writer.finish();
  return twin;
}
}  // namespace detail

/// The same module on device `To`, or the module itself where it is there: parameters (trained or frozen, as
/// they are), buffers and settings copied along its `visit`, tied tensors tied. Gradients are not copied. A
/// type of one's own has the form `M<T, Device>` and a default constructor, and visits every member:
/// of a plain one that is no `setting`, the twin has the default.
/// @throws Error where a `visit` leaves members out depending on what they hold.
template <class To, Module M>
requires DeviceTag<To>
typename detail::Twin<M, To>::type to(const M& module) {
  using Twin = detail::Twin<M, To>;
  if constexpr (std::is_same_v<typename Twin::From, To>) {
    return module;
  } else {
    return detail::make_twin<typename Twin::type, typename Twin::From, To>(module);
  }
}

/// The same module with activations `T` (bf16 or f16, or float again), on the same device: it has the
/// parameters and buffers of `module`, not copies. These stay float whatever `T` is, so one set of numbers is
/// trained, averaged and saved, and one optimiser steps it, whichever of the modules computes a loss.
/// Settings are copied as they are now.
/// @throws Error where a `visit` leaves members out depending on what they hold.
template <class T, Module M>
requires(!DeviceTag<T>) typename detail::Twin<M, T>::type to(const M& module) {
  using Twin = detail::Twin<M, T>;
  if constexpr (std::is_same_v<typename Twin::Element, T>) {
    return module;
  } else {
    static_assert(std::is_same_v<param_t<T>, param_t<typename Twin::Element>>,
                  "parameters are shared: they are double with activations double, else float");
    return detail::make_twin<typename Twin::type, typename Twin::From, typename Twin::From>(module);
  }
}

/// Copies the numbers of all parameters and buffers between modules of one structure, on whatever devices;
/// their tensors stay the same. Nothing is copied when anything differs.
/// @throws Error naming the first tensor that is missing, or of another type or shape.
template <class A, class B> void copy_tensors(const A& from, const B& to) {
  struct Source {
    std::string name;
    DType dtype;
    Shape shape;
    std::function<void(void*)> read;
  };
  std::vector<Source> sources;
  const auto note = [&]<class T, class D>(const std::string& name, const Tensor<T, D>& t, auto...) {
    sources.push_back({name, dtype_of<T>, t.shape(), [t](void* host) { t.read(static_cast<T*>(host)); }});
  };
  visit_tensors(from, note, note);
  std::size_t at = 0;
  const auto check = [&]<class T, class D>(const std::string& name, const Tensor<T, D>& t, auto...) {
    TMOR_CHECK(at < sources.size(), "[copy_tensors] '", name, "' is in the second module only");
    const Source& s = sources[at++];
    TMOR_CHECK(s.name == name, "[copy_tensors] '", s.name, "' of the first module meets '", name,
               "' of the second: they are built differently");
    TMOR_CHECK(s.dtype == dtype_of<T> && s.shape == t.shape(), "[copy_tensors] '", name, "' is ",
               dtype_name(s.dtype), " ", s.shape, " in the first module and ", dtype_name(dtype_of<T>), " ",
               t.shape(), " in the second");
  };
  visit_tensors(to, check, check);
  TMOR_CHECK(at == sources.size(), "[copy_tensors] '", sources[at].name, "' is in the first module only");
  at = 0;
  const auto copy = [&]<class T, class D>(const std::string&, const Tensor<T, D>& t, auto...) {
    const auto values = std::make_unique<T[]>(static_cast<std::size_t>(t.numel()));
    sources[at++].read(values.get());
    if (t.is_contiguous())
      copy_from_host(D{}, t.mutable_data(), values.get(), t.numel());
    else
      copy_into(D{}, t.detach(), Tensor<T, D>::from_pointer(values.get(), t.shape()));
  };
  visit_tensors(to, copy, copy);
}

TMOR_END
