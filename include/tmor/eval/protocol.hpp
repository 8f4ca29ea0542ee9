#pragma once
/// @file protocol.hpp
/// A benchmark's protocol as data: where its annotations are, which side tests, how many classes there are
/// and what is done about empty ones, which rows count and when one is positive. A JSON file, printed with
/// every result; the files of the benchmarks are in examples/protocols.

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
  kCharadesCsv,    ///< data/charades.hpp; one file a side
  kJson,           ///< data/annotations.hpp; videos of the subset "testing"
  kSmarthomeList,  ///< data/smarthome.hpp; the list of the test side, with the class file
  kCsv,            ///< a table with the columns "id" and "label" (names of the class file)
};

struct Protocol {
  std::string name;                ///< "charades"
  std::string title;               ///< "Charades, temporal localisation"
  std::string source;              ///< who says so
  std::vector<std::string> notes;  ///< what a reader of the figure should know
  bool frames = true;              ///< frame-wise detection; false: one label a clip
  AnnotationFormat format = AnnotationFormat::kJson;
  std::string annotations;  ///< path below the folder of the data set
  std::string class_file;   ///< the same; empty where classes are numbers alone
  Index classes = 0;
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

}  // namespace detail

/// @throws IoError naming the key for anything missing, unknown or out of range.
inline Protocol parse_protocol(std::string_view text, std::string_view name) {
  const auto json = io::parse_json(text, name, {.max_bytes = std::size_t{1} << 20, .max_depth = 8});
  detail::refuse_unknown_keys(json,
                              {"name", "title", "source", "notes", "task", "annotations", "classes",
                               "empty_class", "metric", "sampling"},
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
       {"smarthome-list", AnnotationFormat::kSmarthomeList},
       {"csv", AnnotationFormat::kCsv}},
      key("annotations: format"));
  p.annotations = io::json_at<std::string>(annotations, "file", key("annotations"));
  const bool of_frames = p.format == AnnotationFormat::kCharadesCsv || p.format == AnnotationFormat::kJson;
  TMOR_CHECK_IO(of_frames == p.frames, key("annotations: format"), ": does not belong to this task");
  const auto classes = io::json_at<io::Json>(json, "classes", name);
  detail::refuse_unknown_keys(classes, {"count", "file"}, key("classes"));
  p.classes = io::json_at<Index>(classes, "count", key("classes"));
  TMOR_CHECK_IO(p.classes >= 1 && p.classes <= Index{1} << 14, key("classes: count"), ": ", p.classes,
                ", want 1 to 16384");
  if (classes.contains("file")) p.class_file = io::json_at<std::string>(classes, "file", key("classes"));
  TMOR_CHECK_IO(p.frames || !p.class_file.empty(), key("classes"),
                ": classification needs the \"file\" of names");
  p.empty = detail::protocol_word<EmptyClass>(
      io::json_at<std::string>(json, "empty_class", name),
      {{"skip", EmptyClass::kSkip}, {"zero", EmptyClass::kZero}, {"nan", EmptyClass::kNan}},
      key("empty_class"));
  if (!p.frames) {
    TMOR_CHECK_IO(!json.contains("metric") && !json.contains("sampling"), name,
                  ": \"metric\" and \"sampling\" belong to detection");
    return p;
  }
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

/// One paragraph to print with every result.
inline std::string describe(const Protocol& p) {
  std::string s = tmor::detail::cat(p.title, ": ", p.classes, " classes, annotations ", p.annotations, "; ");
  s += p.frames ? describe(p.policy)
                : tmor::detail::cat("top-1, top-5 and mean per-class accuracy, classes without samples ",
                                    empty_class_text(p.empty));
  s += tmor::detail::cat("; source: ", p.source);
  for (const auto& note : p.notes) s += "; " + note;
  return s;
}

}  // namespace eval
TMOR_END
