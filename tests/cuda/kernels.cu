// Kernels of every family, as nvcc compiles them through the operations that launch them.
#include "clips.cuh"
#include "families.hpp"
#include "graph.cuh"
#include "streams.cuh"
#include "tmor/cuda/cuda.cuh"
#ifdef __CUDACC__
#include "declarations.hpp"
#endif

std::vector<families::Family> families::cuda_families() {
  cuda_api();
  return Families<Cuda>::all();
}
