#pragma once
/// @file protocol.hpp
/// A benchmark's protocol as data: where its annotations are, which side tests, which classes there are and
/// what is done about empty ones, which rows count and when one is positive. A JSON file, printed with every
/// result; the files of the benchmarks are in examples/protocols.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tmor/core/suggest.hpp"
#include "tmor/io/json.hpp"
#include "tmor/metrics/frame_map.hpp"

TMOR_BEGIN
namespace eval {

/// How the annotations of the test side are stored.
enum class AnnotationFormat {
  kCharadesCsv,  ///< data/charades.hpp; one file a side
  kJson,         ///< data/annotations.hpp; videos of the subset "testing"
  kCsv,          ///< a table with the columns "id" and "label" (names of classes); clips of the test side
  kSmarthome,    ///< data/smarthome.hpp; clips are those of the lists of the split
  kPennAction,   ///< data/penn_action.hpp; a file a clip
  kNwUcla,       ///< data/nw_ucla.hpp; the names of the files say all
  kUavHuman,     ///< data/uav_human.hpp; the same
  kClips,        ///< data/clip_folder.hpp; a data set of one's own
  kUavGesture,   ///< data/uav_gesture.hpp; a folder a class, a folder a clip in it
};

/// What decides on which side a clip is.
enum class SplitBy {
  kNone,     ///< all clips test
  kFlag,     ///< a mark in the clip's own file
  kSubject,  ///< who is seen
  kCamera,   ///< from where
  kList,     ///< lists of names
};

/// Which clips train, validate and test. The validation part may be one of the training part: it is left out
/// of training when measured on.
struct SplitRule {
  SplitBy by = SplitBy::kNone;
  std::vector<int> train, validation, test;  ///< subjects or cameras; without `train`: all that do not test
  std::vector<std::string> train_lists, validation_lists,
      test_lists;     ///< below the data folder; * is any text
  Index folds = 0;    ///< > 0: subjects dealt to so many parts in turn, each of which tests once
  bool each = false;  ///< every subject is a fold of its own

  bool folded() const { return folds > 0 || each; }
};

struct Protocol {
  std::string name;                ///< "charades"
  std::string title;               ///< "Charades, temporal localisation"
  std::string source;              ///< who says so
  std::vector<std::string> notes;  ///< what a reader of the figure should know
  bool frames = true;              ///< frame-wise detection; false: one label a clip
  AnnotationFormat format = AnnotationFormat::kJson;
  std::string annotations;               ///< path below the folder of the data set
  std::string class_file;                ///< the same; empty where classes are numbers alone, or named here
  std::vector<std::string> class_names;  ///< empty where a file names them
  Index classes = 0;
  SplitRule split;              ///< of clips
  std::string figure = "top1";  ///< of clips: "top1" or "mean_class", which one the benchmark compares
  Index official_train = 0, official_test = 0;  ///< clips of the whole data set; 0: not known
  EmptyClass empty = EmptyClass::kSkip;
  FrameMapPolicy policy;  ///< of frame protocols, with `empty` in it
  Index steps = 0;        ///< rows a video has in a score file, counted from 0 or 1; 0: any number, from 0
};

namespace detail {

/// One of the words of a field. @throws IoError naming the nearest.
template <class E>
E protocol_word(const std::string& given, std::initializer_list<std::pair<const char*, E>> words,
                std::string_view where) {
  std::vector<std::string> names;
  for (const auto& [word, value] : words) {
    if (given == word) return value;
    names.push_back(word);
  }
  tmor::detail::fail<IoError>(where, ": '", given.substr(0, 40), "' is none of its words: did you mean '",
                              nearest_name(given, names), "'?");
}

inline void refuse_unknown_keys(const io::Json& object, const std::vector<std::string>& known,
                                std::string_view where) {
  TMOR_CHECK_IO(object.is_object(), where, ": an object expected, not ", object.type_name());
  for (const auto& [key, value] : object.items())
    TMOR_CHECK_IO(std::find(known.begin(), known.end(), key) != known.end(), where, ": unknown key \"",
                  key.substr(0, 40), "\": did you mean \"", nearest_name(key, known), "\"?");
}

inline std::vector<int> split_numbers(const io::Json& split, const char* key, const std::string& where) {
  std::vector<int> out;
  if (!split.contains(key)) return out;
  TMOR_CHECK_IO(split[key].is_array(), where, ": ", key, ": a list of numbers expected");
  for (const auto& v : split[key]) out.push_back(io::json_as<int>(v, where + ": " + key));
  return out;
}
inline std::vector<std::string> protocol_strings(const io::Json& object, const char* key,
                                                 const std::string& where) {
  std::vector<std::string> out;
  if (!object.contains(key)) return out;
  TMOR_CHECK_IO(object[key].is_array(), where, ": ", key, ": a list of texts expected");
  for (const auto& v : object[key]) out.push_back(io::json_as<std::string>(v, where + ": " + key));
  return out;
}

inline SplitRule parse_split(const io::Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"by", "train", "validation", "test", "folds"}, where);
  SplitRule s;
  s.by = protocol_word<SplitBy>(io::json_at<std::string>(json, "by", where),
                                {{"flag", SplitBy::kFlag},
                                 {"subject", SplitBy::kSubject},
                                 {"camera", SplitBy::kCamera},
                                 {"list", SplitBy::kList}},
                                where + ": by");
  if (s.by == SplitBy::kList) {
    s.train_lists = protocol_strings(json, "train", where);
    s.validation_lists = protocol_strings(json, "validation", where);
    s.test_lists = protocol_strings(json, "test", where);
    TMOR_CHECK_IO(!s.test_lists.empty() && !json.contains("folds"), where,
                  ": by list needs \"test\" and no folds");
    return s;
  }
  if (json.contains("folds")) {
    TMOR_CHECK_IO(s.by == SplitBy::kSubject && json.size() == 2, where,
                  ": folds are by subject, without sides");
    s.each = json["folds"] == "each";
    if (!s.each) s.folds = io::json_as<Index>(json["folds"], where + ": folds (a number, or \"each\")");
    TMOR_CHECK_IO(s.each || (s.folds >= 2 && s.folds <= 1000), where, ": folds: ", s.folds,
                  ", want 2 to 1000");
    return s;
  }
  s.train = split_numbers(json, "train", where);
  s.validation = split_numbers(json, "validation", where);
  s.test = split_numbers(json, "test", where);
  TMOR_CHECK_IO((s.by == SplitBy::kFlag) == s.test.empty(), where,
                s.by == SplitBy::kFlag ? ": a flag needs no \"test\"" : ": \"test\" is missing or empty");
  for (const int t : s.test)
    TMOR_CHECK_IO(std::find(s.train.begin(), s.train.end(), t) == s.train.end() &&
                      std::find(s.validation.begin(), s.validation.end(), t) == s.validation.end(),
                  where, ": ", t, " both trains and tests");
  return s;
}

/// What clips are measured by; the rest of the JSON object belongs to detection.
template <class P> void parse_clip_rules(P& p, const io::Json& json, std::string_view name) {
  const auto key = [&](const char* k) { return tmor::detail::cat(name, ": ", k); };
  TMOR_CHECK_IO(!json.contains("sampling"), name, ": \"sampling\" belongs to detection");
  if (json.contains("split")) p.split = parse_split(json["split"], key("split"));
  TMOR_CHECK_IO(p.split.by != SplitBy::kNone || p.format == AnnotationFormat::kCsv, name,
                ": the key \"split\" is missing");
  if (json.contains("metric")) {
    refuse_unknown_keys(json["metric"], {"name"}, key("metric"));
    p.figure =
        protocol_word<const char*>(io::json_at<std::string>(json["metric"], "name", key("metric")),
                                   {{"top1", "top1"}, {"mean_class", "mean_class"}}, key("metric: name"));
  }
  if (json.contains("clips")) {
    refuse_unknown_keys(json["clips"], {"train", "test"}, key("clips"));
    p.official_train = io::json_at<Index>(json["clips"], "train", key("clips"));
    p.official_test = io::json_at<Index>(json["clips"], "test", key("clips"));
  }
  TMOR_CHECK_IO(p.class_file.empty() != p.class_names.empty(), key("classes"),
                ": classification needs either the \"names\" or the \"file\" of them");
}

}  // namespace detail

/// @throws IoError naming the key for anything missing, unknown or out of range.
inline Protocol parse_protocol(std::string_view text, std::string_view name) {
  const auto json = io::parse_json(text, name, {.max_bytes = std::size_t{1} << 20, .max_depth = 8});
  detail::refuse_unknown_keys(json,
                              {"name", "title", "source", "notes", "task", "annotations", "classes", "clips",
                               "split", "empty_class", "metric", "sampling"},
                              name);
  const auto key = [&](const char* k) { return tmor::detail::cat(name, ": ", k); };
  Protocol p;
  p.name = io::json_at<std::string>(json, "name", name);
  p.title = io::json_at<std::string>(json, "title", name);
  p.source = io::json_at<std::string>(json, "source", name);
  if (json.contains("notes")) {
    TMOR_CHECK_IO(json["notes"].is_array(), key("notes"), ": not a list");
    for (const auto& note : json["notes"]) p.notes.push_back(io::json_as<std::string>(note, key("notes")));
  }
  p.frames = detail::protocol_word<bool>(io::json_at<std::string>(json, "task", name),
                                         {{"detection", true}, {"classification", false}}, key("task"));
  const auto annotations = io::json_at<io::Json>(json, "annotations", name);
  detail::refuse_unknown_keys(annotations, {"format", "file"}, key("annotations"));
  p.format = detail::protocol_word<AnnotationFormat>(
      io::json_at<std::string>(annotations, "format", key("annotations")),
      {{"charades-csv", AnnotationFormat::kCharadesCsv},
       {"json", AnnotationFormat::kJson},
       {"csv", AnnotationFormat::kCsv},
       {"smarthome", AnnotationFormat::kSmarthome},
       {"penn-action", AnnotationFormat::kPennAction},
       {"nw-ucla", AnnotationFormat::kNwUcla},
       {"uav-human", AnnotationFormat::kUavHuman},
       {"uav-gesture", AnnotationFormat::kUavGesture},
       {"clips", AnnotationFormat::kClips}},
      key("annotations: format"));
  p.annotations = io::json_at<std::string>(annotations, "file", key("annotations"));
  const bool of_frames = p.format == AnnotationFormat::kCharadesCsv || p.format == AnnotationFormat::kJson;
  TMOR_CHECK_IO(of_frames == p.frames, key("annotations: format"), ": does not belong to this task");
  const auto classes = io::json_at<io::Json>(json, "classes", name);
  detail::refuse_unknown_keys(classes, {"count", "file", "names"}, key("classes"));
  p.classes = io::json_at<Index>(classes, "count", key("classes"));
  TMOR_CHECK_IO(p.classes >= 1 && p.classes <= Index{1} << 14, key("classes: count"), ": ", p.classes,
                ", want 1 to 16384");
  if (classes.contains("file")) p.class_file = io::json_at<std::string>(classes, "file", key("classes"));
  p.class_names = detail::protocol_strings(classes, "names", key("classes"));
  TMOR_CHECK_IO(p.class_names.empty() || std::ssize(p.class_names) == p.classes, key("classes"), ": ",
                p.class_names.size(), " names for ", p.classes, " classes");
  p.empty = detail::protocol_word<EmptyClass>(
      io::json_at<std::string>(json, "empty_class", name),
      {{"skip", EmptyClass::kSkip}, {"zero", EmptyClass::kZero}, {"nan", EmptyClass::kNan}},
      key("empty_class"));
  if (!p.frames) {
    detail::parse_clip_rules(p, json, name);
    return p;
  }
  TMOR_CHECK_IO(!json.contains("split") && !json.contains("clips"), name,
                ": \"split\" and \"clips\" belong to classification");
  const auto metric = io::json_at<io::Json>(json, "metric", name);
  detail::refuse_unknown_keys(metric, {"name", "rows", "bounds", "missing"}, key("metric"));
  p.policy.name = io::json_at<std::string>(metric, "name", key("metric"));
  p.policy.sampling =
      detail::protocol_word<FrameSampling>(io::json_at<std::string>(metric, "rows", key("metric")),
                                           {{"all", FrameSampling::kAll},
                                            {"25-points", FrameSampling::kPoints},
                                            {"25-rows", FrameSampling::kSlice}},
                                           key("metric: rows"));
  p.policy.bounds = detail::protocol_word<Bounds>(
      io::json_at<std::string>(metric, "bounds", key("metric")),
      {{"strict", Bounds::kStrict}, {"inclusive", Bounds::kInclusive}}, key("metric: bounds"));
  p.policy.missing_last =
      detail::protocol_word<bool>(io::json_at<std::string>(metric, "missing", key("metric")),
                                  {{"last", true}, {"refused", false}}, key("metric: missing"));
  p.policy.empty = p.empty;
  const auto sampling = io::json_at<io::Json>(json, "sampling", name);
  detail::refuse_unknown_keys(sampling, {"steps"}, key("sampling"));
  p.steps = io::json_at<Index>(sampling, "steps", key("sampling"));
  TMOR_CHECK_IO(p.steps >= 0 && p.steps <= 10'000, key("sampling: steps"), ": ", p.steps,
                ", want 0 to 10000");
  return p;
}

/// @throws IoError
inline Protocol read_protocol(const std::string& path) {
  return parse_protocol(io::read_file(path, std::size_t{1} << 20), path);
}

namespace detail {

inline std::string split_text(const Protocol& p) {
  const auto list = [](const auto& values) {
    std::string s;
    for (const auto& v : values) s += tmor::detail::cat(s.empty() ? "" : " ", v);
    return s;
  };
  const SplitRule& r = p.split;
  std::string s;
  if (r.by == SplitBy::kFlag) s = "; split by each clip's own flag";
  if (r.by == SplitBy::kList) s = "; train " + list(r.train_lists) + ", test " + list(r.test_lists);
  if (r.by == SplitBy::kSubject || r.by == SplitBy::kCamera) {
    const std::string what = r.by == SplitBy::kSubject ? "subjects" : "cameras";
    if (r.each) {
      s = "; each subject left out once";
    } else if (r.folds > 0) {
      s = tmor::detail::cat("; subjects in ", r.folds, " parts, each left out once");
    } else {
      s = "; " + what + " " + list(r.test) + " test, " +
          (r.train.empty() ? "the others train" : list(r.train) + " train");
    }
  }
  if (p.official_test > 0)
    s += tmor::detail::cat("; the whole data set has ", p.official_train, " training and ", p.official_test,
                           " test clips");
  return s;
}

}  // namespace detail

/// One paragraph to print with every result.
inline std::string describe(const Protocol& p) {
  std::string s = tmor::detail::cat(p.title, ": ", p.classes, " classes, annotations ", p.annotations, "; ");
  s += p.frames ? describe(p.policy)
                : tmor::detail::cat("top-1, top-5 and mean per-class accuracy (compared is ",
                                    p.figure == "top1" ? "top-1" : "the mean per class",
                                    "), classes without samples ", empty_class_text(p.empty),
                                    detail::split_text(p));
  s += tmor::detail::cat("; source: ", p.source);
  for (const auto& note : p.notes) s += "; " + note;
  return s;
}

}  // namespace eval
TMOR_END
