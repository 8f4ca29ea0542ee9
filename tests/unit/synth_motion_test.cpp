#include <doctest/doctest.h>

#include <set>
#include <sstream>

#include "tmor/data/synth/captions.hpp"

using namespace tmor;
using namespace tmor::data;
using synth::Action;
using synth::Joints;
using synth::Side;

namespace {

/// A script of one action of `split` whose label `wanted` accepts.
template <class F> synth::Script find_script(synth::Split split, F&& wanted) {
  for (std::uint64_t i = 0; i < 20000; ++i) {
    synth::Script s = synth::make_script({split, 3.2f, 1}, Rng(7).fork(i));
    if (wanted(s.events[0].style)) return s;
  }
  FAIL("no such script");
  return {};
}

float distance(const Joints& j, std::size_t a, std::size_t b) { return synth::length(j[a] - j[b]); }

/// How far joint `j` of a side goes during the event; hands against the body, feet over the floor.
float path(const synth::Script& s, synth::Joint j, int side) {
  float sum = 0;
  const synth::Event& e = s.events[0];
  const std::size_t k = synth::sided(j, side);
  synth::Vec3 last{};
  for (int i = 0; i <= 60; ++i) {
    const Joints at = synth::joints_at(s, e.begin + (e.end - e.begin) * static_cast<float>(i) / 60);
    const synth::Vec3 p = j == synth::kWrist ? at[k] - at[synth::kPelvis] : at[k];
    if (i > 0) sum += synth::length(p - last);
    last = p;
  }
  return sum;
}

std::set<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::set<std::string> out;
  for (std::string w; in >> w;) {
    while (!w.empty() && w.back() == ',') w.pop_back();
    out.insert(w);
  }
  return out;
}

}  // namespace

TEST_CASE("action names are unique and found by name") {
  const auto names = synth::action_names();
  REQUIRE(std::ssize(names) == synth::kActions);
  for (Index i = 0; i < synth::kActions; ++i)
    CHECK(synth::action_id(names[static_cast<std::size_t>(i)]) == i);
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
  CHECK_THROWS_AS(synth::action_id("wawe"), Error);
}

TEST_CASE("a combination held out from training has its action and its side trained") {
  const auto held = synth::held_out_combinations();
  const auto kind = [](synth::Limb l) {
    return l == synth::Limb::kArm ? synth::Limb::kHand : l == synth::Limb::kKnee ? synth::Limb::kLeg : l;
  };
  CHECK(held.size() == std::size(synth::detail::kHeldOutCombinations));  // each exists, none twice
  for (const Index id : held) {
    const synth::Combination c = synth::combinations()[static_cast<std::size_t>(id)];
    CHECK(synth::combination_id(c) == id);
    CHECK(static_cast<Index>(c.action) < synth::kTrainedActions);
    bool action = false, side = false;
    for (const synth::Combination& other : synth::combinations()) {
      if (synth::held_out(other) || static_cast<Index>(other.action) >= synth::kTrainedActions) continue;
      action = action || other.action == c.action;
      side = side || (other.side == c.side && !(other.action == c.action) &&
                      kind(synth::info(other.action).limb) == kind(synth::info(c.action).limb));
    }
    CHECK_MESSAGE(action, synth::combination_name(id));
    CHECK_MESSAGE(side, synth::combination_name(id));
  }
}

TEST_CASE("bones keep their lengths, feet stay above the floor") {
  for (Index a = 0; a < synth::kActions; ++a) {
    const auto split = a < synth::kTrainedActions ? synth::Split::kTrain : synth::Split::kUnseenActions;
    const synth::Script s =
        find_script(split, [&](const synth::Style& y) { return y.action == static_cast<Action>(a); });
    const std::string name(synth::info(static_cast<Action>(a)).name);
    for (float t = 0; t < s.seconds; t += .05f) {
      const Joints j = synth::joints_at(s, t);
      for (int side = 0; side < 2; ++side) {
        using synth::sided;
        const auto bone = [&](synth::Joint from, synth::Joint to, float wanted) {
          REQUIRE_MESSAGE(std::abs(distance(j, sided(from, side), sided(to, side)) - wanted) < 2e-3f, name,
                          " at ", t);
        };
        bone(synth::kHip, synth::kKnee, s.body.thigh);
        bone(synth::kKnee, synth::kAnkle, s.body.shin);
        bone(synth::kShoulder, synth::kElbow, s.body.upper_arm);
        bone(synth::kElbow, synth::kWrist, s.body.forearm);
        REQUIRE_MESSAGE(j[sided(synth::kAnkle, side)].y > .4f * s.body.ankle, name, " at ", t);
      }
    }
  }
}

TEST_CASE("nothing jumps: joints move less than 35 m/s at any moment") {
  float fastest = 0;
  std::string where;
  for (const auto split : {synth::Split::kTrain, synth::Split::kUnseenActions, synth::Split::kDetectionTrain})
    for (std::uint64_t i = 0; i < 40; ++i) {
      const bool several = split == synth::Split::kDetectionTrain;
      const synth::Script s =
          synth::make_script({split, several ? 10.f : 3.2f, several ? 6 : 1}, Rng(3).fork(i));
      Joints last = synth::joints_at(s, 0);
      for (float t = .002f; t < s.seconds; t += .002f) {
        const Joints now = synth::joints_at(s, t);
        for (std::size_t k = 0; k < now.size(); ++k)
          if (const float way = synth::length(now[k] - last[k]); way > fastest)
            fastest = way, where = tmor::detail::cat(synth::kJointNames[k], " in ",
                                                     synth::info(s.events[0].style.action).name, " at ", t);
        last = now;
      }
    }
  CHECK_MESSAGE(fastest < .07f, where);
}

TEST_CASE("the limb that is told of is the one that moves") {
  for (const synth::Combination& c : synth::combinations()) {
    if (c.side != Side::kLeft && c.side != Side::kRight) continue;
    const synth::Limb limb = synth::info(c.action).limb;
    if (limb == synth::Limb::kWay || c.action == Action::kHop) continue;  // a hop moves the other leg
    const auto split = static_cast<Index>(c.action) >= synth::kTrainedActions ? synth::Split::kUnseenActions
                       : synth::held_out(c) ? synth::Split::kUnseenCombinations
                                            : synth::Split::kTrain;
    const synth::Script s = find_script(split, [&](const synth::Style& y) {
      return y.action == c.action && y.side == c.side && y.direction != synth::Direction::kBackward;
    });
    const bool leg = limb == synth::Limb::kLeg || limb == synth::Limb::kKnee;
    const synth::Joint j = leg ? synth::kAnkle : synth::kWrist;
    const int side = c.side == Side::kLeft ? 0 : 1;
    CHECK_MESSAGE(path(s, j, side) > 1.1f * path(s, j, 1 - side),
                  synth::combination_name(synth::combination_id(c)));
  }
}

TEST_CASE("left is the body's left: turning and leaning") {
  const auto turn = find_script(synth::Split::kTrain, [](const synth::Style& y) {
    return y.action == Action::kTurnAround && y.side == Side::kLeft;
  });
  CHECK(synth::detail::place_at(turn.events[0], turn.body.leg(), turn.events[0].end).yaw > 1);
  const auto lean = find_script(synth::Split::kTrain, [](const synth::Style& y) {
    return y.action == Action::kLeanSideways && y.side == Side::kRight;
  });
  const synth::Event& e = lean.events[0];
  const float middle = e.begin + .5f * (e.end - e.begin) / static_cast<float>(e.style.count);
  const Joints j = synth::joints_at(lean, middle);
  CHECK(j[synth::kHead].x < j[synth::kPelvis].x - .1f);  // the body's left is +x at the start
}

TEST_CASE("slow is slow and fast is fast, however little time there is") {
  for (const float seconds : {1.5f, 3.2f, 10.f})
    for (std::uint64_t i = 0; i < 300; ++i) {
      const synth::Script s =
          synth::make_script({synth::Split::kTrain, seconds, Index(1 + i % 4)}, Rng(13).fork(i));
      REQUIRE(!s.events.empty());
      for (const synth::Event& e : s.events) {
        const synth::ActionInfo& a = synth::info(e.style.action);
        const float ramps = a.timing == synth::Timing::kCycle ? .6f : 0;
        const float slow = (e.end - e.begin - ramps) / static_cast<float>(e.style.count) / a.seconds;
        CHECK(e.begin >= 0);
        CHECK(e.end <= seconds + 1e-4f);
        if (e.style.speed == synth::Speed::kSlow) CHECK(slow > 1.27f);
        if (e.style.speed == synth::Speed::kNormal) CHECK((slow > .79f && slow < 1.29f));
        if (e.style.speed == synth::Speed::kFast) CHECK(slow < .81f);
      }
    }
}

TEST_CASE("captions tell no side that is not there, and leave no place unfilled") {
  std::set<std::string> all;
  for (std::uint64_t i = 0; i < 600; ++i) {
    Rng rng(11, i);
    const synth::Script s = synth::make_script({synth::Split::kTrain, 6.4f, Index(1 + i % 3)}, rng.fork(1));
    const std::string text = synth::caption(s, rng);
    all.insert(text);
    CHECK(text.find_first_of("{}|") == std::string::npos);
    CHECK(text.find("  ") == std::string::npos);
    const auto has = [&](Side side) {
      return std::any_of(s.events.begin(), s.events.end(),
                         [&](const synth::Event& e) { return e.style.side == side; });
    };
    const auto count = [&](Index n) {
      return std::any_of(s.events.begin(), s.events.end(),
                         [&](const synth::Event& e) { return e.style.count == n; });
    };
    if (text.find("the left") != std::string::npos) CHECK(has(Side::kLeft));
    if (text.find("the right") != std::string::npos) CHECK(has(Side::kRight));
    if (text.find("twice") != std::string::npos) CHECK(count(2));
    if (text.find("three times") != std::string::npos) CHECK(count(3));
  }
  CHECK(all.size() > 570);
}

TEST_CASE("prompts: several an action, the side in every one of a combination") {
  std::set<std::string> seen;
  for (Index a = 0; a < synth::kActions; ++a) {
    const auto texts = synth::prompts(a);
    CHECK(texts.size() >= 10);
    for (const auto& t : texts) {
      CHECK(t.find_first_of("{}|") == std::string::npos);
      CHECK_MESSAGE(seen.insert(t).second, t);
    }
  }
  for (const Index id : synth::held_out_combinations()) {
    const Side side = synth::combinations()[static_cast<std::size_t>(id)].side;
    for (const auto& t : synth::combination_prompts(id))
      CHECK_MESSAGE(t.find(side == Side::kLeft    ? "left"
                           : side == Side::kRight ? "right"
                                                  : "both") != std::string::npos,
                    t);
  }
  CHECK(synth::descriptions(0).size() >= 4);
  CHECK_THROWS_AS(synth::descriptions(-1), Error);
  CHECK_THROWS_AS(synth::prompts(synth::kActions), Error);
  CHECK_THROWS_AS(synth::combination_prompts(-1), Error);
}

TEST_CASE("held-out actions are described in words that are said of trained ones") {
  std::set<std::string> known;
  const auto described = [](Index a) {
    std::set<std::string> out;
    for (const Side side : synth::sides(static_cast<Action>(a)))
      for (const auto d : synth::info(static_cast<Action>(a)).descriptions)
        if (!d.empty())
          out.merge(words(synth::detail::fill(d, synth::info(static_cast<Action>(a)).limb, side)));
    return out;
  };
  for (Index a = 0; a < synth::kTrainedActions; ++a) {
    known.merge(described(a));
    for (const auto& p : synth::prompts(a)) known.merge(words(p));
  }
  for (Index a = synth::kTrainedActions; a < synth::kActions; ++a)
    for (const auto& w : described(a))
      CHECK_MESSAGE(known.contains(w), synth::info(static_cast<Action>(a)).name, ": ", w);
}
