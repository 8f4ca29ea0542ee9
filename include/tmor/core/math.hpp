#pragma once
/// @file math.hpp
/// `tmor::math`: the elementary functions functors are written with, over `V`: float, double, or a `Pack` of
/// either (and, with dual.hpp, dual numbers of these). Scalars and packs run the same text, so the tail of a
/// loop rounds like its body. Whole ranges are handled, with subnormals, infinities and NaN; under
/// -ffast-math finite arguments keep their accuracy. Largest errors seen, in units in the last place, by
/// tests/unit/math_test.cpp; see there for each function's bound.

#include "tmor/core/math_basic.hpp"
#include "tmor/core/math_erf.hpp"
#include "tmor/core/math_exp.hpp"
#include "tmor/core/math_log.hpp"
#include "tmor/core/math_pow.hpp"
#include "tmor/core/math_trig.hpp"
