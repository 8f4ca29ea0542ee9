#pragma once
/// @file sequential.hpp
/// Layers one after another. A list of equal layers needs no class: a `std::vector` of modules is visited by
/// itself.

#include <tuple>

#include "tmor/core/module.hpp"

TMOR_BEGIN
namespace nn {

/// Applies its layers in turn: `Sequential net{Linear<>(rng, 8, 16), Act{...}, Linear<>(rng, 16, 2)}`. A
/// layer is called with (x, context), or with (x) where it takes no context; a plain function or lambda does
/// too.
template <class... Layers> struct Sequential {
  std::tuple<Layers...> layers;

  Sequential() = default;
  explicit Sequential(Layers... l) : layers(std::move(l)...) {}
  static void visit(auto& self, auto&& v) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (visit_layer(std::to_string(I), std::get<I>(self.layers), v), ...);
    }
    (std::index_sequence_for<Layers...>{});
  }
  template <class X> auto operator()(const X& x, const Context& ctx) const { return apply<0>(x, ctx); }

 private:
  template <class L> static void visit_layer(const std::string& name, L& layer, auto&& v) {
    if constexpr (requires { std::remove_const_t<L>::visit(layer, v); }) v.module(name, layer);
  }
  template <std::size_t I, class X> auto apply(const X& x, const Context& ctx) const {
    if constexpr (I == sizeof...(Layers)) {
      return x;
    } else if constexpr (requires { std::get<I>(layers)(x, ctx); }) {
      return apply<I + 1>(std::get<I>(layers)(x, ctx), ctx);
    } else {
      return apply<I + 1>(std::get<I>(layers)(x), ctx);
    }
  }
};
template <class... Layers> Sequential(Layers...) -> Sequential<Layers...>;

}  // namespace nn
TMOR_END
