#pragma once
/// @file pointwise.hpp
/// How a pointwise functor runs on the CPU: forward over `Pack`s, backward over `Dual<Pack>`s of the same
/// functor, with the gradients of broadcast inputs summed in the same pass.

#include <array>
#include <tuple>
#include <type_traits>

#include "tmor/core/dual.hpp"
#include "tmor/core/pack_convert.hpp"
#include "tmor/core/tensor.hpp"
#include "tmor/cpu/loop.hpp"

TMOR_BEGIN

namespace cpu {

/// What a functor is evaluated on for compute type `C`: a `Pack` for float and double, `C` itself for
/// integers.
template <class C> struct Lanes {
  using V = C;
  static constexpr Index count = 1;
};
template <> struct Lanes<float> {
  using V = Pack<float>;
  static constexpr Index count = kLanes<float>;
};
template <> struct Lanes<double> {
  using V = Pack<double>;
  static constexpr Index count = kLanes<double>;
};

/// One row of an operand: element `i` is `p[i * stride]`.
template <class S> struct RowIn {
  const S* p;
  Index stride;

  /// `n` (at most the lane count) elements from `i`, converted to `V`; the other lanes hold the last one read
  /// or 0.
  template <class V, bool Full> V load(Index i, Index n) const {
    if constexpr (std::is_arithmetic_v<V>) {
      return static_cast<V>(p[i * stride]);
    } else {
      using C = typename V::value_type;
      if (stride == 1) {
        if constexpr (Full) {
          return load_as<V>(p + i);
        } else {
          return load_partial_as<V>(p + i, static_cast<int>(n));
        }
      }
      if (stride == 0) return V(static_cast<C>(p[0]));
      C lane[V::size] = {};
      for (Index j = 0; j < n; ++j) lane[j] = static_cast<C>(p[(i + j) * stride]);
      return V::load(lane);
    }
  }
};

/// One row of a result.
template <class S> struct RowOut {
  S* p;
  Index stride;

  template <bool Full, class V> void store(Index i, Index n, V v) const {
    if constexpr (std::is_arithmetic_v<V>) {
      p[i * stride] = static_cast<S>(v);
    } else if (stride == 1) {
      if constexpr (Full) {
        store_as(p + i, v);
      } else {
        store_partial_as(p + i, v, static_cast<int>(n));
      }
    } else {
      typename V::value_type lane[V::size];
      v.store(lane);
      for (Index j = 0; j < n; ++j) p[(i + j) * stride] = static_cast<S>(lane[j]);
    }
  }
};

/// `body(i, n, full)` over [begin, begin+count) a vector at a time; `full` is a `bool_constant`.
template <class C, class Body> TMOR_ALWAYS_INLINE void for_lanes(Index begin, Index count, Body&& body) {
  constexpr Index w = Lanes<C>::count;
  Index i = begin;
  for (const Index end = begin + count / w * w; i < end; i += w) body(i, w, std::true_type{});
  if (const Index rest = begin + count - i; rest > 0) body(i, rest, std::false_type{});
}

/// y = f(x...) with operands `plan`ned as (y, x...).
template <class C, class F, class To, class... Ti>
void pointwise_forward(const F& f, const LoopPlan& plan, To* y, const Ti*... x) {
  using V = typename Lanes<C>::V;
  const int last = plan.rank - 1;
  for_each_piece(plan, RowPieces(plan).grain(), [&](Index, const Index* offset, Index begin, Index count) {
    const RowOut<To> out{y + offset[0], plan.stride[0][last]};
    int o = 0;
    auto row = [&]<class S>(const S* p) {
      ++o;
      return RowIn<S>{p + offset[o], plan.stride[o][last]};
    };
    const std::tuple<RowIn<Ti>...> in{row(x)...};
    std::apply(
        [&](const auto&... r) {
          for_lanes<C>(begin, count, [&](Index i, Index n, auto full) {
            out.template store<full.value>(i, n, V(f(r.template load<V, full.value>(i, n)...)));
          });
        },
        in);
  });
}

/// Where the gradient of one input goes. `direct`: written element by element; otherwise summed into `parts`
/// buffers of `numel` values of the compute type, one a chunk, laid out as the (contiguous) gradient is.
template <class C, class G> struct GradOut {
  G* direct = nullptr;
  C* parts = nullptr;
  Index numel = 0;
};

/// dx_i = dy * df/dx_i for every wanted input; operands are planned as (dy, x..., dx...), a broadcast dx with
/// its own contiguous strides.
template <class C, class F, class Td, class... Ti, class... G>
void pointwise_backward(const F& f, const LoopPlan& plan, Index grain, const Td* dy,
                        std::tuple<const Ti*...> x, const std::tuple<GradOut<C, G>...>& dx) {
  using V = typename Lanes<C>::V;
  constexpr int n_in = sizeof...(Ti);
  using D = Dual<V, n_in>;
  const int last = plan.rank - 1;
  for_each_piece(plan, grain, [&](Index chunk, const Index* offset, Index begin, Index count) {
    const RowIn<Td> dy_row{dy + offset[0], plan.stride[0][last]};
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      const std::tuple<RowIn<Ti>...> in{
          RowIn<Ti>{std::get<I>(x) + offset[1 + I], plan.stride[1 + I][last]}...};
      V sums[n_in] = {(static_cast<void>(I), V(C(0)))...};
      for_lanes<C>(begin, count, [&](Index i, Index n, auto full) {
        const D r =
            f(D::variable(std::get<I>(in).template load<V, full.value>(i, n), static_cast<int>(I))...);
        const V g = dy_row.template load<V, full.value>(i, n);
        auto put = [&](auto index) {
          constexpr std::size_t k = decltype(index)::value;
          const auto& out = std::get<k>(dx);
          const Index stride = plan.stride[1 + n_in + k][last], base = offset[1 + n_in + k];
          const V d = g * r.d[k];
          using Out = std::remove_cvref_t<decltype(*out.direct)>;
          if (out.direct) {
            RowOut<Out>{out.direct + base, stride}.template store<full.value>(i, n, d);
          } else if (out.parts) {
            if (stride == 0) {
              sums[k] += full.value ? d : first_lanes(d, static_cast<int>(n));
            } else {
              C* part = out.parts + chunk * out.numel + base;
              const V old = RowIn<C>{part, stride}.template load<V, full.value>(i, n);
              RowOut<C>{part, stride}.template store<full.value>(i, n, old + d);
            }
          }
        };
        (put(std::integral_constant<std::size_t, I>{}), ...);
      });
      auto finish = [&](auto index) {
        constexpr std::size_t k = decltype(index)::value;
        const auto& out = std::get<k>(dx);
        if (out.parts && plan.stride[1 + n_in + k][last] == 0)
          out.parts[chunk * out.numel + offset[1 + n_in + k]] += hsum(sums[k]);
      };
      (finish(std::integral_constant<std::size_t, I>{}), ...);
    }
    (std::make_index_sequence<n_in>{});
  });
}

/// out[j] = sum over parts of parts[p][j], in order.
template <class C, class G> void sum_parts(const C* parts, Index n_parts, Index numel, G* out) {
  parallel_for(numel, kLoopGrain / 4, [&](Index begin, Index end) {
    for (Index j = begin; j < end; ++j) {
      C s = parts[j];
      for (Index p = 1; p < n_parts; ++p) s += parts[p * numel + j];
      out[j] = static_cast<G>(s);
    }
  });
}

}  // namespace cpu

/// y = f(xs...), broadcast; `y` may be strided.
template <class C, class F, class To, class... Ti>
void run_pointwise(Cpu, const F& f, const Tensor<To, Cpu>& y, const Tensor<Ti, Cpu>&... xs) {
  cpu::LoopPlan plan(y.shape());
  plan.add(y.shape(), y.strides());
  (plan.add(xs.shape(), xs.strides()), ...);
  plan.merge();
  cpu::pointwise_forward<C>(f, plan, y.mutable_data(), xs.data()...);
}

/// The gradients dx = dy * df/dx of the inputs `wanted`, each of its input's shape; undefined where not
/// wanted.
template <class C, class F, class Td, class... Ti>
std::tuple<Tensor<Ti, Cpu>...> run_pointwise_backward(Cpu, const F& f, const Tensor<Td, Cpu>& dy,
                                                      const bool* wanted, const Tensor<Ti, Cpu>&... xs) {
  static_assert(1 + 2 * sizeof...(Ti) <= cpu::LoopPlan::kMaxOperands,
                "a pointwise functor takes at most three inputs");
  cpu::LoopPlan plan(dy.shape());
  plan.add(dy.shape(), dy.strides());
  (plan.add(xs.shape(), xs.strides()), ...);
  std::tuple<Tensor<Ti, Cpu>...> grads;
  std::tuple<cpu::GradOut<C, Ti>...> outs;
  (plan.add(xs.shape(), contiguous_strides(xs.shape())), ...);
  plan.merge();
  // Chunks for summing: few enough that their buffers stay small, a number that the shape alone decides.
  const cpu::RowPieces pieces(plan);
  Index grain = pieces.grain();
  const Index most = 16;
  if ((pieces.total + grain - 1) / grain > most && ((xs.shape() != dy.shape()) || ...))
    grain = (pieces.total + most - 1) / most;
  const Index chunks = pieces.total == 0 ? 0 : (pieces.total + grain - 1) / grain;
  Ref<Storage> scratch[sizeof...(Ti)];
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    auto prepare = [&](auto index, const auto& x) {
      constexpr std::size_t k = decltype(index)::value;
      using S = typename std::remove_cvref_t<decltype(x)>::value_type;
      if constexpr (is_floating<S>) {
        if (!wanted[k]) return;
        auto& out = std::get<k>(outs);
        auto& grad = std::get<k>(grads);
        out.numel = x.numel();
        if (x.shape() == dy.shape()) {
          grad = Tensor<S, Cpu>::empty(x.shape());
          out.direct = grad.mutable_data();
        } else {
          const Index n = chunks * out.numel;
          scratch[k] = Cpu::allocate(static_cast<std::size_t>(n) * sizeof(C));
          out.parts = static_cast<C*>(scratch[k]->data());
          parallel_for(n, cpu::kLoopGrain,
                       [&](Index b, Index e) { fill_memory(Cpu{}, out.parts + b, e - b, C(0)); });
        }
      }
    };
    (prepare(std::integral_constant<std::size_t, I>{}, xs), ...);
    cpu::pointwise_backward<C, F, Td, Ti...>(f, plan, grain, dy.data(), {xs.data()...}, outs);
    auto finish = [&](auto index, const auto& x) {
      constexpr std::size_t k = decltype(index)::value;
      using S = typename std::remove_cvref_t<decltype(x)>::value_type;
      if constexpr (is_floating<S>) {
        const auto& out = std::get<k>(outs);
        if (!wanted[k] || out.direct) return;
        if (chunks == 0) {
          std::get<k>(grads) = Tensor<S, Cpu>::zeros(x.shape());
        } else {
          std::get<k>(grads) = Tensor<S, Cpu>::empty(x.shape());
          cpu::sum_parts(out.parts, chunks, out.numel, std::get<k>(grads).mutable_data());
        }
      }
    };
    (finish(std::integral_constant<std::size_t, I>{}, xs), ...);
  }
  (std::index_sequence_for<Ti...>{});
  return grads;
}

namespace detail {
struct CopyFunctor {
  template <class V> TMOR_HD V operator()(V x) const { return x; }
};
struct AddFunctor {
  template <class V> TMOR_HD V operator()(V a, V b) const { return a + b; }
};
}  // namespace detail

/// dst = src, element by element, `src` broadcast and converted.
template <class To, class Ti> void copy_into(Cpu, const Tensor<To, Cpu>& dst, const Tensor<Ti, Cpu>& src) {
  using C = std::conditional_t<is_floating<To>, compute_t<To>,
                               std::conditional_t<is_floating<Ti>, compute_t<Ti>, To>>;
  run_pointwise<C>(Cpu{}, detail::CopyFunctor{}, dst, src);
}
/// dst += src, element by element.
template <class T> void add_into(Cpu, const Tensor<T, Cpu>& dst, const Tensor<T, Cpu>& src) {
  run_pointwise<compute_t<T>>(Cpu{}, detail::AddFunctor{}, dst, dst, src);
}

TMOR_END
