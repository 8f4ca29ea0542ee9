#pragma once
/// @file annotations.hpp
/// Actions in untrimmed videos, as Charades and TSU are annotated: {"id": {"subset": "training" | "testing",
/// "duration": number, "actions": [[class, start, end], ...]}, ...}. Charades counts in seconds, TSU in
/// frames. Nothing is repaired: what the official metrics see is what is read, and oddities are counted.

#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "tmor/io/json.hpp"
#include "tmor/skeleton/timeline.hpp"

TMOR_BEGIN
namespace data {

/// What is unusual in annotations but legal; all of it is kept.
struct AnnotationOddities {
  Index reversed = 0;  ///< actions that end before they start
  Index overlong = 0;  ///< that end more than half a unit after the video
  Index repeated = 0;  ///< exact repeats of another action of the same video
  Index empty = 0;     ///< videos without any

  void count(const Timeline& t) {
    empty += t.spans.empty();
    std::set<std::tuple<Index, double, double>> seen;
    for (const auto& s : t.spans) {
      reversed += s.end < s.start;
      overlong += s.end > t.length + 0.5;
      repeated += !seen.emplace(s.action, s.start, s.end).second;
    }
  }
};

/// Videos of the two sides of a split.
struct AnnotationSet {
  std::vector<Timeline> train, test;
  AnnotationOddities oddities;  ///< of both

  Index actions() const {
    Index n = 0;
    for (const auto* side : {&train, &test})
      for (const auto& t : *side) n += std::ssize(t.spans);
    return n;
  }
};

/// The videos in the order of their ids; `classes` bounds the class numbers.
/// @throws IoError naming file, video and action for anything of another form, a class out of range, times
/// that are not finite, a duration that is not above 0, an id given twice.
inline AnnotationSet parse_annotations(std::string_view text, std::string_view name, Index classes) {
  const io::Json json = io::parse_json(text, name, {.max_bytes = std::size_t{1} << 28, .max_depth = 8});
  TMOR_CHECK_IO(json.is_object() && !json.empty(), name, ": not an object of videos, or an empty one");
  AnnotationSet set;
  for (const auto& [id, video] : json.items()) {
    const std::string where = tmor::detail::cat(name, ": video '", id, "'");
    Timeline t{id, io::json_at<double>(video, "duration", where), {}};
    TMOR_CHECK_IO(t.length > 0, where, ": the duration is ", t.length, ", want more than 0");
    const auto subset = io::json_at<std::string>(video, "subset", where);
    TMOR_CHECK_IO(subset == "training" || subset == "testing", where, ": the subset is '",
                  subset.substr(0, 40), "', want 'training' or 'testing'");
    const auto actions = video.find("actions");
    TMOR_CHECK_IO(actions != video.end() && actions->is_array(), where, ": no list of actions");
    for (std::size_t i = 0; i < actions->size(); ++i) {
      const auto& a = (*actions)[i];
      const auto here = [&] { return tmor::detail::cat(where, ": action ", i); };
      TMOR_CHECK_IO(a.is_array() && a.size() == 3, here(), ": not [class, start, end]");
      ActionSpan s{io::json_as<Index>(a[0], here()), io::json_as<double>(a[1], here()),
                   io::json_as<double>(a[2], here())};
      TMOR_CHECK_IO(s.action >= 0 && s.action < classes, here(), ": class ", s.action, ", want 0 to ",
                    classes - 1);
      t.spans.push_back(s);
    }
    set.oddities.count(t);
    (subset == "training" ? set.train : set.test).push_back(std::move(t));
  }
  return set;
}

/// @throws IoError
inline AnnotationSet read_annotations(const std::string& path, Index classes) {
  return parse_annotations(io::read_file(path, std::size_t{1} << 28), path, classes);
}

}  // namespace data
TMOR_END
