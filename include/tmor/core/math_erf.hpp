#pragma once
/// @file math_erf.hpp
/// The error function and its complement over `V` (float, double, a `Pack` of either).
///
/// erfc a = exp(-a^2) G(t) / (1 + 2a) with t = (a - k) / (a + k), the map of Schonfelder, "Chebyshev
/// expansions for the error and related functions" (1978), and M. M. Shepherd and J. G. Laframboise,
/// "Chebyshev approximation of (1 + 2x) exp(x^2) erfc x" (1981). G is a minimax polynomial of ours
/// (math_exp.hpp).

#include "tmor/core/math_exp.hpp"

TMOR_BEGIN

namespace detail {

/// erf x for |x| <= 1 (double), 0.8 (float).
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V erf_near_zero(V x) {
  const V z = x * x;
  V p;
  if constexpr (std::is_same_v<lane_t<V>, float>) {
    p = horner(z, -0.000654959665, 0.00508744076, -0.0268221097, 0.112831429, -0.376126038, 0.128379164);
  } else {
    p = horner(z, -7.80118887403201871e-10, 1.37229762658867069e-8, -1.62091759117392466e-7,
               1.64475176778705272e-6, -1.49247446633353693e-5, 0.000120552953204942872,
               -0.000854832598969675776, 0.00522397760742346783, -0.0268661706432762183, 0.112837916709452532,
               -0.376126389031835466, 0.128379167095512567);
  }
  return math::fma(x, p, keep(x));  // kept apart from x (1 + p), which would round twice
}

/// erfc a for 0 <= a, 0 beyond the last subnormal.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V erfc_positive(V a) {
  constexpr bool single = std::is_same_v<lane_t<V>, float>;
  a = math::min(V(single ? 10.2 : 27.3), a);
  V g;
  if constexpr (single) {
    g = horner((a - V(3)) / (a + V(3)), -0.000266989165, -0.000775113935, 0.00200276117, 0.00256630147,
               -0.0237981997, 0.0682958961, -0.11927087, 0.129646411, -0.0475624034, -0.135621139,
               1.25300806);
  } else {
    g = horner(
        (a - V(4)) / (a + V(4)), -1.79883449108457663e-9, -1.36623742611906622e-8, -7.88053476765129263e-9,
        1.15171924468182309e-7, 6.29891495266163416e-8, -8.34743721582240303e-7, 3.0115596360675209e-7,
        5.71745133540186388e-6, -1.12247443625201793e-5, -2.44029169376471979e-5, 0.000150622258880586249,
        -0.000199255595158604781, -0.000757773353362966985, 0.00503196977444810283, -0.0161977340560297969,
        0.037167515560159589, -0.066330365811911836, 0.0937328349969552195, -0.101039066036330085,
        0.0680970542547321856, 0.0153796521026202751, -0.139621116840562845, 1.23299511862555251);
  }
  // a^2 = high^2 + (a - high)(a + high): the first term is exact, the second small.
  const V high = upper_half(a);
  const auto [n, r] = exp_reduce(-(high * high));
  const V rest = (high - a) * (high + a);
  const V e = expm1_reduced(r), d = expm1_reduced(rest);
  return scale_by_pow2(math::fma(e, d, V(1) + (e + d)) * divide(g, V(1) + (a + a)), n);
}

}  // namespace detail

namespace math {

/// 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V erf(V x) {
  const V a = abs(x), near = detail::erf_near_zero(x);
  if constexpr (std::is_same_v<lane_t<V>, float>) {
    // Farther out 1 - exp(L), L the minimax fit of log erfc; from 4 on the result is 1.
    const V l = detail::horner(min(V(4), a), 0.000208369405, -0.00316212121, 0.0226881718, -0.104860966,
                               -0.636155747, -1.12826541, -5.78201651e-5);
    const auto [n, r] = detail::exp_reduce(l);
    const V scale = detail::pow2<V>(n);
    const V e = fma(scale, detail::expm1_reduced(r), scale);
    return select(a > V(0.8), copysign(V(1) - e, x), near);  // NaN is not above
  } else {
    return select(a > V(1), copysign(V(1) - detail::erfc_positive(a), x), near);
  }
}

/// 1 - erf(x), accurate down to the smallest result.
template <Real V> TMOR_HD TMOR_ALWAYS_INLINE V erfc(V x) {
  const V a = abs(x), y = detail::erfc_positive(a);
  const V far = select(x < V(0), V(2) - y, y);
  return select(a > V(0.5), far, V(1) - detail::erf_near_zero(x));
}

}  // namespace math

TMOR_END
