// Our declarations of NVIDIA's functions against NVIDIA's headers, where they are installed: by the
// static_asserts of declarations.hpp, so that a difference does not compile. nvcc's stage reads them too.
#include <doctest/doctest.h>

#include "cuda/declarations.hpp"
#include "tmor/cuda/cublas_table.hpp"

#ifdef TMOR_CUDA_HEADERS
TEST_CASE("the runtime's declarations are NVIDIA's") { CHECK(CUDART_VERSION >= 12000); }
#else
TEST_CASE("the runtime's declarations are NVIDIA's") {
  MESSAGE("skipped: there is no cuda_runtime_api.h here");
}
#endif
#ifdef TMOR_CUBLAS_HEADERS
TEST_CASE("cuBLASLt's declarations are NVIDIA's") { CHECK(CUBLAS_VERSION >= 120000); }
#else
TEST_CASE("cuBLASLt's declarations are NVIDIA's") { MESSAGE("skipped: there is no cublasLt.h here"); }
#endif
