#pragma once
/// Training against captions on ten actions, then looking at skeletons alone: prompts of the seen actions,
/// and zero-shot, few-shot and a linear probe on the five actions never trained on.

#include <array>
#include <set>

#include "common/device.hpp"
#include "common/encoder.hpp"
#include "common/probes.hpp"
#include "common/schedule.hpp"
#include "common/supervised.hpp"
#include "common/texts.hpp"
#include "settings.hpp"
#include "tmor/data/penn_action.hpp"
#include "tmor/eval/zero_shot.hpp"
#include "tmor/text/prompt_file.hpp"
#include "tmor/train/skeleton_model.hpp"

namespace penn {

using task::Clip;
using task::over_views;
using task::test_views;
using tmor::Context;
using tmor::Index;
using tmor::Rng;
using tmor::Tensor;
using tmor::io::Json;

/// The unseen actions of the three fixed splits.
inline const std::array<std::vector<std::string>, 3>& unseen_actions() {
  static const std::array<std::vector<std::string>, 3> s{
      {{"baseball_swing", "pullup", "squat", "tennis_serve", "situp"},
       {"golf_swing", "bench_press", "jump_rope", "tennis_forehand", "bowl"},
       {"pushup", "clean_and_jerk", "baseball_pitch", "strum_guitar", "jumping_jacks"}}};
  return s;
}

/// Clips of one split. Labels keep their place in the full list of actions.
struct Split {
  std::vector<Index> seen, unseen;  ///< labels
  std::vector<const Clip*> seen_train, seen_test, unseen_train, unseen_test;
};
/// With `holdout`, a part of the training clips stands in for the test side.
inline Split make_split(const std::vector<Clip>& clips, std::size_t number, double holdout) {
  const auto& names = tmor::data::penn_actions();
  const auto& hidden = unseen_actions()[number];
  Split s;
  std::set<Index> is_unseen;
  for (Index c = 0; c < std::ssize(names); ++c) {
    const bool u =
        std::find(hidden.begin(), hidden.end(), names[static_cast<std::size_t>(c)]) != hidden.end();
    (u ? s.unseen : s.seen).push_back(c);
    if (u) is_unseen.insert(c);
  }
  const task::Sides sides = task::sides_of(clips, holdout);
  const auto deal = [&](const std::vector<const Clip*>& from, auto& unseen, auto& seen) {
    for (const Clip* c : from) (is_unseen.count(c->label) > 0 ? unseen : seen).push_back(c);
  };
  deal(sides.train, s.unseen_train, s.seen_train);
  deal(sides.test, s.unseen_test, s.seen_test);
  TMOR_CHECK(
      !s.seen_train.empty() && !s.seen_test.empty() && !s.unseen_train.empty() && !s.unseen_test.empty(),
      "split ", number, " lacks clips on one of its sides; give the whole data set, or more of it");
  return s;
}

/// Unit embeddings of the classes `labels`, each from all its prompts.
inline Tensor<> embed_classes(const tmor::models::SkeletonText<>& model, const tmor::PromptBook& book,
                              const tmor::BpeTokenizer& bpe, const std::vector<Index>& labels) {
  std::vector<std::vector<std::string>> prompts;
  for (const Index c : labels)
    prompts.push_back(
        tmor::all_prompts(book, book.find(tmor::data::penn_actions()[static_cast<std::size_t>(c)])));
  return task::embed_classes(
      prompts, bpe, model.text.config.context,
      [&](const tmor::models::TextBatch<>& t) { return model.embed_texts(t, Context{}); });
}

/// Features of clips whose labels are renumbered by their place in `classes`.
inline tmor::eval::Features features_of(const Tensor<>& x, const std::vector<const Clip*>& clips,
                                        const std::vector<Index>& classes) {
  tmor::eval::Features f{x, {}, std::ssize(classes)};
  for (const Clip* c : clips)
    f.y.push_back(std::find(classes.begin(), classes.end(), c->label) - classes.begin());
  return f;
}

/// What one encoder, or the coordinates, give on the unseen actions.
struct FrozenResult {
  double linear = 0;
  std::vector<tmor::eval::FewShotPoint> few_shot;
};

/// Frozen features of the unseen actions' clips: `pooled` (width) of each clip, and behind it its frame
/// tokens in their order. `train`: under each view; `test`: the mean over them. The linear layer reads all,
/// fitted to each view of a training clip; few-shot has too few clips for that and reads the pooled means.
inline FrozenResult probe(const std::vector<tmor::eval::Features>& train, const tmor::eval::Features& test,
                          Index width, std::uint64_t seed) {
  const auto pooled = [&](const Tensor<>& x, const tmor::eval::Features& of) {
    return tmor::eval::Features{tmor::narrow(x, 1, 0, width), of.y, of.classes};
  };
  tmor::eval::Features all{{}, {}, test.classes};
  std::vector<Tensor<>> x;
  std::vector<Index> clip;
  for (const auto& view : train) {
    x.push_back(view.x);
    all.y.insert(all.y.end(), view.y.begin(), view.y.end());
    for (Index i = 0; i < view.size(); ++i) clip.push_back(i);
  }
  all.x = tmor::concat(x, 0);
  return {tmor::eval::linear_probe(all, test, {.seed = seed}, clip).test.top1,
          tmor::eval::few_shot(pooled(tmor::mean(tmor::stack(x, 0), {0}), train[0]), pooled(test.x, test),
                               {.seeds = 5, .seed = seed})
              .points};
}

/// One nearest neighbour in place of a fitted classifier.
inline FrozenResult probe_nearest(const tmor::eval::Features& train, const tmor::eval::Features& test,
                                  std::uint64_t seed) {
  return {task::nearest(train, test).top1, task::nearest_few_shot(train, test, seed).points};
}

/// Figures of all splits and runs, gathered.
struct Gathered {
  std::vector<double> linear;
  std::vector<std::pair<Index, std::vector<double>>> shots;

  void add(const FrozenResult& r) {
    linear.push_back(r.linear);
    shots.resize(r.few_shot.size());
    for (std::size_t i = 0; i < shots.size(); ++i) {
      shots[i].first = r.few_shot[i].shots;
      shots[i].second.insert(shots[i].second.end(), r.few_shot[i].top1.begin(), r.few_shot[i].top1.end());
    }
  }
};
inline Json mean_and_error(const std::vector<double>& v) {
  return {{"top1", tmor::mean(v)},
          {"stderr", v.size() < 2 ? Json() : Json(tmor::standard_error(v))},
          {"runs", v.size()}};
}
inline Json to_json(const Gathered& g) {
  Json shots = Json::object();
  for (const auto& [k, v] : g.shots)
    shots[std::to_string(k)] = {{"mean", tmor::mean(v)}, {"std", tmor::standard_deviation(v)}};
  return {{"linear", mean_and_error(g.linear)}, {"few_shot", shots}};
}

inline Json run_contrastive(const std::vector<Clip>& clips, const Settings& o, const std::string& out) {
  const tmor::PromptBook book = tmor::read_prompt_book(o.captions);
  Gathered trained, untrained, pretrained, coordinates;
  std::optional<tmor::models::UnikConfig> given;
  task::InputOptions input = o.input;
  if (!o.init.empty()) {
    const auto m = tmor::train::load_skeleton_model(o.init);
    const auto config = m.encoder.config();
    TMOR_CHECK(std::holds_alternative<tmor::models::UnikConfig>(config), "--init ", o.init, ": a ",
               tmor::models::name_of(config), " encoder; this program has a unik one");
    given = std::get<tmor::models::UnikConfig>(config);
    const auto made = task::input_from_json(m.input, o.init + ": input");
    input.frames = made.frames;
    input.streams = made.streams;
    TMOR_CHECK(given->joints == 13 && given->in_channels == input.streams.channels(2), "--init ", o.init,
               ": a model of ", given->joints, " joints and ", given->in_channels,
               " channels; Penn Action has 13 joints of 2 coordinates (pretrain --layout penn13)");
    given->dropout = o.dropout;
  }
  std::vector<double> prompt_seen, zero_shot;
  Index parameters = 0;
  for (std::size_t number = 0; number < unseen_actions().size(); ++number) {
    if (o.split != "all" && o.split != std::to_string(number)) continue;
    const Split split = make_split(clips, number, o.holdout);
    // The tokenizer has seen what is said of the seen actions, nothing else.
    std::vector<std::string> corpus;
    for (const Index c : split.seen) {
      const auto prompts =
          tmor::all_prompts(book, book.find(tmor::data::penn_actions()[static_cast<std::size_t>(c)]));
      corpus.insert(corpus.end(), prompts.begin(), prompts.end());
    }
    const auto bpe = tmor::BpeTokenizer::train(corpus, 600, 2);
    for (Index run = 0; run < o.runs; ++run) {
      const std::uint64_t seed = o.common.seed + static_cast<std::uint64_t>(run);
      Rng rng(seed);
      const tmor::models::CausalTextConfig text{.vocab = bpe.vocab_size(),
                                                .context = 48,
                                                .width = 128,
                                                .depth = 2,
                                                .heads = 4,
                                                .embed = given ? given->embed : 256,
                                                .dropout = 0.1};
      task::CaptionTowers<> towers(
          rng, given ? *given : task::encoder_config(o.size, 13, 2, input, text.embed, o.dropout), text,
          o.instance > 0);
      auto& model = towers.pair;
      parameters = tmor::parameter_count(model);

      auto unseen = [&](bool train_side, auto&& features) {
        const auto& which = train_side ? split.unseen_train : split.unseen_test;
        return features_of(features(which), which, split.unseen);
      };
      auto frozen = [&] {
        const auto encode = task::encoder_on(o.common.device, model.skeleton);
        auto under = [&](bool train_side, const std::vector<task::View>& views) {
          return unseen(train_side, [&](const std::vector<const Clip*>& which) {
            return over_views(which, views, input, [&](const task::Batch& b) {
              const auto f = encode(b);
              return tmor::concat({f.pooled, tmor::flatten(f.tokens, 1, -1)}, 1);
            });
          });
        };
        std::vector<tmor::eval::Features> train;
        for (const auto& view : test_views(input)) train.push_back(under(true, {view}));
        return probe(train, under(false, test_views(input)), model.skeleton.config.width(), seed);
      };
      untrained.add(frozen());
      coordinates.add(probe_nearest(unseen(true, task::coordinate_features),
                                    unseen(false, task::coordinate_features), seed));

      if (given) {
        model.skeleton = std::get<tmor::models::Unik<>>(tmor::train::load_skeleton_model(o.init).encoder.net);
        model.skeleton.config.dropout = model.skeleton.head.drop.p = o.dropout;
        pretrained.add(frozen());
      }

      tmor::data::Loader<task::CaptionedBatch> loader(
          std::ssize(split.seen_train),
          [&](const tmor::data::BatchPlan& plan) {
            task::CaptionedBatch b{task::training_batch(split.seen_train, plan, input), {}, {}};
            if (o.instance > 0) {
              auto other = plan;
              other.seed ^= 0x5eed;
              b.again = task::training_batch(split.seen_train, other, input);
            }
            std::vector<std::string> captions;
            for (const Index i : plan.samples) {
              Rng draw = plan.rng(i).fork(1);
              const auto& action = tmor::data::penn_actions()[static_cast<std::size_t>(
                  split.seen_train[static_cast<std::size_t>(i)]->label)];
              captions.push_back(tmor::random_prompt(book, book.find(action), draw, o.describe));
            }
            b.captions = task::tokens_of(captions, bpe, text.context);
            return b;
          },
          {.batch_size = o.batch, .drop_last = true, .seed = seed, .workers = 1});
      const std::string folder =
          out.empty() ? out : tmor::detail::cat(out, "/split", number, "-seed", static_cast<Index>(seed));
      std::fprintf(stderr, "split %zu, seed %llu\n", number, static_cast<unsigned long long>(seed));
      task::stop_if_interrupted(task::learn_captions(o.common.device, towers, loader, rng,
                                                     {.loop = task::loop_options(o, loader, folder, 0),
                                                      .weight_decay = o.weight_decay,
                                                      .instance = o.instance}));

      auto embedded = [&](const std::vector<const Clip*>& which) {
        const auto encode = task::encoder_on(o.common.device, model.skeleton);
        return over_views(which, test_views(input), input,
                          [&](const task::Batch& b) { return tmor::l2_normalize(encode(b).embed); });
      };
      auto by_prompts = [&](const std::vector<const Clip*>& which, const std::vector<Index>& classes) {
        return tmor::eval::zero_shot(features_of(embedded(which), which, classes),
                                     embed_classes(model, book, bpe, classes))
            .test.top1;
      };
      if (!folder.empty()) {
        std::vector<Index> every = split.seen;
        every.insert(every.end(), split.unseen.begin(), split.unseen.end());
        tmor::train::SkeletonModel exported{
            model.skeleton, {}, embed_classes(model, book, bpe, every), task::to_json(input)};
        for (const Index c : every)
          exported.classes.push_back(tmor::data::penn_actions()[static_cast<std::size_t>(c)]);
        tmor::train::save_skeleton_model(folder + "/skeleton.safetensors", exported);
      }
      prompt_seen.push_back(by_prompts(split.seen_test, split.seen));
      zero_shot.push_back(by_prompts(split.unseen_test, split.unseen));
      trained.add(frozen());
      std::fprintf(stderr, "prompt_seen %.3f, zero-shot %.3f, linear %.3f\n", prompt_seen.back(),
                   zero_shot.back(), trained.linear.back());
    }
  }
  Json r = to_json(trained);
  r["prompt_seen"] = mean_and_error(prompt_seen);
  r["zero_shot"] = {{"unseen", mean_and_error(zero_shot)}, {"chance", 0.2}};
  r["baselines"] = {{"untrained", to_json(untrained)}, {"nearest_neighbour", to_json(coordinates)}};
  if (given) r["baselines"]["pretrained"] = to_json(pretrained);
  r["init"] = o.init.empty() ? Json() : Json(o.init);
  r["parameters"] = parameters;
  r["seed"] = o.common.seed;
  r["protocol"] =
      "Penn Action, manual 2-D poses; trained on the training clips and captions of 10 actions, 5 unseen, "
      "fixed splits; test clips of the official test flag, seen by their skeletons alone, averaged over 8 "
      "fixed views; linear: logistic regression on frozen pooled features and frame tokens of the unseen "
      "actions' training clips under each of those views; few-shot: on their pooled means, 5 draws; "
      "nearest_neighbour: 1-NN (L2) on normalised coordinates of the same clips; untrained: the encoder "
      "as initialised";
  return r;
}

}  // namespace penn
