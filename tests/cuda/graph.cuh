#pragma once
/// What families do on a GPU by a graph, and by NVIDIA's convolutions.

#include "families.hpp"
#include "tmor/cuda/cuda.cuh"
#include "tmor/cuda/graph.hpp"

namespace families {

template <> struct Replayed<Cuda> {
  template <class F, class G> static void run(const F& f, const G& between) {
    f();  // once before: libraries get ready
    const CudaGraph graph(f);
    graph.replay();
    between();
    graph.replay();
  }
  template <class F> static void draw(const F& f, Rng& rng) {
    f();
    const CudaGraph graph(f, rng);
    graph.replay();
    graph.replay();
  }
  static void by_library() {
    if (detail::cudnn().missing.empty()) set_cuda_conv(CudaConv::library);
  }
};

}  // namespace families
