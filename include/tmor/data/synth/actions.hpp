#pragma once
/// @file actions.hpp
/// The actions the generator knows: how each may be done and what is said of it, and which of them a model
/// sees in training.

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tmor/core/config.hpp"
#include "tmor/core/error.hpp"
#include "tmor/core/suggest.hpp"

TMOR_BEGIN
namespace data::synth {

/// Actions in the order of the class ids: the trained ones, then those held out from training.
enum class Action : int {
  kWave,
  kClap,
  kPunch,
  kKick,
  kJump,
  kSquat,
  kSitDown,
  kStandUp,
  kWalk,
  kRun,
  kBow,
  kThrow,
  kReachUp,
  kPickUp,
  kDrink,
  kAnswerPhone,
  kTurnAround,
  kLunge,
  kHop,
  kMarch,
  kPush,
  kStir,
  kLieDown,
  kRaiseArm,
  kShakeHead,
  kLiftKnee,
  kLeanSideways,
  // held out
  kJumpingJack,
  kPull,
  kSaw,
  kStretch,
  kPoint,
  kNod,
  kCircleArm,
  kSideKick,
};
inline constexpr Index kActions = 35, kTrainedActions = 27;

/// The limb an action is done with, or the way it goes.
enum class Side : int { kNone, kLeft, kRight, kBoth };
enum class Direction : int { kNone, kForward, kBackward };
enum class Speed : int { kSlow, kNormal, kFast };
enum class Amplitude : int { kSmall, kNormal, kLarge };
enum class Posture : int { kStanding, kSitting, kLying };

/// What "left" is said of.
enum class Limb : int { kNone, kHand, kArm, kLeg, kKnee, kWay };

/// How an action fills its time: repetitions that begin and end in the posture; a cycle that is entered and
/// left smoothly; or a lasting change of posture.
enum class Timing : int { kRepeat, kCycle, kChange };

inline constexpr unsigned kL = 1, kR = 2, kB = 4, kLR = kL | kR, kLRB = kL | kR | kB;
inline constexpr unsigned kForth = 1, kBack = 2, kInPlace = 4;

/// One row of the table.
/// In texts, `{hand} {arm} {leg} {knee} {foot}` stand for "the left hand", "both hands", "a hand" and so on,
/// and `{with}` for " with the left hand", " to the left", or nothing when the side is not said. Phrases hold
/// the verb twice: "waves{with}|waving{with}". Descriptions begin with the verb in -ing.
struct ActionInfo {
  std::string_view name;
  Limb limb;
  unsigned sides;       ///< of kL, kR, kB; 0: no side
  unsigned directions;  ///< of kForth, kBack, kInPlace; 0: no direction
  Timing timing;
  float seconds;  ///< of one repetition at normal speed and size
  bool counted;   ///< repetitions are countable, and said
  bool sitting;   ///< may be done on a seat
  bool sized;     ///< done in small or large
  std::string_view phrases[4];
  std::string_view descriptions[3];
};

namespace detail {

// clang-format off
inline constexpr ActionInfo kActionTable[kActions] = {
    {"wave", Limb::kHand, kLRB, 0, Timing::kCycle, .6f, true, true, true,
     {"waves{with}|waving{with}", "waves hello{with}|waving hello{with}",
      "says hello{with}|saying hello{with}", "greets someone{with}|greeting someone{with}"},
     {"moving {hand} from side to side above the shoulder",
      "swinging {hand} left and right next to the head",
      "holding {hand} up above the shoulder and swinging it to the side again and again"}},
    {"clap", Limb::kNone, 0, 0, Timing::kCycle, .5f, true, true, true,
     {"claps|clapping", "claps the hands|clapping the hands", "applauds|applauding"},
     {"bringing both hands together in front of the chest and apart again",
      "hitting both hands together in front of the body",
      "moving both hands apart and together again and again"}},
    {"punch", Limb::kHand, kLR, 0, Timing::kCycle, .75f, true, false, true,
     {"punches{with}|punching{with}", "throws a punch{with}|throwing a punch{with}",
      "boxes{with}|boxing{with}"},
     {"pushing {hand} forward and pulling it back to the chin",
      "hitting forward with {hand} from in front of the chest",
      "moving {hand} straight forward at the level of the shoulder"}},
    {"kick", Limb::kLeg, kLR, 0, Timing::kRepeat, 1.0f, true, false, true,
     {"kicks{with}|kicking{with}", "kicks forward{with}|kicking forward{with}",
      "does a kick{with}|doing a kick{with}"},
     {"swinging {leg} up in front of the body", "lifting {foot} forward with a straight leg",
      "raising a straight leg forward{with}"}},
    {"jump", Limb::kNone, 0, kForth | kBack | kInPlace, Timing::kRepeat, 1.2f, true, false, true,
     {"jumps|jumping", "jumps up|jumping up", "leaps|leaping"},
     {"bending the knees and lifting both feet off the floor at the same time",
      "pushing the body up into the air with both legs",
      "jumping with both feet together and raising both hands"}},
    {"squat", Limb::kNone, 0, 0, Timing::kRepeat, 1.3f, true, false, true,
     {"squats|squatting", "does a squat|doing a squat", "crouches|crouching"},
     {"bending both knees and lowering the hips", "lowering the body with both knees and raising it again"}},
    {"sit_down", Limb::kNone, 0, 0, Timing::kChange, 1.4f, false, false, false,
     {"sits down|sitting down", "takes a seat|taking a seat", "sits on a chair|sitting on a chair"},
     {"lowering the hips backward onto a seat", "bending the knees and lowering the body onto a chair"}},
    {"stand_up", Limb::kNone, 0, 0, Timing::kChange, 1.3f, false, false, false,
     {"stands up|standing up", "gets up|getting up", "rises from a chair|rising from a chair"},
     {"raising the hips from a seat", "leaning forward and raising the body from a chair"}},
    {"walk", Limb::kNone, 0, kForth | kBack, Timing::kCycle, 1.1f, false, false, true,
     {"walks|walking", "strolls|strolling", "takes steps|taking steps"},
     {"stepping with one leg and then the other", "moving along the floor step by step, the arms swinging"}},
    {"run", Limb::kNone, 0, 0, Timing::kCycle, .7f, false, false, true,
     {"runs|running", "jogs|jogging", "sprints|sprinting"},
     {"stepping with one leg and then the other in the air, with bent elbows",
      "moving along the floor with high steps"}},
    {"bow", Limb::kNone, 0, 0, Timing::kRepeat, 1.5f, true, true, true,
     {"bows|bowing", "takes a bow|taking a bow", "bends forward|bending forward"},
     {"leaning the body forward from the hips",
      "lowering the head and the chest forward and raising them again",
      "bending the back forward and looking down"}},
    {"throw", Limb::kHand, kLR, 0, Timing::kRepeat, 1.4f, true, true, true,
     {"throws something{with}|throwing something{with}", "throws a ball{with}|throwing a ball{with}",
      "tosses something{with}|tossing something{with}"},
     {"swinging {hand} from behind the head forward and down",
      "pulling {hand} back behind the shoulder and moving it forward",
      "swinging {arm} forward at the side of the head"}},
    {"reach_up", Limb::kHand, kLRB, 0, Timing::kRepeat, 1.5f, true, true, false,
     {"reaches up{with}|reaching up{with}",
      "reaches for something above{with}|reaching for something above{with}"},
     {"raising {hand} high above the head with a straight arm",
      "lifting {arm} up above the head and looking up",
      "holding {hand} up above the head and keeping it there"}},
    {"pick_up", Limb::kHand, kLRB, 0, Timing::kRepeat, 1.8f, true, false, false,
     {"picks something up{with}|picking something up{with}",
      "lifts something from the floor{with}|lifting something from the floor{with}",
      "picks up an object{with}|picking up an object{with}"},
     {"bending down, touching the floor with {hand} and rising again",
      "leaning the body forward and lowering {hand} to the floor"}},
    {"drink", Limb::kHand, kLR, 0, Timing::kRepeat, 1.9f, true, true, false,
     {"drinks{with}|drinking{with}", "drinks from a cup{with}|drinking from a cup{with}",
      "takes a sip{with}|taking a sip{with}"},
     {"bringing {hand} to the mouth and leaning the head back", "lifting a cup to the mouth with {hand}",
      "keeping {hand} in front of the mouth with a bent elbow"}},
    {"answer_phone", Limb::kHand, kLR, 0, Timing::kRepeat, 2.3f, false, true, false,
     {"answers the phone{with}|answering the phone{with}",
      "makes a phone call{with}|making a phone call{with}",
      "talks on the phone{with}|talking on the phone{with}"},
     {"bringing {hand} to the ear and keeping it there",
      "holding {hand} next to the head with a bent elbow"}},
    {"turn_around", Limb::kWay, kLR, 0, Timing::kRepeat, 1.6f, false, false, false,
     {"turns around{with}|turning around{with}", "turns{with}|turning{with}", "spins{with}|spinning{with}"},
     {"turning the whole body{with} with small steps", "rotating the body{with} on the spot"}},
    {"lunge", Limb::kLeg, kLR, kForth | kBack, Timing::kRepeat, 1.5f, true, false, true,
     {"lunges{with}|lunging{with}", "does a lunge{with}|doing a lunge{with}"},
     {"making a long step with {leg} and lowering the hips", "moving {foot} far and bending both knees"}},
    {"hop", Limb::kLeg, kLR, 0, Timing::kCycle, .6f, true, false, true,
     {"hops on one leg{with}|hopping on one leg{with}", "hops{with}|hopping{with}"},
     {"jumping up and down on {leg}", "lifting the body off the floor again and again with {foot}",
      "standing on {leg} and jumping up again and again"}},
    {"march", Limb::kNone, 0, 0, Timing::kCycle, 1.2f, false, false, true,
     {"marches in place|marching in place", "marches|marching", "marches on the spot|marching on the spot"},
     {"lifting one knee and then the other on the spot",
      "raising the knees high one after the other, the arms swinging"}},
    {"push", Limb::kHand, kLRB, 0, Timing::kCycle, 1.3f, true, true, true,
     {"pushes{with}|pushing{with}", "pushes something away{with}|pushing something away{with}",
      "shoves something{with}|shoving something{with}"},
     {"moving {hand} forward from the chest with a straight arm",
      "pressing {hand} forward away from the chest",
      "moving {hand} forward and back in front of the chest again and again"}},
    {"stir", Limb::kHand, kLR, 0, Timing::kCycle, .8f, false, true, true,
     {"stirs{with}|stirring{with}", "stirs a pot{with}|stirring a pot{with}",
      "mixes something{with}|mixing something{with}"},
     {"moving {hand} in small circles in front of the belly",
      "making circles with {hand} in front of the body",
      "moving {hand} around in circles with a bent elbow"}},
    {"lie_down", Limb::kNone, 0, 0, Timing::kChange, 1.8f, false, false, false,
     {"lies down|lying down", "lies on the floor|lying on the floor",
      "falls to the floor|falling to the floor"},
     {"lowering the whole body onto the floor", "leaning back down to the floor with straight legs"}},
    {"raise_arm", Limb::kArm, kLRB, 0, Timing::kRepeat, 1.4f, true, true, true,
     {"raises {arm} sideways|raising {arm} sideways", "lifts {arm} to the side|lifting {arm} to the side"},
     {"swinging {hand} out to the side with a straight arm",
      "moving a straight arm up at the side of the body{with}",
      "raising {hand} to the side to the level of the shoulder"}},
    {"shake_head", Limb::kNone, 0, 0, Timing::kCycle, .8f, false, true, true,
     {"shakes the head|shaking the head", "says no|saying no", "shakes the head no|shaking the head no"},
     {"turning the head left and right", "moving the head from side to side again and again",
      "moving the head left and right and keeping the body still"}},
    {"lift_knee", Limb::kKnee, kLR, 0, Timing::kRepeat, 1.1f, true, false, true,
     {"lifts {knee}|lifting {knee}", "raises {knee}|raising {knee}"},
     {"raising {knee} up in front of the belly", "standing on one leg and lifting {foot} with a bent knee"}},
    {"lean_sideways", Limb::kWay, kLR, 0, Timing::kRepeat, 1.6f, true, true, true,
     {"leans{with}|leaning{with}", "bends sideways{with}|bending sideways{with}"},
     {"lowering the shoulder{with} at the side", "leaning the chest and the head{with} and rising again",
      "lowering the head and the chest to the side and raising them again"}},
    // held out: described in words that are said of the trained ones
    {"jumping_jack", Limb::kNone, 0, 0, Timing::kCycle, 1.0f, true, false, true,
     {"does jumping jacks|doing jumping jacks", "does star jumps|doing star jumps"},
     {"jumping up and down with both feet apart and together, raising both arms sideways above the head",
      "jumping and swinging both hands out to the side and above the head"}},
    {"pull", Limb::kHand, kLRB, 0, Timing::kCycle, 1.3f, true, true, true,
     {"pulls{with}|pulling{with}", "pulls something{with}|pulling something{with}"},
     {"pulling {hand} back to the chest with a bent elbow and leaning back",
      "moving {hand} from in front back to the body"}},
    {"saw", Limb::kHand, kLR, 0, Timing::kCycle, .7f, false, true, true,
     {"saws{with}|sawing{with}", "saws something{with}|sawing something{with}"},
     {"moving {hand} forward and back again and again in front of the belly",
      "pushing and pulling {hand} next to the hips"}},
    {"stretch", Limb::kNone, 0, 0, Timing::kRepeat, 2.2f, false, true, false,
     {"stretches|stretching", "stretches the body|stretching the body"},
     {"raising both hands high above the head and leaning back",
      "lifting both arms up above the head and keeping them there"}},
    {"point", Limb::kHand, kLR, 0, Timing::kRepeat, 1.9f, false, true, false,
     {"points{with}|pointing{with}", "points forward{with}|pointing forward{with}"},
     {"raising {hand} forward with a straight arm and keeping it there",
      "holding {arm} straight in front of the shoulder"}},
    {"nod", Limb::kNone, 0, 0, Timing::kCycle, .7f, false, true, true,
     {"nods|nodding", "nods the head|nodding the head"},
     {"moving the head up and down", "lowering the head and raising it again and again"}},
    {"circle_arm", Limb::kArm, kLRB, 0, Timing::kCycle, 1.1f, true, true, false,
     {"circles {arm}|circling {arm}", "swings {arm} in circles|swinging {arm} in circles"},
     {"moving a straight arm in circles at the side of the body{with}",
      "swinging {hand} up, behind the head and down again and again"}},
    {"side_kick", Limb::kLeg, kLR, 0, Timing::kRepeat, 1.1f, true, false, true,
     {"kicks sideways{with}|kicking sideways{with}", "does a side kick{with}|doing a side kick{with}"},
     {"swinging {leg} out to the side", "lifting {foot} to the side with a straight leg"}},
};
// clang-format on

}  // namespace detail

inline const ActionInfo& info(Action a) { return detail::kActionTable[static_cast<std::size_t>(a)]; }

/// Names by class id, as in `Triplet::action`: "wave", "sit_down", ...; the first `kTrainedActions` are seen
/// in training, the others only in Split::kUnseenActions.
inline std::vector<std::string> action_names() {
  std::vector<std::string> out;
  for (const ActionInfo& a : detail::kActionTable) out.emplace_back(a.name);
  return out;
}

/// Class id of a name. @throws Error with the nearest name for an unknown one.
inline Index action_id(std::string_view name) {
  for (Index i = 0; i < kActions; ++i)
    if (detail::kActionTable[i].name == name) return i;
  tmor::detail::fail<Error>("no action '", name.substr(0, 64), "'; did you mean '",
                            nearest_name(name, action_names()), "'?");
}

/// An action done with one limb, with both, or one way; `Side::kNone` for actions without sides.
struct Combination {
  Action action;
  Side side;
  bool operator==(const Combination&) const = default;
};

namespace detail {

inline constexpr Combination kHeldOutCombinations[] = {
    {Action::kWave, Side::kRight},  {Action::kPunch, Side::kLeft},     {Action::kKick, Side::kRight},
    {Action::kThrow, Side::kLeft},  {Action::kReachUp, Side::kLeft},   {Action::kPickUp, Side::kRight},
    {Action::kDrink, Side::kRight}, {Action::kLunge, Side::kLeft},     {Action::kHop, Side::kRight},
    {Action::kPush, Side::kLeft},   {Action::kRaiseArm, Side::kRight}, {Action::kLeanSideways, Side::kLeft},
};

}  // namespace detail

/// The sides an action is done with, in the order left, right, both; {kNone} if it has none.
inline std::vector<Side> sides(Action a) {
  std::vector<Side> out;
  if (info(a).sides & kL) out.push_back(Side::kLeft);
  if (info(a).sides & kR) out.push_back(Side::kRight);
  if (info(a).sides & kB) out.push_back(Side::kBoth);
  if (out.empty()) out.push_back(Side::kNone);
  return out;
}

/// True for the combinations that training never shows though it shows the action and the side.
inline bool held_out(const Combination& c) {
  for (const Combination& h : detail::kHeldOutCombinations)
    if (h == c) return true;
  return false;
}

/// All combinations of all actions, by action, then side; the ids of `Label::combination`.
inline const std::vector<Combination>& combinations() {
  static const std::vector<Combination> all = [] {
    std::vector<Combination> out;
    for (Index a = 0; a < kActions; ++a)
      for (const Side s : sides(static_cast<Action>(a))) out.push_back({static_cast<Action>(a), s});
    return out;
  }();
  return all;
}

/// The id of a combination. @throws Error for a side that the action is not done with.
inline Index combination_id(const Combination& c) {
  const auto& all = combinations();
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i] == c) return static_cast<Index>(i);
  tmor::detail::fail<Error>("action ", info(c.action).name, " is not done with that side");
}

/// Ids of the combinations held out from training, rising.
inline std::vector<Index> held_out_combinations() {
  std::vector<Index> out;
  for (std::size_t i = 0; i < combinations().size(); ++i)
    if (held_out(combinations()[i])) out.push_back(static_cast<Index>(i));
  return out;
}

/// "kick_left", "wave_both"; the action's name where it has no side. @throws Error for an id out of range.
inline std::string combination_name(Index id) {
  TMOR_CHECK(id >= 0 && id < std::ssize(combinations()), "combination ", id, " of ", combinations().size());
  const Combination& c = combinations()[static_cast<std::size_t>(id)];
  constexpr std::string_view side[] = {"", "_left", "_right", "_both"};
  return tmor::detail::cat(info(c.action).name, side[static_cast<int>(c.side)]);
}

}  // namespace data::synth
TMOR_END
