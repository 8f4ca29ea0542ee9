// The rows of matmul and linear once more, with products by NVIDIA's library, emulated.
#ifdef TMOR_CUDA_EMULATED
#include "library_products.hpp"
#include "matmul_cases.cpp"

TEST_CASE("rows above were products by the library") { check_library_products(50); }
#endif
