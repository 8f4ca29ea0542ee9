// Skeletons of UAV-Human, UTKinect and UAV-GESTURE: small files by hand, refused ones, damaged ones.
#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "../support/fuzz.hpp"
#include "tmor/data/uav_gesture.hpp"
#include "tmor/data/uav_human.hpp"
#include "tmor/data/utkinect.hpp"

using namespace tmor;
using test::contains;
using test::fuzz;
using test::message;

namespace {

/// A body of 17 joints at (x + joint, 2), which is at the origin for joint 0 when x is 0 and y is.
std::string body(int x, int y) {
  std::string s = "72057594037931101 0 1 1 1 1 0 0.02 -0.1 2\n17\n";
  for (int v = 0; v < 17; ++v)
    s += tmor::detail::cat(v ? x + v : x, " ", v ? 2 : y, " 3.5 277.4 191.8 1036.2 519.1 nan 0 0 0 2\n");
  return s;
}

/// Three frames: one body, nobody, two bodies.
const std::string kNtu = "3\n1\n" + body(0, 0) + "0\n2\n" + body(10, 2) + body(40, 2);

std::string joints(int frame, int x) {
  std::string s = std::to_string(frame);
  for (int k = 0; k < 60; ++k) s += tmor::detail::cat(k % 3 ? "  " : "   ", x + k, ".5");
  return s + "\n";
}

const std::string kJoints = joints(10, 0) + joints(12, 1) + joints(12, 2) + joints(18, 3) + joints(20, 4);
const std::string kLabels = "s01_e01\nwalk: 11 18 \nthrow: NaN NaN\ncarry: 13 17\ns01_e02\npush: 1 2\n";

/// A MATLAB file (version 5, not compressed) with one array of double.
std::string mat(const std::string& name, std::vector<std::int32_t> dims, const std::vector<double>& values) {
  std::string s(124, ' ');
  const auto raw = [](const auto& v) {
    std::string out(sizeof v, '\0');
    std::memcpy(out.data(), &v, sizeof v);
    return out;
  };
  const auto element = [&](std::uint32_t type, std::string bytes) {
    const auto size = static_cast<std::uint32_t>(bytes.size());
    bytes.resize((bytes.size() + 7) / 8 * 8);
    return raw(type) + raw(size) + bytes;
  };
  s += raw(std::uint16_t{0x0100}) + "IM";
  std::string d, v;
  for (const auto x : dims) d += raw(x);
  for (const auto x : values) v += raw(x);
  return s + element(14, element(6, raw(std::uint32_t{6}) + raw(std::uint32_t{0})) + element(5, d) +
                             element(1, name) + element(9, v));
}

/// x = 100 frame + joint, y = -joint, the last joint of frame 1 missing.
std::string gesture() {
  std::vector<double> v;  // column-major (2, 18, 3)
  for (int t = 0; t < 3; ++t)
    for (int j = 0; j < 18; ++j)
      v.push_back(t == 1 && j == 17 ? 0 : 100 * t + j + 1), v.push_back(t == 1 && j == 17 ? 0 : -j);
  return mat("pos_img", {2, 18, 3}, v);
}

}  // namespace

TEST_CASE("the NTU text format: bodies by their order, the most active kept, nobody stays nobody") {
  const auto all = data::parse_ntu_skeleton(kNtu, "f", joint_layout("coco17"), {.keep = 0});
  CHECK_NOTHROW(all.check("test"));
  CHECK(all.persons == 4);
  CHECK(all.frames == 3);
  CHECK(*all.state(0, 0, 0) == kObserved);  // at the origin but for z
  CHECK(all.point(0, 0, 5)[0] == 5);
  CHECK(*all.state(0, 1, 5) == kMissing);
  CHECK(all.point(1, 2, 16)[0] == 56);
  const auto two = data::parse_ntu_skeleton(kNtu, "f", joint_layout("coco17"), {.channels = 2});
  CHECK(two.persons == 2);
  CHECK(*two.state(0, 0, 0) == kMissing);
  CHECK(two.point(0, 0, 5)[0] == 5);  // the body of two frames moved, the other has one
  const auto error = [](const std::string& text) {
    return message<IoError>([&] { data::parse_ntu_skeleton(text, "f", joint_layout("coco17")); });
  };
  CHECK(contains(error(kNtu + "1\n"), "more text after the last of 3 frames"));
  CHECK(contains(error(kNtu.substr(0, kNtu.size() - 20)), "the text ends"));
  CHECK(contains(error("1\n1\n1 0 0 0 0 0 0 0 0 0\n25\n"), "f: line 4: frame 0, body 0: 25 joints, want 17"));
  CHECK(contains(error("999999999999\n"), "the number of frames"));
  CHECK(contains(error(""), "the text ends where the number of frames"));
}

TEST_CASE("UAV-Human's names and splits") {
  const auto c = data::parse_uav_human_name("P070S01G11B30H20UC072000LC021000A154R1_09081833.txt", "f");
  CHECK(c.id == "P070S01G11B30H20UC072000LC021000A154R1_09081833");
  CHECK(c.subject == 70);
  CHECK(c.label == 154);
  CHECK(c.repetition == 1);
  const auto error = [](const char* name) {
    return message<IoError>([&] { data::parse_uav_human_name(name, "f"); });
  };
  CHECK(contains(error("P070S01G11B30H20UC072000LC021000A155R1_0"), "want below 119 and 155"));
  CHECK(contains(error("P070S01G11B30H20UC072000LC021000A15R1_0"), "'15R'"));
  CHECK(contains(error("P070S01G11B30H20UC072000LC021000A154R1"), "no '_' behind R"));
  CHECK(contains(error("P07"), "form P000S00G00"));
  CHECK(data::uav_human_tests(113, data::UavHumanSplit::kV1));
  CHECK_FALSE(data::uav_human_tests(113, data::UavHumanSplit::kV2));
}

TEST_CASE("UTKinect: frame numbers jump and repeat, spans become rows") {
  const auto labels = data::parse_utkinect_labels(kLabels, "f");
  REQUIRE(labels.size() == 2);
  REQUIRE(labels.at("s01_e01").size() == 2);  // NaN left out
  const auto s = data::parse_utkinect_joints(kJoints, "f", labels.at("s01_e01"));
  CHECK_NOTHROW(s.skeleton.check("test"));
  CHECK(s.frame_numbers == std::vector<Index>{10, 12, 18, 20});
  CHECK(s.repeated == 1);
  CHECK(s.skeleton.point(0, 2, 1)[2] == 8.5f);
  CHECK(s.timeline.length == 4);
  REQUIRE(s.timeline.spans.size() == 2);
  CHECK(s.timeline.spans[0].start == 0.5);  // frames 11 to 18: rows 1 and 2
  CHECK(s.timeline.spans[0].end == 2.5);
  CHECK(s.timeline.spans[1].start == 1.5);  // frames 13 to 17: no row
  CHECK(s.timeline.spans[1].end == 1.5);
  const auto error = [](const std::string& text) {
    return message<IoError>([&] { data::parse_utkinect_joints(text, "f", {}); });
  };
  CHECK(contains(error(joints(4, 0) + joints(2, 0)), "f: line 2: frame 2 after frame 4"));
  CHECK(contains(error("4 1 2\n"), "2 coordinates, want 60"));
  CHECK(contains(error(joints(4, 0).insert(4, "1 ")), "more than 60"));
  CHECK(contains(error("4 nan" + joints(4, 0).substr(8)), "infinite or NaN"));
  CHECK(contains(error(""), "no frames"));
  const auto label_error = [](const char* text) {
    return message<IoError>([&] { data::parse_utkinect_labels(text, "f"); });
  };
  CHECK(
      contains(label_error("s01_e01\nwalks: 1 2"), "f: line 2: unknown class 'walks': did you mean 'walk'?"));
  CHECK(contains(label_error("walk: 1 2"), "before the first sequence"));
  CHECK(contains(label_error("s01_e01\ns01_e01"), "given twice"));
  CHECK(contains(label_error("s01_e01\nwalk: 1 NaN"), "only one"));
}

TEST_CASE("UAV-GESTURE: columns become frames") {
  const auto s = data::parse_uav_gesture_pose(gesture(), "f");
  CHECK_NOTHROW(s.check("test"));
  CHECK(s.frames == 3);
  CHECK(s.point(0, 2, 7)[0] == 208);
  CHECK(s.point(0, 2, 7)[1] == -7);
  CHECK(*s.state(0, 1, 17) == kMissing);
  CHECK(*s.state(0, 1, 16) == kObserved);
  const auto error = [](const std::string& bytes) {
    return message<IoError>([&] { data::parse_uav_gesture_pose(bytes, "f"); });
  };
  CHECK(contains(error(mat("pos", {2, 2}, {1, 2, 3, 4})), "'pos_img' is missing"));
  CHECK(contains(error(mat("pos_img", {2, 2}, {1, 2, 3, 4})), "not (2, 18, T)"));
}

TEST_CASE("damaged skeletons and names") {
  CHECK(fuzz(kNtu, 2000,
             [](std::string_view b) { data::parse_ntu_skeleton(b, "x", joint_layout("coco17")); }) > 200);
  CHECK(fuzz("P070S01G11B30H20UC072000LC021000A154R1_0", 2000,
             [](std::string_view b) { data::parse_uav_human_name(b, "x"); }) > 200);
  CHECK(fuzz(kJoints, 2000, [](std::string_view b) { data::parse_utkinect_joints(b, "x", {}); }) > 200);
  CHECK(fuzz(kLabels, 2000, [](std::string_view b) { data::parse_utkinect_labels(b, "x"); }) > 200);
  CHECK(fuzz(gesture(), 2000, [](std::string_view b) { data::parse_uav_gesture_pose(b, "x"); }) > 20);
}
