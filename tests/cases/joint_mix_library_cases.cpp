// The rows of joint mixing once more, with products by NVIDIA's library, emulated.
#ifdef TMOR_CUDA_EMULATED
#include "joint_mix_cases.cpp"
#include "library_products.hpp"

TEST_CASE("rows above were products by the library") { check_library_products(10); }
#endif
