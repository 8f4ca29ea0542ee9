#include "tmor/skeleton/streams.hpp"

#include <doctest/doctest.h>

#include "support/files.hpp"
#include "tmor/train/skeleton_model.hpp"

using namespace tmor;

namespace {
/// Joint 1 hangs on joint 0; two frames.
SkeletonSequence two_joints() {
  const auto layout = make_layout({"pair", {{"pelvis", ""}, {"head", "pelvis"}}});
  auto s = SkeletonSequence::make(layout, 1, 2, 2);
  s.xyz = {1, 2, 4, 6, 1, 3, 5, 9};
  s.valid = {kObserved, kObserved, kObserved, kImputed};
  return s;
}
}  // namespace

TEST_CASE("bones point from parent to joint, motion from frame to frame") {
  const std::vector clips{two_joints()};
  const auto b = collate<Cpu>(clips);
  CHECK(b.x.shape() == Shape{1, 1, 2, 2, 2});
  CHECK(bones(b, *clips[0].layout).to_vector() == std::vector<float>{0, 0, 3, 4, 0, 0, 4, 6});
  CHECK(motion(b).to_vector() == std::vector<float>{0, 1, 1, 3, 0, 0, 0, 0});
  const auto all = stream_channels(b, *clips[0].layout, {.known = true});
  CHECK(all.shape() == Shape{1, 1, 2, 2, 7});
  CHECK(narrow(all, -1, 4, 2).to_vector() == motion(b).to_vector());
  CHECK_THROWS_AS(stream_channels(b, *clips[0].layout, {.joint = false, .bone = false, .motion = false}),
                  Error);
}

TEST_CASE("a missing joint makes no bone and no motion, an absent person no clip") {
  auto s = two_joints();
  s.valid[3] = kMissing;
  s.zero_missing_();
  auto pair = SkeletonSequence::make(s.layout, 2, 2, 2);
  std::copy(s.xyz.begin(), s.xyz.end(), pair.xyz.begin());
  std::copy(s.valid.begin(), s.valid.end(), pair.valid.begin());
  const std::vector clips{s, pair};
  const auto b = collate<Cpu>(clips);
  CHECK(b.present.to_vector() == std::vector<float>{1, 0, 1, 0});
  CHECK(narrow(bones(b, *s.layout), 0, 0, 1).to_vector()[6] == 0);
  CHECK(motion(b).to_vector()[2] == 0);
  CHECK_THROWS_AS(collate<Cpu>(std::span<const SkeletonSequence>()), Error);
}

TEST_CASE("an exported skeleton model comes back whole, and damage is an error") {
  Rng rng(1);
  models::UnikConfig c;
  c.joints = 2;
  c.in_channels = 2;
  c.embed = 3;
  c.stages = {{4}, {6, 2}};
  train::SkeletonModel m{
      models::Unik<>(rng, c), {"walk", "sit"}, l2_normalize(normal(rng, {2, 3})), {{"frames", 8}}};
  const test::TempDir dir;
  const std::string path = dir.path() + "/m.safetensors";
  train::save_skeleton_model(path, m);
  const auto back = train::load_skeleton_model(path);
  CHECK(back.classes == m.classes);
  CHECK(back.input == m.input);
  const auto x = normal(rng, {2, 1, 8, 2, 2});
  CHECK(back.scores(x).to_vector() == m.scores(x).to_vector());
  std::string bytes = io::read_file(path);
  bytes[bytes.size() - 3] = static_cast<char>(bytes[bytes.size() - 3] ^ 1);
  io::write_atomic(path, bytes);
  CHECK_THROWS_AS(train::load_skeleton_model(path), IoError);
  io::write_atomic(path, std::string_view("no tensors"));
  CHECK_THROWS_AS(train::load_skeleton_model(path), IoError);
}
