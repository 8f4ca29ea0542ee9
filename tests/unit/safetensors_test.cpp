#include "tmor/io/safetensors.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"

using namespace tmor;
using test::contains;
using test::message;

namespace {

std::string file_of(const std::string& header, const std::string& data = "") {
  std::uint64_t n = header.size();
  return std::string(reinterpret_cast<const char*>(&n), 8) + header + data;
}

std::string failure(const std::string& bytes) {
  return message<IoError>([&] { io::SafeTensors(bytes, "a.safetensors"); });
}

std::string tensor(const char* name, const char* dtype, const char* shape, int begin, int end) {
  return tmor::detail::cat('"', name, "\":{\"dtype\":\"", dtype, "\",\"shape\":", shape,
                           ",\"data_offsets\":[", begin, ",", end, "]}");
}

}  // namespace

TEST_CASE("a file written by hand is read") {
  const float v[] = {1, 2, 3};
  const std::string data(reinterpret_cast<const char*>(v), 12);
  const auto bytes =
      file_of("{\"__metadata__\":{\"k\":\"v\"}," + tensor("w", "F32", "[3,1]", 0, 12) + "," +
                  tensor("none", "I64", "[0]", 12, 12) + "," + tensor("b", "BOOL", "[]", 12, 13) + "}  ",
              data + "\1");
  const io::SafeTensors file(bytes, "a");
  CHECK(file.metadata().at("k") == "v");
  CHECK(file.tensors().size() == 3);
  const auto w = file.array("w");
  CHECK(w.shape() == Shape{3, 1});
  CHECK(w.as<float>()[2] == 3);
  CHECK(file.array("none").numel() == 0);
  CHECK(file.array("b").as<bool>()[0]);
  CHECK(file.bytes("w") == data);
  CHECK_THROWS_AS(file.info("x"), IoError);
}

TEST_CASE("every type is written and read back, aligned, and the order given does not matter") {
  test::TempDir dir;
  const auto f32 = io::Array::of<float>({2}, {1.5f, -2}), empty = io::Array(DType::f64, {0, 3});
  const auto f64 = io::Array::of<double>({1}, {0.1});
  const auto b16 = io::Array::of<bf16>({3}, {bf16(1), bf16(2), bf16(3)});
  const auto h16 = io::Array::of<f16>({1}, {f16(0.5f)});
  const auto i32 = io::Array::of<std::int32_t>({}, {-7}), u8 = io::Array::of<std::uint8_t>({1}, {255});
  const auto i64 = io::Array::of<std::int64_t>({1}, {std::int64_t{1} << 40});
  const auto flag = io::Array::of<bool>({2}, {true, false});
  std::vector<io::SafeTensorView> list{{"u8", u8},   {"f32", f32}, {"empty", empty},
                                       {"f64", f64}, {"b16", b16}, {"h16", h16},
                                       {"i32", i32}, {"i64", i64}, {"flag", flag}};
  io::write_safetensors(dir / "a", list, {{"step", "12"}, {"\u00e9", "\n"}});
  std::swap(list[0], list[5]);
  io::write_safetensors(dir / "b", list, {{"\u00e9", "\n"}, {"step", "12"}});
  const auto bytes = io::read_file(dir / "a");
  CHECK(bytes == io::read_file(dir / "b"));

  const io::SafeTensors file(dir / "a");
  CHECK(file.metadata() == std::map<std::string, std::string>{{"step", "12"}, {"\u00e9", "\n"}});
  for (const auto& v : list) {
    CAPTURE(v.name);
    const auto a = file.array(v.name);
    CHECK(a.dtype() == v.dtype);
    CHECK(a.shape() == v.shape);
    CHECK(std::string_view(reinterpret_cast<const char*>(a.data()), a.bytes()) ==
          std::string_view(static_cast<const char*>(v.data), a.bytes()));
    CHECK(file.info(v.name).begin % dtype_size(v.dtype) == 0);
  }
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  CHECK((8 + length) % 64 == 0);

  io::write_safetensors(dir / "none", {});
  CHECK(io::SafeTensors(dir / "none").tensors().empty());
  CHECK_THROWS_AS(io::write_safetensors(dir / "c", {{"x", u8}, {"x", u8}}), Error);
  CHECK_THROWS_AS(io::write_safetensors(dir / "c", {{"__metadata__", u8}}), Error);
  CHECK_FALSE(io::exists(dir / "c"));
}

TEST_CASE("damaged headers are errors that name the file and the tensor") {
  const std::string data(8, 'x');
  const auto with = [&](const std::string& entries) { return failure(file_of("{" + entries + "}", data)); };
  REQUIRE(with(tensor("w", "F32", "[2]", 0, 8)).empty());
  CHECK(contains(failure("short"), "a.safetensors"));
  CHECK(contains(failure(std::string(8, '\xff')), "a header of"));
  CHECK(contains(failure(file_of("[]")), "not a JSON object"));
  CHECK(contains(failure(file_of("{")), "header"));
  CHECK(contains(with(tensor("w", "F32", "[1]", 0, 4)), "end at byte 4"));
  CHECK(contains(with(tensor("w", "F32", "[1]", 4, 8)), "a hole at byte 0"));
  CHECK(contains(with(tensor("v", "F32", "[2]", 0, 8) + "," + tensor("w", "F32", "[1]", 4, 8)),
                 "overlap at byte 8"));
  CHECK(contains(with(tensor("w", "F32", "[2]", 0, 8) + "," + tensor("w", "F32", "[2]", 0, 8)), "twice"));
  CHECK(contains(with(tensor("w", "F32", "[3]", 0, 8)), "takes 12"));
  CHECK(contains(with(tensor("w", "F32", "[3]", 0, 12)), "outside the data of 8"));
  CHECK(contains(with(tensor("w", "F32", "[2]", 8, 0)), "outside"));
  CHECK(contains(with(tensor("w", "F32", "[-2]", 0, 8)), "negative"));
  CHECK(contains(with(tensor("w", "F32", "[4294967296,4294967296,4294967296]", 0, 8)), "more than the cap"));
  CHECK(contains(with(tensor("w", "F32", "[1,1,1,1,1,1,1,1,2]", 0, 8)), "more than 8"));
  CHECK(contains(with(tensor("w", "F8_E4M3", "[8]", 0, 8)), "F8_E4M3 are not read"));
  CHECK(contains(with("\"w\":{\"dtype\":\"F32\",\"shape\":[2]}"), "data_offsets"));
  CHECK(contains(with("\"w\":3"), "w: an object expected"));
  CHECK(contains(with("\"__metadata__\":{\"a\":1}," + tensor("w", "F32", "[2]", 0, 8)), "string expected"));
  const auto bytes = file_of("{" + tensor("w", "BOOL", "[8]", 0, 8) + "}", data);
  CHECK_THROWS_AS(io::SafeTensors(bytes, "a").array("w"), IoError);
}
