#include "common/evaluation.hpp"

#include <cmath>

#include "common/device.hpp"
#include "common/probes.hpp"
#include "common/schedule.hpp"
#include "tmor/eval/detection.hpp"
#include "tmor/eval/retrieval.hpp"
#include "tmor/eval/zero_shot.hpp"
#include "tmor/metrics/classification.hpp"
#include "tmor/train/fine_tune.hpp"

namespace task {

namespace {

/// f(batch) over clips in pieces, stacked.
Tensor<> in_pieces(const std::vector<tmor::SkeletonSequence>& clips, const InputOptions& in,
                   const std::function<Tensor<>(const Batch&)>& f) {
  tmor::NoGrad guard;
  constexpr std::size_t at_once = 64;
  std::vector<Tensor<>> rows;
  for (std::size_t i = 0; i < clips.size(); i += at_once)
    rows.push_back(
        f(skeleton_batch({clips.begin() + static_cast<std::ptrdiff_t>(i),
                          clips.begin() + static_cast<std::ptrdiff_t>(std::min(clips.size(), i + at_once))},
                         in)));
  return tmor::concat(rows, 0);
}

tmor::eval::Features features(const Candidate& m, const Encode& encode, const EvalClips& clips,
                              const std::vector<Index>& labels, Index first, Index classes) {
  auto in = m.input;
  if (!m.encoder) in.streams = {.bone = false, .motion = false};
  tmor::eval::Features f{
      in_pieces(clips.skeletons(), in,
                [&](const Batch& b) { return encode ? encode(b).pooled : tmor::flatten(b.x, 1, -1); }),
      {},
      classes};
  for (const Index y : labels) f.y.push_back(y - first);
  return f;
}

Json few_shot_json(const tmor::eval::FewShotResult& r, double chance) {
  Json j{{"protocol", r.protocol}, {"chance", chance}};
  for (const auto& p : r.points)
    j[std::to_string(p.shots)] = {{"mean", p.top1_mean()}, {"std", p.top1_std()}, {"seeds", p.top1.size()}};
  return j;
}

Json zero_shot_json(const tmor::eval::ZeroShotResult& r, Index classes, Index n) {
  const double p = r.test.top1;
  return {{"top1", p},
          {"chance", 1.0 / static_cast<double>(classes)},
          {"stderr", std::sqrt(p * (1 - p) / static_cast<double>(n))},
          {"n", n},
          {"protocol", r.protocol}};
}

Json no_tower(const std::string& why) { return {{"top1", nullptr}, {"reason", why}}; }

}  // namespace

Tensor<> embed_prompts(const TriModel& m, const std::vector<Index>& classes,
                       const std::function<std::vector<std::string>(Index)>& prompts) {
  std::vector<std::vector<std::string>> texts;
  for (const Index c : classes) texts.push_back(prompts(c));
  return embed_classes(texts, m.bpe, m.net.text->config.context,
                       [&](const tmor::models::TextBatch<>& t) { return m.net.embed_texts(t, Context{}); });
}

Tensor<> embed_skeletons(const Encode& encode, const InputOptions& in,
                         const std::vector<tmor::SkeletonSequence>& clips) {
  return in_pieces(clips, in, [&](const Batch& b) { return tmor::l2_normalize(encode(b).embed); });
}

std::vector<Index> range(Index begin, Index end) {
  std::vector<Index> r;
  for (Index i = begin; i < end; ++i) r.push_back(i);
  return r;
}

namespace {

/// Zero-shot: unseen actions among one another, unseen combinations among one another and among all
/// combinations of the trained actions.
Json zero_shot_section(const TriModel& m, const Encode& encode, const EvalSet& set, EvalDetails* details) {
  namespace synth = tmor::data::synth;
  const Index trained = synth::kTrainedActions, actions = synth::kActions;
  Json j = Json::object();
  tmor::eval::Features f{
      embed_skeletons(encode, m.input, set.action_test.skeletons()), {}, actions - trained};
  for (const Index y : set.action_test.actions) f.y.push_back(y - trained);
  const auto r = tmor::eval::zero_shot(f, embed_prompts(m, range(trained, actions), synth::prompts),
                                       "fixed prompts of actions never trained on");
  j["unseen_actions"] = zero_shot_json(r, f.classes, f.size());
  if (details) details->unseen_scores = r.scores;

  const auto x = embed_skeletons(encode, m.input, set.combinations.skeletons());
  const auto among = [&](const std::vector<Index>& classes, const char* text) {
    tmor::eval::Features g{x, {}, std::ssize(classes)};
    for (const Index y : set.combinations.combinations)
      g.y.push_back(std::find(classes.begin(), classes.end(), y) - classes.begin());
    const auto z = tmor::eval::zero_shot(g, embed_prompts(m, classes, synth::combination_prompts), text);
    return zero_shot_json(z, g.classes, g.size());
  };
  std::vector<Index> all;
  for (Index c = 0; c < std::ssize(synth::combinations()); ++c)
    if (static_cast<Index>(synth::combinations()[static_cast<std::size_t>(c)].action) < trained)
      all.push_back(c);
  j["unseen_combinations"] =
      among(all,
            "prompts of all combinations of action and side of the trained actions, those of the clips never "
            "trained on");
  j["unseen_combinations_alone"] =
      among(synth::held_out_combinations(), "prompts of the combinations never trained on alone");
  return j;
}

}  // namespace

Json retrieval_section(const TriModel& m, const Encode& encode, const std::string& device, const EvalSet& set,
                       EvalDetails* details) {
  const tmor::NoGrad guard;
  const Index n = std::min(set.sizes.retrieval, set.bodies.size());
  std::vector<tmor::SkeletonSequence> skeletons;
  std::vector<std::string> texts;
  std::vector<Index> group;
  for (Index i = 0; i < n; ++i) {
    const auto& t = set.bodies.triplets[static_cast<std::size_t>(i)];
    skeletons.push_back(t.skeleton);
    texts.push_back(t.texts.front());
    group.push_back(std::find(texts.begin(), texts.end(), texts.back()) - texts.begin());
  }
  std::vector<Tensor<>> videos;
  const bool sees =
      m.net.video && m.net.config.video->features == 0;  // generated clips have no stored features
  const Watch watch = sees && n > 0 ? videos_on(device, *m.net.video) : Watch{};
  for (Index i = 0; sees && i < n; i += 64) {
    std::vector<const std::vector<tmor::io::Pixels>*> some;
    for (Index k = i; k < std::min(n, i + 64); ++k)
      some.push_back(&set.bodies.triplets[static_cast<std::size_t>(k)].video);
    videos.push_back(watch(frames_of(some, *m.net.config.video)));
  }
  const auto s = embed_skeletons(encode, m.input, skeletons);
  const auto v = videos.empty() ? Tensor<>() : tmor::concat(videos, 0);
  const auto t = m.net.text
                     ? m.net.embed_texts(tokens_of(texts, m.bpe, m.net.text->config.context), Context{})
                     : Tensor<>();
  const auto r = tmor::eval::tri_modal_retrieval(s, v, t, group);
  Json j{{"protocol", r.protocol + "; generated clips of unseen bodies and cameras, a group is one caption"}};
  for (const char* direction : kDirections) {
    const auto* f = r.find(direction);
    j[direction] =
        f ? Json{{"r1", f->r1},           {"r5", f->r5},
                 {"r10", f->r10},         {"median_rank", f->median_rank},
                 {"queries", f->queries}, {"chance", f->chance_r1}}
          : Json{{"r1", nullptr},
                 {"reason", m.net.video && !sees
                                ? "the video tower reads stored features, which generated clips lack"
                                : "the model has no such tower"}};
  }
  if (details && t.defined()) details->skeleton_to_text = tmor::matmul(s, tmor::transpose(t));
  return j;
}

namespace {

/// Frame tokens of long sequences, which the encoder reads whole at the rate it was trained at.
std::vector<tmor::eval::DetectionSequence> token_sequences(const Candidate& m, const Encode& encode,
                                                           const EvalClips& clips, bool embedded) {
  const tmor::NoGrad guard;
  std::vector<tmor::eval::DetectionSequence> out;
  for (const auto& t : clips.triplets) {
    auto in = m.input;
    in.frames = t.skeleton.frames * m.input.frames / kClipFrames;
    const auto b = skeleton_batch({t.skeleton}, in);
    const auto f = encode(b);
    const auto tokens = tmor::reshape(f.tokens, {f.tokens.size(1), f.tokens.size(2)});
    tmor::Timeline truth{t.id, static_cast<double>(t.skeleton.frames), {}};
    for (const auto& s : t.segments)
      truth.spans.push_back({s.action, static_cast<double>(s.begin), static_cast<double>(s.end)});
    out.push_back({embedded ? m.encoder->project()(tokens) : tokens, truth});
  }
  return out;
}

/// Frame-wise detection: a head on frozen tokens, and by the texts of the actions alone.
Json detection_section(const Candidate& m, const Encode& encode, const EvalSet& set, EvalDetails* details) {
  namespace synth = tmor::data::synth;
  if (!m.encoder) return {{"map", nullptr}, {"reason", "coordinates have no frame tokens"}};
  const auto test = token_sequences(m, encode, set.test_sequences, false);
  const auto r =
      tmor::eval::detection(token_sequences(m, encode, set.sequences, false), test, synth::kTrainedActions,
                            {.head = tmor::models::TcnConfig{.width = 128},
                             .epochs = 30,
                             .policies = {"all-steps"},
                             .train = trainer_on(m.device)});
  Json j{{"map", r.maps[0].map},
         {"chance", r.maps[0].chance},
         {"protocol", r.protocol + "; " + r.maps[0].protocol}};
  if (m.towers && m.towers->net.text) {
    const auto z = tmor::eval::zero_shot_detection(
        token_sequences(m, encode, set.test_sequences, true),
        embed_prompts(*m.towers, range(0, synth::kTrainedActions), synth::prompts), {"all-steps"},
        "fixed prompts");
    j["zero_shot"] = {{"map", z.maps[0].map}, {"chance", z.maps[0].chance}, {"protocol", z.protocol}};
  } else {
    j["zero_shot"] = {{"map", nullptr}, {"reason", "the model has no text tower"}};
  }
  if (details) details->detection = r.scores;
  return j;
}

/// Linear probe on the trained actions and few-shot on unseen ones, encoder frozen in evaluation mode.
void probe_sections(const Candidate& m, const Encode& encode, const EvalSet& set, Json& j,
                    EvalDetails* details) {
  namespace synth = tmor::data::synth;
  const Index trained = synth::kTrainedActions, unseen = synth::kActions - trained;
  const auto train = features(m, encode, set.train, set.train.actions, 0, trained),
             test = features(m, encode, set.bodies, set.bodies.actions, 0, trained),
             shots = features(m, encode, set.action_shots, set.action_shots.actions, trained, unseen),
             unseen_test = features(m, encode, set.action_test, set.action_test.actions, trained, unseen);
  const double chance = 1.0 / static_cast<double>(trained);
  if (m.encoder) {
    const auto r = tmor::eval::linear_probe(train, test);
    j["linear"] = {{"top1", r.test.top1},
                   {"mean_class", r.test.mean_class},
                   {"chance", chance},
                   {"protocol", r.protocol + "; trained actions, unseen bodies and cameras"}};
    if (details) details->bodies_scores = r.model.scores(test.x);
    j["few_shot"] =
        few_shot_json(tmor::eval::few_shot(shots, unseen_test), 1.0 / static_cast<double>(unseen));
  } else {
    const auto r = nearest(train, test);
    j["linear"] = {{"top1", r.top1},
                   {"chance", chance},
                   {"protocol",
                    "1-NN (L2) on normalised coordinates in place of a linear probe; trained actions, "
                    "unseen bodies and cameras"}};
    j["few_shot"] = few_shot_json(nearest_few_shot(shots, unseen_test), 1.0 / static_cast<double>(unseen));
  }
}

/// The encoder trained further with the labels of the trained actions' clips.
Json fine_tune_section(const Candidate& m, const EvalSet& set) {
  namespace synth = tmor::data::synth;
  if (!m.encoder) return no_tower("coordinates have no encoder to train");
  std::vector<tmor::SkeletonSequence> skeletons;
  for (const auto& t : set.train.triplets) skeletons.push_back(prepare(t.skeleton, m.input));
  const auto batch_of = [&](const tmor::data::BatchPlan& plan) {
    std::vector<tmor::SkeletonSequence> clips;
    std::vector<Index> labels;
    for (const Index i : plan.samples) {
      Rng rng = plan.rng(i);
      clips.push_back(augmented(skeletons[static_cast<std::size_t>(i)], m.input, 0, rng));
      labels.push_back(set.train.actions[static_cast<std::size_t>(i)]);
    }
    return make_batch(clips, labels, m.input.streams);
  };
  const tmor::train::FineTuneOptions o{.epochs = 5, .batch = 64, .quiet = true};
  Rng rng(o.seed);
  const Classifier model = tmor::train::tunable(*m.encoder, synth::kTrainedActions, rng, o);
  auto loader = tmor::train::fine_tune_loader<Batch>(std::ssize(skeletons), batch_of, o);
  Tensor<> scores;
  stop_if_interrupted(learn_classes(
      m.device, model, loader, rng,
      {.loop = tmor::train::fine_tune_loop(loader, o),
       .weight_decay = o.weight_decay,
       .label_smoothing = o.label_smoothing},
      [](const Logits&) { return Json::object(); },
      [&](const Logits& logits) { scores = in_pieces(set.bodies.skeletons(), m.input, logits); }));
  const auto a = tmor::eval::accuracy(scores, set.bodies.actions);
  return {{"top1", a.top1},
          {"mean_class", a.mean_class},
          {"chance", 1.0 / static_cast<double>(synth::kTrainedActions)},
          {"protocol", tmor::detail::cat("fine-tuning: the whole encoder and a linear layer trained on ",
                                         skeletons.size(), " labelled clips, ", o.epochs,
                                         " epochs; trained actions, unseen bodies and cameras")}};
}

}  // namespace

Json evaluate(const Candidate& m, const EvalSet& set, EvalDetails* details) {
  Json j = Json::object();
  const Encode encode = m.encoder ? encoder_on(m.device, *m.encoder) : Encode{};
  probe_sections(m, encode, set, j, details);
  j["fine_tune"] = fine_tune_section(m, set);
  j["detection"] = detection_section(m, encode, set, details);
  if (m.towers && m.towers->net.text) {
    j["zero_shot"] = zero_shot_section(*m.towers, encode, set, details);
    j["retrieval"] = retrieval_section(*m.towers, encode, m.device, set, details);
  } else {
    const auto none = no_tower("the model has no text tower");
    j["zero_shot"] = {
        {"unseen_actions", none}, {"unseen_combinations", none}, {"unseen_combinations_alone", none}};
    for (const char* k : kDirections)
      j["retrieval"][k] = {{"r1", nullptr}, {"reason", "the model has a skeleton tower alone"}};
  }
  return j;
}

}  // namespace task
