#pragma once
/// @file finite.hpp
/// Tests for infinity and NaN that hold under -ffast-math, where the compiler takes `x != x` and
/// std::isfinite for constants: they look at the bits.

#include <bit>
#include <cstdint>

#include "tmor/core/config.hpp"

TMOR_BEGIN

/// Neither infinite nor NaN.
constexpr bool is_finite(float x) { return (std::bit_cast<std::uint32_t>(x) >> 23 & 0xffu) != 0xffu; }
constexpr bool is_finite(double x) { return (std::bit_cast<std::uint64_t>(x) >> 52 & 0x7ffu) != 0x7ffu; }

constexpr bool is_nan(float x) { return (std::bit_cast<std::uint32_t>(x) & 0x7fffffffu) > 0x7f800000u; }

TMOR_END
