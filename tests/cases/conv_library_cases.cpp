// The rows of convolutions once more, with products by NVIDIA's library, emulated.
#ifdef TMOR_CUDA_EMULATED
#include "conv_cases.cpp"
#include "library_products.hpp"

TEST_CASE("rows above were products by the library") { check_library_products(5); }
#endif
