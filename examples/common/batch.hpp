#pragma once
/// Batches as programs make them, on the CPU.

#include <string>
#include <vector>

#include "tmor/models/tri_modal.hpp"

namespace task {

using tmor::Index;
using tmor::Tensor;

/// N clips ready for the encoder, with their labels.
struct Batch {
  Tensor<> x;            ///< (N, M, T, V, C)
  Tensor<> present;      ///< (N, M)
  Tensor<Index> labels;  ///< (N,)
};

/// One batch of pre-training: what the model reads, and whose it is.
struct TriSamples {
  tmor::models::TriBatch<> batch;
  std::vector<std::string> ids;
};

}  // namespace task
