#pragma once
/// @file head_training.hpp
/// Training a head for frames, on any device, with batches that are made on the CPU.

#include <functional>

#include "tmor/losses/classification.hpp"
#include "tmor/models/detection/head.hpp"
#include "tmor/nn/twin.hpp"
#include "tmor/optim/adamw.hpp"
#include "tmor/optim/clip.hpp"
#include "tmor/optim/schedule.hpp"

TMOR_BEGIN
namespace eval {

/// Parts of sequences, padded to one length.
struct HeadBatch {
  Tensor<> x;            ///< tokens (N, T, W)
  Tensor<> mask;         ///< (N, T), 1 for rows that are there
  Tensor<> y;            ///< (N, T, classes), 1 inside an action
  Tensor<bool> counted;  ///< the same shape: rows that are there
};

struct HeadTraining {
  std::function<HeadBatch()> next;  ///< the batch of the next step
  Index epochs = 1, batches = 1;    ///< and how many steps an epoch has
  double lr = 1e-3, weight_decay = 0, clip_norm = 1;
  Rng noise{0};  ///< of the dropout
};

/// Trains `head` by binary cross-entropy with AdamW, whose rate falls to 0 along a cosine. @returns the mean
/// loss over the last epoch.
template <class Device = Cpu> double train_head(const models::FrameHead<>& head, const HeadTraining& t) {
  const auto net = to<Device>(head);
  optim::AdamW<float, Device> optimizer(parameters<float, Device>(net),
                                        optim::AdamWOptions{.lr = t.lr, .weight_decay = t.weight_decay});
  const auto schedule = optim::Schedule::cosine(t.epochs * t.batches);
  Rng noise = t.noise;
  double mean_loss = 0;
  for (Index step = 0; step < t.epochs * t.batches; ++step) {
    if (step % t.batches == 0) mean_loss = 0;
    const HeadBatch b = t.next();
    const auto bce =
        loss::bce_with_logits(net(to<Device>(b.x), {.training = true, .rng = &noise}, to<Device>(b.mask)),
                              to<Device>(b.y), to<Device>(b.counted));
    backward(bce);
    optim::clip_grad_norm(optimizer.params(), t.clip_norm);
    optimizer.step(t.lr * schedule(step));
    mean_loss += static_cast<double>(bce.item()) / static_cast<double>(t.batches);
  }
  if constexpr (!Device::host_memory) copy_tensors(net, head);
  return mean_loss;
}

}  // namespace eval
TMOR_END
