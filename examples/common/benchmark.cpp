#include "common/benchmark.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "common/pretrained.hpp"
#include "common/protocols.hpp"
#include "tmor/data/pose_file.hpp"
#include "tmor/data/tsu.hpp"
#include "tmor/eval/score.hpp"
#include "tmor/text/prompts.hpp"

namespace task {

namespace {

void add_benchmark_options(cli::Program& p, BenchmarkSettings& o, const FrameBenchmark& b) {
  p.option("--data", o.data, "folder of the official annotations").required();
  p.option("--poses", o.poses, "folder of poses, a .json, .npz or .npy file for each video");
  p.option("--protocol", o.protocol,
           "a protocol of examples/protocols (the part behind '" + b.name + "-' will do), or a path to one");
  p.choice("--mode", o.mode, {"supervised", "zeroshot"},
           "train on the training side; or only compare frames with the texts of the classes");
  p.option("--init", o.init,
           "pre-trained model to start from or to compare with texts: the folder of a run of pretrain, its "
           "model.safetensors or skeleton.safetensors; its joints and streams hold");
  p.option("--prompts", o.prompts, "zeroshot: JSON file {class: [text, ...]} instead of the classes' names");
  p.option("--joints", o.joints, "layout of poses in arrays: lcrnet13, coco17, ...");
  p.option("--persons", o.persons, "kept in a video").check(cli::in_range<Index>(1, 8));
  if (b.in_frames) {
    p.option("--fps", o.fps, "frames a second of the annotations").check(cli::in_range(1.0, 240.0));
    p.option("--csv", o.csv,
             "folder with the annotations of each video, ID.csv, in place of the JSON's actions; sides and "
             "durations are the JSON's");
  }
  p.option("--holdout", o.holdout, "measure on every n-th training video instead of the test side; 0: do not")
      .check(cli::at_least<Index>(0));
  p.flag("--allow-missing", o.allow_missing, "leave videos without poses out, list and count them");
  p.flag("--online", o.online, "also measure what a live camera would get: windows with little ahead");
  p.option("--online-ahead", o.online_ahead, "frames of a window behind those it is read for, with --online")
      .check(cli::at_least<Index>(0));
  p.option("--score", o.score, "measure the predictions in this file; nothing is trained");
}

/// The videos of a side with their poses at the encoder's rate. Those without poses are added to `missing`.
std::vector<Video> read_side(const std::vector<tmor::Timeline>& side, const tmor::data::PoseFolder& folder,
                             const BenchmarkSettings& o, double units, double rate,
                             std::vector<std::string>& missing) {
  std::vector<Video> videos;
  tmor::train::Progress bar("read poses", std::ssize(side));
  const auto layout = tmor::joint_layout(o.input.layout);
  Index done = 0;
  for (const auto& annotated : side) {
    bar.update(++done);
    const std::string path = folder.find(annotated.id);
    if (path.empty()) {
      missing.push_back(annotated.id);
      continue;
    }
    auto s = tmor::data::read_pose_file(
        path, o.joints, {.persons = o.persons, .channels = o.input.dims, .allow_empty = true});
    if (s.layout->name != layout->name) s = tmor::map_joints(s, tmor::make_map(s.layout, layout));
    Video v{annotated.id, {}, annotated};
    v.truth.length /= units;
    for (auto& a : v.truth.spans) a.start /= units, a.end /= units;
    const double fps = static_cast<double>(s.frames) / v.truth.length;  // the video's own
    TMOR_CHECK_IO(fps >= 0.5 && fps <= 240, path, ": ", s.frames, " frames for ", v.truth.length,
                  " seconds of '", v.id, "': ", fps, " a second, want 0.5 to 240");
    v.poses = tmor::eval::at_rate(s, fps, rate);
    videos.push_back(std::move(v));
  }
  return videos;
}

/// What a text tower is told of the classes.
std::vector<std::vector<std::string>> class_prompts(const std::vector<std::string>& classes,
                                                    const std::string& path) {
  std::vector<std::vector<std::string>> prompts;
  if (!path.empty()) {
    const Json book = tmor::io::read_json(path);
    for (const auto& c : classes) {
      prompts.emplace_back();
      for (const auto& text : tmor::io::json_at<Json>(book, c, path))
        prompts.back().push_back(tmor::io::json_as<std::string>(text, path));
      TMOR_CHECK_IO(!prompts.back().empty(), path, ": no text for '", c, "'");
    }
    return prompts;
  }
  for (const auto& c : classes) {
    std::string name;
    for (const char letter : c)
      name += letter == '_' || letter == '.' || letter == '/' ? ' '
              : letter >= 'A' && letter <= 'Z'                ? static_cast<char>(letter - 'A' + 'a')
                                                              : letter;
    prompts.emplace_back();
    for (const char* t : {"{}", "a person doing {}", "someone is doing: {}"})
      prompts.back().push_back(tmor::fill_prompt(t, name));
  }
  return prompts;
}

/// Frames compared with the texts of the classes.
Json run_zero_shot(const VideoSet& set, const TriModel& m, const BenchmarkSettings& o) {
  TMOR_CHECK(m.net.text, "--init ", o.init, ": a model without text tower cannot do without training");
  const tmor::NoGrad guard;
  const auto classes =
      embed_classes(class_prompts(set.classes, o.prompts), m.bpe, m.net.config.text->context,
                    [&](const tmor::models::TextBatch<>& t) { return m.net.embed_texts(t, Context{}); });
  const auto encode = encoder_on(o.common.device, m.net.skeleton);
  std::vector<tmor::FrameScores> scores;
  tmor::train::Progress bar("predict", std::ssize(set.test));
  for (const auto& v : set.test) {
    const auto tokens = m.net.skeleton.project()(video_tokens(encode, m.net.skeleton.stride(), v, o));
    const auto cosines = tmor::matmul(tmor::l2_normalize(tokens), tmor::transpose(classes));
    const Index rows = set.protocol.steps > 0 ? set.protocol.steps : cosines.size(0);
    scores.push_back(
        {v.id, rows, tmor::eval::scores_at_rows(cosines, 1 / o.steps_per_second, v.truth.length, rows)});
    bar.update(std::ssize(scores));
  }
  if (!o.predictions.empty()) write_frame_scores(o.predictions, scores, set.protocol);
  Json r = tmor::eval::score_frames(set.protocol, set.truth, scores, true);
  r["model"] = "zero-shot: cosine of every frame token with the mean of each class's normalised prompts";
  r["n_test"] = set.test.size();
  r["init"] = o.init;
  report_detection(r, set, o, scores, false);
  return r;
}

/// Reads both sides, as far as the mode needs them.
VideoSet read_benchmark(const tmor::eval::Protocol& p, const BenchmarkSettings& o, const FrameBenchmark& b,
                        Index stride, std::vector<std::string>& missing,
                        std::vector<std::string>& json_kept) {
  if (o.poses.empty()) throw cli::UsageError("--poses is required, except with --score");
  VideoSet set;
  set.protocol = p;
  set.classes = class_names(p, o.data);
  set.poses = tmor::detail::cat("poses of ", o.poses, ", read as ", o.input.layout);
  set.split = p.title;
  set.truth = tmor::eval::test_timelines(p, o.data);
  std::vector<tmor::Timeline> train;
  if (o.mode == "supervised" || o.holdout > 0) train = tmor::eval::train_timelines(p, o.data);
  use_csv(set.truth, set.classes, o.csv, json_kept);
  use_csv(train, set.classes, o.csv, json_kept);
  refuse_missing(json_kept, o.allow_missing, "CSV", o.csv, "keeps what the JSON says of them");
  if (o.holdout > 0) {
    std::vector<tmor::Timeline> kept;
    set.truth.clear();
    for (std::size_t i = 0; i < train.size(); ++i)
      (static_cast<Index>(i) % o.holdout == o.holdout - 1 ? set.truth : kept).push_back(train[i]);
    train = std::move(kept);
    set.validation = true;
    set.split = tmor::detail::cat("validation: every ", o.holdout, "th training video of ", p.title);
    TMOR_CHECK(!set.truth.empty(), "--holdout ", o.holdout, " leaves no video to measure on");
  }
  if (o.mode != "supervised") train.clear();
  const tmor::data::PoseFolder folder(o.poses);
  set.units = b.in_frames ? o.fps : 1;
  const double rate = o.rate(stride);
  set.train = read_side(train, folder, o, set.units, rate, missing);
  set.test = read_side(set.truth, folder, o, set.units, rate, missing);
  refuse_missing(missing, o.allow_missing, "poses", o.poses, "leaves them out");
  return set;
}

}  // namespace

int detection_benchmark(int argc, char** argv, const std::string& what, BenchmarkSettings o,
                        const FrameBenchmark& b) {
  return cli::run([&] {
    cli::Program program(what);
    o.protocol = b.protocol;
    add_benchmark_options(program, o, b);
    add_detection_options(program, o);
    program.parse(argc, argv);
    const auto protocol = find_protocol(o.protocol, b.name + "-");
    TMOR_CHECK(protocol.frames, "--protocol ", o.protocol, ": a protocol of clips, not of frames");
    run_and_print(program, o.common, [&] {
      Json r;
      std::vector<std::string> missing, json_kept;
      if (!o.score.empty()) {
        const auto given = tmor::eval::parse_frame_scores(tmor::eval::read_text_or_gzip(o.score), o.score,
                                                          protocol.classes, protocol.steps);
        VideoSet set;
        set.classes = class_names(protocol, o.data);
        set.protocol = protocol;
        set.truth = tmor::eval::test_timelines(protocol, o.data);
        set.units = b.in_frames ? o.fps : 1;
        use_csv(set.truth, set.classes, o.csv, json_kept);
        refuse_missing(json_kept, o.allow_missing, "CSV", o.csv, "keeps what the JSON says of them");
        r = tmor::eval::score_frames(protocol, set.truth, given, o.allow_missing);
        report_detection(r, set, o, given, false);
      } else {
        std::optional<Pretrained> start;
        Index stride = 4;
        if (!o.init.empty()) {
          start = load_pretrained(o.init);
          o.input.streams = start->input.streams;
          o.input.layout = start->input.layout;
          o.input.dims = start->input.dims;
          o.normalise = o.input.dims == 2 ? "box" : "face";  // as pre-training does
          stride = start->encoder.stride();
        }
        if (o.mode == "zeroshot" && !(start && start->towers))
          throw cli::UsageError("--mode zeroshot needs --init, a tri-modal model with its text tower");
        auto set = read_benchmark(protocol, o, b, stride, missing, json_kept);
        r = o.mode == "zeroshot"
                ? run_zero_shot(set, *start->towers, o)
                : run_detection(set, o, start ? std::move(start->encoder) : SkeletonEncoder{},
                                o.online ? o.online_ahead : -1);
      }
      r["missing_poses"] = missing;
      if (!o.csv.empty()) r["csv"] = {{"folder", o.csv}, {"json_kept", json_kept}};
      print_frame_policies(r);
      return r;
    });
  });
}

}  // namespace task
