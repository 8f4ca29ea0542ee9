#pragma once
/// @file score.hpp
/// Predictions against a protocol (eval/protocol.hpp): reads the annotations it names, measures, and sets the
/// figures of all frame policies side by side, since the same predictions differ by points between them.

#include <map>

#include "tmor/data/charades.hpp"
#include "tmor/eval/clip_list.hpp"
#include "tmor/eval/score_file.hpp"
#include "tmor/eval/to_json.hpp"

TMOR_BEGIN
namespace eval {

/// The videos of the test side. @throws IoError, Error for a protocol of clips.
inline std::vector<Timeline> test_timelines(const Protocol& p, const std::string& root) {
  TMOR_CHECK(p.frames, "[test_timelines] '", p.name, "' is a protocol of clips");
  const std::string path = root + "/" + p.annotations;
  if (p.format == AnnotationFormat::kCharadesCsv) return data::read_charades_csv(path);
  auto set = data::read_annotations(path, p.classes);
  TMOR_CHECK_IO(!set.test.empty(), path, ": no video of the subset 'testing'");
  return std::move(set.test);
}

/// The videos of the training side: of Charades' CSV files the one with "train" in place of "test".
/// @throws IoError, Error for a protocol of clips.
inline std::vector<Timeline> train_timelines(const Protocol& p, const std::string& root) {
  TMOR_CHECK(p.frames, "[train_timelines] '", p.name, "' is a protocol of clips");
  std::string file = p.annotations;
  if (p.format == AnnotationFormat::kCharadesCsv) {
    const auto at = file.rfind("test");
    TMOR_CHECK_IO(at != file.npos, "protocol '", p.name, "': the annotations '", file,
                  "' are not named as a test side, so that the training side cannot be found");
    return data::read_charades_csv(root + "/" + file.replace(at, 4, "train"));
  }
  auto set = data::read_annotations(root + "/" + file, p.classes);
  TMOR_CHECK_IO(!set.train.empty(), root, "/", file, ": no video of the subset 'training'");
  return std::move(set.train);
}

/// {"protocol", "map", "wap", "chance", "policies": {name: ...}} of scores of videos; the protocol's own
/// policy first, then every other (null and a "reason" where one has no value for these predictions).
/// @throws Error for what the protocol's own policy refuses.
inline io::Json score_frames(const Protocol& p, std::span<const Timeline> truth,
                             std::span<const FrameScores> scores, bool allow_missing = false) {
  const auto own = frame_map(truth, scores, p.classes, p.policy, allow_missing);
  io::Json j = to_json(own);
  j["protocol"] = describe(p);
  j["name"] = p.name;
  j["policy"] = p.policy.name;
  j["policies"][p.policy.name] = to_json(own);
  for (const auto& policy : frame_map_policies()) {
    if (policy.name == p.policy.name) continue;
    try {
      j["policies"][policy.name] = to_json(frame_map(truth, scores, p.classes, policy, allow_missing));
    } catch (const Error& e) {
      j["policies"][policy.name] = {{"map", nullptr}, {"reason", e.what()}};
    }
  }
  return j;
}

/// {"protocol", "top1", "top5", "mean_class", "chance", ...} of scores of clips. `allow_missing`: test clips
/// without scores are counted and left out; otherwise they are an error.
/// @throws Error for clips that are not of the test side, or missing.
inline io::Json score_clips(const Protocol& p, const std::map<std::string, Index>& labels,
                            const ClipScores& scores, bool allow_missing = false) {
  std::vector<Index> y;
  for (const auto& id : scores.ids) {
    const auto it = labels.find(id);
    TMOR_CHECK(it != labels.end(), "a score for '", id, "', which is no clip of the test side of '", p.name,
               "'");
    y.push_back(it->second);
  }
  const Index missing = std::ssize(labels) - std::ssize(y);
  if (missing > 0 && !allow_missing) {
    const std::set<std::string> given(scores.ids.begin(), scores.ids.end());
    for (const auto& [id, label] : labels)
      TMOR_CHECK(given.count(id), missing, " test clips have no score, the first is '", id,
                 "'; allow missing ones to leave them out and count them");
  }
  ConfusionMatrix m(p.classes);
  m.add(scores.scores, y);
  Index empty = 0;
  for (Index c = 0; c < p.classes; ++c) empty += m.samples(c) == 0;
  return {{"name", p.name},
          {"protocol", describe(p)},
          {"top1", m.accuracy()},
          {"top5", top_k_accuracy(scores.scores, y, p.classes, 5)},
          {"mean_class", mean_class_accuracy(m, p.empty)},
          {"chance", 1 / static_cast<double>(p.classes)},
          {"samples", y.size()},
          {"missing", missing},
          {"empty_classes", empty}};
}

}  // namespace eval
TMOR_END
