// Our declarations of NVIDIA's functions against NVIDIA's headers, where they are installed: by the
// static_asserts of declarations.hpp, so that a difference does not compile. nvcc's stage reads them too.
#include <doctest/doctest.h>

#include "cuda/declarations.hpp"
#include "tmor/cuda/cublas.hpp"

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
#endif
