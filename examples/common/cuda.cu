// What the programs compute on a GPU: compiled by nvcc (TMOR_CUDA=ON), or by g++ for the emulated device.
#include "common/learn.hpp"
#include "tmor/cuda/cuda.cuh"

namespace task {

/// @throws Error in one line where no GPU can be used.
void check_cuda() { tmor::cuda_api(); }

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
