// Protocols of clips: sides by flag, subject, camera and lists; what is refused.
#include "tmor/eval/clip_list.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "../support/fuzz.hpp"

using namespace tmor;
using test::contains;
using test::message;

namespace {

std::string text(const std::string& format, const std::string& split, const std::string& names) {
  return R"({"name": "p", "title": "T", "source": "S", "task": "classification", "annotations": {"format": ")" +
         format + R"(", "file": "clips"}, "classes": {"count": 2, "names": )" + names + R"(}, "split": )" +
         split +
         R"(, "metric": {"name": "mean_class"}, "clips": {"train": 4, "test": 3}, "empty_class": "skip"})";
}
eval::Protocol protocol(const std::string& format, const std::string& split,
                        const std::string& names = R"(["Walk", "Enter"])") {
  return eval::parse_protocol(text(format, split, names), "f");
}
std::string refused(const std::string& format, const std::string& split) {
  return message<IoError>([&] { protocol(format, split); });
}
std::string sides(const eval::ClipList& list) {
  std::string s;
  for (const auto& c : list.clips)
    s += detail::cat(c.id, c.train ? " train" : "", c.validation ? " validation" : "", c.test ? " test" : "",
                     " ", c.label, "\n");
  return s;
}

}  // namespace

TEST_CASE("lists: sides, a validation part that trains too, activities that are no class") {
  test::TempDir dir;
  io::make_directories(dir / "splits");
  io::write_atomic(dir / "splits/a.txt", "Walk_p03_r00_v00_c01.mp4\nEnter_p04_r00_v00_c01.mp4\n");
  io::write_atomic(dir / "splits/b.txt", "Walk_p19_r00_v00_c01\nPour.Fromcup_p19_r00_v00_c01\n");
  io::write_atomic(dir / "splits/t.txt", "Enter_p02_r00_v00_c01.mp4\n");
  const auto p = protocol("smarthome", R"({"by": "list", "train": ["splits/a.txt", "splits/b.txt"],
    "validation": ["splits/b.txt"], "test": ["splits/t.txt"]})");
  const auto list = eval::list_clips(p, dir.path());
  CHECK(sides(list) ==
        "Walk_p03_r00_v00_c01 train 0\nEnter_p04_r00_v00_c01 train 1\n"
        "Walk_p19_r00_v00_c01 train validation 0\nEnter_p02_r00_v00_c01 test 1\n");
  CHECK(list.without_class == std::vector<std::string>{"Pour.Fromcup_p19_r00_v00_c01"});
  CHECK(list.clips[0].subject == 3);
  CHECK(eval::test_labels(p, dir.path()) == std::map<std::string, Index>{{"Enter_p02_r00_v00_c01", 1}});
  CHECK(contains(eval::describe(p), "the mean per class"));
  CHECK(contains(eval::describe(p), "4 training and 3 test clips"));
  io::write_atomic(dir / "splits/t.txt", "Walk_p03_r00_v00_c01.mp4\n");
  CHECK(contains(message<IoError>([&] { eval::list_clips(p, dir.path()); }), "both trains and tests"));
  io::write_atomic(dir / "splits/t.txt", "Walk_p02_r00_v00_c01\nWalk_p02_r00_v00_c01.mp4\n");
  CHECK(contains(message<IoError>([&] { eval::list_clips(p, dir.path()); }), "t.txt: line 2: the clip"));
  io::write_atomic(dir / "splits/t.txt", "Walk_p02_c01\n");
  CHECK(contains(message<IoError>([&] { eval::list_clips(p, dir.path()); }), "t.txt: line 1: the name"));
}

TEST_CASE("names of files: subjects and cameras") {
  test::TempDir dir;
  io::make_directories(dir / "clips");
  for (const char* id : {"a01_s01_e00_v01", "a02_s09_e00_v02", "a01_s10_e00_v03"})
    io::write_atomic(dir / ("clips/" + std::string(id) + ".json"), "");
  const std::string names = R"(["x", "y"])";
  const auto camera =
      protocol("nw-ucla", R"({"by": "camera", "train": [1], "validation": [2], "test": [3]})", names);
  CHECK(sides(eval::list_clips(camera, dir.path())) ==
        "a01_s01_e00_v01 train 0\na01_s10_e00_v03 test 0\na02_s09_e00_v02 validation 1\n");
  const auto subject = protocol("nw-ucla", R"({"by": "subject", "test": [10]})", names);
  CHECK(sides(eval::list_clips(subject, dir.path())) ==
        "a01_s01_e00_v01 train 0\na01_s10_e00_v03 test 0\na02_s09_e00_v02 train 1\n");
  const auto some = protocol("nw-ucla", R"({"by": "camera", "train": [1], "test": [3]})", names);
  CHECK(eval::list_clips(some, dir.path()).clips.size() == 2);  // camera 2 is on no side
  io::write_atomic(dir / "clips/a07_s01_e00_v01.json", "");
  CHECK(contains(message<IoError>([&] { eval::list_clips(some, dir.path()); }), "a07_s01_e00_v01"));
}

TEST_CASE("folds list every clip; official lists name clips that need not be there") {
  test::TempDir dir;
  for (const char* id : {"hover/S1_hover_HD", "hover/S2_hover_HD", "land/S1_land_HD"})
    io::make_directories(dir / ("clips/" + std::string(id)));
  io::make_directories(dir / "splits");
  io::write_atomic(dir / "splits/hover_train_split1.txt", "S1_hover_HD\n");
  io::write_atomic(dir / "splits/hover_test_split1.txt", "S2_hover_HD\n");
  io::write_atomic(dir / "splits/land_test_split1.txt", "S9_land_HD\n");
  const std::string names = R"(["hover", "land"])";
  const auto folds = protocol("uav-gesture", R"({"by": "subject", "folds": "each"})", names);
  CHECK(eval::list_clips(folds, dir.path()).clips.size() == 3);
  CHECK(eval::test_labels(folds, dir.path()).size() == 3);
  CHECK(contains(eval::describe(folds), "each subject left out once"));
  const auto lists = protocol("uav-gesture", R"({"by": "list", "train": ["splits/*_train_split1.txt"],
    "test": ["splits/*_test_split1.txt"]})",
                              names);
  CHECK(sides(eval::list_clips(lists, dir.path())) ==
        "S1_hover_HD train 0\nS2_hover_HD test 0\nS9_land_HD test 1\n");
  io::make_directories(dir / "clips/lands");
  CHECK(contains(message<IoError>([&] { eval::list_clips(folds, dir.path()); }), "did you mean 'land'"));
}

TEST_CASE("split rules are read strictly") {
  CHECK(contains(refused("nw-ucla", R"({"by": "camera", "train": [3], "test": [3]})"),
                 "3 both trains and tests"));
  CHECK(contains(refused("nw-ucla", R"({"by": "camra", "test": [3]})"), "did you mean 'camera'"));
  CHECK(contains(refused("nw-ucla", R"({"by": "camera", "train": [3]})"), "\"test\" is missing"));
  CHECK(contains(refused("nw-ucla", R"({"by": "camera", "test": [3.5]})"), "a whole number expected"));
  CHECK(contains(refused("nw-ucla", R"({"by": "subject", "folds": 1})"), "want 2 to 1000"));
  CHECK(contains(refused("nw-ucla", R"({"by": "list", "train": ["a"]})"), "needs \"test\""));
  CHECK(contains(refused("nw-ucla", R"({"by": "flag", "tests": [1]})"), "did you mean \"test\""));
  CHECK(contains(message<IoError>([] { protocol("nw-ucla", R"({"by": "flag"})", R"(["x"])"); }),
                 "1 names for 2 classes"));
  const auto good = text("nw-ucla", R"({"by": "camera", "train": [1], "test": [3]})", R"(["x", "y"])");
  CHECK(test::fuzz(good, 2000, [](std::string_view b) { eval::parse_protocol(b, "x"); }) > 300);
}
