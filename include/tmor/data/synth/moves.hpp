#pragma once
/// @file moves.hpp
/// How each action moves a body: changes made to a resting pose at a moment of a repetition.

#include "tmor/data/synth/actions.hpp"
#include "tmor/data/synth/body.hpp"

TMOR_BEGIN
namespace data::synth {

/// How one action is done, once drawn.
struct Style {
  Action action = Action::kWave;
  Side side = Side::kNone;
  Direction direction = Direction::kNone;
  Speed speed = Speed::kNormal;
  Amplitude amplitude = Amplitude::kNormal;
  Index count = 1;      ///< repetitions
  float seconds = 1;    ///< of one repetition
  float size = 1;       ///< factor of the amplitude
  float habit[6] = {};  ///< personal variation, each in [-1, 1]
  Posture from = Posture::kStanding, to = Posture::kStanding;

  bool uses(int s) const { return side == Side::kBoth || side == (s == 0 ? Side::kLeft : Side::kRight); }
};

namespace detail {

inline void turn_by(Pose& p, int channel, float by) { p[static_cast<std::size_t>(channel)] += by; }

/// Moves four channels from `first` on towards a target by weight w.
inline void limb_to(Pose& p, int first, Vec3 target, float out, float w) {
  const float to[4] = {target.x, target.y, target.z, out};
  for (int i = 0; i < 4; ++i) {
    float& c = p[static_cast<std::size_t>(first + i)];
    c += w * (to[i] - c);
  }
}
inline void hand_to(Pose& p, int side, Vec3 wrist, float elbow = 0, float w = 1) {
  limb_to(p, kArms + 4 * side, wrist, elbow, w);
}
inline void foot_to(Pose& p, int side, Vec3 ankle, float w, float knee = 0) {
  limb_to(p, kLegs + 4 * side, ankle, knee, w);
}

/// Up during [0, rise], held, down during the last `fall`.
inline float hold(float r, float rise, float fall) { return ease(r / rise) * ease((1 - r) / fall); }
TMOR_HD inline float fraction(float r) { return r - std::floor(r); }
inline float wave(float r) { return std::sin(kTau * r); }

/// One step cycle of a foot: forward place in [-1, 1] and lift in [0, 1] at phase r; on the floor while it
/// moves back at constant speed.
struct Step {
  float place, lift;
};
inline Step step(float r, float on_floor) {
  const float f = fraction(r);
  if (f < on_floor) return {1 - 2 * f / on_floor, 0};
  const float s = (f - on_floor) / (1 - on_floor);
  return {-1 + 2 * ease(s), std::sin(.5f * kTau * s)};
}

inline void walk(Pose& p, const Style& s, float r, bool running) {
  const float back = s.direction == Direction::kBackward ? -1.f : 1.f, a = s.size;
  const float stride = (running ? .42f : .27f) * (back < 0 ? .7f : 1.f) * a;
  for (int k = 0; k < 2; ++k) {
    const Step f = step(back * r + .5f * static_cast<float>(k), running ? .45f : .58f);
    const float lift = (running ? .38f * a : .13f) * f.lift;
    foot_to(p, k, {.01f, lift, stride * f.place - (running ? .12f : 0.f) * f.lift}, 1);
    const float swing = -f.place * a;
    if (running)
      hand_to(p, k, {.02f, -.5f + .12f * swing, .28f + .3f * swing}, .1f);
    else
      hand_to(p, k, {.1f + .05f * s.habit[0], -.93f, .12f + .33f * (1 + .3f * s.habit[1]) * swing}, 0);
  }
  const float first = step(back * r, .5f).place;
  turn_by(p, kPelvisTurn, -.12f * first);
  turn_by(p, kTurn, .25f * first);
  turn_by(p, kDown, running ? .06f - .05f * wave(2 * r) : .02f + .02f * wave(2 * r));
  turn_by(p, kBend, running ? .22f : .04f);
}

/// Changes the resting pose `p` to that of the action at `r`: repetitions since its start, in [0, 1] for
/// Timing::kRepeat and kChange.
inline void move(const Style& s, float r, Pose& p) {
  const float a = s.size;
  const float* h = s.habit;
  const bool stands = s.from == Posture::kStanding;
  const auto each = [&](auto&& f) {
    for (int k = 0; k < 2; ++k)
      if (s.uses(k)) f(k, k == 0 ? 1.f : -1.f);
  };
  switch (s.action) {
    case Action::kWave:
      each([&](int k, float) {
        const float w = wave(r);
        hand_to(p, k,
                {.42f + .1f * h[0] + .27f * a * w, .55f + .25f * h[1] - .06f * w * w, .25f + .15f * h[2]},
                .5f + .3f * h[3]);
      });
      break;
    case Action::kClap: {
      const float apart = .5f + .5f * std::cos(kTau * r);
      for (int k = 0; k < 2; ++k)
        hand_to(p, k, {-.3f + .38f * a * apart, -.15f + .3f * h[0], .62f + .15f * h[1]}, .5f + .3f * h[2]);
      break;
    }
    case Action::kPunch: {
      const float f = fraction(r), e = ease(f / .3f) * ease((.75f - f) / .35f);
      for (int k = 0; k < 2; ++k) hand_to(p, k, {-.1f, .1f + .12f * h[0], .38f + .08f * h[1]}, .1f);
      each([&](int k, float out) {
        hand_to(p, k, {-.25f, .12f + .2f * h[2], .62f + .36f * a}, .4f, e);
        turn_by(p, kTurn, -out * (.5f * a * e - .15f));
        foot_to(p, 1 - k, {.03f, 0, .2f}, .9f);
        foot_to(p, k, {.05f, 0, -.15f}, .9f);
      });
      turn_by(p, kShiftZ, .06f * e);
      turn_by(p, kDown, .05f);
      turn_by(p, kBend, .12f);
      break;
    }
    case Action::kKick:
    case Action::kSideKick: {
      const float knee = hold(r, .35f, .4f), out_leg = ease((r - .15f) / .3f) * ease((.8f - r) / .25f);
      const bool side = s.action == Action::kSideKick;
      const float angle = (side ? .95f : 1.15f) * a * (1 + .12f * h[0]);
      const Vec3 high = side ? Vec3{.98f * std::sin(angle), 1 - .98f * std::cos(angle), 0}
                             : Vec3{0, 1 - .98f * std::cos(angle), .98f * std::sin(angle)};
      each([&](int k, float out) {
        foot_to(p, k, side ? Vec3{.2f, .35f, 0} : Vec3{0, .32f, .12f}, knee);
        foot_to(p, k, high, out_leg);
        turn_by(p, kShiftX, -out * .07f * knee);
        if (side) turn_by(p, kLean, -out * .45f * out_leg);
        hand_to(p, k, {.3f, -.75f, -.2f + .1f * h[1]}, .1f, .8f * knee);
        hand_to(p, 1 - k, {.35f, -.55f + .2f * h[2], .4f}, .1f, .8f * knee);
      });
      if (!side) turn_by(p, kPelvisPitch, -.22f * out_leg), turn_by(p, kBend, .15f * out_leg);
      break;
    }
    case Action::kJump: {
      const float crouch =
          ease(r / .25f) * ease((.42f - r) / .14f) + .8f * ease((r - .74f) / .1f) * ease((1 - r) / .16f);
      const float f = (r - .36f) / .4f, flight = f > 0 && f < 1 ? 4 * f * (1 - f) : 0;
      const float up = .32f * a * flight;
      turn_by(p, kDown, .24f * a * crouch - up);
      turn_by(p, kBend, .45f * crouch);
      turn_by(p, kShiftZ, -.06f * crouch);
      for (int k = 0; k < 2; ++k) {
        p[static_cast<std::size_t>(kLegs + 4 * k + 1)] += up + .08f * flight;
        hand_to(p, k, {.15f, -.8f, -.4f}, 0, ease(r / .25f) * ease((.55f - r) / .25f));
        hand_to(p, k, {.15f, h[0] > 0 ? .75f : -.1f, .55f}, .2f,
                hold((r - .3f) / .6f, .4f, .5f) * (.65f + .2f * h[1]));
      }
      break;
    }
    case Action::kSquat: {
      const float d = hold(r, .42f, .42f) * (.85f + .15f * h[2]);
      turn_by(p, kDown, std::min(.5f * a, .62f) * d);
      turn_by(p, kShiftZ, -.13f * d);
      turn_by(p, kPelvisPitch, .3f * d);
      turn_by(p, kBend, .35f * d);
      turn_by(p, kNod, -.4f * d);
      for (int k = 0; k < 2; ++k) {
        foot_to(p, k, {.08f, 0, 0}, .7f * ease(4 * r) * ease(4 - 4 * r), .3f);
        if (h[0] > -.3f)
          hand_to(p, k, {-.12f, .05f + .2f * h[1], .92f}, .3f, d);
        else
          hand_to(p, k, {-.05f, -.5f, .5f}, .3f, d);
      }
      break;
    }
    case Action::kSitDown:
      turn_by(p, kBend, .65f * std::sin(.5f * kTau * ease(r)) * (1 + .3f * h[0]));
      break;
    case Action::kStandUp:
      turn_by(p, kBend, .7f * std::sin(.5f * kTau * ease(1.2f * r)) * (1 + .3f * h[0]));
      break;
    case Action::kWalk:
      walk(p, s, r, false);
      break;
    case Action::kRun:
      walk(p, s, r, true);
      break;
    case Action::kBow: {
      const float d = hold(r, .38f, .4f) * a;
      turn_by(p, kBend, .75f * d);
      turn_by(p, kNod, .25f * d);
      if (stands) turn_by(p, kPelvisPitch, .4f * d), turn_by(p, kShiftZ, -.12f * d);
      for (int k = 0; k < 2; ++k)
        if (h[0] > 0)
          hand_to(p, k, {-.2f, -.75f, .4f}, .2f, std::min(d, 1.f));
        else
          hand_to(p, k, {.1f, -.95f, .15f}, 0, std::min(d, 1.f));
      break;
    }
    case Action::kThrow:
      each([&](int k, float out) {
        const float back = ease(r / .35f) * ease((.6f - r) / .2f),
                    forth = ease((r - .36f) / .22f) * ease((.85f - r) / .25f),
                    down = ease((r - .55f) / .2f) * ease((1 - r) / .25f);
        const bool under = h[0] < -.55f;  // from below
        hand_to(p, k, under ? Vec3{.15f, -.75f, -.55f} : Vec3{.45f, .45f + .15f * h[1], -.3f}, .5f, back);
        hand_to(p, k, under ? Vec3{0, -.2f, .95f} : Vec3{.05f, .45f, .85f}, .3f, forth);
        hand_to(p, k, under ? Vec3{0, .5f, .8f} : Vec3{-.3f, -.45f, .7f}, .2f, down);
        hand_to(p, 1 - k, {.15f, -.1f, .75f}, .2f, .8f * back);
        turn_by(p, kTurn, out * (.65f * a * back - .5f * a * forth));
        turn_by(p, kBend, .3f * a * down);
        if (stands) foot_to(p, 1 - k, {.03f, 0, .3f}, std::max(forth, down));
        turn_by(p, kShiftZ, stands ? .12f * std::max(forth, down) - .06f * back : 0);
      });
      break;
    case Action::kReachUp: {
      const float w = hold(r, .4f, .35f);
      each([&](int k, float out) {
        hand_to(p, k, {.05f + .15f * h[0], .98f, .12f + .25f * h[1]}, .3f, w);
        turn_by(p, kLean, s.side == Side::kBoth ? 0 : -out * .15f * w);
      });
      turn_by(p, kNod, -.4f * w);
      if (stands) turn_by(p, kDown, -.015f * w);
      break;
    }
    case Action::kPickUp: {
      const float low = hold(std::min(r / .75f, 1.f), .5f, .45f),
                  carry = ease((r - .35f) / .25f) * ease((1 - r) / .2f);
      const float knees = .3f + .16f * h[0];
      turn_by(p, kDown, knees * low);
      turn_by(p, kShiftZ, -.16f * low);
      turn_by(p, kPelvisPitch, (.75f - .3f * h[0]) * low);
      turn_by(p, kBend, .75f * low);
      each([&](int k, float) {
        hand_to(p, k, {-.12f, -.35f, .55f}, .1f, carry);
        hand_to(p, k, {-.15f, -.6f, .78f}, .1f, low);
      });
      if (s.side != Side::kBoth)
        hand_to(p, s.side == Side::kLeft ? 1 : 0, {-.05f, -.8f, .3f}, .3f, .7f * low);
      break;
    }
    case Action::kDrink: {
      const float w = hold(r, .32f, .3f), sip = ease((r - .3f) / .12f) * ease((.72f - r) / .12f);
      each([&](int k, float) {
        hand_to(p, k, {-.2f, .2f + .07f * sip, .46f - .04f * sip}, .25f + .3f * h[0], w);
      });
      turn_by(p, kNod, -.32f * sip);
      break;
    }
    case Action::kAnswerPhone: {
      const float w = hold(r, .25f, .2f);
      each([&](int k, float out) {
        hand_to(p, k, {-.02f, .3f, .2f}, .35f + .3f * h[0], w);
        turn_by(p, kTilt, out * .2f * w);
        turn_by(p, kLook, .25f * h[1] * w);
      });
      break;
    }
    case Action::kTurnAround:
      for (int k = 0; k < 2; ++k) {
        const float f =
            std::max(0.f, wave(2 * r + .5f * static_cast<float>(k))) * ease(8 * r) * ease(8 - 8 * r);
        foot_to(p, k, {.03f, .1f, .03f}, f);
        hand_to(p, k, {.2f + .1f * h[0], -.9f, .1f}, 0, .7f * hold(r, .3f, .3f));
      }
      each([&](int, float out) { turn_by(p, kLook, out * .45f * hold(r, .25f, .4f)); });
      break;
    case Action::kLunge: {
      const float d = hold(r, .38f, .4f), back = s.direction == Direction::kBackward ? -1.f : 1.f;
      const float far = std::min(.62f * a, .8f), up = .1f * std::sin(kTau * std::min(d, 1.f) * .5f);
      each([&](int k, float) {
        foot_to(p, k, {.02f, up, back * far * d}, ease(5 * r) * ease(5 - 5 * r));
        if (back > 0) foot_to(p, 1 - k, {.02f, .1f * d, -.08f}, d);
      });
      turn_by(p, kShiftZ, back * .48f * far * d);
      turn_by(p, kDown, (.28f + .1f * h[0]) * a * d);
      for (int k = 0; k < 2; ++k)
        if (h[1] > .2f) hand_to(p, k, {.22f, -.4f, .12f}, .8f, d);
      break;
    }
    case Action::kHop: {
      const float up = std::max(0.f, wave(r)) * .13f * a, dip = std::max(0.f, -wave(r));
      each([&](int k, float out) {
        foot_to(p, 1 - k, {.02f, .38f + .12f * h[0] + up, h[1] > 0 ? -.3f : .1f}, 1);
        p[static_cast<std::size_t>(kLegs + 4 * k + 1)] += up;
        turn_by(p, kShiftX, out * .08f);
      });
      turn_by(p, kDown, .07f * dip - up);
      for (int k = 0; k < 2; ++k) hand_to(p, k, {.4f + .25f * h[2], -.6f + .1f * wave(r), .25f}, .2f, .8f);
      break;
    }
    case Action::kMarch:
      for (int k = 0; k < 2; ++k) {
        const float w = wave(r + .5f * static_cast<float>(k)), up = std::max(0.f, w);
        foot_to(p, k, {0, .36f * a * up, .2f * a * up}, 1);
        hand_to(p, k, {.08f, -.75f, .25f - .45f * a * w}, 0, .95f);
      }
      turn_by(p, kTurn, .12f * wave(r));
      break;
    case Action::kPush:
    case Action::kPull: {
      const bool push = s.action == Action::kPush;
      const float f = fraction(r), e = push ? hold(f, .5f, .4f) : hold(f, .35f, .5f);  // arm out
      const float reach = .3f + .66f * std::min(a, 1.05f) * e, level = .2f * h[0] - .05f;
      each([&](int k, float out) {
        hand_to(p, k,
                {push ? -.1f : -.1f + .2f * (1 - e), level - (push ? 0 : .15f * (1 - e)),
                 reach - (push ? 0 : .12f)},
                push ? .3f : .15f);
        if (s.side != Side::kBoth) turn_by(p, kTurn, -out * (push ? .35f : .45f) * (e - .5f));
      });
      turn_by(p, kBend, push ? .1f + .18f * e : -.16f + .2f * e);
      if (stands) {
        foot_to(p, h[1] > 0 ? 0 : 1, {.03f, 0, .25f}, .9f);
        foot_to(p, h[1] > 0 ? 1 : 0, {.03f, 0, -.15f}, .9f);
        turn_by(p, kShiftZ, push ? .1f * e : -.06f + .12f * e);
        turn_by(p, kDown, .05f);
      }
      break;
    }
    case Action::kStir:
      each([&](int k, float) {
        hand_to(p, k, {-.2f + .17f * a * wave(r), -.4f + .12f * h[0], .52f + .15f * a * std::cos(kTau * r)},
                .35f);
        if (h[1] > 0) hand_to(p, 1 - k, {-.12f, -.5f, .45f}, .2f);
      });
      turn_by(p, kNod, .3f);
      break;
    case Action::kSaw:
      each([&](int k, float) {
        const float w = wave(r);
        hand_to(p, k, {-.05f, -.48f + .06f * h[0] - .08f * w, .4f + .3f * a * w}, .1f);
        hand_to(p, 1 - k, {-.12f, -.5f, .55f}, .2f);
        turn_by(p, kTurn, (k == 0 ? -.1f : .1f) * w);
      });
      turn_by(p, kNod, .3f);
      turn_by(p, kBend, .25f);
      break;
    case Action::kLieDown: {
      const float w = std::sin(.5f * kTau * ease(r));
      turn_by(p, kBend, .5f * w);
      hand_to(p, h[0] > 0 ? 0 : 1, {.35f, -.85f, -.25f}, .2f, w);
      break;
    }
    case Action::kRaiseArm: {
      const float angle = hold(r, .4f, .4f) * (1.6f + .25f * h[0]) * a;
      each([&](int k, float out) {
        hand_to(p, k, {.97f * std::sin(angle), -.97f * std::cos(angle), .08f}, 0,
                ease(6 * r) * ease(6 - 6 * r));
        if (s.side != Side::kBoth) turn_by(p, kLean, -out * .08f * hold(r, .4f, .4f));
      });
      break;
    }
    case Action::kJumpingJack: {
      const float open = .5f - .5f * std::cos(kTau * r), up = .08f * std::abs(wave(r)) * a;
      const float angle = .2f + 2.6f * open * std::min(a, 1.1f);
      for (int k = 0; k < 2; ++k) {
        hand_to(p, k, {.97f * std::sin(angle), -.97f * std::cos(angle), .08f}, .2f);
        foot_to(p, k, {.28f * a * open, up, 0}, 1);
      }
      turn_by(p, kDown, .05f * open - up);
      break;
    }
    case Action::kShakeHead:
      turn_by(p, kLook, .75f * a * wave(r));
      break;
    case Action::kNod:
      turn_by(p, kNod, .12f + .42f * a * wave(r));
      break;
    case Action::kLiftKnee: {
      const float w = hold(r, .4f, .4f);
      each([&](int k, float out) {
        foot_to(p, k, {.02f + .05f * h[0], .5f * a, .3f}, w);
        turn_by(p, kShiftX, -out * .06f * w);
        if (h[1] > .2f) hand_to(p, k, {-.1f, -.55f, .6f}, .2f, w);
      });
      break;
    }
    case Action::kLeanSideways: {
      const float w = hold(r, .4f, .4f);
      each([&](int k, float out) {
        turn_by(p, kLean, out * .62f * a * w);
        turn_by(p, kShiftX, -out * .06f * w);
        if (h[0] > .3f) hand_to(p, 1 - k, {-.15f, .95f, 0}, .5f, w);
        if (h[0] < -.3f) hand_to(p, 0, {.2f, -.42f, .1f}, .8f, w), hand_to(p, 1, {.2f, -.42f, .1f}, .8f, w);
      });
      break;
    }
    case Action::kStretch: {
      const float w = hold(r, .35f, .3f);
      for (int k = 0; k < 2; ++k) hand_to(p, k, {.2f + .25f * h[0], .95f, -.05f}, .5f, w);
      turn_by(p, kBend, -.25f * w);
      turn_by(p, kNod, -.3f * w);
      break;
    }
    case Action::kPoint:
      each([&](int k, float) {
        hand_to(p, k, {.1f + .3f * h[0], .1f + .3f * h[1], .97f}, .1f, hold(r, .28f, .25f));
      });
      break;
    case Action::kCircleArm:
      each([&](int k, float) {
        const float turn = h[0] > 0 ? -r : r;
        hand_to(p, k, {.2f + .1f * h[1], -std::cos(kTau * turn), wave(turn)}, .2f);
      });
      break;
  }
}

/// Where the action takes the body and turns it, after `r` of `count` repetitions, from its own start and in
/// its own axes; metres need the leg's length.
inline Place travel(const Style& s, float r, float leg) {
  const float n = static_cast<float>(s.count);
  const float way = s.direction == Direction::kBackward ? -1.f : 1.f;
  switch (s.action) {
    case Action::kWalk:
      return {0, way * 2 * .27f / .58f * (way < 0 ? .7f : 1.f) * s.size * r * leg, 0};
    case Action::kRun:
      return {0, 2 * .42f / .45f * s.size * r * leg * .75f, 0};
    case Action::kJump:
      if (s.direction == Direction::kNone) return {};
      return {0,
              way * .45f * s.size * leg *
                  (std::floor(r) + ease((fraction(r) - .36f) / .4f) * (r < n ? 1.f : 0.f)),
              0};
    case Action::kTurnAround:
      return {0, 0,
              (s.side == Side::kLeft ? 1.f : -1.f) * .5f * kTau * (1 + .25f * s.habit[2]) * ease(r / n)};
    default:
      return {};
  }
}

}  // namespace detail
}  // namespace data::synth
TMOR_END
