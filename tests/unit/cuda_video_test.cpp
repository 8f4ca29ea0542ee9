// Generated videos drawn on the emulated GPU.
#ifdef TMOR_CUDA_EMULATED
#include <doctest/doctest.h>

#include "support/drawn_videos.hpp"
#include "tmor/cuda/cuda.cuh"

using namespace tmor;

TEST_CASE("videos drawn on the GPU are those of the CPU") { test::check_drawn_videos<Cuda>(); }
#endif
