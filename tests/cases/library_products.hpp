#pragma once
/// Rows of the op table that include this after their operations run once more on the emulated GPU with
/// products by NVIDIA's library, in buffers that start where it wants a bias to.

#include "table.hpp"

namespace {
[[maybe_unused]] const bool library_chosen = [] {
  tmor::emu::DeviceMemory::instance().aligned = true;
  tmor::set_cuda_gemm(tmor::CudaGemm::library);
  return true;
}();

/// Were at least `shapes` shapes of products asked of the library so far?
inline void check_library_products(std::size_t shapes) {
  CHECK(tmor::cuda_gemm() == tmor::CudaGemm::library);
  CHECK(tmor::cuda::LibraryPlans::instance().size() >= shapes);
}
}  // namespace
