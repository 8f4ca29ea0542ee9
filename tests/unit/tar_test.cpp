#include "tmor/io/tar.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "../support/files.hpp"
#include "../support/fuzz.hpp"

using namespace tmor;
using test::contains;
using test::message;
using Files = std::vector<std::pair<std::string, std::string>>;

namespace {

Files read_all(std::string_view bytes, std::size_t cap = std::size_t{1} << 20) {
  io::TarReader<io::MemorySource> tar(io::MemorySource(bytes), "x.tar");
  Files files;
  while (const auto e = tar.next()) {
    if (e->offset <= bytes.size() && e->size <= bytes.size() - e->offset) {
      files.emplace_back(e->name, tar.read(cap));
      CHECK(bytes.substr(e->offset, e->size) == files.back().second);
    } else {
      tar.read(cap);
    }
  }
  return files;
}
std::string refusal(std::string_view bytes) {
  return message<IoError>([&] { read_all(bytes); });
}
std::string golden(const char* name) { return io::read_file(test::golden(std::string("tar/") + name)); }

std::string written(const Files& files) {
  const test::TempDir dir;
  io::TarWriter tar(dir / "a.tar");
  for (const auto& [name, bytes] : files) tar.add(name, bytes);
  CHECK_FALSE(io::exists(dir / "a.tar"));
  tar.commit();
  CHECK(io::file_info(dir / "a.tar").size == tar.size() + 1024);
  return io::read_file(dir / "a.tar");
}

const std::string kLong = std::string(150, 'd') + "/" + std::string(90, 'f') + ".txt";

}  // namespace

TEST_CASE("archives of Python and of GNU tar") {
  const Files want{
      {"a.txt", "hello\n"}, {"empty", ""}, {kLong, "long"}, {"caf\u00e9.bin", std::string(513, '\1')}};
  for (const char* name : {"ustar.tar", "gnu.tar", "pax.tar"}) {
    CAPTURE(name);
    CHECK(read_all(golden(name)) == want);
  }
}

TEST_CASE("what is written is read again") {
  const Files files{{"a", ""},
                    {"b/c.txt", std::string(512, 'x')},
                    {kLong, "1"},
                    {"\u00fc", "22"},
                    {std::string(100, 'n'), "3"}};
  const auto bytes = written(files);
  CHECK(read_all(bytes) == files);
  CHECK(written(files) == bytes);
  CHECK(read_all(written({})).empty());
  const test::TempDir dir;
  io::TarWriter tar(dir / "a.tar");
  CHECK(contains(message<Error>([&] { tar.add("", "x"); }), "empty"));
  CHECK(contains(message<Error>([&] { tar.add("d/", "x"); }), "folder"));
}

TEST_CASE("an index says where the files lie, and what is not read is passed over") {
  const test::TempDir dir;
  const auto bytes = written({{"a", "one"}, {kLong, std::string(1000, '2')}, {"c", "three"}});
  io::write_atomic(dir / "a.tar", bytes);
  const auto index = io::tar_index(dir / "a.tar");
  REQUIRE(index.size() == 3);
  CHECK(index[1].name == kLong);
  CHECK(index[2].name == "c");
  CHECK(bytes.substr(index[2].offset, index[2].size) == "three");
}

TEST_CASE("damage is refused with the byte") {
  const auto good = written({{"a", "one"}, {"b", std::string(600, '2')}});
  CHECK(contains(refusal(""), "x.tar: byte 0: the archive is empty"));
  CHECK(contains(refusal(good.substr(0, 100)), "byte 0: the archive is empty, or too short"));
  CHECK(contains(refusal(good.substr(0, 514)), "byte 512: the archive ends inside a file of 3 bytes"));
  CHECK(contains(refusal(good.substr(0, 700)), "padding"));
  CHECK(contains(refusal(good.substr(0, 1024)), "byte 1024: the archive ends without its end mark"));
  auto flipped = good;
  flipped[1024] = 'B';
  CHECK(contains(refusal(flipped), "byte 1024: the checksum"));
  CHECK(contains(refusal(std::string(512, 'x')), "is not octal"));
  auto huge = good;  // 8 GiB - 1, and a checksum that fits
  huge.replace(124, 11, "77777777777");
  const auto sum = io::detail::tar_checksum(huge);
  for (std::size_t i = 0, v = sum; i < 6; ++i, v >>= 3) huge[153 - i] = static_cast<char>('0' + (v & 7));
  CHECK(contains(refusal(huge), "8589934591 bytes, more than the cap"));
}

TEST_CASE("damaged archives") {
  for (const char* name : {"ustar.tar", "gnu.tar", "pax.tar"}) {
    CAPTURE(name);
    CHECK(test::fuzz(golden(name), 4000, [](std::string_view b) { read_all(b, 1 << 16); }) > 100);
  }
}
