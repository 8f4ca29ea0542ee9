// The GPU's side of training.cpp.
#include "tmor/cuda/cuda.cuh"
#include "training.hpp"

std::vector<float> training::cuda_losses(int steps) {
  cuda_api();
  return losses<Cuda>(steps);
}
