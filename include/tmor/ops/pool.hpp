#pragma once
/// @file pool.hpp
/// Pooling in channels-last layout: averages and maxima over windows of images (N, H, W, C) and of sequences
/// (N, T, C) or (N, T, V, C), with given or adaptive windows. Over everything, `mean` and `max` are simpler.

#include "tmor/cpu/pool.hpp"
#include "tmor/ops/dense.hpp"
#include "tmor/ops/elementwise.hpp"

TMOR_BEGIN

/// Windows of an image. A stride of 0 is the kernel's size; padding must be less than the kernel, and lies
/// outside: it never wins a maximum, and counts in an average's divisor only with `count_padding` (PyTorch's
/// default).
struct Pool2dOptions {
  Index kernel_h = 2, kernel_w = 2, stride_h = 0, stride_w = 0, pad_h = 0, pad_w = 0;
  bool count_padding = false;
};
/// The same along time alone.
struct PoolTimeOptions {
  Index kernel = 2, stride = 0, pad = 0;
  bool count_padding = false;
};

namespace detail {

template <class T, class Device>
PoolCall pool_call(const Tensor<T, Device>& x, const Pool2dOptions& o, const char* op) {
  TMOR_CHECK_SHAPE(x.rank() == 4, "[", op, "] input ", x.shape(), ": expected (N, H, W, C)");
  return {x.size(0), PoolAxis::sliding(x.size(1), o.kernel_h, o.stride_h, o.pad_h, op),
          PoolAxis::sliding(x.size(2), o.kernel_w, o.stride_w, o.pad_w, op), x.size(3), o.count_padding};
}
template <class T, class Device>
PoolCall pool_call_time(const Tensor<T, Device>& x, const PoolAxis& time, bool count_padding) {
  // Joints and channels are one row of numbers here.
  return {x.size(0), time, PoolAxis{1, 1, 1, 1, 0}, x.rank() == 4 ? x.size(2) * x.size(3) : x.size(2),
          count_padding};
}
template <class T, class Device>
PoolAxis sliding_time(const Tensor<T, Device>& x, const PoolTimeOptions& o, const char* op) {
  TMOR_CHECK_SHAPE(x.rank() == 3 || x.rank() == 4, "[", op, "] input ", x.shape(),
                   ": expected (N, T, C) or (N, T, V, C)");
  return PoolAxis::sliding(x.size(1), o.kernel, o.stride, o.pad, op);
}

template <class T, class Device>
Tensor<T, Device> avg_pool(const Tensor<T, Device>& x_in, const PoolCall& s, const Shape& shape) {
  if constexpr (!std::is_same_v<T, compute_t<T>>) {
    return to<T>(avg_pool(to<compute_t<T>>(x_in), s, shape));
  } else {
    auto y = Tensor<T, Device>::empty(shape);
    if (y.numel() > 0) run_avg_pool(Device{}, s, dense(x_in), y);
    if (needs_grad(x_in))
      record(y, "avg_pool", inputs(x_in), [s, from = x_in.shape()](const Tensor<T, Device>& dy, Grads& g) {
        auto dx = Tensor<T, Device>::empty(from);
        if (dx.numel() > 0) run_avg_pool_backward(Device{}, s, dense(dy), dx);
        g.add(0, dx);
      });
    return y;
  }
}

template <class T, class Device>
Tensor<T, Device> max_pool(const Tensor<T, Device>& x_in, const PoolCall& s, const Shape& shape) {
  if constexpr (!std::is_same_v<T, compute_t<T>>) {
    return to<T>(max_pool(to<compute_t<T>>(x_in), s, shape));
  } else {
    const auto x = dense(x_in);
    auto y = Tensor<T, Device>::empty(shape);
    if (y.numel() > 0) run_max_pool(Device{}, s, x, y);
    if (needs_grad(x_in))
      record(y, "max_pool", inputs(x_in),
             [s, x = save(x), y = save(y)](const Tensor<T, Device>& dy, Grads& g) {
               auto dx = Tensor<T, Device>::empty(x.get().shape());
               if (dx.numel() > 0) run_max_pool_backward(Device{}, s, x.get(), y.get(), dense(dy), dx);
               g.add(0, dx);
             });
    return y;
  }
}

inline Shape with_size(Shape shape, int d, Index size) {
  shape[d] = size;
  return shape;
}

}  // namespace detail

/// Mean of every window: x (N, H, W, C) -> (N, H', W', C), H' = floor((H + 2 pad - kernel) / stride) + 1.
/// @throws ShapeError for windows that do not fit.
template <class T, class Device>
Tensor<T, Device> avg_pool2d(const Tensor<T, Device>& x, const Pool2dOptions& o = {}) {
  const PoolCall s = detail::pool_call(x, o, "avg_pool2d");
  return detail::avg_pool(x, s, {s.n, s.h.out, s.w.out, s.c});
}
/// Largest of every window, NaN where there is one; of equal ones the first gets the gradient.
/// @throws ShapeError for windows that do not fit.
template <class T, class Device>
Tensor<T, Device> max_pool2d(const Tensor<T, Device>& x, const Pool2dOptions& o = {}) {
  const PoolCall s = detail::pool_call(x, o, "max_pool2d");
  return detail::max_pool(x, s, {s.n, s.h.out, s.w.out, s.c});
}

/// Mean of windows over time: x (N, T, C) or (N, T, V, C) -> the same with T' for T.
/// @throws ShapeError for windows that do not fit.
template <class T, class Device>
Tensor<T, Device> avg_pool_time(const Tensor<T, Device>& x, const PoolTimeOptions& o = {}) {
  const PoolAxis time = detail::sliding_time(x, o, "avg_pool_time");
  return detail::avg_pool(x, detail::pool_call_time(x, time, o.count_padding),
                          detail::with_size(x.shape(), 1, time.out));
}
/// Largest of windows over time, as `max_pool2d`.
template <class T, class Device>
Tensor<T, Device> max_pool_time(const Tensor<T, Device>& x, const PoolTimeOptions& o = {}) {
  const PoolAxis time = detail::sliding_time(x, o, "max_pool_time");
  return detail::max_pool(x, detail::pool_call_time(x, time, false),
                          detail::with_size(x.shape(), 1, time.out));
}

/// Means over windows [floor(i H / out_h), ceil((i + 1) H / out_h)) and the same along W, as PyTorch's
/// AdaptiveAvgPool2d: x (N, H, W, C) -> (N, out_h, out_w, C), for any H, W >= 1.
/// @throws ShapeError for no windows or no pixels.
template <class T, class Device>
Tensor<T, Device> adaptive_avg_pool2d(const Tensor<T, Device>& x, Index out_h, Index out_w) {
  TMOR_CHECK_SHAPE(x.rank() == 4, "[adaptive_avg_pool2d] input ", x.shape(), ": expected (N, H, W, C)");
  const PoolCall s{x.size(0), PoolAxis::adaptive(x.size(1), out_h, "adaptive_avg_pool2d"),
                   PoolAxis::adaptive(x.size(2), out_w, "adaptive_avg_pool2d"), x.size(3), false};
  return detail::avg_pool(x, s, {s.n, out_h, out_w, s.c});
}
/// The same over time: x (N, T, C) or (N, T, V, C) -> the same with `out` for T.
template <class T, class Device>
Tensor<T, Device> adaptive_avg_pool_time(const Tensor<T, Device>& x, Index out) {
  TMOR_CHECK_SHAPE(x.rank() == 3 || x.rank() == 4, "[adaptive_avg_pool_time] input ", x.shape(),
                   ": expected (N, T, C) or (N, T, V, C)");
  const PoolAxis time = PoolAxis::adaptive(x.size(1), out, "adaptive_avg_pool_time");
  return detail::avg_pool(x, detail::pool_call_time(x, time, false), detail::with_size(x.shape(), 1, out));
}

TMOR_END
