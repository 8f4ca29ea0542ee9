// The rows of matmul and linear once more, on `Cuda` by NVIDIA's library, whose emulation checks what it is
// given; with buffers that start where the library wants a bias to.
#ifdef TMOR_CUDA_EMULATED
#include "matmul_cases.cpp"

namespace {
[[maybe_unused]] const bool chosen = [] {
  tmor::emu::DeviceMemory::instance().aligned = true;
  tmor::set_cuda_gemm(tmor::CudaGemm::library);
  return true;
}();
}  // namespace

TEST_CASE("the rows above were products by the library") {
  CHECK(tmor::cuda_gemm() == tmor::CudaGemm::library);
  CHECK(tmor::cuda::LibraryPlans::instance().size() > 50);
}
#endif
