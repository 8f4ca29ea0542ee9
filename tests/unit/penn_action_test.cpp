#include "tmor/data/penn_action.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"

using namespace tmor;
using test::contains;
using test::golden;
using test::message;

TEST_CASE("a folder in the official layout is read, sorted by id") {
  const auto d = data::read_penn_action(golden("penn/good"));
  CHECK(d.skipped.empty());
  REQUIRE(d.clips.size() == 2);
  const auto& a = d.clips[0];
  CHECK(a.id == "0001");
  CHECK(a.action == "bowl");
  CHECK(a.label == 3);
  CHECK(a.train);
  CHECK(a.view == "front");
  CHECK(a.height == 270);
  CHECK(a.width == 480);
  CHECK(a.frames == 3);
  CHECK(a.joints.shape() == Shape{3, 13, 2});
  for (std::size_t t = 0; t < 3; ++t) {
    for (std::size_t v = 0; v < 13; ++v) {
      CHECK(a.joints.as<float>()[(t * 13 + v) * 2] == float(10 * v + t + 2));
      CHECK(a.joints.as<float>()[(t * 13 + v) * 2 + 1] == 5.5f * float(v) + float(2 * t + 2));
      CHECK(a.visibility.as<bool>()[t * 13 + v] == ((t + v) % 3 != 0));
    }
  }
  CHECK_FALSE(a.box_padded);
  CHECK(a.boxes.as<float>()[11] == 11);

  const auto& b = d.clips[1];
  CHECK(b.id == "0007");
  CHECK(b.label == 14);
  CHECK_FALSE(b.train);
  CHECK(b.box_padded);
  CHECK(b.boxes.as<float>()[8] == 4);  // the row before, repeated
}

TEST_CASE("a clip as a sequence keeps guesses as imputed or drops them") {
  auto clip = data::read_penn_clip(golden("penn/good/labels/0001.mat"));
  auto s = clip.sequence();
  CHECK_NOTHROW(s.check("test"));
  CHECK(*s.state(0, 0, 0) == kImputed);
  CHECK(s.point(0, 0, 0)[0] == 2);
  CHECK(*s.state(0, 0, 1) == kObserved);
  s = clip.sequence(kMissing);
  CHECK_NOTHROW(s.check("test"));
  CHECK(*s.state(0, 0, 0) == kMissing);
  CHECK(s.point(0, 0, 0)[0] == 0);
  for (const float corner : {0.f, 1.f, 1.5f}) {  // of enlarged frames
    clip.joints.as<float>()[0] = clip.joints.as<float>()[1] = corner;
    CHECK(*clip.sequence().state(0, 0, 0) == kMissing);
  }
}

TEST_CASE("errors name the file and say what to do; without strict such files are listed") {
  const std::pair<const char*, const char*> errors[] = {
      {"0002", "unknown action 'pullups': did you mean 'pullup'?"},
      {"0003", "'train' is 0, not 1 or -1"},
      {"0004", "'bbox' has the shape (1, 4) for 3 frames"},
      {"0005", "(3, 12), (3, 13), (3, 13), not (T, 13)"},
      {"0006", "'y' holds an infinity or NaN"},
      {"0007", "'nframes' 4"},
      {"0008", "'pose' is missing or no text"},
      {"0009", "9 bytes are no MATLAB file"}};
  const auto d = data::read_penn_action(golden("penn/bad"), {.strict = false});
  CHECK(d.clips.size() == 1);
  REQUIRE(d.skipped.size() == std::size(errors));
  for (std::size_t i = 0; i < std::size(errors); ++i) {
    CAPTURE(d.skipped[i]);
    CHECK(contains(d.skipped[i], std::string("labels/") + errors[i].first + ".mat: "));
    CHECK(contains(d.skipped[i], errors[i].second));
  }
  const auto first = message<IoError>([] { data::read_penn_action(golden("penn/bad")); });
  CHECK(contains(first, "0002.mat"));
  CHECK(contains(message<IoError>([] { data::read_penn_action(golden("io")); }), "io/labels"));
  test::TempDir dir;
  io::make_directories(dir / "labels");
  CHECK(contains(message<IoError>([&] { data::read_penn_action(dir.path()); }), "no .mat file"));
}
