#pragma once
/// @file random.hpp
/// Random fills on the CPU: element i takes word i % 4 of the Philox block `counter + i / 4`, whatever thread
/// computes it.

#include "tmor/core/rng.hpp"
#include "tmor/core/tensor.hpp"
#include "tmor/cpu/lanes.hpp"
#include "tmor/cpu/loop.hpp"

TMOR_BEGIN

namespace cpu {

/// The words of `kPhiloxLanes` blocks from `index` on; the loop of `philox` over vectors.
inline constexpr int kPhiloxLanes = kLanes<std::uint64_t>;
inline void philox_lanes(const Rng::State& s, std::uint64_t index, std::uint32_t* word) {
  using V = Pack<std::uint64_t>::Vec;
  constexpr std::uint64_t low = 0xffffffffu;
  V at;
  for (int i = 0; i < kPhiloxLanes; ++i) at[i] = index + static_cast<std::uint64_t>(i);
  V c0 = at & low, c1 = at >> 32, c2 = V{} + (s.stream & low), c3 = V{} + (s.stream >> 32);
  std::uint32_t k0 = static_cast<std::uint32_t>(s.seed), k1 = static_cast<std::uint32_t>(s.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const V p0 = c0 * std::uint64_t{0xD2511F53u}, p1 = c2 * std::uint64_t{0xCD9E8D57u};
    c0 = (p1 >> 32) ^ c1 ^ std::uint64_t{k0};
    c2 = (p0 >> 32) ^ c3 ^ std::uint64_t{k1};
    c1 = p1 & low;
    c3 = p0 & low;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int i = 0; i < kPhiloxLanes; ++i) {
    word[4 * i] = static_cast<std::uint32_t>(c0[i]);
    word[4 * i + 1] = static_cast<std::uint32_t>(c1[i]);
    word[4 * i + 2] = static_cast<std::uint32_t>(c2[i]);
    word[4 * i + 3] = static_cast<std::uint32_t>(c3[i]);
  }
}

inline constexpr Index kRandomBlock = 256;  ///< elements whose words are made at a time

/// Uniform numbers for elements [begin, begin + kRandomBlock), `begin` a multiple of it. Not `paired`: `u`
/// in [0, 1), one a word. Paired, for distributions that take two: both elements of a pair get u in (0, 1]
/// from its first word, and `v` from the second; that of the odd one lies a quarter lower.
inline void random_block(const Rng::State& s, Index begin, bool paired, float* u, float* v) {
  std::uint32_t word[kRandomBlock];
  const std::uint64_t first = s.counter + static_cast<std::uint64_t>(begin / 4);
  for (int b = 0; b < kRandomBlock / 4; b += kPhiloxLanes)
    philox_lanes(s, first + static_cast<std::uint64_t>(b), word + 4 * b);
  if (!paired) {
    for (Index i = 0; i < kRandomBlock; ++i) u[i] = uniform_from_bits(word[i]);
    return;
  }
  for (Index i = 0; i < kRandomBlock; i += 2) {
    u[i] = u[i + 1] = (static_cast<float>(word[i]) + 0.5f) * 0x1p-32f;
    v[i] = uniform_from_bits(word[i + 1]);
    v[i + 1] = v[i] - 0.25f;
  }
}

}  // namespace cpu

/// y = f(u, v, x) with random u and v (see `random_block`) for contiguous `y` and `x`; x may be undefined
/// (then 0).
template <class C, class F, class T>
void run_random(Cpu, const F& f, const Rng::State& state, const Tensor<T, Cpu>& y,
                const Tensor<T, Cpu>& x = {}) {
  using V = typename cpu::Lanes<C>::V;
  const T* const in = x.defined() ? x.data() : nullptr;
  T* const out = y.mutable_data();
  const Index n = y.numel();
  parallel_for(n, 8192, [&](Index begin, Index end) {
    float u[cpu::kRandomBlock], v[cpu::kRandomBlock] = {};
    for (Index b = begin; b < end; b += cpu::kRandomBlock) {
      cpu::random_block(state, b, F::paired, u, v);
      cpu::for_lanes<C>(end - b < cpu::kRandomBlock ? end - b : cpu::kRandomBlock, [&](Index i, Index k) {
        const V given = in ? cpu::load_row<V>(in + b, 1, i, k) : V(C(0));
        cpu::store_row(out + b, 1, i, k, V(f(load_as<V>(u + i), load_as<V>(v + i), given)));
      });
    }
  });
}

TMOR_END
