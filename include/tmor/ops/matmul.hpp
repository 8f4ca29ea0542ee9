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

/// Product without tape; storage-only types are multiplied in float, which GPUs do as they read them.
template <class T, class Device>
Tensor<T, Device> matmul_values(const Tensor<T, Device>& a, const Tensor<T, Device>& b) {
  if constexpr (Device::host_memory && !std::is_same_v<T, compute_t<T>>) {
    return to<T>(matmul_values(to<compute_t<T>>(a), to<compute_t<T>>(b)));
  } else {
    Shape batch_a = a.shape(), batch_b = b.shape();
    for (int i = 0; i < 2; ++i) {
      batch_a.erase(batch_a.rank() - 1);
      batch_b.erase(batch_b.rank() - 1);
    }
    Shape shape = broadcast_shapes(batch_a, batch_b, "matmul");
    shape.push_back(a.size(-2));
    shape.push_back(b.size(-1));
    auto c = Tensor<T, Device>::empty(shape);
    detail::count_flops(2 * shape.numel() * a.size(-1));
    run_matmul(Device{}, c, a, b);
    return c;
  }
}

/// `x` as a matrix: all dimensions but the last merged, one row for a vector.
template <class T, class Device> Tensor<T, Device> as_rows(const Tensor<T, Device>& x) {
  Index rows = 1;
  for (int d = 0; d + 1 < x.rank(); ++d) rows *= x.shape()[d];
  return reshape(x, {rows, x.size(-1)});
}

/// A^T C summed over all rows, (k, n), for A (..., k) and C (..., n): the gradient of a matrix shared by a
/// whole batch, as one long product.
template <class T, class Device>
Tensor<T, Device> transposed_product(const Tensor<T, Device>& a, const Tensor<T, Device>& c) {
  return matmul_values(swap_last_two(as_rows(a)), as_rows(c));
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
                     ? detail::transposed_product(a.get(), dc)
                     : sum_to(detail::matmul_values(detail::swap_last_two(a.get()), dc), b.get().shape()));
    });
  return c;
}

/// y = act(x w^T + b) for x (..., in), w (out, in) and b (out,) or undefined.
/// @throws ShapeError naming the shapes that do not fit.
template <class T, class Device>
Tensor<T, Device> linear(const Tensor<T, Device>& x, const Tensor<T, Device>& w,
                         const Tensor<T, Device>& b = {}, Activation act = Activation::none) {
  TMOR_CHECK_SHAPE(w.rank() == 2 && x.rank() >= 1 && x.size(-1) == w.size(1), "[linear] input ", x.shape(),
                   " and weight ", w.shape(), ": the input's last size must be the weight's second");
  TMOR_CHECK_SHAPE(!b.defined() || b.shape() == Shape{w.size(0)}, "[linear] bias ",
                   b.defined() ? b.shape() : Shape{}, " for weight ", w.shape());
  const bool tape = needs_grad(x, w, b);
  // An activation whose derivative needs its input is an operation of its own while training.
  if (tape && act != Activation::none && act != Activation::relu) return activate(linear(x, w, b), act);
  if constexpr (Device::host_memory && !std::is_same_v<T, compute_t<T>>) {
    using C = compute_t<T>;
    return to<T>(linear(to<C>(x), to<C>(w), b.defined() ? to<C>(b) : Tensor<C, Device>(), act));
  } else {
    Shape shape = x.shape();
    shape[shape.rank() - 1] = w.size(0);
    auto y = Tensor<T, Device>::empty(shape);
    const auto bias = b.defined() ? contiguous(b.detach()) : b;
    detail::count_flops(2 * y.numel() * w.size(1));
    run_linear(Device{}, detail::as_rows(y), detail::as_rows(x.detach()), detail::swap_last_two(w),
               bias.defined() ? bias.data() : nullptr, act);
    if (tape)
      record(y, "linear", inputs(x, w, b),
             [x = save(x), w = save(w), y = save(act == Activation::relu ? y : Tensor<T, Device>::empty({0})),
              act](const Tensor<T, Device>& dy, Grads& g) {
               const auto dz = act == Activation::relu ? detail::relu_backward(dy, y.get()) : dy;
               if (g.wants(0))
                 g.add(0, reshape(detail::matmul_values(detail::as_rows(dz), w.get()), x.get().shape()));
               if (g.wants(1)) g.add(1, detail::transposed_product(dz, x.get()));
               if (g.wants(2)) g.add(2, sum_to(dz, {w.get().size(0)}));
             });
    return y;
  }
}

TMOR_END

#ifdef TMOR_COMPILED
#include "tmor/instantiate/products.inl"
#endif
