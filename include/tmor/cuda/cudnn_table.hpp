#pragma once
/// @file cudnn_table.hpp
/// The table of cuDNN functions that tmor calls, and the numbers they take. The declarations are our own: no
/// CUDA header is needed. tests/cuda/declarations.hpp compares them with NVIDIA's.

#include "tmor/core/config.hpp"

TMOR_BEGIN

/// Entries are named as the library's functions, without `cudnn`. Handles are opaque; results are 0 or an
/// error. The numbers of errors are those of version 9.
struct CudnnApi {
  using Handle = void*;
  using Desc = void*;  ///< of a tensor, of weights (a "filter"), or of a convolution
  using Stream = void*;

  /// What the library says of an algorithm for a convolution, forward or backward.
  struct Perf {
    int algo;
    int status;
    float time;
    std::size_t workspace;  ///< bytes it needs
    int determinism;
    int math;
    int reserved[3];
  };

  enum Type { f32 = 0, f64 = 1, f16 = 2, bf16 = 9 };
  enum Format { nchw = 0, nhwc = 1 };
  enum Mode { flipped = 0, cross_correlation = 1 };
  /// What factors may be: TF32 for float as the library likes; of half precision, with sums in float; float
  /// and nothing less.
  enum Math { as_it_likes = 0, tensor_cores = 1, only_fma = 3 };
  enum Determinism { not_deterministic = 0, deterministic = 1 };
  /// Algorithms that add up products as they are, without transforms (Fourier's, Winograd's).
  enum ForwardAlgo { implicit_gemm = 0, implicit_precomp_gemm = 1, gemm = 2, winograd = 6 };
  enum BackwardDataAlgo { data_atomic = 0, data_gemm = 1 };
  enum BackwardFilterAlgo { filter_atomic = 0, filter_gemm = 1 };
  /// Whatever lies in [not_supported, not_supported_end) says that the library cannot do it, and why.
  enum Status { ok = 0, bad_param = 2000, not_supported = 3000, not_supported_end = 4000 };

  int (*Create)(Handle* h);
  int (*SetStream)(Handle h, Stream s);
  int (*CreateTensorDescriptor)(Desc* d);
  int (*SetTensor4dDescriptor)(Desc d, int format, int type, int n, int c, int h, int w);
  int (*DestroyTensorDescriptor)(Desc d);
  int (*CreateFilterDescriptor)(Desc* d);
  int (*SetFilter4dDescriptor)(Desc d, int type, int format, int out, int in, int h, int w);
  int (*DestroyFilterDescriptor)(Desc d);
  int (*CreateConvolutionDescriptor)(Desc* d);
  int (*SetConvolution2dDescriptor)(Desc d, int pad_h, int pad_w, int stride_h, int stride_w, int dilation_h,
                                    int dilation_w, int mode, int compute_type);
  int (*SetConvolutionGroupCount)(Desc d, int groups);
  int (*SetConvolutionMathType)(Desc d, int math);
  int (*DestroyConvolutionDescriptor)(Desc d);

  // Forward: a is x, b the weight, c is y. BackwardData: the weight, dy, dx. BackwardFilter: x, dy, the
  // weight's gradient.
  using Algorithms = int (*)(Handle h, Desc a, Desc b, Desc conv, Desc c, int wanted, int* count,
                             Perf* found);
  using WorkspaceSize = int (*)(Handle h, Desc a, Desc b, Desc conv, Desc c, int algo, std::size_t* bytes);
  using Run = int (*)(Handle h, const void* alpha, Desc da, const void* a, Desc db, const void* b, Desc conv,
                      int algo, void* workspace, std::size_t workspace_bytes, const void* beta, Desc dc,
                      void* c);
  Algorithms GetConvolutionForwardAlgorithm_v7;
  Algorithms GetConvolutionBackwardDataAlgorithm_v7;
  Algorithms GetConvolutionBackwardFilterAlgorithm_v7;
  WorkspaceSize GetConvolutionForwardWorkspaceSize;
  WorkspaceSize GetConvolutionBackwardDataWorkspaceSize;
  WorkspaceSize GetConvolutionBackwardFilterWorkspaceSize;
  Run ConvolutionForward;
  Run ConvolutionBackwardData;
  Run ConvolutionBackwardFilter;

  const char* (*GetErrorString)(int status);
  std::size_t (*GetVersion)();  ///< 10000 major + 100 minor + patch
};

TMOR_END
