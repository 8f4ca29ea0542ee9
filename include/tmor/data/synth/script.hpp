#pragma once
/// @file script.hpp
/// The script of a clip: who does what, when, in which posture and with what small habits; and the body at
/// any moment of it.

#include <algorithm>
#include <vector>

#include "tmor/data/synth/moves.hpp"

TMOR_BEGIN
namespace data::synth {

/// Which actions, bodies and cameras a sample is drawn from.
///
/// Actions: the first `kTrainedActions` of `action_names()` are trained, the others are seen in
/// kUnseenActions only. Combinations of an action and a side for which `held_out` holds are seen in
/// kUnseenCombinations only, while that action with another side, and that side with other actions, are
/// trained. All test splits draw bodies and cameras from ranges that training never uses: heights below 1.50
/// m or above 1.84 m (training: 1.52 to 1.82 m) with limbs more than 5 % away from the average (training:
/// less), and views from between the training's directions and from higher above.
enum class Split : int {
  kTrain,               ///< trained actions and combinations
  kTestBodies,          ///< the same, by unseen bodies before unseen cameras
  kUnseenActions,       ///< the held-out actions
  kUnseenCombinations,  ///< the held-out combinations
  kDetectionTrain,      ///< sequences of several trained actions
  kDetectionTest,       ///< the same, by unseen bodies before unseen cameras
};

inline constexpr bool is_test(Split s) { return s != Split::kTrain && s != Split::kDetectionTrain; }
inline constexpr bool is_detection(Split s) {
  return s == Split::kDetectionTrain || s == Split::kDetectionTest;
}

/// One action of a script, in seconds.
struct Event {
  Style style;
  float begin = 0, end = 0;
  Place place;  ///< where it starts
};

struct Script {
  BodyShape body;
  std::vector<Event> events;  ///< in time; they do not overlap
  float seconds = 0;

  /// A change of posture during [begin, end].
  struct Change {
    float begin, end;
    Posture from, to;
  };
  std::vector<Change> changes;
  Posture start = Posture::kStanding;
  Pose resting[3];        ///< by posture
  float sway[kChannels];  ///< strengths, rates and phases of idle motion
  float rate[kChannels];
  float phase[kChannels];
  Place place;  ///< at the start

  /// An idle hand: taken somewhere near the body for a while, and not worth telling.
  struct Fidget {
    float begin, end;
    int side;
    Vec3 hand;
  };
  std::vector<Fidget> fidgets;

  bool sits() const {
    return start == Posture::kSitting || std::any_of(changes.begin(), changes.end(), [](const Change& c) {
             return c.to == Posture::kSitting;
           });
  }
  /// The posture at a moment; during a change the one before it.
  Posture posture(float t) const {
    Posture p = start;
    for (const Change& c : changes)
      if (t >= c.end) p = c.to;
    return p;
  }
};

namespace detail {

inline float draw(Rng& rng, double low, double high) { return static_cast<float>(rng.uniform(low, high)); }
template <class T> const T& pick(const std::vector<T>& from, Rng& rng) {
  return from[static_cast<std::size_t>(rng.uniform_int(std::ssize(from)))];
}

inline BodyShape draw_body(bool test, Rng& rng) {
  const double span = test ? (rng.bernoulli(.5) ? rng.uniform(1.40, 1.50) : rng.uniform(1.84, 1.98))
                           : rng.uniform(1.52, 1.82);
  const auto limb = [&] {
    const double off = test ? rng.uniform(.05, .10) : rng.uniform(0, .05);
    return static_cast<float>(1 + (rng.bernoulli(.5) ? off : -off));
  };
  const float legs = limb(), arms = limb(), trunk = limb(), width = limb();
  return BodyShape::make(static_cast<float>(span), legs, arms, trunk, width, draw(rng, .8, 1.3));
}

/// A standing, a sitting and a lying pose with the habits of one person.
inline void draw_resting(Script& s, Rng& rng) {
  const float spread = draw(rng, -.03, .12), stagger = draw(rng, -.1, .1);
  const float bend = draw(rng, -.08, .14), lean = draw(rng, -.07, .07), turn = draw(rng, -.2, .2);
  const Index arms = rng.uniform_int(10);
  const float out = draw(rng, .02, .3), forth = draw(rng, -.05, .35);
  for (int kind = 0; kind < 3; ++kind) {
    Pose& p = s.resting[kind] = Pose{};
    p[kBend] = bend, p[kLean] = lean, p[kTurn] = turn, p[kLook] = -.6f * turn, p[kNod] = -.5f * bend;
    for (int k = 0; k < 2; ++k) {
      const float sign = k == 0 ? 1.f : -1.f;
      hand_to(p, k, {out, -.95f, forth}, .1f);
      if (arms == 7 || (arms == 9 && k == 0)) hand_to(p, k, {.2f, -.42f, .1f}, .8f);  // on the hips
      if (arms == 8) hand_to(p, k, {-.27f, -.65f, .42f}, .3f);                        // clasped in front
      if (arms == 6) hand_to(p, k, {-.12f, -.78f, -.2f}, .5f);                        // behind the back
      if (arms == 5) hand_to(p, k, {-.22f - .1f * sign, -.42f, .4f}, .4f);            // folded
      foot_to(p, k, {spread, 0, sign * stagger}, 1);
    }
    if (kind == static_cast<int>(Posture::kSitting)) {
      p[kDown] = .5f, p[kShiftZ] = -.42f, p[kPelvisPitch] = -.08f;
      for (int k = 0; k < 2; ++k) {
        foot_to(p, k, {spread + .03f, 0, .05f + (k == 0 ? .5f : -.5f) * stagger}, 1, .1f);
        if (arms < 7) hand_to(p, k, {-.05f + out, -.62f, .48f + .5f * forth}, .3f);  // on the thighs
      }
    }
    if (kind == static_cast<int>(Posture::kLying)) {
      p[kDown] = .92f, p[kShiftZ] = -.4f, p[kPelvisPitch] = -1.5f, p[kNod] = .1f;
      const float knees = draw(rng, 0, .3);
      for (int k = 0; k < 2; ++k) {
        foot_to(p, k, {spread + .04f, .02f, .57f - .5f * knees}, 1);
        hand_to(p, k, {.3f + out, -.85f, .05f}, .2f);
      }
    }
  }
}

inline void draw_sway(Script& s, Rng& rng) {
  const float strength = draw(rng, .3, 1.6);
  for (int c = 0; c < kChannels; ++c) {
    float most = .03f;  // angles of the trunk
    if (c == kLook || c == kNod || c == kTilt) most = .14f;
    if (c == kTurn || c == kPelvisTurn) most = .09f;
    if (c == kDown || c == kShiftZ) most = .006f;
    if (c == kShiftX) most = .02f;
    if (c >= kArms) most = .1f;
    if (c >= kLegs) most = 0;
    s.sway[c] = strength * most * draw(rng, .2, 1);
    s.rate[c] = draw(rng, .1, .7);
    s.phase[c] = draw(rng, 0, 1);
  }
}

inline void draw_fidgets(Script& s, Rng& rng) {
  const Index count = static_cast<Index>(static_cast<double>(s.seconds) * rng.uniform(0, .6));
  for (Index i = 0; i < count; ++i) {
    const float begin = draw(rng, -.5, s.seconds), whole = draw(rng, .6, 1.8);
    const int side = static_cast<int>(rng.uniform_int(2));
    const float out = draw(rng, -.2, .3), up = draw(rng, -.75, -.1);
    s.fidgets.push_back({begin, begin + whole, side, {out, up, draw(rng, .2, .5)}});
  }
}

/// The resting pose between two postures; legs and height change first, turning after, for lying down.
inline Pose rest_between(const Script& s, const Script::Change& c, float w) {
  const Pose &a = s.resting[static_cast<int>(c.from)], &b = s.resting[static_cast<int>(c.to)];
  Pose p;
  const bool lying = c.to == Posture::kLying || c.from == Posture::kLying;
  for (int i = 0; i < kChannels; ++i) {
    const bool turning = i == kPelvisPitch;
    const float f = !lying                                 ? ease(w)
                    : turning == (c.to == Posture::kLying) ? ease((w - .3f) / .7f)
                                                           : ease(w / .75f);
    p[static_cast<std::size_t>(i)] =
        between(a[static_cast<std::size_t>(i)], b[static_cast<std::size_t>(i)], f);
  }
  return p;
}

inline Pose rest_at(const Script& s, float t) {
  Pose p = s.resting[static_cast<int>(s.posture(t))];
  for (const Script::Change& c : s.changes)
    if (t >= c.begin && t < c.end) p = rest_between(s, c, (t - c.begin) / (c.end - c.begin));
  for (int i = 0; i < kLegs; ++i)
    p[static_cast<std::size_t>(i)] += s.sway[i] * std::sin(kTau * (s.rate[i] * t + s.phase[i]));
  for (const Script::Fidget& f : s.fidgets)
    if (t > f.begin && t < f.end)
      hand_to(p, f.side, f.hand, .3f, hold((t - f.begin) / (f.end - f.begin), .35f, .35f));
  return p;
}

/// Seconds in which a cycle is entered, and left again.
inline float ramp_of(const Style& s, float whole) {
  return info(s.action).timing == Timing::kCycle ? std::min(.35f, .2f * whole) : 0.f;
}

/// Repetitions done at t.
inline float repetitions(const Event& e, float t) {
  const float whole = e.end - e.begin, ramp = ramp_of(e.style, whole);
  const float n = static_cast<float>(e.style.count);
  return (t - e.begin - ramp) / std::max(whole - 2 * ramp, 1e-3f) * n;
}

inline Place compose(const Place& a, const Place& b) {
  const float c = std::cos(a.yaw), s = std::sin(a.yaw);
  return {a.x + c * b.x + s * b.z, a.z - s * b.x + c * b.z, a.yaw + b.yaw};
}

/// Where an event leaves the body at t.
inline Place place_at(const Event& e, float leg, float t) {
  const float n = static_cast<float>(e.style.count);
  return compose(e.place, travel(e.style, std::clamp(repetitions(e, t), 0.f, n), leg));
}

}  // namespace detail

/// The body's joints at t seconds, in the world.
inline Joints joints_at(const Script& s, float t) {
  Pose p = detail::rest_at(s, t);
  Place place = s.place;
  for (const Event& e : s.events) {
    if (t < e.begin) break;
    place = detail::place_at(e, s.body.leg(), std::min(t, e.end));
    if (t >= e.end) continue;
    const float ramp = detail::ramp_of(e.style, e.end - e.begin);
    float r = detail::repetitions(e, t), w = 1;
    if (ramp > 0) w = ease((t - e.begin) / ramp) * ease((e.end - t) / ramp);
    const float n = static_cast<float>(e.style.count);
    if (info(e.style.action).timing == Timing::kCycle)
      r = std::clamp(r, 0.f, n);  // entered and left at rest
    else
      r = r >= n ? 1 : detail::fraction(r);
    Pose moved = p;
    detail::move(e.style, r, moved);
    for (std::size_t i = 0; i < kChannels; ++i) p[i] = between(p[i], moved[i], w);
  }
  return pose_joints(s.body, p, place);
}

struct ScriptOptions {
  Split split = Split::kTrain;
  float seconds = 3.2f;
  Index most_actions = 1;  ///< a sequence of up to so many, as many as fit; 1: a single action
};

namespace detail {

/// The actions and combinations of a split: every action is as likely, and every side of it.
inline const std::vector<std::vector<Combination>>& choices(Split split) {
  static const auto all = [] {
    std::array<std::vector<std::vector<Combination>>, 3> by;  // trained, unseen actions, unseen combinations
    for (Index a = 0; a < kActions; ++a) {
      std::vector<Combination> seen, unseen;
      for (const Side s : sides(static_cast<Action>(a)))
        (held_out({static_cast<Action>(a), s}) ? unseen : seen).push_back({static_cast<Action>(a), s});
      by[a < kTrainedActions ? 0 : 1].push_back(seen);
      if (!unseen.empty()) by[2].push_back(unseen);
    }
    return by;
  }();
  return all[split == Split::kUnseenActions ? 1 : split == Split::kUnseenCombinations ? 2 : 0];
}

/// A way to do something of the split within `most` seconds, from a posture.
inline Style draw_style(Split split, float most, Rng& rng) {
  const Combination c = pick(pick(choices(split), rng), rng);
  const ActionInfo& a = info(c.action);
  Style s;
  s.action = c.action, s.side = c.side;
  std::vector<Direction> ways;
  if (a.directions & kForth) ways.push_back(Direction::kForward);
  if (a.directions & kBack) ways.push_back(Direction::kBackward);
  if (a.directions & kInPlace) ways.push_back(Direction::kNone);
  if (!ways.empty()) s.direction = pick(ways, rng);
  const double u = rng.uniform(), v = rng.uniform(), w = rng.uniform();
  s.speed = u < .25 ? Speed::kSlow : u < .65 ? Speed::kNormal : Speed::kFast;
  const float slow = s.speed == Speed::kSlow     ? draw(rng, 1.4, 1.8)
                     : s.speed == Speed::kNormal ? draw(rng, .88, 1.15)
                                                 : draw(rng, .58, .72);
  if (a.sized) s.amplitude = v < .25 ? Amplitude::kSmall : v < .75 ? Amplitude::kNormal : Amplitude::kLarge;
  s.size = s.amplitude == Amplitude::kSmall    ? draw(rng, .55, .7)
           : s.amplitude == Amplitude::kNormal ? draw(rng, .88, 1.1)
                                               : draw(rng, 1.25, 1.4);
  s.seconds = a.seconds * slow;
  for (float& h : s.habit) h = draw(rng, -1, 1);
  const float room = a.timing == Timing::kCycle ? most - .6f : most;
  const Index fit = std::max<Index>(1, static_cast<Index>(room / s.seconds));
  if (a.counted)
    s.count = std::min<Index>(1 + rng.uniform_int(4), fit);
  else if (a.timing == Timing::kCycle)
    s.count = std::max<Index>(1, static_cast<Index>(static_cast<double>(fit) * rng.uniform(.55, 1.0) + .5));
  constexpr float kFar = 2.8f;  // metres that stay in sight
  const float cycle =
      c.action == Action::kWalk || c.action == Action::kRun ? std::abs(travel(s, 1, .83f).z) : 0;
  if (cycle > 0) s.count = std::clamp<Index>(static_cast<Index>(kFar / cycle), 1, s.count);
  if (c.action == Action::kSitDown) s.to = Posture::kSitting;
  if (c.action == Action::kLieDown) s.to = Posture::kLying;
  if (c.action == Action::kStandUp) s.from = Posture::kSitting;
  if (a.sitting && w < .3) s.from = s.to = Posture::kSitting;
  return s;
}

inline float duration(const Style& s) {
  const float whole = s.seconds * static_cast<float>(s.count);
  return info(s.action).timing == Timing::kCycle ? whole + .6f : whole;
}

/// Fewer repetitions, then faster ones, until they fit into `most` seconds; the speed told is the true one.
inline void fit(Style& s, float most) {
  while (duration(s) > most && s.count > 1) --s.count;
  if (duration(s) <= most) return;
  s.seconds = std::max(s.seconds - (duration(s) - most) / static_cast<float>(s.count), .1f);
  const float slow = s.seconds / info(s.action).seconds;
  s.speed = slow > 1.28f ? Speed::kSlow : slow < .8f ? Speed::kFast : Speed::kNormal;
}

}  // namespace detail

/// Draws a script. The same Rng gives the same script.
inline Script make_script(const ScriptOptions& o, Rng rng) {
  Script s;
  s.seconds = o.seconds;
  Rng who = rng.fork(1), how = rng.fork(2);
  s.body = detail::draw_body(is_test(o.split), who);
  detail::draw_resting(s, who);
  detail::draw_sway(s, who);
  detail::draw_fidgets(s, who);

  constexpr float kRise = .8f;  // seconds to stand up or sit down between actions, unlabelled
  const bool several = o.most_actions > 1;
  const float most = several ? std::clamp(.5f * o.seconds, 1.2f, 3.2f) : o.seconds;  // seconds of an action
  float now = 0;
  Place place = s.place;
  Posture posture = Posture::kStanding;
  for (int tries = 0; std::ssize(s.events) < o.most_actions && tries < 4 * o.most_actions + 4; ++tries) {
    const bool first = s.events.empty();
    Style style = detail::draw_style(o.split, most, how);
    detail::fit(style, most);
    const float rest = o.seconds - now;
    const bool waits = !first && style.from != posture;
    const float gap = first ? 0.f : detail::draw(how, .1, .5) + (waits ? kRise : 0.f);
    const float whole = std::min(detail::duration(style), rest);
    if (!first && whole + gap > rest) continue;
    if (first) {
      s.start = posture = style.from;
      now = detail::draw(how, 0, static_cast<double>(several ? .2f * (rest - whole) : rest - whole));
    } else if (waits) {
      s.changes.push_back({now, now + kRise, posture, style.from});
    }
    const Event e{style, now + gap, now + gap + whole, place};
    if (style.to != style.from) s.changes.push_back({e.begin, e.end, style.from, style.to});
    place = detail::place_at(e, s.body.leg(), e.end);
    posture = style.to;
    now = e.end;
    s.events.push_back(e);
  }
  return s;
}

}  // namespace data::synth
TMOR_END
