#pragma once
/// @file random.hpp
/// Random tensors and dropout. Each takes the `Rng` it draws from; the numbers depend on its state and the
/// shape alone: the same for any number of threads and on every device.

#include "tmor/core/math.hpp"
#include "tmor/core/rng.hpp"
#include "tmor/cpu/random.hpp"
#include "tmor/ops/elementwise.hpp"
#include "tmor/ops/views.hpp"

TMOR_BEGIN

namespace fn {

// Distributions: functions of random u and v and of an input; see cpu/random.hpp.
struct Uniform {
  static constexpr bool paired = false;
  double low, width;
  template <class V> TMOR_HD V operator()(V u, V, V) const { return V(low) + V(width) * u; }
};
/// Box and Muller 1958.
struct Normal {
  static constexpr bool paired = true;
  double mean, std;
  template <class V> TMOR_HD V operator()(V u, V v, V) const {
    return V(mean) + V(std) * (math::sqrt(V(-2) * math::log(u)) * math::cos(V(6.283185307179586) * v));
  }
};
/// Through the normal quantile function, PPND7 of algorithm AS 241 (Wichura 1988): 7 digits.
struct TruncatedNormal {
  static constexpr bool paired = false;
  double mean, std, low, high;  ///< of the result
  double p_low, p_high;         ///< normal distribution function at the bounds
  template <class V> static TMOR_HD V quantile(V p) {
    const V q = p - V(0.5), s = V(0.180625) - q * q;
    const V middle = q *
                     (((V(59.109374720) * s + V(159.29113202)) * s + V(50.434271938)) * s + V(3.3871327179)) /
                     (((V(67.187563600) * s + V(78.757757664)) * s + V(17.895169469)) * s + V(1));
    const V tail = select(q < V(0), p, V(1) - p);
    const V t = math::sqrt(-math::log(select(tail > V(1e-30), tail, V(1e-30))));
    const V a = t - V(1.6), b = t - V(5);
    const V near = (((V(0.17023821103) * a + V(1.3067284816)) * a + V(2.7568153900)) * a + V(1.4234372777)) /
                   ((V(0.12021132975) * a + V(0.73700164250)) * a + V(1));
    const V far = (((V(0.017337203997) * b + V(0.42868294337)) * b + V(3.0812263860)) * b + V(6.6579051150)) /
                  ((V(0.012258202635) * b + V(0.24197894225)) * b + V(1));
    const V outside = select(t <= V(5), near, far);
    return select(math::abs(q) <= V(0.425), middle, select(q < V(0), -outside, outside));
  }
  template <class V> TMOR_HD V operator()(V u, V, V) const {
    const V x = V(mean) + V(std) * quantile(V(p_low) + V(p_high - p_low) * u);
    return select(x < V(low), V(low), select(x > V(high), V(high), x));
  }
};
struct Bernoulli {
  static constexpr bool paired = false;
  float p;
  template <class V> TMOR_HD V operator()(V u, V, V) const { return select(u < V(p), V(1), V(0)); }
};
struct Dropout {
  static constexpr bool paired = false;
  float p;
  double scale;
  template <class V> TMOR_HD V operator()(V u, V, V x) const { return select(u >= V(p), x * V(scale), V(0)); }
};

}  // namespace fn

namespace detail {

/// The state a fill of `n` elements starts from; moves `rng` past it.
inline Rng::State draw(Rng& rng, Index n) {
  const Rng::State s = rng.state();
  rng.reserve(static_cast<std::uint64_t>((n + 3) / 4));
  return s;
}
template <class T> using random_compute_t = std::conditional_t<is_floating<T>, compute_t<T>, float>;

template <class T, class Device, class F> Tensor<T, Device> random(Rng& rng, const Shape& shape, const F& f) {
  auto y = Tensor<T, Device>::empty(shape);
  run_random<random_compute_t<T>>(Device{}, f, draw(rng, y.numel()), y);
  return y;
}

}  // namespace detail

/// Uniform in [low, high), 24 random bits. @throws Error when low > high.
template <class T = float, class Device = Cpu>
Tensor<T, Device> uniform(Rng& rng, const Shape& shape, double low = 0, double high = 1) {
  TMOR_CHECK(low <= high, "[uniform] low ", low, " is above high ", high);
  return detail::random<T, Device>(rng, shape, fn::Uniform{low, high - low});
}

/// Normal with that mean and standard deviation. @throws Error for std < 0.
template <class T = float, class Device = Cpu>
Tensor<T, Device> normal(Rng& rng, const Shape& shape, double mean = 0, double std = 1) {
  TMOR_CHECK(std >= 0, "[normal] the standard deviation is ", std);
  return detail::random<T, Device>(rng, shape, fn::Normal{mean, std});
}

/// Normal with that mean and standard deviation, given that it lies in [low, high].
/// @throws Error for std <= 0 or an interval with no probability.
template <class T = float, class Device = Cpu>
Tensor<T, Device> truncated_normal(Rng& rng, const Shape& shape, double mean, double std, double low,
                                   double high) {
  TMOR_CHECK(std > 0, "[truncated_normal] the standard deviation is ", std);
  const auto cdf = [&](double x) { return 0.5 * std::erfc(-(x - mean) / (std * 1.4142135623730951)); };
  const double p_low = cdf(low), p_high = cdf(high);
  TMOR_CHECK(p_high - p_low > 1e-6, "[truncated_normal] the interval [", low, ", ", high,
             "] is empty or too improbable for mean ", mean, ", standard deviation ", std);
  return detail::random<T, Device>(rng, shape, fn::TruncatedNormal{mean, std, low, high, p_low, p_high});
}

/// 1 (true) with probability `p`, else 0. @throws Error for p outside [0, 1].
template <class T = bool, class Device = Cpu>
Tensor<T, Device> bernoulli(Rng& rng, const Shape& shape, double p) {
  TMOR_CHECK(p >= 0 && p <= 1, "[bernoulli] the probability is ", p);
  return detail::random<T, Device>(rng, shape, fn::Bernoulli{static_cast<float>(p)});
}

/// 0, ..., n - 1 in random order.
template <class Device = Cpu> Tensor<Index, Device> permutation(Rng& rng, Index n) {
  TMOR_CHECK(n >= 0, "[permutation] of ", n, " elements");
  return Tensor<Index, Device>::from(rng.permutation(n));
}

/// Each element set to 0 with probability `p`, the others multiplied by 1/(1 - p) (Srivastava et al. 2014);
/// `x` itself when not `training`. The mask is not stored: backward draws it again.
/// @throws Error for p outside [0, 1).
template <class T, class Device>
Tensor<T, Device> dropout(const Tensor<T, Device>& x, double p, Rng& rng, bool training = true) {
  TMOR_CHECK(p >= 0 && p < 1, "[dropout] the probability is ", p, ", it must be in [0, 1)");
  if (!training || p == 0) return x;
  const Rng::State state = detail::draw(rng, x.numel());
  const auto drop = [p, state](const Tensor<T, Device>& in) {
    NoGrad guard;
    auto out = Tensor<T, Device>::empty(in.shape());
    run_random<compute_t<T>>(Device{}, fn::Dropout{static_cast<float>(p), 1 / (1 - p)}, state, out,
                             contiguous(in));
    return out;
  };
  return detail::recorded(drop(x), "dropout", x, drop);
}

/// The same with one draw for each sample x[i] (stochastic depth, Huang et al. 2016).
template <class T, class Device>
Tensor<T, Device> drop_path(const Tensor<T, Device>& x, double p, Rng& rng, bool training = true) {
  TMOR_CHECK_SHAPE(x.rank() >= 1, "[drop_path] needs a batch dimension");
  if (!training || p == 0) return x;
  Shape shape = Shape::filled(x.rank(), 1);
  shape[0] = x.shape()[0];
  return x * dropout(Tensor<T, Device>::ones(shape), p, rng);
}

TMOR_END
