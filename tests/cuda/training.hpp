#pragma once
/// Training of a small T-MOR, three towers and the frame term, for a device given as a template argument:
/// training.cu runs it on Cuda, training.cpp on Cpu, and compares.

#include <string>
#include <vector>

#include "../support/tiny_models.hpp"
#include "tmor/ops/device.hpp"
#include "tmor/optim/adamw.hpp"
#include "tmor/optim/clip.hpp"

namespace training {

using namespace tmor;

/// The loss at every step on one batch of random triplets: the same numbers on every device but for rounding.
template <class D> std::vector<float> losses(int steps) {
  auto c = test::tiny_tri_modal();
  std::get<models::UnikConfig>(c.skeleton).dropout = 0.1;
  Rng init(3), data(4);
  models::TriModal<float, D> net(init, c);
  models::TriBatch<float, D> batch;  // the same random numbers on every device
  batch.skeleton = normal<float, D>(data, {24, 1, 8, 4, 2});
  batch.frames = normal<float, D>(data, {24, 3, 8, 4, 3});
  std::vector<Index> ids;
  for (Index i = 0; i < 24 * 4; ++i) ids.push_back(data.uniform_int(20));
  batch.text = {Tensor<Index, D>::from(ids, {24, 4}), Tensor<Index, D>::from(std::vector<Index>(24, 3))};
  optim::AdamW<float, D> adam(parameters<float, D>(net), {.lr = 3e-3, .eps = 1e-4});
  std::vector<float> out;
  for (int step = 0; step < steps; ++step) {
    Rng draws(static_cast<std::uint64_t>(step));
    const auto y = net.loss(batch, Context{true, &draws});
    backward(y.total);
    optim::clip_grad_norm(adam.params(), 5.0);
    adam.step();
    net.limit_scales_();
    out.push_back(y.total.item());
  }
  return out;
}

/// Those of the GPU. @throws Error in one line without one.
std::vector<float> cuda_losses(int steps);

}  // namespace training
