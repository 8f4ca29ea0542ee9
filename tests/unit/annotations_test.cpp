// Readers of annotations and lists: what they keep, and what they refuse with which words.
#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "../support/fuzz.hpp"
#include "tmor/data/charades.hpp"
#include "tmor/data/smarthome.hpp"
#include "tmor/data/tsu.hpp"

using namespace tmor;
using test::contains;
using test::fuzz;
using test::message;

namespace {

const std::string kJson =
    R"({"B": {"subset": "testing", "duration": 10.5, "actions": [[3, 1.5, 2], [3, 1.5, 2], [1, 9, 4], [2, 3, 99]]},
        "A": {"subset": "training", "duration": 7, "actions": []}})";
const std::string kCsv =
    "id,subject,actions,length\n"
    "ZZ,\"a, b\",c092 11.90 21.20;c147 0.00 12.60,30.5\n"
    "AA,x,,4\n";
const std::string kTsu = "event,start_frame,end_frame\r\nMake_coffee.Get_water,81,136\r\nWalk,171,234\r\n";
const std::string kList =
    "Cook.Cut_p02_r00_v14_c03.mp4\nWalk_p19_r01_v02_c05\nPour.Fromcup_p03_r00_v01_c01.mp4\n";

const data::ClassNames kClasses({"Enter", "Walk", "Get_water", "Cook.Cut"}, "here");

}  // namespace

TEST_CASE("classes are numbered by their place; names are looked up or suggested") {
  const auto c =
      data::parse_class_names("0\tEnter\r\n1\tTake something off\n\n", "f", data::ClassCode::kNumber);
  CHECK(c.size() == 2);
  CHECK(c[1] == "Take something off");
  CHECK(c.find("Enter") == 0);
  CHECK(c.find("enter") == -1);
  CHECK(contains(message<IoError>([&] { c.at("Entre", "f: line 3"); }),
                 "f: line 3: unknown class 'Entre': did you mean 'Enter'?"));
  CHECK(data::parse_class_names("A000 drink\nA001 eat", "f", data::ClassCode::kNumber)[1] == "eat");
  CHECK(data::parse_class_names("one two\nthree", "f", data::ClassCode::kNone)[0] == "one two");
  const auto error = [](const char* text) {
    return message<IoError>([&] { data::parse_class_names(text, "f", data::ClassCode::kNumber); });
  };
  CHECK(contains(error("0 a\n2 b"), "f: line 2: the class code '2' where number 1"));
  CHECK(contains(error("0 a\n1"), "line 2: a class without a name"));
  CHECK(contains(error("0 a\n1 a"), "'a' is given twice"));
  CHECK(contains(error(""), "no class names"));
}

TEST_CASE("annotations as JSON: everything is kept, oddities are counted") {
  const auto set = data::parse_annotations(kJson, "f", 5);
  REQUIRE(set.test.size() == 1);
  REQUIRE(set.train.size() == 1);
  CHECK(set.test[0].id == "B");
  CHECK(set.test[0].length == 10.5);
  REQUIRE(set.test[0].spans.size() == 4);
  CHECK(set.test[0].spans[2].action == 1);
  CHECK(set.test[0].spans[2].start == 9);
  CHECK(set.test[0].spans[2].end == 4);
  CHECK(set.oddities.reversed == 1);
  CHECK(set.oddities.overlong == 1);
  CHECK(set.oddities.repeated == 1);
  CHECK(set.oddities.empty == 1);
  CHECK(set.actions() == 4);
  const auto error = [](const char* video) {
    return message<IoError>([&] { data::parse_annotations(std::string("{\"V\": ") + video + "}", "f", 5); });
  };
  CHECK(contains(error(R"({"subset": "test", "duration": 1, "actions": []})"),
                 "f: video 'V': the subset is 'test'"));
  CHECK(contains(error(R"({"subset": "testing", "duration": 0, "actions": []})"), "duration is 0"));
  CHECK(contains(error(R"({"subset": "testing", "duration": 1})"), "no list of actions"));
  CHECK(contains(error(R"({"subset": "testing", "duration": 1, "actions": [[5, 0, 1]]})"),
                 "action 0: class 5"));
  CHECK(contains(error(R"({"subset": "testing", "duration": 1, "actions": [[1, null, 1]]})"),
                 "a number expected"));
  CHECK(contains(error(R"({"subset": "testing", "duration": 1, "actions": [[1.5, 0, 1]]})"), "action 0"));
  CHECK(contains(error(R"({"subset": "testing", "duration": 1, "actions": [[1, 0]]})"),
                 "not [class, start, end]"));
  CHECK(contains(message<IoError>([] { data::parse_annotations("[]", "f", 5); }), "not an object"));
  CHECK(contains(message<IoError>([] { data::parse_annotations(R"({"a": 1, "a": 2})", "f", 5); }), "twice"));
}

TEST_CASE("Charades CSV keeps the order of the file") {
  const auto v = data::parse_charades_csv(kCsv, "f");
  REQUIRE(v.size() == 2);
  CHECK(v[0].id == "ZZ");
  CHECK(v[0].length == 30.5);
  REQUIRE(v[0].spans.size() == 2);
  CHECK(v[0].spans[1].action == 147);
  CHECK(v[0].spans[1].end == 12.6);
  CHECK(v[1].spans.empty());
  const auto error = [](const std::string& row) {
    return message<IoError>([&] { data::parse_charades_csv("id,actions,length\n" + row, "f"); });
  };
  CHECK(contains(error("a,c157 0 1,5"), "f: line 2: the action 'c157', want c000 to c156"));
  CHECK(contains(error("a,c001 0,5"), "f: line 2: the text ends where the end"));
  CHECK(contains(error("a,c001 nan 1,5"), "f: line 2: the start is infinite or NaN"));
  CHECK(contains(error("a,c001 0 1 2,5"), "more than a class"));
  CHECK(contains(error("a,,-1"), "the length is -1"));
  CHECK(contains(error("a,,5\na,,5"), "f: line 3: the id 'a' is given twice"));
  CHECK(contains(error(""), "no videos"));
  CHECK(contains(message<IoError>([] { data::parse_charades_csv("id,length\na,5", "f"); }),
                 "no column 'actions'"));
}

TEST_CASE("TSU CSV with CRLF and merged names; event files") {
  const auto s = data::parse_tsu_csv(kTsu, "f", kClasses);
  REQUIRE(s.size() == 2);
  CHECK(s[0].action == 2);  // Make_coffee.Get_water
  CHECK(s[1].start == 171);
  CHECK(contains(message<IoError>([] {
                   data::parse_tsu_csv("event,start_frame,end_frame\r\nWalks,1,2\r\n", "f", kClasses);
                 }),
                 "f: line 2: unknown class 'Walks': did you mean 'Walk'?"));
  CHECK(contains(message<IoError>([] {
                   data::parse_tsu_csv("event,start_frame,end_frame\r\nWalk,1,2x\r\n", "f", kClasses);
                 }),
                 "f: line 2: the end is '2x', not a number"));
  const auto e = data::parse_tsu_events("0,7,12,0.6621531\n50,1,2,1\n", "f");
  REQUIRE(e.size() == 2);
  CHECK(e[0].score == 0.6621531);
  CHECK(e[1].action == 50);
  CHECK(contains(message<IoError>([] { data::parse_tsu_events("51,7,12,1\n", "f"); }), "the class is 51"));
  CHECK(contains(message<IoError>([] { data::parse_tsu_events("1,7,12\n", "f"); }), "3 fields"));
}

TEST_CASE("TSU CSV of a folder take the place of other annotations") {
  const test::TempDir dir;
  io::make_directories(dir / "P02");
  io::write_atomic(dir / "P01T01C01.csv", kTsu);
  io::write_atomic(dir / "P02/P02T01C01.csv", "event,start_frame,end_frame\r\n");
  io::write_atomic(dir / "P02/notes.txt", "no annotation");
  std::vector<Timeline> videos{
      {"P02T01C01", 100, {{0, 1, 2}}}, {"P03T01C01", 200, {{1, 3, 4}}}, {"P01T01C01", 300, {}}};
  CHECK(data::use_tsu_csv(videos, dir.path(), kClasses) == std::vector<std::string>{"P03T01C01"});
  CHECK(videos[0].spans.empty());
  CHECK(videos[1].spans.size() == 1);
  REQUIRE(videos[2].spans.size() == 2);
  CHECK(videos[2].spans[0].action == 2);
  CHECK(videos[2].length == 300);
  io::write_atomic(dir / "P02/P01T01C01.csv", kTsu);
  CHECK(contains(message<IoError>([&] { data::use_tsu_csv(videos, dir.path(), kClasses); }),
                 "two files of 'P01T01C01'"));
  io::write_atomic(dir / "P02/P01T01C01.csv", "event,start_frame\r\nWalk,1\r\n");
  CHECK_THROWS_AS(data::use_tsu_csv(videos, dir / "P02", kClasses), IoError);
  CHECK_THROWS_AS(data::use_tsu_csv(videos, dir / "nowhere", kClasses), IoError);
}

TEST_CASE("Smarthome names, lists and the rule of the splits") {
  const auto list = data::parse_smarthome_list(kList, "f", kClasses);
  REQUIRE(list.clips.size() == 2);
  CHECK(list.clips[0].id == "Cook.Cut_p02_r00_v14_c03");
  CHECK(list.clips[0].activity == "Cook.Cut");
  CHECK(list.clips[0].label == 3);
  CHECK(list.clips[1].subject == 19);
  CHECK(list.clips[1].repetition == 1);
  CHECK(list.clips[1].camera == 5);
  CHECK(list.without_class == std::vector<std::string>{"Pour.Fromcup_p03_r00_v01_c01"});
  const auto error = [](const char* text, bool unknown = true) {
    return message<IoError>([&] { data::parse_smarthome_list(text, "f", kClasses, unknown); });
  };
  CHECK(contains(error("Walks_p01_r00_v00_c00", false), "did you mean 'Walk'"));
  CHECK(contains(error("Walk_p01_r00_v00_c00\nWalk_p01_r00_v00_c00.mp4"), "f: line 2: the clip"));
  CHECK(contains(error("Walk_p01_r00_c00_v00"), "form Activity_p00_r00_v00_c00"));
  CHECK(contains(error("Walk_p01_r00_v0x_c00"), "'0x'"));
  CHECK(contains(error("_p01_r00_v00_c00"), "no activity"));
  using P = data::SmarthomeProtocol;
  const auto part = [](int subject, int camera, P p) {
    return data::smarthome_part({"", "", subject, 0, 0, camera, 0}, p);
  };
  CHECK(part(19, 1, P::kCrossSubject) == data::SplitPart::kValidation);
  CHECK(part(3, 1, P::kCrossSubject) == data::SplitPart::kTrain);
  CHECK(part(2, 1, P::kCrossSubject) == data::SplitPart::kTest);
  CHECK(part(2, 3, P::kCrossView1) == data::SplitPart::kUnused);
  CHECK(part(2, 3, P::kCrossView2) == data::SplitPart::kTrain);
  CHECK(part(3, 2, P::kCrossView2) == data::SplitPart::kTest);
}

TEST_CASE("damaged annotations are read or refused, nothing else") {
  CHECK(fuzz(kJson, 3000, [](std::string_view b) { data::parse_annotations(b, "x", 5); }) > 300);
  CHECK(fuzz(kCsv, 3000, [](std::string_view b) { data::parse_charades_csv(b, "x"); }) > 300);
  CHECK(fuzz(kTsu, 3000, [](std::string_view b) { data::parse_tsu_csv(b, "x", kClasses); }) > 300);
  CHECK(fuzz("0,7,12,0.66\n50,1,2,1\n", 3000, [](std::string_view b) { data::parse_tsu_events(b, "x"); }) >
        300);
  CHECK(fuzz(kList, 3000, [](std::string_view b) { data::parse_smarthome_list(b, "x", kClasses); }) > 300);
  CHECK(fuzz("0\tEnter\n1\tWalk\n", 3000,
             [](std::string_view b) { data::parse_class_names(b, "x", data::ClassCode::kNumber); }) > 300);
}
