#include "tmor/io/csv.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"

using namespace tmor;
using test::contains;
using test::message;
using Row = std::vector<std::string>;

namespace {
std::string failure(const std::string& text, const io::CsvOptions& options = {}) {
  return message<IoError>([&] { io::parse_csv(text, "a.csv", options); });
}
}  // namespace

TEST_CASE("rows, quotes, line ends, blank lines") {
  const auto t = io::parse_csv("\xef\xbb\xbfid,text\r\n1,\"a, \"\"b\"\"\r\nc\"\r\n\r\n2,\n3,\"\"", "a.csv");
  CHECK(t.header == Row{"id", "text"});
  REQUIRE(t.rows.size() == 3);
  CHECK(t.rows[0] == Row{"1", "a, \"b\"\r\nc"});
  CHECK(t.rows[1] == Row{"2", ""});
  CHECK(t.rows[2] == Row{"3", ""});
  CHECK(t.lines == std::vector<std::size_t>{2, 5, 6});
  CHECK(t.column("text") == 1);
  CHECK(contains(message<IoError>([&] { t.column("texts"); }), "no column 'texts'; it has: id, text"));
}

TEST_CASE("options") {
  CHECK(io::parse_csv("1;2\n", "a.csv", {.separator = ';', .header = false}).rows[0] == Row{"1", "2"});
  CHECK(io::parse_csv("a,b\n1\n", "a.csv", {.ragged = true}).rows[0] == Row{"1"});
  CHECK(io::parse_csv("", "a.csv").rows.empty());
}

TEST_CASE("errors name file and line") {
  CHECK(contains(failure("a,b\n1,2\n3\n"), "a.csv: line 3: 1 fields where the first row has 2"));
  CHECK(contains(failure("a\n\"b\nc"), "a.csv: line 2: a quoted field without an end"));
  CHECK(contains(failure("a\n\"b\"c"), "a.csv: line 2: text after a closing quote"));
  CHECK(contains(failure("a\nb\"c"), "a.csv: line 2: a quote inside"));
}

TEST_CASE("written lines are read back") {
  const Row row{"plain", "with, comma", "with \"quote\"", "two\r\nlines", ""};
  const auto t = io::parse_csv(io::csv_line(row) + io::csv_line(row), "a.csv", {.header = false});
  REQUIRE(t.rows.size() == 2);
  CHECK(t.rows[1] == row);
  CHECK(io::parse_csv(io::csv_line({""}), "a.csv", {.header = false}).rows.at(0) == Row{""});
}
