#include "tmor/io/mat5.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"

using namespace tmor;
using test::contains;
using test::golden;
using test::message;
using Kind = io::MatValue::Kind;

TEST_CASE("what SciPy writes is read, plain and compressed") {
  for (const char* name : {"io/plain.mat", "io/compressed.mat"}) {
    CAPTURE(name);
    const auto m = io::read_mat5(golden(name));
    CHECK(m.at("x").shape == Shape{2, 3});
    for (std::size_t i = 0; i < 6; ++i) CHECK(m.at("x").array.as<double>()[i] == double(i) + 0.5);
    CHECK(m.at("single").array.as<float>()[1] == 2);
    CHECK(m.at("bytes").array.as<std::uint8_t>()[1] == 2);
    CHECK(m.at("wide").array.as<std::int64_t>()[0] == -(std::int64_t{1} << 62));
    CHECK(m.at("flags").array.as<bool>()[0] == true);
    CHECK(m.at("text").kind == Kind::text);
    CHECK(m.at("text").text == "caf\u00e9 \U0001f600");
    CHECK(m.at("rows").text == "abc\ndef");
    CHECK(m.at("empty").shape == Shape{0, 3});
    for (std::size_t i = 0; i < 24; ++i) CHECK(m.at("cube").array.as<double>()[i] == double(i));
    REQUIRE(m.at("names").cells.size() == 2);
    CHECK(m.at("names").cells[1].text == "three");
    CHECK(m.at("record").fields.at("a").at(0).array.as<double>()[0] == 1.5);
    CHECK(m.at("record").fields.at("b").at(0).text == "two");
    CHECK(m.at("complex").kind == Kind::other);
  }
}

TEST_CASE("the quirks of real files: compact doubles, small elements, UTF-8, streams without an end") {
  for (const char* name : {"io/quirks.mat", "io/unfinished.mat"}) {
    CAPTURE(name);
    const auto m = io::read_mat5(golden(name));
    CHECK(m.size() == 6);
    const auto x = m.at("x").array.as<double>();  // (3, 2), columns 1 2 3 and 400 500 600
    CHECK(m.at("x").shape == Shape{3, 2});
    CHECK(x[0] == 1);
    CHECK(x[1] == 400);
    CHECK(x[4] == 3);
    CHECK(m.at("visibility").array.as<bool>()[1] == false);
    CHECK(m.at("visibility").array.as<bool>()[2] == false);
    CHECK(m.at("vis_double").array.as<double>()[0] == 1);
    CHECK(m.at("train").array.as<std::int32_t>()[0] == -1);
    CHECK(m.at("action").text == "bowl");
    CHECK(m.at("nframes").array.as<double>()[0] == 3);
  }
}

TEST_CASE("other versions and damage are errors that name the file and the place") {
  CHECK(contains(message<IoError>([] { io::read_mat5(golden("io/hdf5.mat")); }), "-v7"));
  CHECK(contains(message<IoError>([] { io::read_mat5(golden("io/big_endian.mat")); }), "big-endian"));
  CHECK(contains(message<IoError>([] { io::read_mat5(golden("io/cut.mat")); }), "variable at byte 128"));
  const auto good = io::read_file(golden("io/quirks.mat"));
  CHECK(
      contains(message<IoError>([&] { io::parse_mat5(good.substr(0, 100), "a.mat"); }), "a.mat: 100 bytes"));
  CHECK(contains(message<IoError>([&] { io::parse_mat5(good.substr(0, 150), "a.mat"); }),
                 "a.mat: variable at byte 128"));
  CHECK_THROWS_AS(io::parse_mat5(good, "a.mat", {.max_bytes = 100}), IoError);
  CHECK_THROWS_AS(io::parse_mat5(good, "a.mat", {.max_values = 5}), IoError);
  CHECK_NOTHROW(io::parse_mat5(good, "a.mat", {.max_values = 6}));
  CHECK(io::parse_mat5(good.substr(0, 128), "a.mat").empty());
}
