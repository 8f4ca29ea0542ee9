#pragma once
/// @file pose_file.hpp
/// Poses of a video in whatever file an estimator or a conversion left them: JSON (data/pose_json.hpp), or an
/// array in .npy or .npz, (T, V, C) or (M, T, V, C); and the files of a folder found by the id of the video
/// in their names ("results_P02T01C06_lcrnet+v3d.json", "P11T13C03_LCRNet2d.npz", "001YG.npy").

#include <map>
#include <vector>

#include "tmor/data/pose_json.hpp"
#include "tmor/io/npz.hpp"

TMOR_BEGIN
namespace data {

/// An array of poses. The last dimension is x, y; or x, y and a score, or x, y, z where `options.channels` is
/// 3. Joints at exactly zero, and those with a score not above the threshold, are missing.
/// @throws IoError naming `where` for another shape, other numbers than floats, coordinates that are not
/// finite, too many of them.
inline SkeletonSequence poses_of_array(const io::Array& array, const std::string& layout,
                                       const PoseOptions& options, const std::string& where) {
  const Shape shape = array.shape();
  const bool many = shape.rank() == 4;
  TMOR_CHECK_IO(many || shape.rank() == 3, where, ": an array ", shape, ", want (T, V, C) or (M, T, V, C)");
  const Index persons = many ? shape[0] : 1, frames = shape[many ? 1 : 0], joints = shape[many ? 2 : 1],
              numbers = shape[many ? 3 : 2], channels = options.channels;
  const auto to = joint_layout(layout);
  TMOR_CHECK_IO(joints == to->size() && persons >= 1 && persons <= 100 && frames >= 1 &&
                    frames <= kMaxSequenceValues / persons / joints / 3 &&
                    (numbers == 3 || (numbers == 2 && channels == 2)),
                where, ": an array ", shape, ", want at most 100 persons, ", to->size(), " joints of ",
                layout, ", and ", channels, " coordinates", channels == 2 ? ", or 3 with the score" : "");
  TMOR_CHECK_IO(array.dtype() == DType::f32 || array.dtype() == DType::f64 || array.dtype() == DType::f16,
                where, ": numbers of the type ", dtype_name(array.dtype()), ", want floats");
  const auto values = array.convert_to<float>();
  const float* from = values.as<float>().data();
  auto s = SkeletonSequence::make(to, std::min(persons, options.persons), frames, channels);
  s.fps = options.fps, s.width = options.width, s.height = options.height;
  for (Index i = 0; i < s.persons * frames * joints; ++i, from += numbers) {
    for (Index c = 0; c < numbers; ++c)
      TMOR_CHECK_IO(is_finite(from[c]), where, ": frame ", i / joints % frames, ", joint ", i % joints,
                    ": a number that is infinite or NaN");
    if (channels == 2 && numbers == 3 && !(from[2] > options.threshold)) continue;
    std::copy_n(from, channels, s.xyz.data() + i * channels);
    s.valid[static_cast<std::size_t>(i)] = kObserved;
  }
  s.mark_zeros_missing_();
  return s;
}

/// The poses in one file, by its ending; of an .npz its only array, or "kpts". `layout` names the joints of
/// arrays, which do not say. @throws IoError
inline SkeletonSequence read_pose_file(const std::string& path, const std::string& layout,
                                       const PoseOptions& options = {}) {
  if (path.ends_with(".npy"))
    return poses_of_array(io::read_npy(path, options.max_bytes), layout, options, path);
  if (path.ends_with(".npz")) {
    const io::Npz npz(path);
    const auto names = npz.names();
    const std::string name = names.size() == 1 ? names[0] : "kpts";
    TMOR_CHECK_IO(npz.contains(name), path, ": ", names.size(), " arrays, none of them 'kpts'");
    return poses_of_array(npz.array(name, options.max_bytes), layout, options, path + ": " + name);
  }
  return read_pose_json(path, options);
}

/// Which file of a folder holds the poses of which video.
class PoseFolder {
 public:
  /// @throws IoError when it cannot be read.
  explicit PoseFolder(const std::string& folder) : folder_(folder) {
    for (const auto& name : io::list_directory(folder)) {
      if (!name.ends_with(".json") && !name.ends_with(".npy") && !name.ends_with(".npz")) continue;
      const auto stem = name.substr(0, name.rfind('.'));
      std::string word;
      for (const char c : stem + " ") {
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
          word += c;
        } else if (!word.empty()) {
          files_[word].push_back(name);
          word.clear();
        }
      }
    }
  }
  /// The path of the file with `id` as a word of its name; "" when there is none. @throws IoError for
  /// several.
  std::string find(const std::string& id) const {
    const auto it = files_.find(id);
    if (it == files_.end()) return "";
    TMOR_CHECK_IO(it->second.size() == 1, folder_, ": two files with poses of '", id, "': ", it->second[0],
                  " and ", it->second[1]);
    return folder_ + "/" + it->second[0];
  }

 private:
  std::string folder_;
  std::map<std::string, std::vector<std::string>> files_;  // by the words of their names
};

}  // namespace data
TMOR_END
