#include "tmor/data/nw_ucla.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "../support/fuzz.hpp"

using namespace tmor;
using test::contains;
using test::message;

namespace {

/// Two frames; joint 3 of the second is at the origin.
std::string clip_text(const std::string& id = "a08_s04_e02_v03", int label = 7) {
  std::string s = "{\"file_name\": \"" + id + "\", \"skeletons\": [";
  for (int t = 0; t < 2; ++t) {
    s += t ? ", [" : "[";
    for (int v = 0; v < 20; ++v) {
      if (v) s += ", ";
      s += t == 1 && v == 3 ? "[0.0, 0, 0]" : detail::cat("[", 0.5 * v, ", ", -t - 1, ", 3.25]");
    }
    s += "]";
  }
  return s + "], \"label\": " + std::to_string(label) + "}";
}

std::string refusal(const std::string& text, const std::string& path = "d/a08_s04_e02_v03.json") {
  const auto m = message<IoError>([&] { data::parse_nw_ucla_clip(text, path); });
  CHECK(m.starts_with(path + ": "));
  return m;
}

}  // namespace

TEST_CASE("a clip: names say who, what and from where") {
  const auto c = data::parse_nw_ucla_clip(clip_text(), "some/where/a08_s04_e02_v03.json");
  CHECK(c.id == "a08_s04_e02_v03");
  CHECK(c.label == 6);
  CHECK(c.action() == "donning");
  CHECK(c.subject == 4);
  CHECK(c.repetition == 2);
  CHECK(c.view == 3);
  CHECK_NOTHROW(c.skeleton.check("test"));
  CHECK(c.skeleton.layout->name == "kinect20");
  CHECK(c.skeleton.frames == 2);
  CHECK(c.skeleton.point(0, 1, 7)[0] == 3.5f);
  CHECK(c.skeleton.point(0, 1, 7)[1] == -2);
  CHECK(c.skeleton.point(0, 1, 7)[2] == 3.25f);
  CHECK(*c.skeleton.state(0, 0, 3) == kObserved);
  CHECK(*c.skeleton.state(0, 1, 3) == kMissing);
}

TEST_CASE("splits by view and by subject") {
  data::NwUclaClip c;
  c.view = 3, c.subject = 9;
  CHECK(data::NwUclaSplit::cross_view().is_test(c));
  CHECK_FALSE(data::NwUclaSplit::cross_view(1).is_test(c));
  CHECK_FALSE(data::NwUclaSplit::cross_subject().is_test(c));
  CHECK(data::NwUclaSplit::cross_subject(9).is_test(c));
}

TEST_CASE("errors name the file, the frame and the joint") {
  const auto replaced = [](const std::string& from, const std::string& to) {
    auto s = clip_text();
    return s.replace(s.find(from), from.size(), to);
  };
  CHECK(contains(refusal(clip_text(), "d/clip.json"), "not of the form"));
  CHECK(contains(refusal(clip_text(), "d/a07_s04_e02_v03.json"), "does not say an action"));
  CHECK(contains(refusal(clip_text(), "d/a08_s04_ee2_v03.json"), "does not say an action"));
  CHECK(contains(refusal(clip_text("a08_s04_e02_v02")), "file_name is 'a08_s04_e02_v02'"));
  CHECK(contains(refusal(clip_text("a08_s04_e02_v03", 8)), "label 8 where the name says 7"));
  CHECK(contains(refusal(replaced("[0.0, 0, 0]", "[0.0, 0]")), "frame 1, joint 3: not a list of 3 numbers"));
  CHECK(contains(refusal(replaced("[0.0, 0, 0]", "[0.0, 0, null]")), "frame 1, joint 3: a number expected"));
  CHECK(contains(refusal(replaced("[0.0, 0, 0], ", "")), "frame 1: not a list of 20 joints"));
  CHECK(contains(refusal(R"({"file_name": "a08_s04_e02_v03", "skeletons": [], "label": 7})"), "empty"));
  CHECK(contains(refusal(clip_text().substr(0, 300)), "not valid JSON"));
  CHECK(contains(refusal(""), "not valid JSON"));
}

TEST_CASE("a folder: sorted, and files that cannot be read are an error or listed") {
  const test::TempDir dir;
  CHECK(contains(message<IoError>([&] { data::read_nw_ucla(dir.path()); }), "no .json file"));
  io::make_directories(dir / "all_sqe");
  for (const char* id : {"a08_s04_e02_v03", "a08_s01_e00_v01"})
    io::write_atomic(dir / ("all_sqe/" + std::string(id) + ".json"), clip_text(id));
  io::write_atomic(dir / "all_sqe/a08_s02_e00_v01.json", "{");
  const auto d = data::read_nw_ucla(dir.path(), {.strict = false});
  REQUIRE(d.clips.size() == 2);
  CHECK(d.clips[0].id == "a08_s01_e00_v01");
  REQUIRE(d.skipped.size() == 1);
  CHECK(contains(d.skipped[0], "a08_s02_e00_v01.json: line 1"));
  CHECK(contains(message<IoError>([&] { data::read_nw_ucla(dir.path()); }), "a08_s02_e00_v01.json"));
  io::write_atomic(dir / "all_sqe/a08_s02_e00_v01.json", clip_text("a08_s02_e00_v01"));
  CHECK(data::read_nw_ucla(dir / "all_sqe").clips.size() == 3);
}

TEST_CASE("damaged clips") {
  CHECK(test::fuzz(clip_text(), 4000, [](std::string_view b) {
          data::parse_nw_ucla_clip(b, "a08_s04_e02_v03.json").skeleton.check("fuzz");
        }) > 1000);
}
