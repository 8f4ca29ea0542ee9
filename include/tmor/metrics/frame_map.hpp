#pragma once
/// @file frame_map.hpp
/// Frame-wise mean average precision of detection in untrimmed sequences, under each of the rules that
/// published figures use. They differ in which rows count, which rows are positive, and what a class without
/// positives does, and differ by several points on the same predictions: name the policy with every figure.
///
/// AP of a class: all rows of all sequences sorted by score, high first; the mean over positive rows of the
/// precision at that row (no interpolation). Of equal scores the earlier row comes first: sequences in the
/// order given, rows in the order of time.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tmor/core/error.hpp"
#include "tmor/core/finite.hpp"
#include "tmor/core/parallel.hpp"
#include "tmor/core/suggest.hpp"
#include "tmor/metrics/classification.hpp"
#include "tmor/skeleton/timeline.hpp"

TMOR_BEGIN

/// Scores of one sequence: row r of `steps` speaks for the time r * length / steps. A row whose scores are
/// all -infinity is one that is missing.
struct FrameScores {
  std::string id;
  Index steps = 0;
  std::vector<float> scores;  ///< (steps, classes)
};

/// Which rows count.
enum class FrameSampling {
  kAll,     ///< every row
  kPoints,  ///< the row at or before each of 25 points, j / 25 of the length for j = 0 .. 24
  kSlice,   ///< rows 1, 1 + floor(steps / 25), ..., the first 25; sequences of up to 25 rows are left out
};

/// Whether a time that equals the start or the end of an action is inside it.
enum class Bounds { kStrict, kInclusive };

/// One rule for frame mAP.
struct FrameMapPolicy {
  std::string name;
  FrameSampling sampling = FrameSampling::kAll;
  Bounds bounds = Bounds::kStrict;
  EmptyClass empty = EmptyClass::kZero;
  /// What a sequence without predictions is: rows that come last for every class, or an error.
  bool missing_last = false;
};

/// The rules of published code, by name:
/// - "charades-official": `Charades_v1_localize`: 25 points, start <= t <= end, mean over all classes, which
///   is NaN when one has no positive; sequences without predictions come last. It is exactly the official
///   figure for predictions of 25 rows.
/// - "all-steps": code derived from super-events (Piergiajovanni and Ryoo 2018): every row, start < t < end,
/// a
///   class without positives counts as 0.
/// - "inria-25": the same on 25 rows, of sequences with more than 25.
/// - "tsu": every row, strict, mean over the classes with AP > 0, which are those with a positive.
/// - "nan-skip": "charades-official" with classes without positives left out.
inline const std::vector<FrameMapPolicy>& frame_map_policies() {
  static const std::vector<FrameMapPolicy> all{
      {"charades-official", FrameSampling::kPoints, Bounds::kInclusive, EmptyClass::kNan, true},
      {"all-steps", FrameSampling::kAll, Bounds::kStrict, EmptyClass::kZero, false},
      {"inria-25", FrameSampling::kSlice, Bounds::kStrict, EmptyClass::kZero, false},
      {"tsu", FrameSampling::kAll, Bounds::kStrict, EmptyClass::kSkip, false},
      {"nan-skip", FrameSampling::kPoints, Bounds::kInclusive, EmptyClass::kSkip, true}};
  return all;
}

/// @throws Error naming the nearest policy.
inline const FrameMapPolicy& frame_map_policy(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& p : frame_map_policies()) {
    if (p.name == name) return p;
    names.push_back(p.name);
  }
  tmor::detail::fail<Error>("frame mAP: no policy '", name, "': did you mean '", nearest_name(name, names),
                            "'?");
}

/// "tsu (every row, start < t < end, ...)", for protocols.
inline std::string describe(const FrameMapPolicy& p) {
  const char* rows = p.sampling == FrameSampling::kAll      ? "every row"
                     : p.sampling == FrameSampling::kPoints ? "25 points a sequence at j/25 of its length"
                                                            : "rows 1, 1 + floor(T/25), ..., the first 25, "
                                                              "sequences of up to 25 rows left out";
  return tmor::detail::cat(
      p.name, " (", rows, ", positive if ",
      p.bounds == Bounds::kStrict ? "start < t < end" : "start <= t <= end", ", classes without positives ",
      empty_class_text(p.empty), ", sequences without predictions ",
      p.missing_last ? "ranked last" : "refused or left out", ", ties in the order of the rows)");
}

struct FrameMapResult {
  std::string protocol;
  double map = 0;     ///< mean over classes by the policy; NaN under kNan when a class has no positive
  double wap = 0;     ///< mean over classes weighted by their positives; never to be called mAP. NaN as `map`
  double chance = 0;  ///< what `map` is for scores without information: the mean share of positives
  std::vector<double> ap;       ///< of each class; NaN where it has no positive
  std::vector<Index> positive;  ///< rows of each class
  Index rows = 0;               ///< that were ranked, for each class
  Index sequences = 0;          ///< that they come from
  Index left_out = 0;           ///< sequences left out: too short for the sampling, or without predictions
  Index missing_rows = 0;       ///< rows ranked last because there is no prediction
};

namespace detail {

/// A key that orders as the float does under every compiler flag, 0 and -0 alike.
inline std::uint32_t descending_key(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x == 0 ? 0.0f : x);
  const std::uint32_t ascending = bits >> 31 ? ~bits : bits | 0x80000000u;
  return ~ascending;
}

}  // namespace detail

/// Mean over the positives of the precision at each, high scores first, of equal ones the first; NaN without
/// positives. @throws ShapeError for unequal sizes, Error for NaN.
inline double average_precision(std::span<const float> scores, std::span<const std::uint8_t> positive) {
  TMOR_CHECK_SHAPE(scores.size() == positive.size() && scores.size() < (std::size_t{1} << 32),
                   "average_precision: ", scores.size(), " scores, ", positive.size(), " labels");
  std::vector<std::uint64_t> order(scores.size());  // the row in the low half keeps ties in order
  for (std::size_t i = 0; i < order.size(); ++i) {
    TMOR_CHECK(!is_nan(scores[i]), "average_precision: score ", i, " is NaN");
    order[i] = std::uint64_t{detail::descending_key(scores[i])} << 32 | i;
  }
  std::sort(order.begin(), order.end());
  double sum = 0;
  Index hits = 0;
  for (std::size_t place = 0; place < order.size(); ++place) {
    if (!positive[order[place] & 0xffffffffu]) continue;
    ++hits;
    sum += static_cast<double>(hits) / static_cast<double>(place + 1);
  }
  return hits ? sum / static_cast<double>(hits) : std::numeric_limits<double>::quiet_NaN();
}

/// The rows of a sequence of `steps` rows that count.
inline std::vector<Index> sampled_rows(Index steps, FrameSampling sampling) {
  std::vector<Index> rows;
  if (sampling == FrameSampling::kAll) {
    for (Index r = 0; r < steps; ++r) rows.push_back(r);
  } else if (sampling == FrameSampling::kPoints) {
    for (Index j = 0; j < 25; ++j) rows.push_back(j * steps / 25);
  } else if (steps > 25) {
    for (Index r = 1; r < steps && std::ssize(rows) < 25; r += steps / 25) rows.push_back(r);
  }
  return rows;
}

/// The time of the k-th of the sampled rows, in the unit of `length`. Rounded as the published code rounds,
/// since annotations often begin exactly on a row.
inline double sampled_time(Index k, Index row, Index steps, double length, FrameSampling sampling) {
  if (sampling == FrameSampling::kPoints) return static_cast<double>(k) / 25 * length;
  const double rate = static_cast<double>(steps) / length;
  return static_cast<double>(row) / rate;
}

inline bool inside(double t, const ActionSpan& s, Bounds bounds) {
  return bounds == Bounds::kStrict ? t > s.start && t < s.end : t >= s.start && t <= s.end;
}

namespace detail {

/// Frame mAP after everything has been checked: which rows of which predictions are ranked.
class FrameRanking {
 public:
  FrameRanking(std::span<const Timeline> truth, std::span<const FrameScores> scores, Index classes,
               const FrameMapPolicy& policy, bool allow_missing)
      : classes_(classes), policy_(policy) {
    TMOR_CHECK(classes >= 1, "frame_map: ", classes, " classes, want at least 1");
    std::map<std::string_view, const FrameScores*> by_id;
    for (const auto& s : scores) {
      TMOR_CHECK(by_id.emplace(s.id, &s).second, "frame_map: two predictions for '", s.id, "'");
      TMOR_CHECK_SHAPE(s.steps >= 1 && std::ssize(s.scores) == s.steps * classes, "frame_map: '", s.id,
                       "' has ", s.scores.size(), " scores, want ", s.steps, " rows of ", classes);
    }
    std::map<std::string_view, bool> known;
    for (const auto& v : truth) {
      TMOR_CHECK(known.emplace(v.id, true).second, "frame_map: the sequence '", v.id, "' is given twice");
      TMOR_CHECK(is_finite(v.length) && v.length > 0, "frame_map: '", v.id, "' has the length ", v.length);
      for (const auto& s : v.spans)
        TMOR_CHECK(s.action >= 0 && s.action < classes && is_finite(s.start) && is_finite(s.end),
                   "frame_map: '", v.id, "' has the action ", s.action, " from ", s.start, " to ", s.end,
                   ", want 0 to ", classes - 1, " and finite times");
      const auto it = by_id.find(v.id);
      TMOR_CHECK(it != by_id.end() || policy.missing_last || allow_missing, "frame_map: no prediction for '",
                 v.id, "'; allow missing ones to leave such sequences out and count them");
      add(v, it == by_id.end() ? nullptr : it->second);
    }
    for (const auto& s : scores)
      TMOR_CHECK(known.count(s.id), "frame_map: a prediction for '", s.id,
                 "', which is no sequence of this split");
    TMOR_CHECK(result.rows > 0, "frame_map: ", truth.size(), " sequences leave no row to rank under '",
               policy.name, "'");
  }

  /// AP and positives of class c.
  void rank(Index c) {
    std::vector<float> column;
    std::vector<std::uint8_t> positive;
    column.reserve(static_cast<std::size_t>(result.rows));
    positive.reserve(static_cast<std::size_t>(result.rows));
    for (const auto& part : parts_) {
      const std::size_t first = positive.size();
      for (const Index r : part.rows)
        column.push_back(part.scores ? part.scores->scores[static_cast<std::size_t>(r * classes_ + c)]
                                     : -std::numeric_limits<float>::infinity());
      positive.resize(column.size());
      for (const auto& s : part.truth->spans) {
        if (s.action != c) continue;
        for (std::size_t k = 0; k < part.rows.size(); ++k) {
          const double t = sampled_time(static_cast<Index>(k), part.rows[k], part.steps, part.truth->length,
                                        policy_.sampling);
          if (inside(t, s, policy_.bounds)) positive[first + k] = 1;
        }
      }
    }
    const auto i = static_cast<std::size_t>(c);
    result.ap[i] = average_precision(column, positive);
    result.positive[i] = std::count(positive.begin(), positive.end(), std::uint8_t{1});
  }

  FrameMapResult result;

 private:
  struct Part {
    const Timeline* truth;
    const FrameScores* scores;  ///< null: missing
    Index steps;
    std::vector<Index> rows;
  };

  void add(const Timeline& truth, const FrameScores* scores) {
    const Index steps = scores ? scores->steps : 25;
    std::vector<Index> rows;
    if (scores || policy_.missing_last) rows = sampled_rows(steps, policy_.sampling);
    if (rows.empty()) {
      ++result.left_out;
      return;
    }
    for (const Index r : rows) result.missing_rows += !scores || is_missing(*scores, r);
    ++result.sequences;
    result.rows += std::ssize(rows);
    parts_.push_back({&truth, scores, steps, std::move(rows)});
  }
  bool is_missing(const FrameScores& s, Index row) const {
    constexpr auto kLast = std::bit_cast<std::uint32_t>(-std::numeric_limits<float>::infinity());
    for (Index c = 0; c < classes_; ++c)
      if (std::bit_cast<std::uint32_t>(s.scores[static_cast<std::size_t>(row * classes_ + c)]) != kLast)
        return false;
    return true;
  }

  Index classes_;
  const FrameMapPolicy& policy_;
  std::vector<Part> parts_;
};

}  // namespace detail

/// Frame mAP of `scores` against the sequences of a split. `allow_missing`: sequences without predictions are
/// left out and counted, where the policy does not rank them last.
/// @throws Error for sequences that are not there, given twice or of no length, spans that are not finite or
/// of no class, NaN scores, no rows at all; ShapeError for sizes that do not fit.
inline FrameMapResult frame_map(std::span<const Timeline> truth, std::span<const FrameScores> scores,
                                Index classes, const FrameMapPolicy& policy, bool allow_missing = false) {
  detail::FrameRanking ranking(truth, scores, classes, policy, allow_missing);
  FrameMapResult& r = ranking.result;
  r.ap.resize(static_cast<std::size_t>(classes));
  r.positive.resize(static_cast<std::size_t>(classes));
  parallel_for(classes, 1, [&](Index begin, Index end) {
    for (Index c = begin; c < end; ++c) ranking.rank(c);
  });
  double sum = 0, weighted = 0, share = 0;
  Index with = 0, total = 0;
  for (std::size_t c = 0; c < r.ap.size(); ++c) {
    if (r.positive[c] == 0) continue;
    const auto n = static_cast<double>(r.positive[c]);
    ++with;
    total += r.positive[c];
    sum += r.ap[c];
    weighted += n * r.ap[c];
    share += n / static_cast<double>(r.rows);
  }
  const auto counted = static_cast<double>(policy.empty == EmptyClass::kSkip ? with : classes);
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const bool undefined = policy.empty == EmptyClass::kNan ? with < classes : counted == 0;
  r.map = undefined ? kNan : sum / counted;
  r.wap = undefined || total == 0 ? kNan : weighted / static_cast<double>(total);
  r.chance = undefined ? kNan : share / counted;
  r.protocol = tmor::detail::cat(
      "frame mAP: ", describe(policy), "; ", r.rows, " rows of ", r.sequences, " sequences, ", classes,
      " classes, ", classes - with, " without positives",
      r.left_out ? tmor::detail::cat("; ", r.left_out, " sequences left out") : std::string(),
      r.missing_rows ? tmor::detail::cat("; ", r.missing_rows, " rows without prediction") : std::string());
  return std::move(r);
}

TMOR_END
