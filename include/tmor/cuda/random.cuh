#pragma once
/// @file random.cuh
/// Random fills on the GPU, from the same words as on the CPU (cpu/random.hpp): element i takes word i % 4 of
/// the Philox block `counter + i / 4`.

#include "tmor/core/rng.hpp"
#include "tmor/core/tensor.hpp"
#include "tmor/cuda/each.cuh"

TMOR_BEGIN
namespace cuda {

/// The four elements of block `b`.
template <class C, class F, class T> struct RandomFill {
  F f;
  std::uint64_t seed, stream, counter;
  const T* in;  ///< null: zeros
  T* out;
  Index n;

  TMOR_HD void operator()(Index b) const {
    const PhiloxBlock block = philox(seed, stream, counter + static_cast<std::uint64_t>(b));
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

}  // namespace cuda

/// y = f(u, v, x) with random u and v for contiguous `y` and `x`; x may be undefined (then 0).
template <class C, class F, class T>
void run_random(Cuda, const F& f, const Rng::State& s, const Tensor<T, Cuda>& y,
                const Tensor<T, Cuda>& x = {}) {
  detail::refuse_capture("a random draw, as dropout makes,",
                         "every replay would repeat its numbers; draw them before, into a tensor");
  const Index n = y.numel();
  cuda::for_each("random", (n + 3) / 4,
                 cuda::RandomFill<C, F, T>{f, s.seed, s.stream, s.counter, x.defined() ? x.data() : nullptr,
                                           y.mutable_data(), n});
}

TMOR_END
