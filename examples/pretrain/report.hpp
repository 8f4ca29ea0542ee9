#pragma once
/// The run as one HTML page.

#include <cstdio>

#include "common/evaluation.hpp"
#include "settings.hpp"
#include "tmor/report/report.hpp"
#include "tmor/report/tsne.hpp"

namespace pretrain {

using task::TriModel;
using tmor::io::Json;
namespace report = tmor::report;

/// The models compared, in the order of the tables: title, and where their figures are.
inline std::vector<std::pair<std::string, const Json*>> models_of(const Json& r) {
  std::vector<std::pair<std::string, const Json*>> m{{"tri-modal", &r}};
  for (const auto& [key, title] : {std::pair{"skeleton_text", "skeleton–text"},
                                   {"supervised", "supervised"},
                                   {"untrained", "untrained"},
                                   {"nearest_neighbour", "1-NN on coordinates"}})
    if (r["comparisons"].contains(key)) m.emplace_back(title, &r["comparisons"][key]);
  return m;
}

/// A figure that may be null with a reason.
inline report::Cell cell(const Json& section, const char* key) {
  if (section.contains(key) && section[key].is_number()) return section[key].get<double>();
  return report::Cell::missing(section.contains("reason") ? section["reason"].get<std::string>()
                                                          : "not measured");
}

inline report::Picture picture(const tmor::io::Pixels& p, const std::string& alt) {
  return {tmor::io::encode_jpeg(p, 80), "image/jpeg", alt};
}
inline std::vector<report::Picture> pictures(const std::vector<tmor::io::Pixels>& video,
                                             const std::string& alt) {
  std::vector<report::Picture> out;
  for (const auto& p : video) out.push_back(picture(p, alt));
  return out;
}

inline std::string percent(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * v);
  return text;
}
inline report::Headline headline(const std::string& label, const Json& section, double chance,
                                 const char* key = "top1") {
  return {label, section[key].is_number() ? percent(section[key].get<double>()) : "–",
          "chance " + percent(chance)};
}

inline report::Html accuracy_table(const Json& r) {
  const auto chance = [](const Json& s) { return s["chance"].get<double>(); };
  report::Table t;
  t.title = "Classification and zero-shot";
  t.protocol = r["fine_tune"]["protocol"].get<std::string>() + ". " +
               r["linear"]["protocol"].get<std::string>() +
               ". Zero-shot: " + r["zero_shot"]["unseen_combinations"]["protocol"].get<std::string>();
  t.columns = {
      {.name = "Fine-tuned", .chance = chance(r["fine_tune"])},
      {.name = "Linear probe", .chance = chance(r["linear"])},
      {.name = "Few-shot, k = 1", .chance = chance(r["few_shot"])},
      {.name = "k = 4", .chance = chance(r["few_shot"])},
      {.name = "k = 16", .chance = chance(r["few_shot"])},
      {.name = "Zero-shot, unseen actions", .chance = chance(r["zero_shot"]["unseen_actions"])},
      {.name = "Zero-shot, unseen combinations", .chance = chance(r["zero_shot"]["unseen_combinations"])},
      {.name = "Detection, frame mAP", .chance = chance(r["detection"])}};
  t.seeds = "few-shot: 5 draws; mean ± sample deviation";
  for (const auto& [title, m] : models_of(r)) {
    report::Row row{title, {cell((*m)["fine_tune"], "top1"), cell((*m)["linear"], "top1")}};
    for (const char* k : {"1", "4", "16"}) {
      const Json& p = (*m)["few_shot"][k];
      row.cells.emplace_back(p["mean"].get<double>(), p["std"].get<double>());
    }
    row.cells.push_back(cell((*m)["zero_shot"]["unseen_actions"], "top1"));
    row.cells.push_back(cell((*m)["zero_shot"]["unseen_combinations"], "top1"));
    row.cells.push_back(cell((*m)["detection"], "map"));
    t.rows.push_back(row);
  }
  return report::table(t);
}

inline report::Html retrieval_table(const Json& r) {
  report::Table t;
  t.title = "Retrieval, R@1";
  t.protocol = r["retrieval"]["protocol"];
  const double chance = r["retrieval"]["s2t"]["chance"];
  for (const char* name : {"skeleton → text", "text → skeleton", "skeleton → video", "video → skeleton",
                           "video → text", "text → video"})
    t.columns.push_back({.name = name, .chance = chance});
  for (const auto& [title, m] : models_of(r)) {
    if (!(*m)["retrieval"].contains("protocol")) continue;
    report::Row row{title, {}};
    for (const char* k : {"s2t", "t2s", "s2v", "v2s", "v2t", "t2v"})
      row.cells.push_back(cell((*m)["retrieval"][k], "r1"));
    t.rows.push_back(row);
  }
  return report::table(t);
}

inline report::Html few_shot_chart(const Json& r) {
  report::LineChart c;
  c.title = "Few-shot on unseen actions";
  c.note = r["few_shot"]["protocol"].get<std::string>() + ". Bars: sample deviation over draws.";
  c.x = {.label = "samples a class", .log = true, .ticks = {1, 2, 4, 8, 16}};
  c.y = {.label = "top-1", .percent = true, .from_zero = true};
  c.points = true;
  for (const auto& [title, m] : models_of(r)) {
    report::Series s{.name = title};
    for (const char* k : {"1", "2", "4", "8", "16"}) {
      const Json& p = (*m)["few_shot"][k];
      s.x.push_back(std::atof(k));
      s.y.push_back(p["mean"]);
      s.error.push_back(p["std"]);
    }
    c.series.push_back(s);
  }
  return report::line_chart(c);
}

/// "sit_down" as people read it.
inline std::vector<std::string> readable_actions() {
  auto names = tmor::data::synth::action_names();
  for (auto& n : names) std::replace(n.begin(), n.end(), '_', ' ');
  return names;
}

inline std::vector<std::size_t> best_first(const float* scores, Index n, std::size_t most) {
  std::vector<std::size_t> order(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  order.resize(std::min(order.size(), most));
  return order;
}

inline report::Html confusion(const task::EvalSet& set, const task::EvalDetails& d) {
  const auto names = readable_actions();
  const Index c = d.bodies_scores.size(1);
  report::Confusion m{.title = "Trained actions, unseen bodies and cameras",
                      .note = "Linear probe.",
                      .labels = {names.begin(), names.begin() + c},
                      .counts = std::vector<Index>(static_cast<std::size_t>(c * c))};
  const auto scores = d.bodies_scores.to_vector();
  for (std::size_t i = 0; i < set.bodies.actions.size(); ++i) {
    const auto best = best_first(scores.data() + i * static_cast<std::size_t>(c), c, 1)[0];
    ++m.counts[static_cast<std::size_t>(set.bodies.actions[i] * c) + best];
  }
  return report::confusion_matrix(m);
}

/// Some retrieval clips with the texts found for them, and texts with the clips found.
inline report::Html retrieval_examples(const task::EvalSet& set, const task::EvalDetails& d) {
  const auto s = d.skeleton_to_text.to_vector();
  const Index n = d.skeleton_to_text.size(0);
  const auto text = [&](std::size_t i) { return set.bodies.triplets[i].texts.front(); };
  std::vector<report::Ranked> found;
  for (std::size_t i = 0; i < 6 && static_cast<Index>(i) < n; ++i) {
    const auto& t = set.bodies.triplets[i];
    report::Ranked q{.query = "Which text describes this skeleton clip?",
                     .truth = text(i),
                     .frames = pictures(t.video, text(i))};
    for (const std::size_t j : best_first(s.data() + i * static_cast<std::size_t>(n), n, 5))
      q.hits.push_back(
          {text(j), static_cast<double>(s[i * static_cast<std::size_t>(n) + j]), text(j) == text(i)});
    found.push_back(q);
  }
  return report::ranked(found);
}

/// A clip of an unseen action with what zero-shot says of it, and a trained one.
inline report::Html moving_clips(const TriModel& m, const task::EvalSet& set, const task::EvalDetails& d) {
  const auto names = readable_actions();
  const auto scores = tmor::matmul(d.bodies_embedded, tmor::transpose(d.action_texts));
  const auto s = scores.to_vector();
  const Index c = scores.size(1);
  std::vector<report::Html> all;
  for (std::size_t i = 0; i < 4 && i < set.bodies.triplets.size(); ++i) {
    const auto& t = set.bodies.triplets[i];
    report::SkeletonClip clip{
        .title = "Clip " + t.id,
        .caption = t.texts.empty() ? "" : t.texts.front(),
        .truth = names[static_cast<std::size_t>(set.bodies.actions[i])],
        .skeleton = t.skeleton,
        .frames = pictures(t.video, names[static_cast<std::size_t>(set.bodies.actions[i])])};
    for (const std::size_t j : best_first(s.data() + i * static_cast<std::size_t>(c), c, 3))
      clip.predictions.push_back({names[j], static_cast<double>(s[i * static_cast<std::size_t>(c) + j]),
                                  static_cast<Index>(j) == set.bodies.actions[i]});
    all.push_back(report::skeleton_view(clip));
  }
  (void)m;
  return report::beside(all);
}

inline report::Html map_of(const task::EvalSet& set, const task::EvalDetails& d) {
  const auto names = readable_actions();
  const Index clips = std::min<Index>(d.bodies_embedded.size(0), 600), texts = d.action_texts.size(0);
  const auto x = tmor::concat(std::vector{tmor::narrow(d.bodies_embedded, 0, 0, clips), d.action_texts}, 0);
  std::vector<Index> kinds(static_cast<std::size_t>(clips), 0);
  kinds.resize(static_cast<std::size_t>(clips + texts), 1);
  const auto at = report::tsne(report::without_kind_means(x.to_vector(), clips + texts, x.size(1), kinds),
                               clips + texts, x.size(1));
  report::EmbeddingMap m{.title = "Clips and action prompts in the shared space",
                         .note =
                             "t-SNE of unit vectors less the mean of their kind: dots are skeleton clips of "
                             "unseen bodies, stars the prompts of each action.",
                         .actions = {names.begin(), names.begin() + texts}};
  for (Index i = 0; i < clips + texts; ++i) {
    const bool text = i >= clips;
    const auto action = text ? i - clips : set.bodies.actions[static_cast<std::size_t>(i)];
    m.items.push_back({static_cast<double>(at[static_cast<std::size_t>(2 * i)]),
                       static_cast<double>(at[static_cast<std::size_t>(2 * i + 1)]), action,
                       text ? names[static_cast<std::size_t>(action)]
                            : set.bodies.triplets[static_cast<std::size_t>(i)].texts.front(),
                       text});
  }
  return report::embedding_map(m);
}

/// Truth and prediction of some test sequences: actions that occur or are predicted somewhere.
inline report::Html timelines(const task::EvalSet& set, const task::EvalDetails& d) {
  const auto names = readable_actions();
  std::vector<report::Html> all;
  for (std::size_t i = 0; i < 2 && i < d.detection.size(); ++i) {
    const auto& scores = d.detection[i];
    const auto& t = set.test_sequences.triplets[i];
    const double fps = static_cast<double>(t.skeleton.fps),
                 seconds = static_cast<double>(t.skeleton.frames) / fps;
    const auto classes = static_cast<std::size_t>(tmor::data::synth::kTrainedActions);
    const auto rows = static_cast<std::size_t>(scores.steps);
    report::Timeline line{
        .title = "Sequence " + t.id, .note = t.texts.empty() ? "" : t.texts.front(), .seconds = seconds};
    for (std::size_t c = 0; c < classes; ++c) {
      report::TimelineRow row{.action = names[c]};
      for (const auto& s : t.segments)
        if (static_cast<std::size_t>(s.action) == c)
          row.truth.push_back({static_cast<double>(s.begin) / fps, static_cast<double>(s.end) / fps});
      for (std::size_t r = 0; r < rows; ++r) {
        row.scores.push_back(1 / (1 + std::exp(-scores.scores[r * classes + c])));
        if (row.scores.back() < 0.5f) continue;
        const double step = seconds / static_cast<double>(rows), begin = step * static_cast<double>(r);
        if (!row.predicted.empty() && row.predicted.back().end >= begin - 1e-6)
          row.predicted.back().end = begin + step;
        else
          row.predicted.push_back({begin, begin + step});
      }
      if (!row.truth.empty() || !row.predicted.empty()) line.rows.push_back(row);
    }
    all.push_back(report::timeline(line));
  }
  return report::beside(all);
}

inline void write_report(const std::string& out, const Settings& o, const Json& r, const TriModel& m,
                         const task::EvalSet& set, task::EvalDetails& d) {
  namespace synth = tmor::data::synth;
  if (!m.net.text) return;
  d.bodies_embedded = task::embed_skeletons(task::encoder_on(o.common.device, m.net.skeleton), m.input,
                                            set.bodies.skeletons());
  d.action_texts = task::embed_prompts(m, task::range(0, synth::kTrainedActions), synth::prompts);
  const auto& zero = r["zero_shot"];
  report::Summary top;
  top.title = "T-MOR pre-training";
  top.lead =
      "A skeleton encoder trained by contrast with video and text; every figure below needs skeletons alone, "
      "and the texts of classes once.";
  top.headlines = {
      headline("Zero-shot, unseen combinations", zero["unseen_combinations"],
               zero["unseen_combinations"]["chance"]),
      headline("Zero-shot, unseen actions", zero["unseen_actions"], zero["unseen_actions"]["chance"]),
      headline("Linear probe, unseen bodies", r["linear"], r["linear"]["chance"]),
      headline("Skeleton → text, R@1", r["retrieval"]["s2t"], r["retrieval"]["s2t"]["chance"], "r1"),
      headline("Detection, frame mAP", r["detection"], r["detection"]["chance"], "map")};
  std::string data;
  for (const auto& s : o.data) data += (data.empty() ? "" : " + ") + s;
  top.facts = {
      {"Data", data},
      {"Generator version", std::to_string(synth::kVersion)},
      {"Parameters", tmor::detail::cat(r["parameters"].get<Index>(), ", of them skeleton encoder ",
                                       r["parameters_skeleton"].get<Index>())},
      {"Epochs", tmor::detail::cat(o.common.epochs, " of ", r["samples_an_epoch"].get<Index>(), " samples")},
      {"Seed", tmor::detail::cat(static_cast<Index>(o.common.seed))},
      {"Seconds", tmor::detail::cat(std::lround(r["seconds"].get<double>()))}};
  report::Page page(top);
  page.section("Results", "The same protocols for every model.",
               report::beside({accuracy_table(r), retrieval_table(r), few_shot_chart(r)}));
  page.section("Training", "", report::training_curves(report::read_run_log(out + "/log.jsonl")));
  page.section("Clips", "Skeletons as an estimator would give them, beside the frames they were seen in.",
               moving_clips(m, set, d));
  page.section("Retrieval", "Texts of all clips, ranked for a skeleton.", retrieval_examples(set, d));
  page.section("Detection", "Long sequences: what happens, and what the head on frozen frame tokens sees.",
               timelines(set, d));
  page.section("Confusion", "", confusion(set, d));
  page.section("Embedding map", "", map_of(set, d));
  page.write(out + "/report.html");
}

}  // namespace pretrain
