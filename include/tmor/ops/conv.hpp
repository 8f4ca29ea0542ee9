#pragma once
/// @file conv.hpp
/// Convolutions in channels-last layout: `conv_time` (k x 1 over the frames of a skeleton clip, the fast
/// case), `conv1d`, `conv2d`. Weights are (taps..., c_in / groups, c_out); no kernel is flipped
/// (cross-correlation).

#include "tmor/core/flops.hpp"
#include "tmor/cpu/conv2d.hpp"
#include "tmor/cpu/conv_time.hpp"
#include "tmor/ops/elementwise.hpp"
#include "tmor/ops/movement.hpp"

TMOR_BEGIN

/// Stride, padding (zeros, both sides) and dilation of a convolution over time.
struct ConvTimeOptions {
  Index stride = 1, pad = 0, dilation = 1;
};
/// The same along height and width, and the number of channel groups.
struct Conv2dOptions {
  Index stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, dilation_h = 1, dilation_w = 1, groups = 1;
};

template <class T>
void run_conv_time(Cpu, const cpu::ConvTime& s, const Tensor<T, Cpu>& x, const Tensor<T, Cpu>& w,
                   const T* bias, const Tensor<T, Cpu>& y) {
  Ref<cpu::PackedTaps<T>> packed;
  if (!grad_enabled()) packed = cpu::kept_taps(s, w);
  if (bias) {
    cpu::conv_time(s, x.data(), w.data(), y.mutable_data(), cpu::AddBias<T>{bias}, packed.get());
  } else {
    cpu::conv_time(s, x.data(), w.data(), y.mutable_data(), {}, packed.get());
  }
}
template <class T>
void run_conv_time_grad_input(Cpu, const cpu::ConvTime& s, const Tensor<T, Cpu>& dy, const Tensor<T, Cpu>& w,
                              const Tensor<T, Cpu>& dx) {
  cpu::conv_time_grad_input(s, dy.data(), w.data(), dx.mutable_data());
}
template <class T>
void run_conv_time_grad_weight(Cpu, const cpu::ConvTime& s, const Tensor<T, Cpu>& x, const Tensor<T, Cpu>& dy,
                               const Tensor<T, Cpu>& dw) {
  cpu::conv_time_grad_weight(s, x.data(), dy.data(), dw.mutable_data());
}
template <class T>
void run_conv2d(Cpu, const cpu::Conv2d& s, const Tensor<T, Cpu>& x, const Tensor<T, Cpu>& w,
                const Tensor<T, Cpu>& y) {
  cpu::conv2d_forward(s, x.data(), w.data(), y.mutable_data());
}
template <class T>
void run_conv2d_grad_input(Cpu, const cpu::Conv2d& s, const Tensor<T, Cpu>& dy, const Tensor<T, Cpu>& w,
                           const Tensor<T, Cpu>& dx) {
  cpu::conv2d_grad_input(s, dy.data(), w.data(), dx.mutable_data());
}
template <class T>
void run_conv2d_grad_weight(Cpu, const cpu::Conv2d& s, const Tensor<T, Cpu>& x, const Tensor<T, Cpu>& dy,
                            const Tensor<T, Cpu>& dw) {
  cpu::conv2d_grad_weight(s, x.data(), dy.data(), dw.mutable_data());
}

/// y[n,t,v,:] = sum_k x[n, t stride + k dilation - pad, v, :] w[k] + bias: x (N, T, V, C_in), w (K, C_in,
/// C_out) -> (N, T', V, C_out), T' = floor((T + 2 pad - (K - 1) dilation - 1) / stride) + 1.
/// @throws ShapeError naming the shapes that do not fit.
template <class T, class Device>
Tensor<T, Device> conv_time(const Tensor<T, Device>& x, const Tensor<T, Device>& w, ConvTimeOptions o = {},
                            const Tensor<T, Device>& bias = {}) {
  TMOR_CHECK_SHAPE(x.rank() == 4 && w.rank() == 3 && x.size(3) == w.size(1), "[conv_time] input ", x.shape(),
                   " and weight ", w.shape(), ": expected (N, T, V, C_in) and (K, C_in, C_out)");
  const cpu::ConvTime s{.n = x.size(0),
                        .t = x.size(1),
                        .v = x.size(2),
                        .c_in = x.size(3),
                        .c_out = w.size(2),
                        .taps = w.size(0),
                        .stride = o.stride,
                        .dilation = o.dilation,
                        .pad = o.pad};
  s.check();
  if constexpr (Device::host_memory && !std::is_same_v<T, compute_t<T>>) {
    using C = compute_t<T>;
    return to<T>(conv_time(to<C>(x), to<C>(w), o, bias.defined() ? to<C>(bias) : Tensor<C, Device>()));
  } else {
    TMOR_CHECK_SHAPE(!bias.defined() || bias.shape() == Shape{s.c_out}, "[conv_time] bias ",
                     bias.defined() ? bias.shape() : Shape{}, " for weight ", w.shape());
    const auto xc = contiguous(x.detach()), wc = contiguous(w.detach());
    const auto bc = bias.defined() ? contiguous(bias.detach()) : bias;
    auto y = Tensor<T, Device>::empty({s.n, s.t_out(), s.v, s.c_out});
    detail::count_flops(2 * y.numel() * s.taps * s.c_in);
    run_conv_time(Device{}, s, xc, wc, bc.defined() ? bc.data() : nullptr, y);
    if (needs_grad(x, w, bias))
      record(y, "conv_time", inputs(x, w, bias),
             [s, x = save(xc), w = save(wc)](const Tensor<T, Device>& dy_in, Grads& g) {
               const auto dy = contiguous(dy_in);
               if (g.wants(0)) {
                 auto dx = Tensor<T, Device>::empty(x.get().shape());
                 run_conv_time_grad_input(Device{}, s, dy, w.get(), dx);
                 g.add(0, dx);
               }
               if (g.wants(1)) {
                 auto dw = Tensor<T, Device>::empty(w.get().shape());
                 run_conv_time_grad_weight(Device{}, s, x.get(), dy, dw);
                 g.add(1, dw);
               }
               if (g.wants(2)) g.add(2, sum_to(dy, {s.c_out}));
             });
    return y;
  }
}

/// Two-dimensional convolution: x (N, H, W, C_in), w (KH, KW, C_in / groups, C_out) -> (N, H', W', C_out).
/// @throws ShapeError naming the shapes that do not fit.
template <class T, class Device>
Tensor<T, Device> conv2d(const Tensor<T, Device>& x, const Tensor<T, Device>& w, Conv2dOptions o = {}) {
  TMOR_CHECK_SHAPE(x.rank() == 4 && w.rank() == 4 && o.groups >= 1 && x.size(3) == w.size(2) * o.groups,
                   "[conv2d] input ", x.shape(), " and weight ", w.shape(), " with ", o.groups,
                   " groups: expected (N, H, W, C_in) and (KH, KW, C_in / groups, C_out)");
  const cpu::Conv2d s{.n = x.size(0),
                      .h = x.size(1),
                      .w = x.size(2),
                      .c_in = x.size(3),
                      .c_out = w.size(3),
                      .kh = w.size(0),
                      .kw = w.size(1),
                      .stride_h = o.stride_h,
                      .stride_w = o.stride_w,
                      .pad_h = o.pad_h,
                      .pad_w = o.pad_w,
                      .dilation_h = o.dilation_h,
                      .dilation_w = o.dilation_w,
                      .groups = o.groups};
  s.check();
  if constexpr (Device::host_memory && !std::is_same_v<T, compute_t<T>>) {
    using C = compute_t<T>;
    return to<T>(conv2d(to<C>(x), to<C>(w), o));
  } else {
    const auto xc = contiguous(x.detach()), wc = contiguous(w.detach());
    auto y = Tensor<T, Device>::empty({s.n, s.out_h(), s.out_w(), s.c_out});
    detail::count_flops(2 * y.numel() * s.patch());
    run_conv2d(Device{}, s, xc, wc, y);
    if (needs_grad(x, w))
      record(y, "conv2d", inputs(x, w),
             [s, x = save(xc), w = save(wc)](const Tensor<T, Device>& dy_in, Grads& g) {
               const auto dy = contiguous(dy_in);
               if (g.wants(0)) {
                 auto dx = Tensor<T, Device>::empty(x.get().shape());
                 run_conv2d_grad_input(Device{}, s, dy, w.get(), dx);
                 g.add(0, dx);
               }
               if (g.wants(1)) {
                 auto dw = Tensor<T, Device>::empty(w.get().shape());
                 run_conv2d_grad_weight(Device{}, s, x.get(), dy, dw);
                 g.add(1, dw);
               }
             });
    return y;
  }
}

/// One-dimensional convolution: x (N, T, C_in), w (K, C_in / groups, C_out) -> (N, T', C_out).
template <class T, class Device>
Tensor<T, Device> conv1d(const Tensor<T, Device>& x, const Tensor<T, Device>& w, ConvTimeOptions o = {},
                         Index groups = 1) {
  TMOR_CHECK_SHAPE(x.rank() == 3 && w.rank() == 3, "[conv1d] input ", x.shape(), " and weight ", w.shape(),
                   ": expected (N, T, C_in) and (K, C_in / groups, C_out)");
  if (groups == 1) return squeeze(conv_time(unsqueeze(x, 2), w, o), 2);
  return squeeze(
      conv2d(unsqueeze(x, 2), unsqueeze(w, 1),
             Conv2dOptions{.stride_h = o.stride, .pad_h = o.pad, .dilation_h = o.dilation, .groups = groups}),
      2);
}

TMOR_END

#ifdef TMOR_COMPILED
#include "tmor/instantiate/conv.inl"
#endif
