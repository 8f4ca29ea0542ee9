#include "tmor/metrics/frame_map.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "../support/files.hpp"
#include "tmor/io/json.hpp"

using namespace tmor;
using doctest::Approx;
using test::contains;
using test::message;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

double ap(const std::vector<float>& s, const std::vector<std::uint8_t>& y) { return average_precision(s, y); }

/// One sequence of 4 rows, 2 classes; class 0 holds strictly inside at t = 1, 2 and inclusively at 0 to 3.
const std::vector<Timeline> kTruth = {{"a", 4, {{0, 0, 3}}}};
const std::vector<FrameScores> kScores = {{"a", 4, {.9f, 0, .1f, 0, .8f, 0, .7f, 0}}};

const FrameMapPolicy kAll{"all", FrameSampling::kAll, Bounds::kStrict, EmptyClass::kZero, false};

}  // namespace

TEST_CASE("average precision, by hand") {
  CHECK(ap({.9f, .8f, .7f, .6f}, {1, 0, 1, 0}) == Approx((1 + 2.0 / 3) / 2));
  CHECK(ap({.1f, .8f, .7f, .6f}, {1, 0, 1, 0}) == Approx((1.0 / 2 + 2.0 / 4) / 2));
  CHECK(ap({5, 5, 5}, {0, 0, 1}) == Approx(1.0 / 3));  // ties: the earlier row first
  CHECK(ap({5, 5, 5}, {1, 0, 0}) == 1);
  CHECK(ap({-kInf, 0, kInf, -kInf}, {0, 0, 1, 1}) == Approx((1 + 2.0 / 4) / 2));
  CHECK(ap({-0.f, 0.f}, {0, 1}) == 0.5);  // equal zeros
  CHECK(ap({-2, -1, 1, 2}, {1, 1, 1, 0}) == Approx((1.0 / 2 + 2.0 / 3 + 3.0 / 4) / 3));
  CHECK(is_nan(static_cast<float>(ap({1, 2}, {0, 0}))));
  CHECK_THROWS_AS(ap({1, kNan}, {0, 1}), Error);
  CHECK_THROWS_AS(ap({1}, {0, 1}), ShapeError);
}

TEST_CASE("bounds and empty classes change the figure, by hand") {
  auto r = frame_map(kTruth, kScores, 2, kAll);  // positives at rows 1 and 2: places 4 and 2
  CHECK(r.positive == std::vector<Index>{2, 0});
  CHECK(r.ap[0] == Approx((1.0 / 2 + 2.0 / 4) / 2));
  CHECK(r.map == Approx(r.ap[0] / 2));
  CHECK(r.wap == Approx(r.ap[0]));
  CHECK(r.chance == Approx(0.25));
  CHECK(r.rows == 4);
  auto p = kAll;
  p.empty = EmptyClass::kSkip;
  CHECK(frame_map(kTruth, kScores, 2, p).map == Approx(r.ap[0]));
  CHECK(frame_map(kTruth, kScores, 2, p).chance == Approx(0.5));
  p.empty = EmptyClass::kNan;
  CHECK(is_nan(static_cast<float>(frame_map(kTruth, kScores, 2, p).map)));
  CHECK(is_nan(static_cast<float>(frame_map(kTruth, kScores, 2, p).wap)));
  p = kAll;
  p.bounds = Bounds::kInclusive;  // all four rows
  CHECK(frame_map(kTruth, kScores, 2, p).ap[0] == 1);
}

TEST_CASE("reversed, empty and overlong actions") {
  const std::vector<Timeline> truth = {{"a", 4, {{0, 3, 1}, {1, 2, 2}, {2, 1.5, 99}}}};
  const std::vector<FrameScores> scores = {{"a", 4, std::vector<float>(12)}};
  CHECK(frame_map(truth, scores, 3, kAll).positive == std::vector<Index>{0, 0, 2});
  auto p = kAll;
  p.bounds = Bounds::kInclusive;
  CHECK(frame_map(truth, scores, 3, p).positive == std::vector<Index>{0, 1, 2});
}

TEST_CASE("which rows are sampled") {
  CHECK(sampled_rows(3, FrameSampling::kAll) == std::vector<Index>{0, 1, 2});
  const auto points = sampled_rows(25, FrameSampling::kPoints);
  CHECK(points.front() == 0);
  CHECK(points.back() == 24);
  CHECK(sampled_rows(100, FrameSampling::kPoints)[1] == 4);
  CHECK(sampled_rows(25, FrameSampling::kSlice).empty());
  const auto slice = sampled_rows(80, FrameSampling::kSlice);  // 1, 4, ...
  CHECK(slice.size() == 25);
  CHECK(slice[1] == 4);
  CHECK(slice.back() == 73);
  CHECK(sampled_rows(26, FrameSampling::kSlice).size() == 25);
}

TEST_CASE("frame mAP equals that of an independent script under every policy") {
  const auto golden = io::read_json(test::golden("frame_map/frame_map.json"));
  const auto classes = golden["classes"].get<Index>();
  for (const auto& c : golden["cases"]) {
    std::vector<Timeline> truth;
    for (const auto& v : c["videos"]) {
      truth.push_back({v["id"], v["length"], {}});
      for (const auto& s : v["spans"]) truth.back().spans.push_back({s[0], s[1], s[2]});
    }
    std::vector<FrameScores> scores;
    for (const auto& p : c["predictions"]) {
      FrameScores f{p["id"], std::ssize(p["rows"]), {}};
      for (const auto& row : p["rows"])
        for (Index k = 0; k < classes; ++k)
          f.scores.push_back(row.is_null() ? -kInf : row[static_cast<std::size_t>(k)].get<float>());
      scores.push_back(std::move(f));
    }
    for (const auto& policy : frame_map_policies()) {
      CAPTURE(policy.name);
      const auto& e = c["expected"][policy.name];
      const auto r = frame_map(truth, scores, classes, policy, true);
      CHECK(r.rows == e["rows"].get<Index>());
      CHECK(r.positive == e["positive"].get<std::vector<Index>>());
      const auto equal = [](double value, const io::Json& expected) {
        if (expected.is_null()) return !is_finite(value);
        return std::abs(value - expected.get<double>()) < 1e-12;
      };
      CHECK(equal(r.map, e["map"]));
      CHECK(equal(r.wap, e["wap"]));
      for (std::size_t k = 0; k < r.ap.size(); ++k) CHECK(equal(r.ap[k], e["ap"][k]));
      CHECK(contains(r.protocol, policy.name));
    }
  }
}

TEST_CASE("missing predictions are ranked last, left out or refused, as the policy says") {
  const std::vector<Timeline> truth = {{"a", 4, {{0, 0, 3}}}, {"b", 4, {{1, 0, 4}}}};
  CHECK(contains(message<Error>([&] { frame_map(truth, kScores, 2, kAll); }), "no prediction for 'b'"));
  CHECK(frame_map(truth, kScores, 2, kAll, true).left_out == 1);
  const auto r = frame_map(truth, kScores, 2, frame_map_policy("charades-official"));
  CHECK(r.left_out == 0);
  CHECK(r.missing_rows == 25);
  CHECK(r.rows == 50);
  CHECK(contains(r.protocol, "25 rows without prediction"));
  CHECK(contains(message<Error>([&] { frame_map(truth, kScores, 2, frame_map_policy("inria-25"), true); }),
                 "no row to rank"));
}

TEST_CASE("what does not fit is refused by name") {
  const auto error = [](std::vector<Timeline> t, std::vector<FrameScores> s) {
    return message<Error>([&] { frame_map(t, s, 2, kAll); });
  };
  CHECK(contains(error({{"b", 4, {}}}, kScores), "no prediction for 'b'"));
  CHECK(contains(error({{"a", 0, {}}}, kScores), "length 0"));
  CHECK(contains(error({{"a", 4, {{2, 0, 1}}}}, kScores), "action 2"));
  CHECK(contains(error({{"a", 4, {{0, 0, double(kNan)}}}}, kScores), "finite times"));
  CHECK(contains(error({kTruth[0], kTruth[0]}, kScores), "given twice"));
  CHECK(contains(error(kTruth, {kScores[0], kScores[0]}), "two predictions"));
  CHECK(contains(error(kTruth, {{"a", 4, {1, 2}}}), "want 4 rows of 2"));
  CHECK(contains(error(kTruth, {kScores[0], {"z", 1, {1, 2}}}), "no sequence of this split"));
  CHECK(contains(message<Error>([] { frame_map_policy("charades-oficial"); }), "'charades-official'"));
}
