#pragma once
/// @file pointwise.hpp
/// How a pointwise functor runs on the CPU: forward over `Pack`s, backward over `Dual<Pack>`s of the same
/// functor, with the gradients of broadcast inputs summed in the same pass.

#include <algorithm>
#include <tuple>

#include "tmor/core/dual.hpp"
#include "tmor/core/tensor.hpp"
#include "tmor/cpu/copy.hpp"
#include "tmor/cpu/lanes.hpp"
#include "tmor/cpu/loop.hpp"

TMOR_BEGIN

namespace cpu {

/// Adds a tensor as an operand.
template <class T> int add_operand(LoopPlan& plan, const Tensor<T, Cpu>& t) {
  return plan.add(t.shape(), t.strides(), t.data(), sizeof(T));
}

/// y = f(x...) along a row; operands (y, x...).
template <class C, class F, class To, class... Ti> struct ForwardKernel {
  static void run(const void* context, Index, void* const* row, const Index* stride, Index count) {
    using V = typename Lanes<C>::V;
    const F& f = *static_cast<const F*>(context);
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      for_lanes<C>(count, [&](Index i, Index n) {
        store_row(static_cast<To*>(row[0]), stride[0], i, n,
                  V(f(load_row<V>(static_cast<const Ti*>(row[1 + I]), stride[1 + I], i, n)...)));
      });
    }
    (std::index_sequence_for<Ti...>{});
  }
};

/// What becomes of the gradient of one input.
enum class GradUse { unwanted, direct, summed };

/// What the backward kernel knows besides its operands (dy, x..., dx...). A `direct` dx is the gradient
/// itself; a `summed` one is a buffer of `numel` values of the compute type a chunk, laid out as the gradient
/// is.
struct BackwardContext {
  const void* f;
  GradUse mode[3];
  Index numel[3];
};

/// dx_i = dy * df/dx_i for every wanted input.
template <class C, class F, class Td, class... Ti> struct BackwardKernel {
  static void run(const void* context, Index chunk, void* const* row, const Index* stride, Index count) {
    using V = typename Lanes<C>::V;
    constexpr int n_in = sizeof...(Ti);
    using D = Dual<V, n_in>;
    const BackwardContext& c = *static_cast<const BackwardContext*>(context);
    const F& f = *static_cast<const F*>(c.f);
    V sums[n_in];
    for (V& s : sums) s = V(C(0));
    auto put = [&]<class S>(std::type_identity<S>, int k, Index i, Index n, V d) {
      if (c.mode[k] == GradUse::unwanted) return;
      void* const out = row[1 + n_in + k];
      const Index out_stride = stride[1 + n_in + k];
      if (c.mode[k] == GradUse::direct) {
        if constexpr (is_floating<S>) store_row(static_cast<S*>(out), out_stride, i, n, d);
      } else if (out_stride == 0) {
        sums[k] += first_lanes(d, static_cast<int>(n));
      } else {
        C* const part = static_cast<C*>(out) + chunk * c.numel[k];
        store_row(part, out_stride, i, n, load_row<V>(static_cast<const C*>(part), out_stride, i, n) + d);
      }
    };
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      for_lanes<C>(count, [&](Index i, Index n) {
        const D r =
            f(D::variable(load_row<V>(static_cast<const Ti*>(row[1 + I]), stride[1 + I], i, n), I)...);
        const V dy = load_row<V>(static_cast<const Td*>(row[0]), stride[0], i, n);
        (put(std::type_identity<Ti>{}, I, i, n, dy * r.d[I]), ...);
      });
    }
    (std::index_sequence_for<Ti...>{});
    for (int k = 0; k < n_in; ++k)
      if (c.mode[k] == GradUse::summed && stride[1 + n_in + k] == 0)
        static_cast<C*>(row[1 + n_in + k])[chunk * c.numel[k]] += hsum(sums[k]);
  }
};

/// out[j] = sum over parts of parts[p][j], in order; zeros where there are none.
template <class C, class G> void sum_parts(const C* parts, Index n_parts, Index numel, G* out) {
  parallel_for(numel, kLoopGrain / 4, [&](Index begin, Index end) {
    for (Index j = begin; j < end; ++j) {
      C s = n_parts > 0 ? parts[j] : C(0);
      for (Index p = 1; p < n_parts; ++p) s += parts[p * numel + j];
      out[j] = static_cast<G>(s);
    }
  });
}

/// Chunks that sums over a loop are made in: few, so that their buffers stay small; the shape alone decides.
inline Index summing_grain(const LoopPlan& plan) {
  constexpr Index most = 16;
  const Index grain = plan.grain(), pieces = plan.pieces();
  return (pieces + grain - 1) / grain > most ? (pieces + most - 1) / most : grain;
}

}  // namespace cpu

/// y = f(xs...), broadcast; `y` may be strided.
template <class C, class F, class To, class... Ti>
void run_pointwise(Cpu, const F& f, const Tensor<To, Cpu>& y, const Tensor<Ti, Cpu>&... xs) {
  cpu::LoopPlan plan(y.shape());
  plan.add(y.shape(), y.strides(), y.mutable_data(), sizeof(To));
  (cpu::add_operand(plan, xs), ...);
  plan.merge();
  cpu::run_loop(plan, plan.grain(), &cpu::ForwardKernel<C, F, To, Ti...>::run, &f);
}

/// The gradients dx = dy * df/dx of the inputs `wanted`, each of its input's shape; undefined where not
/// wanted.
template <class C, class F, class Td, class... Ti>
std::tuple<Tensor<Ti, Cpu>...> run_pointwise_backward(Cpu, const F& f, const Tensor<Td, Cpu>& dy,
                                                      const bool* wanted, const Tensor<Ti, Cpu>&... xs) {
  constexpr int n_in = sizeof...(Ti);
  static_assert(n_in <= 3, "a pointwise functor takes at most three inputs");
  cpu::BackwardContext context{&f, {}, {}};
  cpu::LoopPlan plan(dy.shape());
  cpu::add_operand(plan, dy);
  (cpu::add_operand(plan, xs), ...);
  std::tuple<Tensor<Ti, Cpu>...> grads;
  bool summing = false;
  auto prepare = [&]<class S>(int k, const Tensor<S, Cpu>& x, Tensor<S, Cpu>& grad) {
    if (is_floating<S> && wanted[k]) {
      grad = Tensor<S, Cpu>::empty(x.shape());
      const bool direct = x.shape() == dy.shape();
      context.mode[k] = direct ? cpu::GradUse::direct : cpu::GradUse::summed;
      context.numel[k] = x.numel();
      summing |= !direct;
      plan.add(x.shape(), contiguous_strides(x.shape()), grad.mutable_data(), direct ? sizeof(S) : sizeof(C));
    } else {
      plan.add(x.shape(), contiguous_strides(x.shape()), dy.data(), 0);
    }
  };
  [&]<std::size_t... I>(std::index_sequence<I...>) { (prepare(I, xs, std::get<I>(grads)), ...); }
  (std::index_sequence_for<Ti...>{});
  plan.merge();
  const Index grain = summing ? cpu::summing_grain(plan) : plan.grain();
  const Index chunks = (plan.pieces() + grain - 1) / grain;
  Ref<Storage> parts[n_in];
  for (int k = 0; k < n_in; ++k)
    if (context.mode[k] == cpu::GradUse::summed) {
      const Index n = std::max<Index>(1, chunks) * context.numel[k];
      parts[k] = Cpu::allocate(static_cast<std::size_t>(n) * sizeof(C));
      C* const p = static_cast<C*>(parts[k]->data());
      parallel_for(n, cpu::kLoopGrain, [&](Index b, Index e) { fill_memory(Cpu{}, p + b, e - b, C(0)); });
      plan.data[1 + n_in + k] = static_cast<char*>(parts[k]->data());
    }
  cpu::run_loop(plan, grain, &cpu::BackwardKernel<C, F, Td, Ti...>::run, &context);
  auto finish = [&]<class S>(int k, Tensor<S, Cpu>& grad) {
    if constexpr (is_floating<S>)
      if (context.mode[k] == cpu::GradUse::summed)
        cpu::sum_parts(static_cast<const C*>(parts[k]->data()), std::max<Index>(1, chunks), grad.numel(),
                       grad.mutable_data());
  };
  [&]<std::size_t... I>(std::index_sequence<I...>) { (finish(I, std::get<I>(grads)), ...); }
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
  if constexpr (std::is_same_v<To, Ti>) {
    cpu::copy_elements<sizeof(To)>(dst.shape(), dst.mutable_data(), dst.strides(), src.data(), src.shape(),
                                   src.strides());
  } else {
    using C = std::conditional_t<is_floating<To>, compute_t<To>,
                                 std::conditional_t<is_floating<Ti>, compute_t<Ti>, To>>;
    run_pointwise<C>(Cpu{}, detail::CopyFunctor{}, dst, src);
  }
}
/// dst += src, element by element.
template <class T> void add_into(Cpu, const Tensor<T, Cpu>& dst, const Tensor<T, Cpu>& src) {
  run_pointwise<compute_t<T>>(Cpu{}, detail::AddFunctor{}, dst, dst, src);
}

TMOR_END
