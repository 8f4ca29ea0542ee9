#pragma once
/// @file joint_mix.hpp
/// The spatial product of skeleton networks: features are mixed between joints by one matrix a head, then
/// multiplied by that head's weight, and the heads are summed. One operation, because made in parts its
/// intermediate results (heads times the size of the input) would cost more time to write and read than to
/// compute.

#include "tmor/core/flops.hpp"
#include "tmor/cpu/joint_mix.hpp"
#include "tmor/ops/elementwise.hpp"
#include "tmor/ops/movement.hpp"

TMOR_BEGIN

template <class T>
void run_joint_mix(Cpu, const cpu::JointMixArgs<T>& p, const Tensor<T, Cpu>& weight, const T* bias,
                   const Tensor<T, Cpu>& y) {
  Ref<cpu::PackedB<T>> packed;
  if (!grad_enabled()) packed = cpu::kept_packed(weight, p.mixed(), p.c_out, p.c_out, Index{1});
  cpu::joint_mix_forward(p, bias, y.mutable_data(), packed.get());
}
template <class T>
void run_joint_mix_backward(Cpu, const cpu::JointMixArgs<T>& p, const Tensor<T, Cpu>& dy, T* dx, T* da,
                            T* dw) {
  cpu::joint_mix_backward(p, dy.data(), dx, da, dw);
}

/// y[n,t,w,:] = sum_h (sum_v a[h,v,w] x[n,t,v,:]) weight[h] + bias[w,:].
///
/// - x (N, T, V, C_in); weight (H, C_in, C_out); bias (W, C_out) or undefined; result (N, T, W, C_out).
/// - a (H, V, W), shared by all samples, or (N, H, V, W), one a sample (attention).
/// @throws ShapeError naming the shapes that do not fit.
template <class T, class Device>
Tensor<T, Device> joint_mix(const Tensor<T, Device>& x, const Tensor<T, Device>& a,
                            const Tensor<T, Device>& weight, const Tensor<T, Device>& bias = {}) {
  const bool own_a = a.rank() == 4;
  TMOR_CHECK_SHAPE(x.rank() == 4 && (a.rank() == 3 || own_a) && weight.rank() == 3 &&
                       a.size(-2) == x.size(2) && a.size(-3) == weight.size(0) &&
                       weight.size(1) == x.size(3) && (!own_a || a.size(0) == x.size(0)),
                   "[joint_mix] input ", x.shape(), ", mixing ", a.shape(), ", weight ", weight.shape(),
                   ": expected (N, T, V, C_in), (H, V, W) or (N, H, V, W), (H, C_in, C_out)");
  TMOR_CHECK_SHAPE(!bias.defined() || bias.shape() == (Shape{a.size(-1), weight.size(2)}),
                   "[joint_mix] bias ", bias.defined() ? bias.shape() : Shape{}, " instead of ",
                   Shape{a.size(-1), weight.size(2)});
  TMOR_CHECK_SHAPE(weight.size(0) <= 64, "[joint_mix] ", weight.size(0), " heads; at most 64");
  if constexpr (Device::host_memory && !std::is_same_v<T, compute_t<T>>) {
    using C = compute_t<T>;
    return to<T>(
        joint_mix(to<C>(x), to<C>(a), to<C>(weight), bias.defined() ? to<C>(bias) : Tensor<C, Device>()));
  } else {
    const auto xc = contiguous(x.detach()), ac = contiguous(a.detach()), wc = contiguous(weight.detach());
    auto args = [own_a](const Tensor<T, Device>& px, const Tensor<T, Device>& pa,
                        const Tensor<T, Device>& pw) {
      cpu::JointMixArgs<T> p;
      p.n = px.size(0);
      p.t = px.size(1);
      p.v = px.size(2);
      p.c_in = px.size(3);
      p.heads = pw.size(0);
      p.c_out = pw.size(2);
      p.w = pa.size(-1);
      p.a_sample = own_a ? p.heads * p.v * p.w : 0;
      p.x = px.data();
      p.a = pa.data();
      p.weight = pw.data();
      return p;
    };
    const auto p = args(xc, ac, wc);
    const auto bc = bias.defined() ? contiguous(bias.detach()) : bias;
    auto y = Tensor<T, Device>::empty({p.n, p.t, p.w, p.c_out});
    detail::count_flops(2 * p.n * p.t * p.w * p.mixed() * (p.v + p.c_out));
    run_joint_mix(Device{}, p, wc, bc.defined() ? bc.data() : nullptr, y);
    if (needs_grad(x, a, weight, bias))
      record(y, "joint_mix", inputs(x, a, weight, bias),
             [args, x = save(xc), a = save(ac), w = save(wc)](const Tensor<T, Device>& dy_in, Grads& g) {
               const auto dy = contiguous(dy_in);
               auto like = [](bool wanted, const Tensor<T, Device>& t) {
                 return wanted ? Tensor<T, Device>::empty(t.shape()) : Tensor<T, Device>();
               };
               const auto dx = like(g.wants(0), x.get()), da = like(g.wants(1), a.get()),
                          dw = like(g.wants(2), w.get());
               auto out = [](const Tensor<T, Device>& t) { return t.defined() ? t.mutable_data() : nullptr; };
               run_joint_mix_backward(Device{}, args(x.get(), a.get(), w.get()), dy, out(dx), out(da),
                                      out(dw));
               if (dx.defined()) g.add(0, dx);
               if (da.defined()) g.add(1, da);
               if (dw.defined()) g.add(2, dw);
               if (g.wants(3)) g.add(3, sum_to(dy, {dy.size(2), dy.size(3)}));
             });
    return y;
  }
}

TMOR_END

#ifdef TMOR_COMPILED
#include "tmor/instantiate/joint_mix.inl"
#endif
