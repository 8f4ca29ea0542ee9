#pragma once
/// @file pointwise.hpp
/// `pointwise(F{}, x, y, ...)`: one fused, broadcasting, differentiable pass over up to three tensors. The
/// functor is the only place where the formula stands; its gradient is the same text evaluated on dual
/// numbers:
///
///     struct Gate {
///       static constexpr const char* name = "gate";
///       template <class V> TMOR_HD V operator()(V a, V b) const { return a * math::sigmoid(b); }
///     };
///     auto y = pointwise(Gate{}, u, v);
///
/// `V` is float, a `Pack` of the instruction set's width, or a `Dual` of either: write `V(1)` for constants
/// and branch with `select(mask, a, b)`. A functor with `using result = bool` (or another type) gives that
/// type and has no gradient. A unary functor may offer `derivative_from_output(y)` where that is cheaper than
/// the dual number: then the output is saved instead of the input.

#include <tuple>

#include "tmor/autograd/node.hpp"
#include "tmor/core/math.hpp"
#include "tmor/cpu/pointwise.hpp"

TMOR_BEGIN

namespace detail {

template <class A, class B> struct Promote {
  // Floating wins over integer; among floats the wider; among integers the wider.
  static constexpr bool fa = is_floating<A>, fb = is_floating<B>;
  using type = std::conditional_t<
      fa && !fb, A,
      std::conditional_t<
          fb && !fa, B,
          std::conditional_t<std::is_same_v<A, B>, A,
                             std::conditional_t<fa && sizeof(A) == 2 && sizeof(B) == 2, float,
                                                std::conditional_t<(sizeof(A) >= sizeof(B)), A, B>>>>>;
};
template <class A, class... R> struct PromoteAll { using type = A; };
template <class A, class B, class... R>
struct PromoteAll<A, B, R...> : PromoteAll<typename Promote<A, B>::type, R...> {};

template <class F, class C> struct ResultOf { using type = C; };
template <class F, class C>
requires requires { typename F::result; }
struct ResultOf<F, C> {
  using type = typename F::result;
};

template <class F> constexpr bool has_fixed_result = requires { typename F::result; };
template <class F> constexpr bool has_derivative_from_output = requires(const F& f) {
  f.derivative_from_output(1.0f);
};
template <class F> constexpr const char* functor_name() {
  if constexpr (requires { F::name; }) {
    return F::name;
  } else {
    return "pointwise";
  }
}

/// dx = dy * f'(y) for functors that give their derivative from the output.
template <class F> struct OutputRule {
  F f;
  template <class V> TMOR_HD V operator()(V dy, V y) const { return dy * f.derivative_from_output(y); }
};

/// What the tape holds of `pointwise`: a struct, because nvcc does not take a lambda that captures a pack.
template <class C, class F, class To, class Device, class... Ts> struct PointwiseBackward {
  F f;
  std::tuple<Saved<Ts, Device>...> x;

  void operator()(const Tensor<To, Device>& dy, Grads& g) const {
    run(dy, g, std::index_sequence_for<Ts...>{});
  }

 private:
  template <std::size_t... I>
  void run(const Tensor<To, Device>& dy, Grads& g, std::index_sequence<I...>) const {
    const bool wanted[] = {g.wants(static_cast<int>(I))...};
    const auto grads = run_pointwise_backward<C>(Device{}, f, dy, wanted, std::get<I>(x).get()...);
    (give(g, static_cast<int>(I), std::get<I>(grads)), ...);
  }
  template <class T> static void give(Grads& g, int i, const Tensor<T, Device>& d) {
    if constexpr (is_floating<T>)
      if (d.defined()) g.add(i, d);
  }
};

}  // namespace detail

/// Common element type of operands: floating before integer, then the wider.
template <class... Ts> using promote_t = typename detail::PromoteAll<Ts...>::type;
/// Element type of `pointwise(F{}, xs...)`: the common one, or `F::result`.
template <class F, class... Ts> using pointwise_t = typename detail::ResultOf<F, promote_t<Ts...>>::type;

/// y = f(xs...), element by element, shapes broadcast as in NumPy; differentiable in every floating input.
/// @throws ShapeError naming both shapes when they do not broadcast.
template <class F, class Device, class... Ts>
Tensor<pointwise_t<F, Ts...>, Device> pointwise(const F& f, const Tensor<Ts, Device>&... xs) {
  static_assert(sizeof...(Ts) >= 1 && sizeof...(Ts) <= 3, "pointwise takes one to three tensors");
  using P = promote_t<Ts...>;
  using C = compute_t<P>;
  using To = typename detail::ResultOf<F, P>::type;
  constexpr const char* name = detail::functor_name<F>();
  Shape shape;
  ((shape = broadcast_shapes(shape, xs.shape(), name)), ...);
  auto y = Tensor<To, Device>::empty(shape);
  run_pointwise<C>(Device{}, f, y, xs...);
  if constexpr (is_floating<To> && !detail::has_fixed_result<F>) {
    if (needs_grad(xs...)) {
      if constexpr (sizeof...(Ts) == 1 && detail::has_derivative_from_output<F>) {
        record(y, name, inputs(xs...), [f, y = save(y)](const Tensor<To, Device>& dy, Grads& g) {
          auto dx = Tensor<To, Device>::empty(dy.shape());
          run_pointwise<C>(Device{}, detail::OutputRule<F>{f}, dx, dy, y.get());
          g.add(0, dx);
        });
      } else {
        record(y, name, inputs(xs...), detail::PointwiseBackward<C, F, To, Device, Ts...>{f, {save(xs)...}});
      }
    }
  }
  return y;
}

/// Sums `x` down to `shape`, from which it was broadcast: the gradient of broadcasting. Not recorded. On a
/// GPU sums of bf16 and f16 may stay float: `sum_to<float>`.
template <class To = void, class T, class Device>
Tensor<std::conditional_t<std::is_void_v<To>, T, To>, Device> sum_to(const Tensor<T, Device>& x,
                                                                     const Shape& shape) {
  using R = std::conditional_t<std::is_void_v<To>, T, To>;
  if constexpr (std::is_same_v<R, T>)
    if (x.shape() == shape) return x;
  // The gradient of a broadcast copy, in the pass that every pointwise gradient takes.
  const bool wanted[] = {true};
  const auto like = Tensor<R, Device>::empty(shape);
  return std::get<0>(run_pointwise_backward<compute_t<T>>(Device{}, detail::CopyFunctor{}, x, wanted, like));
}

TMOR_END
