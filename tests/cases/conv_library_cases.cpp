// The rows of convolutions once more, by NVIDIA's libraries, emulated: cuBLASLt those by one tap, cuDNN the
// others.
#ifdef TMOR_CUDA_EMULATED
#include "conv_cases.cpp"
#include "library_products.hpp"

namespace {
[[maybe_unused]] const bool library_of_convolutions_chosen = [] {
  tmor::set_cuda_conv(tmor::CudaConv::library);
  return true;
}();
}  // namespace

TEST_CASE("rows above were done by the libraries") {
  check_library_products(5);
  CHECK(tmor::cuda_conv() == tmor::CudaConv::library);
  CHECK(tmor::cuda::LibraryConvs::instance().size() >= 20);
}
#endif
