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

namespace {

/// Whether to compute on a GPU. @throws Error for a device that this program has not.
bool on_gpu(const std::string& device) {
#ifdef TMOR_PROGRAMS_CUDA
  if (device == "cuda") return true;
#endif
  TMOR_CHECK(device == "cpu", "no device is named '", device, "' here");
  return false;
}

}  // namespace

#ifdef TMOR_PROGRAMS_CUDA
#define TASK_ON(device, name, ...) return on_gpu(device) ? name##_cuda(__VA_ARGS__) : name<Cpu>(__VA_ARGS__)
#else
#define TASK_ON(device, name, ...) return on_gpu(device), name<Cpu>(__VA_ARGS__)
#endif

Encode encoder_on(const std::string& device, const tmor::models::SkeletonEncoder<>& encoder) {
  TASK_ON(device, encoder_on, encoder);
}

Watch videos_on(const std::string& device, const tmor::models::VideoEncoder<>& tower) {
  TASK_ON(device, videos_on, tower);
}

std::function<double(const tmor::models::FrameHead<>&, const tmor::eval::HeadTraining&)> trainer_on(
    const std::string& device) {
  return [device](const tmor::models::FrameHead<>& head, const tmor::eval::HeadTraining& t) {
    TASK_ON(device, train_head, head, t);
  };
}

tmor::train::LoopResult learn_windows(const std::string& device, const WindowDetector<>& m,
                                      tmor::data::Loader<WindowBatch>& loader, Rng& rng, const Learning& o,
                                      const std::function<Json()>& validate) {
  TASK_ON(device, learn_windows, m, loader, rng, o, validate);
}

tmor::train::LoopResult learn_captions(const std::string& device, const CaptionTowers<>& m,
                                       tmor::data::Loader<CaptionedBatch>& loader, Rng& rng,
                                       const Learning& o) {
  TASK_ON(device, learn_captions, m, loader, rng, o);
}

tmor::train::LoopResult learn_towers(const std::string& device, const tmor::models::TriModal<>& m,
                                     tmor::data::Loader<TriSamples>& loader, Rng& rng, const Learning& o,
                                     const std::function<Json()>& validate) {
  TASK_ON(device, learn_towers, m, loader, rng, o, validate);
}

tmor::train::LoopResult learn_classes(const std::string& device, const Classifier& m,
                                      tmor::data::Loader<Batch>& loader, Rng& rng, const Learning& o,
                                      const std::function<Json(const Logits&)>& validate,
                                      const std::function<void(const Logits&)>& done) {
  TASK_ON(device, learn_classes, m, loader, rng, o, validate, done);
}

}  // namespace task
