#pragma once
/// @file joint_scores.hpp
/// The data-dependent part of joint mixing (UNIK, Yang et al. 2021): how similar each pair of joints is over
/// all frames of a clip. One operation, because queries and keys made apart would be written, permuted and
/// read back three times, which costs more than to compute them.

#include <cmath>

#include "tmor/core/flops.hpp"
#include "tmor/cpu/joint_scores.hpp"
#include "tmor/ops/matmul.hpp"
#include "tmor/ops/movement.hpp"

TMOR_BEGIN

template <class T> void run_joint_scores(Cpu, const cpu::JointScoresArgs<T>& p, const Tensor<T, Cpu>& s) {
  cpu::joint_scores_forward(p, s.mutable_data());
}
template <class T>
void run_joint_scores_backward(Cpu, const cpu::JointScoresArgs<T>& p, const Tensor<T, Cpu>& ds, T* dx, T* dw,
                               T* db) {
  cpu::joint_scores_backward(p, ds.data(), dx, dw, db);
}

/// s[n,h,v,w] = scale sum_{t,d} q[n,t,v,h,d] k[n,t,w,h,d], where q and k are the halves of x w^T + b,
/// each (N, T, V, H, D).
///
/// - x (N, T, V, C); w (2 H D, C); b (2 H D,) or undefined; result (N, H, V, V).
/// @throws ShapeError naming the shapes that do not fit.
template <class T, class Device>
Tensor<T, Device> joint_scores(const Tensor<T, Device>& x, const Tensor<T, Device>& w,
                               const Tensor<T, Device>& b, Index heads, double scale) {
  TMOR_CHECK_SHAPE(
      x.rank() == 4 && w.rank() == 2 && w.size(1) == x.size(3) && heads > 0 && w.size(0) % (2 * heads) == 0,
      "[joint_scores] input ", x.shape(), ", weight ", w.shape(), ", ", heads,
      " heads: expected (N, T, V, C) and (2 heads D, C)");
  TMOR_CHECK_SHAPE(!b.defined() || b.shape() == Shape{w.size(0)}, "[joint_scores] bias ",
                   b.defined() ? b.shape() : Shape{}, " for weight ", w.shape());
  const Index n = x.size(0), t = x.size(1), v = x.size(2), d = w.size(0) / (2 * heads);
  if constexpr (!std::is_same_v<Device, Cpu>) {  // in parts
    // The sum over a clip may leave the range of f16: most of the scale, a power of 4, goes into its factors.
    const double part = std::is_same_v<T, f16> && scale > 0 ? std::exp2(std::round(std::log2(scale) / 2)) : 1;
    const auto scaled = [part](const Tensor<T, Device>& p) {
      return p.defined() && part != 1 ? p * part : p;
    };
    const auto qk =
        reshape(permute(reshape(linear(x, scaled(w), scaled(b)), {n, t, v, 2 * heads, d}), {3, 0, 2, 1, 4}),
                {2, heads, n, v, t * d});
    return transpose(matmul(select(qk, 0, 0), transpose(select(qk, 0, 1))) * (scale / (part * part)), 0, 1);
  } else if constexpr (!std::is_same_v<T, compute_t<T>>) {
    using C = compute_t<T>;
    return to<T>(
        joint_scores(to<C>(x), to<C>(w), b.defined() ? to<C>(b) : Tensor<C, Device>(), heads, scale));
  } else {
    const auto xc = contiguous(x.detach()), wc = contiguous(w.detach());
    const auto bc = b.defined() ? contiguous(b.detach()) : Tensor<T, Device>::empty({0});
    auto args = [=](const Tensor<T, Device>& px, const Tensor<T, Device>& pw, const Tensor<T, Device>& pb) {
      cpu::JointScoresArgs<T> p{.n = n, .t = t, .v = v, .c = px.size(3), .heads = heads, .d = d};
      p.scale = static_cast<T>(scale);
      p.x = px.data();
      p.weight = pw.data();
      p.bias = pb.numel() > 0 ? pb.data() : nullptr;
      return p;
    };
    auto s = Tensor<T, Device>::empty({n, heads, v, v});
    detail::count_flops(2 * n * t * v * heads * d * (2 * x.size(3) + v));
    run_joint_scores(Device{}, args(xc, wc, bc), s);
    if (needs_grad(x, w, b))
      record(s, "joint_scores", inputs(x, w, b),
             [args, x = save(xc), w = save(wc), b = save(bc)](const Tensor<T, Device>& ds, Grads& g) {
               const auto like = [](bool wanted, const Shape& shape) {
                 return wanted ? Tensor<T, Device>::empty(shape) : Tensor<T, Device>();
               };
               const auto dx = like(g.wants(0), x.get().shape()), dw = like(g.wants(1), w.get().shape()),
                          db = like(g.wants(2), {w.get().size(0)});
               const auto out = [](const Tensor<T, Device>& y) {
                 return y.defined() ? y.mutable_data() : nullptr;
               };
               run_joint_scores_backward(Device{}, args(x.get(), w.get(), b.get()), contiguous(ds), out(dx),
                                         out(dw), out(db));
               if (dx.defined()) g.add(0, dx);
               if (dw.defined()) g.add(1, dw);
               if (db.defined()) g.add(2, db);
             });
    return s;
  }
}

TMOR_END

#ifdef TMOR_COMPILED
#include "tmor/instantiate/joint_scores.inl"
#endif
