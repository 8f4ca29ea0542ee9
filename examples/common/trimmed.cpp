#include "common/trimmed.hpp"

#include <atomic>

#include "common/device.hpp"
#include "common/encoder.hpp"
#include "common/pretrained.hpp"
#include "common/probes.hpp"
#include "common/protocols.hpp"
#include "common/supervised.hpp"
#include "tmor/data/clip_folder.hpp"
#include "tmor/eval/score.hpp"
#include "tmor/eval/to_json.hpp"
#include "tmor/text/prompt_file.hpp"

namespace task {

namespace {

/// Marks which listed clips train and which are measured under --measure; others are dropped.
void choose_part(std::vector<tmor::eval::ListedClip>& clips, const std::string& part) {
  if (part == "validation") {
    TMOR_CHECK(std::any_of(clips.begin(), clips.end(), [](const auto& c) { return c.validation; }),
               "--measure validation: the protocol has no validation part");
    for (auto& c : clips) {
      c.train = c.train && !c.validation;
      c.test = c.validation;
    }
  }
  std::erase_if(clips, [](const auto& c) { return !c.train && !c.test; });
}

bool has_joints(const tmor::SkeletonSequence& s) {
  return std::any_of(s.valid.begin(), s.valid.end(), [](std::uint8_t v) { return v != tmor::kMissing; });
}

}  // namespace

std::vector<Clip> read_clips(const ClipBenchmark& b, const std::vector<tmor::eval::ListedClip>& listed,
                             const Prepare& prepare, const Training& o, Json& missing) {
  enum Outcome : char { kRead, kNoFile, kNobody };
  std::vector<Clip> all(listed.size());
  std::vector<Outcome> outcome(listed.size());
  std::atomic<Index> done = 0;
  tmor::parallel_for(std::ssize(listed), 8, [&](Index begin, Index end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const auto& l = listed[i];
      const std::string path = b.file(l.id);
      if (!tmor::io::exists(path)) {
        outcome[i] = kNoFile;
        continue;
      }
      auto s = b.read(path);
      if (!has_joints(s)) {
        outcome[i] = kNobody;
        continue;
      }
      if (o.store > 0 && s.frames > o.store) s = tmor::resample(s, o.store);
      all[i] = {l.id, prepare(std::move(s)), l.label, l.train, l.subject};
    }
    const Index before = done.fetch_add(end - begin);
    if ((before + end - begin) / 2000 > before / 2000)
      std::fprintf(stderr, "read %lld of %zu clips\n", static_cast<long long>(before + end - begin),
                   listed.size());
  });
  std::vector<Clip> clips;
  missing = {{"train", 0}, {"test", 0}, {"nobody", 0}};
  for (std::size_t i = 0; i < listed.size(); ++i) {
    if (outcome[i] == kRead) {
      clips.push_back(std::move(all[i]));
      continue;
    }
    const std::string what = outcome[i] == kNoFile ? "no file '" + b.file(listed[i].id) + "'"
                                                   : "nobody in '" + b.file(listed[i].id) + "'";
    TMOR_CHECK_IO(o.allow_missing, "clip '", listed[i].id, "': ", what,
                  "; --allow-missing goes on without such clips, listed and counted");
    std::fprintf(stderr, "missing: %s: %s\n", listed[i].id.c_str(), what.c_str());
    auto& count = missing[listed[i].train ? "train" : "test"];
    count = count.get<Index>() + 1;
    if (outcome[i] == kNobody) missing["nobody"] = missing["nobody"].get<Index>() + 1;
  }
  TMOR_CHECK_IO(!clips.empty(), "none of the ", listed.size(), " listed clips has poses: is --data right?");
  return clips;
}

namespace {

/// Prompts of every class: those of --captions, or its name, as words, in a few templates.
std::vector<std::vector<std::string>> class_prompts(const Training& o, const ClipBenchmark& b,
                                                    const std::vector<std::string>& classes) {
  std::vector<std::vector<std::string>> out;
  const std::string file = o.captions.empty() ? b.captions : o.captions;
  if (!file.empty()) {
    const auto book = tmor::read_prompt_book(file);
    for (const auto& name : classes) out.push_back(tmor::all_prompts(book, book.find(name)));
    return out;
  }
  for (const auto& name : classes) {
    std::string words;
    for (const char c : name) words += c == '_' || c == '.' || c == '-' ? ' ' : c;
    for (const char* t : {"{}", "a person: {}", "a person doing: {}", "the action: {}", "someone: {}"})
      out.resize(out.size() + (t[0] == '{')), out.back().push_back(tmor::fill_prompt(t, words));
  }
  return out;
}

/// Pooled features of clips, averaged over the fixed views.
tmor::eval::Features pooled_features(const Encode& encode, const std::vector<const Clip*>& clips,
                                     const InputOptions& in, Index classes) {
  return {over_views(clips, test_views(in), in, [&](const Batch& b) { return encode(b).pooled; }),
          labels_of(clips), classes};
}

/// The frozen encoder of --init under --mode linear, fewshot or zeroshot.
Json run_frozen(const ClipSet& set, const Pretrained& model, const ClipBenchmark& b, const Training& o) {
  const Sides sides = sides_of(set.clips, o.holdout);
  const Index classes = std::ssize(set.classes);
  const auto seed = o.common.seed;
  const InputOptions in = fine_tuning_input(o.input, model.input);
  Json r;
  Tensor<> scores;
  std::string how = tmor::detail::cat("frozen encoder in evaluation mode, features averaged over ",
                                      test_views(in).size(), " fixed views; ");
  if (o.mode == "zeroshot") {
    if (!model.towers || !model.towers->net.text)
      throw cli::UsageError(
          "--mode zeroshot: --init needs a model with a text tower: model.safetensors of pretrain");
    const auto& m = *model.towers;
    const auto encode = encoder_on(o.common.device, m.net.skeleton);
    const tmor::eval::Features test{
        over_views(sides.test, test_views(in), in,
                   [&](const Batch& x) { return tmor::l2_normalize(encode(x).embed); }),
        labels_of(sides.test), classes};
    const auto texts = embed_classes(class_prompts(o, b, set.classes), m.bpe, m.net.text->config.context,
                                     [&](const auto& t) { return m.net.embed_texts(t, Context{}); });
    const auto z = tmor::eval::zero_shot(test, texts, "no clip of this data set seen in training");
    r["zero_shot"] = tmor::eval::to_json(z, test);
    how += z.protocol;
    scores = z.scores;
  } else {
    const auto features = [&](const Encode& encode, const auto& clips) {
      return pooled_features(encode, clips, in, classes);
    };
    Rng rng(seed);
    const tmor::models::SkeletonEncoder<> untrained(rng, model.encoder.config());
    const auto trained = encoder_on(o.common.device, model.encoder),
               fresh = encoder_on(o.common.device, untrained);
    const auto train = features(trained, sides.train), test = features(trained, sides.test),
               train0 = features(fresh, sides.train), test0 = features(fresh, sides.test);
    const tmor::eval::Features train_xyz{coordinate_features(sides.train), train.y, classes},
        test_xyz{coordinate_features(sides.test), test.y, classes};
    if (o.mode == "linear") {
      std::vector<Index> subjects;
      for (const Clip* c : sides.train)
        if (c->subject >= 0) subjects.push_back(c->subject);
      if (subjects.size() != sides.train.size() ||
          std::all_of(subjects.begin(), subjects.end(), [&](Index s) { return s == subjects[0]; }))
        subjects.clear();  // lambda is chosen on held-out subjects where there are any
      const auto probe = tmor::eval::linear_probe(train, test, {.seed = seed}, subjects);
      r["linear"] = tmor::eval::to_json(probe, test, {.seed = seed});
      r["baselines"]["untrained"] = tmor::eval::to_json(
          tmor::eval::linear_probe(train0, test0, {.seed = seed}, subjects), test0, {.seed = seed});
      r["baselines"]["nearest_neighbour"] = tmor::eval::to_json(nearest(train_xyz, test_xyz), test_xyz);
      how += probe.protocol;
      scores = probe.model.scores(test.x);
    } else {
      const tmor::eval::FewShotOptions few{.seed = seed};
      const auto shots = tmor::eval::few_shot(train, test, few);
      r["few_shot"] = tmor::eval::to_json(shots, test, few);
      r["baselines"]["untrained"] = tmor::eval::to_json(tmor::eval::few_shot(train0, test0, few), test0, few);
      r["baselines"]["nearest_neighbour"] =
          tmor::eval::to_json(nearest_few_shot(train_xyz, test_xyz, seed), test_xyz, few);
      how += shots.protocol;
    }
  }
  if (scores.defined()) {
    r.update(accuracy_json(scores, labels_of(sides.test), set.empty));
    if (!o.predictions.empty()) write_predictions(o.predictions, sides.test, scores);
  }
  r["n_train"] = sides.train.size();
  r["n_test"] = sides.test.size();
  r["seed"] = seed;
  r["init"] = o.init;
  r["protocol"] = protocol_text(set, o, how);
  return r;
}

/// Mean and sample deviation of the figures that all runs have, at their places.
Json over_runs(const std::vector<Json>& runs) {
  Json out = Json::object();
  for (const auto& [key, first] : runs[0].items()) {
    std::vector<Json> same;
    for (const auto& r : runs)
      if (r.contains(key)) same.push_back(r[key]);
    if (same.size() != runs.size()) continue;
    const bool figure =
        key == "top1" || key == "top5" || key == "mean_class" || key == "errors" || key == "mean";
    if (first.is_number() && figure) {
      std::vector<double> values;
      for (const auto& v : same) values.push_back(v.get<double>());
      out[key] = {{"mean", tmor::mean(values)}, {"std", tmor::standard_deviation(values)}, {"each", values}};
    } else if (first.is_object()) {
      if (auto inner = over_runs(same); !inner.empty()) out[key] = inner;
    }
  }
  return out;
}

}  // namespace

Json over_seeds(const Training& o, const std::string& out,
                const std::function<Json(const Training&, const std::string&)>& once) {
  if (o.seeds == 1) return once(o, out);
  std::vector<Json> runs;
  for (Index i = 0; i < o.seeds; ++i) {
    Training one = o;
    one.common.seed += static_cast<std::uint64_t>(i);
    const std::string tail = tmor::detail::cat("seed", one.common.seed);
    if (!o.predictions.empty()) one.predictions += "." + tail;
    runs.push_back(once(one, out.empty() ? out : out + "/" + tail));
    std::fprintf(stderr, "%s: %s\n", tail.c_str(), tmor::io::json_text(runs.back()).c_str());
  }
  Json r = runs[0];
  r["seeds"] = o.seeds;
  r["over_seeds"] = over_runs(runs);
  return r;
}

namespace {

/// What is measured, for the result: the protocol, and how much of the test side is there.
std::string describe_part(const tmor::eval::Protocol& p, const Training& o, const std::vector<Clip>& clips) {
  std::string s = tmor::eval::describe(p);
  const Index n = std::count_if(clips.begin(), clips.end(), [](const Clip& c) { return !c.train; });
  if (o.measure == "validation") {
    s += "; measured on the validation part, left out of training";
  } else if (p.official_test > 0 && p.official_test != n) {
    s += tmor::detail::cat("; NOT the whole test side: the ", n, " test clips at hand");
  }
  return s;
}

/// Runs the mode of `o` on the clips of `list` (its sides are set).
Json run_trimmed(const Training& o, const ClipBenchmark& b, const tmor::eval::Protocol& p,
                 tmor::eval::ClipList list, const std::string& out) {
  if (o.mode != "supervised" && o.init.empty())
    throw cli::UsageError("--mode " + o.mode + " needs --init, a pre-trained model");
  std::optional<Pretrained> model;
  if (!o.init.empty()) model = load_pretrained(o.init);
  choose_part(list.clips, o.measure);
  Json missing;
  ClipSet set{list.classes.names(), {}, b.poses, "", p.empty};
  set.clips = read_clips(b, list.clips, model ? prepare_for(*model) : b.prepare, o, missing);
  set.protocol = describe_part(p, o, set.clips);
  Json r = over_seeds(o, out, [&](const Training& one, const std::string& folder) {
    return one.mode == "supervised" ? run_supervised(set, one, folder) : run_frozen(set, *model, b, one);
  });
  r["mode"] = o.mode;
  r["figure"] = p.figure;
  r["name"] = p.name;
  r["missing"] = missing;
  r["without_class"] = list.without_class.size();
  return r;
}

/// Writes the clips of a protocol as they are read, before any normalisation, as a folder of clips
/// (data/clip_folder.hpp), which `clips` trains on.
Json export_clips(const Training& o, const ClipBenchmark& b, const tmor::eval::Protocol& p) {
  const auto list = tmor::eval::list_clips(p, o.data);
  tmor::data::ClipFolder folder{p.name, b.poses, nullptr, 2, list.classes, {}};
  tmor::io::make_directories(o.export_to + "/clips");
  const Prepare write = [](tmor::SkeletonSequence s) { return s; };
  Json missing;
  // A piece at a time: the whole data set need not fit into memory.
  for (std::size_t begin = 0; begin < list.clips.size(); begin += 512) {
    const auto end = std::min(list.clips.size(), begin + 512);
    const std::vector<tmor::eval::ListedClip> some(list.clips.begin() + static_cast<std::ptrdiff_t>(begin),
                                                   list.clips.begin() + static_cast<std::ptrdiff_t>(end));
    const auto clips = read_clips(b, some, write, o, missing);
    for (const auto& c : clips) {
      if (!folder.layout) folder.layout = c.sequence.layout, folder.coordinates = c.sequence.channels;
      TMOR_CHECK(folder.layout == c.sequence.layout, "--export: clip '", c.id, "' has the layout ",
                 c.sequence.layout->name, ", others ", folder.layout->name, "; a folder has one");
      tmor::data::write_folder_clip(o.export_to, c.id, c.sequence);
      const auto& l = *std::find_if(some.begin(), some.end(), [&](const auto& x) { return x.id == c.id; });
      using tmor::data::ClipPart;
      folder.clips.push_back({c.id, c.label,
                              l.test         ? ClipPart::kTest
                              : l.validation ? ClipPart::kValidation
                                             : ClipPart::kTrain,
                              l.subject, l.camera});
    }
  }
  tmor::data::write_clip_folder(o.export_to, folder);
  return {{"exported", folder.clips.size()}, {"folder", o.export_to}, {"layout", folder.layout->name}};
}

}  // namespace

void run_program(const cli::Program& program, const Training& o, const tmor::eval::Protocol& p,
                 const ClipBenchmark& b) {
  if (!o.score.empty()) {
    cli::print_result(score_clip_file(p, o.data, o.score, o.allow_missing), o.common.json);
    return;
  }
  if (!o.export_to.empty()) {
    const Json r = export_clips(o, b, p);
    std::fprintf(stderr, "%s\n", r.dump(2).c_str());
    cli::print_result(r, o.common.json);
    return;
  }
  run_and_report(program, o,
                 [&] { return run_trimmed(o, b, p, tmor::eval::list_clips(p, o.data), o.common.out); });
}

void run_program(const cli::Program& program, const Training& o, const std::string& prefix,
                 const ClipBenchmark& b) {
  run_program(program, o, find_protocol(o.protocol, prefix), b);
}

}  // namespace task
