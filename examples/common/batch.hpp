#pragma once
/// Batches as programs make them, on the CPU.

#include "tmor/core/tensor.hpp"

namespace task {

using tmor::Index;
using tmor::Tensor;

/// N clips ready for the encoder, with their labels.
struct Batch {
  Tensor<> x;            ///< (N, M, T, V, C)
  Tensor<> present;      ///< (N, M)
  Tensor<Index> labels;  ///< (N,)
};

}  // namespace task
