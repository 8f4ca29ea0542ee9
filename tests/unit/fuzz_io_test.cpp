// Damaged files of the formats without JSON in them; see support/fuzz.hpp.
#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "../support/fuzz.hpp"
#include "tmor/io/csv.hpp"
#include "tmor/io/mat5.hpp"
#include "tmor/io/npz.hpp"

using namespace tmor;
using test::fuzz;

namespace {

constexpr std::size_t kCap = std::size_t{1} << 22;

std::string file(const char* name) { return io::read_file(test::golden(std::string("io/") + name)); }

}  // namespace

TEST_CASE("damaged npy") {
  for (const char* name :
       {"a_f4.npy", "bool.npy", "fortran.npy", "big_endian.npy", "a_u8.npy", "scalar.npy"}) {
    CAPTURE(name);
    CHECK(fuzz(file(name), 2000, [](std::string_view b) { io::parse_npy(b, "x", kCap); }) > 200);
  }
}

TEST_CASE("damaged npz") {
  for (const char* name : {"stored.npz", "deflate.npz"}) {
    CAPTURE(name);
    const auto read = [](std::string_view b) {
      const io::Npz npz(b, "x");
      for (const auto& n : npz.names()) npz.array(n, kCap);
    };
    CHECK(fuzz(file(name), 4000, read) > 400);
  }
}

TEST_CASE("damaged deflate streams") {
  for (const auto wrapper : {io::Wrapper::zlib, io::Wrapper::gzip}) {
    const auto good = file(wrapper == io::Wrapper::zlib ? "text.zlib" : "text.gz");
    CHECK(fuzz(good, 4000, [&](std::string_view b) { io::inflate(b, kCap, wrapper); }) > 400);
  }
}

TEST_CASE("damaged CSV") {
  const std::string good = "id,text\r\n1,\"a, \"\"b\"\"\r\nc\"\r\n2,\n";
  CHECK(fuzz(good, 10000, [](std::string_view b) { io::parse_csv(b, "x"); }) > 1000);
}

TEST_CASE("damaged MATLAB files") {
  for (const char* name : {"plain.mat", "compressed.mat", "quirks.mat", "unfinished.mat"}) {
    CAPTURE(name);
    const auto read = [](std::string_view b) {
      io::parse_mat5(b, "x", {.max_bytes = kCap, .max_values = 1000});
    };
    CHECK(fuzz(file(name), 8000, read) > 800);
  }
}
