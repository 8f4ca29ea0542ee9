#pragma once
/// @file toy_training.hpp
/// A regression small enough to train in a test, with everything a run's state consists of: two layers, a
/// running mean, noise from the context's generator, shuffled and augmented batches.

#include <functional>

#include "tmor/core/module.hpp"
#include "tmor/ops/elementwise.hpp"
#include "tmor/ops/matmul.hpp"
#include "tmor/optim/adamw.hpp"
#include "tmor/train/loop.hpp"

namespace test {

using namespace tmor;

struct ToyModel {
  Tensor<> w1, b1, w2, mean;
  explicit ToyModel(Index hidden = 8, std::uint64_t seed = 0)
      : w1(random({3, hidden}, seed)),
        b1(random({hidden}, seed + 1)),
        w2(random({hidden, 1}, seed + 2)),
        mean(Tensor<>::zeros({1})) {}
  static Tensor<> random(const Shape& shape, std::uint64_t seed) {
    Rng rng(seed);
    std::vector<float> v(static_cast<std::size_t>(shape.numel()));
    for (auto& x : v) x = static_cast<float>(0.5 * rng.normal());
    return Tensor<>::from(v, shape).requires_grad_();
  }
  static void visit(auto& self, auto&& v) {
    v.param("w1", self.w1);
    v.param("b1", self.b1, no_decay);
    v.param("w2", self.w2);
    v.buffer("mean", self.mean);
  }
  Tensor<> operator()(const Tensor<>& x, const Context& ctx) const {
    Tensor<> in = x;
    if (ctx.training) {
      in = x + 0.01 * ctx.random().normal();
      *mean.mutable_data() += 0.1f * (in.at({0, 0}) - mean.item());
    }
    return matmul(tanh(matmul(in, w1) + b1), w2);
  }
};

struct ToyBatch {
  Tensor<> x, y;
};

inline ToyBatch toy_batch(const data::BatchPlan& plan) {
  std::vector<float> x, y;
  for (Index i : plan.samples) {
    Rng own(99, static_cast<std::uint64_t>(i)), augment = plan.rng(i);
    for (int k = 0; k < 3; ++k) x.push_back(static_cast<float>(own.normal() + 0.01 * augment.normal()));
    y.push_back(x[x.size() - 3] * x[x.size() - 2]);
  }
  const auto n = static_cast<Index>(plan.samples.size());
  return {Tensor<>::from(x, {n, 3}), Tensor<>::from(y, {n, 1})};
}

inline Tensor<> toy_loss(const ToyModel& model, const ToyBatch& b, const Context& ctx) {
  const Index n = b.y.size(0);
  return matmul(Tensor<>::full({1, n}, 1 / static_cast<float>(n)), square(model(b.x, ctx) - b.y));
}

/// Model, optimiser, data and generator of one run, all from seed 0.
struct ToyRun {
  ToyModel model;
  optim::AdamW<> optimizer{parameters(model), {.weight_decay = 0.1}};
  data::Loader<ToyBatch> loader;
  Rng rng{7};
  std::function<void(Index)> before_batch;  ///< called with 0, 1, ...
  double loss_scale = 1;

  explicit ToyRun(Index samples = 22, Index batch_size = 4)  // 6 batches an epoch
      : loader(samples, toy_batch, {.batch_size = batch_size, .workers = 0}) {}

  train::LoopResult run(const train::LoopOptions& options) {
    train::Loop loop(model, optimizer, loader, rng, options);
    Index batches = 0;
    return loop.run(
        [&](const ToyBatch& b, const Context& ctx) {
          if (before_batch) before_batch(batches++);
          auto loss = toy_loss(model, b, ctx);
          if (options.precision == train::Precision::f16)
            loss = to<float>(to<f16>(loss));  // its gradient is infinite above 65504
          loss = loss * loss_scale;
          if (options.own_backward) optim::backward_share(loss, 1, ctx.loss_scale);
          return loss;
        },
        [&] {
          double sum = 0;
          for (float v : model.w1.to_vector()) sum += v;
          return io::Json{{"sum", sum}};
        });
  }
};

inline train::LoopOptions toy_options(const std::string& out) {
  train::LoopOptions o;
  o.epochs = 4;
  o.lr = 0.02;
  o.schedule = optim::Schedule::cosine(12).warmed_up(2);
  o.accumulate = 2;
  o.clip_norm = 0.5;
  o.ema_decay = 0.9;
  o.checkpoint_every = 2;
  o.log_every = 2;
  o.best_metric = "sum";
  o.out = out;
  o.quiet = true;
  return o;
}

}  // namespace test
