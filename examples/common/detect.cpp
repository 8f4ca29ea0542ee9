#include "common/detect.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <optional>

#include "common/detection_report.hpp"
#include "common/detector_file.hpp"
#include "common/schedule.hpp"
#include "tmor/eval/score.hpp"
#include "tmor/io/npy.hpp"

namespace task {

namespace {

/// Frame tokens of videos, kept in a folder as one .npy each, so that they are computed once. A folder of
/// other weights or options is not used: its files are replaced. Without a folder nothing is kept.
class TokenCache {
 public:
  TokenCache() = default;
  TokenCache(std::string folder, const std::string& key) : folder_(std::move(folder)) {
    if (folder_.empty()) return;
    tmor::io::make_directories(folder_);
    const std::string path = folder_ + "/key.json";
    if (tmor::io::exists(path) && tmor::io::read_json(path) == Json{{"key", key}}) return;
    for (const auto& name : tmor::io::list_directory(folder_))
      if (name.ends_with(".npy")) ::unlink((folder_ + "/" + name).c_str());
    tmor::io::write_json(path, {{"key", key}});
  }
  template <class Make> Tensor<> operator()(const std::string& id, Make&& make) const {
    const std::string path = folder_ + "/" + id + ".npy";
    if (!folder_.empty() && tmor::io::exists(path)) {
      const auto a = tmor::io::read_npy(path);
      return Tensor<>::from_pointer(a.as<float>().data(), a.shape());
    }
    const Tensor<> x = make();
    if (!folder_.empty()) {
      tmor::io::Array a(tmor::DType::f32, x.shape());
      x.read(a.as<float>().data());
      tmor::io::write_npy(path, a);
    }
    return x;
  }

 private:
  std::string folder_;
};

/// A trained detector with its options, one of those whose logits are averaged.
struct TrainedDetector {
  Detector detector;
  DetectionSettings settings;
  Encode encode = {};  ///< its encoder at work
  TokenCache cache = {};
  std::vector<Tensor<>> logits = {};  ///< of the test videos, where they are known already
};

/// A number that changes with any weight.
std::string weights_key(const SkeletonEncoder& model, const Json& options) {
  std::uint64_t h = 1469598103934665603u;
  const auto add = [&](const void* p, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) h = (h ^ static_cast<const unsigned char*>(p)[i]) * 1099511628211u;
  };
  const auto tensor = [&](const std::string&, const auto& t, auto...) {
    const auto v = t.to_vector();
    add(v.data(), v.size() * sizeof v[0]);
  };
  tmor::visit_tensors(model, tensor, tensor);
  const std::string text = tmor::io::json_text(options);
  add(text.data(), text.size());
  return std::to_string(h);
}

/// Sets the bias of a head to the share of each class among the steps of the videos.
void start_at_shares(tmor::models::FrameHead<>& head, const std::vector<Video>& videos) {
  std::vector<double> seconds(static_cast<std::size_t>(tmor::models::classes_of(head.config())), 0.5);
  double all = 1;
  for (const auto& v : videos) {
    all += v.truth.length;
    for (const auto& a : v.truth.spans)
      seconds[static_cast<std::size_t>(a.action)] +=
          std::max(0.0, std::min(a.end, v.truth.length) - std::max(0.0, a.start));
  }
  for (std::size_t c = 0; c < seconds.size(); ++c) {
    const double p = std::min(0.5, seconds[c] / all);
    head.out().b.mutable_data()[c] = static_cast<float>(std::log(p / (1 - p)));
  }
}

/// The network before training. `pretrained` has no layers where training starts from scratch.
WindowDetector<> new_detector(Rng& rng, const VideoSet& set, const DetectionSettings& o,
                              SkeletonEncoder pretrained) {
  const auto& poses = set.train.front().poses;
  WindowDetector<> d;
  const bool fresh = tmor::parameters(pretrained).empty();
  d.encoder = fresh ? SkeletonEncoder(
                          rng, encoder_config(o.size, poses.joints, poses.channels, o.input, 0, o.dropout))
                    : std::move(pretrained);
  if (!fresh) d.encoder.remove_embedding(o.dropout);
  const auto config = d.encoder.config();
  TMOR_CHECK(tmor::models::joints_of(config) == poses.joints &&
                 tmor::models::channels_of(config) == o.input.streams.channels(poses.channels),
             "--init: a model of ", tmor::models::joints_of(config), " joints and ",
             tmor::models::channels_of(config), " channels; these videos have ", poses.joints, " and ",
             o.input.streams.channels(poses.channels));
  // Where another head follows, the encoder is trained with a dilated one, whatever the other will be.
  auto first = o;
  if (o.head_epochs > 0) first.head = "tcn";
  d.head = tmor::models::FrameHead<>(rng, first.head_config(d.encoder.width(), std::ssize(set.classes),
                                                            o.input.frames / d.encoder.stride()));
  start_at_shares(d.head, set.train);
  return d;
}

}  // namespace

Tensor<> video_tokens(const Encode& encode, Index stride, const Video& v, const DetectionSettings& o,
                      bool mirror) {
  return tmor::eval::stream_tokens(v.poses, stride, o.stream(o.rate(stride), stride),
                                   window_encoder(encode, o, mirror));
}

namespace {

Tensor<> cached_tokens(const TrainedDetector& m, const Video& v, bool mirror) {
  return m.cache(mirror ? v.id + ".mirror" : v.id,
                 [&] { return video_tokens(m.encode, m.detector.encoder.stride(), v, m.settings, mirror); });
}

/// A video as `eval::fit_detection` wants it: row r of T stands for r / T of the length.
tmor::eval::DetectionSequence token_sequence(const Video& v, Tensor<> tokens, double steps_per_second) {
  tmor::Timeline truth = v.truth;
  truth.length = static_cast<double>(tokens.size(0)) / steps_per_second;
  return {std::move(tokens), std::move(truth)};
}

/// Trains as the options say. `score_now(detector)` measures, for the log.
Detector train_detector(const VideoSet& set, const DetectionSettings& o, SkeletonEncoder pretrained,
                        const std::string& out, Json& figures,
                        const std::function<Json(const Detector&)>& score_now) {
  Rng rng(o.common.seed);
  const WindowDetector<> model = new_detector(rng, set, o, std::move(pretrained));
  const Index stride = model.encoder.stride();
  TMOR_CHECK(o.input.frames % stride == 0, "--frames ", o.input.frames, ": want a multiple of ", stride);
  tmor::eval::check(o.stream(o.rate(stride), stride), stride);
  const WindowSampler sampler(set.train, std::ssize(set.classes), stride, o);
  tmor::data::Loader<WindowBatch> loader(
      std::max(o.batch, sampler.windows()), [&](const tmor::data::BatchPlan& plan) { return sampler(plan); },
      {.batch_size = o.batch, .drop_last = true, .seed = o.common.seed, .workers = 1});
  const auto as_detector = [&] { return Detector{model.encoder, tmor::eval::DetectionModel(model.head)}; };
  const auto result =
      learn_windows(o.common.device, model, loader, rng,
                    {.loop = loop_options(o, loader, out, o.validate_every), .weight_decay = o.weight_decay},
                    [&] { return score_now(as_detector()); });
  stop_if_interrupted(result);
  figures["parameters"] = tmor::parameter_count(model);
  figures["loss"] = result.loss;
  return as_detector();
}

/// Trains another head on the frozen tokens of the training videos, whole ones, each also mirrored.
void refit_head(TrainedDetector& m, const VideoSet& set, Json& figures) {
  const auto& o = m.settings;
  std::vector<tmor::eval::DetectionSequence> sequences;
  for (const auto& v : set.train)
    for (const bool mirror : {false, true})
      sequences.push_back(token_sequence(v, cached_tokens(m, v, mirror), o.steps_per_second));
  double loss = 0;
  m.detector.head = tmor::eval::fit_detection(
      sequences, std::ssize(set.classes),
      {.head = o.head_config(m.detector.encoder.width(), std::ssize(set.classes), o.head_window),
       .epochs = o.head_epochs,
       .window = o.head_window,
       .seed = o.common.seed,
       .train = trainer_on(o.common.device)},
      &loss);
  figures["head_loss"] = loss;
}

/// The logits of one video at the steps.
Tensor<> video_logits(const TrainedDetector& m, const Video& v) {
  const auto at = [&](bool mirror) { return m.detector.head(cached_tokens(m, v, mirror)); };
  return m.settings.flip ? (at(false) + at(true)) * 0.5 : at(false);
}

/// The scores of one of the test videos, a row for each that its protocol counts.
tmor::FrameScores video_scores(const std::vector<TrainedDetector>& members, const Video& v,
                               const VideoSet& set) {
  const tmor::NoGrad guard;
  const auto of = [&](const TrainedDetector& m) {
    return m.logits.empty() ? video_logits(m, v) : m.logits[static_cast<std::size_t>(&v - set.test.data())];
  };
  Tensor<> logits = of(members[0]);
  for (std::size_t i = 1; i < members.size(); ++i) logits = logits + of(members[i]);
  if (members.size() > 1) logits = logits * (1.0 / static_cast<double>(members.size()));
  const Index rows = set.protocol.steps > 0 ? set.protocol.steps : v.rows > 0 ? v.rows : logits.size(0);
  return {v.id, rows,
          tmor::eval::scores_at_rows(logits, 1 / members[0].settings.steps_per_second, v.truth.length, rows)};
}

std::vector<tmor::FrameScores> test_scores(const std::vector<TrainedDetector>& members, const VideoSet& set) {
  std::vector<tmor::FrameScores> scores;
  tmor::train::Progress bar("predict", std::ssize(set.test));
  for (const auto& v : set.test) {
    scores.push_back(video_scores(members, v, set));
    bar.update(std::ssize(scores));
  }
  return scores;
}

}  // namespace

void write_frame_scores(const std::string& path, const std::vector<tmor::FrameScores>& scores,
                        const tmor::eval::Protocol& p) {
  tmor::io::AtomicFile file(path);
  for (const auto& video : scores) {
    std::string text;
    for (Index r = 0; r < video.steps; ++r) {
      text += tmor::detail::cat(video.id, ' ', r + (p.steps > 0));
      for (Index c = 0; c < p.classes; ++c) {
        char number[24];
        std::snprintf(number, sizeof number, " %.6g",
                      static_cast<double>(video.scores[static_cast<std::size_t>(r * p.classes + c)]));
        text += number;
      }
      text += '\n';
    }
    file.write(text);
  }
  file.commit();
}

void report_detection(const Json& r, const VideoSet& set, const DetectionSettings& o,
                      std::span<const tmor::FrameScores> scores, bool logits) {
  if (o.report_path().empty()) return;
  write_detection_report(o.report_path(), r,
                         {.title = set.protocol.title,
                          .classes = set.classes,
                          .truth = set.truth,
                          .units = set.units,
                          .scores = scores,
                          .logits = logits,
                          .log = o.common.out.empty() ? "" : o.common.out + "/log.jsonl"});
}

namespace {

/// A detector trained as the options say, with its file and its tokens in `out`.
TrainedDetector train_member(const VideoSet& set, const DetectionSettings& o, SkeletonEncoder pretrained,
                             const std::string& out, Json& figures) {
  TrainedDetector m;
  m.settings = o;
  m.detector = train_detector(set, o, std::move(pretrained), out, figures, [&](const Detector& now) {
    if (!set.validation) return Json::object();  // the test side is looked at once, at the end
    const TrainedDetector one{now, o, encoder_on(o.common.device, now.encoder)};
    const auto s = tmor::eval::score_frames(set.protocol, set.truth, test_scores({one}, set), true);
    return Json{{"map", s["map"]}};
  });
  m.encode = encoder_on(o.common.device, m.detector.encoder);
  m.cache = TokenCache(out.empty() ? "" : out + "/tokens",
                       weights_key(m.detector.encoder, {{"poses", set.poses},
                                                        {"rate", o.steps_per_second},
                                                        {"window", o.input.frames},
                                                        {"hop", o.hop},
                                                        {"ahead", o.ahead},
                                                        {"normalise", o.normalise}}));
  if (o.head_epochs > 0) refit_head(m, set, figures);
  if (!out.empty()) save_detector(out + "/detector.safetensors", m.detector, set.classes, o);
  return m;
}

/// The detectors of --stream, one or one for each stream, in `out` or folders of it. What each alone gives is
/// in `figures`.
std::vector<TrainedDetector> train_members(const VideoSet& set, const DetectionSettings& o,
                                           SkeletonEncoder pretrained, Json& figures) {
  if (o.streams == "early") {  // the program's own streams, or those of --init
    std::vector<TrainedDetector> one;
    one.push_back(train_member(set, o, std::move(pretrained), o.common.out, figures));
    return one;
  }
  if (!o.init.empty())
    throw cli::UsageError("--stream " + o.streams + ": the model of --init has its own streams");
  const auto streams = streams_of(o.streams);
  std::vector<TrainedDetector> members;
  for (const auto& [name, input] : streams) {
    auto own = o;
    own.input.streams = input;
    own.input.streams.known = o.input.streams.known;
    const bool alone = streams.size() == 1;
    Json f;
    members.push_back(train_member(
        set, own, {}, alone || o.common.out.empty() ? o.common.out : o.common.out + "/" + name, f));
    if (alone) {
      figures = f;
    } else {
      const tmor::NoGrad guard;
      for (const auto& v : set.test) members.back().logits.push_back(video_logits(members.back(), v));
      f["map"] =
          tmor::eval::score_frames(set.protocol, set.truth, test_scores({members.back()}, set), true)["map"];
      std::fprintf(stderr, "%s: %s\n", name.c_str(), tmor::io::json_text(f).c_str());
      figures["streams"][name] = f;
    }
  }
  return members;
}

}  // namespace

Json run_detection(const VideoSet& set, const DetectionSettings& o, SkeletonEncoder pretrained,
                   Index online_ahead) {
  TMOR_CHECK(!set.train.empty() && !set.test.empty(), "there are poses of ", set.train.size(),
             " training and ", set.test.size(), " test videos; both sides are needed");
  if (o.head == "mstct" && online_ahead >= 0)
    throw cli::UsageError(
        "--online: a head of --head mstct sees its steps all at once; --head tcn runs online");
  if (o.head == "mstct" && o.causal)
    throw cli::UsageError("--causal: a head of --head mstct sees later steps too; --head tcn can be causal");
  Json r, figures;
  auto members = train_members(set, o, std::move(pretrained), figures);
  const auto scores = test_scores(members, set);
  if (!o.predictions.empty()) write_frame_scores(o.predictions, scores, set.protocol);
  r = tmor::eval::score_frames(set.protocol, set.truth, scores, true);
  r.update(figures);
  const auto& d = members[0].detector;
  const Index stride = d.encoder.stride();
  const auto stream = o.stream(o.rate(stride), stride);
  const bool several = members.size() > 1;
  r["n_train"] = set.train.size();
  r["n_test"] = set.test.size();
  r["seed"] = o.common.seed;
  r["init"] = o.init.empty() ? Json() : Json(o.init);
  r["model"] = tmor::detail::cat(
      several ? "joint, bone and motion networks, logits averaged; each " : "",
      o.streams == "early" || several ? "" : o.streams + " stream; ", name_of(d.encoder.config()),
      " encoder and ", tmor::models::describe(d.head.head.config()),
      o.head_epochs > 0 ? ", the head trained again on frozen tokens of whole videos" : "", "; ",
      o.steps_per_second, " steps a second, windows of ", static_cast<double>(stream.window) / stream.rate,
      " s, ", o.flip ? "averaged with the mirrored video, " : "", "no cropping of test videos");
  if (online_ahead >= 0) {
    const auto config = d.head.head.config();
    const auto& seen = tmor::models::streamable(config);
    auto live = members;
    for (auto& m : live) {
      m.settings.ahead = online_ahead;
      m.cache = {};
      m.logits.clear();
    }
    const auto now = live[0].settings.stream(o.rate(stride), stride);
    const auto s = tmor::eval::score_frames(set.protocol, set.truth, test_scores(live, set), true);
    r["online"] = {{"map", s["map"]},
                   {"delay_seconds", tmor::eval::stream_delay(now, stride, seen.causal ? 0 : seen.reach())},
                   {"ahead_frames", online_ahead}};
  }
  r["poses"] = set.poses;
  r["split"] = set.split;
  report_detection(r, set, o, scores, true);
  return r;
}

void run_and_print(const cli::Program& program, const cli::Common& common,
                   const std::function<Json()>& body) {
  const auto start = std::chrono::steady_clock::now();
  std::optional<tmor::train::RunDir> run;
  if (!common.out.empty()) run.emplace(common.out, common.start(), program.config());
  Json result = body();
  result["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (run) run->write_metrics(result);
  Json shown = result;
  for (auto& [name, p] : shown["policies"].items()) p.erase("ap"), p.erase("positive");
  shown.erase("ap"), shown.erase("positive");
  std::fprintf(stderr, "%s\n", shown.dump(2).c_str());
  cli::print_result(result, common.json);
}

}  // namespace task
