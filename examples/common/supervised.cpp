#include "common/supervised.hpp"

#include "common/device.hpp"
#include "common/encoder.hpp"
#include "common/pretrained.hpp"
#include "common/schedule.hpp"
#include "tmor/eval/features.hpp"
#include "tmor/io/file.hpp"

namespace task {

namespace {

/// A network that is trained, of one or of an ensemble.
struct Member {
  std::string name;
  InputOptions input;
  bool pretrained = false;  ///< from the model that `--init` names, not from scratch
  double lr = 0;            ///< highest learning rate
};

}  // namespace

Sides sides_of(const std::vector<Clip>& clips, double holdout) {
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

std::vector<const Clip*> part_of(const std::vector<const Clip*>& clips, Index classes, double part,
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

namespace {

/// The mean over views of the class probabilities, (N, classes).
Tensor<> class_probabilities(const Logits& logits, const std::vector<const Clip*>& clips,
                             const std::vector<View>& views, const InputOptions& in) {
  return over_views(clips, views, in, [&](const Batch& b) { return tmor::softmax(logits(b), -1); });
}

}  // namespace

void write_predictions(const std::string& path, const std::vector<const Clip*>& clips,
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

namespace {

Classifier new_classifier(Rng& rng, const ClipSet& set, const Training& o, const Member& m) {
  const Index joints = set.layout().size(), classes = std::ssize(set.classes);
  if (!m.pretrained)
    return Classifier(rng, encoder_config(o.size, joints, set.coordinates(), m.input, 0, o.dropout), classes);
  auto pretrained = load_pretrained(o.init).encoder;
  if (o.scratch) pretrained = tmor::models::SkeletonEncoder<>(rng, pretrained.config());
  return Classifier(rng, std::move(pretrained), o.dropout, classes);
}

/// Trains one network. @returns its class probabilities on the test side.
Tensor<> train_classifier(const ClipSet& set, const Sides& sides, const Training& o, const Member& member,
                          const std::string& out, Json& figures) {
  const InputOptions& in = member.input;
  Rng rng(o.common.seed);
  const Classifier model = new_classifier(rng, set, o, member);
  tmor::data::Loader<Batch> loader(
      std::ssize(sides.train),
      [&](const tmor::data::BatchPlan& plan) { return training_batch(sides.train, plan, in); },
      {.batch_size = o.batch,
       .drop_last = std::ssize(sides.train) > o.batch,
       .seed = o.common.seed,
       .workers = 1});
  Tensor<> probabilities;
  const auto result = learn_classes(
      o.common.device, model, loader, rng,
      {.loop = loop_options(o, loader, out, o.validate_every),
       .weight_decay = o.weight_decay,
       .label_smoothing = o.label_smoothing},
      [&](const Logits& logits) {
        if (o.holdout <= 0) return Json::object();  // the test side is looked at once, below
        const auto a = tmor::eval::accuracy(class_probabilities(logits, sides.test, {View{}}, in),
                                            labels_of(sides.test));
        return Json{{"holdout_top1", a.top1}};
      },
      [&](const Logits& logits) {
        probabilities = class_probabilities(logits, sides.test, test_views(in), in);
      });
  stop_if_interrupted(result);
  figures["parameters"] = tmor::parameter_count(model);
  figures["loss"] = result.loss;
  return probabilities;
}

}  // namespace

Json accuracy_json(const Tensor<>& scores, const std::vector<Index>& labels, tmor::EmptyClass empty) {
  const auto a = tmor::eval::accuracy(scores, labels);
  tmor::ConfusionMatrix m(scores.size(1));
  m.add(scores.to_vector(), labels);
  return {{"top1", a.top1},
          {"top5", a.top5},
          {"mean_class", tmor::mean_class_accuracy(m, empty)},
          {"errors", std::lround((1 - a.top1) * static_cast<double>(labels.size()))}};
}

std::string protocol_text(const ClipSet& set, const Training& o, const std::string& how) {
  return set.protocol + "; " + set.poses +
         (o.holdout > 0 ? "; measured on every n-th training clip, held out; " : "; ") + how;
}

namespace {

/// The networks that are trained: those of --stream; with --init the pre-trained one, whose streams are its
/// own, alone or, at a third of the learning rate, as one more of the ensemble.
std::vector<Member> members_of(const Training& o) {
  std::vector<Member> out;
  if (!o.init.empty())
    out.push_back({"pre-trained", fine_tuning_input(o.input, load_pretrained(o.init).input), true,
                   o.stream == "ensemble" ? o.lr / 3 : o.lr});
  if (o.init.empty() || o.stream == "ensemble") {
    for (const auto& [name, streams] : streams_of(o.stream)) {
      out.push_back({name, out.empty() ? o.input : out[0].input, false, o.lr});
      out.back().input.streams = streams;
    }
  } else if (o.stream != "early") {
    throw cli::UsageError("--stream " + o.stream + ": the model of --init has its own streams");
  }
  return out;
}

}  // namespace

Supervised train_supervised(const ClipSet& set, const Sides& sides, const Training& o,
                            const std::string& out) {
  const auto labels = labels_of(sides.test);
  const auto members = members_of(o);
  Tensor<> sum;
  Json each = Json::object(), r;
  for (const auto& member : members) {
    const std::string& name = member.name;
    Json figures;
    Training own = o;
    own.lr = member.lr;
    const auto scores = train_classifier(
        set, sides, own, member, out.empty() || members.size() == 1 ? out : out + "/" + name, figures);
    sum = sum.defined() ? sum + scores : scores;
    figures.update(accuracy_json(scores, labels, set.empty));
    if (members.size() > 1) {
      std::fprintf(stderr, "%s: %s\n", name.c_str(), tmor::io::json_text(figures).c_str());
      each[name] = figures;
    } else {
      r = figures;
    }
  }
  r.update(accuracy_json(sum, labels, set.empty));
  if (members.size() > 1) r["streams"] = each;
  return {r, sum * (1.0 / static_cast<double>(members.size()))};
}

std::string supervised_text(const Training& o) {
  return tmor::detail::cat(o.stream != "ensemble" ? "one model, probabilities averaged over "
                           : o.init.empty()
                               ? "joint, bone and motion networks, probabilities averaged over them and over "
                               : "pre-trained, joint, bone and motion networks, probabilities averaged over "
                                 "them and over ",
                           test_views(o.input).size(),
                           o.input.mirror > 0 ? " fixed views (4 crops x mirror)" : " fixed views (4 crops)");
}

Json run_supervised(const ClipSet& set, const Training& o, const std::string& out) {
  Sides sides = sides_of(set.clips, o.holdout);
  sides.train = part_of(sides.train, std::ssize(set.classes), o.part, o.common.seed);
  auto [r, probabilities] = train_supervised(set, sides, o, out);
  if (!o.predictions.empty()) write_predictions(o.predictions, sides.test, probabilities);
  r["n_train"] = sides.train.size();
  r["n_test"] = sides.test.size();
  r["seed"] = o.common.seed;
  r["init"] = o.init.empty() || o.scratch ? Json() : Json(o.init);
  r["part"] = o.part;
  r["protocol"] = protocol_text(set, o, supervised_text(o));
  return r;
}

}  // namespace task
