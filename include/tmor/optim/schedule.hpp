#pragma once
/// @file schedule.hpp
/// Learning-rate schedules as pure functions of the step: `lr = base * schedule(step)`. Resuming needs no
/// state but the step.

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "tmor/core/error.hpp"
#include "tmor/core/suggest.hpp"

TMOR_BEGIN
namespace optim {

namespace detail {
/// From `a` at x = 0 to `b` at x = 1 along half a cosine.
inline double half_cosine(double a, double b, double x) {
  return b + (a - b) * 0.5 * (1 + std::cos(3.14159265358979323846 * x));
}
}  // namespace detail

/// A factor on the learning rate for every step 0, 1, ...; beyond the last step it stays at its last value.
///
///     const auto schedule = optim::Schedule::cosine(total - 500).warmed_up(500);
///     opt.step(3e-4 * schedule(step));
class Schedule {
 public:
  Schedule() = default;  ///< `constant()`

  /// 1 throughout.
  static Schedule constant() { return {}; }
  /// From 1 down to `floor` at step `total`, along half a cosine (Loshchilov and Hutter 2017).
  static Schedule cosine(Index total, double floor = 0) { return make(Kind::cosine, total, floor); }
  /// From 1 down to `floor` at step `total`, in a straight line.
  static Schedule linear(Index total, double floor = 0) { return make(Kind::linear, total, floor); }
  /// gamma^(step / every), the quotient rounded down.
  static Schedule step(Index every, double gamma = 0.1) { return make(Kind::step, every, gamma); }
  /// gamma^(number of milestones at or before the step).
  static Schedule multi_step(std::vector<Index> milestones, double gamma = 0.1) {
    Schedule s = make(Kind::multi_step, 1, gamma);
    std::sort(milestones.begin(), milestones.end());
    s.milestones_ = std::move(milestones);
    return s;
  }
  /// The one-cycle policy (Smith and Topin 2019): up from 1 / divide to 1 during the part `rise` of `total`
  /// steps, then down to 1 / (divide * final_divide) at the last one, both along half a cosine.
  static Schedule one_cycle(Index total, double rise = 0.3, double divide = 25, double final_divide = 1e4) {
    Schedule s = make(Kind::one_cycle, total, 1 / (divide * final_divide));
    TMOR_CHECK(rise >= 0 && rise <= 1 && divide > 0 && final_divide > 0, "[Schedule] one_cycle: rise ", rise,
               " must lie in [0, 1], and the divisors ", divide, " and ", final_divide, " above 0");
    s.rise_ = rise;
    s.start_ = 1 / divide;
    return s;
  }
  /// One of "constant", "cosine", "linear", "one_cycle" over `total` steps, its first `warmup` linear
  /// ("one_cycle" has a warm-up of its own). @throws Error naming the nearest one.
  static Schedule named(std::string_view name, Index total, Index warmup = 0) {
    const std::vector<std::string> names{"constant", "cosine", "linear", "one_cycle"};
    const Index rest = std::max<Index>(1, total - warmup);
    if (name == "constant") return constant().warmed_up(warmup);
    if (name == "cosine") return cosine(rest).warmed_up(warmup);
    if (name == "linear") return linear(rest).warmed_up(warmup);
    if (name == "one_cycle") return one_cycle(std::max<Index>(1, total));
    tmor::detail::fail<Error>("[Schedule] there is no schedule '", name, "'; did you mean '",
                              nearest_name(name, names), "'?");
  }

  /// This schedule, `steps` later, after a straight line from `start` towards 1 (times its first value).
  Schedule warmed_up(Index steps, double start = 0.01) const {
    TMOR_CHECK(steps >= 0 && start >= 0 && warmup_ == 0, "[Schedule] warmed_up(", steps, ", ", start,
               "): not negative, and once");
    Schedule s = *this;
    s.warmup_ = steps;
    s.warmup_start_ = start;
    return s;
  }

  /// The factor at `step` (>= 0).
  double operator()(Index step) const {
    TMOR_CHECK(step >= 0, "[Schedule] step ", step, " is negative");
    if (step >= warmup_) return after_warmup(step - warmup_);
    return after_warmup(0) *
           (warmup_start_ + (1 - warmup_start_) * static_cast<double>(step) / static_cast<double>(warmup_));
  }

 private:
  enum class Kind { constant, cosine, linear, step, multi_step, one_cycle };

  static Schedule make(Kind kind, Index steps, double value) {
    TMOR_CHECK(steps >= 1 && value >= 0, "[Schedule] over ", steps, " steps with the value ", value,
               ": give at least 1 step and a value that is not negative");
    Schedule s;
    s.kind_ = kind;
    s.steps_ = steps;
    s.value_ = value;
    return s;
  }

  double after_warmup(Index step) const {
    const double t = static_cast<double>(step), total = static_cast<double>(steps_);
    switch (kind_) {
      case Kind::constant:
        break;
      case Kind::cosine:
        return detail::half_cosine(1, value_, std::min(t / total, 1.0));
      case Kind::linear:
        return 1 + (value_ - 1) * std::min(t / total, 1.0);
      case Kind::step:
        return std::pow(value_, static_cast<double>(step / steps_));
      case Kind::multi_step:
        return std::pow(value_,
                        static_cast<double>(std::upper_bound(milestones_.begin(), milestones_.end(), step) -
                                            milestones_.begin()));
      case Kind::one_cycle: {
        const double peak = rise_ * total - 1, last = total - 1;  // as in PyTorch, the peak may lie between
        // A peak at the first step, but for rounding, has no rise.
        if (peak > 1e-9 && t <= peak) return detail::half_cosine(start_, 1, t / peak);
        return last <= peak ? value_
                            : detail::half_cosine(1, value_, std::min((t - peak) / (last - peak), 1.0));
      }
    }
    return 1;
  }

  Kind kind_ = Kind::constant;
  Index steps_ = 1;
  double value_ = 1;  ///< floor, gamma or last value
  double rise_ = 0, start_ = 1;
  std::vector<Index> milestones_;
  Index warmup_ = 0;
  double warmup_start_ = 1;
};

}  // namespace optim
TMOR_END
