#pragma once
/// @file joint_map.hpp
/// Maps between joint layouts, made from joint names. A target joint that the source lacks is imputed by
/// fixed rules: midpoints (the neck between the shoulders), neighbours (the ears' middle for the head) or
/// extrapolation along a bone (the hand beyond the wrist); a joint that was observed is never overwritten.

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tmor/core/config.hpp"
#include "tmor/core/error.hpp"
#include "tmor/skeleton/layout.hpp"

TMOR_BEGIN

/// State of one joint in one frame. Anything but kMissing counts as valid; a missing joint is stored as
/// zeros.
enum JointState : std::uint8_t { kMissing = 0, kObserved = 1, kImputed = 2 };

/// One way to get a joint: a weighted sum of source joints.
struct JointRule {
  struct Term {
    Index source;
    float weight;
  };
  std::vector<Term> terms;
  bool observed = false;  ///< the joint itself, not a combination of others
};

/// The ways to get one joint, best first: the first one whose source joints are all valid is used.
using JointRules = std::vector<JointRule>;

namespace detail {

struct NamedTerm {
  std::string_view joint = {};
  float weight = 0;  // nvcc wants them set, in a constant
};
struct NamedRule {
  std::string_view target;
  NamedTerm terms[4];
};

/// Rules for joints a layout lacks, best first. `~` stands for `left` or `right`, the target's own side; `+`
/// before a joint says that it may itself be imputed. Extrapolation p = anchor + r (anchor - parent) with r
/// of hand .25, foot .15, hand tip .18, thumb .32 (Universal-Skeleton, arXiv 2604.17013).
inline constexpr NamedRule kJointRules[] = {
    {"head", {{"left_ear", .5f}, {"right_ear", .5f}}},
    {"head", {{"left_eye", .5f}, {"right_eye", .5f}}},
    {"head", {{"nose", 1}}},
    {"nose", {{"left_eye", .5f}, {"right_eye", .5f}}},
    {"nose", {{"head", .5f}, {"+neck", .5f}}},
    {"nose", {{"head", 1}}},
    {"neck", {{"shoulder_center", 1}}},
    {"neck", {{"left_shoulder", .5f}, {"right_shoulder", .5f}}},
    {"shoulder_center", {{"left_shoulder", .5f}, {"right_shoulder", .5f}}},
    {"shoulder_center", {{"neck", 1}}},
    {"chest", {{"left_shoulder", .25f}, {"right_shoulder", .25f}, {"left_hip", .25f}, {"right_hip", .25f}}},
    {"chest", {{"+neck", .5f}, {"+pelvis", .5f}}},
    {"pelvis", {{"left_hip", .5f}, {"right_hip", .5f}}},
    {"~_eye", {{"nose", 1}}},
    {"~_eye", {{"head", 1}}},
    {"~_ear", {{"head", 1}}},
    {"~_ear", {{"nose", 1}}},
    {"~_hand", {{"~_wrist", 1.25f}, {"~_elbow", -.25f}}},
    {"~_hand", {{"~_wrist", 1}}},
    {"~_hand_tip", {{"+~_hand", 1.18f}, {"~_wrist", -.18f}}},
    {"~_thumb", {{"+~_hand", 1.32f}, {"~_wrist", -.32f}}},
    {"~_foot", {{"~_ankle", 1.15f}, {"~_knee", -.15f}}},
    {"~_foot", {{"~_ankle", 1}}},
};

/// `~_hand` for `left_wrist`'s side is `left_hand`.
inline std::string on_side(std::string_view pattern, std::string_view target) {
  if (!pattern.starts_with('~')) return std::string(pattern);
  return cat(target.substr(0, target.find('_')), pattern.substr(1));
}

inline void add_term(JointRule& rule, Index source, float weight) {
  for (auto& t : rule.terms)
    if (t.source == source) {
      t.weight += weight;
      return;
    }
  rule.terms.push_back({source, weight});
}

/// Ways to get `joint` from the joints of `source`, best first; empty if there is none.
inline JointRules resolve_joint(const JointLayout& source, const std::string& joint, bool impute) {
  constexpr std::size_t kMostWays = 8;
  JointRules ways;
  if (const Index j = source.find(joint); j >= 0) ways.push_back({{{j, 1.f}}, true});
  for (const auto& rule : kJointRules) {
    if (!impute || on_side(rule.target, joint) != joint) continue;
    JointRules sums{{{}, false}};  // one for each choice of ways to get the terms
    for (const auto& term : rule.terms) {
      if (term.joint.empty()) break;
      const bool nested = term.joint.starts_with('+');
      const auto term_ways = resolve_joint(source, on_side(term.joint.substr(nested ? 1 : 0), joint), nested);
      JointRules grown;
      for (const auto& sum : sums)
        for (const auto& way : term_ways) {
          grown.push_back(sum);
          for (const auto& t : way.terms) add_term(grown.back(), t.source, term.weight * t.weight);
        }
      sums = std::move(grown);
    }
    for (auto& sum : sums)
      if (ways.size() < kMostWays) ways.push_back(std::move(sum));
  }
  return ways;
}

/// Applies the first usable of `rules` to one frame: `point` (V,C), `state` (V). Writes C values (zeros if
/// the joint is missing) and returns the joint's new state.
inline JointState apply_rules(const JointRules& rules, const float* point, const std::uint8_t* state,
                              Index channels, float* out) {
  std::fill_n(out, channels, 0.f);
  for (const auto& rule : rules) {
    bool usable = true, observed = rule.observed;
    for (const auto& t : rule.terms) {
      usable = usable && state[t.source] != kMissing;
      observed = observed && state[t.source] == kObserved;
    }
    if (!usable) continue;
    for (const auto& t : rule.terms)
      for (Index c = 0; c < channels; ++c) out[c] += t.weight * point[t.source * channels + c];
    return observed ? kObserved : kImputed;
  }
  return kMissing;
}

}  // namespace detail

/// Ways to get the joint of that canonical name from a layout, best first; empty if there is none.
inline JointRules joint_rules(const JointLayout& source, std::string_view joint) {
  return detail::resolve_joint(source, std::string(joint), true);
}

/// A map from one layout to another.
struct JointMap {
  LayoutPtr from, to;
  std::vector<JointRules> rules;  ///< one list a joint of `to`

  /// The joint exists in the source (it is not only imputed).
  bool observed(Index j) const {
    const auto& r = rules[static_cast<std::size_t>(j)];
    return !r.empty() && r.front().observed;
  }

  /// The source gives the joint in some way; otherwise it is missing in every frame.
  bool reachable(Index j) const { return !rules[static_cast<std::size_t>(j)].empty(); }

  /// Maps `frames` skeletons: `x` (frames, V_from, C) with `state` (frames, V_from) into `y` (frames, V_to,
  /// C) and `y_state` (frames, V_to), which must not overlap the input. A joint is valid in a frame iff one
  /// of its rules has all its source joints valid there; it is observed iff it is an observed source joint.
  /// Throws ShapeError.
  void apply(std::span<const float> x, std::span<const std::uint8_t> state, Index frames, Index channels,
             std::span<float> y, std::span<std::uint8_t> y_state) const {
    const Index v = from->size(), w = to->size();
    TMOR_CHECK_SHAPE(frames >= 0 && channels > 0 && std::ssize(state) == frames * v &&
                         std::ssize(x) == frames * v * channels && std::ssize(y_state) == frames * w &&
                         std::ssize(y) == frames * w * channels,
                     "joint map ", from->name, " to ", to->name, ": sizes do not fit ", frames, " frames of ",
                     v, " to ", w, " joints with ", channels, " channels");
    for (Index t = 0; t < frames; ++t)
      for (Index j = 0; j < w; ++j)
        y_state[static_cast<std::size_t>(t * w + j)] =
            detail::apply_rules(rules[static_cast<std::size_t>(j)], x.data() + t * v * channels,
                                state.data() + t * v, channels, y.data() + (t * w + j) * channels);
  }
};

/// The map between two layouts by joint names and the imputing rules. Throws Error if they share nothing.
inline JointMap make_map(LayoutPtr from, LayoutPtr to) {
  TMOR_CHECK(from && to, "make_map: a layout is null");
  JointMap map{from, to, {}};
  bool any = false;
  for (const auto& joint : to->joints) {
    map.rules.push_back(joint_rules(*from, joint));
    any = any || !map.rules.back().empty();
  }
  TMOR_CHECK(any, "make_map: layout ", from->name, " gives no joint of ", to->name,
             "; name its joints as in tmor/skeleton/layout.hpp (left_wrist, pelvis, ...)");
  return map;
}

TMOR_END
