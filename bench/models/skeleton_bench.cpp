// The skeleton encoders beside bench/peers: a training step, a forward pass and the latency of one clip, of
// the twin of the peer's network (skeleton_*, peers/peer_skeleton.py) and of our own encoder (unik_*,
// peers/peer_unik.py). --case startup builds the twin, encodes one clip and leaves: what a cold process
// costs.

#include "bench.hpp"
#include "peer_network.hpp"
#include "tmor/losses/regression.hpp"
#include "tmor/models/skeleton/unik.hpp"
#include "tmor/optim/adamw.hpp"

namespace {

using namespace tmor;

constexpr Index kBatch = 32, kFrames = 64, kJoints = 17, kEmbed = 512;

Tensor<> random(Rng& rng, const Shape& shape) { return normal<float, Cpu>(rng, shape); }

/// The step of peers/peer_skeleton.py: forward, backward, AdamW. `embed(x, context)` is the network's output.
template <class Model, class Embed> auto train_step(Model model, const Tensor<>& x, Embed embed) {
  Rng rng(1);
  return [model, x, embed, target = random(rng, {kBatch, kEmbed}),
          opt = optim::AdamW(parameters(model), {.lr = 1e-3})]() mutable {
    backward(loss::mse(l2_normalize(embed(model, x, Context{true})), target));
    opt.step();
  };
}

template <class Model, class Embed> auto infer(Model model, const Tensor<>& x, Embed embed) {
  return [model, x, embed] {
    NoGrad no_grad;
    embed(model, x, Context{false});
  };
}

}  // namespace

int main(int argc, char** argv) {
  bench::Bench b(argc, argv);
  Rng rng(0);

  const auto twin = [](const peer::SkeletonEncoder& m, const Tensor<>& x, const Context& c) {
    return m(x, c);
  };
  const auto one_clip = [&](Index frames, Index joints) {
    return infer(peer::SkeletonEncoder(rng, joints), random(rng, {1, frames, joints, 3}), twin);
  };
  b.run("skeleton_train", [&] {
    return train_step(peer::SkeletonEncoder(rng), random(rng, {kBatch, kFrames, kJoints, 3}), twin);
  });
  b.run("skeleton_infer", [&] {
    return infer(peer::SkeletonEncoder(rng), random(rng, {kBatch, kFrames, kJoints, 3}), twin);
  });
  b.run("skeleton_latency_64x17", [&] { return one_clip(64, 17); });
  b.run("skeleton_latency_300x25", [&] { return one_clip(300, 25); });

  using Unik = models::Unik<>;
  const auto ours = [](const Unik& m, const Tensor<>& x, const Context& c) { return m(x, c).embed; };
  const auto unik = [&](Index joints) {
    return Unik(rng, {.joints = joints, .in_channels = 9, .embed = kEmbed});
  };
  b.run("unik_train", [&] {
    return train_step(unik(kJoints), random(rng, {kBatch, 1, kFrames, kJoints, 9}), ours);
  });
  b.run("unik_small_train", [&] {  // narrow, as examples/penn_action trains it
    const Unik small(rng, {.joints = 13,
                           .in_channels = 6,
                           .embed = kEmbed,
                           .stages = {{32}, {32}, {32}, {64, 2}, {64}, {128, 2}, {128}}});
    return train_step(small, random(rng, {kBatch, 1, kFrames, 13, 6}), ours);
  });
  b.run("unik_infer", [&] {
    return infer(unik(kJoints), random(rng, {kBatch, 1, kFrames, kJoints, 9}), ours);
  });
  b.run("unik_latency_64x17", [&] { return infer(unik(17), random(rng, {1, 1, 64, 17, 9}), ours); });
  b.run("unik_latency_300x25", [&] { return infer(unik(25), random(rng, {1, 1, 300, 25, 9}), ours); });

  b.run("startup", [&] { return one_clip(64, 17); });
  return b.finish();
}
