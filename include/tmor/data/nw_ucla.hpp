#pragma once
/// @file nw_ucla.hpp
/// Northwestern-UCLA Multiview Action 3D (Wang, Nie, Xia, Wu, Zhu, "Cross-view Action Modeling, Learning, and
/// Recognition", CVPR 2014): 1484 clips of 10 actions by 10 subjects, seen by three Kinects. Reads the
/// skeletons as JSON, one file a clip, `<root>/all_sqe/aAA_sSS_eEE_vVV.json` or the files in `<root>` itself:
/// {"file_name": "a01_s01_e00_v01", "skeletons": [T][20][3], "label": 1..10}, metres in the camera's frame.

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tmor/data/clip_files.hpp"
#include "tmor/io/json.hpp"
#include "tmor/skeleton/sequence.hpp"

TMOR_BEGIN
namespace data {

/// The 10 classes; a clip's label is the position here.
inline const std::vector<std::string>& nw_ucla_actions() {
  static const std::vector<std::string> names{"pick up with one hand",
                                              "pick up with two hands",
                                              "drop trash",
                                              "walk around",
                                              "sit down",
                                              "stand up",
                                              "donning",
                                              "doffing",
                                              "throw",
                                              "carry"};
  return names;
}

/// One clip.
struct NwUclaClip {
  std::string id;                             ///< file name without ".json", such as "a01_s01_e00_v01"
  int label = 0;                              ///< position of its action in `nw_ucla_actions()`
  int subject = 0, repetition = 0, view = 0;  ///< as the name counts them: subjects 1 to 10, views 1 to 3
  SkeletonSequence skeleton;  ///< layout kinect20, one person, 3 coordinates; joints at (0, 0, 0) are missing

  const std::string& action() const { return nw_ucla_actions()[static_cast<std::size_t>(label)]; }
};

/// Which clips train and which test. The paper's protocols: `cross_view` trains on two cameras and tests on
/// the third (the usual one: view 3); `cross_subject` leaves one subject out.
struct NwUclaSplit {
  int test_view = 0, test_subject = 0;  ///< 0: any

  static NwUclaSplit cross_view(int test_view = 3) { return {.test_view = test_view}; }
  static NwUclaSplit cross_subject(int test_subject = 10) { return {.test_subject = test_subject}; }
  bool is_test(const NwUclaClip& c) const {
    return (test_view == 0 || c.view == test_view) && (test_subject == 0 || c.subject == test_subject);
  }
};

struct NwUclaOptions {
  bool strict = true;  ///< a file that cannot be read is an error; else it is left out and listed
};

struct NwUclaDataset {
  std::vector<NwUclaClip> clips;     ///< sorted by id
  std::vector<std::string> skipped;  ///< why a file was left out, one message each; empty when strict
};

namespace detail {

/// The (T, V, C) numbers of nested arrays as one person's sequence; joints at the origin are missing.
inline SkeletonSequence nested_skeleton(const io::Json& frames, LayoutPtr layout, Index channels,
                                        const std::string& where) {
  TMOR_CHECK_IO(frames.is_array() && !frames.empty(), where, ": not a list of frames, or an empty one");
  auto s = SkeletonSequence::make(std::move(layout), 1, static_cast<Index>(frames.size()), channels);
  std::fill(s.valid.begin(), s.valid.end(), std::uint8_t{kObserved});
  auto to = s.xyz.begin();
  for (std::size_t t = 0; t < frames.size(); ++t) {
    const auto fits = [](const io::Json& list, Index n) {
      return list.is_array() && list.size() == static_cast<std::size_t>(n);
    };
    TMOR_CHECK_IO(fits(frames[t], s.joints), where, ": frame ", t, ": not a list of ", s.joints, " joints");
    for (std::size_t v = 0; v < frames[t].size(); ++v) {
      TMOR_CHECK_IO(fits(frames[t][v], channels), where, ": frame ", t, ", joint ", v, ": not a list of ",
                    channels, " numbers");
      for (const auto& x : frames[t][v])
        *to++ = io::json_as<float>(x, tmor::detail::cat(where, ": frame ", t, ", joint ", v));
    }
  }
  s.mark_zeros_missing_();
  return s;
}

/// The two digits behind `letter` at `at` of `id`, or -1.
inline int nw_ucla_number(std::string_view id, std::size_t at, char letter) {
  const auto digit = [&](std::size_t i) { return id[i] >= '0' && id[i] <= '9' ? id[i] - '0' : -100; };
  return id[at] == letter ? std::max(-1, 10 * digit(at + 1) + digit(at + 2)) : -1;
}

}  // namespace detail

/// What a clip's name without its ending says. @throws IoError beginning with `where`
inline NwUclaClip parse_nw_ucla_name(std::string_view id, const std::string& where) {
  NwUclaClip c;
  c.id = id;
  TMOR_CHECK_IO(c.id.size() == 15, where, ": the name is not of the form a01_s01_e00_v01.json");
  const int action = detail::nw_ucla_number(c.id, 0, 'a');
  c.subject = detail::nw_ucla_number(c.id, 4, 's');
  c.repetition = detail::nw_ucla_number(c.id, 8, 'e');
  c.view = detail::nw_ucla_number(c.id, 12, 'v');
  constexpr int kActionIds[] = {1, 2, 3, 4, 5, 6, 8, 9, 11, 12};  // of labels 1 to 10
  const auto known = std::find(std::begin(kActionIds), std::end(kActionIds), action);
  TMOR_CHECK_IO(c.id[3] == '_' && c.id[7] == '_' && c.id[11] == '_' && known != std::end(kActionIds) &&
                    c.subject >= 1 && c.subject <= 10 && c.repetition >= 0 && c.view >= 1 && c.view <= 3,
                where,
                ": the name does not say an action, a subject, a repetition and a view of the data set");
  c.label = static_cast<int>(known - std::begin(kActionIds));
  return c;
}

/// The clip in the text of a file; `path` names it, in errors too. @throws IoError with file and place
inline NwUclaClip parse_nw_ucla_clip(std::string_view text, const std::string& path) {
  constexpr std::string_view kEnding = ".json";
  std::string_view name(path);
  name.remove_prefix(path.rfind('/') + 1);
  TMOR_CHECK_IO(name.ends_with(kEnding), path, ": the name is not of the form a01_s01_e00_v01.json");
  name.remove_suffix(kEnding.size());
  NwUclaClip c = parse_nw_ucla_name(name, path);

  const auto json = io::parse_json(text, path, {.max_bytes = std::size_t{1} << 24, .max_depth = 8});
  const auto id = io::json_at<std::string>(json, "file_name", path);
  TMOR_CHECK_IO(id == c.id, path, ": file_name is '", id.substr(0, 64), "'");
  const int label = io::json_at<int>(json, "label", path);
  TMOR_CHECK_IO(label == c.label + 1, path, ": label ", label, " where the name says ", c.label + 1);
  c.skeleton = detail::nested_skeleton(io::json_at<io::Json>(json, "skeletons", path),
                                       joint_layout("kinect20"), 3, path);
  return c;
}

/// One file. @throws IoError naming it.
inline NwUclaClip read_nw_ucla_clip(const std::string& path) {
  return parse_nw_ucla_clip(io::read_file(path, std::size_t{1} << 24), path);
}

/// Every file of the data set, read in parallel.
/// @throws IoError when there is none; when strict, for the first file by name that cannot be read.
inline NwUclaDataset read_nw_ucla(const std::string& root, const NwUclaOptions& options = {}) {
  const std::string inner = root + "/all_sqe";
  const auto files =
      detail::clip_files(io::exists(inner) ? inner : root, ".json",
                         "give the folder of NW-UCLA that holds 'all_sqe', with the clips' JSON files in it");
  NwUclaDataset out;
  detail::read_clips(files, options.strict, read_nw_ucla_clip, out.clips, out.skipped);
  return out;
}

}  // namespace data
TMOR_END
