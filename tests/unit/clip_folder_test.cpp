// Data sets of one's own: written, read again, and refused where something is wrong.
#include "tmor/data/clip_folder.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "../support/fuzz.hpp"

using namespace tmor;
using test::contains;
using test::message;

namespace {

SkeletonSequence two_frames(const LayoutPtr& layout) {
  auto s = SkeletonSequence::make(layout, 1, 2, 2);
  for (Index v = 0; v < s.joints; ++v) {
    *s.state(0, 1, v) = kObserved;
    s.point(0, 1, v)[0] = static_cast<float>(v) + 0.25f;
  }
  return s;
}
const char* const kIndex = R"({"format": "tmor clips 1", "name": "n", "poses": "p", "coordinates": 2,
  "layout": {"name": "hand", "joints": ["palm", "left_tip:palm", "right_tip:palm"]}, "classes": ["a", "b"],
  "clips": [{"id": "x", "label": "b", "part": "train", "subject": 3}, {"id": "y", "label": "a", "part": "test"}]})";

std::string error_with(const std::string& from, const std::string& to) {
  std::string text = kIndex;
  text.replace(text.find(from), from.size(), to);
  return message<IoError>([&] { data::parse_clip_folder(text, "f"); });
}

}  // namespace

TEST_CASE("a folder with a layout of its own comes back as it was written") {
  test::TempDir dir;
  io::make_directories(dir / "clips");
  auto folder = data::parse_clip_folder(kIndex, "f");
  CHECK(folder.layout->parent == std::vector<Index>{0, 0, 0});
  CHECK(folder.layout->mirror == std::vector<Index>{0, 2, 1});
  CHECK(folder.clips[0].subject == 3);
  CHECK(folder.clips[1].part == data::ClipPart::kTest);
  const auto s = two_frames(folder.layout);
  data::write_folder_clip(dir.path(), "x", s);
  data::write_clip_folder(dir.path(), folder);
  const auto again = data::read_clip_folder(dir.path());
  CHECK(again.layout->joints == folder.layout->joints);
  CHECK(again.layout->parent == folder.layout->parent);
  CHECK(again.classes.names() == folder.classes.names());
  CHECK(again.clips[0].label == 1);
  CHECK(again.clips[1].subject == -1);
  const auto read = data::read_folder_clip(data::clip_path(dir.path(), "x"), again.layout, 2);
  CHECK(read.xyz == s.xyz);
  CHECK(read.valid == s.valid);
  CHECK(contains(message<IoError>([&] {
                   data::read_folder_clip(data::clip_path(dir.path(), "x"), joint_layout("coco17"), 2);
                 }),
                 "not float32 (persons, frames, 17, 2)"));
  folder.layout = joint_layout("coco17");
  data::write_clip_folder(dir.path(), folder);
  CHECK(data::read_clip_folder(dir.path()).layout == joint_layout("coco17"));
}

TEST_CASE("what is wrong with a folder is named") {
  CHECK(contains(error_with("\"label\": \"b\"", "\"label\": \"c\""), "clips: 0: unknown class 'c'"));
  CHECK(contains(error_with("\"id\": \"y\"", "\"id\": \"x\""), "given twice"));
  CHECK(contains(error_with("\"id\": \"y\"", "\"id\": \"../y\""), "no name of a file"));
  CHECK(contains(error_with("\"part\": \"test\"", "\"part\": \"tests\""), "want train, validation or test"));
  CHECK(contains(error_with("left_tip:palm", "left_tip:hand"), "f: layout:"));
  CHECK(contains(error_with("\"hand\"", "\"coco17\""), "built-in layout"));
  CHECK(contains(error_with("\"coordinates\": 2", "\"coordinates\": 4"), "want 2 or 3"));
  test::TempDir dir;
  const auto layout = joint_layout("coco17");
  std::vector<float> xyz(34, std::numeric_limits<float>::quiet_NaN());
  io::write_safetensors(dir / "n", {{"xyz", DType::f32, {1, 1, 17, 2}, xyz.data()}});
  CHECK(contains(message<IoError>([&] { data::read_folder_clip(dir / "n", layout, 2); }), "NaN or infinite"));
  std::vector<std::uint8_t> valid(17, 9);
  std::fill(xyz.begin(), xyz.end(), 1.f);
  io::write_safetensors(dir / "v", {{"xyz", DType::f32, {1, 1, 17, 2}, xyz.data()},
                                    {"valid", DType::u8, {1, 1, 17}, valid.data()}});
  CHECK(contains(message<IoError>([&] { data::read_folder_clip(dir / "v", layout, 2); }),
                 "state is not 0, 1 or 2"));
  CHECK(test::fuzz(kIndex, 3000, [](std::string_view b) { data::parse_clip_folder(b, "x"); }) > 300);
}
