// The real files of UTKinect, UAV-GESTURE and UAV-Human against what is known of them.
#include <doctest/doctest.h>

#include <algorithm>

#include "../support/files.hpp"
#include "tmor/data/uav_gesture.hpp"
#include "tmor/data/uav_human.hpp"
#include "tmor/data/utkinect.hpp"

using namespace tmor;

TEST_CASE("real: UTKinect") {
  const auto root = test::real_data("utkinect");
  if (root.empty()) return;
  const auto d = data::read_utkinect(root);
  REQUIRE(d.sequences.size() == 16);
  double rows = 0, labelled = 0;
  for (const auto& s : d.sequences) {
    CAPTURE(s.id);
    CHECK_NOTHROW(s.skeleton.check(s.id));
    CHECK(s.timeline.spans.size() == 10);
    CHECK(s.subject >= 1);
    CHECK(s.subject <= 8);
    std::vector<bool> inside(s.frame_numbers.size());
    for (const auto& a : s.timeline.spans) {
      CHECK(a.end > a.start);
      for (std::size_t r = 0; r < inside.size(); ++r)
        if (static_cast<double>(r) > a.start && static_cast<double>(r) < a.end) inside[r] = true;
    }
    rows += static_cast<double>(inside.size());
    labelled += static_cast<double>(std::count(inside.begin(), inside.end(), true));
  }
  CHECK(1 - labelled / rows == doctest::Approx(0.61).epsilon(0.03));  // rows without a label
}

TEST_CASE("real: UAV-GESTURE") {
  const auto root = test::real_data("uav_gesture");
  if (root.empty()) return;
  const auto d = data::read_uav_gesture(root);
  CHECK(d.clips.size() == 99);
  for (const auto& c : d.clips) {
    CAPTURE(c.id);
    CHECK_NOTHROW(c.skeleton.check(c.id));
    CHECK(c.skeleton.frames >= 90);
    CHECK(c.skeleton.frames <= 586);
    CHECK(c.subject != 13);
    CHECK(c.subject != 15);
  }
  for (const int split : {1, 2, 3}) {
    CHECK(data::read_uav_gesture_split(root, split, false).size() == 86);
    CHECK(data::read_uav_gesture_split(root, split, true).size() == 33);
  }
  // The clips that are not here are all on the test side of split 1.
  const auto test = data::read_uav_gesture_split(root, 1, true);
  std::size_t here = 0;
  for (const auto& c : d.clips) here += test.count(c.id);
  CHECK(here == 33 - 20);
}

TEST_CASE("real: UAV-Human's lists") {
  const auto root = test::real_data("uav_human");
  if (root.empty()) return;
  CHECK(data::read_class_names(root + "/classes_155.txt", data::ClassCode::kNumber).size() ==
        data::kUavHumanClasses);
  for (const auto& [name, split] :
       {std::pair{"CSv1", data::UavHumanSplit::kV1}, {"CSv2", data::UavHumanSplit::kV2}}) {
    const std::string path = root + "/" + name + "_train_subjects.txt";
    const auto text = io::read_file(path);
    std::vector<int> train;
    for (io::WordReader in(text, path); in.more();)
      train.push_back(static_cast<int>(in.integer("a subject", 0, data::kUavHumanSubjects - 1)));
    CHECK(train.size() == 89);
    for (int s = 0; s < data::kUavHumanSubjects; ++s)
      CHECK(data::uav_human_tests(s, split) == (std::find(train.begin(), train.end(), s) == train.end()));
  }
}
