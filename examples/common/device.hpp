#pragma once
/// Training, and networks at work, on the device that --device names: the CPU, or a GPU in programs that are
/// built with TMOR_CUDA.
/// Batches are made, and figures taken, on the CPU by the caller.

#include <functional>
#include <string>
#include <vector>

#include "common/trained.hpp"
#include "tmor/data/loader.hpp"
#include "tmor/eval/head_training.hpp"
#include "tmor/io/json.hpp"
#include "tmor/train/fine_tune.hpp"
#include "tmor/train/loop.hpp"

namespace task {

using tmor::io::Json;
using Classifier = tmor::train::SkeletonClassifier<>;
/// Class logits (N, classes) in evaluation mode, on the CPU.
using Logits = std::function<Tensor<>(const Batch&)>;
/// What a frozen encoder makes of clips or windows, in evaluation mode, on the CPU.
using Encode = std::function<tmor::models::SkeletonFeatures<>(const Batch&)>;

/// Unit embeddings of videos (N, F, H, W, 3), on the CPU.
using Watch = std::function<Tensor<>(const Tensor<>&)>;

/// How to train.
struct Learning {
  tmor::train::LoopOptions loop;
  double weight_decay = 0;
  double label_smoothing = 0;  ///< of classes
  Index chunk = 0;             ///< samples that towers see at once (GradCache); 0: the whole batch
  double instance = 0;         ///< weight of the contrast between two views of a clip
};

/// @throws Error in one line where this program cannot use a GPU.
void check_gpu();

/// `encoder` at work on the device; numbers of it are copied there, or shared on the CPU.
Encode encoder_on(const std::string& device, const tmor::models::SkeletonEncoder<>& encoder);

/// The same of a video tower.
Watch videos_on(const std::string& device, const tmor::models::VideoEncoder<>& tower);

/// Trains heads on frozen tokens on the device.
std::function<double(const tmor::models::FrameHead<>&, const tmor::eval::HeadTraining&)> trainer_on(
    const std::string& device);

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

/// Trains `m` on windows by their frames' classes, as `learn_towers`.
tmor::train::LoopResult learn_windows(const std::string& device, const WindowDetector<>& m,
                                      tmor::data::Loader<WindowBatch>& loader, Rng& rng, const Learning& o,
                                      const std::function<Json()>& validate);

/// Trains `m` against captions, as `learn_towers`.
tmor::train::LoopResult learn_captions(const std::string& device, const CaptionTowers<>& m,
                                       tmor::data::Loader<CaptionedBatch>& loader, Rng& rng,
                                       const Learning& o);

}  // namespace task
