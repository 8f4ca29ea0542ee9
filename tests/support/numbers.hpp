#pragma once
/// Numbers to test kernels on, and the number of threads for a scope.

#include <cstdint>
#include <vector>

#include "tmor/core/parallel.hpp"

namespace support {

/// `Threads with(3);`: that many until the end of the scope.
struct Threads {
  int before = tmor::num_threads();
  explicit Threads(int n) { tmor::set_num_threads(n); }
  ~Threads() { tmor::set_num_threads(before); }
};

/// `count` numbers in [-1, 1) from a little generator of our own.
template <class T> std::vector<T> numbers(tmor::Index count, std::uint64_t seed) {
  std::vector<T> v(static_cast<std::size_t>(count));
  for (T& x : v) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    x = static_cast<T>(static_cast<double>(seed >> 11) * 0x1p-52 - 1.0);
  }
  return v;
}

/// Element i of tensor `number`, spread over [low, high): the lowbias32 hash of 2^20 number + i. The same as
/// tests/golden/hashed.py.
inline float hashed(tmor::Index number, tmor::Index i, double low, double high) {
  auto x = static_cast<std::uint32_t>((number << 20) + i);
  x = (x ^ x >> 16) * 0x7FEB352Du;
  x = (x ^ x >> 15) * 0x846CA68Bu;
  x ^= x >> 16;
  return static_cast<float>(low + (high - low) * (static_cast<double>(x >> 8) * 0x1p-24));
}

}  // namespace support
