#pragma once
/// @file fuzz.hpp
/// Valid files, damaged at random: each must be read or be refused with a tmor::Error, nothing else. Run
/// under the sanitizers this also shows that no reader steps outside its bytes.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "tmor/core/error.hpp"

namespace test {

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

inline void damage_once(std::string& s, Dice& dice) {
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
    } catch (const tmor::Error&) {
      ++refused;
    } catch (const std::exception& e) {
      FAIL_CHECK("case ", i, " throws something else: ", e.what());
    }
  }
  return refused;
}

}  // namespace test
