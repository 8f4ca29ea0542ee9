#pragma once
/// @file uav_gesture.hpp
/// UAV-GESTURE (Perera, Law, Chahl, ECCVW 2018): 119 clips of 13 gestures, OpenPose joints in MATLAB files
/// `<root>/joint_positions/GESTURE/CLIP/CLIP.mat` with `pos_img` (2, 18, T) in pixels of a 1920 x 1080 video,
/// and three lists of training and test clips `<root>/splits/GESTURE_{train,test}_splitN.txt`.

#include <set>

#include "tmor/data/class_names.hpp"
#include "tmor/data/clip_files.hpp"
#include "tmor/io/mat5.hpp"
#include "tmor/skeleton/sequence.hpp"

TMOR_BEGIN
namespace data {

inline const ClassNames& uav_gestures() {
  static const ClassNames names(
      {"all_clear", "have_command", "hover", "land", "landing_direction", "move_ahead", "move_downward",
       "move_to_left", "move_to_right", "move_upward", "not_clear", "slow_down", "wave_off"},
      "UAV-GESTURE");
  return names;
}

struct UavGestureClip {
  std::string id;  ///< "S11_hover_HD"
  int subject = 0, label = 0;
  SkeletonSequence skeleton;  ///< layout openpose18, one person, pixels; joints at (0, 0) are missing
};

/// @throws IoError naming the file for a variable of another shape, or coordinates that are infinite or NaN.
inline SkeletonSequence parse_uav_gesture_pose(std::string_view bytes, const std::string& name) {
  constexpr Index kJoints = 18;
  const auto variables = io::parse_mat5(bytes, name, {.max_bytes = std::size_t{1} << 26, .max_values = 1000});
  const auto it = variables.find("pos_img");
  TMOR_CHECK_IO(it != variables.end() && it->second.kind == io::MatValue::Kind::array, name,
                ": the variable 'pos_img' is missing or no array");
  const auto a = it->second.array.convert_to<double>();
  const bool one = a.shape() == Shape{2, kJoints};  // MATLAB drops a last dimension of 1
  TMOR_CHECK_IO(
      one || (a.shape().rank() == 3 && a.shape()[0] == 2 && a.shape()[1] == kJoints && a.shape()[2] >= 1),
      name, ": 'pos_img' has the shape ", a.shape(), ", not (2, 18, T)");
  const Index frames = one ? 1 : a.shape()[2];
  auto s = SkeletonSequence::make(joint_layout("openpose18"), 1, frames, 2);
  s.width = 1920, s.height = 1080;
  const auto from = a.as<double>();
  for (Index c = 0; c < 2; ++c)
    for (Index v = 0; v < kJoints; ++v)
      for (Index t = 0; t < frames; ++t) {
        const auto x = static_cast<float>(from[static_cast<std::size_t>((c * kJoints + v) * frames + t)]);
        TMOR_CHECK_IO(is_finite(x), name, ": frame ", t, ", joint ", v, ": a coordinate is infinite or NaN");
        s.point(0, t, v)[c] = x;
        *s.state(0, t, v) = kObserved;
      }
  s.mark_zeros_missing_();
  return s;
}

/// The subject of "S11_hover_HD". @throws IoError beginning with `where`
inline int uav_gesture_subject(std::string_view id, const std::string& where) {
  const auto end = id.find('_');
  TMOR_CHECK_IO(id.starts_with('S') && end != id.npos, where, ": the name '", id.substr(0, 80),
                "' does not begin as S11_");
  return static_cast<int>(io::parse_integer(id.substr(1, end - 1), 1, 99, "the subject", where));
}

struct UavGestureDataset {
  std::vector<UavGestureClip> clips;  ///< by gesture, then id
  std::vector<std::string> skipped;   ///< why a file was left out; empty when strict
};

/// @throws IoError for a folder without clips, a gesture that there is not, a file that cannot be read (when
/// not strict, such files are listed instead).
inline UavGestureDataset read_uav_gesture(const std::string& root, bool strict = true) {
  const std::string poses = root + "/joint_positions";
  std::vector<std::string> files;
  for (const auto& gesture : io::list_directory(poses)) {
    uav_gestures().at(gesture, poses);
    for (const auto& clip : io::list_directory(poses + "/" + gesture))
      files.push_back(poses + "/" + gesture + "/" + clip + "/" + clip + ".mat");
  }
  TMOR_CHECK_IO(!files.empty(), "no clip in '", poses,
                "': give the folder of UAV-GESTURE that holds 'joint_positions'");
  UavGestureDataset out;
  detail::read_clips(
      files, strict,
      [](const std::string& file) {
        UavGestureClip c;
        c.id = file.substr(file.rfind('/') + 1);
        c.id.resize(c.id.size() - 4);
        const auto middle = file.rfind('/', file.rfind('/') - 1), first = file.rfind('/', middle - 1);
        c.label = static_cast<int>(uav_gestures().at(file.substr(first + 1, middle - first - 1), file));
        c.subject = uav_gesture_subject(c.id, file);
        c.skeleton = parse_uav_gesture_pose(io::read_file(file, std::size_t{1} << 26), file);
        return c;
      },
      out.clips, out.skipped);
  return out;
}

/// Ids of one side of official split 1, 2 or 3, over all gestures. @throws IoError for a missing list or an
/// id given twice.
inline std::set<std::string> read_uav_gesture_split(const std::string& root, int split, bool test) {
  std::set<std::string> ids;
  for (const auto& gesture : uav_gestures().names()) {
    const std::string path =
        tmor::detail::cat(root, "/splits/", gesture, test ? "_test" : "_train", "_split", split, ".txt");
    const std::string text = io::read_file(path, std::size_t{1} << 20);
    for (io::WordReader in(text, path); in.more();) {
      const std::string id(in.word("a clip"));
      if (!ids.insert(id).second) in.fail("the clip '", id, "' is given twice");
    }
  }
  return ids;
}

}  // namespace data
TMOR_END
