#pragma once
/// @file penn_action.hpp
/// Penn Action (Zhang, Zhu, Derpanis, "From Actemes to Action", ICCV 2013): 2326 clips of 15 actions with 13
/// joints annotated by hand. Reads the official layout, `<root>/labels/NNNN.mat`, any subset of the clips;
/// the official split is in each file. Frames (images) are not needed.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tmor/core/finite.hpp"
#include "tmor/core/suggest.hpp"
#include "tmor/data/clip_files.hpp"
#include "tmor/io/mat5.hpp"
#include "tmor/skeleton/sequence.hpp"

TMOR_BEGIN
namespace data {

/// The 15 classes as the files name them, sorted: a clip's label is the position here.
inline const std::vector<std::string>& penn_actions() {
  static const std::vector<std::string> names{
      "baseball_pitch", "baseball_swing",  "bench_press", "bowl",   "clean_and_jerk", "golf_swing",
      "jump_rope",      "jumping_jacks",   "pullup",      "pushup", "situp",          "squat",
      "strum_guitar",   "tennis_forehand", "tennis_serve"};
  return names;
}

/// One clip of T frames.
struct PennClip {
  std::string id;      ///< file name without ".mat", such as "0001"
  std::string action;  ///< one of `penn_actions()`
  int label = 0;       ///< its position there
  bool train = false;  ///< official split
  std::string view;    ///< "front", "back", "left" or "right"
  Index height = 0, width = 0, frames = 0;
  io::Array joints;      ///< (T, 13, 2) float32, pixels, x then y; order of layout penn13. Those not
                         ///< visible hold the annotators' guess or the corner (0 to 1.5)
  io::Array visibility;  ///< (T, 13) bool
  io::Array boxes;       ///< (T, 4) float32, pixels, x1 y1 x2 y2; a missing last row repeats the one before
  bool box_padded = false;  ///< that was necessary

  /// Hidden joints at most so far from the image's corner in x and in y mean "nowhere": the files hold 0, or 1
  /// times the scale of the frames, which is 1.5 at most, and no guess below 40.
  static constexpr float kCorner = 1.75f;

  /// Layout penn13, one person, pixels. A joint that is not visible gets the state `hidden`; kMissing also
  /// drops its coordinates. One that sits in the image's corner is no guess, but missing.
  SkeletonSequence sequence(JointState hidden = kImputed) const {
    SkeletonSequence s = SkeletonSequence::make(joint_layout("penn13"), 1, frames, 2);
    s.width = static_cast<float>(width), s.height = static_cast<float>(height);
    const auto xy = joints.as<float>();
    const auto seen = visibility.as<bool>();
    for (std::size_t i = 0; i < seen.size(); ++i) {
      const bool corner = xy[2 * i] <= kCorner && xy[2 * i + 1] <= kCorner;
      s.valid[i] = seen[i] ? kObserved : corner ? kMissing : hidden;
    }
    std::copy(xy.begin(), xy.end(), s.xyz.begin());
    s.zero_missing_();
    return s;
  }
};

struct PennOptions {
  bool strict = true;  ///< a file that cannot be read is an error; else it is left out and listed
};

struct PennDataset {
  std::vector<PennClip> clips;       ///< sorted by id
  std::vector<std::string> skipped;  ///< why a file was left out, one message each; empty when strict
};

namespace detail {

/// The variables of one label file, with errors that name it.
class PennFile {
 public:
  explicit PennFile(const std::string& path) : path_(path), variables_(io::read_mat5(path, kCaps)) {}

  PennClip clip() const {
    PennClip c;
    const auto slash = path_.rfind('/') + 1;
    c.id = path_.substr(slash, path_.size() - slash - 4);
    c.action = text("action");
    c.view = text("pose");
    const auto& names = penn_actions();
    const auto name = std::lower_bound(names.begin(), names.end(), c.action);
    if (name == names.end() || *name != c.action) {
      bad("unknown action '", c.action, "': did you mean '", nearest_name(c.action, names), "'?");
    }
    c.label = static_cast<int>(name - names.begin());
    const double train = scalar("train");
    if (train != 1 && train != -1) bad("'train' is ", train, ", not 1 or -1");
    c.train = train == 1;
    read_poses(c);
    read_boxes(c);
    return c;
  }

 private:
  static constexpr io::Mat5Options kCaps{.max_bytes = std::size_t{1} << 26, .max_values = 1000};
  static constexpr Index kJoints = 13;

  template <class... A> [[noreturn]] void bad(const A&... parts) const {
    tmor::detail::fail<IoError>(path_, ": ", parts...);
  }
  const io::MatValue& variable(const char* name, io::MatValue::Kind kind, const char* what) const {
    const auto it = variables_.find(name);
    if (it == variables_.end() || it->second.kind != kind)
      bad("the variable '", name, "' is missing or no ", what);
    return it->second;
  }
  const std::string& text(const char* name) const {
    return variable(name, io::MatValue::Kind::text, "text").text;
  }
  /// As double, finite.
  io::Array numbers(const char* name) const {
    auto a = variable(name, io::MatValue::Kind::array, "array").array.convert_to<double>();
    for (double v : a.as<double>())
      if (!is_finite(v)) bad("'", name, "' holds an infinity or NaN");
    return a;
  }
  double scalar(const char* name) const {
    const auto a = numbers(name);
    if (a.numel() != 1) bad("'", name, "' has the shape ", a.shape(), ", not one value");
    return a.as<double>()[0];
  }

  void read_poses(PennClip& c) const {
    const io::Array x = numbers("x"), y = numbers("y"), seen = numbers("visibility"),
                    size = numbers("dimensions");
    c.frames = x.shape()[0];
    const Shape shape{c.frames, kJoints};
    if (c.frames < 1 || x.shape() != shape || y.shape() != shape || seen.shape() != shape) {
      bad("x, y and visibility have the shapes ", x.shape(), ", ", y.shape(), ", ", seen.shape(),
          ", not (T, 13)");
    }
    if (size.numel() != 3) bad("'dimensions' is not height, width, frames");
    const auto d = size.as<double>();
    if (!(d[0] >= 1 && d[0] <= 1e5 && d[1] >= 1 && d[1] <= 1e5))
      bad("an image of ", d[1], " x ", d[0], " pixels");
    c.height = static_cast<Index>(d[0]);
    c.width = static_cast<Index>(d[1]);
    const auto count = static_cast<double>(c.frames);
    if (d[2] != count || scalar("nframes") != count) {
      bad("x has ", c.frames, " rows, 'dimensions' says ", d[2], " frames and 'nframes' ", scalar("nframes"));
    }
    c.visibility = seen.convert_to<bool>();
    c.joints = io::Array(DType::f32, {c.frames, kJoints, 2});
    const auto to = c.joints.as<float>();
    for (std::size_t i = 0; i < to.size() / 2; ++i) {
      to[2 * i] = static_cast<float>(x.as<double>()[i]);
      to[2 * i + 1] = static_cast<float>(y.as<double>()[i]);
    }
  }

  void read_boxes(PennClip& c) const {
    const io::Array boxes = numbers("bbox");
    const Index rows = boxes.shape()[0];
    // Clips 1154 and 1865 have one box fewer than frames.
    const bool fits =
        rows >= 1 && (rows == c.frames || rows == c.frames - 1) && boxes.shape() == Shape{rows, 4};
    if (!fits) bad("'bbox' has the shape ", boxes.shape(), " for ", c.frames, " frames, not (T, 4)");
    c.box_padded = rows < c.frames;
    c.boxes = io::Array(DType::f32, {c.frames, 4});
    const auto from = boxes.as<double>();
    const auto to = c.boxes.as<float>();
    for (std::size_t i = 0; i < to.size(); ++i) {
      to[i] = static_cast<float>(from[i < from.size() ? i : i - 4]);
    }
  }

  std::string path_;
  std::map<std::string, io::MatValue> variables_;
};

}  // namespace detail

/// One label file. @throws IoError naming it.
inline PennClip read_penn_clip(const std::string& path) { return detail::PennFile(path).clip(); }

/// Every `<root>/labels/*.mat`, read in parallel.
/// @throws IoError when there is none; when strict, for the first file by name that cannot be read.
inline PennDataset read_penn_action(const std::string& root, const PennOptions& options = {}) {
  const auto files = detail::clip_files(
      root + "/labels", ".mat",
      "give the folder of Penn Action that holds 'labels', with the label files unpacked in it");
  PennDataset out;
  detail::read_clips(files, options.strict, read_penn_clip, out.clips, out.skipped);
  return out;
}

}  // namespace data
TMOR_END
