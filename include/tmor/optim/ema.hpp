#pragma once
/// @file ema.hpp
/// The exponential moving average of a model (Polyak averaging): a second set of numbers, smoother than the
/// trained ones, to evaluate and export.

#include "tmor/optim/params.hpp"

TMOR_BEGIN
namespace optim {

namespace detail {
template <class T> struct AverageRule {
  static constexpr int writes = 1;
  T rest;  ///< 1 - decay
  /// x: average, value.
  template <class V> TMOR_HD TMOR_ALWAYS_INLINE void operator()(V (&x)[2]) const {
    x[0] += V(rest) * (x[1] - x[0]);
  }
};
struct ExchangeRule {
  static constexpr int writes = 2;
  template <class V> TMOR_HD TMOR_ALWAYS_INLINE void operator()(V (&x)[2]) const {
    const V first = x[0];
    x[0] = x[1];
    x[1] = first;
  }
};
}  // namespace detail

/// Averages of the parameters and the buffers of type `T` (running statistics) of one model. Buffers of other
/// types are not averaged. A default-constructed one, or decay 0, is off: it holds nothing and does nothing.
template <class T = float, class Device = Cpu> class Ema {
 public:
  Ema() = default;
  /// Starts at the model's present numbers. `warm_up` limits the decay of the n-th update to (1 + n) /
  /// (10 + n), so that the first steps are forgotten soon. @throws Error unless 0 <= decay < 1.
  template <class M>
  Ema(const M& model, double decay, bool warm_up = true) : decay_(decay), warm_up_(warm_up) {
    TMOR_CHECK(decay >= 0 && decay < 1, "[Ema] decay ", decay, " is outside [0, 1)");
    if (decay == 0) return;
    auto add = [this](const std::string& name, const auto& t) {
      if constexpr (std::is_same_v<std::remove_cvref_t<decltype(t)>, Tensor<T, Device>>) {
        for (const auto& e : entries_)
          if (e.live.same_view(t)) return;
        TMOR_CHECK(t.is_contiguous(), "[Ema] '", name, "' ", t.shape(), " is not contiguous");
        auto average = Tensor<T, Device>::empty(t.shape());
        copy_into(Device{}, average, t);
        entries_.push_back({name, t, average});
      }
    };
    visit_tensors(
        model, [&](const std::string& n, const auto& t, Decay) { add(n, t); },
        [&](const std::string& n, const auto& t) { add(n, t); });
    updates_ = Tensor<Index>::zeros({1});
  }

  bool on() const { return !entries_.empty(); }

  /// average = decay * average + (1 - decay) * value; after each optimiser step.
  void update() {
    if (!on()) return;
    const auto n = static_cast<double>(++*updates_.mutable_data());
    const double decay = warm_up_ ? std::fmin(decay_, (1 + n) / (10 + n)) : decay_;
    run(detail::AverageRule<T>{static_cast<T>(1 - decay)});
  }
  /// Exchanges the numbers of the model with the averages; a second call puts them back.
  void swap() { run(detail::ExchangeRule{}); }

  /// `Ema<>::Use guard(ema);`: the model holds the averages until the end of the scope.
  class Use {
   public:
    explicit Use(Ema& ema) : ema_(ema) { ema_.swap(); }
    ~Use() { ema_.swap(); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    Ema& ema_;
  };

  /// What is saved: the averages under the names of the model, and the number of updates.
  static void visit(auto& self, auto&& v) {
    for (auto& e : self.entries_) v.buffer(e.name.c_str(), e.average);
    v.buffer("updates", self.updates_);
  }

 private:
  struct Entry {
    std::string name;
    Tensor<T, Device> live, average;
  };

  template <class Rule> void run(const Rule& rule) const {
    std::vector<UpdatePart<T, 2, Rule>> parts;
    for (const Entry& e : entries_)
      parts.push_back({rule, {e.average.mutable_data(), e.live.mutable_data()}, e.live.numel()});
    run_update(Device{}, parts);
  }

  double decay_ = 0;
  bool warm_up_ = true;
  std::vector<Entry> entries_;
  Tensor<Index> updates_;
};

}  // namespace optim
TMOR_END
