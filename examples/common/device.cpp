#include "common/learn.hpp"

namespace task {

void check_gpu() {
#ifdef TMOR_PROGRAMS_CUDA
  check_cuda();
#else
  tmor::detail::fail<tmor::Error>(
      "this program is built without CUDA: configure with -DTMOR_CUDA=ON (needs nvcc), or =EMULATED (no GPU, "
      "slow), or use --device cpu");
#endif
}

tmor::train::LoopResult learn_towers(const std::string& device, const tmor::models::TriModal<>& m,
                                     tmor::data::Loader<TriSamples>& loader, Rng& rng, const Learning& o,
                                     const std::function<Json()>& validate) {
#ifdef TMOR_PROGRAMS_CUDA
  if (device == "cuda") return learn_towers_cuda(m, loader, rng, o, validate);
#endif
  TMOR_CHECK(device == "cpu", "no device is named '", device, "' here");
  return learn_towers<Cpu>(m, loader, rng, o, validate);
}

tmor::train::LoopResult learn_classes(const std::string& device, const Classifier& m,
                                      tmor::data::Loader<Batch>& loader, Rng& rng, const Learning& o,
                                      const std::function<Json(const Logits&)>& validate,
                                      const std::function<void(const Logits&)>& done) {
#ifdef TMOR_PROGRAMS_CUDA
  if (device == "cuda") return learn_classes_cuda(m, loader, rng, o, validate, done);
#endif
  TMOR_CHECK(device == "cpu", "no device is named '", device, "' here");
  return learn_classes<Cpu>(m, loader, rng, o, validate, done);
}

}  // namespace task
