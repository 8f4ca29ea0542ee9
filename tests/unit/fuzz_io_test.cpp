// Valid files, damaged at random: each must be read or be refused with a tmor::Error, nothing else. Run under
// the sanitizers this also shows that no reader steps outside its bytes.
#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "tmor/io/csv.hpp"
#include "tmor/io/mat5.hpp"
#include "tmor/io/npz.hpp"
#include "tmor/io/safetensors.hpp"

using namespace tmor;

namespace {

/// splitmix64: the same damage on every machine.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::size_t below(std::size_t n) {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return static_cast<std::size_t>((z ^ (z >> 31)) % n);
  }

 private:
  std::uint64_t state_;
};

void damage_once(std::string& s, Dice& dice) {
  if (s.empty()) return;
  const std::size_t at = dice.below(s.size()), n = 1 + dice.below(std::min<std::size_t>(16, s.size() - at));
  switch (dice.below(7)) {
    case 0:
      s[at] = static_cast<char>(s[at] ^ (1 << dice.below(8)));
      break;
    case 1:
      s[at] = static_cast<char>(dice.below(256));
      break;
    case 2:
      s.resize(at);
      break;
    case 3:
      s.erase(at, n);
      break;
    case 4:
      s.insert(at, s.substr(dice.below(s.size()), n));
      break;
    case 5: {  // a number at the edge of its type
      constexpr std::uint64_t edges[] = {
          0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, ~std::uint64_t{0}};
      const std::size_t width = std::min(std::size_t{1} << dice.below(4), s.size() - at);
      std::memcpy(s.data() + at, &edges[dice.below(std::size(edges))], width);
      break;
    }
    default:
      s[at] = "0123456789[]{}(),:\"'<>\\\n\r -+.eE"[dice.below(31)];
  }
}

/// `read` on `cases` damaged copies of `good`; returns how many were refused.
template <class Read> int fuzz(const std::string& good, int cases, Read&& read) {
  REQUIRE_NOTHROW(read(good));
  int refused = 0;
  for (int i = 0; i < cases; ++i) {
    Dice dice(static_cast<std::uint64_t>(i) * 1000003 + good.size());
    std::string bytes = good;
    for (std::size_t k = 1 + dice.below(3); k > 0; --k) damage_once(bytes, dice);
    // On the heap at its exact size, so that a step beyond the end is seen.
    const std::vector<char> exact(bytes.begin(), bytes.end());
    try {
      read(std::string_view(exact.data(), exact.size()));
    } catch (const Error&) {
      ++refused;
    } catch (const std::exception& e) {
      FAIL_CHECK("case ", i, " throws something else: ", e.what());
    }
  }
  return refused;
}

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
