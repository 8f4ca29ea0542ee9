#pragma once
/// @file matmul.hpp
/// Matrix products: `matmul` of (broadcast) batches, and `linear` with bias and activation in the same pass.
/// Transposed and sliced views are read where they lie. `set_matmul_precision` (core/matmul_precision.hpp)
/// lets products on a GPU be less exact and faster.

#include "tmor/core/flops.hpp"
#include "tmor/core/matmul_precision.hpp"
#include "tmor/cpu/matmul.hpp"
#include "tmor/ops/activation.hpp"
#include "tmor/ops/elementwise.hpp"
#include "tmor/ops/movement.hpp"

TMOR_BEGIN

namespace detail {

template <class T, class Device> Tensor<T, Device> swap_last_two(const Tensor<T, Device>& x) {
  Shape s = x.shape(), st = x.strides();
  const int r = s.rank();
  std::swap(s[r - 1], s[r - 2]);
  std::swap(st[r - 1], st[r - 2]);
  return x.as_strided(s, st, 0);
}

/// Product without tape, with sums in float of bf16 and f16, which GPUs multiply as they read them, and a
/// result of type `To`: T, or float.
template <class To, class T, class Device>
Tensor<To, Device> product(const Tensor<T, Device>& a, const Tensor<T, Device>& b) {
  using C = compute_t<T>;
  static_assert(std::is_same_v<To, T> || std::is_same_v<To, C>);
  if constexpr (Device::host_memory && !std::is_same_v<T, C>) {
    return to<To>(product<C>(to<C>(a), to<C>(b)));
  } else {
    Shape batch_a = a.shape(), batch_b = b.shape();
    for (int i = 0; i < 2; ++i) {
      batch_a.erase(batch_a.rank() - 1);
      batch_b.erase(batch_b.rank() - 1);
    }
    Shape shape = broadcast_shapes(batch_a, batch_b, "matmul");
    shape.push_back(a.size(-2));
    shape.push_back(b.size(-1));
    auto c = Tensor<To, Device>::empty(shape);
    detail::count_flops(2 * shape.numel() * a.size(-1));
    run_matmul(Device{}, c, a, b);
    return c;
  }
}
template <class T, class Device>
Tensor<T, Device> matmul_values(const Tensor<T, Device>& a, const Tensor<T, Device>& b) {
  return product<T>(a, b);
}

/// `x` as a matrix: all dimensions but the last merged, one row for a vector.
template <class T, class Device> Tensor<T, Device> as_rows(const Tensor<T, Device>& x) {
  Index rows = 1;
  for (int d = 0; d + 1 < x.rank(); ++d) rows *= x.shape()[d];
  return reshape(x, {rows, x.size(-1)});
}

/// A^T C summed over all rows, (k, n), for A (..., k) and C (..., n): the gradient of a matrix shared by a
/// whole batch, as one long product. In float where the matrix is.
template <class To, class T, class Device>
Tensor<To, Device> transposed_product(const Tensor<T, Device>& a, const Tensor<T, Device>& c) {
  return product<To>(swap_last_two(as_rows(a)), as_rows(c));
}

/// The numbers of `x` rounded to `T`; its gradient is what arrives, not rounded.
template <class T, class W, class Device> Tensor<W, Device> rounded(const Tensor<W, Device>& x) {
  return recorded(to<W>(to<T>(x.detach())), "to", x, [](const auto& dy) { return dy; });
}

}  // namespace detail

/// C = A B for A (..., m, k) and B (..., k, n); leading dimensions broadcast as in NumPy.
/// @throws ShapeError for rank < 2 or unequal k, naming both shapes.
template <class T, class Device>
Tensor<T, Device> matmul(const Tensor<T, Device>& a, const Tensor<T, Device>& b) {
  TMOR_CHECK_SHAPE(a.rank() >= 2 && b.rank() >= 2, "[matmul] needs matrices, got ", a.shape(), " x ",
                   b.shape(), "; unsqueeze() a vector to (1, n) or (n, 1)");
  TMOR_CHECK_SHAPE(a.size(-1) == b.size(-2), "[matmul] inner sizes differ: ", a.shape(), " x ", b.shape(),
                   a.size(-1) == b.size(-1) ? ". Did you mean matmul(a, transpose(b))?" : "");
  auto c = detail::matmul_values(a, b);
  if (needs_grad(a, b))
    record(c, "matmul", inputs(a, b), [a = save(a), b = save(b)](const Tensor<T, Device>& dc, Grads& g) {
      if (g.wants(0))
        g.add(0, sum_to(detail::matmul_values(dc, detail::swap_last_two(b.get())), a.get().shape()));
      if (g.wants(1))
        g.add(1, b.get().rank() == 2
                     ? detail::transposed_product<T>(a.get(), dc)
                     : sum_to(detail::matmul_values(detail::swap_last_two(a.get()), dc), b.get().shape()));
    });
  return c;
}

/// y = act(x w^T + b) for x (..., in), w (out, in) and b (out,) or undefined. Weights beside x of bf16 or f16
/// may be float: they are rounded to x's type before they are multiplied, their gradients are not.
/// @throws ShapeError naming the shapes that do not fit.
template <class T, class W, class Device>
requires(std::is_same_v<W, T> || std::is_same_v<W, compute_t<T>>) Tensor<T, Device> linear(
    const Tensor<T, Device>& x, const Tensor<W, Device>& w,
    const std::type_identity_t<Tensor<W, Device>>& b = {}, Activation act = Activation::none) {
  TMOR_CHECK_SHAPE(w.rank() == 2 && x.rank() >= 1 && x.size(-1) == w.size(1), "[linear] input ", x.shape(),
                   " and weight ", w.shape(), ": the input's last size must be the weight's second");
  TMOR_CHECK_SHAPE(!b.defined() || b.shape() == Shape{w.size(0)}, "[linear] bias ",
                   b.defined() ? b.shape() : Shape{}, " for weight ", w.shape());
  const bool tape = needs_grad(x, w, b);
  // An activation whose derivative needs its input is an operation of its own while training.
  if (tape && act != Activation::none && act != Activation::relu) return activate(linear(x, w, b), act);
  if constexpr (Device::host_memory && !std::is_same_v<T, compute_t<T>>) {
    using C = compute_t<T>;
    const auto taken = [](const Tensor<W, Device>& p) {
      if constexpr (std::is_same_v<W, T>) {
        return to<C>(p);
      } else {
        return detail::rounded<T>(p);
      }
    };
    return to<T>(linear(to<C>(x), taken(w), b.defined() ? taken(b) : Tensor<C, Device>(), act));
  } else {
    const auto weight = to<T>(w.detach());
    Shape shape = x.shape();
    shape[shape.rank() - 1] = w.size(0);
    auto y = Tensor<T, Device>::empty(shape);
    const auto bias = b.defined() ? contiguous(to<T>(b.detach())) : Tensor<T, Device>();
    detail::count_flops(2 * y.numel() * w.size(1));
    run_linear(Device{}, detail::as_rows(y), detail::as_rows(x.detach()), detail::swap_last_two(weight),
               bias.defined() ? bias.data() : nullptr, act);
    if (tape)
      record(y, "linear", inputs(x, w, b),
             [x = save(x), w = save(weight),
              y = save(act == Activation::relu ? y : Tensor<T, Device>::empty({0})),
              act](const Tensor<T, Device>& dy, Grads& g) {
               const auto dz = act == Activation::relu ? detail::relu_backward(dy, y.get()) : dy;
               if (g.wants(0))
                 g.add(0, reshape(detail::matmul_values(detail::as_rows(dz), w.get()), x.get().shape()));
               if (g.wants(1)) g.add(1, detail::transposed_product<W>(dz, x.get()));
               if (g.wants(2)) g.add(2, sum_to<W>(dz, {w.get().size(0)}));
             });
    return y;
  }
}

TMOR_END

#ifdef TMOR_COMPILED
#include "tmor/instantiate/products.inl"
#endif
