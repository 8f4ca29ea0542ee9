// What the programs compute on a GPU: compiled by nvcc (TMOR_CUDA=ON), or by g++ for the emulated device.
#include "common/learn.hpp"
#include "tmor/cuda/cuda.cuh"

namespace task {

/// @throws Error in one line where no GPU can be used.
void check_cuda() { tmor::cuda_api(); }

Encode encoder_on_cuda(const tmor::models::SkeletonEncoder<>& encoder) {
  return encoder_on<tmor::Cuda>(encoder);
}

Watch videos_on_cuda(const tmor::models::VideoEncoder<>& tower) { return videos_on<tmor::Cuda>(tower); }

double train_head_cuda(const tmor::models::FrameHead<>& head, const tmor::eval::HeadTraining& t) {
  return train_head<tmor::Cuda>(head, t);
}

tmor::train::LoopResult learn_windows_cuda(const WindowDetector<>& m, tmor::data::Loader<WindowBatch>& loader,
                                           Rng& rng, const Learning& o,
                                           const std::function<Json()>& validate) {
  return learn_windows<tmor::Cuda>(m, loader, rng, o, validate);
}

tmor::train::LoopResult learn_captions_cuda(const CaptionTowers<>& m,
                                            tmor::data::Loader<CaptionedBatch>& loader, Rng& rng,
                                            const Learning& o) {
  return learn_captions<tmor::Cuda>(m, loader, rng, o);
}

tmor::train::LoopResult learn_towers_cuda(const tmor::models::TriModal<>& m,
                                          tmor::data::Loader<TriSamples>& loader, Rng& rng, const Learning& o,
                                          const std::function<Json()>& validate) {
  return learn_towers<tmor::Cuda>(m, loader, rng, o, validate);
}

tmor::train::LoopResult learn_classes_cuda(const Classifier& m, tmor::data::Loader<Batch>& loader, Rng& rng,
                                           const Learning& o,
                                           const std::function<Json(const Logits&)>& validate,
                                           const std::function<void(const Logits&)>& done) {
  return learn_classes<tmor::Cuda>(m, loader, rng, o, validate, done);
}

}  // namespace task
