#pragma once
/// @file conv.cuh
/// Convolutions and joint mixing on the GPU as products (cuda/gemm.cuh) whose operands are read where they
/// lie: a convolution over time is one over images of width V with kernels k x 1. Convolutions may be
/// NVIDIA's library's (cuda/cudnn.hpp), and so may be what is a product of dense matrices, as convolutions by
/// one tap and the channels' part of joint mixing are (cuda/cublas.hpp).

#include "tmor/core/tensor.hpp"
#include "tmor/cuda/cudnn.hpp"
#include "tmor/cuda/gemm.cuh"

TMOR_BEGIN
namespace cuda {

/// Patches of the input as a matrix (output pixels, taps and channels), or its transpose.
template <class T, bool kTransposed> struct Patches {
  static constexpr bool along_k = !kTransposed, along_n = false;
  const T* x;
  ConvSize s;
  TMOR_HD compute_t<T> load(Index group, Index i, Index j) const {
    const Index pixel = kTransposed ? j : i, at = kTransposed ? i : j;
    const Index c = at % s.c_in, tap = at / s.c_in, q = pixel % s.ow, p = pixel / s.ow % s.oh,
                image = pixel / s.ow / s.oh;
    const Index row = p * s.stride_h + tap / s.kw * s.dilation_h - s.pad_h;
    const Index column = q * s.stride_w + tap % s.kw * s.dilation_w - s.pad_w;
    if (row < 0 || row >= s.h || column < 0 || column >= s.w) return 0;
    return x[(((image * s.h + row) * s.w + column) * s.groups + group) * s.c_in + c];
  }
};
/// What of dy each input pixel met: (input pixels, taps and output channels).
template <class T> struct BackPatches {
  static constexpr bool along_k = true, along_n = false;
  const T* dy;
  ConvSize s;
  TMOR_HD compute_t<T> load(Index group, Index i, Index j) const {
    const Index c = j % s.c_out, tap = j / s.c_out, image = i / s.w / s.h;
    const Index row = i / s.w % s.h + s.pad_h - tap / s.kw * s.dilation_h;
    const Index column = i % s.w + s.pad_w - tap % s.kw * s.dilation_w;
    if (row < 0 || column < 0 || row % s.stride_h != 0 || column % s.stride_w != 0) return 0;
    const Index p = row / s.stride_h, q = column / s.stride_w;
    if (p >= s.oh || q >= s.ow) return 0;
    return dy[(((image * s.oh + p) * s.ow + q) * s.groups + group) * s.c_out + c];
  }
};
/// The weight as (taps and input channels, output channels), or as (taps and output channels, input
/// channels).
template <class T, bool kBack> struct Kernel {
  static constexpr bool along_k = false, along_n = !kBack;
  const T* w;
  ConvSize s;
  TMOR_HD compute_t<T> load(Index group, Index i, Index j) const {
    const Index row = kBack ? i / s.c_out * s.c_in + j : i, c = kBack ? i % s.c_out : j;
    return w[(row * s.groups + group) * s.c_out + c];
  }
};
/// Rows of `columns` numbers of each group side by side: y, dy, dx and dw; adds a bias where there is one,
/// which repeats every `bias_rows` rows.
template <class T> struct GroupRows {
  static constexpr bool along_k = true, along_n = true;
  T* p;
  Index groups, columns;
  const T* bias;
  Index bias_rows;
  TMOR_HD compute_t<T> load(Index group, Index i, Index j) const {
    return p[(i * groups + group) * columns + j];
  }
  TMOR_HD void put(Index group, Index i, Index j, compute_t<T> v) const {
    const Index c = group * columns + j;
    if (bias) v += static_cast<compute_t<T>>(bias[i % bias_rows * groups * columns + c]);
    p[i * groups * columns + c] = v;
  }
};

/// A dense matrix (rows, columns), read as it is or transposed.
template <class T, bool kTransposed> struct Dense {
  static constexpr bool along_k = !kTransposed, along_n = !kTransposed;
  const T* p;
  Index columns;  ///< of the matrix in memory
  TMOR_HD compute_t<T> load(Index, Index i, Index j) const {
    return p[kTransposed ? j * columns + i : i * columns + j];
  }

  /// The same memory as a tensor of those sizes, which does not own it.
  Tensor<T, Cuda> tensor(Index rows, Index cols) const {
    auto body = make_ref<tmor::detail::TensorBody>();
    body->shape = {rows, cols};
    body->strides = kTransposed ? Shape{1, columns} : Shape{columns, 1};
    body->storage =
        make_ref<Storage>(const_cast<T*>(p), static_cast<std::size_t>(rows * cols) * sizeof(T), nullptr);
    body->dtype = dtype_of<T>;
    return Tensor<T, Cuda>(std::move(body));
  }
};
/// y += bias, which repeats every `period` elements.
template <class T> struct AddRepeated {
  T* y;
  const T* bias;
  Index period;
  TMOR_HD void operator()(Index i) const {
    y[i] = static_cast<compute_t<T>>(y[i]) + static_cast<compute_t<T>>(bias[i % period]);
  }
};
/// c (m, n) = a (m, k) b (k, n) + bias (`bias_rows`, n), repeated, or nothing for null.
template <class T, bool kA, bool kB>
void product(const char* name, T* c, const Dense<T, kA>& a, const Dense<T, kB>& b, Index m, Index n, Index k,
             const T* bias = nullptr, Index bias_rows = 1) {
  if (cuda_gemm() == CudaGemm::library && m * n * k > 0) {
    const auto tc = Dense<T, false>{c, n}.tensor(m, n);
    const auto ta = a.tensor(m, k), tb = b.tensor(k, n);
    if (bias && bias_rows == 1 && library_bias(bias) &&
        library_product(tc, ta, tb, compute_t<T>(0), CublasApi::bias, bias))
      return;
    if (library_product(tc, ta, tb)) {
      if (bias) for_each(name, m * n, AddRepeated<T>{c, bias, bias_rows * n});
      return;
    }
  }
  gemm<compute_t<T>>(name, a, b, GroupRows<T>{c, 1, n, bias, bias_rows}, GemmSize(1, m, n, k));
}

/// to (columns, rows) = from (rows, columns), transposed: weights as cuDNN has them, (groups, c_out, kh, kw,
/// c_in), and back.
template <class T> struct Turn {
  T* to;
  const T* from;
  Index rows, columns;
  TMOR_HD void operator()(Index i) const { to[i] = from[i % rows * columns + i / rows]; }
};
/// c = the convolution of a and b, in the order of cuDNN's arguments, by it, when it is the one to do it and
/// can: else false, and nothing has happened.
template <class T> bool library_conv(ConvWay way, const ConvSize& s, const T* a, const T* b, T* c) {
  if (!library_may<T>(s)) return false;
  for (const T* p : {a, b, static_cast<const T*>(c)})
    if (reinterpret_cast<std::uintptr_t>(p) % 16 != 0) return false;
  return LibraryConvs::instance().with(library_conv_of<T>(way, s), [&](LibraryConvs::Plan& plan) {
    if (!plan.found) return false;
    const Index rows = s.patch(), columns = s.groups * s.c_out;
    const auto copy = Cuda::allocate(static_cast<std::size_t>(rows * columns) * sizeof(T));
    T* const turned = static_cast<T*>(copy->data());
    if (way == ConvWay::grad_weight) {
      if (!run_library_conv(way, plan, a, b, turned)) return false;
      for_each("conv weight", rows * columns, Turn<T>{c, turned, columns, rows});
      return true;
    }
    const bool first = way == ConvWay::grad_input;
    for_each("conv weight", rows * columns, Turn<T>{turned, first ? a : b, rows, columns});
    return run_library_conv(way, plan, first ? turned : a, first ? b : turned, c);
  });
}

template <class T> void conv(const ConvSize& s, const T* x, const T* w, const T* bias, T* y) {
  if (s.is_product())
    return product("conv", y, Dense<T, false>{x, s.c_in}, Dense<T, false>{w, s.c_out}, s.pixels(), s.c_out,
                   s.c_in, bias);
  if (library_conv(ConvWay::forward, s, x, w, y)) {
    const Index columns = s.groups * s.c_out;
    if (bias) for_each("conv", s.pixels() * columns, AddRepeated<T>{y, bias, columns});
    return;
  }
  gemm<compute_t<T>>("conv", Patches<T, false>{x, s}, Kernel<T, false>{w, s},
                     GroupRows<T>{y, s.groups, s.c_out, bias, 1},
                     GemmSize(s.groups, s.pixels(), s.c_out, s.patch()));
}
template <class T> void conv_grad_input(const ConvSize& s, const T* dy, const T* w, T* dx) {
  if (s.is_product())
    return product("conv grad input", dx, Dense<T, false>{dy, s.c_out}, Dense<T, true>{w, s.c_out},
                   s.pixels(), s.c_in, s.c_out);
  if (library_conv(ConvWay::grad_input, s, w, dy, dx)) return;
  gemm<compute_t<T>>("conv grad input", BackPatches<T>{dy, s}, Kernel<T, true>{w, s},
                     GroupRows<T>{dx, s.groups, s.c_in, nullptr, 1},
                     GemmSize(s.groups, s.n * s.h * s.w, s.c_in, s.kh * s.kw * s.c_out));
}
template <class T> void conv_grad_weight(const ConvSize& s, const T* x, const T* dy, T* dw) {
  if (s.is_product())
    return product("conv grad weight", dw, Dense<T, true>{x, s.c_in}, Dense<T, false>{dy, s.c_out}, s.c_in,
                   s.c_out, s.pixels());
  if (library_conv(ConvWay::grad_weight, s, x, dy, dw)) return;
  gemm<compute_t<T>>("conv grad weight", Patches<T, true>{x, s},
                     GroupRows<T>{const_cast<T*>(dy), s.groups, s.c_out, nullptr, 1},
                     GroupRows<T>{dw, s.groups, s.c_out, nullptr, 1},
                     GemmSize(s.groups, s.patch(), s.c_out, s.pixels()));
}
/// `S` is cpu::ConvTime or cpu::Conv2d, which are no business of this layer.
template <class S> ConvSize conv_size(const S& s) {
  if constexpr (requires { s.taps; }) {
    return {s.n,     s.t, s.v,      s.t_out(), s.v,        s.taps, 1,     s.c_in,
            s.c_out, 1,   s.stride, 1,         s.dilation, 1,      s.pad, 0};
  } else {
    return {s.n,          s.h,          s.w,           s.out_h(), s.out_w(),  s.kh,
            s.kw,         s.group_in(), s.group_out(), s.groups,  s.stride_h, s.stride_w,
            s.dilation_h, s.dilation_w, s.pad_h,       s.pad_w};
  }
}

// ---- Joint mixing
// ------------------------------------------------------------------------------------------------

struct MixSize {
  Index n, t, v, w, heads, c;
  Index a_sample;  ///< 0 when all samples share the mixing matrices

  TMOR_HD Index mixed() const { return heads * c; }
  /// Offset in u (n, t, w, heads, c) of what column j = (frame, channel) of a sample is there.
  TMOR_HD Index u_at(Index sample, Index j, Index joint, Index head) const {
    return (((sample * t + j / c) * w + joint) * heads + head) * c + j % c;
  }
  TMOR_HD Index x_at(Index sample, Index j, Index joint) const {
    return ((sample * t + j / c) * v + joint) * c + j % c;
  }
};
/// a[h]: (w, v) for batch (sample, head).
template <class T> struct MixForward {
  static constexpr bool along_k = false, along_n = false;
  const T* a;
  MixSize s;
  TMOR_HD compute_t<T> load(Index z, Index w, Index v) const {
    return a[z / s.heads * s.a_sample + (z % s.heads * s.v + v) * s.w + w];
  }
};
/// a: (v, heads and w) for batch (sample).
template <class T> struct MixBack {
  static constexpr bool along_k = true, along_n = false;
  const T* a;
  MixSize s;
  TMOR_HD compute_t<T> load(Index z, Index v, Index k) const {
    return a[z * s.a_sample + (k / s.w * s.v + v) * s.w + k % s.w];
  }
};
/// x: (v, frames and channels) for batch (sample, head).
template <class T> struct MixInput {
  static constexpr bool along_k = false, along_n = true;
  const T* x;
  MixSize s;
  TMOR_HD compute_t<T> load(Index z, Index v, Index j) const { return x[s.x_at(z / s.heads, j, v)]; }
};
/// u: (heads and w, frames and channels) for batch (sample).
template <class T> struct MixedRows {
  static constexpr bool along_k = false, along_n = true;
  const T* u;
  MixSize s;
  TMOR_HD compute_t<T> load(Index z, Index k, Index j) const { return u[s.u_at(z, j, k % s.w, k / s.w)]; }
};
/// x: (v, columns) and u: (columns, w), where columns are the frames and channels of a sample, or of all.
template <class T> struct MixGradLeft {
  static constexpr bool along_k = true, along_n = false;
  const T* x;
  MixSize s;
  TMOR_HD compute_t<T> load(Index z, Index v, Index k) const {
    const Index columns = s.t * s.c;
    return x[s.x_at(s.a_sample ? z / s.heads : k / columns, k % columns, v)];
  }
};
template <class T> struct MixGradRight {
  static constexpr bool along_k = false, along_n = false;
  const T* u;
  MixSize s;
  TMOR_HD compute_t<T> load(Index z, Index k, Index w) const {
    const Index columns = s.t * s.c;
    return u[s.u_at(s.a_sample ? z / s.heads : k / columns, k % columns, w, z % s.heads)];
  }
};
template <class T> struct PutMixed {
  T* u;
  MixSize s;
  TMOR_HD void put(Index z, Index w, Index j, compute_t<T> v) const {
    u[s.u_at(z / s.heads, j, w, z % s.heads)] = v;
  }
};
template <class T> struct PutMixGrad {
  T* dx;
  MixSize s;
  TMOR_HD void put(Index z, Index v, Index j, compute_t<T> value) const { dx[s.x_at(z, j, v)] = value; }
};

template <class Args> MixSize mix_size(const Args& p) {
  return {p.n, p.t, p.v, p.w, p.heads, p.c_in, p.a_sample};
}

/// u[n,t,w,h,c] = sum_v a[h,v,w] x[n,t,v,c], in `T` like its factors.
template <class T, class Args> Ref<Storage> mix(const Args& p) {
  const MixSize s = mix_size(p);
  auto u = Cuda::allocate(static_cast<std::size_t>(s.n * s.t * s.w * s.mixed()) * sizeof(T));
  gemm<compute_t<T>>("joint mix", MixForward<T>{p.a, s}, MixInput<T>{p.x, s},
                     PutMixed<T>{static_cast<T*>(u->data()), s},
                     GemmSize(s.n * s.heads, s.w, s.t * s.c, s.v));
  return u;
}

}  // namespace cuda

template <class S, class T>
void run_conv_time(Cuda, const S& s, const Tensor<T, Cuda>& x, const Tensor<T, Cuda>& w, const T* bias,
                   const Tensor<T, Cuda>& y) {
  cuda::conv(cuda::conv_size(s), x.data(), w.data(), bias, y.mutable_data());
}
template <class S, class T>
void run_conv_time_grad_input(Cuda, const S& s, const Tensor<T, Cuda>& dy, const Tensor<T, Cuda>& w,
                              const Tensor<T, Cuda>& dx) {
  cuda::conv_grad_input(cuda::conv_size(s), dy.data(), w.data(), dx.mutable_data());
}
template <class S, class T>
void run_conv_time_grad_weight(Cuda, const S& s, const Tensor<T, Cuda>& x, const Tensor<T, Cuda>& dy,
                               const Tensor<T, Cuda>& dw) {
  cuda::conv_grad_weight(cuda::conv_size(s), x.data(), dy.data(), dw.mutable_data());
}
template <class S, class T>
void run_conv2d(Cuda, const S& s, const Tensor<T, Cuda>& x, const Tensor<T, Cuda>& w,
                const Tensor<T, Cuda>& y) {
  cuda::conv(cuda::conv_size(s), x.data(), w.data(), static_cast<const T*>(nullptr), y.mutable_data());
}
template <class S, class T>
void run_conv2d_grad_input(Cuda, const S& s, const Tensor<T, Cuda>& dy, const Tensor<T, Cuda>& w,
                           const Tensor<T, Cuda>& dx) {
  cuda::conv_grad_input(cuda::conv_size(s), dy.data(), w.data(), dx.mutable_data());
}
template <class S, class T>
void run_conv2d_grad_weight(Cuda, const S& s, const Tensor<T, Cuda>& x, const Tensor<T, Cuda>& dy,
                            const Tensor<T, Cuda>& dw) {
  cuda::conv_grad_weight(cuda::conv_size(s), x.data(), dy.data(), dw.mutable_data());
}

template <class Args, class T>
void run_joint_mix(Cuda, const Args& p, const Tensor<T, Cuda>& weight, const T* bias,
                   const Tensor<T, Cuda>& y) {
  const cuda::MixSize s = cuda::mix_size(p);
  const auto u = cuda::mix<T>(p);
  cuda::product(
      "joint mix", y.mutable_data(), cuda::Dense<T, false>{static_cast<const T*>(u->data()), s.mixed()},
      cuda::Dense<T, false>{weight.data(), p.c_out}, s.n * s.t * s.w, p.c_out, s.mixed(), bias, s.w);
}
/// Gradients that are null are not wanted.
template <class Args, class T>
void run_joint_mix_backward(Cuda, const Args& p, const Tensor<T, Cuda>& dy, T* dx, T* da, T* dw) {
  using C = compute_t<T>;
  const cuda::MixSize s = cuda::mix_size(p);
  const Index rows = s.n * s.t * s.w;
  if (dw) {
    const auto u = cuda::mix<T>(p);
    cuda::product("joint mix grad weight", dw,
                  cuda::Dense<T, true>{static_cast<const T*>(u->data()), s.mixed()},
                  cuda::Dense<T, false>{dy.data(), p.c_out}, s.mixed(), p.c_out, rows);
  }
  if (!dx && !da) return;
  const auto du = Cuda::allocate(static_cast<std::size_t>(rows * s.mixed()) * sizeof(T));
  T* const u = static_cast<T*>(du->data());
  cuda::product("joint mix grad mixed", u, cuda::Dense<T, false>{dy.data(), p.c_out},
                cuda::Dense<T, true>{p.weight, p.c_out}, rows, s.mixed(), p.c_out);
  if (dx)
    cuda::gemm<C>("joint mix grad input", cuda::MixBack<T>{p.a, s}, cuda::MixedRows<T>{u, s},
                  cuda::PutMixGrad<T>{dx, s}, cuda::GemmSize(s.n, s.v, s.t * s.c, s.heads * s.w));
  if (da)
    cuda::gemm<C>(
        "joint mix grad mixing", cuda::MixGradLeft<T>{p.x, s}, cuda::MixGradRight<T>{u, s},
        cuda::PutDense<T>{da, s.v, s.w},
        cuda::GemmSize(s.a_sample ? s.n * s.heads : s.heads, s.v, s.w, s.t * s.c * (s.a_sample ? 1 : s.n)));
}

TMOR_END
