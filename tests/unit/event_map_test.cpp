#include "tmor/metrics/event_map.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "../support/files.hpp"
#include "tmor/io/json.hpp"

using namespace tmor;
using doctest::Approx;
using test::contains;
using test::message;

namespace {

ScoredSpan scored(Index action, double start, double end, double score) {
  return {{action, start, end}, score};
}

}  // namespace

TEST_CASE("overlap of spans, by hand") {
  CHECK(overlap({0, 0, 10}, {0, 5, 10}) == 0.5);
  CHECK(overlap({0, 0, 4}, {0, 2, 6}) == Approx(2.0 / 6));
  CHECK(overlap({0, 0, 4}, {0, 4, 6}) == 0);
  CHECK(overlap({0, 0, 4}, {0, 9, 12}) == 0);
  CHECK(overlap({0, 3, 3}, {0, 3, 3}) == 0);
  CHECK(overlap({0, 5, 1}, {0, 0, 9}) == 0);  // reversed
}

TEST_CASE("event AP, by hand") {
  // Two actions, three proposals: the surest is right, the next wrong, the last right. With all three the
  // precision is 2/3 at recall 1; without the last 1/2 at recall 1/2; without the second nothing changes
  // where it is dropped; without the first 0 at recall 0. Area = 2/3 * 1/2 + 2/3 * 1/2.
  const std::vector<Timeline> truth = {{"a", 100, {{0, 0, 10}, {0, 50, 60}}}};
  const std::vector<EventProposals> found = {
      {"a", {scored(0, 0, 10, .9), scored(0, 20, 30, .8), scored(0, 50, 60, .7)}}};
  auto r = event_map(truth, found, 2, 0.5);
  CHECK(r.ap[0] == Approx(2.0 / 3));
  CHECK(r.ap[1] == 0);
  CHECK(r.map == Approx(1.0 / 3));
  CHECK(r.map_by_sequence == Approx(2.0 / 3));
  CHECK(r.actions == std::vector<Index>{2, 0});
  CHECK(r.proposals == 3);
  // A second proposal for the first action finds nothing new: it only lowers the precision while it is there.
  const std::vector<EventProposals> twice = {{"a", {scored(0, 0, 10, .9), scored(0, 0, 9, .8)}}};
  CHECK(event_map(truth, twice, 1, 0.5).map == Approx(1 * 0.5));
  CHECK(event_map(truth, {}, 1, 0.5).map == 0);
}

TEST_CASE("event mAP equals that of an independent script") {
  const auto golden = io::read_json(test::golden("event_map/event_map.json"));
  std::vector<Timeline> truth;
  std::vector<EventProposals> found;
  for (const auto& v : golden["videos"]) {
    truth.push_back({v["id"], 100, {}});
    for (const auto& s : v["truth"]) truth.back().spans.push_back({s[0], s[1], s[2]});
    found.push_back({v["id"], {}});
    for (const auto& s : v["proposals"]) found.back().spans.push_back(scored(s[0], s[1], s[2], s[3]));
  }
  for (const auto& [theta, expected] : golden["expected"].items()) {
    const std::string overlap = theta;  // clang 14 captures no structured binding
    CAPTURE(overlap);
    const auto r = event_map(truth, found, golden["classes"], std::stod(theta));
    CHECK(r.map == Approx(expected["map"].get<double>()).epsilon(1e-12));
    CHECK(r.map_by_sequence == Approx(expected["map_by_sequence"].get<double>()).epsilon(1e-12));
    for (std::size_t c = 0; c < r.ap.size(); ++c)
      CHECK(r.ap[c] == Approx(expected["ap"][c].get<double>()).epsilon(1e-12));
  }
}

TEST_CASE("event mAP refuses what does not fit") {
  const std::vector<Timeline> truth = {{"a", 100, {{0, 0, 10}}}};
  const auto error = [&](std::vector<EventProposals> p, double theta = 0.5) {
    return message<Error>([&] { event_map(truth, p, 1, theta); });
  };
  CHECK(contains(error({}, 0), "theta is 0"));
  CHECK(contains(error({{"z", {}}}), "'z', which is no sequence"));
  CHECK(contains(error({{"a", {}}, {"a", {}}}), "two sets"));
  CHECK(contains(error({{"a", {scored(1, 0, 1, 1)}}}), "the action 1"));
  CHECK(contains(error({{"a", {scored(0, 0, std::numeric_limits<double>::infinity(), 1)}}}), "finite"));
  CHECK_THROWS_AS(event_map({}, {}, 1, 0.5), Error);
}
