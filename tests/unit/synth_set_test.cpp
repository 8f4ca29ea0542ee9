#include <doctest/doctest.h>

#include <set>
#include <thread>

#include "support/drawn_videos.hpp"
#include "tmor/data/synth.hpp"
#include "tmor/skeleton/transforms.hpp"

using namespace tmor;
using namespace tmor::data;
using synth::Split;
using synth::SynthOptions;
using synth::SynthSet;

namespace {

SynthOptions skeletons_only(Split split) {
  SynthOptions o;
  o.split = split, o.video_frames = 0, o.captions = 0;
  return o;
}

bool same(const Triplet& a, const Triplet& b) {
  bool video = a.video.size() == b.video.size();
  for (std::size_t k = 0; video && k < a.video.size(); ++k) video = a.video[k].rgb == b.video[k].rgb;
  return video && a.id == b.id && a.skeleton.xyz == b.skeleton.xyz && a.skeleton.valid == b.skeleton.valid &&
         a.texts == b.texts && a.action == b.action && a.segments.size() == b.segments.size();
}

}  // namespace

TEST_CASE("a sample holds what the options ask for") {
  const SynthSet set({}, 1, 3);
  CHECK(set.size() == 3);
  for (Index i = 0; i < 3; ++i) {
    const Triplet t = set(i);
    t.skeleton.check("synth");
    CHECK(t.skeleton.frames == 64);
    CHECK(t.skeleton.joints == 17);
    CHECK(t.skeleton.channels == 2);
    CHECK(t.skeleton.width == 64);
    CHECK(t.skeleton.fps == 20);
    CHECK(t.texts.size() == 2);
    REQUIRE(t.video.size() == 8);
    std::set<std::vector<std::uint8_t>> pictures;
    for (const io::Pixels& p : t.video) {
      CHECK(p.width == 64);
      CHECK(p.height == 64);
      CHECK(p.rgb.size() == 64 * 64 * 3);
      pictures.insert(p.rgb);
    }
    CHECK(pictures.size() == 8);
    REQUIRE(t.segments.size() == 1);
    CHECK(t.action == t.segments[0].action);
    CHECK(t.action == set.label(i).action);
  }
}

TEST_CASE("videos drawn pixel by pixel are those drawn object by object") {
  test::check_drawn_videos<Cpu>();
  const SynthSet set({}, 1, 1);
  CHECK_THROWS_AS(synth::draw_on<Cpu>(set.pictures(0), Shape{7, 64, 64, 3}), ShapeError);
  CHECK_THROWS_AS(synth::draw_on<Cpu>(set.pictures(0), Shape{8, 64, 64}), ShapeError);
}

TEST_CASE("a sample is a function of options, seed and number") {
  const SynthSet set({}, 5, 40);
  const Triplet last = set(39), first = set(0);
  CHECK(same(first, SynthSet({}, 5, 1)(0)));
  CHECK(same(last, synth::make({}, 5, 39)));
  CHECK_FALSE(same(first, synth::make({}, 6, 0)));
  Triplet elsewhere;
  std::thread other([&] { elsewhere = set(39); });
  const Triplet here = set(0);
  other.join();
  CHECK(same(elsewhere, last));
  CHECK(same(here, first));
  // What is not made changes nothing else.
  SynthOptions o = skeletons_only(Split::kTrain);
  CHECK(synth::make(o, 5, 0).skeleton.xyz == first.skeleton.xyz);
  CHECK(synth::make(o, 5, 0).video.empty());
  CHECK(synth::make(o, 5, 0).texts.empty());
}

TEST_CASE("every layout, flat and deep; without noise every joint is seen and inside the picture") {
  for (const std::string& layout : layout_names())
    for (const Index channels : {2, 3}) {
      SynthOptions o = skeletons_only(Split::kTrain);
      o.layout = layout, o.channels = channels, o.noise = 0;
      for (Index i = 0; i < 3; ++i) {
        const SkeletonSequence s = synth::make(o, 2, i).skeleton;
        s.check(layout);
        CHECK(std::all_of(s.valid.begin(), s.valid.end(), [](auto v) { return v == kObserved; }));
        if (channels == 2)
          CHECK(std::all_of(s.xyz.begin(), s.xyz.end(), [](float x) { return x > -8 && x < 72; }));
        else
          CHECK(*std::max_element(s.xyz.begin(), s.xyz.end()) < 5);
      }
    }
}

TEST_CASE("the estimator errs: moved, swapped and missing joints") {
  SynthOptions o = skeletons_only(Split::kTrain), clean = o;
  clean.noise = 0;
  Index missing = 0, all = 0;
  double error = 0;
  for (Index i = 0; i < 40; ++i) {
    const SkeletonSequence a = synth::make(o, 3, i).skeleton, b = synth::make(clean, 3, i).skeleton;
    for (std::size_t k = 0; k < a.valid.size(); ++k, ++all)
      if (a.valid[k] == kMissing)
        ++missing;
      else
        error += std::hypot(double(a.xyz[2 * k] - b.xyz[2 * k]), double(a.xyz[2 * k + 1] - b.xyz[2 * k + 1]));
  }
  const double lost = double(missing) / double(all);
  CHECK(lost > .01);
  CHECK(lost < .15);
  CHECK(error / double(all) > .3);  // pixels of 64
  CHECK(error / double(all) < 3);
}

TEST_CASE("splits: who is seen in which") {
  const auto look = [](Split split, auto&& f) {
    const SynthSet set(skeletons_only(split), 4, 300);
    for (Index i = 0; i < set.size(); ++i) f(set.label(i), set.script(i).body.height);
  };
  std::set<Index> trained, bodies, unseen, combos;
  const auto seen_combination = [](const synth::Label& l) {
    return !synth::held_out(synth::combinations()[static_cast<std::size_t>(l.combination)]);
  };
  look(Split::kTrain, [&](const synth::Label& l, float height) {
    trained.insert(l.action);
    CHECK(l.action < synth::kTrainedActions);
    CHECK(seen_combination(l));
    CHECK((height > 1.51f && height < 1.83f));
  });
  look(Split::kTestBodies, [&](const synth::Label& l, float height) {
    bodies.insert(l.action);
    CHECK(seen_combination(l));
    CHECK((height < 1.51f || height > 1.83f));
  });
  look(Split::kUnseenActions, [&](const synth::Label& l, float) {
    unseen.insert(l.action);
    CHECK(l.action >= synth::kTrainedActions);
  });
  look(Split::kUnseenCombinations, [&](const synth::Label& l, float) {
    combos.insert(l.combination);
    CHECK_FALSE(seen_combination(l));
  });
  CHECK(std::ssize(trained) == synth::kTrainedActions);
  CHECK(bodies == trained);
  CHECK(std::ssize(unseen) == synth::kActions - synth::kTrainedActions);
  CHECK(combos.size() == synth::held_out_combinations().size());
}

TEST_CASE("detection: sequences with labelled frames") {
  SynthOptions o = skeletons_only(Split::kDetectionTest);
  o.frames = 200;
  const SynthSet set(o, 8, 40);
  Index total = 0;
  for (Index i = 0; i < set.size(); ++i) {
    const Triplet t = set(i);
    total += std::ssize(t.segments);
    Index end = 0;
    for (const Segment& s : t.segments) {
      CHECK(s.begin >= end);
      CHECK(s.end > s.begin);
      CHECK(s.end <= 200);
      CHECK(s.action < synth::kTrainedActions);
      end = s.end;
    }
    if (t.segments.size() > 1) CHECK(t.action == -1);
  }
  CHECK(total > 3 * set.size());
}

TEST_CASE("options that make no sense are errors that name the option") {
  const auto message = [](auto&& change) {
    SynthOptions o;
    change(o);
    try {
      SynthSet(o, 1, 1);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(message([](SynthOptions& o) { o.frames = 1; }).find("frames") != std::string::npos);
  CHECK(message([](SynthOptions& o) { o.fps = 60; }).find("too short") != std::string::npos);
  CHECK(message([](SynthOptions& o) { o.fps = 0; }).find("too short") != std::string::npos);
  CHECK(message([](SynthOptions& o) { o.channels = 4; }).find("channels") != std::string::npos);
  CHECK(message([](SynthOptions& o) { o.noise = -1; }).find("noise") != std::string::npos);
  CHECK(message([](SynthOptions& o) { o.video_frames = 65; }).find("video_frames") != std::string::npos);
  CHECK(message([](SynthOptions& o) { o.width = 4; }).find("pictures") != std::string::npos);
  CHECK(message([](SynthOptions& o) { o.layout = "unik71"; }).find("unik17") != std::string::npos);
  CHECK_THROWS_AS(SynthSet({}, 1, 3)(3), Error);
  CHECK_THROWS_AS(SynthSet({}, 1, 3)(-1), Error);
  CHECK_THROWS_AS(SynthSet({}, 1, -1), Error);
}

// Stored output, coarse because builds differ in the last digits. When this fails on purpose, raise kVersion
// and store anew; when it fails otherwise, something changed that should not have.
TEST_CASE("the output is that of this version") {
  struct Stored {
    Split split;
    Index number;
    std::string text;
    Index segments, begin, end;  // of the last one
    double x, y;                 // means of the known joints
    Index known;
    double brightness;
  };
  const Stored stored[] = {
      {Split::kTrain, 0, "the person boxes with the right hand with big movements three times", 1, 7, 62,
       34.743, 32.138, 1060, 144.70},
      {Split::kTestBodies, 7,
       "a clip of a human lowering the head and the chest forward and raising them again fast", 1, 3, 24,
       33.671, 30.333, 1078, 156.99},
      {Split::kUnseenActions, 3,
       "a clip of one person lifting both arms up above the head and keeping them there", 1, 23, 50, 35.059,
       37.623, 1050, 119.20},
      {Split::kDetectionTest, 2, "someone bows two times, then sprints without hurry", 2, 105, 160, 29.842,
       38.082, 2704, 131.44},
  };
  CHECK(synth::kVersion == 3);
  for (const Stored& want : stored) {
    SynthOptions o;
    o.split = want.split;
    if (synth::is_detection(want.split)) o.frames = 160;
    const Triplet t = synth::make(o, 2024, want.number);
    CHECK(t.texts[0] == want.text);
    CHECK(std::ssize(t.segments) == want.segments);
    CHECK(t.segments.back().begin == want.begin);
    CHECK(t.segments.back().end == want.end);
    double x = 0, y = 0, light = 0;
    Index known = 0, bytes = 0;
    for (std::size_t k = 0; k < t.skeleton.valid.size(); ++k) {
      if (t.skeleton.valid[k] == kMissing) continue;
      x += double(t.skeleton.xyz[2 * k]), y += double(t.skeleton.xyz[2 * k + 1]), ++known;
    }
    for (const io::Pixels& p : t.video)
      for (const std::uint8_t c : p.rgb) light += c, ++bytes;
    CHECK(std::abs(known - want.known) <= 2);
    CHECK(std::abs(x / double(known) - want.x) < .05);
    CHECK(std::abs(y / double(known) - want.y) < .05);
    CHECK(std::abs(light / double(bytes) - want.brightness) < .2);
  }
}

// The difficulty of the task, fixed before any model saw it: nearest neighbour by L2 on 32 frames of 2-D body
// coordinates, trained actions, unseen bodies and cameras. With 2,000 training and 1,000 test clips: 39 %.
TEST_CASE("one nearest neighbour is right for 20 to 50 of a hundred") {
  const auto features = [](Split split, Index count, std::vector<std::vector<float>>& x,
                           std::vector<Index>& y) {
    const SynthSet set(skeletons_only(split), 1, count);
    for (Index i = 0; i < count; ++i) {
      const Triplet t = set(i);
      SkeletonSequence s = t.skeleton;
      fill_gaps_(s);
      s = resample(s, 32);
      normalize_body_(s);
      x.push_back(s.xyz);
      y.push_back(t.action);
    }
  };
  std::vector<std::vector<float>> train, test;
  std::vector<Index> train_y, test_y;
  features(Split::kTrain, 1000, train, train_y);
  features(Split::kTestBodies, 300, test, test_y);
  Index right = 0;
  for (std::size_t i = 0; i < test.size(); ++i) {
    float best = std::numeric_limits<float>::max();
    Index found = -1;
    for (std::size_t j = 0; j < train.size(); ++j) {
      float d = 0;
      const float *a = test[i].data(), *b = train[j].data();
      for (std::size_t k = 0; k < test[i].size() && d < best; ++k) d += (a[k] - b[k]) * (a[k] - b[k]);
      if (d < best) best = d, found = train_y[j];
    }
    right += found == test_y[i];
  }
  const double accuracy = double(right) / double(test.size());
  MESSAGE("1-NN with 1,000 training clips: ", accuracy);
  CHECK(accuracy > .2);
  CHECK(accuracy < .5);
}
