// Our declarations of NVIDIA's functions against NVIDIA's headers, where they are installed: by the
// static_asserts of declarations.hpp, so that a difference does not compile. nvcc's stage reads them too.
#include <doctest/doctest.h>

#include "cuda/declarations.hpp"
#include "tmor/cuda/cublas.hpp"
#include "tmor/cuda/cudnn.hpp"

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
#ifdef TMOR_CUDNN_HEADERS
TEST_CASE("cuDNN's declarations are NVIDIA's") { CHECK(CUDNN_VERSION >= 90000); }
#else
TEST_CASE("cuDNN's declarations are NVIDIA's") { MESSAGE("skipped: there is no cudnn.h of version 9 here"); }
#endif

// The library that is installed takes what we set, without a GPU too. (Sanitizers do not get on with it.)
#if !defined(TMOR_CUDA_EMULATED) && !defined(TMOR_ASAN) && !defined(TMOR_TSAN)
TEST_CASE("cuBLASLt itself takes our attributes, and their sizes") {
  using L = tmor::CublasApi;
  tmor::detail::Cublas c;
  tmor::detail::load_cublas_api(c);
  if (!c.missing.empty()) {
    MESSAGE("skipped: ", c.missing);
    return;
  }
  const auto takes = [](auto f, void* to, std::initializer_list<int> attributes, auto value) {
    for (const int a : attributes) {
      INFO("attribute ", a);
      CHECK(f(to, a, &value, sizeof value) == L::ok);
      CHECK(f(to, a, &value, sizeof value - 1) == L::invalid_value);
    }
  };
  CHECK(c.api.GetVersion() >= 120000);
  for (const int compute : {L::in_f32, L::in_tf32, L::in_bf16, L::in_f64}) {
    L::Desc op = nullptr;
    REQUIRE(c.api.MatmulDescCreate(&op, compute, compute == L::in_f64 ? L::f64 : L::f32) == L::ok);
    takes(c.api.MatmulDescSetAttribute, op, {L::transpose_a, L::transpose_b}, std::int32_t{L::transposed});
    for (const std::uint32_t e : {L::plain + 0u, L::relu | 0u, L::bias | L::relu, L::bias | L::gelu})
      takes(c.api.MatmulDescSetAttribute, op, {L::epilogue}, e);
    takes(c.api.MatmulDescSetAttribute, op, {L::bias_pointer}, static_cast<const void*>(&op));
    CHECK(c.api.MatmulDescDestroy(op) == L::ok);
  }
  for (const int type : {L::f32, L::f64, L::f16, L::bf16}) {
    L::Layout matrix = nullptr;
    REQUIRE(c.api.MatrixLayoutCreate(&matrix, type, 5, 8, 6) == L::ok);
    takes(c.api.MatrixLayoutSetAttribute, matrix, {L::batch_count}, std::int32_t{3});
    takes(c.api.MatrixLayoutSetAttribute, matrix, {L::batch_stride}, std::int64_t{48});
    CHECK(c.api.MatrixLayoutDestroy(matrix) == L::ok);
  }
  L::Preference wish = nullptr;
  REQUIRE(c.api.MatmulPreferenceCreate(&wish) == L::ok);
  takes(c.api.MatmulPreferenceSetAttribute, wish, {L::workspace_bytes}, std::uint64_t{1} << 20);
  takes(c.api.MatmulPreferenceSetAttribute, wish,
        {L::alignment_a, L::alignment_b, L::alignment_c, L::alignment_d}, std::uint32_t{16});
  CHECK(c.api.MatmulPreferenceDestroy(wish) == L::ok);
}

TEST_CASE("cuDNN itself takes our descriptors") {
  using L = tmor::CudnnApi;
  tmor::detail::Cudnn c;
  tmor::detail::load_cudnn_api(c);
  if (!c.missing.empty()) {
    MESSAGE("skipped: ", c.missing);
    return;
  }
  CHECK(c.api.GetVersion() >= 90000);
  CHECK(std::string(c.api.GetErrorString(L::not_supported)) == "CUDNN_STATUS_NOT_SUPPORTED");
  L::Desc image = nullptr, weight = nullptr, conv = nullptr;
  if (const int status = c.api.CreateTensorDescriptor(&image); status != L::ok) {
    MESSAGE("skipped: ", std::string(c.api.GetErrorString(status)));
    return;
  }
  REQUIRE(c.api.CreateFilterDescriptor(&weight) == L::ok);
  REQUIRE(c.api.CreateConvolutionDescriptor(&conv) == L::ok);
  for (const int type : {L::f32, L::bf16, L::f16}) {
    CHECK(c.api.SetTensor4dDescriptor(image, L::nhwc, type, 2, 6, 5, 4) == L::ok);
    CHECK(c.api.SetFilter4dDescriptor(weight, type, L::nhwc, 4, 3, 3, 2) == L::ok);
  }
  CHECK(c.api.SetTensor4dDescriptor(image, L::nhwc, L::f32, 0, 6, 5, 4) != L::ok);
  CHECK(c.api.SetConvolution2dDescriptor(conv, 1, 0, 2, 1, 1, 3, L::cross_correlation, L::f32) == L::ok);
  CHECK(c.api.SetConvolution2dDescriptor(conv, 1, 0, 0, 1, 1, 3, L::cross_correlation, L::f32) != L::ok);
  CHECK(c.api.SetConvolutionGroupCount(conv, 2) == L::ok);
  for (const int math : {L::as_it_likes, L::tensor_cores, L::only_fma})
    CHECK(c.api.SetConvolutionMathType(conv, math) == L::ok);
  CHECK(c.api.DestroyTensorDescriptor(image) == L::ok);
  CHECK(c.api.DestroyFilterDescriptor(weight) == L::ok);
  CHECK(c.api.DestroyConvolutionDescriptor(conv) == L::ok);
}
#endif
