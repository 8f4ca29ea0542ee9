#include "tmor/data/pose_json.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "../support/fuzz.hpp"

using namespace tmor;
using test::contains;
using test::message;

namespace {

/// "[x y score ...]" of n joints: joint v at (v + shift, 10 v), score 0.9; joint 3 has 0.1.
std::string triples(int n, double shift = 0) {
  std::string s = "[";
  for (int v = 0; v < n; ++v) s += detail::cat(v ? "," : "", v + shift, ",", 10 * v, ",", v == 3 ? 0.1 : 0.9);
  return s + "]";
}
std::string coco() {
  return "[{\"image_id\": \"f10.jpg\", \"category_id\": 1, \"keypoints\": " + triples(17) +
         ", \"score\": 2.5}, {\"image_id\": \"f2.jpg\", \"keypoints\": " + triples(17, 100) +
         ", \"score\": 1}, {\"image_id\": \"f2.jpg\", \"keypoints\": " + triples(17, 200) +
         ", \"score\": 2}]";
}
std::string openpose(int joints) {
  return "{\"version\": 1.3, \"people\": [{\"person_id\": [-1], \"pose_keypoints_2d\": " + triples(joints) +
         "}]}";
}
std::string lcrnet(bool cumscore) {
  std::string two = "[", three = "[";
  for (int i = 0; i < 39; ++i) {
    if (i < 26) two += detail::cat(i ? "," : "", i + 0.5);
    three += detail::cat(i ? "," : "", -i);
  }
  return "{\"K\": 20, \"njts\": 13, \"frames\": [[], [{\"pose2d\": " + two + "], \"pose3d\": " + three + "]" +
         (cumscore ? ", \"cumscore\": 3.5" : "") + "}]]}";
}
std::string landmarks() {
  std::string s = "[[";
  for (int v = 0; v < 33; ++v) s += detail::cat(v ? "," : "", "[", v, ",", 2 * v, ",", 3 * v + 1, "]");
  return s + "]]";
}
std::string refusal(const std::string& text, const data::PoseOptions& o = {}) {
  return message<IoError>([&] { data::parse_pose_json(text, "p.json", o); });
}

}  // namespace

TEST_CASE("COCO results: frames in the order of their names, persons by score, weak joints missing") {
  auto s = data::parse_pose_json(coco(), "p.json", {.threshold = 0.2f, .persons = 2});
  CHECK(s.layout->name == "coco17");
  CHECK(s.frames == 2);
  REQUIRE(s.persons == 2);
  CHECK(s.point(0, 0, 5)[0] == 205);  // f2 comes first; its better person
  CHECK(s.point(1, 0, 5)[0] == 105);
  CHECK(s.point(0, 1, 5)[0] == 5);
  CHECK(s.point(0, 1, 5)[1] == 50);
  CHECK(*s.state(0, 0, 3) == kMissing);
  CHECK(*s.state(0, 0, 4) == kObserved);
  CHECK(*s.state(1, 1, 4) == kMissing);  // nobody second there
  CHECK(data::parse_pose_json(coco(), "p", {.persons = 1}).persons == 1);
  CHECK(*data::parse_pose_json(coco(), "p").state(0, 0, 3) == kObserved);
}

TEST_CASE("tracks keep their place, and named joints theirs") {
  const std::string tracked =
      "{\"images\": [{\"id\": 7}, {\"id\": 5}, {\"id\": 9}], \"categories\": [{\"keypoints\": "
      "[\"neck\", \"left_wrist\", \"nose\"]}], \"annotations\": ["
      "{\"image_id\": 5, \"track_id\": 1, \"keypoints\": [1,2,2, 3,4,1, 5,6,0]},"
      "{\"image_id\": 7, \"track_id\": 0, \"keypoints\": [7,8,2, 9,10,2, 11,12,2]},"
      "{\"image_id\": 7, \"track_id\": 1, \"keypoints\": [0,0,0, 13,14,2, 0,0,0]}]}";
  const auto s = data::parse_pose_json(tracked, "p", {.persons = 2});
  CHECK(s.frames == 3);
  const Index wrist = s.layout->at("left_wrist"), nose = s.layout->at("nose");
  CHECK(s.point(0, 0, wrist)[0] == 13);  // track 1: in two frames
  CHECK(s.point(0, 1, wrist)[1] == 4);
  CHECK(*s.state(0, 1, nose) == kMissing);
  CHECK(s.point(1, 0, nose)[0] == 11);
  CHECK(*s.state(1, 0, s.layout->at("left_hip")) == kMissing);
}

TEST_CASE("OpenPose: a file a frame, 18 or 25 joints") {
  const test::TempDir dir;
  io::write_atomic(dir / "v_2_keypoints.json", openpose(18));
  io::write_atomic(dir / "v_10_keypoints.json", openpose(25));
  io::write_atomic(dir / "v_11_keypoints.json", "{\"people\": []}");
  const auto s = data::read_pose_json(dir.path());
  CHECK(s.layout->name == "openpose18");
  CHECK(s.frames == 3);
  CHECK(s.point(0, 0, 8)[0] == 8);  // right hip
  CHECK(s.point(0, 1, 8)[0] == 9);
  CHECK(s.point(0, 1, 17)[0] == 18);  // left ear
  CHECK(*s.state(0, 2, 0) == kMissing);
  CHECK(data::parse_pose_json(openpose(25), "p").frames == 1);
}

TEST_CASE("LCR-Net: all x, then all y; frames with nobody stay") {
  for (bool cumscore : {false, true}) {
    const auto s = data::parse_pose_json(lcrnet(cumscore), "p", {.threshold = 5});
    CHECK(s.layout->name == "lcrnet13");
    CHECK(s.frames == 2);
    CHECK(*s.state(0, 0, 0) == kMissing);
    CHECK(s.point(0, 1, 12)[0] == 12.5f);
    CHECK(s.point(0, 1, 12)[1] == 25.5f);
  }
  const auto s = data::parse_pose_json(lcrnet(true), "p", {.channels = 3});
  CHECK(s.point(0, 1, 2)[2] == -28);
}

TEST_CASE("landmarks: MediaPipe's 33 and MoveNet's objects") {
  const auto s = data::parse_pose_json(landmarks(), "p", {.channels = 3});
  CHECK(s.layout->name == "coco17");
  CHECK(s.point(0, 0, s.layout->at("left_shoulder"))[0] == 11);
  CHECK(s.point(0, 0, s.layout->at("right_ankle"))[2] == 85);
  std::string text = "[{\"score\": 0.9, \"keypoints\": [";
  for (int v = 0; v < 17; ++v)
    text += detail::cat(v ? "," : "", "{\"x\": ", v, ", \"y\": 1, \"score\": ", v == 6 ? 0.1 : 0.8,
                        ", \"name\": \"j\"}");
  const auto m = data::parse_pose_json(text + "]}, {\"keypoints\": []}]", "p", {.threshold = 0.3f});
  CHECK(m.frames == 2);
  CHECK(m.point(0, 0, 16)[0] == 16);
  CHECK(*m.state(0, 0, 6) == kMissing);
}

TEST_CASE("errors name the file and the place") {
  CHECK(contains(refusal("{\"a\": 1}"), "p.json: no pose format that is known"));
  CHECK(contains(refusal("[]"), "no pose format"));
  CHECK(contains(refusal("[{\"image_id\": 1, \"keypoints\": [1, 2, 3]}]"), "pose 0: keypoints: 3 numbers"));
  CHECK(contains(refusal("[{\"image_id\": 1, \"keypoints\": [1, \"a\", 3]}]"), "a number expected"));
  CHECK(contains(refusal(coco(), {.threshold = 0.95f}), "no joint of any person has a score above 0.95"));
  CHECK(contains(refusal(openpose(19)), "person 0: pose_keypoints_2d: 57 numbers"));
  CHECK(contains(refusal("{\"njts\": 17, \"frames\": []}"), "njts is 17"));
  CHECK(contains(refusal("{\"njts\": 13, \"frames\": []}"), "no frames"));
  CHECK(contains(refusal("{\"njts\": 13, \"frames\": [[{\"pose2d\": [1]}]]}"), "frame 0: pose2d: 1 numbers"));
  CHECK(contains(refusal("[[[1, 2]]]"), "frame 0: 1 joints, not 17 or 33"));
  CHECK(contains(refusal("[{"), "p.json: line 1"));
  const test::TempDir dir;
  CHECK(contains(message<IoError>([&] { data::read_pose_json(dir.path()); }), "no .json file"));
}

TEST_CASE("damaged poses") {
  for (const auto& good : {coco(), openpose(25), lcrnet(true), landmarks()})
    CHECK(test::fuzz(good, 1500, [](std::string_view b) {
            for (Index channels : {2, 3})
              data::parse_pose_json(
                  b, "p", {.persons = 2, .channels = channels == 3 && b.find("pose3d") != b.npos ? 3 : 2})
                  .check("fuzz");
          }) > 300);
}
