#include "tmor/io/npy.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"

using namespace tmor;
using test::contains;
using test::golden;
using test::message;

TEST_CASE("every element type NumPy writes is read") {
  const std::pair<const char*, DType> types[] = {{"f2", DType::f16}, {"f4", DType::f32}, {"f8", DType::f64},
                                                 {"i1", DType::i32}, {"i2", DType::i32}, {"i4", DType::i32},
                                                 {"i8", DType::i64}, {"u1", DType::u8},  {"u2", DType::i32},
                                                 {"u4", DType::i64}, {"u8", DType::i64}};
  for (const auto& type : types) {
    const std::string code = type.first;
    CAPTURE(code);
    const auto a = io::read_npy(golden("io/a_" + code + ".npy"));
    CHECK(a.dtype() == type.second);
    CHECK(a.shape() == Shape{2, 3});
    const auto f = a.convert_to<float>();
    for (std::size_t i = 0; i < 6; ++i) CHECK(f.as<float>()[i] == float(i));
  }
  const auto b = io::read_npy(golden("io/bool.npy"));
  CHECK(b.as<bool>()[0] == false);
  CHECK(b.as<bool>()[5] == true);
}

TEST_CASE("byte order, Fortran order, versions, scalars and empty arrays") {
  const auto big = io::read_npy(golden("io/big_endian.npy"));
  CHECK(big.as<float>()[5] == 5);
  const auto big2 = io::read_npy(golden("io/big_endian_i2.npy"));
  CHECK(big2.as<std::int32_t>()[0] == -3);
  const auto fortran = io::read_npy(golden("io/fortran.npy"));
  CHECK(fortran.shape() == Shape{2, 3, 4});
  for (std::size_t i = 0; i < 24; ++i) CHECK(fortran.as<std::int32_t>()[i] == int(i));
  CHECK(io::read_npy(golden("io/version2.npy")).as<float>()[4] == 4);
  CHECK(io::read_npy(golden("io/version3.npy")).as<float>()[4] == 4);
  const auto scalar = io::read_npy(golden("io/scalar.npy"));
  CHECK(scalar.shape() == Shape{});
  CHECK(scalar.as<double>()[0] == 2.5);
  CHECK(io::read_npy(golden("io/empty.npy")).shape() == Shape{3, 0, 2});
}

TEST_CASE("what is not numbers is refused with a reason") {
  CHECK(contains(message<IoError>([] { io::read_npy(golden("io/objects.npy")); }), "'|O'"));
  CHECK(contains(message<IoError>([] { io::read_npy(golden("io/text.npy")); }), "astype"));
  CHECK(contains(message<IoError>([] { io::read_npy(golden("io/fields.npy")); }), "structured"));
}

TEST_CASE("files are written as NumPy writes them and read back") {
  test::TempDir dir;
  for (const char* name : {"a_f2", "a_f4", "a_f8", "a_i4", "a_i8", "a_u1", "bool", "scalar", "empty"}) {
    CAPTURE(name);
    const auto path = golden(std::string("io/") + name + ".npy");
    io::write_npy(dir / "a.npy", io::read_npy(path));
    CHECK(io::read_file(dir / "a.npy") == io::read_file(path));
  }
  CHECK_THROWS_AS(io::npy_header(io::Array(DType::bf16, {1})), Error);
}

TEST_CASE("damaged files are errors that name the file and the byte") {
  const auto good = io::read_file(golden("io/a_f4.npy"));
  const auto parse = [](std::string bytes) {
    return message<IoError>([&] { io::parse_npy(bytes, "a.npy"); });
  };
  REQUIRE(parse(good).empty());
  CHECK(contains(parse("hello, this is text"), "not an npy file"));
  CHECK(contains(parse(good.substr(0, good.size() - 1)), "a.npy: byte 128"));
  CHECK(contains(parse(good + "x"), "25 bytes of data"));
  auto with = [&](const std::string& from, const std::string& to) {
    auto s = good;
    return s.replace(s.find(from), from.size(), to);
  };
  CHECK(contains(parse(with("(2, 3)", "(-2,3)")), "a size expected"));
  CHECK(contains(parse(with("(2, 3), }            ", "(99999999999,99999999), }")), "more than the cap"));
  CHECK(contains(parse(with("(2, 3), }         ", "(1,1,1,1,1,1,1,1,6)}")), "more than 8 dimensions"));
  CHECK(contains(parse(with("descr", "descs")), "unknown"));
  CHECK(contains(parse(with("False", "Fals!")), "True or False"));
  CHECK_THROWS_AS(io::parse_npy(good, "a.npy", 23), IoError);
  CHECK_NOTHROW(io::parse_npy(good, "a.npy", 24));
}

TEST_CASE("Array: conversion is exact to integers and typed access is checked") {
  const auto a = io::Array::of<float>({3}, {0, -1, 300});
  CHECK(a.convert_to<double>().as<double>()[2] == 300);
  CHECK(a.convert_to<bool>().as<bool>()[1]);
  CHECK(contains(message<Error>([&] { a.convert_to<std::uint8_t>(); }), "element 1 is -1"));
  CHECK(contains(message<Error>([&] { a.as<double>(); }), "float32, not float64"));
  CHECK_THROWS_AS(io::Array::of<float>({1}, {0.5f}).convert_to<std::int32_t>(), Error);
  CHECK_THROWS_AS(io::Array::of<double>({1}, {9223372036854775808.0}).convert_to<std::int64_t>(), Error);
  CHECK(
      io::Array::of<double>({1}, {-9223372036854775808.0}).convert_to<std::int64_t>().as<std::int64_t>()[0] ==
      std::numeric_limits<std::int64_t>::min());
  const auto nan = io::Array::of<double>({1}, {std::numeric_limits<double>::quiet_NaN()});
  CHECK_THROWS_AS(nan.convert_to<std::int64_t>(), Error);
  CHECK_THROWS_AS(io::Array(DType::f32, {Index{1} << 40, Index{1} << 40}), IoError);
  CHECK_THROWS_AS(io::Array(DType::f32, {-1}), IoError);
  CHECK(reinterpret_cast<std::uintptr_t>(a.data()) % 64 == 0);
  CHECK_THROWS_AS(a.clone().reshaped({4}), ShapeError);
}
