// Damaged files of the formats with JSON in them; see support/fuzz.hpp.
#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "../support/fuzz.hpp"
#include "tmor/io/safetensors.hpp"

using namespace tmor;
using test::fuzz;

TEST_CASE("damaged safetensors") {
  test::TempDir dir;
  const auto a = io::Array::of<float>({2, 2}, {1, 2, 3, 4});
  const auto b = io::Array::of<bool>({3}, {true, false, true});
  io::write_safetensors(dir / "a", {{"weight", a}, {"mask", b}, {"none", io::Array()}}, {{"step", "12"}});
  const auto read = [](std::string_view bytes) {
    const io::SafeTensors f(bytes, "x");
    for (const auto& t : f.tensors()) f.array(t.first);
  };
  CHECK(fuzz(io::read_file(dir / "a"), 10000, read) > 1000);
}

TEST_CASE("damaged JSON") {
  const std::string good =
      R"({"a": [1, -2.5e3, true, null], "b": {"c": "x\u00e9\n", "d": [[], {}]}, "n": 12345678901})";
  const auto read = [](std::string_view b) { io::json_text(io::parse_json(b, "x")); };
  CHECK(fuzz(good, 10000, read) > 1000);
}
