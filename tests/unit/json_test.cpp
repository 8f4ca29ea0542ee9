#include "tmor/io/json.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"

using namespace tmor;
using test::contains;
using test::message;

namespace {
std::string failure(const std::string& text, const io::JsonOptions& options = {}) {
  return message<IoError>([&] { io::parse_json(text, "a.json", options); });
}
}  // namespace

TEST_CASE("values of every kind are built") {
  const auto j = io::parse_json(
      R"({"a": [1, -2, 3.5, true, null, "x", {}, []], "b": {"c": {"d": 18446744073709551615}}})", "a.json");
  CHECK(j["a"].size() == 8);
  CHECK(j["a"][1] == -2);
  CHECK(j["a"][2] == 3.5);
  CHECK(j["a"][5] == "x");
  CHECK(j["b"]["c"]["d"] == 18446744073709551615u);
  CHECK(io::json_text(j["a"]) == R"([1,-2,3.5,true,null,"x",{},[]])");
  CHECK(io::parse_json("\xef\xbb\xbf 7", "bom") == 7);
}

TEST_CASE("errors name file, line and column") {
  CHECK(contains(failure("{\"a\": 1,\n  \"b\": x}"), "a.json: line 2, column 8"));
  CHECK(contains(failure("[1, 2"), "a.json: line 1, column 6"));
  CHECK(contains(failure(""), "a.json: line 1, column 1"));
  CHECK(contains(failure("[1] 2"), "line 1, column 5"));
  CHECK(contains(failure("[1e999]"), "a.json: "));
  test::TempDir dir;
  io::write_atomic(dir / "b.json", "nope");
  CHECK(contains(message<IoError>([&] { io::read_json(dir / "b.json"); }), dir / "b.json"));
}

TEST_CASE("what the standard leaves open is refused") {
  CHECK(contains(failure(R"({"a": 1, "a": 2})"), "\"a\" appears twice"));
  CHECK(contains(failure("[\"\xff\"]"), "a.json: line 1"));
  CHECK(contains(failure(std::string(101, '[')), "deeper than 100"));
  CHECK(contains(failure("[[1]]", {.max_depth = 1}), "deeper than 1"));
  CHECK(failure("[[1]]", {.max_depth = 2}).empty());
  CHECK(contains(failure("[1,2]", {.max_bytes = 4}), "cap of 4"));
}

TEST_CASE("typed access converts nothing silently") {
  const auto j = io::parse_json(R"({"n": 300, "x": 1.5, "s": "t", "b": true, "big": 1e300})", "a.json");
  CHECK(io::json_at<int>(j, "n", "a.json") == 300);
  CHECK(io::json_at<float>(j, "n", "a.json") == 300);
  CHECK(io::json_at<double>(j, "x", "a.json") == 1.5);
  CHECK(io::json_at<std::string>(j, "s", "a.json") == "t");
  CHECK(io::json_at<bool>(j, "b", "a.json"));
  const auto at = [&](auto t, const char* key) {
    return message<IoError>([&] { io::json_at<decltype(t)>(j, key, "a.json"); });
  };
  CHECK(at(std::uint8_t{}, "n") == "a.json: n: 300 is out of range");
  CHECK(at(int{}, "x") == "a.json: x: a whole number expected, not number");
  CHECK(at(float{}, "big") == "a.json: big: 1e+300 is out of range");
  CHECK(at(int{}, "none") == "a.json: the key \"none\" is missing");
  CHECK(at(bool{}, "n") == "a.json: n: true or false expected, not number");
}

TEST_CASE("written and read back") {
  test::TempDir dir;
  const io::Json j = {{"b", 1}, {"a", {0.1, "\u00e9"}}};
  io::write_json(dir / "a.json", j);
  CHECK(io::read_json(dir / "a.json") == j);
  CHECK_THROWS_AS(io::json_text(io::Json("\xff")), Error);
  const double inf = std::numeric_limits<double>::infinity();
  CHECK(io::json_text({{"loss", {1.5, inf, -inf, std::numeric_limits<double>::quiet_NaN()}}}) ==
        R"({"loss":[1.5,null,null,null]})");
}
