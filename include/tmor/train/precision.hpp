#pragma once
/// @file precision.hpp
/// Mixed precision: a model's activations in bf16 or f16, everything that is trained in float.

#include "tmor/nn/twin.hpp"

TMOR_BEGIN
namespace train {

/// Type of a model's activations in training. Parameters, their gradients and averages, the optimiser's
/// state, statistics of norms and losses are float whatever it is, and so are checkpoints.
enum class Precision { f32, bf16, f16 };

/// Names by which programs choose one, in their order.
inline constexpr const char* kPrecisions[] = {"float", "bf16", "f16"};

/// f(net), where `net` is `model` for f32, else `to<bf16>(model)` or `to<f16>(model)` (nn/twin.hpp), which
/// has the parameters of `model`: what trains `model` by the losses that `net` makes.
///
///     train::with_precision(o.precision, model, [&](const auto& net) {
///       return loop.run([&](const Batch& b, const Context& ctx) { return loss(net(b.x, ctx), b.y); });
///     });
///
/// `f` is compiled once for each type: programs that do not call this have float alone.
template <class M, class F> auto with_precision(Precision p, const M& model, F&& f) {
  switch (p) {
    case Precision::bf16:
      return f(to<bf16>(model));
    case Precision::f16:
      return f(to<f16>(model));
    case Precision::f32:
      break;
  }
  return f(model);
}

}  // namespace train
TMOR_END
