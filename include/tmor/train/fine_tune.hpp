#pragma once
/// @file fine_tune.hpp
/// Fine-tuning: a skeleton encoder, pre-trained or not, trained further with labels, all of it and a linear
/// layer on its pooled features.

#include "tmor/losses/cross_entropy.hpp"
#include "tmor/models/skeleton/encoder.hpp"
#include "tmor/optim/adamw.hpp"
#include "tmor/train/loop.hpp"

TMOR_BEGIN
namespace train {

/// An encoder and a linear layer on its pooled features.
template <class T = float, class Device = Cpu> struct SkeletonClassifier {
  models::SkeletonEncoder<T, Device> encoder;
  nn::Linear<T, Device> head;

  SkeletonClassifier() = default;
  SkeletonClassifier(Rng& rng, const models::SkeletonConfig& c, Index classes)
      : encoder(rng, c), head(rng, encoder.width(), classes) {}
  /// Starts from a pre-trained encoder, whose tensors it shares; its embedding is not needed.
  SkeletonClassifier(Rng& rng, models::SkeletonEncoder<T, Device> pretrained, double dropout, Index classes)
      : encoder(std::move(pretrained)), head(rng, encoder.width(), classes) {
    encoder.remove_embedding(dropout);
  }
  static void visit(auto& self, auto&& v) {
    v.module("encoder", self.encoder);
    v.module("head", self.head);
  }
  /// Logits (N, classes) of clips (N, M, T, V, C); `present` (N, M) or undefined.
  Tensor<param_t<T>, Device> operator()(const Tensor<param_t<T>, Device>& x, const Context& ctx,
                                        const Tensor<param_t<T>, Device>& present = {}) const {
    return to<param_t<T>>(head(encoder(x, ctx, present).pooled));
  }
};

/// A copy that shares no tensor with `model`. Ties between parameters are not kept.
template <class M> M deep_copy(const M& model) {
  M copy = model;
  visit_tensors(
      copy,
      [](const std::string&, auto& t, Decay) {
        const bool trained = t.requires_grad();
        t = clone(t.detach());
        t.requires_grad_(trained);
      },
      [](const std::string&, auto& t) { t = clone(t.detach()); });
  return copy;
}

/// N clips as the encoder reads them, and what they show.
struct LabelledClips {
  Tensor<> x;            ///< (N, M, T, V, C)
  Tensor<> present;      ///< (N, M), or undefined: everyone is there
  Tensor<Index> labels;  ///< (N,)
};

struct FineTuneOptions {
  Index epochs = 20, batch = 32;
  double lr = 2e-3, weight_decay = 0.05, label_smoothing = 0.1, dropout = 0.2;
  double clip_norm = 5;     ///< 0: none
  double ema_decay = 0.99;  ///< of the averaged parameters that are returned; 0: the last ones
  double warm_up = 0.2;  ///< part of the run in which the rate rises, before it falls to zero along a cosine
  std::uint64_t seed = 0;
  bool quiet = false;  ///< nothing on standard error
};

/// What is trained: a copy of `encoder`, all of it, and a new linear layer. @throws Error for less than two
/// classes.
template <class T, class Device>
SkeletonClassifier<T, Device> tunable(const models::SkeletonEncoder<T, Device>& encoder, Index classes,
                                      Rng& rng, const FineTuneOptions& o) {
  TMOR_CHECK(classes >= 2, "[fine_tune] ", classes, " classes; there is nothing to tell apart");
  SkeletonClassifier<T, Device> model(rng, deep_copy(encoder), o.dropout, classes);
  set_trainable(model, true);
  return model;
}

/// Batches of `samples` clips, which `make(plan)` makes on a thread of its own.
template <class B, class Make>
data::Loader<B> fine_tune_loader(Index samples, Make&& make, const FineTuneOptions& o) {
  return data::Loader<B>(
      samples, std::forward<Make>(make),
      {.batch_size = o.batch, .drop_last = samples > o.batch, .seed = o.seed, .workers = 1});
}

/// One cycle over the batches of `loader`.
template <class B> LoopOptions fine_tune_loop(const data::Loader<B>& loader, const FineTuneOptions& o) {
  LoopOptions l;
  l.epochs = o.epochs;
  l.lr = o.lr;
  l.clip_norm = o.clip_norm;
  l.ema_decay = o.ema_decay;
  l.validate_every = 0;
  l.quiet = o.quiet;
  l.schedule = optim::Schedule::one_cycle(total_steps(loader, l), o.warm_up);
  return l;
}

/// Trains a copy of `encoder` with a new linear layer by AdamW, one cycle and cross-entropy. `samples` is how
/// many there are to train on; `make(plan)` returns the `LabelledClips` of `plan.samples`, augmented by
/// `plan.rng(i)`, and is called on a thread of its own. A run that SIGINT or SIGTERM ends throws Error.
/// @throws Error for less than two classes, no samples, or a loss that is no longer finite.
template <class Make>
SkeletonClassifier<> fine_tune(const models::SkeletonEncoder<>& encoder, Index classes, Index samples,
                               Make&& make, const FineTuneOptions& o = {}) {
  Rng rng(o.seed);
  SkeletonClassifier<> model = tunable(encoder, classes, rng, o);
  auto loader = fine_tune_loader<LabelledClips>(
      samples, [&](const data::BatchPlan& plan) { return make(plan); }, o);
  optim::AdamW<> optimizer(parameters(model), {.lr = o.lr, .weight_decay = o.weight_decay});
  Loop loop(model, optimizer, loader, rng, fine_tune_loop(loader, o));
  const auto r = loop.run([&](const LabelledClips& b, const Context& ctx) {
    return loss::cross_entropy(model(b.x, ctx, b.present), b.labels, {.label_smoothing = o.label_smoothing});
  });
  TMOR_CHECK(r.stopped_by == 0, "[fine_tune] stopped by signal ", r.stopped_by, " at step ", r.steps);
  loop.ema().swap();
  return model;
}

}  // namespace train
TMOR_END
