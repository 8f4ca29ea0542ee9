// Mixed precision on the emulated GPU.
#ifdef TMOR_CUDA_EMULATED
#include <doctest/doctest.h>

#include "support/precision.hpp"
#include "support/tiny_models.hpp"
#include "tmor/cuda/cuda.cuh"
#include "tmor/optim/adamw.hpp"

using namespace tmor;

TEST_CASE_TEMPLATE("operations of half precision on the GPU: sums in float, few roundings", T, bf16, f16) {
  test::check_operations<T, Cuda>();
}

TEST_CASE_TEMPLATE("gradients of float weights, and contrast, on the GPU, by either kernel", T, bf16, f16) {
  for (const auto by : {CudaGemm::own, CudaGemm::library}) {
    set_cuda_gemm(by);
    test::check_weight_gradients<T, Cuda>();
    test::check_contrasts<T, Cuda>();
  }
  CHECK(cuda::LibraryPlans::instance().size() > 4);
  set_cuda_gemm(CudaGemm::own);
}

TEST_CASE("attention by wgmma is an error where it cannot be") {
  CHECK(cuda_attention() == CudaAttention::tiles);
  CHECK_THROWS_WITH_AS(
      set_cuda_attention(CudaAttention::wgmma),
      "[cuda] attention by wgmma was asked for: it needs a GPU of compute capability 9 and a "
      "program compiled for sm_90a with TMOR_CUDA_SM90A",
      Error);
  set_cuda_attention(CudaAttention::tiles);
}

TEST_CASE("skeleton encoders of half precision on the GPU") {
  for (Index kind = 0; kind < 4; ++kind) test::check_encoder<bf16, Cuda>(kind);
}

TEST_CASE("three towers trained in bf16 on the GPU follow the CPU in bf16") {
  Rng rng(1), data(2);
  const models::TriModal<> here(rng, test::tiny_tri_modal());
  const auto there = to<Cuda>(here);
  const auto batch = test::random_triplets(data, 4);
  models::TriBatch<float, Cuda> moved;
  moved.skeleton = to<Cuda>(batch.skeleton);
  moved.frames = to<Cuda>(batch.frames);
  moved.text = {to<Cuda>(batch.text.ids), to<Cuda>(batch.text.last)};
  const auto losses = []<class D>(const models::TriModal<float, D>& net,
                                  const models::TriBatch<float, D>& triplets) {
    const auto half = to<bf16>(net);
    optim::AdamW<float, D> adam(parameters<float, D>(net), {.lr = 3e-3, .eps = 1e-4});
    std::vector<double> out;
    for (int step = 0; step < 6; ++step) {
      Rng draws(static_cast<std::uint64_t>(step));
      const auto loss = half.loss(triplets, Context{true, &draws}).total;
      backward(loss);
      adam.step();
      out.push_back(static_cast<double>(loss.item()));
    }
    return out;
  };
  const auto cpu = losses(here, batch), gpu = losses(there, moved);
  CHECK(gpu[0] == doctest::Approx(cpu[0]).epsilon(24 * 0x1p-8));  // the roundings of one way through a tower
  CHECK(cpu.back() < 0.9 * cpu.front());
  CHECK(gpu.back() < 0.9 * gpu.front());
}
#endif
