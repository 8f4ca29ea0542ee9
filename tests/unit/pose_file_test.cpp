#include "tmor/data/pose_file.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "../support/fuzz.hpp"

using namespace tmor;
using test::contains;
using test::message;

namespace {

/// Joint v of frame t at (10 t + v, 100 + v), with a score of v / 10.
io::Array numbers(Index frames, Index joints, Index channels) {
  io::Array a(DType::f32, {frames, joints, channels});
  float* x = a.as<float>().data();
  for (Index t = 0; t < frames; ++t)
    for (Index v = 0; v < joints; ++v) {
      const float values[3] = {static_cast<float>(10 * t + v), static_cast<float>(100 + v),
                               static_cast<float>(v) / 10};
      x = std::copy_n(values, channels, x);
    }
  return a;
}

}  // namespace

TEST_CASE("poses from arrays: shapes, scores, zeros") {
  const auto s = data::poses_of_array(numbers(3, 13, 2), "lcrnet13", {.fps = 25}, "a");
  CHECK(s.frames == 3);
  CHECK(s.persons == 1);
  CHECK(s.fps == 25);
  CHECK(s.point(0, 2, 5)[0] == 25);
  CHECK(*s.state(0, 2, 5) == kObserved);

  const auto scored = data::poses_of_array(numbers(3, 17, 3), "coco17", {.threshold = 0.35f}, "a");
  CHECK(scored.channels == 2);
  CHECK(*scored.state(0, 0, 3) == kMissing);
  CHECK(scored.point(0, 0, 3)[0] == 0);
  CHECK(*scored.state(0, 0, 4) == kObserved);
  const auto deep = data::poses_of_array(numbers(3, 17, 3), "coco17", {.channels = 3}, "a");
  CHECK(deep.point(0, 0, 4)[2] == 0.4f);

  auto zeros = numbers(2, 13, 2);
  std::fill_n(zeros.as<float>().data(), 26, 0.f);
  const auto empty = data::poses_of_array(zeros, "lcrnet13", {}, "a");
  CHECK(*empty.state(0, 0, 12) == kMissing);
  CHECK(*empty.state(0, 1, 12) == kObserved);
  zeros.as<float>()[30] = std::numeric_limits<float>::quiet_NaN();
  CHECK(contains(message<IoError>([&] { data::poses_of_array(zeros, "lcrnet13", {}, "a"); }),
                 "a: frame 1, joint 2"));
  CHECK(contains(message<IoError>([&] { data::poses_of_array(numbers(2, 12, 2), "lcrnet13", {}, "a"); }),
                 "13 joints"));
  CHECK_THROWS_AS(data::poses_of_array(numbers(2, 13, 2), "lcrnet13", {.channels = 3}, "a"), IoError);
  CHECK_THROWS_AS(data::poses_of_array(io::Array(DType::i64, {2, 13, 2}), "lcrnet13", {}, "a"), IoError);
  CHECK_THROWS_AS(data::poses_of_array(io::Array(DType::f32, {26, 2}), "lcrnet13", {}, "a"), IoError);
}

TEST_CASE("files are found by the video in their names") {
  const test::TempDir dir;
  io::write_npy(dir / "P01T02C03.npy", numbers(4, 13, 2));
  std::map<std::string, io::Array> one, two;
  one.emplace("kpts", numbers(5, 17, 2));
  two.emplace("a", numbers(5, 17, 2));
  two.emplace("b", numbers(5, 17, 2));
  io::write_npz(dir / "P01T02C04_LCRNet2d.npz", one);
  io::write_npz(dir / "two_P01T02C05.npz", two);
  io::write_atomic(dir / "results_P01T02C06_lcrnet+v3d.json",
                   R"({"njts": 13, "frames": [[], [{"pose2d": [1,2,3,4,5,6,7,8,9,10,11,12,13,)"
                   R"(1,2,3,4,5,6,7,8,9,10,11,12,13]}]]})");
  io::write_atomic(dir / "P01T02C06.txt", "no poses");
  const data::PoseFolder folder(dir.path());
  CHECK(folder.find("P01T02C03") == dir / "P01T02C03.npy");
  CHECK(data::read_pose_file(folder.find("P01T02C03"), "penn13").frames == 4);
  CHECK(data::read_pose_file(folder.find("P01T02C04"), "coco17").frames == 5);
  CHECK(
      contains(message<IoError>([&] { data::read_pose_file(folder.find("P01T02C05"), "coco17"); }), "kpts"));
  const auto json = data::read_pose_file(folder.find("P01T02C06"), "");
  CHECK(json.layout->name == "lcrnet13");
  CHECK(*json.state(0, 0, 0) == kMissing);
  CHECK(folder.find("P01T02") == "");
  io::write_npy(dir / "again_P01T02C03.npy", numbers(4, 13, 2));
  CHECK(contains(message<IoError>([&] { data::PoseFolder(dir.path()).find("P01T02C03"); }), "two files"));
  CHECK_THROWS_AS(data::PoseFolder(dir / "none"), IoError);
}

TEST_CASE("damaged arrays are read or refused") {
  const int refused = test::fuzz(io::npy_bytes(numbers(3, 13, 3)), 300, [](std::string_view bytes) {
    data::poses_of_array(io::parse_npy(bytes, "x", std::size_t{1} << 24), "lcrnet13", {}, "x").check("x");
  });
  CHECK(refused > 100);
}
