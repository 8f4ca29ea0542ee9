#pragma once
/// @file math.hpp
/// `tmor::math`: the elementary functions functors are written with, over `V`: float, double, or a `Pack` of
/// either (and, with dual.hpp, dual numbers of these). Scalars and packs run the same text, so the tail of a
/// loop rounds like its body. Whole ranges are handled, with subnormals, infinities and NaN; under
/// -ffast-math finite arguments keep their accuracy. The sign of a zero result is not promised.
///
/// Bounds held by tests/unit/math_test.cpp, in units in the last place, float and double alike: sqrt 0.5;
/// exp, exp2, log 1.1; log1p 1.5; rsqrt 1.6; expm1, erf, pow 2; sin, cos 2 (2.5 beyond |x| = 20); tanh,
/// sigmoid, softplus, log_sigmoid 2.5; erfc 5.

#include "tmor/core/math_basic.hpp"
#include "tmor/core/math_erf.hpp"
#include "tmor/core/math_exp.hpp"
#include "tmor/core/math_log.hpp"
#include "tmor/core/math_pow.hpp"
#include "tmor/core/math_trig.hpp"
