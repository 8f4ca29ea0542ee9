#pragma once
/// @file pose_json.hpp
/// Poses as the common estimators write them, JSON to `SkeletonSequence`; the format is found from the text:
///
///   COCO      [{"image_id", "keypoints": [x y score ...], "score"}] or {"images", "categories",
///   "annotations": [...]};
///             AlphaPose's list is the same with "idx" as track; "track_id" is PoseTrack's         layout
///             coco17
///   OpenPose  {"people": [{"pose_keypoints_2d": [x y score ...]}]}, one file a frame, 18 or 25 joints
///   openpose18 LCR-Net   {"K", "njts": 13, "frames": [[{"pose2d", "pose3d", "cumscore"}]]}, coordinate-major
///   lcrnet13 landmarks [frame][joint][x y (z)] or [frame]["keypoints"][joint]{x, y, z, score}: MediaPipe's
///   33 or
///             MoveNet's 17 joints, one person coco17
///
/// Coordinates stay as they are in the file. Persons keep their place by track where the file has tracks,
/// else by score within a frame.

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tmor/io/frames.hpp"
#include "tmor/io/json.hpp"
#include "tmor/skeleton/sequence.hpp"

TMOR_BEGIN
namespace data {

struct PoseOptions {
  float threshold = 0;       ///< joints with a score not above this are missing
  Index persons = 1;         ///< kept at most: those of the highest sum of scores
  Index channels = 2;        ///< 3 reads depth where the format has it
  bool allow_empty = false;  ///< a file without any joint gives a sequence without any, instead of an error
  float fps = 0, width = 0, height = 0;          ///< passed on
  std::size_t max_bytes = std::size_t{1} << 28;  ///< of one file
};

namespace detail {

/// One person in one frame, in the joints of the layout.
struct Pose {
  Index frame = 0, track = -1;  // without a track: -1, later the rank by score in the frame
  bool tracked = false;
  float score = 0;
  std::vector<float> xyz, scores;  // (V, C); (V), 0 for a missing joint
};

/// Places poses in a sequence.
inline SkeletonSequence assemble_poses(std::vector<Pose> poses, const LayoutPtr& layout, Index frames,
                                       const PoseOptions& o, const std::string& where) {
  TMOR_CHECK_IO(frames >= 1, where, ": no frames");
  TMOR_CHECK(o.persons >= 1 && o.persons <= 100, "[pose json] ", o.persons, " persons, want 1 to 100");
  std::stable_sort(poses.begin(), poses.end(), [](const Pose& a, const Pose& b) {
    return a.frame != b.frame ? a.frame < b.frame : a.score > b.score;
  });
  // A person is a track, or a rank within the frame.
  std::map<std::pair<bool, Index>, double> total;
  Index rank = 0;
  for (std::size_t i = 0; i < poses.size(); ++i) {
    rank = i > 0 && poses[i].frame == poses[i - 1].frame ? rank + 1 : 0;
    poses[i].tracked = poses[i].track >= 0;
    if (!poses[i].tracked) poses[i].track = rank;
    total[{poses[i].tracked, poses[i].track}] += static_cast<double>(poses[i].score);
  }
  std::vector<std::pair<double, std::pair<bool, Index>>> order;
  for (const auto& [who, sum] : total) order.push_back({-sum, who});
  std::stable_sort(order.begin(), order.end(), [](auto& a, auto& b) { return a.first < b.first; });
  const Index persons = std::clamp<Index>(std::ssize(order), 1, o.persons);
  auto s = SkeletonSequence::make(layout, persons, frames, o.channels);
  s.fps = o.fps, s.width = o.width, s.height = o.height;
  bool seen = false;
  for (const auto& p : poses) {
    Index m = 0;
    while (m < persons && order[static_cast<std::size_t>(m)].second != std::pair(p.tracked, p.track)) ++m;
    if (m == persons) continue;
    for (Index v = 0; v < s.joints; ++v) {
      if (!(p.scores[static_cast<std::size_t>(v)] > o.threshold)) continue;
      *s.state(m, p.frame, v) = kObserved;
      std::copy_n(p.xyz.data() + v * s.channels, s.channels, s.point(m, p.frame, v));
      seen = true;
    }
  }
  TMOR_CHECK_IO(seen || o.allow_empty, where, ": no joint of any person has a score above ", o.threshold);
  s.check(where);
  return s;
}

/// Numbers of a JSON list. @throws IoError
inline std::vector<float> json_numbers(const io::Json& list, const std::string& where) {
  TMOR_CHECK_IO(list.is_array(), where, ": a list of numbers expected, not ", list.type_name());
  std::vector<float> out;
  for (const auto& x : list) out.push_back(io::json_as<float>(x, where));
  return out;
}
/// Member `key` as a number, or `fallback` where it is missing or null.
inline float json_number(const io::Json& object, const char* key, float fallback, const std::string& where) {
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? fallback : io::json_as<float>(*it, where + ": " + key);
}

/// A pose from x y score triples; joint v of the layout is triple from[v], -1 for none.
inline Pose pose_of_triples(const std::vector<float>& triples, const std::vector<Index>& from,
                            Index channels) {
  Pose p;
  for (Index j : from) {
    const float* t = j < 0 ? nullptr : triples.data() + 3 * j;
    for (Index c = 0; c < channels; ++c) p.xyz.push_back(t && c < 2 ? t[c] : 0.f);
    p.scores.push_back(t ? t[2] : 0.f);
  }
  return p;
}

inline std::vector<Index> first_joints(Index n) {
  std::vector<Index> from(static_cast<std::size_t>(n));
  for (Index v = 0; v < n; ++v) from[static_cast<std::size_t>(v)] = v;
  return from;
}

/// Where the joints of coco17 stand among named ones.
inline std::vector<Index> named_joints(const io::Json& names, const std::string& where) {
  std::vector<Index> from;
  for (const auto& joint : joint_layout("coco17")->joints) {
    Index at = -1;
    for (std::size_t i = 0; i < names.size(); ++i)
      if (io::json_as<std::string>(names[i], where) == joint) at = static_cast<Index>(i);
    from.push_back(at);
  }
  return from;
}

inline SkeletonSequence coco_poses(const io::Json& json, const PoseOptions& o, const std::string& where) {
  const io::Json& list = json.is_array() ? json : json["annotations"];
  TMOR_CHECK_IO(list.is_array(), where, ": annotations: a list expected");
  std::vector<Index> from = first_joints(17);
  Index most = 17;
  if (json.is_object() && json.contains("categories")) {
    const auto& categories = json["categories"];
    if (categories.is_array() && !categories.empty() && categories[0].is_object() &&
        categories[0].contains("keypoints")) {
      const auto& names = categories[0]["keypoints"];
      TMOR_CHECK_IO(names.is_array(), where, ": categories: keypoints is no list of names");
      from = named_joints(names, where + ": categories: keypoints");
      most = static_cast<Index>(names.size());
    }
  }
  // Frames are the images, in the order of "images", else of their ids or names.
  const auto id = [&](const io::Json& v) {
    TMOR_CHECK_IO(v.is_string() || v.is_number_integer(), where,
                  ": an image id that is neither number nor text");
    return v.is_string() ? v.get<std::string>() : v.dump();
  };
  std::vector<std::string> images;
  if (json.is_object() && json.contains("images")) {
    for (const auto& image : io::json_at<io::Json>(json, "images", where))
      images.push_back(id(io::json_at<io::Json>(image, "id", where + ": images")));
  } else {
    for (const auto& p : list) images.push_back(id(io::json_at<io::Json>(p, "image_id", where)));
    std::sort(images.begin(), images.end(), [](auto& a, auto& b) { return io::natural_less(a, b); });
    images.erase(std::unique(images.begin(), images.end()), images.end());
  }
  std::map<std::string, Index> frame;
  for (const auto& image : images) frame.emplace(image, static_cast<Index>(frame.size()));
  std::vector<Pose> poses;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto here = tmor::detail::cat(where, ": pose ", i);
    const auto& p = list[i];
    const auto at = frame.find(id(io::json_at<io::Json>(p, "image_id", here)));
    TMOR_CHECK_IO(at != frame.end(), here, ": its image_id is not among the images");
    const auto numbers = json_numbers(io::json_at<io::Json>(p, "keypoints", here), here + ": keypoints");
    TMOR_CHECK_IO(numbers.size() % 3 == 0 && std::ssize(numbers) >= 3 * most, here,
                  ": keypoints: ", numbers.size(), " numbers are not x, y, score of ", most, " joints");
    poses.push_back(pose_of_triples(numbers, from, o.channels));
    auto& pose = poses.back();
    pose.frame = at->second;
    pose.score = json_number(p, "score", 1, here);
    for (const char* key : {"track_id", "idx"})
      if (p.contains(key) && p[key].is_number_integer())
        pose.track = std::max(Index{-1}, io::json_at<Index>(p, key, here));
  }
  return assemble_poses(std::move(poses), joint_layout("coco17"), static_cast<Index>(frame.size()), o, where);
}

/// The people of one OpenPose file.
inline void openpose_people(const io::Json& json, Index frame, const PoseOptions& o, const std::string& where,
                            std::vector<Pose>& poses) {
  const auto people = io::json_at<io::Json>(json, "people", where);
  TMOR_CHECK_IO(people.is_array(), where, ": people: a list expected");
  for (std::size_t i = 0; i < people.size(); ++i) {
    const auto here = tmor::detail::cat(where, ": person ", i);
    const auto numbers = json_numbers(io::json_at<io::Json>(people[i], "pose_keypoints_2d", here),
                                      here + ": pose_keypoints_2d");
    if (numbers.empty()) continue;  // only a face or hands
    TMOR_CHECK_IO(numbers.size() == 54 || numbers.size() == 75, here, ": pose_keypoints_2d: ", numbers.size(),
                  " numbers are not x, y, score of 18 or 25 joints");
    auto from = first_joints(18);
    if (numbers.size() == 75)  // its joint 8 is the middle of the hips, its last six are of the feet
      for (std::size_t v = 8; v < from.size(); ++v) ++from[v];
    poses.push_back(pose_of_triples(numbers, from, o.channels));
    poses.back().frame = frame;
    for (float score : poses.back().scores) poses.back().score += score;
  }
}

inline SkeletonSequence lcrnet_poses(const io::Json& json, const PoseOptions& o, const std::string& where) {
  const Index joints = io::json_at<Index>(json, "njts", where);
  TMOR_CHECK_IO(joints == 13, where, ": njts is ", joints, ", not 13");
  const auto frames = io::json_at<io::Json>(json, "frames", where);
  TMOR_CHECK_IO(frames.is_array(), where, ": frames: a list expected");
  const char* key = o.channels == 3 ? "pose3d" : "pose2d";
  std::vector<Pose> poses;
  for (std::size_t t = 0; t < frames.size(); ++t) {
    TMOR_CHECK_IO(frames[t].is_array(), where, ": frame ", t, ": a list of people expected");
    for (const auto& person : frames[t]) {
      const auto here = tmor::detail::cat(where, ": frame ", t);
      const auto numbers = json_numbers(io::json_at<io::Json>(person, key, here), here + ": " + key);
      TMOR_CHECK_IO(std::ssize(numbers) == joints * o.channels, here, ": ", key, ": ", numbers.size(),
                    " numbers where ", joints * o.channels, " are expected");
      Pose p;
      p.frame = static_cast<Index>(t);
      p.score = json_number(person, "cumscore", 1, here);
      for (Index v = 0; v < joints; ++v)
        for (Index c = 0; c < o.channels; ++c)
          p.xyz.push_back(numbers[static_cast<std::size_t>(c * joints + v)]);
      p.scores.assign(static_cast<std::size_t>(joints), std::max(1.f, o.threshold + 1));  // it has none
      poses.push_back(std::move(p));
    }
  }
  return assemble_poses(std::move(poses), joint_layout("lcrnet13"), std::ssize(frames), o, where);
}

inline SkeletonSequence landmark_poses(const io::Json& frames, const PoseOptions& o,
                                       const std::string& where) {
  // Of MediaPipe's 33 landmarks, those that COCO has.
  constexpr Index kOf33[] = {0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28};
  std::vector<Pose> poses;
  for (std::size_t t = 0; t < frames.size(); ++t) {
    const auto here = tmor::detail::cat(where, ": frame ", t);
    const io::Json* list = &frames[t];
    if (list->is_object() && list->contains("keypoints")) list = &(*list)["keypoints"];
    TMOR_CHECK_IO(list->is_array(), here, ": a list of joints expected");
    if (list->empty()) continue;  // nobody
    TMOR_CHECK_IO(list->size() == 17 || list->size() == 33, here, ": ", list->size(),
                  " joints, not 17 or 33");
    Pose p;
    p.frame = static_cast<Index>(t);
    p.score = 1;
    for (std::size_t v = 0; v < 17; ++v) {
      const auto& joint = (*list)[list->size() == 33 ? static_cast<std::size_t>(kOf33[v]) : v];
      const auto place = tmor::detail::cat(here, ", joint ", v);
      float score = o.threshold + 1;
      std::vector<float> xyz;
      if (joint.is_object()) {
        xyz = {io::json_at<float>(joint, "x", place), io::json_at<float>(joint, "y", place)};
        if (o.channels == 3) xyz.push_back(io::json_at<float>(joint, "z", place));
        score = json_number(joint, "score", json_number(joint, "visibility", score, place), place);
      } else {
        xyz = json_numbers(joint, place);
        TMOR_CHECK_IO(std::ssize(xyz) >= o.channels && xyz.size() <= 3, place, ": ", xyz.size(),
                      " coordinates where ", o.channels, " are asked for");
      }
      p.xyz.insert(p.xyz.end(), xyz.begin(), xyz.begin() + o.channels);
      p.scores.push_back(score);
    }
    poses.push_back(std::move(p));
  }
  return assemble_poses(std::move(poses), joint_layout("coco17"), std::ssize(frames), o, where);
}

}  // namespace detail

/// The poses in the text of one file (one of OpenPose's is one frame). `name` is named in errors.
/// @throws IoError for other formats, damage, and poses without any joint above the threshold
inline SkeletonSequence parse_pose_json(std::string_view text, const std::string& name,
                                        const PoseOptions& options = {}) {
  TMOR_CHECK(options.channels == 2 || options.channels == 3, "[pose json] ", options.channels,
             " channels, want 2 or 3");
  const auto json = io::parse_json(text, name, {.max_bytes = options.max_bytes, .max_depth = 20});
  if (json.is_object()) {
    if (json.contains("annotations")) return detail::coco_poses(json, options, name);
    if (json.contains("frames")) return detail::lcrnet_poses(json, options, name);
    if (json.contains("people")) {
      std::vector<detail::Pose> poses;
      detail::openpose_people(json, 0, options, name, poses);
      return detail::assemble_poses(std::move(poses), joint_layout("openpose18"), 1, options, name);
    }
  } else if (json.is_array() && !json.empty()) {
    if (json[0].is_object() && json[0].contains("image_id")) return detail::coco_poses(json, options, name);
    if (json[0].is_array() || (json[0].is_object() && json[0].contains("keypoints")))
      return detail::landmark_poses(json, options, name);
  }
  tmor::detail::fail<IoError>(
      name, ": no pose format that is known (COCO, AlphaPose, OpenPose, LCR-Net, landmarks a frame)");
}

/// A file of poses, or a folder of OpenPose's files, one a frame in natural order. @throws IoError
inline SkeletonSequence read_pose_json(const std::string& path, const PoseOptions& options = {}) {
  if (!io::file_info(path).is_directory)
    return parse_pose_json(io::read_file(path, options.max_bytes), path, options);
  auto names = io::list_directory(path);
  std::erase_if(names, [](const std::string& n) { return !n.ends_with(".json"); });
  TMOR_CHECK_IO(!names.empty(), "no .json file in '", path, "': give a folder of OpenPose's files");
  std::sort(names.begin(), names.end(), [](auto& a, auto& b) { return io::natural_less(a, b); });
  std::vector<detail::Pose> poses;
  for (std::size_t t = 0; t < names.size(); ++t) {
    const auto file = path + "/" + names[t];
    const auto json = io::read_json(file, {.max_bytes = options.max_bytes, .max_depth = 20});
    detail::openpose_people(json, static_cast<Index>(t), options, file, poses);
  }
  return detail::assemble_poses(std::move(poses), joint_layout("openpose18"), std::ssize(names), options,
                                path);
}

}  // namespace data
TMOR_END
