#pragma once
/// Training on the device that --device names: the CPU, or a GPU in programs that are built with TMOR_CUDA.
/// Batches are made, and figures taken, on the CPU by the caller.

#include <functional>
#include <string>
#include <vector>

#include "common/batch.hpp"
#include "tmor/data/loader.hpp"
#include "tmor/io/json.hpp"
#include "tmor/models/tri_modal.hpp"
#include "tmor/train/fine_tune.hpp"
#include "tmor/train/loop.hpp"

namespace task {

using tmor::Context;
using tmor::Cpu;
using tmor::Rng;
using tmor::io::Json;
using Classifier = tmor::train::SkeletonClassifier<>;
/// Class logits (N, classes) in evaluation mode, on the CPU.
using Logits = std::function<Tensor<>(const Batch&)>;

/// How to train.
struct Learning {
  tmor::train::LoopOptions loop;
  double weight_decay = 0;
  double label_smoothing = 0;  ///< of classes
  Index chunk = 0;             ///< samples that towers see at once (GradCache); 0: the whole batch
};

/// One batch of pre-training: what the model reads, and whose it is.
struct TriSamples {
  tmor::models::TriBatch<> batch;
  std::vector<std::string> ids;
};

/// @throws Error in one line where this program cannot use a GPU.
void check_gpu();

/// Trains the towers of `m`; they end as their averages, unless a signal stopped the run. `validate()` sees
/// them in `m`, as their averages.
tmor::train::LoopResult learn_towers(const std::string& device, const tmor::models::TriModal<>& m,
                                     tmor::data::Loader<TriSamples>& loader, Rng& rng, const Learning& o,
                                     const std::function<Json()>& validate);

/// Trains `m` with labels; it ends as its averages, unless a signal stopped the run. `validate(logits)` and,
/// at the end, `done(logits)` see the averages through `logits`, computed on the device.
tmor::train::LoopResult learn_classes(const std::string& device, const Classifier& m,
                                      tmor::data::Loader<Batch>& loader, Rng& rng, const Learning& o,
                                      const std::function<Json(const Logits&)>& validate,
                                      const std::function<void(const Logits&)>& done);

}  // namespace task
