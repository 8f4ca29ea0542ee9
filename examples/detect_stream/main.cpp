/// Detects actions while they happen: frames of poses go in one at a time, the classes' probabilities come
/// out with a stated delay. Here the frames are those of a file.
///
///     build/examples/detect_stream --detector runs/tsu/detector.safetensors --poses video.npz --joints
///     coco17 --json
///
/// The same video is then read offline, with the same windows (which must give the same bits) and with full
/// windows, which see as much behind a step as before it; how far the live result is from that is printed.

#include <sys/resource.h>

#include <cmath>
#include <optional>

#include "common/detector_file.hpp"
#include "tmor/data/pose_file.hpp"
#include "tmor/data/tsu.hpp"
#include "tmor/train/progress.hpp"

using namespace tmor;

namespace {

double processor_seconds() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  const auto s = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return s(u.ru_utime) + s(u.ru_stime);
}
double peak_mib() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_maxrss) / 1024;
}

/// One way to read the video.
struct Reading {
  Tensor<> logits;
  double seconds = 0;  ///< of the processor
};

struct Reader {
  const task::DetectorFile& f;
  const SkeletonSequence& poses;
  double fps;

  Index stride() const { return f.detector.encoder.stride(); }
  const models::TcnConfig& head;
  const task::Encode& encode;

  /// Frame by frame; `said` hears of every step the moment it is known.
  template <class Said> Reading live(const eval::StreamOptions& o, Said&& said) const {
    const double start = processor_seconds();
    eval::TokenStream tokens(poses, stride(), o, task::window_encoder(encode, f.settings));
    eval::HeadStream head_stream([this](const Tensor<>& x) { return f.detector.head(x); }, head);
    std::vector<Tensor<>> parts;
    const auto keep = [&](const Tensor<>& y, Index frame) {
      if (!y.defined()) return;
      said(y, frame);
      parts.push_back(y);
    };
    for (Index t = 0; t < poses.frames; ++t) keep(head_stream.push(tokens.push(poses, t)), t);
    keep(head_stream.push(tokens.finish()), poses.frames - 1);
    keep(head_stream.finish(), poses.frames - 1);
    const NoGrad guard;
    return {concat(parts, 0), processor_seconds() - start};
  }
  /// The sequence brought to the encoder's rate first, the head on all tokens at once.
  Reading whole(eval::StreamOptions o) const {
    const double start = processor_seconds();
    const auto s = eval::at_rate(poses, o.fps, o.rate);
    o.fps = o.rate;
    const auto tokens = eval::stream_tokens(s, stride(), o, task::window_encoder(encode, f.settings));
    return {f.detector.head(tokens), processor_seconds() - start};
  }
};

/// The mean difference of probabilities.
double difference(const Tensor<>& a, const Tensor<>& b) {
  const auto x = a.to_vector(), y = b.to_vector();
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    sum += std::fabs(1 / (1 + std::exp(-static_cast<double>(x[i]))) -
                     1 / (1 + std::exp(-static_cast<double>(y[i]))));
  return sum / static_cast<double>(x.size());
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program("Detects actions in a stream of poses, as a live camera would give them.");
    cli::Common common;
    std::string detector, path, joints = "lcrnet13", annotations, id;
    double fps = 25, threshold = 0.5;
    Index ahead = 0, hop = 0;
    bool quiet = false;
    program.option("--detector", detector, "detector.safetensors of a run of tsu, charades or utkinect")
        .required();
    program.option("--poses", path, "poses of the video: .json, .npz or .npy").required();
    program.option("--joints", joints, "layout of poses in arrays");
    program.option("--fps", fps, "frames a second").check(cli::in_range(0.1, 1000.0));
    program.option("--ahead", ahead, "frames of a window that are waited for, at the detector's rate")
        .check(cli::at_least<Index>(0));
    program
        .option("--hop", hop,
                "frames from one window to the next, at the detector's rate; 0: the detector's own")
        .check(cli::at_least<Index>(0));
    program.option("--threshold", threshold, "probability from which an action is told")
        .check(cli::in_range(0.0, 1.0));
    program.flag("--quiet", quiet, "tell the result only");
    program.option("--annotations", annotations,
                   "of this one video, for its frame mAP: TSU's .csv, or JSON of its form, in frames");
    program.option("--id", id, "the video in the JSON");
    common.gpu = task::check_gpu;
    program.add(common, false);
    program.parse(argc, argv);

    const auto f = task::load_detector(detector);
    const auto layout = joint_layout(f.settings.input.layout);
    auto poses = data::read_pose_file(path, joints, {.channels = f.settings.input.dims});
    if (poses.layout->name != layout->name) poses = map_joints(poses, make_map(poses.layout, layout));
    const auto config = f.detector.head.head.config();
    const auto encode = task::encoder_on(common.device, f.detector.encoder);
    const Reader reader{f, poses, fps, models::streamable(config), encode};
    const Index stride = reader.stride();
    const auto full = f.settings.stream(fps, stride);
    auto online = full;
    online.ahead = ahead;
    if (hop > 0) online.hop = hop;
    const double delay = eval::stream_delay(online, stride, reader.head.causal ? 0 : reader.head.reach());
    std::fprintf(stderr, "%lld frames, %.0f s; steps are told at most %.2f s late\n",
                 static_cast<long long>(poses.frames), static_cast<double>(poses.frames) / fps, delay);

    const Index classes = std::ssize(f.classes);
    std::vector<bool> on(f.classes.size());
    Index step = 0;
    const auto live = reader.live(online, [&](const Tensor<>& y, Index frame) {
      const auto v = y.to_vector();
      for (Index r = 0; r < y.size(0); ++r, ++step)
        for (Index c = 0; c < classes; ++c) {
          const double p =
              1 / (1 + std::exp(-static_cast<double>(v[static_cast<std::size_t>(r * classes + c)])));
          const auto i = static_cast<std::size_t>(c);
          if (!quiet && on[i] != (p >= threshold))
            std::fprintf(stderr, "%8.1f s  (at %8.1f s)  %s %s %.2f\n",
                         static_cast<double>(step) / f.settings.steps_per_second,
                         static_cast<double>(frame) / fps, f.classes[i].c_str(), on[i] ? "ends" : "begins",
                         p);
          on[i] = p >= threshold;
        }
    });
    const double live_mib = peak_mib();
    const auto same = reader.whole(online), complete = reader.whole(full);
    const bool equal = same.logits.to_vector() == live.logits.to_vector();

    const double seconds = static_cast<double>(poses.frames) / fps;
    cli::Json r{{"frames", poses.frames},
                {"seconds", seconds},
                {"steps", live.logits.size(0)},
                {"delay_seconds", delay},
                {"equals_offline", equal},
                {"times_real_time", seconds / live.seconds},
                {"full_window_times_real_time", seconds / complete.seconds},
                {"peak_mib", live_mib},
                {"difference_from_full_window", difference(live.logits, complete.logits)}};
    if (!annotations.empty()) {
      std::optional<Timeline> t;
      if (annotations.ends_with(".csv")) {
        t = {id, static_cast<double>(poses.frames),
             data::read_tsu_csv(annotations, data::ClassNames(f.classes, detector))};
      } else {
        const auto set = data::read_annotations(annotations, classes);
        for (const auto* side : {&set.train, &set.test})
          for (const auto& video : *side)
            if (video.id == id) t = video;
      }
      TMOR_CHECK(t, "--id ", id, ": no such video in ", annotations);
      const auto map = [&](const Tensor<>& logits) {
        const std::vector<Timeline> truth{*t};
        const std::vector<FrameScores> scores{
            {id, logits.size(0),
             eval::scores_at_rows(logits, 1 / f.settings.steps_per_second, seconds, logits.size(0))}};
        return frame_map(truth, scores, classes, frame_map_policy("tsu")).map;
      };
      r["map_online"] = map(live.logits);
      r["map_full_window"] = map(complete.logits);
    }
    std::fprintf(stderr, "%s\n", r.dump(2).c_str());
    cli::print_result(r, common.json);
    TMOR_CHECK(equal, "the stream differs from the same windows read offline");
  });
}
