// Score files, protocols as data, and the measurement of one against the other.
#include "tmor/eval/score.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "../support/fuzz.hpp"

using namespace tmor;
using doctest::Approx;
using test::contains;
using test::fuzz;
using test::message;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

io::Json protocol_json() {
  return io::parse_json(R"({"name": "p", "title": "T", "source": "S", "task": "detection",
    "annotations": {"format": "json", "file": "a.json"}, "classes": {"count": 2},
    "metric": {"name": "charades-official", "rows": "25-points", "bounds": "inclusive", "missing": "last"},
    "empty_class": "nan", "sampling": {"steps": 25}, "notes": ["by hand"]})",
                        "test");
}

std::string error_of(const io::Json& j) {
  return message<IoError>([&] { eval::parse_protocol(j.dump(), "f"); });
}

}  // namespace

TEST_CASE("score files of any number of rows, in any order") {
  const auto s = eval::parse_frame_scores("b 1 3 4\na 0 .5 -inf\n\n  b\t0 1 2\r\nb 2 5 6", "f", 2);
  REQUIRE(s.size() == 2);
  CHECK(s[0].id == "b");
  CHECK(s[0].steps == 3);
  CHECK(s[0].scores == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(s[1].scores == std::vector<float>{.5f, -kInf});
  const auto error = [](const char* text, Index steps = 0) {
    return message<IoError>([&] { eval::parse_frame_scores(text, "f", 2, steps); });
  };
  CHECK(contains(error("a 0 1 2\na 2 1 2"), "f: line 2: step 2 of 'a', which has 2 rows"));
  CHECK(contains(error("a 0 1 2\na 0 1 2"), "f: line 2: step 0 of 'a' is given twice"));
  CHECK(contains(error("a 0 1\nb 0 1 2"), "f: line 1: 1 scores, want 2"));
  CHECK(contains(error("a 0 1 2 3"), "more than 2 scores"));
  CHECK(contains(error("a 0 1 nan"), "score 2 is NaN"));
  CHECK(contains(error("a 0 1 x"), "a score is 'x', not a number"));
  CHECK(contains(error("a 0 1 1e999"), "not a number that fits"));
  CHECK(contains(error("a"), "an id without a step"));
  CHECK(contains(error(" \n"), "no scores"));
  CHECK(contains(error("a 26 1 2", 25), "the step is 26, want 0 to 25"));
  CHECK(contains(error("a 0 1 2\nb 25 1 2", 25), "steps count from 0 in this file"));
}

TEST_CASE("official submissions count from 1, or from 0 where the file does; missing rows are -infinity") {
  const auto from1 = eval::parse_frame_scores("a 1 1 2\na 3 5 6", "f", 2, 3);
  CHECK(from1[0].scores == std::vector<float>{1, 2, -kInf, -kInf, 5, 6});
  const auto from0 = eval::parse_frame_scores("a 0 1 2\nb 1 5 6", "f", 2, 3);
  CHECK(from0[1].scores == std::vector<float>{-kInf, -kInf, 5, 6, -kInf, -kInf});
}

TEST_CASE("scores of clips, and gzip") {
  const auto s = eval::parse_clip_scores("a 1 2\nb 3 4\n", "f", 2);
  CHECK(s.ids == std::vector<std::string>{"a", "b"});
  CHECK(s.scores == std::vector<float>{1, 2, 3, 4});
  CHECK(contains(message<IoError>([] { eval::parse_clip_scores("a 1 2\na 1 2", "f", 2); }),
                 "line 2: 'a' is given twice"));
  CHECK(eval::read_text_or_gzip(test::golden("io/text.gz")).size() > 0);
  test::TempDir dir;
  const auto gz = io::read_file(test::golden("io/text.gz"));
  io::write_atomic(dir / "cut.gz", gz.substr(0, gz.size() - 9));
  CHECK(contains(message<IoError>([&] { eval::read_text_or_gzip(dir / "cut.gz"); }), "cut short"));
  CHECK(contains(message<IoError>([&] { eval::read_text_or_gzip(test::golden("io/text.gz"), 40); }), "cap"));
}

TEST_CASE("protocols are read strictly") {
  const auto p = eval::parse_protocol(protocol_json().dump(), "f");
  CHECK(p.classes == 2);
  CHECK(p.steps == 25);
  CHECK(p.policy.bounds == Bounds::kInclusive);
  CHECK(p.policy.empty == EmptyClass::kNan);
  CHECK(contains(eval::describe(p), "start <= t <= end"));
  CHECK(contains(eval::describe(p), "by hand"));
  auto j = protocol_json();
  j["metrics"] = 1;
  CHECK(contains(error_of(j), "unknown key \"metrics\": did you mean \"metric\"?"));
  j = protocol_json();
  j["metric"]["bounds"] = "strickt";
  CHECK(contains(error_of(j), "metric: bounds: 'strickt' is none of its words: did you mean 'strict'?"));
  j = protocol_json();
  j["classes"]["count"] = 0;
  CHECK(contains(error_of(j), "classes: count: 0"));
  j = protocol_json();
  j.erase("source");
  CHECK(contains(error_of(j), "\"source\" is missing"));
  j = protocol_json();
  j["task"] = "classification";
  CHECK(contains(error_of(j), "does not belong to this task"));
}

TEST_CASE("the protocols of the benchmarks are valid and say what the benchmarks do") {
  const std::string folder = test::golden("../../examples/protocols");
  Index count = 0;
  for (const auto& name : io::list_directory(folder)) {
    if (!name.ends_with(".json")) continue;
    CAPTURE(name);
    const auto p = eval::read_protocol(folder + "/" + name);
    CHECK(p.name + ".json" == name);
    ++count;
    if (!p.frames) continue;
    const auto& preset = frame_map_policy(p.policy.name);  // the named rule, and no other, is in the file
    CHECK(preset.sampling == p.policy.sampling);
    CHECK(preset.bounds == p.policy.bounds);
    CHECK(preset.empty == p.policy.empty);
    CHECK(preset.missing_last == p.policy.missing_last);
  }
  CHECK(count >= 8);
}

TEST_CASE("scores of videos under every policy side by side, by hand") {
  // One video of length 25: action 0 holds at the points 5 to 9, action 1 at 20 to 24.
  test::TempDir dir;
  io::write_atomic(dir / "a.json",
                   R"({"v": {"subset": "testing", "duration": 25, "actions": [[0, 5, 9], [1, 20, 99]]},
                                       "w": {"subset": "training", "duration": 5, "actions": []}})");
  std::string text;
  for (int r = 1; r <= 25; ++r) text += tmor::detail::cat("v ", r, " ", -r, " ", r, "\n");
  const auto p = eval::parse_protocol(protocol_json().dump(), "f");
  const auto truth = eval::test_timelines(p, dir.path());
  REQUIRE(truth.size() == 1);
  const auto j = eval::score_frames(p, truth, eval::parse_frame_scores(text, "f", 2, p.steps));
  // Class 0: positives at places 6 to 10; class 1 at 1 to 5.
  const double ap0 = (1.0 / 6 + 2.0 / 7 + 3.0 / 8 + 4.0 / 9 + 5.0 / 10) / 5;
  CHECK(j["map"].get<double>() == Approx((ap0 + 1) / 2));
  // Strictly inside: class 0 at 6, 7, 8, places 7 to 9; class 1 at 21 to 24.
  const double strict = (1.0 / 7 + 2.0 / 8 + 3.0 / 9) / 3;
  CHECK(j["policies"]["tsu"]["map"].get<double>() == Approx((strict + 1) / 2));
  CHECK(j["policies"]["all-steps"]["map"].get<double>() == Approx((strict + 1) / 2));
  CHECK(j["policies"]["inria-25"]["map"].is_null());
  CHECK(contains(j["policies"]["inria-25"]["reason"], "no row to rank"));
  CHECK(j["policies"].size() == 5);
  CHECK(contains(j["protocol"], "25 points"));
}

TEST_CASE("scores of clips against a table of labels") {
  test::TempDir dir;
  io::write_atomic(dir / "c.txt", "walk\nsit down\n");
  io::write_atomic(dir / "t.csv", "id,label\na,walk\nb,sit down\nc,walk\n");
  const auto p = eval::parse_protocol(R"({"name": "p", "title": "T", "source": "S", "task": "classification",
    "annotations": {"format": "csv", "file": "t.csv"}, "classes": {"count": 2, "file": "c.txt"},
    "empty_class": "skip"})",
                                      "f");
  const auto labels = eval::test_labels(p, dir.path());
  const auto score = [&](const char* text, bool allow = false) {
    return eval::score_clips(p, labels, eval::parse_clip_scores(text, "f", 2), allow);
  };
  const auto j = score("c 1 0\na 0 1\nb 0 1\n");
  CHECK(j["top1"].get<double>() == Approx(2.0 / 3));
  CHECK(j["mean_class"].get<double>() == Approx(0.75));
  CHECK(j["chance"] == 0.5);
  CHECK(contains(message<Error>([&] { score("a 1 0\nz 1 0"); }), "'z', which is no clip"));
  CHECK(contains(message<Error>([&] { score("a 1 0\nc 1 0"); }),
                 "1 test clips have no score, the first is 'b'"));
  CHECK(score("a 1 0\nc 1 0", true)["missing"] == 1);
  io::write_atomic(dir / "t.csv", "id,label\na,walks\n");
  CHECK(contains(message<IoError>([&] { eval::test_labels(p, dir.path()); }), "did you mean 'walk'"));
}

TEST_CASE("damaged score files and protocols") {
  const std::string rows = "a 1 0.5 1e-3\na 2 -inf 2\nb 1 3 4\n";
  CHECK(fuzz(rows, 3000, [](std::string_view b) { eval::parse_frame_scores(b, "x", 2, 25); }) > 300);
  CHECK(fuzz("a 0 1 2\na 1 3 4\n", 3000, [](std::string_view b) { eval::parse_frame_scores(b, "x", 2); }) >
        300);
  CHECK(fuzz("a 1 2\nb 3 4\n", 3000, [](std::string_view b) { eval::parse_clip_scores(b, "x", 2); }) > 300);
  CHECK(fuzz(protocol_json().dump(), 2000, [](std::string_view b) { eval::parse_protocol(b, "x"); }) > 300);
}
