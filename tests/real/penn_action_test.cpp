// The real annotations against the index that was derived from them by another reader.
#include "tmor/data/penn_action.hpp"

#include <doctest/doctest.h>

#include <set>

#include "../support/files.hpp"
#include "tmor/io/csv.hpp"

using namespace tmor;

TEST_CASE("real: Penn Action agrees with its index") {
  const auto root = test::real_data("penn_action");
  if (root.empty()) return;
  const auto d = data::read_penn_action(root);
  const auto index = io::read_csv(root + "/index.csv");
  REQUIRE(d.clips.size() == index.rows.size());
  const auto id = index.column("id"), action = index.column("action"), split = index.column("split"),
             nframes = index.column("nframes"), pose = index.column("pose"), height = index.column("height"),
             width = index.column("width");
  std::size_t train = 0, visible = 0, joints = 0;
  std::set<int> labels;
  std::set<std::string> padded, invisible;
  for (std::size_t i = 0; i < d.clips.size(); ++i) {
    const auto& c = d.clips[i];
    const auto& row = index.rows[i];
    CAPTURE(c.id);
    CHECK(c.id == row[id]);
    CHECK(c.action == row[action]);
    CHECK((c.train ? "train" : "test") == row[split]);
    CHECK(std::to_string(c.frames) == row[nframes]);
    CHECK(c.view == row[pose]);
    CHECK(std::to_string(c.height) == row[height]);
    CHECK(std::to_string(c.width) == row[width]);
    CHECK_NOTHROW(c.sequence().check(c.id));
    const auto seen = c.visibility.as<bool>();
    const auto n = static_cast<std::size_t>(std::count(seen.begin(), seen.end(), true));
    if (n == 0) invisible.insert(c.id);
    if (c.box_padded) padded.insert(c.id);
    labels.insert(c.label);
    train += c.train;
    visible += n;
    joints += seen.size();
  }
  CHECK(train == 1258);
  CHECK(d.clips.size() - train == 588);
  CHECK(labels.size() == 15);
  CHECK(padded == std::set<std::string>{"1154", "1865"});
  CHECK(invisible == std::set<std::string>{"1516"});
  CHECK(double(visible) / double(joints) == doctest::Approx(0.78).epsilon(0.01));
}
