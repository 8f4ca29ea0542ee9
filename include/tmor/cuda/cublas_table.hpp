#pragma once
/// @file cublas_table.hpp
/// The table of cuBLASLt functions that tmor calls, and the numbers they take. The declarations are our own:
/// no CUDA header is needed. tests/cuda/declarations.hpp compares them with NVIDIA's.

#include "tmor/core/config.hpp"

TMOR_BEGIN

/// Entries are named as the library's functions, without `cublasLt`. Handles are opaque; results are 0 or an
/// error. Matrices lie column after column.
struct CublasApi {
  using Handle = void*;
  using Desc = void*;        ///< of an operation
  using Layout = void*;      ///< of a matrix
  using Preference = void*;  ///< what is asked of an algorithm
  using Stream = void*;

  struct Algo {
    std::uint64_t data[8];
  };
  struct Heuristic {
    Algo algo;
    std::size_t workspace;  ///< bytes it needs
    int status;
    float waves;
    int reserved[4];
  };

  enum Type { f32 = 0, f64 = 1, f16 = 2, bf16 = 14 };  // cudaDataType
  enum Compute { in_f32 = 68, in_f64 = 70, in_bf16 = 75, in_tf32 = 77 };
  enum Transpose { as_it_is = 0, transposed = 1 };
  enum DescAttribute { transpose_a = 3, transpose_b = 4, epilogue = 7, bias_pointer = 8 };
  enum LayoutAttribute { batch_count = 5, batch_stride = 6 };
  enum PreferenceAttribute {
    workspace_bytes = 1,
    alignment_a = 5,
    alignment_b = 6,
    alignment_c = 7,
    alignment_d = 8
  };
  /// What happens to finished elements: the bias of their row is added, then comes relu or gelu, which is the
  /// one with tanh.
  enum Epilogue : unsigned { plain = 1, relu = 2, bias = 4, gelu = 32 };
  enum Status { ok = 0, invalid_value = 7, not_supported = 15 };

  int (*Create)(Handle* h);
  int (*MatmulDescCreate)(Desc* d, int compute, int scale_type);
  int (*MatmulDescSetAttribute)(Desc d, int attribute, const void* value, std::size_t bytes);
  int (*MatmulDescDestroy)(Desc d);
  int (*MatrixLayoutCreate)(Layout* l, int type, std::uint64_t rows, std::uint64_t columns, std::int64_t ld);
  int (*MatrixLayoutSetAttribute)(Layout l, int attribute, const void* value, std::size_t bytes);
  int (*MatrixLayoutDestroy)(Layout l);
  int (*MatmulPreferenceCreate)(Preference* p);
  int (*MatmulPreferenceSetAttribute)(Preference p, int attribute, const void* value, std::size_t bytes);
  int (*MatmulPreferenceDestroy)(Preference p);
  int (*MatmulAlgoGetHeuristic)(Handle h, Desc op, Layout a, Layout b, Layout c, Layout d, Preference p,
                                int wanted, Heuristic* found, int* count);
  int (*Matmul)(Handle h, Desc op, const void* alpha, const void* a, Layout la, const void* b, Layout lb,
                const void* beta, const void* c, Layout lc, void* d, Layout ld, const Algo* algo,
                void* workspace, std::size_t workspace_bytes, Stream s);
  const char* (*GetStatusString)(int status);
  std::size_t (*GetVersion)();  ///< 10000 major + 100 minor + patch
};

TMOR_END
