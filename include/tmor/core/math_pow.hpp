#pragma once
/// @file math_pow.hpp
/// x^y over `V` (float, double, a `Pack` of either).
///
/// x^y = 2^(y log2 x) magnifies the error of the logarithm by up to the largest exponent, so log2 x is
/// carried as a sum of two numbers, the first with half a significand so that its products are exact (the
/// method of fdlibm e_pow.c): with s = f / (2 + f) as in math_log.hpp,
///     log2 m = 2 / (3 ln2) * s * (3 + s^2 + s^4 W(s^2)).

#include "tmor/core/math_log.hpp"

TMOR_BEGIN

namespace detail {

template <Real V> struct TwoPart { V high, low; };

/// log2 of a positive finite `x`.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE TwoPart<V> log2_two_part(V x) {
  constexpr bool single = std::is_same_v<lane_t<V>, float>;
  const auto [k, m] = log_split(x);
  const V f = m - V(1), t = V(2) + f, s = f / t;
  const V t_high = upper_half(t), t_low = f - keep(t_high - V(2));
  const V s_high = upper_half(s), s_low = (keep(f - s_high * t_high) - s_high * t_low) / t;

  const V z = s * s, z_high = s_high * s_high;
  V w;
  if constexpr (single) {
    w = horner(z, 0.292037653, 0.332774072, 0.428578128, 0.599999973);
  } else {
    w = horner(z, 0.179856585259383738, 0.175119714707464245, 0.200044887259674195, 0.230768349798746872,
               0.272727283102460005, 0.333333333262659165, 0.428571428571678263, 0.59999999999999966);
  }
  // b = 3 + s^2 + s^4 W, then p = s b, both in two parts.
  const V r = keep(math::fma(z * z, w, s_low * (s_high + s)));
  const V b_high = upper_half(V(3) + z_high + r), b_low = r - keep(keep(b_high - V(3)) - z_high);
  const V u = s_high * b_high, v = keep(math::fma(s_low, b_high, b_low * s));
  const V p_high = upper_half(u + v), p_low = v - keep(p_high - u);

  const V c = V(0.961796693925975605);  // 2 / (3 ln2)
  const V c_high = V(single ? 0x1.ec6p-1 : 0x1.ec709d8p-1);
  const V c_low = V(single ? 0.00012677205097560490662 : 7.872699542894897704e-9);
  const V g = c_high * p_high, h = keep(math::fma(c_low, p_high, p_low * c));
  const V kr = to_real<V>(k);
  const V high = upper_half(keep(g + h) + kr);
  return {high, h - keep(keep(high - kr) - g)};
}

/// x^y for positive finite x and finite y.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V pow_positive(V x, V y) {
  using K = ExpConstants<lane_t<V>>;
  constexpr bool single = std::is_same_v<lane_t<V>, float>;
  const auto l = log2_two_part(x);
  // A y this large gives 0, 1 or infinity just as well, and its products do not overflow.
  y = math::max(V(single ? -0x1p60 : -0x1p120), math::min(V(single ? 0x1p60 : 0x1p120), y));
  const V y_high = upper_half(y), y_low = y - y_high;
  V high = y_high * l.high, low = keep(math::fma(y_low, l.high, y * l.low));
  // Beyond these powers of two the result is 0 or infinity.
  const V bottom = V(single ? -151 : -1076), top = V(single ? 129 : 1025);
  const V sum = high + low;
  const auto inside = (sum > bottom) & (sum < top);
  high = select(inside, high, select(sum > V(0), top, bottom));
  low = select(inside, low, V(0));
  const auto i = to_int(high + low + V(K::offset + lane_t<V>(0.5)));
  const V n = keep(to_real<V>(i) - V(K::offset));
  const V r = keep(high - n) + low;
  const V p = expm1_reduced(r * V(0.693147180559945309));
  return scale_by_pow2(V(1) + p, i - int_t<V>(static_cast<int>(K::offset)));
}

}  // namespace detail

namespace math {

/// x^y as IEEE 754 has it: a negative x needs a whole y (else NaN); x^0 = 1^y = 1 whatever the other is;
/// 0 and infinities as limits, with the sign of x for odd y.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V pow(V x, V y) {
  using T = lane_t<V>;
  using I = int_t<V>;
  const V inf(static_cast<T>(__builtin_inf())), nan(static_cast<T>(__builtin_nan("")));
  const V a = abs(x), b = abs(y);
  const auto plain = (a > V(0)) & (a < inf);
  V r = detail::pow_positive(select(plain, a, V(1)), y);
  const auto grows = (a > V(1)) ^ (y < V(0));
  r = select(plain & (b < inf), r, select(a == V(1), V(1), select(grows, inf, V(0))));

  // From 2^(mantissa bits + 1) on every number is even.
  const V even(T(lane_t<I>(1) << (detail::Format<T>::mantissa_bits + 1)));
  const V c = min(even, b);
  const I whole = detail::to_int(c);
  const auto is_whole = detail::to_real<V>(whole) == c;
  const auto odd = is_whole & ((whole & I(1)) == I(1));
  const auto negative = detail::to_bits(x) < I(0);
  r = select(negative & odd, -r, r);
  r = select((x < V(0)) & !is_whole & plain, nan, r);
  r = select(x != x, x, select(y != y, y, r));
  return select((y == V(0)) | (x == V(1)), V(1), r);
}

}  // namespace math

TMOR_END
