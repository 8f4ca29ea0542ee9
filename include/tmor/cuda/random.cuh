#pragma once
/// @file random.cuh
/// Random fills on the GPU, from the same words as on the CPU (cpu/random.hpp): element i takes word i % 4 of
/// the Philox block `counter + i / 4`.

#include "tmor/core/rng.hpp"
#include "tmor/core/tensor.hpp"
#include "tmor/cuda/each.cuh"
#include "tmor/cuda/graph.hpp"

TMOR_BEGIN
namespace cuda {

/// The four elements of block `b`.
template <class C, class F, class T> struct RandomFill {
  F f;
  Rng::State at;
  const Rng::State* start;  ///< what `at` is counted from; null: nothing
  const T* in;              ///< null: zeros
  T* out;
  Index n;

  TMOR_HD void operator()(Index b) const {
    Rng::State s = at;
    if (start != nullptr) s = {start->seed, start->stream, start->counter + at.counter};
    const PhiloxBlock block = philox(s.seed, s.stream, s.counter + static_cast<std::uint64_t>(b));
    for (int k = 0; k < 4; ++k) {
      const Index i = 4 * b + k;
      if (i >= n) return;
      float u, v = 0;
      if constexpr (F::paired) {
        u = (static_cast<float>(block.word[k & 2]) + 0.5f) * 0x1p-32f;
        v = uniform_from_bits(block.word[(k & 2) + 1]);
        if (k & 1) v -= 0.25f;
      } else {
        u = uniform_from_bits(block.word[k]);
      }
      const C given = in ? static_cast<C>(in[i]) : C(0);
      out[i] = static_cast<T>(static_cast<C>(f(static_cast<C>(u), static_cast<C>(v), given)));
    }
  }
};

template <class V> struct Store {
  V* to;
  V value;
  TMOR_HD void operator()(Index) const { *to = value; }
};

}  // namespace cuda

/// Where the draws of a graph start in the replay that follows.
inline void run_start_draws(Cuda, Rng::State* start, const Rng::State& s) {
  cuda::for_each("start of draws", 1, cuda::Store<Rng::State>{start, s});
}

/// y = f(u, v, x) with random u and v for contiguous `y` and `x`; x may be undefined (then 0).
template <class C, class F, class T>
void run_random(Cuda, const F& f, Rng::State s, const Tensor<T, Cuda>& y, const Tensor<T, Cuda>& x = {}) {
  const Index n = y.numel();
  const Rng::State* const start = detail::captured_draws(s);
  cuda::for_each(
      "random", (n + 3) / 4,
      cuda::RandomFill<C, F, T>{f, s, start, x.defined() ? x.data() : nullptr, y.mutable_data(), n});
}

TMOR_END
