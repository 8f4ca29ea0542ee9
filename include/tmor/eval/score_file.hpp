#pragma once
/// @file score_file.hpp
/// Anyone's predictions as text, to be measured without running a model. A line is `id step s_1 ... s_C` for
/// detection, `id s_1 ... s_C` for clips, blanks between; gzip is recognised by its first bytes.
///
/// Charades' official submission is one: 25 rows a video, frame numbers from 1 (or from 0, where the smallest
/// one in the file is 0), missing rows ranked last. Otherwise a video has as many rows as it likes, steps 0
/// to N - 1, spread evenly over its length, in any order.

#include <algorithm>
#include <limits>
#include <string>
#include <unordered_map>
#include <vector>

#include "tmor/io/file.hpp"
#include "tmor/io/inflate.hpp"
#include "tmor/io/words.hpp"
#include "tmor/metrics/frame_map.hpp"

TMOR_BEGIN
namespace eval {

/// The text of a file, expanded where it is gzip. @throws IoError for more than `max_bytes` of text, or a
/// gzip stream that is damaged or cut.
inline std::string read_text_or_gzip(const std::string& path, std::size_t max_bytes = std::size_t{1} << 32) {
  std::string bytes = io::read_file(path, max_bytes);
  if (!std::string_view(bytes).starts_with("\x1f\x8b")) return bytes;
  auto text = io::inflate(bytes, max_bytes, io::Wrapper::gzip, path);
  TMOR_CHECK_IO(text.complete, path, ": the gzip stream is cut short");
  return std::move(text.data);
}

/// Scores of clips, one row each.
struct ClipScores {
  std::vector<std::string> ids;
  std::vector<float> scores;  ///< (ids, classes)
};

namespace detail {

inline void read_scores(io::WordReader& in, Index classes, std::vector<float>& out) {
  for (Index c = 0; c < classes; ++c) {
    if (!in.more_on_line()) in.fail(c, " scores, want ", classes);
    const auto v = static_cast<float>(in.any_number("a score"));
    if (is_nan(v)) in.fail("score ", c + 1, " is NaN");
    out.push_back(v);
  }
  if (in.more_on_line()) in.fail("more than ", classes, " scores");
}

}  // namespace detail

/// Scores of detection. `steps` > 0: each video has so many rows, counted from 1 or 0, and a missing one
/// holds -infinity. `steps` 0: N rows, all there. Videos in the order of the file.
/// @throws IoError with line for a step out of range or given twice, another number of scores, a score that
/// is NaN or no number, a file without rows.
inline std::vector<FrameScores> parse_frame_scores(std::string_view text, std::string_view name,
                                                   Index classes, Index steps = 0) {
  TMOR_CHECK(classes >= 1 && steps >= 0, "[parse_frame_scores] ", classes, " classes, ", steps, " steps");
  struct Row {
    Index step;
    std::size_t line;
  };
  io::WordReader in(text, name);
  std::vector<FrameScores> videos;
  std::vector<std::vector<Row>> rows;
  std::unordered_map<std::string, std::size_t> index;
  Index smallest = std::numeric_limits<Index>::max();
  while (in.more()) {
    const std::string id(in.word("an id"));
    const std::size_t line = in.line();
    if (!in.more_on_line()) in.fail("an id without a step");
    const Index step = in.integer("the step", 0, steps > 0 ? steps : Index{10'000'000});
    smallest = std::min(smallest, step);
    const auto [at, fresh] = index.emplace(id, videos.size());
    if (fresh) videos.push_back({id, 0, {}}), rows.emplace_back();
    rows[at->second].push_back({step, line});
    detail::read_scores(in, classes, videos[at->second].scores);
  }
  TMOR_CHECK_IO(!videos.empty(), name, ": no scores");
  const Index base = steps > 0 && smallest > 0 ? 1 : 0;
  for (std::size_t v = 0; v < videos.size(); ++v) {
    FrameScores& video = videos[v];
    video.steps = steps > 0 ? steps : std::ssize(rows[v]);
    std::vector<float> ordered(static_cast<std::size_t>(video.steps * classes),
                               -std::numeric_limits<float>::infinity());
    std::vector<bool> seen(static_cast<std::size_t>(video.steps));
    for (std::size_t r = 0; r < rows[v].size(); ++r) {
      const Index step = rows[v][r].step - base;
      TMOR_CHECK_IO(step<video.steps, name, ": line ", rows[v][r].line, ": step ", rows[v][r].step, " of '",
                         video.id, "', which has ", video.steps, " rows", steps> 0
                        ? ": steps count from 0 in this file"
                        : ": want steps 0 to one less");
      const auto to = static_cast<std::size_t>(step);
      TMOR_CHECK_IO(!seen[to], name, ": line ", rows[v][r].line, ": step ", rows[v][r].step, " of '",
                    video.id, "' is given twice");
      seen[to] = true;
      std::copy_n(video.scores.begin() + static_cast<Index>(r) * classes, classes,
                  ordered.begin() + step * classes);
    }
    video.scores = std::move(ordered);
  }
  return videos;
}

/// Scores of clips. @throws IoError as `parse_frame_scores`, and for an id given twice.
inline ClipScores parse_clip_scores(std::string_view text, std::string_view name, Index classes) {
  TMOR_CHECK(classes >= 1, "[parse_clip_scores] ", classes, " classes");
  io::WordReader in(text, name);
  ClipScores out;
  std::unordered_map<std::string, bool> seen;
  while (in.more()) {
    out.ids.emplace_back(in.word("an id"));
    if (!seen.emplace(out.ids.back(), true).second) in.fail("'", out.ids.back(), "' is given twice");
    detail::read_scores(in, classes, out.scores);
  }
  TMOR_CHECK_IO(!out.ids.empty(), name, ": no scores");
  return out;
}

}  // namespace eval
TMOR_END
