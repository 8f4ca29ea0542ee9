#pragma once
/// @file dtype.hpp
/// Element types: float, double, the storage-only `bf16` and `f16` (arithmetic is done in float), integers,
/// bool.

#include <bit>
#include <cstring>

#include "tmor/core/config.hpp"

TMOR_BEGIN

/// bfloat16: the upper half of a float; rounded to nearest even on conversion. Storage only.
struct bf16 {
  std::uint16_t bits = 0;
  constexpr bf16() = default;
  constexpr bf16(float f) {  // NOLINT: implicit on purpose, like the built-in narrowing of a store
    const auto u = std::bit_cast<std::uint32_t>(f);
    if ((u & 0x7fffffffu) > 0x7f800000u) {
      bits = static_cast<std::uint16_t>((u >> 16) | 0x40u);  // keep a NaN a NaN
    } else {
      bits = static_cast<std::uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
    }
  }
  constexpr operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
};

/// IEEE half precision; rounded to nearest even, overflow to infinity. Storage only.
struct f16 {
  std::uint16_t bits = 0;
  constexpr f16() = default;
  constexpr f16(float f) {  // NOLINT
    const auto u = std::bit_cast<std::uint32_t>(f);
    const std::uint32_t sign = (u >> 16) & 0x8000u, mag = u & 0x7fffffffu;
    std::uint32_t h;
    if (mag > 0x7f800000u) {
      h = 0x7e00u;
    } else if (mag >= 0x477ff000u) {  // rounds to 65536 or more
      h = 0x7c00u;
    } else if (mag < 0x38800000u) {  // below 2^-14: a subnormal in units of 2^-24
      const int shift = 126 - static_cast<int>(mag >> 23);
      if (shift > 24) {
        h = 0;
      } else {
        const std::uint32_t m = (mag & 0x7fffffu) | 0x800000u;
        h = m >> shift;
        const std::uint32_t rest = m & ((1u << shift) - 1u), half = 1u << (shift - 1);
        if (rest > half || (rest == half && (h & 1u))) ++h;
      }
    } else {
      const std::uint32_t r = mag - 0x38000000u;
      h = (r + 0xfffu + ((r >> 13) & 1u)) >> 13;
    }
    bits = static_cast<std::uint16_t>(sign | h);
  }
  constexpr operator float() const {
    const std::uint32_t sign = (bits & 0x8000u) << 16, e = (bits >> 10) & 31u, m = bits & 0x3ffu;
    if (e == 31) return std::bit_cast<float>(sign | 0x7f800000u | (m << 13));
    if (e != 0) return std::bit_cast<float>(sign | ((e + 112u) << 23) | (m << 13));
    const float sub = static_cast<float>(m) * 0x1p-24f;
    return sign ? -sub : sub;
  }
};

/// Run-time name of an element type.
enum class DType : std::uint8_t { f32, f64, bf16, f16, i32, i64, u8, boolean };

constexpr std::size_t dtype_size(DType t) {
  constexpr std::size_t sizes[] = {4, 8, 2, 2, 4, 8, 1, 1};
  return sizes[static_cast<int>(t)];
}
constexpr const char* dtype_name(DType t) {
  constexpr const char* names[] = {"float32", "float64", "bfloat16", "float16",
                                   "int32",   "int64",   "uint8",    "bool"};
  return names[static_cast<int>(t)];
}

namespace detail {
template <class T> struct DTypeOf;
template <> struct DTypeOf<float> { static constexpr DType value = DType::f32; };
template <> struct DTypeOf<double> { static constexpr DType value = DType::f64; };
template <> struct DTypeOf<bf16> { static constexpr DType value = DType::bf16; };
template <> struct DTypeOf<f16> { static constexpr DType value = DType::f16; };
template <> struct DTypeOf<std::int32_t> { static constexpr DType value = DType::i32; };
template <> struct DTypeOf<std::int64_t> { static constexpr DType value = DType::i64; };
template <> struct DTypeOf<std::uint8_t> { static constexpr DType value = DType::u8; };
template <> struct DTypeOf<bool> { static constexpr DType value = DType::boolean; };
template <class T> struct ComputeOf { using type = T; };
template <> struct ComputeOf<bf16> { using type = float; };
template <> struct ComputeOf<f16> { using type = float; };
}  // namespace detail

template <class T> inline constexpr DType dtype_of = detail::DTypeOf<T>::value;
/// The type arithmetic on `T` is done in: float for bf16 and f16, else `T` itself.
template <class T> using compute_t = typename detail::ComputeOf<T>::type;
/// The type of a parameter of a module with activations `T`: double for double, else float. Norms, statistics
/// and losses are of this type too, and so is what a model is given: joints, pixels, masks.
template <class T> using param_t = compute_t<T>;
template <class T>
inline constexpr bool is_floating = dtype_of<T> == DType::f32 || dtype_of<T> == DType::f64 ||
                                    dtype_of<T> == DType::bf16 || dtype_of<T> == DType::f16;

TMOR_END
