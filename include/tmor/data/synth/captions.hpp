#pragma once
/// @file captions.hpp
/// What is said of a clip: captions by a grammar with synonyms, and fixed prompts for zero-shot use.

#include <string>
#include <string_view>
#include <vector>

#include "tmor/data/synth/script.hpp"

TMOR_BEGIN
namespace data::synth {

namespace detail {

using tmor::detail::cat;

inline void replace_all(std::string& s, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = s.find(what, at)) != std::string::npos; at += by.size())
    s.replace(at, what.size(), by);
}

inline std::string_view limb_word(Limb l) {
  switch (l) {
    case Limb::kHand:
      return "hand";
    case Limb::kArm:
      return "arm";
    case Limb::kLeg:
      return "leg";
    case Limb::kKnee:
      return "knee";
    default:
      return "";
  }
}

/// "the left hand", "both hands", "a hand"; `plural` for both.
inline std::string limb_text(std::string_view one, std::string_view plural, Side side) {
  switch (side) {
    case Side::kLeft:
      return cat("the left ", one);
    case Side::kRight:
      return cat("the right ", one);
    case Side::kBoth:
      return cat("both ", plural);
    default:
      return cat(one == "arm" ? "an " : "a ", one);
  }
}

/// Fills the places of a phrase or description (actions.hpp); `side` kNone: not said.
inline std::string fill(std::string_view pattern, Limb limb, Side side) {
  std::string s(pattern), with;
  if (limb == Limb::kWay) {
    if (side != Side::kNone) with = side == Side::kLeft ? " to the left" : " to the right";
  } else if (side != Side::kNone) {
    const std::string word(limb_word(limb));
    with = cat(" with ", limb_text(word, cat(word, "s"), side));
  }
  replace_all(s, "{with}", with);
  constexpr std::string_view limbs[][3] = {{"{hand}", "hand", "hands"},
                                           {"{arm}", "arm", "arms"},
                                           {"{leg}", "leg", "legs"},
                                           {"{knee}", "knee", "knees"},
                                           {"{foot}", "foot", "feet"}};
  for (const auto& [place, one, plural] : limbs)
    if (s.find(place) != std::string::npos) replace_all(s, place, limb_text(one, plural, side));
  return s;
}

template <std::size_t N> std::size_t filled(const std::string_view (&rows)[N]) {
  std::size_t n = 0;
  while (n < N && !rows[n].empty()) ++n;
  return n;
}
template <std::size_t N> std::string_view any_of(const std::string_view (&rows)[N], Rng& rng) {
  return rows[rng.uniform_int(static_cast<Index>(filled(rows)))];
}

/// The two forms of a phrase: "waves|waving".
inline std::string_view third(std::string_view phrase) { return phrase.substr(0, phrase.find('|')); }
inline std::string_view gerund(std::string_view phrase) { return phrase.substr(phrase.find('|') + 1); }

/// How, where to and how often; each only sometimes said.
inline std::string manner(const Style& s, Rng& rng) {
  static constexpr std::string_view slow[] = {"slowly", "at a slow pace", "without hurry"};
  static constexpr std::string_view fast[] = {"quickly", "fast", "at high speed", "rapidly"};
  static constexpr std::string_view small[] = {"with small movements", "a little", "slightly"};
  static constexpr std::string_view large[] = {"with large movements", "with big movements", "widely"};
  static constexpr std::string_view often[][2] = {{"once", "one time"},
                                                  {"twice", "two times"},
                                                  {"three times", "three times"},
                                                  {"four times", "four times"}};
  std::string out;
  const auto say = [&](double chance, bool true_, std::string_view text) {
    if (rng.bernoulli(chance) && true_) out += cat(" ", text);
  };
  // Every draw is made, so that captions of alike clips differ only where the clips do.
  const bool forth = s.direction == Direction::kForward;
  say(.85, s.direction != Direction::kNone, forth ? "forward" : "backward");
  say(.7, s.speed == Speed::kSlow, any_of(slow, rng));
  say(.7, s.speed == Speed::kFast, any_of(fast, rng));
  say(.55, s.amplitude == Amplitude::kSmall, any_of(small, rng));
  say(.55, s.amplitude == Amplitude::kLarge, any_of(large, rng));
  const std::size_t n = static_cast<std::size_t>(std::clamp<Index>(s.count, 1, 4) - 1);
  const std::size_t word = static_cast<std::size_t>(rng.uniform_int(2));
  say(s.count > 1 ? .7 : .25, info(s.action).counted, often[n][word]);
  static constexpr std::string_view seated[] = {"while sitting", "while seated", "on a chair"};
  const bool sits = s.from == Posture::kSitting && s.to == Posture::kSitting;
  say(.6, sits, any_of(seated, rng));
  return out;
}

inline constexpr std::string_view kSubjects[] = {"a person", "someone", "a human", "the person",
                                                 "one person"};

/// A clause about one action: third person ("waves"), or -ing ("waving").
inline std::string clause(const Style& s, bool ing, Rng& rng) {
  const ActionInfo& a = info(s.action);
  const Side said = rng.bernoulli(.8) ? s.side : Side::kNone;
  const bool body = rng.bernoulli(.35) && ing;
  const std::string_view pattern = body ? any_of(a.descriptions, rng) : any_of(a.phrases, rng);
  const std::string text = fill(body ? pattern : ing ? gerund(pattern) : third(pattern), a.limb, said);
  return text + manner(s, rng);
}

}  // namespace detail

/// One caption of a script: true of it, complete only by chance.
inline std::string caption(const Script& script, Rng& rng) {
  using detail::cat;
  const std::string who(detail::any_of(detail::kSubjects, rng));
  const auto& events = script.events;
  const bool ing = rng.bernoulli(.6);
  if (events.size() == 1) {
    const std::string what = detail::clause(events[0].style, ing, rng);
    if (!ing) return cat(who, " ", what);
    static constexpr std::string_view open[] = {"", "a video of ", "a clip of ", "here is "};
    const Index form = rng.uniform_int(5);
    if (form == 4) return cat(who, " is ", what);
    return cat(open[form], who, " ", what);
  }
  const Index form = rng.uniform_int(3);
  if (form == 2 && events.size() == 2) {
    const std::string second = detail::clause(events[1].style, false, rng);
    return cat(who, " ", second, " after ", detail::clause(events[0].style, true, rng));
  }
  std::string out = form == 0 ? cat("first ", who, " ") : cat(who, " ");
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (i > 0) out += i + 1 == events.size() && events.size() > 2 ? " and finally " : ", then ";
    out += detail::clause(events[i].style, false, rng);
  }
  return out;
}

namespace detail {

/// Every text of an action: its names in all templates, its descriptions in the first two.
inline std::vector<std::string> prompts(Action action, Side side, bool named) {
  static constexpr std::string_view templates[] = {"a person {}", "someone {}", "a video of a person {}",
                                                   "the person is {}"};
  const ActionInfo& a = info(action);
  std::vector<std::string> out;
  const auto add = [&](std::string_view pattern, std::string_view what) {
    std::string s(pattern);
    replace_all(s, "{}", fill(what, a.limb, side));
    out.push_back(std::move(s));
  };
  for (std::size_t k = 0; named && k < std::size(templates); ++k)
    for (std::size_t i = 0; i < filled(a.phrases); ++i) add(templates[k], gerund(a.phrases[i]));
  for (std::size_t k = 0; k < 2; ++k)
    for (std::size_t i = 0; i < filled(a.descriptions); ++i) add(templates[k], a.descriptions[i]);
  return out;
}

inline Action checked_action(Index id) {
  TMOR_CHECK(id >= 0 && id < kActions, "synth prompts: action ", id, ", want 0 to ", kActions - 1);
  return static_cast<Action>(id);
}

}  // namespace detail

/// Fixed texts of an action for zero-shot use, in templates with all its synonyms and descriptions; no side
/// is said. @throws Error for an id that is no action.
inline std::vector<std::string> prompts(Index action) {
  return detail::prompts(detail::checked_action(action), Side::kNone, true);
}

/// Only the texts that say how the body moves. Those of held-out actions use words alone that are also said
/// of trained ones, which a text encoder without foreknowledge needs. @throws Error for an id that is no
/// action.
inline std::vector<std::string> descriptions(Index action) {
  return detail::prompts(detail::checked_action(action), Side::kNone, false);
}

/// The prompts of a combination: every text says the side. @throws Error for an id out of range.
inline std::vector<std::string> combination_prompts(Index id) {
  TMOR_CHECK(id >= 0 && id < std::ssize(combinations()), "synth prompts: combination ", id, " of ",
             combinations().size());
  const Combination& c = combinations()[static_cast<std::size_t>(id)];
  std::vector<std::string> out = detail::prompts(c.action, c.side, true);
  const auto silent = detail::prompts(c.action, Side::kNone, true);
  for (std::size_t i = out.size(); c.side != Side::kNone && i-- > 0;)
    if (out[i] == silent[i]) out.erase(out.begin() + static_cast<std::ptrdiff_t>(i));
  return out;
}

}  // namespace data::synth
TMOR_END
