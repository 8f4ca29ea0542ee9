#pragma once
/// @file device.hpp
/// Tensors moved from one device to another: `to<Cuda>(x)`, `to<Cpu>(y)`.

#include "tmor/autograd/node.hpp"

TMOR_BEGIN

/// `Cpu` or `Cuda`.
template <class D>
concept DeviceTag = std::is_same_v<decltype(D::host_memory), const bool>;

/// The same numbers on device `To`, row-major; `x` itself where it lies there already. Differentiable.
template <class To, class T, class From>
requires DeviceTag<To> Tensor<T, To> to(const Tensor<T, From>& x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else {
    static_assert(To::host_memory || From::host_memory, "between two GPUs there is no way yet");
    Tensor<T, From> source = x.detach();
    if (!x.is_contiguous()) {
      source = Tensor<T, From>::empty(x.shape());
      copy_into(From{}, source, x);
    }
    const auto y = Tensor<T, To>::empty(x.shape());
    if constexpr (From::host_memory) {
      copy_from_host(To{}, y.mutable_data(), source.data(), x.numel());
    } else {
      copy_to_host(From{}, y.mutable_data(), source.data(), x.numel());
    }
    if constexpr (is_floating<T>) {
      if (needs_grad(x))
        record(y, "to", inputs(x), [](const Tensor<T, To>& dy, Grads& g) { g.add(0, to<From>(dy)); });
    }
    return y;
  }
}

TMOR_END
