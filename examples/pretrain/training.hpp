#pragma once
/// The training runs: the three towers, or two of them, by contrast; and an encoder by labels to compare
/// with.

#include "common/encoder.hpp"
#include "common/evaluation.hpp"
#include "common/training.hpp"
#include "settings.hpp"
#include "tmor/losses/cross_entropy.hpp"
#include "tmor/nn/linear.hpp"
#include "tmor/optim/adamw.hpp"
#include "tmor/train/gradcache.hpp"

namespace pretrain {

using task::TriModel;
using tmor::Context;
using tmor::Rng;
using tmor::io::Json;

inline constexpr double kWarmUp = 0.15;  // of the run

/// What slots of an epoch hold, and randomness for each.
struct Drawn {
  std::vector<tmor::data::Triplet> triplets;
  std::vector<Index> kinds;
  std::vector<Rng> rngs;
};
inline Drawn draw(const task::Mixture& data, const tmor::data::BatchPlan& plan) {
  Drawn d;
  for (const Index i : plan.samples) {
    d.triplets.push_back(data.sample(i, plan.epoch));
    d.kinds.push_back(data.kind(i, plan.epoch));
    d.rngs.push_back(plan.rng(i));
  }
  return d;
}

inline tmor::data::LoaderOptions loader_options(const Settings& o) {
  return {.batch_size = o.batch, .drop_last = true, .seed = o.common.seed, .workers = 1};
}

/// The learned scales and the last loss of each part.
class PartsLog {
 public:
  void see(const tmor::models::TriLoss<>& l) { last_ = l; }
  Json operator()(const tmor::models::TriModal<>& net) const {
    Json j = Json::object();
    const auto part = [&](const char* name, const tmor::Tensor<>& loss, const tmor::models::PairScale<>& s) {
      if (loss.defined()) j[std::string("loss_") + name] = loss.item();
      if (s.log_scale.defined()) j[std::string("scale_") + name] = std::exp(s.log_scale.item());
    };
    part("sv", last_.skeleton_video, net.sv);
    part("st", last_.skeleton_text, net.st);
    part("vt", last_.video_text, net.vt);
    part("frame", last_.frame, net.frame);
    return j;
  }

 private:
  tmor::models::TriLoss<> last_;
};

inline bool in_chunks(const Settings& o) { return o.chunk > 0 && o.chunk < o.batch; }

/// The loss of a batch; with --chunk its gradient too, made chunk by chunk.
inline tmor::models::TriLoss<> loss_of(const tmor::models::TriModal<>& net, const tmor::models::TriBatch<>& b,
                                       const Settings& o, const Context& ctx) {
  if (!in_chunks(o)) return net.loss(b, ctx);
  const Index n = std::ssize(b.has_skeleton);
  return tmor::train::grad_cache(
      net, (n + o.chunk - 1) / o.chunk,
      [&](Index i) { return task::rows_of(b, i * o.chunk, std::min(o.chunk, n - i * o.chunk)); }, ctx);
}

/// Trains the towers of `m`, which end as their averages. `validate()` is called every --eval-every epochs.
template <class Validate>
void train_towers(TriModel& m, const task::Mixture& data, const Settings& o, const std::string& out,
                  Validate&& validate) {
  Rng rng(o.common.seed);
  tmor::data::Loader<task::TriSamples> loader(
      data.size(),
      [&](const tmor::data::BatchPlan& plan) {
        const Drawn d = draw(data, plan);
        return task::training_triplets(d.triplets, d.kinds, d.rngs, m);
      },
      loader_options(o));
  tmor::optim::AdamW<> optimizer(tmor::parameters(m), {.lr = o.lr, .weight_decay = o.weight_decay});
  PartsLog parts;
  auto options = task::loop_options(o, loader, out, o.eval_every, kWarmUp);
  options.log_every = 1;
  options.own_backward = in_chunks(o);
  options.extra = [&] { return parts(m.net); };
  tmor::train::Loop loop(m, optimizer, loader, rng, options);
  const auto result = loop.run(
      [&](const task::TriSamples& s, const Context& ctx) {
        m.net.limit_scales_();
        const auto loss = loss_of(m.net, s.batch, o, ctx);
        parts.see(loss);
        if (!tmor::is_finite(loss.total.item())) {
          std::string ids;
          for (const auto& id : s.ids) ids += (ids.empty() ? "" : " ") + id;
          std::fprintf(stderr, "the loss is not finite for the batch of %s\n", ids.c_str());
        }
        return loss.total;
      },
      validate);
  task::stop_if_interrupted(result);
  loop.ema().swap();
  m.net.limit_scales_();
}

/// The same encoder trained with action labels on the generated clips, for as many steps.
inline tmor::models::SkeletonEncoder<> train_supervised(const task::Source& data, const Settings& o,
                                                        const tmor::models::SkeletonConfig& config,
                                                        const std::string& out) {
  Rng rng(o.common.seed);
  task::Classifier model(rng, config, tmor::data::synth::kTrainedActions);
  const task::Mixture mixture({data});
  tmor::data::Loader<task::Batch> loader(
      mixture.size(),
      [&](const tmor::data::BatchPlan& plan) {
        const Drawn d = draw(mixture, plan);
        std::vector<tmor::SkeletonSequence> clips;
        std::vector<Index> labels;
        for (std::size_t i = 0; i < d.triplets.size(); ++i) {
          Rng r = d.rngs[i];
          clips.push_back(task::augmented(task::prepare(d.triplets[i].skeleton, o.input), o.input, 0.5, r));
          labels.push_back(d.triplets[i].action);
        }
        return task::make_batch(clips, labels, o.input.streams);
      },
      loader_options(o));
  tmor::optim::AdamW<> optimizer(tmor::parameters(model), {.lr = o.lr, .weight_decay = o.weight_decay});
  tmor::train::Loop loop(model, optimizer, loader, rng, task::loop_options(o, loader, out, 0, kWarmUp));
  task::stop_if_interrupted(loop.run([&](const task::Batch& b, const Context& ctx) {
    return tmor::loss::cross_entropy(model(b.x, ctx, b.present), b.labels, {.label_smoothing = 0.1});
  }));
  loop.ema().swap();
  return model.encoder;
}

}  // namespace pretrain
