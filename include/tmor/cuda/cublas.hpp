#pragma once
/// @file cublas.hpp
/// Matrix products by NVIDIA's library, cuBLASLt, where it is there: the table of its functions, and what is
/// asked of it, kept by shape. Our own kernels (cuda/gemm.cuh) do what it cannot, or all of it.

#include <compare>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "tmor/core/loop_plan.hpp"
#include "tmor/core/matmul_precision.hpp"
#include "tmor/cuda/cublas_table.hpp"
#include "tmor/cuda/device.hpp"
#ifdef TMOR_CUDA_EMULATED
#include "tmor/cuda/emu/cublas.hpp"
#endif

TMOR_BEGIN

/// Who multiplies matrices on `Cuda`: our own kernel, or cuBLASLt.
enum class CudaGemm { own, library };

namespace detail {

/// The library, or why it cannot be used.
struct Cublas {
  CublasApi api{};
  CublasApi::Handle handle = nullptr;
  std::string missing;
};

#ifndef TMOR_CUDA_EMULATED
inline void load_cublas_api(Cublas& c) {
  void* library = nullptr;
  for (const char* name :
       {"libcublasLt.so", "libcublasLt.so.13", "libcublasLt.so.12", "/usr/local/cuda/lib64/libcublasLt.so"})
    if ((library = dlopen(name, RTLD_NOW | RTLD_LOCAL))) break;
  if (!library) {
    c.missing = "there is no libcublasLt.so";
    return;
  }
  const auto find = [&](const char* name, auto& entry) {
    void* p = dlsym(library, name);
    if (!p) c.missing = cat("libcublasLt.so has no ", name, ": it is too old");
    __builtin_memcpy(&entry, &p, sizeof p);
  };
#define TMOR_CUBLAS_ENTRY(name) find("cublasLt" #name, c.api.name)
  TMOR_CUBLAS_ENTRY(Create);
  TMOR_CUBLAS_ENTRY(MatmulDescCreate);
  TMOR_CUBLAS_ENTRY(MatmulDescSetAttribute);
  TMOR_CUBLAS_ENTRY(MatmulDescDestroy);
  TMOR_CUBLAS_ENTRY(MatrixLayoutCreate);
  TMOR_CUBLAS_ENTRY(MatrixLayoutSetAttribute);
  TMOR_CUBLAS_ENTRY(MatrixLayoutDestroy);
  TMOR_CUBLAS_ENTRY(MatmulPreferenceCreate);
  TMOR_CUBLAS_ENTRY(MatmulPreferenceSetAttribute);
  TMOR_CUBLAS_ENTRY(MatmulPreferenceDestroy);
  TMOR_CUBLAS_ENTRY(MatmulAlgoGetHeuristic);
  TMOR_CUBLAS_ENTRY(Matmul);
  TMOR_CUBLAS_ENTRY(GetStatusString);
  TMOR_CUBLAS_ENTRY(GetVersion);
#undef TMOR_CUBLAS_ENTRY
}
#endif

/// Filled on first use. @throws Error when there is no GPU.
inline const Cublas& cublas() {
  static const Cublas* const c = [] {
    cuda_api();
    auto* made = new Cublas;  // immortal, as the memory it works on
    load_cublas_api(*made);
    if (made->missing.empty())
      if (const int status = made->api.Create(&made->handle); status != CublasApi::ok)
        made->missing = cat("cublasLtCreate failed: ", made->api.GetStatusString(status));
    return made;
  }();
  return *c;
}

inline void check_cublas(int status, const char* call) {
  if (status != CublasApi::ok) [[unlikely]]
    fail<Error>("[cuda] cublasLt", call, " failed: ", cublas().api.GetStatusString(status));
}

inline CudaGemm usable_gemm(CudaGemm g) {
  TMOR_CHECK(g == CudaGemm::own || cublas().missing.empty(),
             "[cuda] products by the library were asked for, ", "but ", cublas().missing,
             ": install cuBLAS, or use our own kernel");
  return g;
}
inline std::atomic<CudaGemm>& gemm_choice() {
  static std::atomic<CudaGemm> choice{[] {
    const char* s = std::getenv("TMOR_CUDA_GEMM");
    if (!s) return !cuda_api().emulated && cublas().missing.empty() ? CudaGemm::library : CudaGemm::own;
    const std::string_view name = s;
    TMOR_CHECK(name == "own" || name == "library", "[cuda] TMOR_CUDA_GEMM is '", s, "': give own or library");
    return usable_gemm(name == "own" ? CudaGemm::own : CudaGemm::library);
  }()};
  return choice;
}

}  // namespace detail

/// Who multiplies: the library where it is found, our own kernel else and on the emulated device, unless
/// TMOR_CUDA_GEMM=own or library, or `set_cuda_gemm`, say otherwise. The library passes on to our own kernel
/// what it cannot do: matrices with gaps in both directions, for one.
/// @throws Error when there is no GPU, or TMOR_CUDA_GEMM wants what is not there.
inline CudaGemm cuda_gemm() { return detail::gemm_choice(); }
/// For products from now on. @throws Error when the library is wanted and not there, saying why.
inline void set_cuda_gemm(CudaGemm g) { detail::gemm_choice() = detail::usable_gemm(g); }
/// "cuBLASLt 13.1.0", "cuBLASLt, emulated", or why it cannot be used.
inline std::string cuda_gemm_library() {
  const detail::Cublas& c = detail::cublas();
  if (!c.missing.empty()) return c.missing;
  if (cuda_api().emulated) return "cuBLASLt, emulated";
  const std::size_t v = c.api.GetVersion();
  return detail::cat("cuBLASLt ", v / 10000, ".", v / 100 % 100, ".", v % 100);
}

namespace cuda {

/// All that the library's choice of an algorithm depends on. Matrices lie column after column: what is `a`,
/// row after row, is a^T to it, so that it is asked for C^T = B^T A^T.
struct LibraryProduct {
  int type, type_c, compute;
  unsigned epilogue;
  int transpose_a, transpose_b;
  Index m, n, k, batch;
  Index ld_a, ld_b, ld_c, batch_a, batch_b, batch_c;
  unsigned align_a, align_b, align_c;

  auto operator<=>(const LibraryProduct&) const = default;
};

/// What the library was asked for, once a shape.
class LibraryPlans {
 public:
  struct Plan {
    CublasApi::Desc op = nullptr;
    CublasApi::Layout a = nullptr, b = nullptr, c = nullptr;
    CublasApi::Heuristic best{};
    bool found = false;
  };
  /// Bytes that an algorithm may want besides.
  static constexpr std::size_t kWorkspace = std::size_t{32} << 20;
  static constexpr std::size_t kMost = 4096;  ///< then all are forgotten: shapes that keep changing

  /// Calls f(plan), nobody else having it meanwhile.
  template <class F> auto with(const LibraryProduct& p, const F& f) {
    const std::lock_guard<std::mutex> guard(mutex_);
    auto at = plans_.find(p);
    if (at == plans_.end()) {
      if (plans_.size() >= kMost) clear();
      at = plans_.emplace(p, make(p)).first;
    }
    return f(static_cast<const Plan&>(at->second));
  }
  std::size_t size() {
    const std::lock_guard<std::mutex> guard(mutex_);
    return plans_.size();
  }
  static LibraryPlans& instance() {
    static LibraryPlans* p = new LibraryPlans;
    return *p;
  }

 private:
  static Plan make(const LibraryProduct& p) {
    using detail::check_cublas;
    const CublasApi& api = detail::cublas().api;
    Plan plan;
    const auto set = [](auto f, const char* name, void* to, int attribute, const auto& value) {
      check_cublas(f(to, attribute, &value, sizeof value), name);
    };
    const auto of_op = [&](int attribute, const auto& value) {
      set(api.MatmulDescSetAttribute, "MatmulDescSetAttribute", plan.op, attribute, value);
    };
    check_cublas(api.MatmulDescCreate(&plan.op, p.compute,
                                      p.compute == CublasApi::in_f64 ? CublasApi::f64 : CublasApi::f32),
                 "MatmulDescCreate");
    of_op(CublasApi::transpose_a, std::int32_t{p.transpose_b});
    of_op(CublasApi::transpose_b, std::int32_t{p.transpose_a});
    of_op(CublasApi::epilogue, std::uint32_t{p.epilogue});
    const auto layout = [&](CublasApi::Layout& l, int type, Index rows, Index columns, bool turned, Index ld,
                            Index batch) {
      if (turned) std::swap(rows, columns);
      check_cublas(api.MatrixLayoutCreate(&l, type, static_cast<std::uint64_t>(rows),
                                          static_cast<std::uint64_t>(columns), ld),
                   "MatrixLayoutCreate");
      if (p.batch == 1) return;
      set(api.MatrixLayoutSetAttribute, "MatrixLayoutSetAttribute", l, CublasApi::batch_count,
          static_cast<std::int32_t>(p.batch));
      set(api.MatrixLayoutSetAttribute, "MatrixLayoutSetAttribute", l, CublasApi::batch_stride,
          std::int64_t{batch});
    };
    layout(plan.b, p.type, p.n, p.k, p.transpose_b, p.ld_b, p.batch_b);
    layout(plan.a, p.type, p.k, p.m, p.transpose_a, p.ld_a, p.batch_a);
    layout(plan.c, p.type_c, p.n, p.m, false, p.ld_c, p.batch_c);

    CublasApi::Preference wish = nullptr;
    check_cublas(api.MatmulPreferenceCreate(&wish), "MatmulPreferenceCreate");
    const auto ask = [&](int attribute, const auto& value) {
      set(api.MatmulPreferenceSetAttribute, "MatmulPreferenceSetAttribute", wish, attribute, value);
    };
    ask(CublasApi::workspace_bytes, std::uint64_t{kWorkspace});
    ask(CublasApi::alignment_a, std::uint32_t{p.align_b});
    ask(CublasApi::alignment_b, std::uint32_t{p.align_a});
    ask(CublasApi::alignment_c, std::uint32_t{p.align_c});
    ask(CublasApi::alignment_d, std::uint32_t{p.align_c});
    int count = 0;
    const int status = api.MatmulAlgoGetHeuristic(detail::cublas().handle, plan.op, plan.b, plan.a, plan.c,
                                                  plan.c, wish, 1, &plan.best, &count);
    api.MatmulPreferenceDestroy(wish);
    if (status != CublasApi::not_supported) check_cublas(status, "MatmulAlgoGetHeuristic");
    plan.found = status == CublasApi::ok && count > 0 && plan.best.status == CublasApi::ok;
    return plan;
  }
  void clear() {
    const CublasApi& api = detail::cublas().api;
    for (const auto& [_, p] : plans_) {
      api.MatmulDescDestroy(p.op);
      for (const CublasApi::Layout l : {p.a, p.b, p.c}) api.MatrixLayoutDestroy(l);
    }
    plans_.clear();
  }

  std::mutex mutex_;
  std::map<LibraryProduct, Plan> plans_;
};

template <class T> constexpr int library_type() {
  return std::is_same_v<T, double> ? CublasApi::f64
         : std::is_same_v<T, bf16> ? CublasApi::bf16
         : std::is_same_v<T, f16>  ? CublasApi::f16
                                   : CublasApi::f32;
}
template <class T> int library_compute() {
  const MatmulPrecision p = std::is_same_v<T, float> ? matmul_precision() : MatmulPrecision::highest;
  if (std::is_same_v<T, double>) return CublasApi::in_f64;
  return p == MatmulPrecision::highest ? CublasApi::in_f32
         : p == MatmulPrecision::high  ? CublasApi::in_tf32
                                       : CublasApi::in_bf16;
}
/// Of addresses, or'ed; the library asks for no more than 256 bytes.
inline unsigned alignment_of(std::uintptr_t bits) {
  const auto low = bits & 255;
  return low == 0 ? 256u : static_cast<unsigned>(low & (~low + 1));
}

/// A matrix with its strides as the library takes it: `turned` when it lies column after column. False where
/// it does neither.
inline bool library_layout(Index rows, Index columns, Index row, Index column, bool& turned, Index& ld) {
  turned = !(column == 1 || columns == 1);
  if (turned && rows > 1 && row != 1) return false;
  const Index inner = turned ? rows : columns, outer = turned ? columns : rows;
  ld = outer == 1 ? inner : turned ? column : row;
  return ld >= inner;
}

/// Can the library add this bias to a product? It reads 16 bytes at a time, and has no epilogues in double.
template <class T> bool library_bias(const T* bias) {
  return !std::is_same_v<T, double> && reinterpret_cast<std::uintptr_t>(bias) % 16 == 0;
}

/// C = epilogue(A B + beta C) by the library, when it is the one to do it and can: else false, and nothing
/// has happened. Batches broadcast. `bias` has an element for each column of C.
template <class Tc, class T>
bool library_product(const Tensor<Tc, Cuda>& c, const Tensor<T, Cuda>& a, const Tensor<T, Cuda>& b,
                     compute_t<Tc> beta = 0, unsigned epilogue = CublasApi::plain, const Tc* bias = nullptr) {
  if (cuda_gemm() != CudaGemm::library) return false;
  constexpr Index most = Index{1} << 31;
  LibraryProduct p{};
  p.type = library_type<T>();
  p.type_c = library_type<Tc>();
  p.compute = library_compute<T>();
  p.epilogue = epilogue;
  p.m = c.size(-2), p.n = c.size(-1), p.k = a.size(-1);
  if (c.numel() == 0 || p.k == 0) return false;
  const LoopPlan plan = product_batch(c, a, b, p.m);
  int last = plan.rank - 1;
  p.batch = 1;
  if (last >= 0) {
    p.batch = plan.size[last];
    p.batch_a = plan.stride[0][last], p.batch_b = plan.stride[1][last], p.batch_c = plan.stride[2][last];
    --last;
  }
  bool turned_a = false, turned_b = false, turned_c = false;
  if (!library_layout(p.m, p.k, a.stride(-2), a.stride(-1), turned_a, p.ld_a) ||
      !library_layout(p.k, p.n, b.stride(-2), b.stride(-1), turned_b, p.ld_b) ||
      !library_layout(p.m, p.n, c.stride(-2), c.stride(-1), turned_c, p.ld_c) || turned_c || p.m >= most ||
      p.n >= most || p.k >= most || p.batch >= most)
    return false;
  p.transpose_a = turned_a, p.transpose_b = turned_b;
  Index calls = 1;  // the rest of the batch
  for (int d = 0; d <= last; ++d) calls *= plan.size[d];
  if (calls > 64) return false;

  Tc* const pc = c.mutable_data();
  const auto alignment = [&](const void* pointer, std::size_t element, int operand) {
    auto bits = reinterpret_cast<std::uintptr_t>(pointer);
    for (int d = 0; d <= last; ++d) bits |= element * static_cast<std::uintptr_t>(plan.stride[operand][d]);
    return alignment_of(bits);
  };
  p.align_a = alignment(a.data(), sizeof(T), 0);
  p.align_b = alignment(b.data(), sizeof(T), 1);
  p.align_c = alignment(pc, sizeof(Tc), 2);
  const detail::Cublas& library = detail::cublas();
  return LibraryPlans::instance().with(p, [&](const LibraryPlans::Plan& kept) {
    if (!kept.found) return false;
    if (bias)
      detail::check_cublas(
          library.api.MatmulDescSetAttribute(kept.op, CublasApi::bias_pointer, &bias, sizeof bias),
          "MatmulDescSetAttribute");
    const compute_t<Tc> one = 1;
    const std::size_t bytes = kept.best.workspace;
    const auto workspace = bytes ? Cuda::allocate(bytes) : Ref<Storage>();  // freed in the stream's order
    for (Index i = 0; i < calls; ++i) {
      Index at[3] = {}, rest = i;
      for (int d = last; d >= 0; rest /= plan.size[d--])
        for (int o = 0; o < 3; ++o) at[o] += rest % plan.size[d] * plan.stride[o][d];
      detail::check_cublas(
          library.api.Matmul(library.handle, kept.op, &one, b.data() + at[1], kept.b, a.data() + at[0],
                             kept.a, &beta, pc + at[2], kept.c, pc + at[2], kept.c, &kept.best.algo,
                             bytes ? workspace->data() : nullptr, bytes, cuda_stream()),
          "Matmul");
    }
    return true;
  });
}

}  // namespace cuda

TMOR_END
