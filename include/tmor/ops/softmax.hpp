#pragma once
/// @file softmax.hpp
/// `softmax` and `log_softmax` over any dimension; the row bodies are in core/rows/softmax.hpp.

#include "tmor/autograd/node.hpp"
#include "tmor/ops/dense.hpp"

TMOR_BEGIN

/// y = e^x / sum(e^x) over dimension `dim`, safe for any finite x.
///
/// `mask`, broadcast to x's shape, hides elements where it is false: they get weight 0. A row where nothing
/// is seen (all hidden, or all -infinity) gives zeros and passes no gradient: a sequence of padding is no
/// reason for NaN.
/// @throws ShapeError for a dimension x does not have, or a mask that does not broadcast to x.
template <class T, class Device>
Tensor<T, Device> softmax(const Tensor<T, Device>& x, Index dim = -1, const Tensor<bool, Device>& mask = {}) {
  static_assert(is_floating<T>, "softmax needs floating-point values");
  const int d = wrap_dim(dim, x.rank(), "softmax"), last = x.rank() - 1;
  const auto in = detail::dense(detail::swap_dims(x, d, last));
  const Index n = in.size(-1), rows = detail::row_count(in, n);
  const auto out = Tensor<T, Device>::empty(in.shape());
  rows::Softmax<T> body{in.data(), out.mutable_data(), n, nullptr, {}};
  Tensor<bool, Device> seen;  // lives until the rows have run
  if (mask.defined()) {
    seen = detail::swap_dims(detail::broadcast_view(mask, x.shape(), "softmax mask"), d, last);
    if (seen.stride(-1) != 1) {
      const auto copy = Tensor<bool, Device>::empty(in.shape());
      copy_into(Device{}, copy, seen);
      seen = copy;
    }
    body.mask = seen.data();
    body.mask_rows = detail::broadcast_rows(seen);
  }
  run_rows(Device{}, rows, n, body);
  const auto y = detail::swap_dims(out, d, last);
  if (needs_grad(x))
    record(y, "softmax", inputs(x), [y = save(out), d, last](const Tensor<T, Device>& dy, Grads& g) {
      const auto in_dy = detail::dense(detail::swap_dims(dy, d, last));
      const auto dx = Tensor<T, Device>::empty(in_dy.shape());
      const Index len = dx.size(-1);
      run_rows(Device{}, detail::row_count(dx, len), len,
               rows::SoftmaxBackward<T>{y.get().data(), in_dy.data(), dx.mutable_data(), len});
      g.add(0, detail::swap_dims(dx, d, last));
    });
  return y;
}

/// y = x - log(sum(e^x)) over dimension `dim`, without the cancellation of log(softmax(x)). NaN in a row of
/// nothing but -infinity. @throws ShapeError for a dimension x does not have.
template <class T, class Device> Tensor<T, Device> log_softmax(const Tensor<T, Device>& x, Index dim = -1) {
  static_assert(is_floating<T>, "log_softmax needs floating-point values");
  const int d = wrap_dim(dim, x.rank(), "log_softmax"), last = x.rank() - 1;
  const auto in = detail::dense(detail::swap_dims(x, d, last));
  const Index n = in.size(-1);
  const auto out = Tensor<T, Device>::empty(in.shape());
  run_rows(Device{}, detail::row_count(in, n), n, rows::LogSoftmax<T>{in.data(), out.mutable_data(), n});
  const auto y = detail::swap_dims(out, d, last);
  if (needs_grad(x))
    record(y, "log_softmax", inputs(x), [y = save(out), d, last](const Tensor<T, Device>& dy, Grads& g) {
      const auto in_dy = detail::dense(detail::swap_dims(dy, d, last));
      const auto dx = Tensor<T, Device>::empty(in_dy.shape());
      const Index len = dx.size(-1);
      run_rows(Device{}, detail::row_count(dx, len), len,
               rows::LogSoftmaxBackward<T>{y.get().data(), in_dy.data(), dx.mutable_data(), len});
      g.add(0, detail::swap_dims(dx, d, last));
    });
  return y;
}

TMOR_END

#ifdef TMOR_COMPILED
#include "tmor/instantiate/softmax.inl"
#endif
