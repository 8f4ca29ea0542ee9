#pragma once
/// @file grad_scaler.hpp
/// Dynamic loss scaling for training with f16 activations: gradients too small for f16, whose least number is
/// 6e-8, are kept alive by a factor on the loss, which is taken out again before the step (Micikevicius et
/// al., Mixed Precision Training, 2018). bf16 has the range of float and needs none of it.

#include "tmor/optim/accumulate.hpp"
#include "tmor/optim/clip.hpp"

TMOR_BEGIN
namespace optim {

/// Settings of `GradScaler`; the defaults are PyTorch's.
struct GradScalerOptions {
  double scale = 65536;   ///< to begin with
  double growth = 2;      ///< of the scale, after `interval` steps in a row with finite gradients
  double backoff = 0.5;   ///< of the scale, after a step without
  Index interval = 2000;  ///< steps
  bool enabled = true;    ///< false: the scale is 1 and every step is taken, as without it
};

/// Scales the loss, and takes the steps whose gradients are finite.
///
///     optim::GradScaler scaler;
///     scaler.backward(loss);                                   // of scale * loss
///     const double norm = scaler.unscale(opt.params());        // gradients are what they would be without
///     optim::clip_grad_norm(opt.params(), 1.0);                // if wanted
///     scaler.step(opt, lr);                                    // or nothing, and a smaller scale
///
/// `unscale` may be left out: `step` does it then. Everything is decided by the norm of all gradients, which
/// is one number read from the device a step.
class GradScaler {
 public:
  /// @throws Error for settings out of range.
  explicit GradScaler(const GradScalerOptions& options = {})
      : options_(options), state_(Tensor<double>::from({options.enabled ? options.scale : 1, 0})) {
    const auto& o = options;
    TMOR_CHECK(is_finite(o.scale) && o.scale > 0, "[GradScaler] scale is ", o.scale, ": it must be above 0");
    TMOR_CHECK(is_finite(o.growth) && o.growth > 1, "[GradScaler] growth is ", o.growth,
               ": it must be above 1");
    TMOR_CHECK(o.backoff > 0 && o.backoff < 1, "[GradScaler] backoff is ", o.backoff,
               ": it must be between 0 and 1");
    TMOR_CHECK(o.interval >= 1, "[GradScaler] interval is ", o.interval, ": it must be at least 1");
  }

  bool on() const { return options_.enabled; }
  double scale() const { return state_.data()[0]; }
  /// Steps in a row that were taken since the scale was last changed.
  Index steps_in_a_row() const { return static_cast<Index>(state_.data()[1]); }

  /// Adds the gradients of scale * loss / parts: of the mean over `parts` batches, called once for each.
  /// @throws ShapeError unless the loss is one number.
  template <class T, class Device> void backward(const Tensor<T, Device>& loss, Index parts = 1) const {
    backward_share(loss, parts, scale());
  }

  /// Divides all gradients by the scale, where they are finite, and returns their norm. `params`: of
  /// `parameters(model)` or `optimizer.params()`, all that `step` is to take. @throws Error when they have
  /// been divided already.
  template <template <class, class> class P, class T, class Device>
  double unscale(const std::vector<P<T, Device>>& params) {
    TMOR_CHECK(!unscaled_, "[GradScaler] unscale was called twice for one step");
    const double norm = grad_norm(params) / scale();
    finite_ = !options_.enabled || is_finite(norm);
    unscaled_ = true;
    if (finite_ && scale() != 1)
      detail::update_grads(params, detail::ScaleRule<T>{static_cast<T>(1 / scale())});
    return norm;
  }

  /// opt.step(lr...) if all gradients are finite, else their end; then the scale for the next step. Says
  /// whether the step was taken.
  template <class Optimizer, class... Lr> bool step(Optimizer& opt, Lr... lr) {
    if (options_.enabled && !unscaled_) unscale(opt.params());
    unscaled_ = false;
    if (!options_.enabled || finite_) {
      opt.step(lr...);
    } else {
      opt.clear_grads();
    }
    if (!options_.enabled) return true;
    double* const s = state_.mutable_data();
    if (!finite_) {
      s[0] *= options_.backoff;
      s[1] = 0;
    } else if (++s[1] >= static_cast<double>(options_.interval)) {
      if (const double more = s[0] * options_.growth; is_finite(static_cast<float>(more))) s[0] = more;
      s[1] = 0;
    }
    return finite_;
  }

  /// What is saved: the scale and the steps in a row; nothing when it is off.
  static void visit(auto& self, auto&& v) {
    if (self.options_.enabled) v.buffer("state", self.state_);
  }

 private:
  GradScalerOptions options_;
  Tensor<double> state_;
  bool unscaled_ = false, finite_ = true;
};

}  // namespace optim
TMOR_END
