#pragma once
/// @file utkinect.hpp
/// UTKinect-Action3D (Xia, Chen, Aggarwal, CVPRW 2012), untrimmed: `joints/joints_sSS_eEE.txt`, a frame
/// number and 20 Kinect joints a line, and `actionLabel.txt`, the first and last frame number of each of ten
/// actions. Frame numbers step by 2, jump and repeat, so spans are turned into rows: row r is inside an
/// action when start < r < end, whatever the bounds of the metric.

#include <map>

#include "tmor/data/class_names.hpp"
#include "tmor/data/clip_files.hpp"
#include "tmor/skeleton/sequence.hpp"
#include "tmor/skeleton/timeline.hpp"

TMOR_BEGIN
namespace data {

inline const ClassNames& utkinect_actions() {
  static const ClassNames names(
      {"walk", "sitDown", "standUp", "pickUp", "carry", "throw", "push", "pull", "waveHands", "clapHands"},
      "UTKinect");
  return names;
}

struct UtkinectSequence {
  std::string id;  ///< "s01_e01"
  int subject = 0, episode = 0;
  SkeletonSequence skeleton;         ///< layout kinect20, one person, metres
  std::vector<Index> frame_numbers;  ///< of the rows, ascending
  Index repeated = 0;                ///< lines left out: a second detection of the frame before
  Timeline timeline;                 ///< length: rows; spans from half a row before to half a row after
};

/// Spans in frame numbers by sequence. A label "NaN NaN" is left out. @throws IoError with line.
inline std::map<std::string, std::vector<ActionSpan>> parse_utkinect_labels(std::string_view text,
                                                                            std::string_view name) {
  io::WordReader in(text, name);
  std::map<std::string, std::vector<ActionSpan>> labels;
  std::vector<ActionSpan>* spans = nullptr;
  while (in.more()) {
    std::string_view word = in.word("a sequence or an action");
    const std::string where = tmor::detail::cat(name, ": line ", in.line());
    if (!word.ends_with(':')) {
      const auto [at, fresh] = labels.emplace(std::string(word), std::vector<ActionSpan>());
      TMOR_CHECK_IO(fresh, where, ": the sequence '", word.substr(0, 40), "' is given twice");
      spans = &at->second;
      continue;
    }
    TMOR_CHECK_IO(spans, where, ": an action before the first sequence");
    word.remove_suffix(1);
    const Index action = utkinect_actions().at(word, where);
    const double start = in.any_number("the first frame"), end = in.any_number("the last frame");
    if (!is_finite(start) && !is_finite(end)) continue;
    TMOR_CHECK_IO(is_finite(start) && is_finite(end), where, ": only one of the frames is a number");
    spans->push_back({action, start, end});
  }
  TMOR_CHECK_IO(!labels.empty(), name, ": no sequences");
  return labels;
}

/// One sequence; `spans` in frame numbers, both ends included. An action without a row is kept, as an empty
/// span. @throws IoError with line for another number of values, coordinates that are infinite or NaN, frame
/// numbers that fall.
inline UtkinectSequence parse_utkinect_joints(std::string_view text, std::string_view name,
                                              std::span<const ActionSpan> spans) {
  constexpr Index kJoints = 20;
  io::WordReader in(text, name);
  UtkinectSequence s;
  std::vector<float> values;
  while (in.more()) {
    const Index number = in.integer("the frame number", 0, 10'000'000);
    if (!s.frame_numbers.empty() && number < s.frame_numbers.back())
      in.fail("frame ", number, " after frame ", s.frame_numbers.back());
    const bool again = !s.frame_numbers.empty() && number == s.frame_numbers.back();
    for (Index k = 0; k < 3 * kJoints; ++k) {
      if (!in.more_on_line()) in.fail(k, " coordinates, want ", 3 * kJoints);
      const auto x = static_cast<float>(in.number("a coordinate"));
      if (!is_finite(x)) in.fail("a coordinate is too large");
      if (!again) values.push_back(x);
    }
    if (in.more_on_line()) in.fail("more than ", 3 * kJoints, " coordinates");
    if (again) {
      ++s.repeated;
    } else {
      s.frame_numbers.push_back(number);
    }
  }
  TMOR_CHECK_IO(!s.frame_numbers.empty(), name, ": no frames");
  const Index rows = std::ssize(s.frame_numbers);
  s.skeleton = SkeletonSequence::make(joint_layout("kinect20"), 1, rows, 3);
  s.skeleton.xyz = std::move(values);
  std::fill(s.skeleton.valid.begin(), s.skeleton.valid.end(), std::uint8_t{kObserved});
  s.skeleton.mark_zeros_missing_();
  s.timeline.length = static_cast<double>(rows);
  for (const auto& a : spans) {
    const auto number = [](Index n) { return static_cast<double>(n); };
    const auto first = std::find_if(s.frame_numbers.begin(), s.frame_numbers.end(),
                                    [&](Index n) { return number(n) >= a.start; });
    const auto last = std::find_if(s.frame_numbers.begin(), s.frame_numbers.end(),
                                   [&](Index n) { return number(n) > a.end; });
    s.timeline.spans.push_back({a.action, static_cast<double>(first - s.frame_numbers.begin()) - 0.5,
                                static_cast<double>(last - s.frame_numbers.begin()) - 0.5});
  }
  return s;
}

struct UtkinectDataset {
  std::vector<UtkinectSequence> sequences;  ///< sorted by id
  std::vector<std::string> skipped;         ///< why a file was left out; empty when strict
};

/// Every `<root>/joints/joints_*.txt` with its labels in `<root>/<labels>`.
/// @throws IoError for a file that cannot be read or has no labels (when not strict, it is listed instead).
inline UtkinectDataset read_utkinect(const std::string& root, bool strict = true,
                                     const std::string& labels = "actionLabel.txt") {
  const std::string path = root + "/" + labels;
  const auto spans = parse_utkinect_labels(io::read_file(path, std::size_t{1} << 20), path);
  const auto files =
      detail::clip_files(root + "/joints", ".txt", "give the folder of UTKinect that holds 'joints'");
  UtkinectDataset out;
  detail::read_clips(
      files, strict,
      [&](const std::string& file) {
        std::string id = file.substr(file.rfind('/') + 1);
        id.resize(id.size() - 4);
        TMOR_CHECK_IO(id.starts_with("joints_s") && id.size() == 14 && id[10] == '_' && id[11] == 'e', file,
                      ": the name is not of the form joints_s01_e01.txt");
        id = id.substr(7);
        const auto it = spans.find(id);
        TMOR_CHECK_IO(it != spans.end(), file, ": no labels of '", id, "' in ", path);
        auto s = parse_utkinect_joints(io::read_file(file, std::size_t{1} << 26), file, it->second);
        s.id = s.timeline.id = id;
        s.subject = static_cast<int>(io::parse_integer(id.substr(1, 2), 0, 99, "the subject", file));
        s.episode = static_cast<int>(io::parse_integer(id.substr(5, 2), 0, 99, "the episode", file));
        return s;
      },
      out.sequences, out.skipped);
  return out;
}

}  // namespace data
TMOR_END
