#pragma once
/// @file rng.hpp
/// `Rng`: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), a
/// counter-based generator: value number i is a pure function of (seed, stream, i). A tensor fill reserves a
/// range of counters, so it may run on any number of threads, or on the other device, and gives the same
/// numbers.

#include <cmath>
#include <vector>

#include "tmor/core/error.hpp"

TMOR_BEGIN

/// Four 32-bit words of Philox4x32-10 for a 128-bit counter (`index`, `stream`) under a 64-bit key.
struct PhiloxBlock {
  std::uint32_t word[4];
};
TMOR_HD inline PhiloxBlock philox(std::uint64_t key, std::uint64_t stream, std::uint64_t index) {
  std::uint32_t c0 = static_cast<std::uint32_t>(index), c1 = static_cast<std::uint32_t>(index >> 32);
  std::uint32_t c2 = static_cast<std::uint32_t>(stream), c3 = static_cast<std::uint32_t>(stream >> 32);
  std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0, p1 = std::uint64_t{0xCD9E8D57u} * c2;
    const std::uint32_t n0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    const std::uint32_t n2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<std::uint32_t>(p1);
    c3 = static_cast<std::uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/// Uniform in [0, 1) with 24 random bits.
TMOR_HD constexpr float uniform_from_bits(std::uint32_t w) { return static_cast<float>(w >> 8) * 0x1p-24f; }

/// The state of a random stream: three numbers, copied, compared and saved freely.
class Rng {
 public:
  struct State {
    std::uint64_t seed = 0, stream = 0, counter = 0;
    bool operator==(const State&) const = default;
  };

  explicit Rng(std::uint64_t seed, std::uint64_t stream = 0) : s_{seed, stream, 0} {}
  explicit Rng(const State& s) : s_(s) {}
  const State& state() const { return s_; }

  /// An independent stream named by `tag`; does not advance this one.
  Rng fork(std::uint64_t tag) const {
    const PhiloxBlock b = philox(s_.seed ^ 0x5851F42D4C957F2Dull, s_.stream, tag);
    return Rng(s_.seed, (std::uint64_t{b.word[0]} << 32 | b.word[1]));
  }
  /// Reserves `blocks` counters for a parallel fill and returns the first.
  std::uint64_t reserve(std::uint64_t blocks) {
    const std::uint64_t first = s_.counter;
    s_.counter += blocks;
    return first;
  }

  std::uint64_t bits() {
    const PhiloxBlock b = philox(s_.seed, s_.stream, s_.counter++);
    return std::uint64_t{b.word[0]} << 32 | b.word[1];
  }
  /// Uniform in [0, 1), 53 bits.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Standard normal (Box-Muller).
  double normal() {
    const double u = 1.0 - uniform(), v = uniform();  // u in (0, 1]
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586 * v);
  }
  bool bernoulli(double p) { return uniform() < p; }
  /// Uniform in {0, ..., n-1}, without bias (Lemire 2019). @throws Error for n < 1.
  Index uniform_int(Index n) {
    TMOR_CHECK(n >= 1, "[Rng::uniform_int] needs n >= 1, got ", n);
    const auto un = static_cast<std::uint64_t>(n);
    __extension__ using Wide = unsigned __int128;
    Wide m = static_cast<Wide>(bits()) * un;
    if (static_cast<std::uint64_t>(m) < un) {
      const std::uint64_t floor = (0 - un) % un;
      while (static_cast<std::uint64_t>(m) < floor) m = static_cast<Wide>(bits()) * un;
    }
    return static_cast<Index>(static_cast<std::uint64_t>(m >> 64));
  }
  /// 0, ..., n-1 in random order.
  std::vector<Index> permutation(Index n) {
    std::vector<Index> p(static_cast<std::size_t>(n));
    for (Index i = 0; i < n; ++i) p[static_cast<std::size_t>(i)] = i;
    shuffle(p);
    return p;
  }
  /// Fisher-Yates.
  template <class T> void shuffle(std::vector<T>& v) {
    for (std::size_t i = v.size(); i > 1; --i)
      std::swap(v[i - 1], v[static_cast<std::size_t>(uniform_int(static_cast<Index>(i)))]);
  }

 private:
  State s_;
};

TMOR_END
