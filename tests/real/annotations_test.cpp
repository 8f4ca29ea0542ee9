// The real annotations of Charades, TSU and Smarthome against what is known of them.
#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "tmor/data/charades.hpp"
#include "tmor/data/smarthome.hpp"
#include "tmor/data/tsu.hpp"
#include "tmor/metrics/event_map.hpp"
#include "tmor/metrics/frame_map.hpp"

using namespace tmor;

namespace {

/// Rows of constant scores for every video: AP is then that of the order of rows.
std::vector<FrameScores> constant(const std::vector<Timeline>& videos, Index steps, Index classes) {
  std::vector<FrameScores> s;
  for (const auto& v : videos)
    s.push_back({v.id, steps, std::vector<float>(static_cast<std::size_t>(steps * classes))});
  return s;
}

Index total(const FrameMapResult& r) {
  Index n = 0;
  for (const Index p : r.positive) n += p;
  return n;
}

}  // namespace

TEST_CASE("real: Charades") {
  const auto root = test::real_data("charades");
  if (root.empty()) return;
  const auto set = data::read_charades_json(root + "/charades.json");
  CHECK(set.train.size() == 7985);
  CHECK(set.test.size() == 1863);
  CHECK(set.actions() == 66500);
  CHECK(set.oddities.reversed == 7);
  CHECK(set.oddities.overlong == 18224);
  CHECK(set.oddities.empty == 174 + 49);
  CHECK(data::read_charades_classes(root + "/Charades_v1_classes.txt").size() == 157);
  // The number of positive cells of the official rule, published for the train and test side.
  const auto official = frame_map_policy("charades-official");
  CHECK(total(frame_map(set.test, constant(set.test, 25, 157), 157, official)) == 175341);
  CHECK(total(frame_map(set.train, constant(set.train, 25, 157), 157, official)) == 530129);
}

TEST_CASE("real: TSU") {
  const auto root = test::real_data("tsu");
  if (root.empty()) return;
  const auto classes = data::read_tsu_classes(root + "/Action_list");
  REQUIRE(classes.size() == 51);
  const auto cs = data::read_tsu_json(root + "/smarthome_CS_51.json");
  CHECK(cs.train.size() == 351);
  CHECK(cs.test.size() == 185);
  CHECK(cs.actions() == 41288);
  CHECK(cs.oddities.repeated == 194);
  const auto cv = data::read_tsu_json(root + "/smarthome_CV_51.json");
  CHECK(cv.train.size() == 369);
  REQUIRE(cv.test.size() == 167);
  // In CV only 33 classes have a positive row, so two means of the same AP differ by 33 / 51.
  const auto scores = constant(cv.test, 500, 51);
  const auto tsu = frame_map(cv.test, scores, 51, frame_map_policy("tsu")),
             all = frame_map(cv.test, scores, 51, frame_map_policy("all-steps"));
  CHECK(std::count(tsu.positive.begin(), tsu.positive.end(), 0) == 51 - 33);
  CHECK(all.map == doctest::Approx(tsu.map * 33 / 51));

  // Two of the four CSV agree with the JSON.
  for (const auto& [id, equal] :
       {std::pair{"P02T01C06", true}, {"P02T02C03", true}, {"P11T13C03", false}, {"P02T11C02", false}}) {
    const std::string video = id;  // clang 14 captures no structured binding
    CAPTURE(video);
    auto csv = data::read_tsu_csv(root + "/annotation_csv/" + id + ".csv", classes);
    std::vector<ActionSpan> json;
    for (const auto* side : {&cs.train, &cs.test})
      for (const auto& v : *side)
        if (v.id == id) json = v.spans;
    const auto key = [](const ActionSpan& s) { return std::tuple(s.action, s.start, s.end); };
    const auto keys = [&](const std::vector<ActionSpan>& spans) {
      std::multiset<std::tuple<Index, double, double>> all_keys;
      for (const auto& s : spans) all_keys.insert(key(s));
      return all_keys;
    };
    CHECK((keys(csv) == keys(json)) == equal);
  }

  // The folder of them: the other videos keep what the JSON says.
  auto test_side = cs.test, train_side = cs.train;
  const auto without = data::use_tsu_csv(test_side, root + "/annotation_csv", classes).size() +
                       data::use_tsu_csv(train_side, root + "/annotation_csv", classes).size();
  CHECK(without == 536 - 4);
}

TEST_CASE("real: the event mAP that the script of TSU's authors prints for their example") {
  const auto root = test::real_data("tsu/event_map");
  if (root.empty()) return;
  Timeline truth{"P02T02C03", 0, {}};
  for (const auto& s : data::read_tsu_events(root + "/gt/P02T02C03.txt")) truth.spans.push_back(s);
  const std::vector<EventProposals> found = {
      {"P02T02C03", data::read_tsu_events(root + "/pred/P02T02C03.txt")}};
  struct Printed {
    double theta, action, video;
  };
  for (const auto& p : {Printed{0.1, 0.1042168955771897, 0.4600756066388258},
                        {0.3, 0.07549673909968027, 0.34504021784934913},
                        {0.5, 0.04868379169849758, 0.22424446700001502},
                        {0.7, 0.017997235687547106, 0.05627393684746626}}) {
    CAPTURE(p.theta);
    const auto r = event_map(std::vector{truth}, found, 51, p.theta);
    CHECK(r.map == doctest::Approx(p.action).epsilon(1e-12));
    CHECK(r.map_by_sequence == doctest::Approx(p.video).epsilon(1e-12));
  }
}

TEST_CASE("real: Smarthome's lists follow the rule that they are known by") {
  const auto root = test::real_data("toyota_smarthome");
  if (root.empty()) return;
  const auto cs = data::read_smarthome_classes(root + "/classes_CS_31.txt"),
             cv = data::read_smarthome_classes(root + "/classes_CV_19.txt");
  CHECK(cs.size() == 31);
  CHECK(cv.size() == 19);
  using P = data::SmarthomeProtocol;
  using Part = data::SplitPart;
  struct List {
    const char* name;
    P protocol;
    Part part;
    std::size_t names;
  };
  std::size_t subject_clips = 0, without = 0;
  for (const auto& l : {List{"train_CS", P::kCrossSubject, Part::kTrain, 8831},
                        {"validation_CS", P::kCrossSubject, Part::kValidation, 1854},
                        {"test_CS", P::kCrossSubject, Part::kTest, 5444},
                        {"train_CV1", P::kCrossView1, Part::kTrain, 1877},
                        {"validation_CV1", P::kCrossView1, Part::kValidation, 3539},
                        {"test_CV1", P::kCrossView1, Part::kTest, 1901},
                        {"train_CV2", P::kCrossView2, Part::kTrain, 7806},
                        {"validation_CV2", P::kCrossView2, Part::kValidation, 3539},
                        {"test_CV2", P::kCrossView2, Part::kTest, 1901}}) {
    CAPTURE(l.name);
    const bool subject = l.protocol == P::kCrossSubject;
    const auto list = data::read_smarthome_list(root + "/splits/" + l.name + ".txt", subject ? cs : cv);
    CHECK(list.clips.size() + list.without_class.size() == l.names);
    for (const auto& c : list.clips) CHECK(data::smarthome_part(c, l.protocol) == l.part);
    if (subject) subject_clips += list.clips.size(), without += list.without_class.size();
  }
  CHECK(subject_clips == 16115);
  CHECK(without == 14);
}
