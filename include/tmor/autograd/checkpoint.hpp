#pragma once
/// @file checkpoint.hpp
/// Gradient checkpointing (Chen et al., "Training deep nets with sublinear memory cost", 2016): a part of the
/// network is run without recording, and run again, recorded, when its gradient is needed. Memory for time.

#include <tuple>

#include "tmor/autograd/backward.hpp"
#include "tmor/core/rng.hpp"

TMOR_BEGIN

namespace detail {
inline bool& replaying_flag() {
  thread_local bool on = false;
  return on;
}
template <class V> class Restore {
 public:
  Restore(V& where, const V& value) : where_(where), before_(where) { where = value; }
  ~Restore() { where_ = before_; }
  Restore(const Restore&) = delete;
  Restore& operator=(const Restore&) = delete;

 private:
  V& where_;
  V before_;
};
}  // namespace detail

/// True while a checkpointed part is run for the second time: running statistics are not updated then.
inline bool replaying() { return detail::replaying_flag(); }

/// y = f(xs...), where f's intermediate results are not kept but computed again in backward.
///
/// `f` must be a pure function of `xs`, of parameters that do not change before backward, and of `rng`, whose
/// state is put back for the second run (pass nullptr when nothing is random). It returns one tensor.
template <class F, class T, class Device, class... Ts>
auto checkpoint(Rng* rng, F f, const Tensor<T, Device>& x, const Ts&... xs) {
  using Y = decltype(f(x, xs...));
  if (!grad_enabled()) return f(x, xs...);
  const Rng before = rng ? *rng : Rng(0);
  Y y = [&] {
    NoGrad guard;
    return f(x, xs...).detach();
  }();
  record(y, "checkpoint", inputs(x, xs...),
         [f, rng, before, x = save(x), ... rest = save(xs)](const Y& dy, Grads& g) {
           auto leaf = [&](int i, const auto& t) {
             if constexpr (is_floating<typename std::remove_cvref_t<decltype(t)>::value_type>)
               if (g.wants(i)) t.requires_grad_();
             return t;
           };
           std::tuple in{x.get().detach(), rest.get().detach()...};
           int i = 0;
           std::apply([&](const auto&... t) { (leaf(i++, t), ...); }, in);
           {
             Rng none(0);
             detail::Restore<Rng> draws(rng ? *rng : none, before);
             detail::Restore<bool> second(detail::replaying_flag(), true);
             GradMode on(true);
             backward(std::apply(f, in), dy);
           }
           i = 0;
           auto give = [&](int k, const auto& t) {
             if constexpr (is_floating<typename std::remove_cvref_t<decltype(t)>::value_type>)
               if (g.wants(k) && t.grad().defined()) g.add(k, t.grad());
           };
           std::apply([&](const auto&... t) { (give(i++, t), ...); }, in);
         });
  return y;
}

TMOR_END
