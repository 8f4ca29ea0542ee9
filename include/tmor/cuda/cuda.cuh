#pragma once
/// @file cuda.cuh
/// Everything `Cuda` can do. Include it in files that use `Tensor<T, Cuda>` and that nvcc compiles, or g++
/// and clang with TMOR_CUDA_EMULATED.

#include "tmor/cuda/pointwise.cuh"
#include "tmor/cuda/random.cuh"
