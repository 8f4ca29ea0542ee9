// Real videos, poses and words: read from loose files, written to shards and read from there.
#include <doctest/doctest.h>

#include <cmath>

#include "../support/files.hpp"
#include "tmor/data/shards.hpp"
#include "tmor/data/triplet_files.hpp"
#include "tmor/io/csv.hpp"

using namespace tmor;

namespace {

/// False, with a printed reason, where ffmpeg is not installed.
bool have_ffmpeg(const std::string& video) {
  try {
    io::probe_video(video);
    return true;
  } catch (const IoError& e) {
    if (!test::contains(e.what(), "cannot run")) throw;
    MESSAGE("skipped: ", std::string(e.what()));
    return false;
  }
}

/// Mean difference of two pictures of equal size, in levels.
double distance(const io::Pixels& a, const io::Pixels& b) {
  REQUIRE(a.rgb.size() == b.rgb.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) sum += std::abs(int{a.rgb[i]} - int{b.rgb[i]});
  return sum / static_cast<double>(a.rgb.size());
}

data::Triplet through_shards(const data::Triplet& t, const data::SampleOptions& options = {}) {
  const test::TempDir dir;
  data::ShardWriter writer(dir / "s", {.quality = 95});
  writer.add(t);
  writer.close();
  return *data::Shards(writer.files(), {.sample = options}).read(0);
}

}  // namespace

TEST_CASE("real: frames and poses of one clip") {
  const auto root = test::real_data("video_pose/pose_squats");
  if (root.empty()) return;
  const data::PoseOptions poses{.fps = 5, .width = 720, .height = 1280};
  const auto t = data::read_triplet({.id = "squats",
                                     .video = root + "/frames",
                                     .poses = root + "/pose_squats.full.json",
                                     .texts = {"a person does squats"}},
                                    {}, poses);
  CHECK(t.skeleton.frames == 65);
  REQUIRE(t.video.size() == 65);
  CHECK(t.video[0].width == 180);
  CHECK(t.video[0].height == 320);
  // Squats: the hips go down and up again, the ankles stay.
  const auto range = [&](const char* joint) {
    float low = 1e9f, high = 0;
    for (Index f = 0; f < 65; ++f) {
      const float y = t.skeleton.point(0, f, t.skeleton.layout->at(joint))[1];
      low = std::min(low, y), high = std::max(high, y);
    }
    return high - low;
  };
  CHECK(range("left_hip") > 150);
  CHECK(range("left_ankle") < 60);

  const auto back =
      through_shards(t, {.need_skeleton = true, .need_video = true, .need_text = true, .frames = 8});
  CHECK(back.skeleton.xyz == t.skeleton.xyz);
  CHECK(back.texts == t.texts);
  REQUIRE(back.video.size() == 8);
  CHECK(distance(back.video[0], t.video[4]) < 3);  // the middle of the first eighth of 65

  const auto video = root + "/pose_squats.mp4";
  if (!have_ffmpeg(video)) return;
  const auto info = io::probe_video(video);
  CHECK(info.width == 720);
  CHECK(info.fps == 5);
  CHECK(info.seconds == 13);
  const auto film = io::read_video(video, {.frames = 3, .side = 64});
  REQUIRE(film.size() == 3);
  CHECK(distance(film[1], io::resize_square(t.video[32], 64)) < 4);
}

TEST_CASE("real: clips of words") {
  const auto root = test::real_data("asl_video");
  if (root.empty()) return;
  const auto index = io::read_csv(root + "/index.csv");
  const test::TempDir dir;
  data::ShardWriter writer(dir / "words", {.max_samples = 6});
  for (const auto& row : index.rows) {
    const auto& word = row[index.column("word")];
    const auto t = data::read_triplet({.id = word, .video = root + "/frames/" + word, .texts = {word}});
    CHECK(t.video.size() == 16);
    writer.add(t);
  }
  writer.close();
  CHECK(writer.files().size() == 3);
  const data::Shards shards(writer.files(),
                            {.sample = {.need_video = true, .need_text = true, .frames = 4, .side = 32}});
  REQUIRE(shards.size() == 15);
  for (Index i = 0; i < shards.size(); ++i) {
    const auto t = *shards.read(i);
    CHECK(t.texts == std::vector<std::string>{t.id});
    CHECK(t.video.size() == 4);
    CHECK(t.video[3].width == 32);
  }
  const auto gif = data::read_any_video(root + "/people-detection.gif", {.frames = 5});
  REQUIRE(gif.size() == 5);
  CHECK(gif[0].width == 480);
  CHECK(gif[0].height == 270);
  CHECK(distance(gif[0], gif[4]) > 0.5);  // people walk
  if (!have_ffmpeg(root + "/thanks.mkv")) return;
  const auto film = data::read_any_video(root + "/thanks.mkv", {.frames = 16, .side = 60});
  CHECK(film.size() == 16);
}

TEST_CASE("real: pose files of other projects") {
  const auto root = test::real_data("pose_formats");
  if (root.empty()) return;
  const auto results = data::read_pose_json(root + "/coco_keypoint_results_fake100.json", {.persons = 10});
  CHECK(results.layout->name == "coco17");
  CHECK(results.persons > 1);
  for (const char* name : {"coco_keypoints_gt", "posetrack18_val", "jhmdb_sub1"}) {
    CAPTURE(name);
    const auto s = data::read_pose_json(root + "/" + name + ".json", {.persons = 3});
    CHECK(s.frames >= 2);
    CHECK(std::count(s.valid.begin(), s.valid.end(), std::uint8_t{kObserved}) > 10);
  }
}
