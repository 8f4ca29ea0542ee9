#pragma once
/// @file event_map.hpp
/// Event-based mean average precision of detected actions, as the script of TSU's authors computes it (after
/// PKU-MMD, Liu et al. 2017). It is another measure than frame mAP: the two are never compared.
///
/// A proposal matches the action of its class and sequence that it overlaps most (of equals the last), if the
/// intersection is at least `theta` of the hull of both. Proposals are then dropped one after the other, the
/// least sure first; the curve takes its points where a matched one is dropped, precision being the number of
/// *actions* matched over that of proposals left, and AP is the area under the best precision seen so far.
///
/// The script starts a proposal's search from the last entry of the ground truth (index -1) where no match
/// was found yet. For theta > 0 that changes nothing: an entry that wins this way overlaps by theta too, and
/// is reached later in the search. A theta of 0, where it would, is refused.

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tmor/core/error.hpp"
#include "tmor/core/finite.hpp"
#include "tmor/skeleton/timeline.hpp"

TMOR_BEGIN

/// The actions detected in one sequence.
struct EventProposals {
  std::string id;
  std::vector<ScoredSpan> spans;
};

/// Intersection of two spans over their hull; 0 where they do not meet in more than a point.
inline double overlap(const ActionSpan& a, const ActionSpan& b) {
  const double hull = std::max(a.end, b.end) - std::min(a.start, b.start);
  const double common = std::min(a.end, b.end) - std::max(a.start, b.start);
  return hull > 0 && common > 0 ? common / hull : 0;
}

namespace detail {

/// What event AP is computed over: spans with the sequence that they belong to.
struct EventList {
  std::vector<ScoredSpan> spans;
  std::vector<std::size_t> sequence;
  void add(const ScoredSpan& s, std::size_t in) { spans.push_back(s), sequence.push_back(in); }
};

inline double event_ap(const EventList& proposals, const EventList& truth, double theta) {
  const std::size_t n = proposals.spans.size();
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::vector<std::size_t> match(n, kNone), times(truth.spans.size());
  Index matched = 0;
  for (std::size_t i = 0; i < n; ++i) {
    double best = theta;
    for (std::size_t j = 0; j < truth.spans.size(); ++j) {
      if (truth.sequence[j] != proposals.sequence[i] || truth.spans[j].action != proposals.spans[i].action)
        continue;
      const double o = overlap(proposals.spans[i], truth.spans[j]);
      if (o >= best) best = o, match[i] = j;
    }
    if (match[i] != kNone) matched += times[match[i]]++ == 0;
  }
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return proposals.spans[a].score < proposals.spans[b].score;
  });
  const auto ratio = [](Index part, std::size_t all) {
    return all ? static_cast<double>(part) / static_cast<double>(all) : 0.0;
  };
  double precision = ratio(matched, n), recall = ratio(matched, truth.spans.size()), area = 0;
  for (std::size_t k = 0; k < n; ++k) {
    const std::size_t j = match[order[k]];
    if (j == kNone) continue;
    matched -= --times[j] == 0;
    precision = std::max(precision, ratio(matched, n - k - 1));
    const double next = ratio(matched, truth.spans.size());
    area += precision * (recall - next);
    recall = next;
  }
  return area;
}

}  // namespace detail

struct EventMapResult {
  std::string protocol;
  double map = 0;              ///< mean over all classes; one without actions counts as 0, as in the script
  double map_by_sequence = 0;  ///< the script's "mAP_video": AP over all classes at once, mean over sequences
  std::vector<double> ap;      ///< of each class
  std::vector<Index> actions;  ///< of each class
  Index proposals = 0;
};

/// Event mAP at the overlap `theta` in (0, 1]. Sequences without proposals count with all their actions (the
/// script knows only those that it finds a file for). Of equal scores the earlier proposal is dropped first,
/// sequences in the order of `truth`.
/// @throws Error for theta out of range, sequences given twice or unknown, spans that are not finite or of no
/// class.
inline EventMapResult event_map(std::span<const Timeline> truth, std::span<const EventProposals> proposals,
                                Index classes, double theta) {
  TMOR_CHECK(classes >= 1 && !truth.empty(), "event_map: ", classes, " classes, ", truth.size(),
             " sequences, want at least one of each");
  TMOR_CHECK(theta > 0 && theta <= 1, "event_map: theta is ", theta, ", want more than 0, at most 1");
  std::map<std::string_view, const EventProposals*> by_id;
  for (const auto& p : proposals)
    TMOR_CHECK(by_id.emplace(p.id, &p).second, "event_map: two sets of proposals for '", p.id, "'");
  const auto check = [&](const ScoredSpan& s, const std::string& id) {
    TMOR_CHECK(
        s.action >= 0 && s.action < classes && is_finite(s.start) && is_finite(s.end) && is_finite(s.score),
        "event_map: '", id, "' has the action ", s.action, " from ", s.start, " to ", s.end, ", score ",
        s.score, ": want 0 to ", classes - 1, " and finite numbers");
  };
  const auto n = static_cast<std::size_t>(classes);
  std::vector<tmor::detail::EventList> given(n), wanted(n);
  EventMapResult r;
  for (std::size_t v = 0; v < truth.size(); ++v) {
    tmor::detail::EventList here_given, here_wanted;
    for (const auto& s : truth[v].spans) {
      const ScoredSpan scored{s, 1};
      check(scored, truth[v].id);
      wanted[static_cast<std::size_t>(s.action)].add(scored, v);
      here_wanted.add(scored, v);
    }
    if (const auto it = by_id.find(truth[v].id); it != by_id.end()) {
      for (const auto& s : it->second->spans) {
        check(s, truth[v].id);
        given[static_cast<std::size_t>(s.action)].add(s, v);
        here_given.add(s, v);
        ++r.proposals;
      }
      by_id.erase(it);
    }
    r.map_by_sequence += tmor::detail::event_ap(here_given, here_wanted, theta);
  }
  TMOR_CHECK(by_id.empty(), "event_map: proposals for '", by_id.begin()->first,
             "', which is no sequence of this split, or one given twice");
  r.map_by_sequence /= static_cast<double>(truth.size());
  for (std::size_t c = 0; c < n; ++c) {
    r.ap.push_back(tmor::detail::event_ap(given[c], wanted[c], theta));
    r.actions.push_back(std::ssize(wanted[c].spans));
    r.map += r.ap.back() / static_cast<double>(classes);
  }
  r.protocol = tmor::detail::cat(
      "event mAP (TSU's script): a proposal matches the action that it overlaps most if by at least ", theta,
      " of their hull, interpolated AP, mean over all ", classes, " classes; ", r.proposals, " proposals in ",
      truth.size(), " sequences");
  return r;
}

TMOR_END
