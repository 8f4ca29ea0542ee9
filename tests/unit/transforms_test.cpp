#include "tmor/skeleton/transforms.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

using namespace tmor;
using doctest::Approx;

namespace {

constexpr double kPi = std::numbers::pi;

/// Random sequence; about a fifth of the joints missing.
SkeletonSequence random_sequence(Rng& rng, const char* layout, Index persons, Index frames, Index channels,
                                 double missing = 0.2) {
  auto s = SkeletonSequence::make(joint_layout(layout), persons, frames, channels);
  for (std::size_t i = 0; i < s.valid.size(); ++i) {
    if (rng.bernoulli(missing)) continue;
    s.valid[i] = rng.bernoulli(0.8) ? kObserved : kImputed;
    for (Index c = 0; c < channels; ++c)
      s.xyz[i * static_cast<std::size_t>(channels) + static_cast<std::size_t>(c)] =
          static_cast<float>(rng.uniform(-1, 1));
  }
  return s;
}

/// penn13 with only the head seen: x = value of the frame, y = 10 x; -1 for a missing frame.
SkeletonSequence head_track(std::vector<float> x) {
  auto s = SkeletonSequence::make(joint_layout("penn13"), 1, std::ssize(x), 2);
  for (Index t = 0; t < s.frames; ++t)
    if (const float value = x[static_cast<std::size_t>(t)]; value >= 0) {
      *s.state(0, t) = kObserved;
      s.point(0, t)[0] = value;
      s.point(0, t)[1] = 10 * value;
    }
  return s;
}
std::vector<float> head_x(const SkeletonSequence& s) {
  std::vector<float> x;
  for (Index t = 0; t < s.frames; ++t) x.push_back(*s.state(0, t) == kMissing ? -1 : s.point(0, t)[0]);
  return x;
}

void see(SkeletonSequence& s, Index m, Index t, const char* joint, std::vector<float> p) {
  *s.state(m, t, s.layout->at(joint)) = kObserved;
  std::copy(p.begin(), p.end(), s.point(m, t, s.layout->at(joint)));
}
std::vector<float> at(const SkeletonSequence& s, Index m, Index t, const char* joint) {
  const float* p = s.point(m, t, s.layout->at(joint));
  return {p, p + s.channels};
}
void check_near(const std::vector<float>& a, const std::vector<float>& b, float tolerance = 1e-5f) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(a[i] - b[i]) <= tolerance);
  }
}
float largest_gap(const SkeletonSequence& a, const SkeletonSequence& b) {
  float most = 0;
  for (std::size_t i = 0; i < a.xyz.size(); ++i) most = std::max(most, std::abs(a.xyz[i] - b.xyz[i]));
  return most;
}

}  // namespace

TEST_CASE("image normalisations, by hand") {
  auto s = head_track({0, 320, -1});
  s.point(0, 1)[1] = 480;
  s.width = 640, s.height = 480;
  auto u = s;
  normalize_image_(u);
  check_near(at(u, 0, 0, "head"), {-1, -0.75f});
  check_near(at(u, 0, 1, "head"), {0, 0.75f});
  check_near(at(u, 0, 2, "head"), {0, 0});  // missing stays zero
  CHECK(u.width == 0);
  CHECK_THROWS_AS(normalize_image_(u), Error);  // twice would be wrong
  auto p = s;
  normalize_half_image_(p);
  check_near(at(p, 0, 0, "head"), {-1, -1});
  check_near(at(p, 0, 1, "head"), {0, 1});
  CHECK_THROWS_AS(normalize_half_image_(p), Error);
}

TEST_CASE("body normalisation: pelvis at the origin, torso 1 long") {
  auto s = SkeletonSequence::make(joint_layout("penn13"), 1, 3, 2);
  for (Index t = 0; t < 3; ++t) {
    const float x = static_cast<float>(10 * t);
    see(s, 0, t, "left_shoulder", {x + 1, 0});
    see(s, 0, t, "right_shoulder", {x - 1, 0});
    see(s, 0, t, "left_hip", {x + 1, 4});
    see(s, 0, t, "right_hip", {x - 1, 4});
    see(s, 0, t, "left_ankle", {x, 12});
  }
  SUBCASE("each frame by itself") {
    normalize_body_(s);
    for (Index t = 0; t < 3; ++t) {
      check_near(at(s, 0, t, "left_ankle"), {0, 2});
      check_near(at(s, 0, t, "left_shoulder"), {0.25f, -1});
    }
  }
  SUBCASE("a frame without hips takes the pelvis of its neighbours") {
    for (const char* hip : {"left_hip", "right_hip"}) detail::drop_joint(s, 0, 1, s.layout->at(hip));
    normalize_body_(s);
    check_near(at(s, 0, 1, "left_ankle"), {0, 2});
  }
  SUBCASE("by the clip: the path is kept") {
    normalize_body_(s, BodyCenter::kClip);
    check_near(at(s, 0, 0, "left_ankle"), {-2.5f, 2});
    check_near(at(s, 0, 2, "left_ankle"), {2.5f, 2});
  }
  SUBCASE("nothing known at all") {
    auto empty = SkeletonSequence::make(joint_layout("penn13"), 1, 3, 2);
    const auto before = empty;
    normalize_body_(empty);
    normalize_box_(empty);
    CHECK(empty.xyz == before.xyz);
  }
  SUBCASE("a head alone") {
    auto head = head_track({5, 5});
    normalize_body_(head);
    CHECK(head.point(0, 0)[0] == 0);  // its own box is the centre
  }
}

TEST_CASE("body and box normalisations forget where the camera was: invariant to scale and shift") {
  Rng rng(3);
  for (int i = 0; i < 200; ++i) {
    const auto s = random_sequence(rng, "coco17", 1 + i % 2, 5, 2 + i % 2, 0.1);
    auto moved = s;
    const float shift[3] = {3, -2, 1};
    scale_(moved, 2.5f);
    translate_(moved, std::span<const float>(shift, static_cast<std::size_t>(s.channels)));
    for (int kind = 0; kind < 3; ++kind) {
      auto a = s, b = moved;
      for (auto* q : {&a, &b}) {
        if (kind == 0) normalize_body_(*q);
        if (kind == 1) normalize_body_(*q, BodyCenter::kClip);
        if (kind == 2) normalize_box_(*q);
      }
      CAPTURE(kind);
      CHECK(largest_gap(a, b) < 2e-4f);
      a.check("normalised");
    }
  }
}

TEST_CASE("box normalisation, by hand") {
  auto s = SkeletonSequence::make(joint_layout("penn13"), 1, 1, 2);
  see(s, 0, 0, "head", {10, 20});
  see(s, 0, 0, "left_ankle", {14, 30});
  normalize_box_(s);
  check_near(at(s, 0, 0, "head"), {-0.4f, -1});
  check_near(at(s, 0, 0, "left_ankle"), {0.4f, 1});
  check_near(at(s, 0, 0, "right_ankle"), {0, 0});
}

TEST_CASE("3-D views, by hand and as invariants") {
  auto s = SkeletonSequence::make(joint_layout("kinect20"), 1, 2, 3);
  see(s, 0, 1, "left_shoulder", {0, 5, 1});  // only frame 1 shows the shoulders; the person looks along x
  see(s, 0, 1, "right_shoulder", {0, 5, -1});
  see(s, 0, 1, "head", {3, 6, 0});
  auto f = s;
  face_camera_(f);
  check_near(at(f, 0, 1, "left_shoulder"), {1, 5, 0});
  check_near(at(f, 0, 1, "right_shoulder"), {-1, 5, 0});
  check_near(at(f, 0, 1, "head"), {0, 6, -3});
  see(s, 0, 0, "pelvis", {0, 0, 0});
  see(s, 0, 0, "shoulder_center", {0, 2, 0});
  align_body_axes_(s);
  check_near(at(s, 0, 0, "shoulder_center"), {0, 0, 2});
  check_near(at(s, 0, 1, "right_shoulder"), {1, 0, 5});
  check_near(at(s, 0, 1, "left_shoulder"), {-1, 0, 5});

  Rng rng(5);
  for (int i = 0; i < 200; ++i) {
    auto a = random_sequence(rng, "ntu25", 1, 3, 3, 0.0);
    auto turned = a;
    rotate_(turned, 0, rng.uniform(-kPi, kPi), 0);
    auto b = turned;
    auto c = a;
    face_camera_(c), face_camera_(b);
    CHECK(largest_gap(b, c) < 1e-4f);
    rotate_(turned, rng.uniform(-kPi, kPi), rng.uniform(-kPi, kPi), 0);
    align_body_axes_(a), align_body_axes_(turned);
    CHECK(largest_gap(a, turned) < 1e-3f);
  }
  auto flat = head_track({1});
  CHECK_THROWS_AS(face_camera_(flat), Error);
  CHECK_THROWS_AS(align_body_axes_(flat), Error);
  CHECK_THROWS_AS(face_camera_(s, 3), Error);
  auto unseen = SkeletonSequence::make(joint_layout("kinect20"), 1, 2, 3);
  face_camera_(unseen), align_body_axes_(unseen);
}

TEST_CASE("gap fill, by hand") {
  auto s = head_track({-1, 4, -1, -1, 10, -1});
  auto a = s;
  fill_gaps_(a);
  CHECK(head_x(a) == std::vector<float>{-1, 4, 6, 8, 10, -1});
  CHECK(*a.state(0, 2) == kImputed);
  CHECK(*a.state(0, 4) == kObserved);
  CHECK(a.point(0, 3)[1] == 80);
  a = s;
  fill_gaps_(a, 2);
  CHECK(head_x(a) == std::vector<float>{-1, 4, 6, 8, 10, -1});
  a = s;
  fill_gaps_(a, 1);
  CHECK(head_x(a) == head_x(s));  // the gap is 2 long
  a = s;
  fill_gaps_(a, 10, GapEnds::kHold);
  CHECK(head_x(a) == std::vector<float>{4, 4, 6, 8, 10, 10});
  auto never = head_track({-1, -1});
  fill_gaps_(never, 10, GapEnds::kHold);
  CHECK(head_x(never) == std::vector<float>{-1, -1});
  CHECK_THROWS_AS(fill_gaps_(never, -1), Error);
}

TEST_CASE("null frames are filled by looping") {
  auto s = head_track({-1, 1, -1, 2, -1, -1, -1});
  fill_null_frames_(s);
  CHECK(head_x(s) == std::vector<float>{1, -1, 2, 1, -1, 2, 1});
  auto never = head_track({-1, -1});
  fill_null_frames_(never);
  CHECK(head_x(never) == std::vector<float>{-1, -1});
}

TEST_CASE("the most active persons are kept") {
  auto s = SkeletonSequence::make(joint_layout("penn13"), 3, 2, 2);
  for (Index m = 0; m < 3; ++m) see(s, m, 0, "head", {1, 1}), see(s, m, 1, "head", {1, 1});
  s.point(1, 1)[0] = 9, s.point(2, 1)[0] = 5;
  CHECK(person_energy(s, 0) == 0);
  CHECK(person_energy(s, 1) == Approx(4));  // of 1 and 9
  const auto two = keep_most_active(s, 2);
  CHECK(two.point(0, 1)[0] == 9);
  CHECK(two.point(1, 1)[0] == 5);
  const auto four = keep_most_active(s, 4);
  CHECK(four.persons == 4);
  CHECK(*four.state(2, 0) == kObserved);
  CHECK(*four.state(3, 0) == kMissing);
  CHECK_THROWS_AS(keep_most_active(s, 0), Error);
}

TEST_CASE("resampling, by hand") {
  auto s = head_track({0, 10, 20, 30});
  s.fps = 30;
  CHECK(head_x(resample(s, 7)) == std::vector<float>{0, 5, 10, 15, 20, 25, 30});
  CHECK(resample(s, 7).fps == 60);
  CHECK(head_x(resample(s, 2)) == std::vector<float>{0, 30});
  CHECK(head_x(resample(s, 1)) == std::vector<float>{15});
  CHECK(head_x(resample(s, 1, 2, 3)) == std::vector<float>{10, 15, 20});
  // Beside a missing frame the nearer known one counts.
  const auto gap = head_track({0, -1});
  CHECK(head_x(resample(gap, 5)) == std::vector<float>{0, 0, 0, -1, -1});
  CHECK(head_x(change_speed(s, 2)) == std::vector<float>{0, 30});
  CHECK(change_speed(s, 0.5).frames == 8);
  CHECK(change_speed(s, 2).fps == 30);
  CHECK(head_x(sample_uniform(s, 2)) == std::vector<float>{10, 30});
  CHECK(head_x(sample_uniform(head_track({3}), 3)) == std::vector<float>{3, 3, 3});
  CHECK_THROWS_AS(resample(s, 0), Error);
  CHECK_THROWS_AS(resample(s, -5), Error);
  CHECK_THROWS_AS(resample(s, 2, 3, 4), Error);
  CHECK_THROWS_AS(change_speed(s, 0), Error);
  CHECK_THROWS_AS(change_speed(s, -1), Error);
  CHECK_THROWS_AS(resample(s, Index{1} << 50), Error);
}

TEST_CASE("crops and padding, by hand") {
  const auto s = head_track({0, 1, 2, 3, 4});
  CHECK(head_x(crop(s, 1, 3)) == std::vector<float>{1, 2, 3});
  CHECK(head_x(center_crop(s, 3)) == std::vector<float>{1, 2, 3});
  CHECK(head_x(center_crop(s, 7)) == std::vector<float>{0, 1, 2, 3, 4, 0, 1});
  CHECK(head_x(fit_frames(s, 7, Padding::kHold)) == std::vector<float>{0, 1, 2, 3, 4, 4, 4});
  CHECK(head_x(fit_frames(s, 7, Padding::kMissing)) == std::vector<float>{0, 1, 2, 3, 4, -1, -1});
  CHECK(head_x(fit_frames(s, 2, Padding::kMissing, 3)) == std::vector<float>{3, 4});
  const Index order[] = {4, 0, 0};
  CHECK(head_x(take_frames(s, order)) == std::vector<float>{4, 0, 0});
  const Index outside[] = {5};
  CHECK_THROWS_AS(take_frames(s, outside), Error);
  CHECK_THROWS_AS(take_frames(s, {}), Error);
  CHECK_THROWS_AS(crop(s, 3, 3), Error);
  CHECK_THROWS_AS(crop(s, -1, 3), Error);
  CHECK_THROWS_AS(crop(s, 0, 0), Error);
  CHECK_THROWS_AS(crop(s, 1, std::numeric_limits<Index>::max()), Error);
  CHECK_THROWS_AS(fit_frames(s, 0, Padding::kLoop), Error);
}

TEST_CASE("random cuts keep order and stay inside") {
  Rng rng(11);
  bool starts[4] = {};
  for (int i = 0; i < 500; ++i) {
    const Index frames = 1 + rng.uniform_int(20), count = 1 + rng.uniform_int(20);
    std::vector<float> x(static_cast<std::size_t>(frames));
    for (std::size_t t = 0; t < x.size(); ++t) x[t] = static_cast<float>(t);
    const auto s = head_track(x);
    for (const auto& cut : {sample_uniform(s, count, rng), random_resized_crop(s, count, 0.3, 1, rng),
                            sample_uniform(s, count), resample(s, count)}) {
      const auto y = head_x(cut);
      REQUIRE(std::ssize(y) == count);
      CHECK(std::is_sorted(y.begin(), y.end()));
      CHECK(y.front() >= 0);
      CHECK(y.back() <= static_cast<float>(frames - 1));
    }
    CHECK(random_crop(s, count, rng).frames == count);
    CHECK(largest_gap(resample(s, frames), s) == 0);  // the identity
    starts[static_cast<int>(head_x(random_crop(head_track({0, 1, 2, 3, 4}), 2, rng)).front())] = true;
  }
  for (const bool seen : starts) CHECK(seen);
  CHECK_THROWS_AS(random_resized_crop(head_track({1}), 3, 0, 1, rng), Error);
  CHECK_THROWS_AS(random_resized_crop(head_track({1}), 3, 0.5, 1.5, rng), Error);
}

TEST_CASE("mirror: left becomes right, twice is the identity") {
  auto s = SkeletonSequence::make(joint_layout("penn13"), 1, 1, 2);
  see(s, 0, 0, "left_wrist", {3, 7});
  see(s, 0, 0, "head", {1, 2});
  auto m = s;
  mirror_(m);
  check_near(at(m, 0, 0, "right_wrist"), {-3, 7});
  check_near(at(m, 0, 0, "head"), {-1, 2});
  CHECK(*m.state(0, 0, m.layout->at("left_wrist")) == kMissing);
  m = s;
  m.width = 10, m.height = 10;
  mirror_(m);
  check_near(at(m, 0, 0, "right_wrist"), {7, 7});

  Rng rng(7);
  for (const auto& name : layout_names())
    for (int i = 0; i < 50; ++i) {
      const auto a = random_sequence(rng, name.c_str(), 2, 3, 2 + i % 2);
      auto b = a;
      mirror_(b), mirror_(b);
      CHECK(a.xyz == b.xyz);
      CHECK(a.valid == b.valid);
    }
}

TEST_CASE("mirror and layout maps commute") {
  Rng rng(13);
  for (const auto& from : layout_names())
    for (const auto& to : layout_names()) {
      const auto map = make_map(joint_layout(from), joint_layout(to));
      const auto s = random_sequence(rng, from.c_str(), 1, 20, 3);
      auto a = s;
      mirror_(a);
      a = map_joints(a, map);
      auto b = map_joints(s, map);
      mirror_(b);
      CAPTURE(from);
      CAPTURE(to);
      CHECK(a.valid == b.valid);
      CHECK(largest_gap(a, b) < 1e-5f);
    }
}

TEST_CASE("linear maps, by hand") {
  auto s = head_track({1});  // (1, 10)
  auto r = s;
  rotate_(r, kPi / 2);
  check_near(at(r, 0, 0, "head"), {-10, 1});
  auto h = s;
  const float off[] = {0.5f, 2};
  shear_(h, off);
  check_near(at(h, 0, 0, "head"), {6, 12});
  auto t = s;
  const float shift[] = {1, -1};
  translate_(t, shift);
  check_near(at(t, 0, 0, "head"), {2, 9});
  check_near(at(t, 0, 0, "left_hip"), {0, 0});
  scale_(t, 2);
  check_near(at(t, 0, 0, "head"), {4, 18});
  auto v = SkeletonSequence::make(joint_layout("ntu25"), 1, 1, 3);
  see(v, 0, 0, "head", {1, 2, 3});
  auto x = v, y = v, z = v, flat = v;
  rotate_(x, kPi / 2, 0, 0), rotate_(y, 0, kPi / 2, 0), rotate_(z, 0, 0, kPi / 2), rotate_(flat, kPi / 2);
  check_near(at(x, 0, 0, "head"), {1, -3, 2});
  check_near(at(y, 0, 0, "head"), {3, 2, -1});
  check_near(at(z, 0, 0, "head"), {-2, 1, 3});
  CHECK(largest_gap(z, flat) < 1e-6f);
  const float off3[] = {1, 0, 0, 0, 0, 1};  // x += y, z += y
  shear_(v, off3);
  check_near(at(v, 0, 0, "head"), {3, 2, 5});
  CHECK_THROWS_AS(shear_(v, off), ShapeError);
  CHECK_THROWS_AS(translate_(v, shift), ShapeError);
  CHECK_THROWS_AS(transform_(v, shift), ShapeError);
  CHECK_THROWS_AS(rotate_(s, 1, 1, 1), Error);
}

TEST_CASE("rotations keep lengths and undo each other") {
  Rng rng(17);
  for (int i = 0; i < 300; ++i) {
    const auto s = random_sequence(rng, "coco17", 1, 2, 3);
    auto r = s;
    const double a = rng.uniform(-kPi, kPi), b = rng.uniform(-kPi, kPi), c = rng.uniform(-kPi, kPi);
    rotate_(r, a, b, c);
    for (std::size_t k = 0; k < s.xyz.size(); k += 3)
      CHECK(std::hypot(r.xyz[k], r.xyz[k + 1], r.xyz[k + 2]) ==
            Approx(std::hypot(s.xyz[k], s.xyz[k + 1], s.xyz[k + 2])).epsilon(1e-5));
    rotate_(r, 0, 0, -c), rotate_(r, 0, -b, 0), rotate_(r, -a, 0, 0);
    CHECK(largest_gap(r, s) < 1e-5f);
  }
}

TEST_CASE("noise and drops: the right amount, reproducible") {
  Rng rng(19);
  const auto s = random_sequence(rng, "coco17", 2, 200, 2, 0.3);
  auto a = s, b = s;
  Rng r1(1), r2(1);
  add_noise_(a, 0.1, r1), add_noise_(b, 0.1, r2);
  CHECK(a.xyz == b.xyz);
  double sum = 0, sum2 = 0, n = 0;
  for (std::size_t i = 0; i < s.xyz.size(); ++i) {
    if (s.valid[i / 2] == kMissing) continue;
    const double d = static_cast<double>(a.xyz[i] - s.xyz[i]);
    sum += d, sum2 += d * d, n += 1;
  }
  CHECK(std::abs(sum / n) < 0.005);
  CHECK(std::sqrt(sum2 / n) == Approx(0.1).epsilon(0.05));

  const auto full = random_sequence(rng, "coco17", 2, 1000, 2, 0.0);
  auto f = full;
  drop_frames_(f, 0.25, rng);
  Index gone = 0;
  for (Index t = 0; t < f.frames; ++t) {
    CHECK(detail::empty_frame(f, 0, t) == detail::empty_frame(f, 1, t));
    gone += detail::empty_frame(f, 0, t);
  }
  CHECK(gone > 190);
  CHECK(gone < 310);
  auto j = full;
  drop_joints_(j, 0.5, rng);
  Index missing = 0;
  for (Index v = 0; v < j.joints; ++v) {
    missing += *j.state(0, 0, v) == kMissing;
    for (Index t = 1; t < j.frames; ++t)
      CHECK((*j.state(0, t, v) == kMissing) == (*j.state(0, 0, v) == kMissing));
  }
  CHECK(missing > 1);
  CHECK(missing < 16);
  auto all = full;
  drop_joints_(all, 1, rng);
  CHECK(person_energy(all, 0) == 0);
  CHECK_THROWS_AS(drop_joints_(all, 1.5, rng), Error);
  CHECK_THROWS_AS(drop_frames_(all, -0.1, rng), Error);
}

TEST_CASE("random move: a similarity in every frame, linear in its parameters") {
  Rng rng(23);
  for (int i = 0; i < 100; ++i) {
    auto s = SkeletonSequence::make(joint_layout("penn13"), 1, 5, 2);
    for (Index t = 0; t < 5; ++t) {
      see(s, 0, t, "head", {0, 0});
      see(s, 0, t, "left_hip", {1, 0});
      see(s, 0, t, "right_hip", {0, 1});
    }
    random_move_(s, rng);
    double length[5], shift[5];
    for (Index t = 0; t < 5; ++t) {
      const auto o = at(s, 0, t, "head"), x = at(s, 0, t, "left_hip"), y = at(s, 0, t, "right_hip");
      const double ax = static_cast<double>(x[0] - o[0]), ay = static_cast<double>(x[1] - o[1]);
      CHECK(static_cast<double>(y[0] - o[0]) == Approx(-ay).epsilon(1e-4));
      CHECK(static_cast<double>(y[1] - o[1]) == Approx(ax).epsilon(1e-4));
      length[t] = std::hypot(ax, ay), shift[t] = static_cast<double>(o[0]);
      CHECK(length[t] > 0.899);
      CHECK(length[t] < 1.101);
      CHECK(std::abs(std::atan2(ay, ax)) < 10.01 * kPi / 180);
      CHECK(std::abs(shift[t]) < 0.201);
    }
    CHECK(length[2] == Approx((length[0] + length[4]) / 2).epsilon(1e-4));
    CHECK(std::abs(shift[1] - (0.75 * shift[0] + 0.25 * shift[4])) < 1e-5);
  }
}

TEST_CASE("every transform leaves a checked sequence, missing joints missing") {
  Rng rng(29);
  for (int i = 0; i < 1000; ++i) {
    const Index channels = 2 + i % 2;
    const auto s = random_sequence(rng, i % 3 ? "penn13" : "ntu25", 1 + i % 2, 1 + rng.uniform_int(8),
                                   channels, i % 7 ? 0.2 : 0.95);
    auto a = s;
    const Augmentation everything{.noise = 0.1, .joint_drop = 0.1, .frame_drop = 0.1};
    augment_(a, everything, rng);
    random_move_(a, rng);
    a.check("augmented");
    auto b = s;
    random_move_(b, rng), normalize_body_(b), normalize_box_(b), scale_(b, 0.5f);
    if (channels == 3) face_camera_(b), align_body_axes_(b);
    CHECK(b.valid == s.valid);
    b.check("normalised");
    fill_gaps_(b), fill_null_frames_(b);
    b.check("filled");
    keep_most_active(b, 2).check("kept");
    random_resized_crop(b, 4, 0.2, 1, rng).check("cut");
  }
  auto s = head_track({1, 2});
  const auto before = s;
  augment_(s, {.mirror = 0, .rotate = 0, .scale = 0, .shear = 0, .shift = 0}, rng);
  CHECK(s.xyz == before.xyz);
  CHECK_THROWS_AS(augment_(s, {.mirror = 2}, rng), Error);
}
