// A training step of a small T-MOR on the emulated GPU: the CPU's loss and gradients, in one pass and by
// GradCache, with InfoNCE and SigLIP in several blocks of logits; and the memory they take.
#ifdef TMOR_CUDA_EMULATED
#include <doctest/doctest.h>

#include <cmath>

#include "support/emu_orders.hpp"
#include "support/tiny_models.hpp"
#include "tmor/cuda/cuda.cuh"
#include "tmor/ops/device.hpp"
#include "tmor/optim/adamw.hpp"
#include "tmor/train/gradcache.hpp"

using namespace tmor;
using namespace test;

namespace {

template <class D> models::TriBatch<float, D> on_device(const models::TriBatch<>& b) {
  models::TriBatch<float, D> out;
  out.skeleton = to<D>(b.skeleton);
  out.frames = to<D>(b.frames);
  out.text = {to<D>(b.text.ids), to<D>(b.text.last)};
  out.group = to<D>(b.group);
  out.kind = to<D>(b.kind);
  out.has_skeleton = b.has_skeleton;
  out.has_video = b.has_video;
  return out;
}

struct Step {
  std::vector<float> losses;                     ///< the total and its parts
  std::vector<std::vector<float>> grads, after;  ///< of every parameter; the parameter after a step
};

template <class D> Step step(models::Contrast contrast, bool cached) {
  auto c = tiny_tri_modal();
  c.loss.contrast = contrast;
  std::get<models::UnikConfig>(c.skeleton).dropout = 0.1;
  Rng init(3), data(4), draws(5);
  models::TriModal<float, D> net(init, c);
  auto b = random_triplets(data, 6);
  b.group = Tensor<Index>::from({0, 1, 0, -1, -1, -1});
  b.kind = Tensor<Index>::from({-1, 2, -1, 2, 2, -1});
  b.has_video = {true, false, true, true, true, true};
  const auto batch = on_device<D>(b);
  optim::AdamW<float, D> adam(parameters<float, D>(net), {.lr = 1e-2, .eps = 1e-2});
  const detail::Restore<Index> rows(detail::forced_pair_rows(), 2);
  models::TriLoss<float, D> y;
  if (cached) {
    y = train::grad_cache(
        net, 2, [&](Index) { return batch; }, Context{true, &draws});
  } else {
    y = net.loss(batch, Context{true, &draws});
    backward(y.total);
  }
  Step out;
  for (const auto& t : {y.total, y.skeleton_video, y.skeleton_text, y.video_text, y.frame})
    out.losses.push_back(t.item());
  for (const auto& p : adam.params()) {
    REQUIRE(p.tensor.grad().defined());
    out.grads.push_back(p.tensor.grad().to_vector());
  }
  adam.step();
  for (const auto& p : adam.params()) out.after.push_back(p.tensor.to_vector());
  return out;
}

/// The largest difference of numbers of one parameter, relative to its largest.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0, most = 1e-3;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = std::fmax(worst, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    most = std::fmax(most, std::fabs(static_cast<double>(b[i])));
  }
  return worst / most;
}

}  // namespace

TEST_CASE("a training step of T-MOR on the GPU: the CPU's loss, gradients and parameters") {
  for (const auto contrast : {models::Contrast::info_nce, models::Contrast::siglip})
    for (const bool cached : {false, true}) {
      CAPTURE(static_cast<int>(contrast));
      CAPTURE(cached);
      const Step cpu = step<Cpu>(contrast, cached), gpu = step<Cuda>(contrast, cached);
      CHECK(difference(gpu.losses, cpu.losses) < 1e-5);
      for (std::size_t i = 0; i < cpu.grads.size(); ++i) {
        CAPTURE(i);
        CHECK(difference(gpu.grads[i], cpu.grads[i]) < 1e-3);
        CHECK(difference(gpu.after[i], cpu.after[i]) < 1e-3);
      }
    }
}

TEST_CASE("contrastive losses on the GPU hold a block of their logits only") {
  constexpr Index n = 160, dim = 8;
  const detail::Restore<Index> rows(detail::forced_pair_rows(), 8);
  for (const bool sigmoid : {false, true}) {
    const auto a = Tensor<float, Cuda>::full({n, dim}, 0.5f).requires_grad_();
    const auto s = Tensor<float, Cuda>::scalar(0), bias = Tensor<float, Cuda>::scalar(-2);
    reset_peak_cuda_memory();
    const std::size_t before = cuda_memory_stats().in_use;
    const auto y = sigmoid ? siglip(a, a, s, bias) : info_nce(a, a, s);
    backward(y);
    const std::size_t peak = cuda_memory_stats().peak - before;
    CHECK(peak < 30 * n * dim * sizeof(float));
    CHECK(peak < n * n * sizeof(float) / 2);
  }
}

#if !defined(TMOR_ASAN) && !defined(TMOR_TSAN)
TEST_CASE("InfoNCE of 65,536 pairs of 512 numbers takes less than 1.5 GiB, gradients included") {
  auto& machine = emu::Machine::instance();
  machine.idle = true;  // counted, not computed
  release_cached_cuda_memory();
  reset_peak_cuda_memory();
  const std::size_t before = cuda_memory_stats().in_use;
  {
    const auto a = Tensor<float, Cuda>::empty({65536, 512}).requires_grad_();
    const auto b = Tensor<float, Cuda>::empty({65536, 512}).requires_grad_();
    const auto s = Tensor<float, Cuda>::scalar(2).requires_grad_();
    backward(loss::info_nce(a, b, s));
    CHECK(b.grad().defined());
  }
  machine.idle = false;
  const std::size_t peak = cuda_memory_stats().peak - before;
  MESSAGE("peak: ", peak >> 20, " MiB");
  CHECK(peak > std::size_t{1000} << 20);  // two inputs, their unit vectors and gradients are a GiB
  CHECK(peak < std::size_t{1536} << 20);
}
#endif
#endif
