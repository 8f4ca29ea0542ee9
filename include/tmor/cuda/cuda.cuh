#pragma once
/// @file cuda.cuh
/// Everything `Cuda` can do. Include it in files that use `Tensor<T, Cuda>` and that nvcc compiles, or g++
/// and clang with TMOR_CUDA_EMULATED.

#include "tmor/cuda/attention.cuh"
#include "tmor/cuda/conv.cuh"
#include "tmor/cuda/index.cuh"
#include "tmor/cuda/pointwise.cuh"
#include "tmor/cuda/pool.cuh"
#include "tmor/cuda/random.cuh"
#include "tmor/cuda/update.cuh"
