#pragma once
/// The training runs: the three towers, or two of them, by contrast; and an encoder by labels to compare
/// with.

#include "common/encoder.hpp"
#include "common/evaluation.hpp"
#include "common/schedule.hpp"
#include "common/training.hpp"
#include "settings.hpp"

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
  auto options = task::loop_options(o, loader, out, o.eval_every, kWarmUp);
  options.log_every = 1;
  task::stop_if_interrupted(task::learn_towers(
      o.common.device, m.net, loader, rng,
      {.loop = options, .weight_decay = o.weight_decay, .chunk = o.chunk < o.batch ? o.chunk : 0}, validate));
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
  task::stop_if_interrupted(task::learn_classes(
      o.common.device, model, loader, rng,
      {.loop = task::loop_options(o, loader, out, 0, kWarmUp),
       .weight_decay = o.weight_decay,
       .label_smoothing = 0.1},
      [](const task::Logits&) { return Json::object(); }, [](const task::Logits&) {}));
  return model.encoder;
}

}  // namespace pretrain
