/// Poses that never were, for every video of a protocol's annotations, in the file formats of real ones: a
/// person stands, sways and is lost at times; while an action of class c is annotated, one joint leaves its
/// place in a direction and at a pace of the class's own. A network that is trained on them must find the
/// actions: a check of the programs on the real lists at the real durations, never a result.
///
///     build/examples/plant_poses --data DIR --protocol tsu-cs --poses /tmp/poses --format lcrnet
///     build/examples/tsu --data DIR --poses /tmp/poses --protocol cs --json

#include <cmath>

#include "common/protocols.hpp"
#include "tmor/core/rng.hpp"
#include "tmor/eval/score.hpp"
#include "tmor/io/npy.hpp"
#include "tmor/skeleton/sequence.hpp"
#include "tmor/train/progress.hpp"

using namespace tmor;

namespace {

struct Place {
  const char* joint;
  float x, y;
};
constexpr Place kStance[] = {{"head", 0, -85},           {"nose", 0, -80},
                             {"left_eye", 4, -84},       {"right_eye", -4, -84},
                             {"left_ear", 9, -82},       {"right_ear", -9, -82},
                             {"left_shoulder", 20, -60}, {"right_shoulder", -20, -60},
                             {"left_elbow", 28, -30},    {"right_elbow", -28, -30},
                             {"left_wrist", 30, -2},     {"right_wrist", -30, -2},
                             {"left_hip", 12, 0},        {"right_hip", -12, 0},
                             {"left_knee", 13, 45},      {"right_knee", -13, 45},
                             {"left_ankle", 14, 90},     {"right_ankle", -14, 90}};
constexpr const char* kMoved[] = {"left_wrist", "right_wrist", "left_elbow", "right_elbow",
                                  "left_knee",  "right_knee",  "left_ankle", "right_ankle"};
constexpr double kPi = 3.14159265358979323846;

/// What a class does: a joint, a direction of six or seven, a pace.
struct Pattern {
  const char* joint;
  double angle, hertz;
  explicit Pattern(Index c)
      : joint(kMoved[c % 8]),
        angle(kPi / 3.5 * static_cast<double>(c / 8 % 7)),
        hertz(0.4 + 0.7 * static_cast<double>(c / 56)) {}
};

/// Pixels of a 640 x 480 video; nobody is seen in a share of the frames.
SkeletonSequence poses_of(const Timeline& video, Index frames, double seconds, const LayoutPtr& layout,
                          double lost, Rng rng) {
  auto s = SkeletonSequence::make(layout, 1, frames, 2);
  std::vector<std::uint8_t> state(static_cast<std::size_t>(frames), 1);
  for (Index t = 0; t < frames;) {
    const Index n = 20 + rng.uniform_int(180);
    const bool seen = !rng.bernoulli(lost);
    for (Index k = t; k < std::min(frames, t + n); ++k) state[static_cast<std::size_t>(k)] = seen;
    t += n;
  }
  std::vector<float> dx(static_cast<std::size_t>(frames * layout->size())), dy = dx;
  for (const auto& a : video.spans) {
    const Pattern p(a.action);
    const Index v = layout->find(p.joint);
    if (v < 0) continue;
    const double per_frame = video.length / static_cast<double>(frames);
    for (Index t = std::max<Index>(0, static_cast<Index>(a.start / per_frame)); t < frames; ++t) {
      const double at = static_cast<double>(t) * per_frame;
      if (at >= a.end) break;
      if (at <= a.start) continue;
      const double reach = 30 + 15 * std::sin(2 * kPi * p.hertz * static_cast<double>(t) /
                                              static_cast<double>(frames) * seconds);
      const auto i = static_cast<std::size_t>(t * layout->size() + v);
      dx[i] = static_cast<float>(reach * std::cos(p.angle));
      dy[i] = static_cast<float>(reach * std::sin(p.angle));
    }
  }
  const double phase = rng.uniform(0, 6), size = rng.uniform(0.8, 1.2);
  for (Index t = 0; t < frames; ++t) {
    if (!state[static_cast<std::size_t>(t)]) continue;
    const double at = static_cast<double>(t) / static_cast<double>(frames) * seconds;
    const double x = 320 + 120 * std::sin(0.05 * at + phase), y = 240 + 30 * std::sin(0.11 * at + phase);
    for (Index v = 0; v < s.joints; ++v)
      for (const Place& p : kStance) {
        if (layout->joints[static_cast<std::size_t>(v)] != p.joint) continue;
        const auto i = static_cast<std::size_t>(t * s.joints + v);
        *s.state(0, t, v) = kObserved;
        s.point(0, t, v)[0] =
            static_cast<float>(x + size * static_cast<double>(p.x + dx[i]) + rng.uniform(-1, 1));
        s.point(0, t, v)[1] =
            static_cast<float>(y + size * static_cast<double>(p.y + dy[i]) + rng.uniform(-1, 1));
      }
  }
  return s;
}

void add(std::string& text, float value) { text += std::to_string(std::lround(value)); }

/// LCR-Net's JSON: coordinate-major, [] where nobody is seen.
std::string lcrnet_text(const SkeletonSequence& s) {
  std::string text = R"({"K": 100, "njts": 13, "frames": [)";
  for (Index t = 0; t < s.frames; ++t) {
    text += t ? ", [" : "[";
    if (*s.state(0, t) != kMissing) {
      text += R"({"cumscore": 1, "pose2d": [)";
      for (Index c = 0; c < 2; ++c)
        for (Index v = 0; v < s.joints; ++v) {
          if (c + v > 0) text += ',';
          add(text, s.point(0, t, v)[c]);
        }
      text += "]}";
    }
    text += "]";
  }
  return text + "]}\n";
}

/// COCO's results, an image a frame; those without anybody stand in the list of images alone.
std::string coco_text(const SkeletonSequence& s) {
  std::string text = R"({"images": [)";
  for (Index t = 0; t < s.frames; ++t) text += detail::cat(t ? "," : "", "{\"id\":", t, "}");
  text += R"(], "annotations": [)";
  bool first = true;
  for (Index t = 0; t < s.frames; ++t) {
    if (*s.state(0, t) == kMissing) continue;
    text += detail::cat(first ? "" : ",\n", "{\"image_id\":", t, ",\"score\":1,\"keypoints\":[");
    for (Index v = 0; v < s.joints; ++v) {
      if (v) text += ',';
      add(text, s.point(0, t, v)[0]);
      text += ',';
      add(text, s.point(0, t, v)[1]);
      text += ",1";
    }
    text += "]}";
    first = false;
  }
  return text + "]}\n";
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program("Writes generated poses with a planted pattern for every video of a protocol.");
    cli::Common common;
    std::string data, protocol, out, csv, format = "lcrnet";
    double fps = 25, lost = 0.15;
    Index every = 1;
    program.option("--data", data, "folder of the official annotations").required();
    program.option("--protocol", protocol, "name of a file of examples/protocols without .json, or a path")
        .required();
    program.option("--poses", out, "folder to write to").required();
    program.choice("--format", format, {"lcrnet", "coco", "npy"}, "of the files");
    program.option(
        "--csv", csv,
        "folder with the annotations of each video as TSU has them, ID.csv, in place of the protocol's; "
        "videos without one keep those");
    program.option("--fps", fps, "frames a second; annotations in frames have one pose a frame")
        .check(cli::in_range(1.0, 240.0));
    program.option("--lost", lost, "share of stretches in which nobody is seen")
        .check(cli::in_range(0.0, 1.0));
    program.option("--every", every, "write every n-th video only").check(cli::at_least<Index>(1));
    program.add(common, false);
    program.parse(argc, argv);

    const auto p = eval::read_protocol(
        protocol.ends_with(".json") ? protocol : TMOR_EXAMPLES "/protocols/" + protocol + ".json");
    const bool in_frames = p.name.starts_with("tsu");
    auto videos = eval::train_timelines(p, data);
    for (auto& t : eval::test_timelines(p, data)) videos.push_back(std::move(t));
    std::vector<std::string> json_kept;
    task::use_csv(videos, task::class_names(p, data), csv, json_kept);
    task::refuse_missing(json_kept, true, "CSV", csv, "");
    io::make_directories(out);
    const auto layout = joint_layout(format == "lcrnet" ? "lcrnet13" : "coco17");
    train::Progress bar("write", std::ssize(videos));
    Index written = 0, frames_written = 0;
    for (std::size_t i = 0; i < videos.size(); i += static_cast<std::size_t>(every)) {
      const auto& v = videos[i];
      const double seconds = in_frames ? v.length / fps : v.length;
      const Index frames = std::max<Index>(1, std::lround(seconds * fps));
      const auto s = poses_of(v, frames, seconds, layout, lost, Rng(common.seed).fork(i));
      const std::string path = out + "/" + v.id;
      if (format == "npy") {
        io::Array a(DType::f32, {frames, s.joints, 2});
        std::copy(s.xyz.begin(), s.xyz.end(), a.as<float>().begin());
        io::write_npy(path + ".npy", a);
      } else {
        io::write_atomic(path + ".json", format == "lcrnet" ? lcrnet_text(s) : coco_text(s));
      }
      ++written;
      frames_written += frames;
      bar.update(static_cast<Index>(i) + 1);
    }
    cli::print_result({{"videos", written}, {"frames", frames_written}, {"format", format}}, common.json);
  });
}
