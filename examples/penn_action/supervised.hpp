#pragma once
/// Supervised classification of all 15 actions with the official split.

#include "network.hpp"
#include "settings.hpp"
#include "tmor/losses/cross_entropy.hpp"
#include "tmor/metrics/classification.hpp"
#include "tmor/optim/adamw.hpp"
#include "tmor/train/loop.hpp"

namespace penn {

using tmor::io::Json;

/// Training clips, and those the result is measured on: the official test side, or with `holdout` every n-th
/// training clip, for choosing settings without looking at the test side.
struct Sides {
  std::vector<const Clip*> train, test;
};
inline Sides sides_of(const std::vector<Clip>& clips, double holdout) {
  Sides s;
  const Index every = holdout > 0 ? std::max<Index>(2, static_cast<Index>(1 / holdout + 0.5)) : 0;
  Index n = 0;
  for (const Clip& c : clips) {
    if (c.train) {
      (every > 0 && n++ % every == 0 ? s.test : s.train).push_back(&c);
    } else if (every == 0) {
      s.test.push_back(&c);
    }
  }
  TMOR_CHECK(!s.train.empty() && !s.test.empty(), "the data hold ", s.train.size(), " clips to train on and ",
             s.test.size(), " to test on; both sides are needed");
  return s;
}

/// The mean over views of the class probabilities, (N, classes).
inline Tensor<> class_probabilities(const Classifier& model, const std::vector<const Clip*>& clips,
                                    const std::vector<View>& views, const InputOptions& in) {
  return over_views(clips, views, in,
                    [&](const Tensor<>& x) { return tmor::softmax(model(x, Context{}), -1); });
}

inline Json run_supervised(const std::vector<Clip>& clips, const Settings& o, const std::string& out) {
  const Sides sides = sides_of(clips, o.holdout);
  const Index classes = std::ssize(tmor::data::penn_actions());
  Rng rng(o.common.seed);
  Classifier model(rng, encoder_config(o.size, o.input, 0, o.dropout), classes);
  tmor::optim::AdamW<> optimizer(tmor::parameters(model), {.lr = o.lr, .weight_decay = o.weight_decay});
  tmor::data::Loader<Batch> loader(
      std::ssize(sides.train),
      [&](const tmor::data::BatchPlan& plan) { return training_batch(sides.train, plan, o.input); },
      {.batch_size = o.batch,
       .drop_last = std::ssize(sides.train) > o.batch,
       .seed = o.common.seed,
       .workers = 1});
  tmor::train::Loop loop(model, optimizer, loader, rng, loop_options(o, loader, out));

  const auto result = loop.run(
      [&](const Batch& b, const Context& ctx) {
        return tmor::loss::cross_entropy(model(b.x, ctx), b.labels, {.label_smoothing = o.label_smoothing});
      },
      [&] {
        if (o.holdout <= 0) return Json::object();  // the test side is looked at once, below
        const auto a = tmor::eval::accuracy(class_probabilities(model, sides.test, {View{}}, o.input),
                                            labels_of(sides.test));
        return Json{{"holdout_top1", a.top1}};
      });
  stop_if_interrupted(result);

  const tmor::optim::Ema<>::Use averaged(loop.ema());
  const auto scores = class_probabilities(model, sides.test, test_views(), o.input);
  const auto labels = labels_of(sides.test);
  const auto a = tmor::eval::accuracy(scores, labels);
  return {{"top1", a.top1},
          {"top5", a.top5},
          {"mean_class", a.mean_class},
          {"errors", std::lround((1 - a.top1) * static_cast<double>(labels.size()))},
          {"n_train", sides.train.size()},
          {"n_test", sides.test.size()},
          {"parameters", tmor::parameter_count(model)},
          {"loss", result.loss},
          {"seed", o.common.seed},
          {"protocol", tmor::detail::cat(
                           "Penn Action, manual 2-D poses (13 joints), ",
                           o.holdout > 0 ? "every n-th training clip held out" : "official train/test flags",
                           ", one model, probabilities averaged over ", test_views().size(),
                           " fixed views (4 crops x mirror)")}};
}

}  // namespace penn
