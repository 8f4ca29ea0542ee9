#pragma once
/// @file body.hpp
/// A human body: its measures, a pose in few numbers that mean the same for every body, and the joints that
/// follow from both.
///
/// The world is in metres, y up. A body's own axes are x to its left, y up, z forward. A pose says where the
/// pelvis is, how the trunk and head are turned, and where hands and feet are; elbows and knees follow from
/// the lengths of the bones. Poses are interpolated channel by channel.

#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>

#include "tmor/core/config.hpp"
#include "tmor/core/rng.hpp"

TMOR_BEGIN
namespace data::synth {

inline constexpr float kTau = 6.2831853f;

struct Vec3 {
  float x = 0, y = 0, z = 0;
  TMOR_HD friend Vec3 operator+(Vec3 a, Vec3 b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
  TMOR_HD friend Vec3 operator-(Vec3 a, Vec3 b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
  TMOR_HD friend Vec3 operator*(float s, Vec3 a) { return {s * a.x, s * a.y, s * a.z}; }
};

TMOR_HD inline float dot(Vec3 a, Vec3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline Vec3 cross(Vec3 a, Vec3 b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
TMOR_HD inline float length(Vec3 a) { return std::sqrt(dot(a, a)); }
TMOR_HD inline Vec3 unit(Vec3 a) { return (1 / std::max(length(a), 1e-9f)) * a; }
TMOR_HD inline Vec3 between(Vec3 a, Vec3 b, float w) { return a + w * (b - a); }
TMOR_HD inline float between(float a, float b, float w) { return a + w * (b - a); }
/// 0 up to x = 0, 1 from x = 1 on, smooth in between.
inline float ease(float x) {
  const float c = x < 0 ? 0 : x > 1 ? 1 : x;
  return c * c * (3 - 2 * c);
}

/// Three orthogonal axes: left, up, forward.
struct Axes {
  Vec3 x{1, 0, 0}, y{0, 1, 0}, z{0, 0, 1};

  TMOR_HD Vec3 operator*(Vec3 p) const { return p.x * x + p.y * y + p.z * z; }

  /// Turned to the left about the vertical, then leaned to the left, then bent forward; radians.
  Axes turned(float left, float lean, float forward) const {
    Axes a = *this;
    rotate(a.z, a.x, left);
    rotate(a.y, a.x, lean);
    rotate(a.y, a.z, forward);
    return a;
  }

 private:
  static void rotate(Vec3& from, Vec3& to, float angle) {
    if (angle == 0.f) return;
    const float c = std::cos(angle), s = std::sin(angle);
    const Vec3 f = c * from + s * to;
    to = c * to - s * from;
    from = f;
  }
};

/// Lengths in metres.
struct BodyShape {
  float height = 1.7f;
  float thigh = 0, shin = 0, foot = 0, ankle = 0;  ///< `ankle`: its height above the floor
  float upper_arm = 0, forearm = 0, hand = 0;
  float belly = 0, breast = 0, neck = 0;  ///< pelvis to chest, chest to neck, neck to the head's middle
  float shoulders = 0, hips = 0;          ///< half the widths
  float girth = 1;                        ///< thickness relative to the average

  float leg() const { return thigh + shin; }
  float arm() const { return upper_arm + forearm; }

  /// The average of that height, then each limb by its own factor.
  static BodyShape make(float height, float legs, float arms, float trunk, float width, float girth) {
    const float h = height;
    BodyShape b;
    b.height = h, b.girth = girth;
    b.thigh = .245f * h * legs, b.shin = .24f * h * legs, b.foot = .11f * h, b.ankle = .04f * h;
    b.upper_arm = .175f * h * arms, b.forearm = .15f * h * arms, b.hand = .055f * h;
    b.belly = .135f * h * trunk, b.breast = .165f * h * trunk, b.neck = .115f * h;
    b.shoulders = .112f * h * width, b.hips = .055f * h * width;
    return b;
  }
};

/// The joints made, one for every canonical name of skeleton/layout.hpp. Those of a side are at
/// `left(j)` and `right(j)`, or `sided(j, side)` with side 0 for left.
enum Joint : int {
  kHead,
  kNose,
  kNeck,
  kChest,
  kPelvis,
  kShoulderCenter,
  kEye,
  kEar,
  kShoulder,
  kElbow,
  kWrist,
  kHand,
  kHandTip,
  kThumb,
  kHip,
  kKnee,
  kAnkle,
  kFoot,
};
inline constexpr int kMiddleJoints = kEye, kSideJoints = kFoot - kEye + 1;
inline constexpr int kJoints = kMiddleJoints + 2 * kSideJoints;
constexpr std::size_t sided(Joint j, int side) { return static_cast<std::size_t>(j + side * kSideJoints); }

inline constexpr std::string_view kJointNames[kJoints] = {
    "head",           "nose",        "neck",           "chest",       "pelvis",      "shoulder_center",
    "left_eye",       "left_ear",    "left_shoulder",  "left_elbow",  "left_wrist",  "left_hand",
    "left_hand_tip",  "left_thumb",  "left_hip",       "left_knee",   "left_ankle",  "left_foot",
    "right_eye",      "right_ear",   "right_shoulder", "right_elbow", "right_wrist", "right_hand",
    "right_hand_tip", "right_thumb", "right_hip",      "right_knee",  "right_ankle", "right_foot"};

using Joints = std::array<Vec3, kJoints>;

/// Channels of a pose. Angles in radians, positive to the left or forward.
enum Channel : int {
  kDown,    ///< how far the pelvis is below standing, in leg lengths
  kShiftX,  ///< of the pelvis over the feet, to the left, in leg lengths
  kShiftZ,  ///< forward
  kPelvisTurn,
  kPelvisLean,
  kPelvisPitch,
  kTurn,  ///< of the spine, against the pelvis
  kLean,
  kBend,
  kLook,  ///< of the head, against the chest
  kTilt,
  kNod,
  kArms,                 ///< left then right: wrist from the shoulder, outwards, up, forward, in arm lengths;
  kLegs = kArms + 8,     ///< elbow outwards. Ankle from under the hip, outwards, up, forward, in leg lengths;
  kChannels = kLegs + 8  ///< knee outwards.
};
using Pose = std::array<float, kChannels>;

/// Where a body stands and which way it faces.
struct Place {
  float x = 0, z = 0, yaw = 0;
};

namespace detail {

/// The end of two bones of lengths a and b from `root` at `target` (or as near as they reach), and the joint
/// between, bent towards `hint`.
inline void two_bones(Vec3 root, Vec3 target, float a, float b, Vec3 hint, Vec3& middle, Vec3& end) {
  const Vec3 way = target - root;
  const Vec3 dir = unit(way);
  const float longest = .995f * (a + b), shortest = std::abs(a - b) + .15f * std::min(a, b);
  const float d = std::min(std::max(length(way), shortest), longest);
  const float along = (a * a - b * b + d * d) / (2 * d);
  const float off = std::sqrt(std::max(a * a - along * along, 0.f));
  const Vec3 side = unit(hint - dot(hint, dir) * dir);
  middle = root + along * dir + off * side;
  end = root + d * dir;
}

}  // namespace detail

/// Forward kinematics: the joints of a body in a pose at a place.
inline Joints pose_joints(const BodyShape& b, const Pose& p, const Place& at) {
  const auto c = [&](int channel) { return p[static_cast<std::size_t>(channel)]; };
  Joints j{};
  const float leg = b.leg(), arm = b.arm();
  const Axes root = Axes{}.turned(at.yaw, 0, 0);
  const Vec3 floor{at.x, 0, at.z};
  const Vec3 pelvis =
      floor + root * Vec3{c(kShiftX) * leg, b.ankle + (.985f - c(kDown)) * leg, c(kShiftZ) * leg};
  const Axes hips = root.turned(c(kPelvisTurn), c(kPelvisLean), c(kPelvisPitch));
  const Axes waist = hips.turned(.4f * c(kTurn), .5f * c(kLean), .5f * c(kBend));
  const Axes trunk = waist.turned(.6f * c(kTurn), .5f * c(kLean), .5f * c(kBend));
  const Axes skull = trunk.turned(c(kLook), c(kTilt), c(kNod));
  const Vec3 chest = pelvis + b.belly * waist.y, neck = chest + b.breast * trunk.y;
  const Vec3 head = neck + b.neck * (.35f * trunk.y + .65f * skull.y) + .012f * b.height * skull.z;
  j[kPelvis] = pelvis;
  j[kChest] = chest;
  j[kNeck] = neck + .012f * b.height * trunk.y;
  j[kShoulderCenter] = neck - .015f * b.height * trunk.y;
  j[kHead] = head;
  j[kNose] = head + .055f * b.height * skull.z - .008f * b.height * skull.y;
  for (int side = 0; side < 2; ++side) {
    const float out = side == 0 ? 1.f : -1.f;
    const float h = b.height;
    j[sided(kEye, side)] = head + skull * Vec3{out * .019f * h, .008f * h, .047f * h};
    j[sided(kEar, side)] = head + skull * Vec3{out * .042f * h, -.002f * h, -.004f * h};

    const int a = kArms + 4 * side;
    Vec3 hand{c(a), c(a + 1), c(a + 2)};
    // A hand on its way past the shoulder goes around it, in front.
    const float near = std::max(0.f, .55f - length(hand));
    hand = hand + Vec3{.5f * near, 0, 1.4f * near};
    const float raised = std::max(0.f, hand.y);
    // The shoulder girdle follows the arm a little.
    const Vec3 shoulder = neck + trunk * Vec3{out * (b.shoulders - .01f * h * raised),
                                              -.02f * h + .03f * h * raised, .012f * h * hand.z};
    const float e = c(a + 3);
    const Vec3 hint = trunk * Vec3{out * (.25f + e + .7f * raised), -.6f, -.75f + .8f * raised + .4f * e};
    detail::two_bones(shoulder, shoulder + arm * (trunk * Vec3{out * hand.x, hand.y, hand.z}), b.upper_arm,
                      b.forearm, hint, j[sided(kElbow, side)], j[sided(kWrist, side)]);
    const Vec3 elbow = j[sided(kElbow, side)], wrist = j[sided(kWrist, side)];
    const Vec3 along = unit(wrist - elbow);
    j[sided(kShoulder, side)] = shoulder;
    j[sided(kHand, side)] = wrist + b.hand * along;
    j[sided(kHandTip, side)] = wrist + 1.9f * b.hand * along;
    j[sided(kThumb, side)] =
        wrist + b.hand * (1.1f * along + .5f * unit(trunk.z - dot(trunk.z, along) * along));

    const int l = kLegs + 4 * side;
    const Vec3 hip = pelvis + hips * Vec3{out * b.hips, 0, 0};
    const Vec3 ankle =
        floor + root * Vec3{out * (b.hips + c(l) * leg), b.ankle + c(l + 1) * leg, c(l + 2) * leg};
    const Vec3 knee_hint = hips * Vec3{out * (.12f + c(l + 3)), .15f, 1};
    detail::two_bones(hip, ankle, b.thigh, b.shin, knee_hint, j[sided(kKnee, side)], j[sided(kAnkle, side)]);
    const Vec3 knee = j[sided(kKnee, side)], end = j[sided(kAnkle, side)];
    const Vec3 shin = unit(end - knee);
    Vec3 toe = cross(shin, unit(hips.x + .18f * out * hips.z));  // square to the shin, turned out a little
    toe = unit(toe + .25f * shin);
    const float planted = std::max(0.f, 1 - c(l + 1) / .12f) * std::max(0.f, hips.y.y);
    toe.y *= 1 - planted;
    j[sided(kHip, side)] = hip;
    j[sided(kFoot, side)] = end + b.foot * unit(toe) + Vec3{0, -.5f * b.ankle * planted, 0};
  }
  return j;
}

}  // namespace data::synth
TMOR_END
