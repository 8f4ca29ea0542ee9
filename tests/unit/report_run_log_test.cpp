// Reading the log of a run into curves.
#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "../support/fuzz.hpp"
#include "../support/markup.hpp"
#include "tmor/report/run_log.hpp"
#include "tmor/train/logger.hpp"

using namespace tmor;
using report::parse_run_log;
using test::contains;
using test::message;

TEST_CASE("a log becomes curves by the names of its numbers") {
  const auto log = parse_run_log(
      "{\"note\":\"begins\"}\n{\"step\":10,\"epoch\":0,\"loss\":2.5,\"lr\":0.001,\"name\":\"x\"}\n\n"
      "{\"step\":20,\"loss\":null,\"scale\":{\"sv\":14.3}}\r\n{\"step\":20,\"valid\":{\"top1\":0.5,\"by\":{"
      "\"a\":1}}}\n"
      "{\"step\":30,\"lo",
      "x");
  CHECK(log.find("loss").x == std::vector<double>{10, 20});
  CHECK(log.find("loss").y[0] == 2.5);
  CHECK_FALSE(is_finite(log.find("loss").y[1]));
  CHECK(log.find("scale.sv").y == std::vector<double>{14.3});
  CHECK(log.find("none").x.empty());
  const auto valid = log.starting_with("valid.");
  REQUIRE(valid.size() == 2);
  CHECK(valid[0].name == "valid.by.a");
  CHECK(valid[1].y == std::vector<double>{0.5});
  CHECK(log.series.size() == 5);
}

TEST_CASE("only a last line may be cut short") {
  CHECK(parse_run_log("", "x").series.empty());
  CHECK(parse_run_log("{\"step\":1,\"a\":1}", "x").series.size() == 1);
  CHECK(contains(message<IoError>([] { parse_run_log("{\"step\":1}\n{\"st\n{\"step\":2}\n", "log"); }),
                 "log, line 2"));
  CHECK(contains(message<IoError>([] { parse_run_log("[1]\n", "log"); }), "object expected"));
  CHECK(contains(message<IoError>([] { report::read_run_log("/nowhere/log.jsonl"); }), "/nowhere/log.jsonl"));
  std::string many;
  for (int i = 0; i < 3000; ++i) many += "{\"step\":1,\"k" + std::to_string(i) + "\":1}\n";
  CHECK(contains(message<IoError>([&] { parse_run_log(many, "log"); }), "different numbers"));
}

TEST_CASE("it reads what the logger writes") {
  const test::TempDir dir;
  train::JsonlLog log(dir / "log.jsonl");
  log.write({{"step", 1}, {"loss", std::numeric_limits<double>::quiet_NaN()}});
  log.write({{"step", 2}, {"loss", 0.5}});
  const auto read = report::read_run_log(dir / "log.jsonl").find("loss");
  CHECK(read.x == std::vector<double>{1, 2});
  CHECK_FALSE(is_finite(read.y[0]));
  CHECK(read.y[1] == 0.5);
}

TEST_CASE("the usual curves of a run") {
  const auto log = parse_run_log(
      "{\"step\":1,\"loss\":2,\"lr\":1,\"scale_sv\":14,\"seconds\":3}\n"
      "{\"step\":2,\"valid\":{\"top1\":0.5,\"loss\":0.7,\"median_rank\":9}}\n",
      "x");
  const std::string s = report::training_curves(log).text;
  CHECK(test::markup_error(s) == "");
  CHECK(test::count(s, "<figure") == 5);
  for (const char* title :
       {"Training loss", "Validation", "Validation, not fractions", "Learned scales", "Learning rate"})
    CHECK(contains(s, std::string("<h3>") + title + "</h3>"));
  CHECK(contains(s, "50 %"));
  CHECK_FALSE(contains(s, "seconds"));
  const auto scaled = parse_run_log("{\"step\":1,\"loss\":2,\"loss_scale\":65536}\n", "x");
  CHECK(contains(report::training_curves(scaled).text,
                 "<h3>Also logged</h3>"));  // beside no loss or learned scale
  CHECK(contains(report::training_curves({}).text, "logged nothing"));
}

TEST_CASE("damaged logs") {
  const std::string good =
      "{\"epoch\":0,\"loss\":2.5,\"step\":10}\n{\"step\":20,\"valid\":{\"top1\":0.5}}\n{\"loss\":null,"
      "\"step\":30}\n";
  CHECK(test::fuzz(good, 3000, [](std::string_view b) { parse_run_log(b, "x"); }) > 300);
}
