#include "tmor/io/npz.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"

using namespace tmor;
using test::contains;
using test::golden;
using test::message;

TEST_CASE("stored and deflated archives of NumPy are read") {
  for (const char* name : {"io/stored.npz", "io/deflate.npz"}) {
    CAPTURE(name);
    const io::Npz npz(golden(name));
    CHECK(npz.names().at(0) == "ramp");
    CHECK(npz.contains("ramp"));
    CHECK_FALSE(npz.contains("ramp.npy"));
    const auto ramp = npz.array("ramp");
    CHECK(ramp.shape() == Shape{2, 3});
    for (std::size_t i = 0; i < 6; ++i) CHECK(ramp.as<float>()[i] == float(i));
  }
  const auto all = io::read_npz(golden("io/deflate.npz"));
  CHECK(all.size() == 2);
  CHECK(all.at("zeros").shape() == Shape{40, 50});
}

TEST_CASE("written archives are read back and do not depend on the clock") {
  test::TempDir dir;
  const auto arrays = io::read_npz(golden("io/stored.npz"));
  io::write_npz(dir / "a.npz", arrays);
  io::write_npz(dir / "b.npz", arrays);
  CHECK(io::read_file(dir / "a.npz") == io::read_file(dir / "b.npz"));
  const auto again = io::read_npz(dir / "a.npz");
  REQUIRE(again.size() == 2);
  CHECK(again.at("ramp").as<float>()[5] == 5);
  CHECK(again.at("flags").as<bool>()[1] == true);
  io::write_npz(dir / "none.npz", {});
  CHECK(io::read_npz(dir / "none.npz").empty());
}

TEST_CASE("damaged archives are errors that name the file and the member") {
  const auto good = io::read_file(golden("io/deflate.npz"));
  const auto read = [](std::string_view bytes) {
    return message<IoError>([&] {
      const io::Npz npz(bytes, "a.npz");
      for (const auto& name : npz.names()) npz.array(name);
    });
  };
  REQUIRE(read(good).empty());
  CHECK(contains(read("no zip at all"), "not a zip archive"));
  CHECK(contains(read(good.substr(0, good.size() - 1)), "not a zip archive"));
  CHECK_FALSE(read(good.substr(10)).empty());
  auto flipped = good;
  flipped[70] = static_cast<char>(flipped[70] ^ 1);
  CHECK(contains(read(flipped), "a.npz"));
  const io::Npz npz(good, "a.npz");
  CHECK(contains(message<IoError>([&] { npz.array("rump"); }), "no member 'rump.npy'; it has: ramp.npy"));
  CHECK(contains(message<IoError>([&] { npz.array("zeros", 1000); }), "cap of 1000"));
}

TEST_CASE("ZIP64 numbers in the directory are read") {
  // A stored member "a" holding "hello", every wide number in its ZIP64 place.
  const auto le = [](std::uint64_t v, int n) {
    std::string s;
    for (int i = 0; i < n; ++i, v >>= 8) s += static_cast<char>(v & 255);
    return s;
  };
  const std::uint64_t crc = 0x3610a686;  // of "hello"
  std::string z = le(0x04034b50, 4) + le(45, 2) + le(0, 8) + le(crc, 4) + le(0xffffffff, 4) +
                  le(0xffffffff, 4) + le(1, 2) + le(20, 2) + "a" + le(1, 2) + le(16, 2) + le(5, 8) +
                  le(5, 8) + "hello";
  const auto directory = z.size();
  z += le(0x02014b50, 4) + le(45, 2) + le(45, 2) + le(0, 8) + le(crc, 4) + le(0xffffffff, 4) +
       le(0xffffffff, 4) + le(1, 2) + le(28, 2) + le(0, 10) + le(0xffffffff, 4) + "a" + le(1, 2) + le(24, 2) +
       le(5, 8) + le(5, 8) + le(0, 8);
  const auto record = z.size();
  z += le(0x06064b50, 4) + le(44, 8) + le(45, 2) + le(45, 2) + le(0, 8) + le(1, 8) + le(1, 8) +
       le(record - directory, 8) + le(directory, 8);
  z += le(0x07064b50, 4) + le(0, 4) + le(record, 8) + le(1, 4);
  z += le(0x06054b50, 4) + le(0, 4) + le(0xffff, 2) + le(0xffff, 2) + le(0xffffffff, 4) + le(0xffffffff, 4) +
       le(0, 2);
  const io::ZipReader zip(z, "wide.zip");
  CHECK(zip.extract("a") == "hello");
}
