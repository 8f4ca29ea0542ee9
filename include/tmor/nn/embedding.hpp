#pragma once
/// @file embedding.hpp
/// A table of vectors looked up by number.

#include "tmor/nn/init.hpp"
#include "tmor/ops/elementwise.hpp"
#include "tmor/ops/index.hpp"

TMOR_BEGIN
namespace nn {

/// ids of any shape -> (..., dim).
template <class T = float, class Device = Cpu> struct Embedding {
  Param<T, Device> w;  ///< (count, dim)

  Embedding() = default;
  Embedding(Rng& rng, Index count, Index dim, double std = 0.02)
      : w(init::normal<param_t<T>, Device>(rng, {count, dim}, std)) {}
  static void visit(auto& self, auto&& v) { v.param("w", self.w, no_decay); }
  /// @throws Error for an id outside [0, count).
  Tensor<T, Device> operator()(const Tensor<Index, Device>& ids) const { return to<T>(embedding(w, ids)); }
};

}  // namespace nn
TMOR_END
