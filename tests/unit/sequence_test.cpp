#include "tmor/skeleton/sequence.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "support/files.hpp"

using namespace tmor;

namespace {

std::string complaint(const SkeletonSequence& s) {
  return test::message<Error>([&] { s.check("clip 7"); });
}

}  // namespace

TEST_CASE("sequence: made empty, addressed as (M, T, V, C)") {
  auto s = SkeletonSequence::make(joint_layout("penn13"), 2, 3, 2);
  CHECK(s.joints == 13);
  CHECK(s.xyz.size() == 2 * 3 * 13 * 2);
  CHECK(s.valid.size() == 2 * 3 * 13);
  CHECK(complaint(s) == "");
  s.point(1, 2, 12)[1] = 5;
  CHECK(s.xyz.back() == 5);
  *s.state(1, 2, 12) = kObserved;
  CHECK(s.valid.back() == kObserved);
  CHECK(s.point(0, 1) - s.point(0, 0) == 26);
  CHECK(s.point(0, 3) == s.point(1, 0));
  s.fps = 25, s.width = 640;
  const auto t = s.like(7);
  CHECK(t.frames == 7);
  CHECK(t.fps == 25);
  CHECK(t.width == 640);
  CHECK(t.layout == s.layout);
}

TEST_CASE("sequence: what check refuses") {
  const auto good = SkeletonSequence::make(joint_layout("penn13"), 1, 4, 2);
  auto s = good;
  s.xyz.pop_back();
  CHECK(test::contains(complaint(s), "clip 7: 103 coordinates"));
  s = good;
  s.frames = 0;
  CHECK(test::contains(complaint(s), "0 frames"));
  s = good;
  s.channels = 4;
  CHECK(test::contains(complaint(s), "4 coordinates a joint"));
  s = good;
  s.layout = joint_layout("coco17");
  CHECK(test::contains(complaint(s), "layout coco17 has 17"));
  s = good;
  s.layout = nullptr;
  CHECK(test::contains(complaint(s), "no layout"));
  s = good;
  s.frames = std::numeric_limits<Index>::max();
  CHECK(test::contains(complaint(s), "is more than"));
  s = good;
  *s.state(0, 2, 3) = 3;
  CHECK(test::contains(complaint(s), "frame 2, joint 'left_elbow'"));
  for (const float bad :
       {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
        std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::signaling_NaN()}) {
    s = good;
    *s.state(0, 3, 12) = kObserved;
    s.point(0, 3, 12)[1] = bad;
    CHECK(test::contains(complaint(s), "joint 'right_ankle': coordinate is NaN or infinite"));
    s = good;
    s.fps = bad;
    CHECK(test::contains(complaint(s), "fps"));
  }
  s = good;
  s.height = -1;
  CHECK(test::contains(complaint(s), "height"));
}

TEST_CASE("sequence: missing joints are zero") {
  auto s = SkeletonSequence::make(joint_layout("penn13"), 1, 2, 2);
  s.point(0, 1, 4)[0] = 3;
  CHECK(test::contains(complaint(s), "missing but not zero"));
  s.zero_missing_();
  CHECK(complaint(s) == "");
  CHECK(s.point(0, 1, 4)[0] == 0);

  std::fill(s.valid.begin(), s.valid.end(), std::uint8_t{kObserved});
  s.point(0, 1, 4)[1] = 3;
  s.mark_zeros_missing_();
  CHECK(std::count(s.valid.begin(), s.valid.end(), kObserved) == 1);
  CHECK(*s.state(0, 1, 4) == kObserved);
}

TEST_CASE("sequence: absurd sizes are refused before memory is taken") {
  const auto l = joint_layout("coco17");
  CHECK_THROWS_AS(SkeletonSequence::make(nullptr, 1, 1, 2), Error);
  CHECK_THROWS_AS(SkeletonSequence::make(l, 0, 1, 2), Error);
  CHECK_THROWS_AS(SkeletonSequence::make(l, 1, -1, 2), Error);
  CHECK_THROWS_AS(SkeletonSequence::make(l, 1, 1, 1), Error);
  CHECK_THROWS_AS(SkeletonSequence::make(l, Index{1} << 62, Index{1} << 62, 3), Error);
  CHECK_THROWS_AS(SkeletonSequence::make(l, 1, kMaxSequenceValues, 2), Error);
}

TEST_CASE("sequence: mapped to another layout") {
  auto s = SkeletonSequence::make(joint_layout("penn13"), 2, 3, 2);
  s.fps = 30, s.width = 640, s.height = 480;
  for (std::size_t i = 0; i < s.valid.size(); ++i)
    s.valid[i] = kObserved, s.xyz[2 * i] = static_cast<float>(i + 1);
  const auto m = make_map(joint_layout("penn13"), joint_layout("unik17"));
  const auto t = map_joints(s, m);
  CHECK(complaint(t) == "");
  CHECK(t.layout->name == "unik17");
  CHECK(t.fps == 30);
  CHECK(t.height == 480);
  for (Index p = 0; p < 2; ++p)
    for (Index f = 0; f < 3; ++f) {
      CHECK(t.point(p, f, t.layout->at("left_knee"))[0] == s.point(p, f, s.layout->at("left_knee"))[0]);
      CHECK(*t.state(p, f, t.layout->at("pelvis")) == kImputed);
    }
  CHECK_THROWS_AS(map_joints(t, m), ShapeError);
}
