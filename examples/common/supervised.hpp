#pragma once
/// Classification of trimmed clips: train with labels, measure once.

#include "common/encoder.hpp"
#include "common/training.hpp"
#include "tmor/io/file.hpp"
#include "tmor/losses/cross_entropy.hpp"
#include "tmor/metrics/classification.hpp"
#include "tmor/optim/adamw.hpp"
#include "tmor/train/skeleton_model.hpp"

namespace task {

using tmor::io::Json;

/// The official split, or every n-th training clip set aside when choosing hyper-parameters.
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

/// A part of each class, one clip at least, drawn at random.
inline std::vector<const Clip*> part_of(const std::vector<const Clip*>& clips, Index classes, double part,
                                        std::uint64_t seed) {
  if (part >= 1) return clips;
  std::vector<std::vector<std::size_t>> of(static_cast<std::size_t>(classes));
  for (std::size_t i = 0; i < clips.size(); ++i) of[static_cast<std::size_t>(clips[i]->label)].push_back(i);
  Rng rng = Rng(seed).fork(0x9a27);
  std::vector<std::size_t> kept;
  for (auto& c : of) {
    const auto order = rng.permutation(std::ssize(c));
    const auto n = static_cast<Index>(std::ceil(part * static_cast<double>(c.size())));
    for (Index i = 0; i < n; ++i)
      kept.push_back(c[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])]);
  }
  std::sort(kept.begin(), kept.end());
  std::vector<const Clip*> out;
  for (const std::size_t i : kept) out.push_back(clips[i]);
  return out;
}

/// The mean over views of the class probabilities, (N, classes).
inline Tensor<> class_probabilities(const Classifier& model, const std::vector<const Clip*>& clips,
                                    const std::vector<View>& views, const InputOptions& in) {
  return over_views(clips, views, in, [&](const Batch& b) { return tmor::softmax(model(b, Context{}), -1); });
}

/// A line a clip: its id and the score of each class, blanks between.
inline void write_predictions(const std::string& path, const std::vector<const Clip*>& clips,
                              const Tensor<>& scores) {
  const std::vector<float> values = scores.to_vector();
  const std::size_t classes = static_cast<std::size_t>(scores.size(1));
  std::string text;
  for (std::size_t i = 0; i < clips.size(); ++i) {
    text += clips[i]->id;
    for (std::size_t c = 0; c < classes; ++c) text += tmor::detail::cat(' ', values[i * classes + c]);
    text += '\n';
  }
  tmor::io::write_atomic(path, text);
}

/// The streams of `--stream`, by name.
inline std::vector<std::pair<std::string, tmor::Streams>> streams_of(const std::string& name) {
  const std::vector<std::pair<std::string, tmor::Streams>> all{{"joint", {.bone = false, .motion = false}},
                                                               {"bone", {.joint = false, .motion = false}},
                                                               {"motion", {.joint = false, .bone = false}}};
  if (name == "early") return {{name, {.known = true}}};
  if (name == "ensemble") return all;
  for (const auto& s : all)
    if (s.first == name) return {s};
  tmor::detail::fail<tmor::Error>("no stream is named '", name, "'");
}

/// From scratch, or from the model that `--init` names.
inline Classifier new_classifier(Rng& rng, const ClipSet& set, const Training& o, const InputOptions& in) {
  const Index joints = set.layout().size(), classes = std::ssize(set.classes);
  if (o.init.empty())
    return Classifier(rng, encoder_config(o.size, joints, set.coordinates(), in, 0, o.dropout), classes);
  auto pretrained = tmor::train::load_skeleton_model(o.init);
  const auto have = pretrained.encoder.config();
  const Index channels = in.streams.channels(set.coordinates());
  TMOR_CHECK(tmor::models::joints_of(have) == joints && tmor::models::channels_of(have) == channels,
             "--init ", o.init, ": a model of ", tmor::models::joints_of(have), " joints and ",
             tmor::models::channels_of(have), " channels; these clips have ", joints, " joints, which make ",
             channels, " channels");
  if (o.scratch) pretrained.encoder = tmor::models::SkeletonEncoder<>(rng, have);
  return Classifier(rng, std::move(pretrained.encoder), o.dropout, classes);
}

/// Trains one network on `in.streams`. @returns its class probabilities on the test side.
inline Tensor<> train_classifier(const ClipSet& set, const Sides& sides, const Training& o,
                                 const InputOptions& in, const std::string& out, Json& figures) {
  Rng rng(o.common.seed);
  Classifier model = new_classifier(rng, set, o, in);
  tmor::optim::AdamW<> optimizer(tmor::parameters(model), {.lr = o.lr, .weight_decay = o.weight_decay});
  tmor::data::Loader<Batch> loader(
      std::ssize(sides.train),
      [&](const tmor::data::BatchPlan& plan) { return training_batch(sides.train, plan, in); },
      {.batch_size = o.batch,
       .drop_last = std::ssize(sides.train) > o.batch,
       .seed = o.common.seed,
       .workers = 1});
  tmor::train::Loop loop(model, optimizer, loader, rng, loop_options(o, loader, out, o.validate_every));

  const auto result = loop.run(
      [&](const Batch& b, const Context& ctx) {
        return tmor::loss::cross_entropy(model(b, ctx), b.labels, {.label_smoothing = o.label_smoothing});
      },
      [&] {
        if (o.holdout <= 0) return Json::object();  // the test side is looked at once, below
        const auto a =
            tmor::eval::accuracy(class_probabilities(model, sides.test, {View{}}, in), labels_of(sides.test));
        return Json{{"holdout_top1", a.top1}};
      });
  stop_if_interrupted(result);
  figures["parameters"] = tmor::parameter_count(model);
  figures["loss"] = result.loss;
  const tmor::optim::Ema<>::Use averaged(loop.ema());
  return class_probabilities(model, sides.test, test_views(), in);
}

inline Json accuracy_json(const Tensor<>& scores, const std::vector<Index>& labels) {
  const auto a = tmor::eval::accuracy(scores, labels);
  return {{"top1", a.top1},
          {"top5", a.top5},
          {"mean_class", a.mean_class},
          {"errors", std::lround((1 - a.top1) * static_cast<double>(labels.size()))}};
}

/// One network, or one for each stream of an ensemble.
inline Json run_supervised(const ClipSet& set, const Training& o, const std::string& out) {
  Sides sides = sides_of(set.clips, o.holdout);
  sides.train = part_of(sides.train, std::ssize(set.classes), o.part, o.common.seed);
  const auto labels = labels_of(sides.test);
  auto streams = streams_of(o.stream);
  InputOptions input = o.input;
  if (!o.init.empty()) {
    const auto given = input_from_json(tmor::train::load_skeleton_model(o.init).input, o.init + ": input");
    input.frames = given.frames;
    streams = {{"pre-trained", given.streams}};
  }
  Tensor<> sum;
  Json each = Json::object(), r;
  for (const auto& [name, stream] : streams) {
    InputOptions in = input;
    in.streams = stream;
    Json figures;
    const auto scores = train_classifier(
        set, sides, o, in, out.empty() || streams.size() == 1 ? out : out + "/" + name, figures);
    sum = sum.defined() ? sum + scores : scores;
    figures.update(accuracy_json(scores, labels));
    if (streams.size() > 1) {
      std::fprintf(stderr, "%s: %s\n", name.c_str(), tmor::io::json_text(figures).c_str());
      each[name] = figures;
    } else {
      r = figures;
    }
  }
  r.update(accuracy_json(sum, labels));
  if (streams.size() > 1) r["streams"] = each;
  if (!o.predictions.empty())
    write_predictions(o.predictions, sides.test, sum * (1.0 / static_cast<double>(streams.size())));
  r["n_train"] = sides.train.size();
  r["n_test"] = sides.test.size();
  r["seed"] = o.common.seed;
  r["init"] = o.init.empty() || o.scratch ? Json() : Json(o.init);
  r["part"] = o.part;
  r["protocol"] = tmor::detail::cat(
      set.name, ", ", set.poses, ", ", o.holdout > 0 ? "every n-th training clip held out" : set.split, ", ",
      streams.size() > 1 ? "joint, bone and motion networks, probabilities averaged over them and over "
                         : "one model, probabilities averaged over ",
      test_views().size(), " fixed views (4 crops x mirror)");
  return r;
}

}  // namespace task
