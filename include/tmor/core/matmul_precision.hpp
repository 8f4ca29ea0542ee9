#pragma once
/// @file matmul_precision.hpp
/// How exactly products of float matrices are computed.

#include <atomic>

#include "tmor/core/config.hpp"

TMOR_BEGIN

/// `highest`: in float throughout. `high`: factors may be rounded to TF32 (10 bits of mantissa), `medium`: to
/// bfloat16 (7 bits); sums are in float always. As PyTorch's `float32_matmul_precision`.
enum class MatmulPrecision { highest, high, medium };

namespace detail {
inline std::atomic<MatmulPrecision>& matmul_precision_setting() {
  static std::atomic<MatmulPrecision> p{MatmulPrecision::highest};
  return p;
}
}  // namespace detail

inline MatmulPrecision matmul_precision() { return detail::matmul_precision_setting(); }
/// For products from now on, of every thread; `highest` until set. A permission, not a demand: NVIDIA's
/// library on `Cuda` makes use of it, our own kernels and the CPU are exact to float whatever it is, and
/// products of double, bf16 and f16 tensors do not depend on it.
inline void set_matmul_precision(MatmulPrecision p) { detail::matmul_precision_setting() = p; }

TMOR_END
