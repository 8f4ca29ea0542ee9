#include "tmor/io/inflate.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "tmor/io/file.hpp"

using namespace tmor;
using test::contains;
using test::message;

namespace {
std::string abc() {
  std::string s;
  for (int i = 0; i < 1000; ++i) s += "abc";
  return s;
}
}  // namespace

TEST_CASE("zlib, raw and gzip streams") {
  const auto zlib = io::read_file(test::golden("io/text.zlib"));
  const auto out = io::inflate(zlib, 3000);
  CHECK(out.complete);
  CHECK(out.data == abc());
  const auto raw = io::inflate(std::string_view(zlib).substr(2), 3000, io::Wrapper::raw);
  CHECK(raw.complete);
  CHECK(raw.data == abc());
  const auto gz = io::inflate(io::read_file(test::golden("io/text.gz")), 3003, io::Wrapper::gzip);
  CHECK(gz.complete);
  CHECK(gz.data == abc() + "end");  // two members
}

TEST_CASE("a stream without its end gives what it holds and says so") {
  const auto zlib = io::read_file(test::golden("io/text.zlib"));
  const auto out = io::inflate(std::string_view(zlib).substr(0, zlib.size() - 4), 3000);
  CHECK_FALSE(out.complete);
  CHECK(out.data == abc());
  const auto none = io::inflate("", 10);
  CHECK_FALSE(none.complete);
  CHECK(none.data.empty());
}

TEST_CASE("the expanded size is capped exactly") {
  const auto zlib = io::read_file(test::golden("io/text.zlib"));
  CHECK(contains(message<IoError>([&] { io::inflate(zlib, 2999, io::Wrapper::zlib, "x.mat"); }), "x.mat"));
  CHECK_THROWS_AS(io::inflate(zlib, 0), IoError);
  CHECK(io::inflate(zlib, std::size_t(-1)).data.size() == 3000);
}

TEST_CASE("damage is an error that names the place") {
  auto zlib = io::read_file(test::golden("io/text.zlib"));
  zlib[0] = 'x';
  zlib[1] = 'y';
  CHECK(contains(message<IoError>([&] { io::inflate(zlib, 3000); }), "damaged deflate stream at byte"));
  auto checksum = io::read_file(test::golden("io/text.zlib"));
  checksum.back() = static_cast<char>(checksum.back() ^ 1);
  CHECK_THROWS_AS(io::inflate(checksum, 3000), IoError);
}
