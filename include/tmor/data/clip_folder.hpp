#pragma once
/// @file clip_folder.hpp
/// A data set of trimmed clips of one's own, as a folder: `clips.json`, which says what there is, and
/// `clips/ID.safetensors`, a file a clip with `xyz` float32 (M, T, V, C) and, where joints may be missing,
/// `valid` uint8 (M, T, V). docs/how-to/custom-data.md has the page about it.
///
///     {"format": "tmor clips 1", "name": "waves", "poses": "2-D poses of a web cam",
///      "layout": "coco17", "coordinates": 2, "classes": ["hello", "goodbye"],
///      "clips": [{"id": "0001", "label": "hello", "part": "train", "subject": 1, "camera": 1}, ...]}
///
/// A layout that is not built in is written out: {"name": "mine", "joints": ["pelvis", "left_knee:pelvis",
/// ...]}, each joint with its parent behind a colon, the root without.

#include <set>

#include "tmor/data/class_names.hpp"
#include "tmor/io/json.hpp"
#include "tmor/io/safetensors.hpp"
#include "tmor/skeleton/sequence.hpp"

TMOR_BEGIN
namespace data {

/// Which side a clip is on. A clip that validates may train in the end.
enum class ClipPart { kTrain, kValidation, kTest };

struct FolderClip {
  std::string id;
  Index label = 0;
  ClipPart part = ClipPart::kTrain;
  int subject = -1, camera = -1;  ///< -1: not said
};

struct ClipFolder {
  std::string name, poses;
  LayoutPtr layout;
  Index coordinates = 2;
  ClassNames classes;
  std::vector<FolderClip> clips;
};

namespace detail {

inline constexpr const char* kClipParts[] = {"train", "validation", "test"};

/// An id names a file.
inline void check_clip_id(const std::string& id, const std::string& where) {
  TMOR_CHECK_IO(!id.empty() && id.size() <= 200 && id[0] != '.' &&
                    id.find_first_of("/\\ \t\n\r", 0) == id.npos && id.find('\0') == id.npos,
                where, ": the id '", id.substr(0, 80), "' is no name of a file without blanks");
}

inline LayoutPtr layout_from_json(const io::Json& j, const std::string& where) {
  try {
    if (j.is_string()) return joint_layout(j.get<std::string>());
    LayoutSpec spec{io::json_at<std::string>(j, "name", where), {}};
    const auto joints = io::json_at<io::Json>(j, "joints", where);
    TMOR_CHECK_IO(joints.is_array(), where, ": joints: a list expected");
    for (const auto& joint : joints) {
      const auto text = io::json_as<std::string>(joint, where + ": joints");
      const auto colon = std::min(text.find(':'), text.size());
      spec.joints.push_back({text.substr(0, colon), text.substr(std::min(colon + 1, text.size()))});
    }
    for (const auto& known : layout_names())
      TMOR_CHECK_IO(spec.name != known, where, ": '", known, "' is a built-in layout: give its name alone");
    return make_layout(spec);
  } catch (const IoError&) {
    throw;
  } catch (const Error& e) {
    tmor::detail::fail<IoError>(where, ": ", e.what());
  }
}

inline io::Json layout_to_json(const JointLayout& l) {
  for (const auto& known : layout_names())
    if (l.name == known) return l.name;
  io::Json joints = io::Json::array();
  for (Index v = 0; v < l.size(); ++v) {
    const auto at = static_cast<std::size_t>(v);
    joints.push_back(v == l.root ? l.joints[at]
                                 : l.joints[at] + ":" + l.joints[static_cast<std::size_t>(l.parent[at])]);
  }
  return {{"name", l.name}, {"joints", joints}};
}

}  // namespace detail

/// @throws IoError naming `name` and the clip for anything missing, unknown, repeated or out of range.
inline ClipFolder parse_clip_folder(std::string_view text, const std::string& name) {
  const auto j = io::parse_json(text, name, {.max_bytes = std::size_t{1} << 30, .max_depth = 8});
  TMOR_CHECK_IO(io::json_at<std::string>(j, "format", name) == "tmor clips 1", name,
                ": no clips of this version");
  ClipFolder out;
  out.name = io::json_at<std::string>(j, "name", name);
  out.poses = io::json_at<std::string>(j, "poses", name);
  out.layout = detail::layout_from_json(io::json_at<io::Json>(j, "layout", name), name + ": layout");
  out.coordinates = io::json_at<Index>(j, "coordinates", name);
  TMOR_CHECK_IO(out.coordinates == 2 || out.coordinates == 3, name, ": coordinates: ", out.coordinates,
                ", want 2 or 3");
  std::vector<std::string> classes;
  for (const auto& c : io::json_at<io::Json>(j, "classes", name))
    classes.push_back(io::json_as<std::string>(c, name + ": classes"));
  out.classes = ClassNames(std::move(classes), name + ": classes");
  const auto clips = io::json_at<io::Json>(j, "clips", name);
  TMOR_CHECK_IO(clips.is_array() && !clips.empty(), name, ": clips: a list of clips expected");
  std::set<std::string> seen;
  for (std::size_t i = 0; i < clips.size(); ++i) {
    const std::string where = tmor::detail::cat(name, ": clips: ", i);
    FolderClip c;
    c.id = io::json_at<std::string>(clips[i], "id", where);
    detail::check_clip_id(c.id, where);
    TMOR_CHECK_IO(seen.insert(c.id).second, where, ": the clip '", c.id, "' is given twice");
    c.label = out.classes.at(io::json_at<std::string>(clips[i], "label", where), where);
    const auto part = io::json_at<std::string>(clips[i], "part", where);
    const auto* known = std::find(std::begin(detail::kClipParts), std::end(detail::kClipParts), part);
    TMOR_CHECK_IO(known != std::end(detail::kClipParts), where, ": part '", part.substr(0, 40),
                  "', want train, validation or test");
    c.part = static_cast<ClipPart>(known - std::begin(detail::kClipParts));
    if (clips[i].contains("subject")) c.subject = io::json_at<int>(clips[i], "subject", where);
    if (clips[i].contains("camera")) c.camera = io::json_at<int>(clips[i], "camera", where);
    out.clips.push_back(std::move(c));
  }
  return out;
}

/// `root`/clips.json. @throws IoError
inline ClipFolder read_clip_folder(const std::string& root) {
  const std::string path = root + "/clips.json";
  return parse_clip_folder(io::read_file(path, std::size_t{1} << 30), path);
}

inline std::string clip_path(const std::string& root, const std::string& id) {
  return root + "/clips/" + id + ".safetensors";
}

/// The poses of one clip. @throws IoError naming the file for another shape, states that are none,
/// coordinates that are infinite or NaN.
inline SkeletonSequence read_folder_clip(const std::string& path, const LayoutPtr& layout,
                                         Index coordinates) {
  const io::SafeTensors file(path);
  const auto& info = file.info("xyz");
  const Shape& shape = info.shape;
  TMOR_CHECK_IO(info.dtype == DType::f32 && shape.rank() == 4 && shape[0] >= 1 && shape[1] >= 1 &&
                    shape[2] == layout->size() && shape[3] == coordinates,
                path, ": xyz is ", dtype_name(info.dtype), " ", shape, ", not float32 (persons, frames, ",
                layout->size(), ", ", coordinates, ")");
  const auto xyz = file.array("xyz");
  auto s = SkeletonSequence::make(layout, shape[0], shape[1], coordinates);
  std::copy(xyz.as<float>().begin(), xyz.as<float>().end(), s.xyz.begin());
  if (file.contains("valid")) {
    const auto valid = file.array("valid");
    TMOR_CHECK_IO(valid.dtype() == DType::u8 && valid.shape() == (Shape{shape[0], shape[1], shape[2]}), path,
                  ": valid is ", dtype_name(valid.dtype()), " ", valid.shape(),
                  ", not uint8 (persons, frames, joints)");
    std::copy(valid.as<std::uint8_t>().begin(), valid.as<std::uint8_t>().end(), s.valid.begin());
    s.zero_missing_();
  } else {
    std::fill(s.valid.begin(), s.valid.end(), std::uint8_t{kObserved});
  }
  try {
    s.check(path);
  } catch (const Error& e) {
    tmor::detail::fail<IoError>(e.what());
  }
  return s;
}

/// Writes the poses of one clip atomically. @throws IoError, Error for a bad id or another layout.
inline void write_folder_clip(const std::string& root, const std::string& id, const SkeletonSequence& s) {
  detail::check_clip_id(id, "[write_folder_clip]");
  io::write_safetensors(clip_path(root, id),
                        {{"xyz", DType::f32, {s.persons, s.frames, s.joints, s.channels}, s.xyz.data()},
                         {"valid", DType::u8, {s.persons, s.frames, s.joints}, s.valid.data()}});
}

/// Writes `root`/clips.json; the clips' files come before it. @throws IoError
inline void write_clip_folder(const std::string& root, const ClipFolder& folder) {
  io::Json clips = io::Json::array();
  for (const auto& c : folder.clips) {
    io::Json one{{"id", c.id},
                 {"label", folder.classes[c.label]},
                 {"part", detail::kClipParts[static_cast<int>(c.part)]}};
    if (c.subject >= 0) one["subject"] = c.subject;
    if (c.camera >= 0) one["camera"] = c.camera;
    clips.push_back(std::move(one));
  }
  io::write_json(root + "/clips.json", {{"format", "tmor clips 1"},
                                        {"name", folder.name},
                                        {"poses", folder.poses},
                                        {"layout", detail::layout_to_json(*folder.layout)},
                                        {"coordinates", folder.coordinates},
                                        {"classes", folder.classes.names()},
                                        {"clips", clips}});
}

}  // namespace data
TMOR_END
