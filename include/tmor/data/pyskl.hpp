#pragma once
/// @file pyskl.hpp
/// Skeletons as PySKL and MMAction2 hand them on: one pickle {"split": {name: [frame_dir, ...]},
/// "annotations": [{"frame_dir", "label", "total_frames", "img_shape": (h, w), "keypoint": (M, T, V, C),
/// "keypoint_score": (M, T, V)}, ...]}. Read by io/pickle.hpp, which makes nothing but plain data.

#include <set>

#include "tmor/io/pickle.hpp"
#include "tmor/skeleton/sequence.hpp"

TMOR_BEGIN
namespace data {

struct PysklClip {
  std::string id;  ///< "frame_dir"
  Index label = 0;
  SkeletonSequence skeleton;  ///< coco17 in pixels, or ntu25 in metres
};

/// A file whose clips are made one at a time.
class Pyskl {
 public:
  std::map<std::string, std::vector<std::string>> splits;  ///< "xsub_train" and so on

  /// `threshold`: joints with a score not above it are missing. @throws IoError for what `io::Pickle`
  /// refuses, another shape of the data, an id given twice.
  Pyskl(io::Pickle pickle, std::string name, float threshold = 0.01f)
      : pickle_(std::move(pickle)), name_(std::move(name)), threshold_(threshold) {
    const auto& list = member(pickle_.root(), "annotations", name_);
    TMOR_CHECK_IO(list.is_list() && !list.items.empty(), name_, ": annotations: ", io::kind_name(list.kind),
                  ", not a list of clips");
    std::set<std::string> seen;
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      clips_.push_back(list.items[i]);
      const auto& id = text(*list.items[i], "frame_dir", place(i));
      TMOR_CHECK_IO(seen.insert(id).second, place(i), ": the clip '", id.substr(0, 80), "' is given twice");
    }
    if (const auto* split = pickle_.root().find("split")) {
      TMOR_CHECK_IO(split->kind == io::PickleValue::Kind::dict, name_,
                    ": split: ", io::kind_name(split->kind));
      for (std::size_t i = 0; i < split->items.size(); i += 2) {
        const auto &key = *split->items[i], &ids = *split->items[i + 1];
        TMOR_CHECK_IO(key.kind == io::PickleValue::Kind::text && ids.is_list(), name_,
                      ": split: names with lists expected");
        for (const auto* id : ids.items) {
          TMOR_CHECK_IO(id->kind == io::PickleValue::Kind::text && seen.count(id->text), name_, ": split '",
                        key.text.substr(0, 80), "' names a clip that is not annotated");
          splits[key.text].push_back(id->text);
        }
      }
    }
  }

  Index size() const { return std::ssize(clips_); }

  /// @throws IoError naming the clip for sizes that do not fit, an unknown number of joints, coordinates that
  /// are infinite or NaN.
  PysklClip clip(Index i) const {
    const auto& from = *clips_[static_cast<std::size_t>(i)];
    const std::string where = place(static_cast<std::size_t>(i));
    PysklClip c;
    c.id = text(from, "frame_dir", where);
    const auto& label = member(from, "label", where);
    TMOR_CHECK_IO(
        label.kind == io::PickleValue::Kind::integer && label.integer >= 0 && label.integer < 1 << 14, where,
        ": the label is no class number");
    c.label = label.integer;
    const auto& points = member(from, "keypoint", where);
    TMOR_CHECK_IO(points.kind == io::PickleValue::Kind::array && points.array.shape().rank() == 4, where,
                  ": keypoint: not an array (persons, frames, joints, coordinates)");
    const Shape& shape = points.array.shape();
    const bool flat = shape[2] == 17 && shape[3] == 2;
    TMOR_CHECK_IO(flat || (shape[2] == 25 && shape[3] == 3), where, ": keypoint ", shape,
                  ": neither 17 joints in 2-D nor 25 in 3-D");
    TMOR_CHECK_IO(shape[0] >= 1 && shape[1] >= 1, where, ": keypoint ", shape, ": nobody, or no frames");
    const auto xyz = points.array.convert_to<float>();
    auto s = SkeletonSequence::make(joint_layout(flat ? "coco17" : "ntu25"), shape[0], shape[1], shape[3]);
    std::copy(xyz.as<float>().begin(), xyz.as<float>().end(), s.xyz.begin());
    std::fill(s.valid.begin(), s.valid.end(), std::uint8_t{kObserved});
    if (const auto* scores = from.find("keypoint_score");
        scores && scores->kind == io::PickleValue::Kind::array) {
      TMOR_CHECK_IO(scores->array.shape() == (Shape{shape[0], shape[1], shape[2]}), where,
                    ": keypoint_score ", scores->array.shape(), " for keypoint ", shape);
      const auto score = scores->array.convert_to<float>();
      for (std::size_t k = 0; k < s.valid.size(); ++k)
        if (!(score.as<float>()[k] > threshold_)) s.valid[k] = kMissing;
    }
    s.zero_missing_();
    s.mark_zeros_missing_();
    if (const auto* size = from.find("img_shape");
        flat && size && size->is_list() && size->items.size() == 2) {
      s.height = static_cast<float>(size->items[0]->integer);
      s.width = static_cast<float>(size->items[1]->integer);
    }
    try {
      s.check(where);
    } catch (const Error& e) {
      tmor::detail::fail<IoError>(e.what());
    }
    c.skeleton = std::move(s);
    return c;
  }

 private:
  std::string place(std::size_t i) const { return tmor::detail::cat(name_, ": annotation ", i); }
  static const io::PickleValue& member(const io::PickleValue& of, const char* key, const std::string& where) {
    const auto* v = of.find(key);
    TMOR_CHECK_IO(v, where, ": the key '", key, "' is missing");
    return *v;
  }
  static const std::string& text(const io::PickleValue& of, const char* key, const std::string& where) {
    const auto& v = member(of, key, where);
    TMOR_CHECK_IO(v.kind == io::PickleValue::Kind::text && !v.text.empty(), where, ": ", key, ": no text");
    return v.text;
  }

  io::Pickle pickle_;
  std::string name_;
  float threshold_;
  std::vector<const io::PickleValue*> clips_;
};

/// @throws IoError
inline Pyskl read_pyskl(const std::string& path, float threshold = 0.01f) {
  return Pyskl(io::read_pickle(path), path, threshold);
}

}  // namespace data
TMOR_END
