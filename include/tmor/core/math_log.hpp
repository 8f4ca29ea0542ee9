#pragma once
/// @file math_log.hpp
/// Logarithms and what is made of them, over `V` (float, double, a `Pack` of either).
///
/// x = 2^k m with m in [sqrt(1/2), sqrt(2)); with f = m - 1 and s = f / (2 + f), log m = 2 atanh s, written
/// as f - (f^2/2 - s (f^2/2 + R(s^2))) so that the leading term is exact (the form of K. C. Ng, fdlibm
/// e_log.c).

#include "tmor/core/math_exp.hpp"

TMOR_BEGIN

namespace detail {

template <Real V> struct LogSplit {
  int_t<V> k;
  V m;
};

/// x = 2^k m for positive finite `x`, subnormals included; anything for other `x`.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE LogSplit<V> log_split(V x) {
  using T = lane_t<V>;
  using I = int_t<V>;
  using F = Format<T>;
  constexpr auto sqrt_half = std::bit_cast<lane_t<I>>(static_cast<T>(0.707106781186547524));
  constexpr int up = F::mantissa_bits + 1;
  const auto subnormal = x < V(F::smallest_normal);
  x = select(subnormal, x * V(T(lane_t<I>(1) << up)), x);
  const I i = (to_bits(x) & I(F::magnitude_mask)) - I(sqrt_half);
  const I k = (i >> F::mantissa_bits) - select(subnormal, I(up), I(0));
  return {k, from_bits<V>((i & I(F::mantissa_mask)) + I(sqrt_half))};
}

/// k ln2 + log(1 + f) + c, for 1 + f in [sqrt(1/2), sqrt(2)) and a small correction c.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V log_sum(V k, V f, V c) {
  using K = ExpConstants<lane_t<V>>;
  const V s = f / (V(2) + f), z = s * s;
  V q;
  if constexpr (std::is_same_v<lane_t<V>, float>) {
    q = horner(z, 0.298729558, 0.399775043, 0.666667766);
  } else {
    q = horner(z, 0.14797436158786154, 0.153139113991222129, 0.181835693818456606, 0.222221984836309254,
               0.285714287431802127, 0.399999999994115157, 0.666666666666673481);
  }
  const V half_square = V(0.5) * f * f;
  const V low = keep(math::fma(s, math::fma(z, q, half_square), math::fma(k, V(K::ln2_low), c)));
  return math::fma(k, V(K::ln2_high), keep(f - keep(half_square - low)));
}

/// `y` where 0 < x < infinity; else the logarithm's values at 0 (-infinity), infinity, NaN and below 0 (NaN).
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V log_ends(V x, V y) {
  const V inf(static_cast<lane_t<V>>(__builtin_inf()));
  const V nan(static_cast<lane_t<V>>(__builtin_nan("")));
  const V end = select(x == V(0), -inf, select(x < V(0), nan, x));
  return select((x > V(0)) & (x < inf), y, end);
}

/// log(1 + x) for finite x > -1; anything for other x.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V log1p_finite(V x) {
  const V u = keep(V(1) + x);
  const auto [k, m] = log_split(u);
  // What rounding 1 + x lost, exactly, as a part of u.
  const V lost = select(x < V(1), x - keep(u - V(1)), V(1) - keep(u - x)) / u;
  const V kr = to_real<V>(k);
  const auto plain = kr == V(0);
  return log_sum(kr, select(plain, x, m - V(1)), select(plain, V(0), lost));
}

}  // namespace detail

namespace math {

/// Natural logarithm; -infinity at 0, NaN below.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V log(V x) {
  const auto [k, m] = detail::log_split(x);
  return detail::log_ends(x, detail::log_sum(detail::to_real<V>(k), m - V(1), V(0)));
}

/// log(1 + x), accurate near 0; -infinity at -1, NaN below.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V log1p(V x) {
  return detail::log_ends(V(1) + x, detail::log1p_finite(x));
}

/// log(1 + e^x) without overflow.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V softplus(V x) {
  const V e = detail::exp_in_range(max(V(detail::ExpConstants<lane_t<V>>::lowest), -abs(x)));
  return max(x, V(0)) + detail::log1p_finite(e);
}

/// log(sigmoid(x)) without underflow.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V log_sigmoid(V x) { return -softplus(-x); }

}  // namespace math

TMOR_END
