// A small network trained on the emulated GPU: the CPU's losses and parameters, step by step.
#ifdef TMOR_CUDA_EMULATED
#include <doctest/doctest.h>

#include <cmath>

#include "support/emu_orders.hpp"
#include "tmor/autograd/backward.hpp"
#include "tmor/cuda/cuda.cuh"
#include "tmor/models/skeleton_text.hpp"
#include "tmor/ops/device.hpp"
#include "tmor/optim/adamw.hpp"
#include "tmor/optim/clip.hpp"
#include "tmor/optim/ema.hpp"
#include "tmor/optim/sgd.hpp"

using namespace tmor;

namespace {

struct Trained {
  std::vector<float> losses, params;
};

/// Skeletons against captions: every family but convolutions of images, forward and backward.
template <class D> Trained train() {
  Rng rng(4);
  models::UnikConfig s;
  s.joints = 5;
  s.in_channels = 3;
  s.stages = {{8, 1}, {12, 2}};
  s.heads = 2;
  s.taps = 3;
  s.embed = 16;
  s.dropout = 0.1;
  models::CausalTextConfig t;
  t.vocab = 11;
  t.width = 16;
  t.heads = 2;
  t.depth = 1;
  t.context = 6;
  t.embed = 16;
  models::SkeletonText<float, D> model(rng, s, t);
  optim::AdamW<float, D> adam(parameters<float, D>(model), {.lr = 1e-2, .eps = 1e-4});
  optim::Ema<float, D> ema(model, 0.9);
  const auto x = to<D>(normal(rng, {6, 1, 8, 5, 3}));
  std::vector<Index> ids;
  for (Index i = 0; i < 36; ++i) ids.push_back(i * i % 11);
  const models::TextBatch<D> captions{Tensor<Index, D>::from(ids, {6, 6}),
                                      Tensor<Index, D>::from({5, 3, 5, 4, 5, 2})};
  const auto group = Tensor<Index, D>::from({0, 1, 2, 0, 3, 4});
  Trained out;
  for (int step = 0; step < 4; ++step) {
    Rng draws(static_cast<std::uint64_t>(step));
    const auto loss = model.loss(x, captions, group, {true, &draws});
    backward(loss);
    optim::clip_grad_norm(adam.params(), 5.0);
    adam.step();
    ema.update();
    out.losses.push_back(loss.item());
  }
  for (const auto& p : parameters<float, D>(model))
    for (float v : p.tensor.to_vector()) out.params.push_back(v);
  return out;
}

}  // namespace

TEST_CASE("training a skeleton and text model on the GPU gives the CPU's losses") {
  const Trained cpu = train<Cpu>(), gpu = train<Cuda>();
  for (std::size_t i = 0; i < cpu.losses.size(); ++i)
    CHECK(static_cast<double>(gpu.losses[i]) ==
          doctest::Approx(static_cast<double>(cpu.losses[i])).epsilon(1e-4));
  CHECK(cpu.losses.back() < cpu.losses.front());
  REQUIRE(cpu.params.size() == gpu.params.size());
  double worst = 0;
  for (std::size_t i = 0; i < cpu.params.size(); ++i)
    worst = std::fmax(worst, std::fabs(static_cast<double>(cpu.params[i] - gpu.params[i])));
  INFO("largest difference of a parameter ", worst);
  CHECK(worst < 1e-3);
  // The same bits whichever thread goes first.
  auto& machine = emu::Machine::instance();
  const auto before = machine.order;
  machine.order = emu::Order::random;
  const Trained again = train<Cuda>();
  machine.order = before;
  CHECK(again.losses == gpu.losses);
  CHECK(again.params == gpu.params);
}

TEST_CASE("optimiser steps over many tensors are the CPU's") {
  const auto run = [](auto device) {
    using D = decltype(device);
    std::vector<NamedParam<float, D>> params;
    for (Index i = 0; i < 60; ++i) {  // more than one launch takes
      std::vector<float> v;
      for (Index k = 0; k < i % 7; ++k) v.push_back(static_cast<float>(k + i) / 10);
      params.push_back({"p" + std::to_string(i), Tensor<float, D>::from(v).requires_grad_()});
    }
    optim::Sgd<float, D> sgd(params, {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01});
    for (int step = 0; step < 3; ++step) {
      for (const auto& p : params) p.tensor.set_grad(Tensor<float, D>::full(p.tensor.shape(), 0.5f));
      optim::clip_grad_norm(params, 1.0);
      sgd.step();
    }
    std::vector<float> out;
    for (const auto& p : params)
      for (float v : p.tensor.to_vector()) out.push_back(v);
    return out;
  };
  const auto cpu = run(Cpu{}), gpu = run(Cuda{});
  REQUIRE(cpu.size() == gpu.size());
  for (std::size_t i = 0; i < cpu.size(); ++i) CHECK(gpu[i] == doctest::Approx(cpu[i]).epsilon(1e-6));
}
#endif
