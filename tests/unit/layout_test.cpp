#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "support/files.hpp"
#include "tmor/skeleton/joint_map.hpp"

using namespace tmor;

namespace {

Index pos(const LayoutPtr& l, const char* joint) { return l->at(joint); }

std::size_t u(Index i) { return static_cast<std::size_t>(i); }

/// One frame through a map.
struct Mapped {
  std::vector<float> y;
  std::vector<std::uint8_t> state;
};
Mapped map_frame(const JointMap& m, const std::vector<float>& x, const std::vector<std::uint8_t>& s,
                 Index channels) {
  Mapped out{std::vector<float>(u(m.to->size() * channels)), std::vector<std::uint8_t>(u(m.to->size()))};
  m.apply(x, s, 1, channels, out.y, out.state);
  return out;
}

}  // namespace

TEST_CASE("layouts: every built-in one is a tree with proper pairs") {
  CHECK(layout_names().size() == 8);
  for (const auto& name : layout_names()) {
    CAPTURE(name);
    const auto l = joint_layout(name);
    CHECK(l->name == name);
    CHECK(std::ssize(l->bones()) == l->size() - 1);
    for (Index j = 0; j < l->size(); ++j) {
      CHECK(l->mirror[u(l->mirror[u(j)])] == j);
      CHECK(l->at(l->joints[u(j)]) == j);
      const std::string& joint = l->joints[u(j)];
      CHECK((l->mirror[u(j)] != j) == (joint.starts_with("left_") || joint.starts_with("right_")));
      // Bones are symmetric: the partner's parent is the parent's partner.
      if (j != l->root) CHECK(l->parent[u(l->mirror[u(j)])] == l->mirror[u(l->parent[u(j)])]);
    }
  }
}

TEST_CASE("layouts: orders and bones as published") {
  // UNIK: 1-based (child, parent), head to right ankle.
  const std::vector<std::pair<Index, Index>> unik = {{5, 4},   {4, 3},  {3, 2},   {2, 1},  {6, 3},  {8, 6},
                                                     {10, 8},  {7, 3},  {9, 7},   {11, 9}, {12, 5}, {14, 12},
                                                     {16, 14}, {13, 5}, {15, 13}, {17, 15}};
  const auto l = joint_layout("unik17");
  REQUIRE(l->size() == 17);
  for (auto [child, parent] : unik) CHECK(l->parent[u(child - 1)] == parent - 1);
  CHECK(l->root == 0);

  CHECK(pos(joint_layout("penn13"), "head") == 0);
  CHECK(pos(joint_layout("penn13"), "right_ankle") == 12);
  CHECK(joint_layout("lcrnet13")->joints.front() == "right_ankle");
  CHECK(joint_layout("lcrnet13")->joints.back() == "head");
  CHECK(pos(joint_layout("coco17"), "left_shoulder") == 5);
  CHECK(pos(joint_layout("coco17"), "right_hip") == 12);
  CHECK(pos(joint_layout("h36m17"), "shoulder_center") == 8);
  CHECK(pos(joint_layout("h36m17"), "left_wrist") == 13);
  CHECK(pos(joint_layout("openpose18"), "neck") == 1);
  CHECK(pos(joint_layout("openpose18"), "left_ear") == 17);
  CHECK(pos(joint_layout("kinect20"), "right_hand") == 11);
  CHECK(pos(joint_layout("ntu25"), "left_thumb") == 22);
  CHECK(pos(joint_layout("ntu25"), "right_thumb") == 24);
  const std::vector<std::pair<Index, Index>> ntu = {
      {1, 2},  {2, 21},  {3, 21},  {4, 3},   {5, 21}, {6, 5},   {7, 6},   {8, 7},
      {9, 21}, {10, 9},  {11, 10}, {12, 11}, {13, 1}, {14, 13}, {15, 14}, {16, 15},
      {17, 1}, {18, 17}, {19, 18}, {20, 19}, {22, 8}, {23, 8},  {24, 12}, {25, 12}};
  for (auto [child, parent] : ntu) CHECK(joint_layout("ntu25")->parent[u(child - 1)] == parent - 1);
  CHECK(joint_layout("coco17") == joint_layout("coco17"));
  CHECK(joint_layout("penn13")->pairs().size() == 6);
}

TEST_CASE("layouts: unknown names suggest the nearest") {
  CHECK(test::contains(test::message<Error>([] { joint_layout("coco_17"); }), "'coco17'"));
  CHECK(test::contains(test::message<Error>([] { joint_layout("NTU25x"); }), "'ntu25'"));
  CHECK(
      test::contains(test::message<Error>([] { joint_layout("penn13")->at("left_wirst"); }), "'left_wrist'"));
  CHECK(joint_layout("penn13")->find("nose") == -1);
  CHECK_THROWS_AS(joint_layout(std::string(1000000, 'x')), Error);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("ABC", "abc") == 0);
  CHECK(nearest_name("x", {}) == "");
}

TEST_CASE("layouts: a user's layout, and what is refused") {
  const auto l = make_layout({"arm", {{"neck", ""}, {"left_wrist", "neck"}, {"right_wrist", "neck"}}});
  CHECK(l->root == 0);
  CHECK(l->mirror == std::vector<Index>{0, 2, 1});
  const auto refused = [](LayoutSpec s, std::string_view why) {
    const std::string m = test::message<Error>([&] { make_layout(s); });
    CAPTURE(m);
    CHECK(test::contains(m, std::string(why)));
  };
  refused({"", {{"a", ""}}}, "name is empty");
  refused({"x", {}}, "0 joints");
  refused({"x", std::vector<LayoutSpec::Joint>(2000, {"a", ""})}, "2000 joints");
  refused({"x", {{"a", ""}, {"", "a"}}}, "joint 1 has an empty name");
  refused({"x", {{"a", ""}, {"a", "a"}}}, "appears twice");
  refused({"x", {{"a", ""}, {"b", ""}}}, "two roots");
  refused({"x", {{"a", "b"}, {"b", "a"}}}, "no root");
  refused({"x", {{"r", ""}, {"a", "b"}, {"b", "a"}}}, "cycle");
  refused({"x", {{"root", ""}, {"b", "rot"}}}, "did you mean 'root'");
  refused({"x", {{"r", ""}, {"left_a", "r"}}}, "no partner 'right_a'");
}

TEST_CASE("joint map: Penn Action to UNIK, by hand") {
  const auto m = make_map(joint_layout("penn13"), joint_layout("unik17"));
  // Joint j of penn13 at (j, 10 j): head 0, shoulders 1 2, hips 7 8.
  std::vector<float> x(26);
  for (Index j = 0; j < 13; ++j)
    x[u(2 * j)] = static_cast<float>(j), x[u(2 * j + 1)] = static_cast<float>(10 * j);
  std::vector<std::uint8_t> valid(13, kObserved);
  const auto r = map_frame(m, x, valid, 2);
  const auto expect = [&](const char* joint, float value, JointState state) {
    CAPTURE(joint);
    const Index j = m.to->at(joint);
    CHECK(r.y[u(2 * j)] == doctest::Approx(value));
    CHECK(r.y[u(2 * j + 1)] == doctest::Approx(10 * value));
    CHECK(r.state[u(j)] == state);
    CHECK(m.observed(j) == (state == kObserved));
  };
  expect("head", 0, kObserved);
  expect("neck", 1.5f, kImputed);    // between the shoulders
  expect("nose", 0.75f, kImputed);   // between head and neck
  expect("chest", 4.5f, kImputed);   // mean of 1, 2, 7, 8
  expect("pelvis", 7.5f, kImputed);  // between the hips
  expect("left_wrist", 5, kObserved);
  expect("right_ankle", 12, kObserved);

  SUBCASE("a missing shoulder takes neck and chest with it, the nose falls back to the head") {
    valid[1] = kMissing;
    const auto q = map_frame(m, x, valid, 2);
    CHECK(q.state[u(m.to->at("neck"))] == kMissing);
    CHECK(q.state[u(m.to->at("chest"))] == kMissing);
    CHECK(q.y[u(2 * m.to->at("neck"))] == 0);
    CHECK(q.state[u(m.to->at("nose"))] == kImputed);
    CHECK(q.y[u(2 * m.to->at("nose"))] == 0);  // the head's place
    CHECK(q.state[u(m.to->at("pelvis"))] == kImputed);
  }
}

TEST_CASE("joint map: COCO's head is the ears' middle, else the eyes', else the nose") {
  const auto coco = joint_layout("coco17");
  const auto m = make_map(coco, joint_layout("unik17"));
  std::vector<float> x(17);
  for (Index j = 0; j < 17; ++j) x[u(j)] = static_cast<float>(1 + j * j);  // nose 1, eyes 2 5, ears 10 17
  std::vector<std::uint8_t> valid(17, kObserved);
  const Index head = m.to->at("head");
  CHECK(map_frame(m, x, valid, 1).y[u(head)] == doctest::Approx(13.5));
  valid[u(coco->at("left_ear"))] = kMissing;
  CHECK(map_frame(m, x, valid, 1).y[u(head)] == doctest::Approx(3.5));
  valid[u(coco->at("right_eye"))] = kMissing;
  CHECK(map_frame(m, x, valid, 1).y[u(head)] == doctest::Approx(1));
  CHECK(map_frame(m, x, valid, 1).state[u(head)] == kImputed);
  valid[u(coco->at("nose"))] = kMissing;
  CHECK(map_frame(m, x, valid, 1).state[u(head)] == kMissing);
}

TEST_CASE("joint map: ends are extrapolated along the bone") {
  const auto m = make_map(joint_layout("coco17"), joint_layout("kinect20"));
  std::vector<float> x(17, 0.f);
  x[u(m.from->at("left_elbow"))] = 2, x[u(m.from->at("left_wrist"))] = 6;
  x[u(m.from->at("right_knee"))] = 10, x[u(m.from->at("right_ankle"))] = 30;
  std::vector<std::uint8_t> valid(17, kObserved);
  const auto r = map_frame(m, x, valid, 1);
  CHECK(r.y[u(m.to->at("left_hand"))] == doctest::Approx(7));    // 6 + .25 (6 - 2)
  CHECK(r.y[u(m.to->at("right_foot"))] == doctest::Approx(33));  // 30 + .15 (30 - 10)
  const auto tips = make_map(joint_layout("coco17"), joint_layout("ntu25"));
  const auto q = map_frame(tips, x, valid, 1);
  CHECK(q.y[u(tips.to->at("left_hand_tip"))] == doctest::Approx(7 + .18 * (7 - 6)));
  CHECK(q.y[u(tips.to->at("left_thumb"))] == doctest::Approx(7 + .32 * (7 - 6)));
}

TEST_CASE("joint map: properties of every pair of layouts") {
  std::mt19937 gen(1);
  std::uniform_real_distribution<float> where(-1, 1);
  for (const auto& a : layout_names())
    for (const auto& b : layout_names()) {
      CAPTURE(a);
      CAPTURE(b);
      const auto m = make_map(joint_layout(a), joint_layout(b));
      for (Index j = 0; j < m.to->size(); ++j) {
        CAPTURE(m.to->joints[u(j)]);
        CHECK(m.reachable(j));
        for (const auto& rule : m.rules[u(j)]) {
          float sum = 0;
          for (const auto& t : rule.terms) {
            sum += t.weight;
            // A joint of one side is never made of the other side's joints.
            const std::string& from = m.from->joints[u(t.source)];
            if (m.to->joints[u(j)].starts_with("left_")) CHECK_FALSE(from.starts_with("right_"));
            if (m.to->joints[u(j)].starts_with("right_")) CHECK_FALSE(from.starts_with("left_"));
          }
          CHECK(sum == doctest::Approx(1));  // moves with the body
        }
      }
      for (int trial = 0; trial < 20; ++trial) {
        std::vector<float> x(u(3 * m.from->size()));
        std::vector<std::uint8_t> s(u(m.from->size()));
        for (auto& v : x) v = where(gen);
        for (auto& v : s) v = static_cast<std::uint8_t>(gen() % 3);
        const auto r = map_frame(m, x, s, 3);
        for (Index j = 0; j < m.to->size(); ++j) {
          const Index i = m.from->find(m.to->joints[u(j)]);
          if (i >= 0 && s[u(i)] != kMissing) {  // observed joints are copied as they are
            CHECK(r.state[u(j)] == s[u(i)]);
            CHECK(r.y[u(3 * j)] == x[u(3 * i)]);
          } else {
            CHECK(r.state[u(j)] != kObserved);
          }
          if (r.state[u(j)] == kMissing) CHECK(r.y[u(3 * j)] == 0);
        }
      }
    }
}

TEST_CASE("joint map: refused input") {
  const auto m = make_map(joint_layout("penn13"), joint_layout("unik17"));
  std::vector<float> x(26), y(34);
  std::vector<std::uint8_t> s(13), t(17);
  CHECK_THROWS_AS(m.apply(x, s, 2, 2, y, t), ShapeError);
  CHECK_THROWS_AS(m.apply(x, s, 1, 3, y, t), ShapeError);
  CHECK_THROWS_AS(m.apply(x, s, -1, 2, y, t), ShapeError);
  CHECK_THROWS_AS(make_map(nullptr, m.to), Error);
  const auto odd = make_layout({"odd", {{"knob", ""}}});
  CHECK(test::contains(test::message<Error>([&] { make_map(odd, m.to); }), "gives no joint"));
}
