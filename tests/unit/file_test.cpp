#include "tmor/io/file.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>

#include "../support/files.hpp"

using namespace tmor;
using test::contains;
using test::message;
using test::TempDir;

TEST_CASE("a file is written and read back whole") {
  TempDir dir;
  const std::string bytes("a\0b\r\n", 5);
  io::write_atomic(dir / "f", bytes);
  CHECK(io::read_file(dir / "f") == bytes);
  CHECK(io::MappedFile(dir / "f").bytes() == bytes);
  CHECK(io::file_info(dir / "f").size == 5);
  io::write_atomic(dir / "f", "");
  CHECK(io::read_file(dir / "f").empty());
  CHECK(io::MappedFile(dir / "f").bytes().empty());
  CHECK(io::list_directory(dir.path()) == std::vector<std::string>{"f"});  // no temporary name is left
}

TEST_CASE("a file whose size is not known beforehand is read, and capped") {
  CHECK(contains(io::read_file("/proc/self/status"), "Name:"));
  CHECK_THROWS_AS(io::read_file("/dev/zero", 100000), IoError);
}

TEST_CASE("errors name the path and what to do") {
  TempDir dir;
  CHECK(contains(message<IoError>([&] { io::read_file(dir / "none"); }), dir / "none"));
  CHECK(contains(message<IoError>([&] { io::read_file(dir / "none"); }), "check the path"));
  CHECK(contains(message<IoError>([&] { io::read_file(dir.path()); }), "directory"));
  CHECK(contains(message<IoError>([&] { io::write_atomic(dir.path(), "x"); }), "directory"));
  CHECK(contains(message<IoError>([&] { io::write_atomic(dir / "none/f", "x"); }), "check the path"));
  CHECK(contains(message<IoError>([&] { io::list_directory(dir / "none"); }), dir / "none"));
  io::write_atomic(dir / "f", "12345");
  CHECK(io::read_file(dir / "f", 5).size() == 5);
  CHECK(contains(message<IoError>([&] { io::read_file(dir / "f", 4); }), "cap of 4"));
  CHECK(contains(message<IoError>([&] { io::MappedFile(dir / "f", 4); }), "cap of 4"));
}

TEST_CASE("a write that is not finished leaves the old file and no trace") {
  TempDir dir;
  io::write_atomic(dir / "f", "old");
  {
    io::AtomicFile file(dir / "f");
    file.write("new");
    CHECK(io::read_file(dir / "f") == "old");
  }
  CHECK(io::read_file(dir / "f") == "old");
  CHECK(io::list_directory(dir.path()).size() == 1);
}

TEST_CASE("a write that the disk refuses leaves the old file and no trace") {
  TempDir dir;
  io::write_atomic(dir / "f", "old");
  // A limit on file size stands in for a full disk: write(2) fails in the same way, half way through.
  rlimit old{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &old) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, old.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto text = message<IoError>([&] { io::write_atomic(dir / "f", std::string(5000, 'x')); });
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  CHECK(contains(text, dir / "f"));
  CHECK(contains(text, "older one is untouched"));
  CHECK(io::read_file(dir / "f") == "old");
  CHECK(io::list_directory(dir.path()).size() == 1);
}

TEST_CASE("a link is followed and the permissions of the old file are kept") {
  TempDir dir;
  io::write_atomic(dir / "f", "old");
  REQUIRE(chmod((dir / "f").c_str(), 0600) == 0);
  REQUIRE(symlink("f", (dir / "link").c_str()) == 0);
  io::write_atomic(dir / "link", "new");
  CHECK(io::read_file(dir / "f") == "new");
  struct stat st;
  REQUIRE(lstat((dir / "link").c_str(), &st) == 0);
  CHECK(S_ISLNK(st.st_mode));
  REQUIRE(stat((dir / "f").c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0600);
}

TEST_CASE("directories are made with those above them") {
  TempDir dir;
  io::make_directories(dir / "a/b/c");
  io::make_directories(dir / "a/b/c");
  CHECK(io::file_info(dir / "a/b/c").is_directory);
  io::write_atomic(dir / "f", "x");
  CHECK_THROWS_AS(io::make_directories(dir / "f/a"), IoError);
}
