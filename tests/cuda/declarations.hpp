#pragma once
/// Our own declarations of what we call in NVIDIA's libraries (cuda/api_table.hpp, cuda/cublas_table.hpp,
/// cuda/cudnn_table.hpp) are theirs: the arguments of every function, the sizes of structs, the values of
/// constants. Compiling this proves it. TMOR_CUDA_HEADERS, TMOR_CUBLAS_HEADERS and TMOR_CUDNN_HEADERS say
/// which headers were found.

#include <type_traits>

#include "tmor/cuda/api_table.hpp"
#include "tmor/cuda/cublas_table.hpp"
#include "tmor/cuda/cudnn_table.hpp"

#if __has_include(<cuda_runtime_api.h>)
#include <cuda_runtime_api.h>
#define TMOR_CUDA_HEADERS 1
#endif
#if __has_include(<cublasLt.h>)
#include <cublasLt.h>
#define TMOR_CUBLAS_HEADERS 1
#endif
#if __has_include(<cudnn.h>)
#include <cudnn.h>
#if CUDNN_MAJOR == 9
#define TMOR_CUDNN_HEADERS 1
#endif
#endif

namespace declarations {

/// Does `Ours` do for `Theirs`? Numbers and enumerations of the same size do, `void` for a structure that we
/// only point to, and pointers to what does, if both may or may not write there.
template <class Ours, class Theirs> constexpr bool same() {
  if constexpr (std::is_pointer_v<Ours> && std::is_pointer_v<Theirs>) {
    using O = std::remove_pointer_t<Ours>;
    using T = std::remove_pointer_t<Theirs>;
    if constexpr (std::is_const_v<O> != std::is_const_v<T>) {
      return false;
    } else if constexpr (std::is_void_v<O>) {
      return std::is_void_v<T> || std::is_class_v<T>;
    } else {
      return same<std::remove_const_t<O>, std::remove_const_t<T>>();
    }
  } else if constexpr (std::is_pointer_v<Ours> || std::is_pointer_v<Theirs>) {
    return false;
  } else if constexpr (std::is_class_v<Ours> && std::is_class_v<Theirs>) {
    return sizeof(Ours) == sizeof(Theirs) && alignof(Ours) == alignof(Theirs);
  } else {
    return (std::is_integral_v<Ours> || std::is_enum_v<Ours>)&&(
               std::is_integral_v<Theirs> || std::is_enum_v<Theirs>)&&sizeof(Ours) == sizeof(Theirs) &&
           (std::is_enum_v<Theirs> || std::is_signed_v<Ours> == std::is_signed_v<Theirs>);
  }
}
template <class Ours, class Theirs> struct SameCall : std::false_type {};
template <class R, class... A, class S, class... B>
requires(sizeof...(A) == sizeof...(B)) struct SameCall<R (*)(A...), S(B...)>
    : std::bool_constant<same<R, S>() && (same<A, B>() && ...)> {
};

static_assert(!same<int, unsigned char>() && !same<void**, void*>());
static_assert(!same<const void*, void*>() && !same<int, const char*>() && same<void*, struct Opaque*>());
static_assert(!SameCall<int (*)(void*), int(void*, int)>::value);

}  // namespace declarations

#ifdef TMOR_CUDA_HEADERS
#define TMOR_SAME(name) \
  static_assert(declarations::SameCall<decltype(tmor::CudaApi::name), decltype(::cuda##name)>::value)
TMOR_SAME(GetDeviceCount);
TMOR_SAME(Free);
TMOR_SAME(FreeAsync);
TMOR_SAME(MemcpyAsync);
TMOR_SAME(MemsetAsync);
TMOR_SAME(MemGetInfo);
TMOR_SAME(StreamCreateWithFlags);
TMOR_SAME(StreamDestroy);
TMOR_SAME(StreamSynchronize);
TMOR_SAME(EventDestroy);
TMOR_SAME(EventSynchronize);
TMOR_SAME(StreamBeginCapture);
TMOR_SAME(StreamEndCapture);
TMOR_SAME(GraphInstantiateWithFlags);
TMOR_SAME(GraphLaunch);
TMOR_SAME(GraphExecDestroy);
TMOR_SAME(GraphDestroy);
TMOR_SAME(GetErrorName);
TMOR_SAME(GetErrorString);
#undef TMOR_SAME
// These have overloads in C++ headers.
#define TMOR_SAME(name, ...)                                                                               \
  static_assert(declarations::SameCall<decltype(tmor::CudaApi::name), cudaError_t(__VA_ARGS__)>::value &&  \
                std::is_same_v<decltype(static_cast<cudaError_t(CUDARTAPI*)(__VA_ARGS__)>(&::cuda##name)), \
                               cudaError_t (*)(__VA_ARGS__)>)
TMOR_SAME(Malloc, void**, size_t);
TMOR_SAME(StreamWaitEvent, cudaStream_t, cudaEvent_t, unsigned);
TMOR_SAME(EventCreate, cudaEvent_t*);
TMOR_SAME(EventRecord, cudaEvent_t, cudaStream_t);
#undef TMOR_SAME
static_assert(int{tmor::CudaApi::to_device} == int{cudaMemcpyHostToDevice});
static_assert(int{tmor::CudaApi::to_host} == int{cudaMemcpyDeviceToHost});
static_assert(int{tmor::CudaApi::on_device} == int{cudaMemcpyDeviceToDevice});
static_assert(int{tmor::CudaApi::relaxed} == int{cudaStreamCaptureModeRelaxed});
static_assert(int{tmor::CudaApi::in_step} == int{cudaStreamDefault});
static_assert(int{tmor::CudaApi::on_its_own} == int{cudaStreamNonBlocking});
static_assert(tmor::detail::kCudaOutOfMemory == int{cudaErrorMemoryAllocation});
#endif

#ifdef TMOR_CUBLAS_HEADERS
#define TMOR_SAME(name) \
  static_assert(declarations::SameCall<decltype(tmor::CublasApi::name), decltype(::cublasLt##name)>::value)
TMOR_SAME(MatmulDescCreate);
TMOR_SAME(MatmulDescSetAttribute);
TMOR_SAME(MatmulDescDestroy);
TMOR_SAME(MatrixLayoutCreate);
TMOR_SAME(MatrixLayoutSetAttribute);
TMOR_SAME(MatrixLayoutDestroy);
TMOR_SAME(MatmulPreferenceCreate);
TMOR_SAME(MatmulPreferenceSetAttribute);
TMOR_SAME(MatmulPreferenceDestroy);
TMOR_SAME(GetStatusString);
TMOR_SAME(GetVersion);
TMOR_SAME(Create);
TMOR_SAME(MatmulAlgoGetHeuristic);
TMOR_SAME(Matmul);
#undef TMOR_SAME
static_assert(offsetof(tmor::CublasApi::Heuristic, workspace) ==
              offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize));
static_assert(offsetof(tmor::CublasApi::Heuristic, status) ==
              offsetof(cublasLtMatmulHeuristicResult_t, state));
static_assert(offsetof(tmor::CublasApi::Heuristic, waves) ==
              offsetof(cublasLtMatmulHeuristicResult_t, wavesCount));
static_assert(sizeof(tmor::CublasApi::Algo) == sizeof(cublasLtMatmulAlgo_t));
#define TMOR_SAME(ours, theirs) \
  static_assert(static_cast<unsigned>(tmor::CublasApi::ours) == static_cast<unsigned>(theirs))
TMOR_SAME(f32, CUDA_R_32F);
TMOR_SAME(f64, CUDA_R_64F);
TMOR_SAME(f16, CUDA_R_16F);
TMOR_SAME(bf16, CUDA_R_16BF);
TMOR_SAME(in_f32, CUBLAS_COMPUTE_32F);
TMOR_SAME(in_f64, CUBLAS_COMPUTE_64F);
TMOR_SAME(in_bf16, CUBLAS_COMPUTE_32F_FAST_16BF);
TMOR_SAME(in_tf32, CUBLAS_COMPUTE_32F_FAST_TF32);
TMOR_SAME(as_it_is, CUBLAS_OP_N);
TMOR_SAME(transposed, CUBLAS_OP_T);
TMOR_SAME(transpose_a, CUBLASLT_MATMUL_DESC_TRANSA);
TMOR_SAME(transpose_b, CUBLASLT_MATMUL_DESC_TRANSB);
TMOR_SAME(epilogue, CUBLASLT_MATMUL_DESC_EPILOGUE);
TMOR_SAME(bias_pointer, CUBLASLT_MATMUL_DESC_BIAS_POINTER);
TMOR_SAME(batch_count, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT);
TMOR_SAME(batch_stride, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET);
TMOR_SAME(workspace_bytes, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
TMOR_SAME(alignment_a, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
TMOR_SAME(alignment_b, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
TMOR_SAME(alignment_c, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
TMOR_SAME(alignment_d, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
TMOR_SAME(plain, CUBLASLT_EPILOGUE_DEFAULT);
TMOR_SAME(relu, CUBLASLT_EPILOGUE_RELU);
TMOR_SAME(bias, CUBLASLT_EPILOGUE_BIAS);
TMOR_SAME(gelu, CUBLASLT_EPILOGUE_GELU);
TMOR_SAME(ok, CUBLAS_STATUS_SUCCESS);
TMOR_SAME(invalid_value, CUBLAS_STATUS_INVALID_VALUE);
TMOR_SAME(not_supported, CUBLAS_STATUS_NOT_SUPPORTED);
static_assert((unsigned{tmor::CublasApi::relu} | unsigned{tmor::CublasApi::bias}) ==
              CUBLASLT_EPILOGUE_RELU_BIAS);
static_assert((unsigned{tmor::CublasApi::gelu} | unsigned{tmor::CublasApi::bias}) ==
              CUBLASLT_EPILOGUE_GELU_BIAS);
#undef TMOR_SAME
#endif

#ifdef TMOR_CUDNN_HEADERS
#define TMOR_SAME(name) \
  static_assert(declarations::SameCall<decltype(tmor::CudnnApi::name), decltype(::cudnn##name)>::value)
TMOR_SAME(Create);
TMOR_SAME(SetStream);
TMOR_SAME(CreateTensorDescriptor);
TMOR_SAME(SetTensor4dDescriptor);
TMOR_SAME(DestroyTensorDescriptor);
TMOR_SAME(CreateFilterDescriptor);
TMOR_SAME(SetFilter4dDescriptor);
TMOR_SAME(DestroyFilterDescriptor);
TMOR_SAME(CreateConvolutionDescriptor);
TMOR_SAME(SetConvolution2dDescriptor);
TMOR_SAME(SetConvolutionGroupCount);
TMOR_SAME(SetConvolutionMathType);
TMOR_SAME(DestroyConvolutionDescriptor);
TMOR_SAME(GetConvolutionForwardAlgorithm_v7);
TMOR_SAME(GetConvolutionBackwardDataAlgorithm_v7);
TMOR_SAME(GetConvolutionBackwardFilterAlgorithm_v7);
TMOR_SAME(GetConvolutionForwardWorkspaceSize);
TMOR_SAME(GetConvolutionBackwardDataWorkspaceSize);
TMOR_SAME(GetConvolutionBackwardFilterWorkspaceSize);
TMOR_SAME(ConvolutionForward);
TMOR_SAME(ConvolutionBackwardData);
TMOR_SAME(ConvolutionBackwardFilter);
TMOR_SAME(GetErrorString);
TMOR_SAME(GetVersion);
#undef TMOR_SAME
// The three directions share our one struct.
#define TMOR_SAME(theirs)                                                                       \
  static_assert(declarations::same<tmor::CudnnApi::Perf, theirs>() &&                           \
                offsetof(tmor::CudnnApi::Perf, status) == offsetof(theirs, status) &&           \
                offsetof(tmor::CudnnApi::Perf, workspace) == offsetof(theirs, memory) &&        \
                offsetof(tmor::CudnnApi::Perf, determinism) == offsetof(theirs, determinism) && \
                offsetof(tmor::CudnnApi::Perf, math) == offsetof(theirs, mathType))
TMOR_SAME(cudnnConvolutionFwdAlgoPerf_t);
TMOR_SAME(cudnnConvolutionBwdDataAlgoPerf_t);
TMOR_SAME(cudnnConvolutionBwdFilterAlgoPerf_t);
#undef TMOR_SAME
#define TMOR_SAME(ours, theirs) static_assert(int{tmor::CudnnApi::ours} == int{theirs})
TMOR_SAME(f32, CUDNN_DATA_FLOAT);
TMOR_SAME(f64, CUDNN_DATA_DOUBLE);
TMOR_SAME(f16, CUDNN_DATA_HALF);
TMOR_SAME(bf16, CUDNN_DATA_BFLOAT16);
TMOR_SAME(nchw, CUDNN_TENSOR_NCHW);
TMOR_SAME(nhwc, CUDNN_TENSOR_NHWC);
TMOR_SAME(flipped, CUDNN_CONVOLUTION);
TMOR_SAME(cross_correlation, CUDNN_CROSS_CORRELATION);
TMOR_SAME(as_it_likes, CUDNN_DEFAULT_MATH);
TMOR_SAME(tensor_cores, CUDNN_TENSOR_OP_MATH);
TMOR_SAME(only_fma, CUDNN_FMA_MATH);
TMOR_SAME(not_deterministic, CUDNN_NON_DETERMINISTIC);
TMOR_SAME(deterministic, CUDNN_DETERMINISTIC);
TMOR_SAME(implicit_gemm, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM);
TMOR_SAME(implicit_precomp_gemm, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM);
TMOR_SAME(gemm, CUDNN_CONVOLUTION_FWD_ALGO_GEMM);
TMOR_SAME(winograd, CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD);
TMOR_SAME(data_atomic, CUDNN_CONVOLUTION_BWD_DATA_ALGO_0);
TMOR_SAME(data_gemm, CUDNN_CONVOLUTION_BWD_DATA_ALGO_1);
TMOR_SAME(filter_atomic, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0);
TMOR_SAME(filter_gemm, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1);
TMOR_SAME(ok, CUDNN_STATUS_SUCCESS);
TMOR_SAME(bad_param, CUDNN_STATUS_BAD_PARAM);
TMOR_SAME(not_supported, CUDNN_STATUS_NOT_SUPPORTED);
TMOR_SAME(not_supported_end, CUDNN_STATUS_INTERNAL_ERROR);
#undef TMOR_SAME
#endif
