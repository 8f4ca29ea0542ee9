#pragma once
/// @file pointwise.cuh
/// How a pointwise functor runs on the GPU: forward over single values, four at a time where every operand is
/// dense; backward over dual numbers of the same functor, with the gradients of broadcast inputs reduced in a
/// fixed order. And what needs no more than that: fills, copies, conversions.

#include <tuple>

#include "tmor/core/dual.hpp"
#include "tmor/cuda/reduce.cuh"

TMOR_BEGIN
namespace cuda {

/// The inputs of a functor: pointers to elements of types `Ti`.
template <class C, class... Ti> struct Inputs {
  static constexpr int count = sizeof...(Ti);
  const void* x[count];

  /// f of the inputs' elements at offsets at[0], at[1], ...
  template <class F> TMOR_HD C value(const F& f, const Index* at) const {
    return value(f, at, std::index_sequence_for<Ti...>{});
  }
  /// The same on dual numbers.
  template <class F> TMOR_HD Dual<C, count> dual(const F& f, const Index* at) const {
    return dual(f, at, std::index_sequence_for<Ti...>{});
  }

 private:
  template <class F, std::size_t... I>
  TMOR_HD C value(const F& f, const Index* at, std::index_sequence<I...>) const {
    return static_cast<C>(f(static_cast<C>(static_cast<const Ti*>(x[I])[at[I]])...));
  }
  template <class F, std::size_t... I>
  TMOR_HD Dual<C, count> dual(const F& f, const Index* at, std::index_sequence<I...>) const {
    return f(Dual<C, count>::variable(static_cast<C>(static_cast<const Ti*>(x[I])[at[I]]), I)...);
  }
};

/// y = f(x...) anywhere; operands of the nest: (x..., y).
template <class C, class F, class To, class... Ti> struct Map {
  F f;
  Inputs<C, Ti...> in;
  To* y;
  Nest<sizeof...(Ti) + 1> nest;

  TMOR_HD void operator()(Index i) const {
    Index at[sizeof...(Ti) + 1] = {};
    nest.add_offsets(i, at);
    y[at[sizeof...(Ti)]] = static_cast<To>(in.value(f, at));
  }
};

/// Four neighbours, read and written as one.
template <class T> struct alignas(4 * sizeof(T)) Four { T v[4]; };
/// The same where every operand is dense (step 1) or one value (step 0): elements 4 i to 4 i + 3.
template <class C, class F, class To, class... Ti> struct MapDense {
  F f;
  Inputs<C, Ti...> in;
  To* y;
  Index n, step[sizeof...(Ti)];

  TMOR_HD void operator()(Index i) const { run(4 * i, std::index_sequence_for<Ti...>{}); }

 private:
  template <class T> TMOR_HD static void load(const void* p, Index at, Index s, C* out) {
    const T* x = static_cast<const T*>(p);
    if (s == 1) {
      const Four<T> four = vector_at<const Four<T>>(x + at);
      for (int k = 0; k < 4; ++k) out[k] = static_cast<C>(four.v[k]);
    } else {
      for (int k = 0; k < 4; ++k) out[k] = static_cast<C>(x[0]);
    }
  }
  template <std::size_t... I> TMOR_HD void run(Index at, std::index_sequence<I...>) const {
    if (at + 4 <= n) {
      C x[sizeof...(Ti)][4];
      (load<Ti>(in.x[I], at, step[I], x[I]), ...);
      Four<To> out;
      for (int k = 0; k < 4; ++k) out.v[k] = static_cast<To>(static_cast<C>(f(x[I][k]...)));
      vector_at<Four<To>>(y + at) = out;
      return;
    }
    for (; at < n; ++at) {
      const Index offset[] = {at * step[I]...};
      y[at] = static_cast<To>(in.value(f, offset));
    }
  }
};

/// dx_i = dy df/dx_i for the inputs with a `dx`; operands: (x..., dy, dx...).
template <class C, class F, class Td, class... Ti> struct MapBackward {
  static constexpr int n_in = sizeof...(Ti);
  F f;
  Inputs<C, Ti...> in;
  const Td* dy;
  void* dx[n_in];
  Nest<2 * n_in + 1> nest;

  TMOR_HD void operator()(Index i) const {
    Index at[2 * n_in + 1] = {};
    nest.add_offsets(i, at);
    const Dual<C, n_in> r = in.dual(f, at);
    put(r, static_cast<C>(dy[at[n_in]]), at + n_in + 1, std::index_sequence_for<Ti...>{});
  }

 private:
  template <std::size_t... I>
  TMOR_HD void put(const Dual<C, n_in>& r, C d, const Index* at, std::index_sequence<I...>) const {
    (put_one<I, Ti>(r, d, at), ...);
  }
  template <std::size_t I, class T> TMOR_HD void put_one(const Dual<C, n_in>& r, C d, const Index* at) const {
    if constexpr (is_floating<T>)
      if (dx[I]) static_cast<T*>(dx[I])[at[I]] = static_cast<T>(d * r.d[I]);
  }
};
/// Element of the gradient of a broadcast input `k`; operands: (x..., dy).
template <class C, class F, class Td, class... Ti> struct MapBackwardSum {
  F f;
  Inputs<C, Ti...> in;
  const Td* dy;
  int k;
  TMOR_HD C operator()(Index, const Index* at) const {
    const Dual<C, sizeof...(Ti)> r = in.dual(f, at);
    C d = r.d[0];  // no index the compiler does not know: that would put r into memory
    for (int i = 1; i < static_cast<int>(sizeof...(Ti)); ++i)
      if (i == k) d = r.d[i];
    return static_cast<C>(dy[at[sizeof...(Ti)]]) * d;
  }
};

struct SumUp {
  template <class V> TMOR_HD V identity() const { return V(0); }
  template <class V> TMOR_HD V combine(V a, V b) const { return a + b; }
  template <class V> TMOR_HD V finish(V total, Index) const { return total; }
};

template <class T> void add_operand(LoopPlan& plan, const Tensor<T, Cuda>& t) {
  plan.add(t.shape(), t.strides(), t.data(), sizeof(T));
}
/// Can four elements from `p` on be read as one?
template <class T> bool fours(const T* p) {
  return reinterpret_cast<std::uintptr_t>(p) % sizeof(Four<T>) == 0;
}

struct Identity {
  template <class V> TMOR_HD V operator()(V x) const { return x; }
};
struct Add {
  template <class V> TMOR_HD V operator()(V a, V b) const { return a + b; }
};
template <class T> struct Fill {
  T* p;
  T value;
  TMOR_HD void operator()(Index i) const { p[i] = value; }
};
template <class T> struct CopyStrided {
  T* to;
  const T* from;
  Nest<2> nest;
  TMOR_HD void operator()(Index i) const {
    Index at[2] = {};
    nest.add_offsets(i, at);
    to[at[0]] = from[at[1]];
  }
};

template <class F> constexpr const char* functor_name() {
  if constexpr (requires { F::name; }) {
    return F::name;
  } else {
    return "pointwise";
  }
}

}  // namespace cuda

/// y = f(xs...), broadcast; `y` may be strided.
template <class C, class F, class To, class... Ti>
void run_pointwise(Cuda, const F& f, const Tensor<To, Cuda>& y, const Tensor<Ti, Cuda>&... xs) {
  constexpr int n_in = sizeof...(Ti);
  LoopPlan plan(y.shape());
  (cuda::add_operand(plan, xs), ...);
  To* const out = y.mutable_data();
  plan.add(y.shape(), y.strides(), out, sizeof(To));
  plan.merge();
  const cuda::Inputs<C, Ti...> in{{xs.data()...}};
  const Index n = y.numel();
  bool dense = plan.rank == 1 && plan.stride[n_in][0] == 1 && cuda::fours(out);
  for (int k = 0; k < n_in; ++k) dense &= plan.stride[k][0] == 0 || plan.stride[k][0] == 1;
  int k = 0;
  ((dense &= plan.stride[k][0] == 0 || cuda::fours(xs.data()), ++k), ...);
  if (dense) {
    cuda::MapDense<C, F, To, Ti...> body{f, in, out, n, {}};
    for (int i = 0; i < n_in; ++i) body.step[i] = plan.stride[i][0];
    cuda::for_each(cuda::functor_name<F>(), (n + 3) / 4, body);
  } else {
    cuda::for_each(cuda::functor_name<F>(), n,
                   cuda::Map<C, F, To, Ti...>{f, in, out, cuda::Nest<n_in + 1>(plan)});
  }
}

/// The gradients dx = dy df/dx of the inputs `wanted`, each of its input's shape; undefined where not wanted.
template <class C, class F, class Td, class... Ti>
std::tuple<Tensor<Ti, Cuda>...> run_pointwise_backward(Cuda, const F& f, const Tensor<Td, Cuda>& dy,
                                                       const bool* wanted, const Tensor<Ti, Cuda>&... xs) {
  constexpr int n_in = sizeof...(Ti);
  const char* const name = cuda::functor_name<F>();
  LoopPlan base(dy.shape());
  (cuda::add_operand(base, xs), ...);
  cuda::add_operand(base, dy);
  const cuda::Inputs<C, Ti...> in{{xs.data()...}};
  cuda::MapBackward<C, F, Td, Ti...> direct{f, in, dy.data(), {}, {}};
  bool any_direct = false;
  std::tuple<Tensor<Ti, Cuda>...> grads;
  const auto prepare = [&]<class S>(int k, const Tensor<S, Cuda>& x, Tensor<S, Cuda>& grad) {
    if constexpr (is_floating<S>) {
      if (!wanted[k]) return;
      grad = Tensor<S, Cuda>::empty(x.shape());
      if (x.shape() == dy.shape()) {
        direct.dx[k] = grad.mutable_data();
        any_direct = true;
        return;
      }
      LoopPlan plan = base;
      plan.add(x.shape(), contiguous_strides(x.shape()));
      plan.merge();
      cuda::reduce<C>(name, cuda::SumUp{}, cuda::Reduction<n_in + 1>(plan, n_in + 1),
                      cuda::MapBackwardSum<C, F, Td, Ti...>{f, in, dy.data(), k}, grad.mutable_data());
    }
  };
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (prepare(static_cast<int>(I), xs, std::get<I>(grads)), ...);
  }
  (std::index_sequence_for<Ti...>{});
  if (any_direct) {
    LoopPlan plan = base;
    (plan.add(xs.shape(), contiguous_strides(xs.shape())), ...);
    plan.merge();
    direct.nest = cuda::Nest<2 * n_in + 1>(plan);
    cuda::for_each(name, dy.numel(), direct);
  }
  return grads;
}

template <class T> void fill_memory(Cuda, T* p, Index n, T value) {
  cuda::for_each("fill", n, cuda::Fill<T>{p, value});
}

/// dst = src, element by element, `src` broadcast and converted.
template <class To, class Ti> void copy_into(Cuda, const Tensor<To, Cuda>& dst, const Tensor<Ti, Cuda>& src) {
  if constexpr (std::is_same_v<To, Ti>) {
    To* const to = dst.mutable_data();
    if (dst.shape() == src.shape() && dst.is_contiguous() && src.is_contiguous())
      return detail::copy_cuda(to, src.data(), static_cast<std::size_t>(dst.numel()) * sizeof(To),
                               CudaApi::on_device);
    LoopPlan plan(dst.shape());
    plan.add(dst.shape(), dst.strides());
    plan.add(src.shape(), src.strides());
    plan.merge();
    cuda::for_each("copy", dst.numel(), cuda::CopyStrided<To>{to, src.data(), cuda::Nest<2>(plan)});
  } else {
    using C = std::conditional_t<is_floating<To>, compute_t<To>,
                                 std::conditional_t<is_floating<Ti>, compute_t<Ti>, To>>;
    run_pointwise<C>(Cuda{}, cuda::Identity{}, dst, src);
  }
}
/// dst += src, element by element.
template <class T> void add_into(Cuda, const Tensor<T, Cuda>& dst, const Tensor<T, Cuda>& src) {
  run_pointwise<compute_t<T>>(Cuda{}, cuda::Add{}, dst, dst, src);
}

TMOR_END
