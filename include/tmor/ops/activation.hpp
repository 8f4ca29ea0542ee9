#pragma once
/// @file activation.hpp
/// Activations by name, for layers that fuse one into their last pass.

#include "tmor/cpu/matmul.hpp"
#include "tmor/ops/elementwise.hpp"

TMOR_BEGIN

/// The activation a layer ends with.
enum class Activation { none, relu, gelu, gelu_tanh, quick_gelu, silu, tanh, sigmoid };

/// Applies `act` as an operation of its own.
template <class T, class Device> Tensor<T, Device> activate(const Tensor<T, Device>& x, Activation act) {
  switch (act) {
    case Activation::none:
      return x;
    case Activation::relu:
      return relu(x);
    case Activation::gelu:
      return gelu(x);
    case Activation::gelu_tanh:
      return gelu_tanh(x);
    case Activation::quick_gelu:
      return quick_gelu(x);
    case Activation::silu:
      return silu(x);
    case Activation::tanh:
      return tanh(x);
    case Activation::sigmoid:
      return sigmoid(x);
  }
  detail::fail<Error>("[activate] unknown activation");
}

namespace fn {
/// dy where the output of a relu is positive.
struct ReluBackward {
  static constexpr const char* name = "relu_backward";
  template <class V> TMOR_HD V operator()(V dy, V y) const { return select(y > V(0), dy, V(0)); }
};
}  // namespace fn

namespace detail {
template <class T, class Device>
Tensor<T, Device> relu_backward(const Tensor<T, Device>& dy, const Tensor<T, Device>& y) {
  auto dz = Tensor<T, Device>::empty(dy.shape());
  run_pointwise<compute_t<T>>(Device{}, fn::ReluBackward{}, dz, dy, y);
  return dz;
}
}  // namespace detail

namespace cpu {

/// The gemm's hook of `linear`: c = act(c + bias) on finished elements.
template <class T> struct BiasActivation {
  const T* bias;
  Activation act;

  void operator()(T* c, Index, Index col, Index count) const {
    switch (act) {
      case Activation::none:
        return apply(c, col, count, [](auto x) { return x; });
      case Activation::relu:
        return apply(c, col, count, fn::Relu{});
      case Activation::gelu:
        return apply(c, col, count, fn::Gelu{});
      case Activation::gelu_tanh:
        return apply(c, col, count, fn::GeluTanh{});
      case Activation::quick_gelu:
        return apply(c, col, count, fn::QuickGelu{});
      case Activation::silu:
        return apply(c, col, count, fn::Silu{});
      case Activation::tanh:
        return apply(c, col, count, fn::Tanh{});
      case Activation::sigmoid:
        return apply(c, col, count, fn::Sigmoid{});
    }
  }

 private:
  template <class F> void apply(T* c, Index col, Index count, F f) const {
    for_lanes<T>(count, [&](Index i, Index n) {
      Pack<T> v = load_row<Pack<T>>(static_cast<const T*>(c), 1, i, n);
      if (bias) v += load_row<Pack<T>>(bias + col, 1, i, n);
      store_row(c, 1, i, n, Pack<T>(f(v)));
    });
  }
};

}  // namespace cpu

/// y (rows, out) = act(x (rows, in) wt (in, out) + bias).
template <class T>
void run_linear(Cpu, const Tensor<T, Cpu>& y, const Tensor<T, Cpu>& x, const Tensor<T, Cpu>& wt,
                const T* bias, Activation act) {
  const auto bias_and_activation = cpu::BiasActivation<T>{bias, act};
  const auto hook =
      bias || act != Activation::none ? cpu::RowHook<T>(bias_and_activation) : cpu::RowHook<T>();
  if (!grad_enabled() && y.numel() > 0) {
    const cpu::MatmulCall<T> call(y, x, wt, T(0));
    if (call.repays_packing()) {
      const auto packed = cpu::kept_packed(wt, call.g.k, call.g.n, call.g.b_row, call.g.b_col);
      return cpu::gemm(call.g, *packed, hook);
    }
  }
  run_matmul(Cpu{}, y, x, wt, T(0), hook);
}

namespace fn {
/// act(x + bias).
template <class F> struct AfterBias {
  F f;
  template <class V> TMOR_HD V operator()(V x, V bias) const { return f(x + bias); }
};
struct Nothing {
  template <class V> TMOR_HD V operator()(V x) const { return x; }
};
}  // namespace fn

/// The same on a GPU: at once where its library can, else a product, and a pass over it for bias and
/// activation.
template <class T, class Device>
requires(!Device::host_memory) void run_linear(Device, const Tensor<T, Device>& y, const Tensor<T, Device>& x,
                                               const Tensor<T, Device>& wt, const T* bias, Activation act) {
  using C = compute_t<T>;
  if (run_linear_at_once(Device{}, y, x, wt, bias, act)) return;
  if (!bias && act == Activation::none) return run_matmul(Device{}, y, x, wt);
  Tensor<C, Device> product;  // rounded to T only at the end
  if constexpr (std::is_same_v<T, C>) {
    product = y;
  } else {
    product = Tensor<C, Device>::empty(y.shape());
  }
  run_matmul(Device{}, product, x, wt);
  Tensor<T, Device> b;
  if (bias) {  // as a tensor of memory it does not own
    auto body = make_ref<detail::TensorBody>();
    body->shape = {y.size(1)};
    body->strides = {1};
    body->storage =
        make_ref<Storage>(const_cast<T*>(bias), static_cast<std::size_t>(y.size(1)) * sizeof(T), nullptr);
    body->dtype = dtype_of<T>;
    b = Tensor<T, Device>(std::move(body));
  }
  const auto apply = [&](auto f) {
    if (bias) {
      run_pointwise<C>(Device{}, fn::AfterBias<decltype(f)>{f}, y, product, b);
    } else {
      run_pointwise<C>(Device{}, f, y, product);
    }
  };
  switch (act) {
    case Activation::none:
      return apply(fn::Nothing{});
    case Activation::relu:
      return apply(fn::Relu{});
    case Activation::gelu:
      return apply(fn::Gelu{});
    case Activation::gelu_tanh:
      return apply(fn::GeluTanh{});
    case Activation::quick_gelu:
      return apply(fn::QuickGelu{});
    case Activation::silu:
      return apply(fn::Silu{});
    case Activation::tanh:
      return apply(fn::Tanh{});
    case Activation::sigmoid:
      return apply(fn::Sigmoid{});
  }
}

TMOR_END
