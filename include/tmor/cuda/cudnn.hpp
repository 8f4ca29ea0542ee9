#pragma once
/// @file cudnn.hpp
/// Convolutions by NVIDIA's library, cuDNN, where it is there: the table of its functions, and what is asked
/// of it, kept by shape. Our own kernels (cuda/conv.cuh) do what it cannot, or all of it.
///
/// Images lie channels last (NHWC) for both. The library wants its weights as (c_out, kh, kw, c_in), ours
/// are (kh, kw, c_in, c_out): a transposed copy of them is made for each call, of nothing else.

#include <array>
#include <cstdlib>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "tmor/core/matmul_precision.hpp"
#include "tmor/cuda/conv_size.hpp"
#include "tmor/cuda/cudnn_table.hpp"
#include "tmor/cuda/device.hpp"
#ifdef TMOR_CUDA_EMULATED
#include "tmor/cuda/emu/cudnn.hpp"
#endif

TMOR_BEGIN

/// Who does convolutions on `Cuda`: our own kernel, or cuDNN.
enum class CudaConv { own, library };

namespace detail {

/// The library, or why it cannot be used.
struct Cudnn {
  CudnnApi api{};
  CudnnApi::Handle handle = nullptr;
  std::string missing;
};

#ifndef TMOR_CUDA_EMULATED
/// libcudnn.so.9 passes on to libcudnn_ops, libcudnn_cnn and the others, which it finds by itself.
inline void load_cudnn_api(Cudnn& c) {
  void* library = nullptr;
  for (const char* name : {"libcudnn.so.9", "libcudnn.so", "/usr/local/cuda/lib64/libcudnn.so.9"})
    if ((library = dlopen(name, RTLD_NOW | RTLD_LOCAL))) break;
  if (!library) {
    c.missing = "there is no libcudnn.so.9";
    return;
  }
  const auto find = [&](const char* name, auto& entry) {
    void* p = dlsym(library, name);
    if (!p) c.missing = cat("libcudnn.so has no ", name, ": version 9 is needed");
    __builtin_memcpy(&entry, &p, sizeof p);
  };
#define TMOR_CUDNN_ENTRY(name) find("cudnn" #name, c.api.name)
  TMOR_CUDNN_ENTRY(Create);
  TMOR_CUDNN_ENTRY(SetStream);
  TMOR_CUDNN_ENTRY(CreateTensorDescriptor);
  TMOR_CUDNN_ENTRY(SetTensor4dDescriptor);
  TMOR_CUDNN_ENTRY(DestroyTensorDescriptor);
  TMOR_CUDNN_ENTRY(CreateFilterDescriptor);
  TMOR_CUDNN_ENTRY(SetFilter4dDescriptor);
  TMOR_CUDNN_ENTRY(DestroyFilterDescriptor);
  TMOR_CUDNN_ENTRY(CreateConvolutionDescriptor);
  TMOR_CUDNN_ENTRY(SetConvolution2dDescriptor);
  TMOR_CUDNN_ENTRY(SetConvolutionGroupCount);
  TMOR_CUDNN_ENTRY(SetConvolutionMathType);
  TMOR_CUDNN_ENTRY(DestroyConvolutionDescriptor);
  TMOR_CUDNN_ENTRY(GetConvolutionForwardAlgorithm_v7);
  TMOR_CUDNN_ENTRY(GetConvolutionBackwardDataAlgorithm_v7);
  TMOR_CUDNN_ENTRY(GetConvolutionBackwardFilterAlgorithm_v7);
  TMOR_CUDNN_ENTRY(GetConvolutionForwardWorkspaceSize);
  TMOR_CUDNN_ENTRY(GetConvolutionBackwardDataWorkspaceSize);
  TMOR_CUDNN_ENTRY(GetConvolutionBackwardFilterWorkspaceSize);
  TMOR_CUDNN_ENTRY(ConvolutionForward);
  TMOR_CUDNN_ENTRY(ConvolutionBackwardData);
  TMOR_CUDNN_ENTRY(ConvolutionBackwardFilter);
  TMOR_CUDNN_ENTRY(GetErrorString);
  TMOR_CUDNN_ENTRY(GetVersion);
#undef TMOR_CUDNN_ENTRY
  if (c.missing.empty() && c.api.GetVersion() / 10000 != 9)
    c.missing = cat("libcudnn.so is of version ", c.api.GetVersion(), ": version 9 is needed");
}
#endif

/// Filled on first use. @throws Error when there is no GPU.
inline const Cudnn& cudnn() {
  static const Cudnn* const c = [] {
    cuda_api();
    auto* made = new Cudnn;  // immortal, as the memory it works on
    load_cudnn_api(*made);
    if (made->missing.empty())
      if (const int status = made->api.Create(&made->handle); status != CudnnApi::ok)
        made->missing = cat("cudnnCreate failed: ", made->api.GetErrorString(status));
    return made;
  }();
  return *c;
}

inline bool is_refusal(int cudnn_status) {
  return cudnn_status >= CudnnApi::not_supported && cudnn_status < CudnnApi::not_supported_end;
}
inline void check_cudnn(int status, const char* call) {
  if (status != CudnnApi::ok) [[unlikely]]
    fail<Error>("[cuda] cudnn", call, " failed: ", cudnn().api.GetErrorString(status),
                "; TMOR_CUDA_CONV=own does without the library");
}

inline CudaConv usable_conv(CudaConv c) {
  TMOR_CHECK(c == CudaConv::own || cudnn().missing.empty(),
             "[cuda] convolutions by the library were asked for, ", "but ", cudnn().missing,
             ": install cuDNN, or use our own kernel");
  return c;
}
inline std::atomic<CudaConv>& conv_choice() {
  static std::atomic<CudaConv> choice{[] {
    const char* s = std::getenv("TMOR_CUDA_CONV");
    if (!s) return !cuda_api().emulated && cudnn().missing.empty() ? CudaConv::library : CudaConv::own;
    const std::string_view name = s;
    TMOR_CHECK(name == "own" || name == "library", "[cuda] TMOR_CUDA_CONV is '", s, "': give own or library");
    return usable_conv(name == "own" ? CudaConv::own : CudaConv::library);
  }()};
  return choice;
}

}  // namespace detail

/// Who does convolutions: the library where it is found, our own kernel else and on the emulated device,
/// unless TMOR_CUDA_CONV=own or library, or `set_cuda_conv`, say otherwise. The library passes on to our own
/// kernel what it cannot do: double, for one. Convolutions by one tap are products, of which `cuda_gemm`
/// says who does them. @throws Error when there is no GPU, or TMOR_CUDA_CONV wants what is not there.
inline CudaConv cuda_conv() { return detail::conv_choice(); }
/// For convolutions from now on. @throws Error when the library is wanted and not there, saying why.
inline void set_cuda_conv(CudaConv c) { detail::conv_choice() = detail::usable_conv(c); }
/// "cuDNN 9.19.0", "cuDNN, emulated", or why it cannot be used.
inline std::string cuda_conv_library() {
  const detail::Cudnn& c = detail::cudnn();
  if (!c.missing.empty()) return c.missing;
  if (cuda_api().emulated) return "cuDNN, emulated";
  const std::size_t v = c.api.GetVersion();
  return detail::cat("cuDNN ", v / 10000, ".", v / 100 % 100, ".", v % 100);
}

namespace cuda {

/// A convolution, and its gradients.
enum class ConvWay { forward, grad_input, grad_weight };

/// All that the library's choice of an algorithm depends on.
struct LibraryConv {
  ConvWay way;
  int type, math;
  ConvSize size;

  auto operator<=>(const LibraryConv&) const = default;
};

/// What the library was asked for, once a shape. Of its algorithms the first is taken that gives the same
/// bits every time and adds up products as they are: no transforms, whose rounding is another.
class LibraryConvs {
 public:
  /// A descriptor of the library's.
  class Descriptor {
   public:
    using Desc = CudnnApi::Desc;
    Descriptor() = default;
    template <class Create> Descriptor(Create create, int (*destroy)(Desc)) : destroy_(destroy) {
      detail::check_cudnn(create(&p_), "CreateDescriptor");
    }
    Descriptor(Descriptor&& o) noexcept : p_(std::exchange(o.p_, nullptr)), destroy_(o.destroy_) {}
    Descriptor& operator=(Descriptor&& o) noexcept {
      std::swap(p_, o.p_);
      std::swap(destroy_, o.destroy_);
      return *this;
    }
    ~Descriptor() {
      if (p_) destroy_(p_);
    }
    Desc get() const { return p_; }

   private:
    Desc p_ = nullptr;
    int (*destroy_)(Desc) = nullptr;
  };
  struct Plan {
    Descriptor x, weight, y, conv;
    CudnnApi::Run run = nullptr;
    int algo = 0;
    std::size_t workspace = 0;
    bool found = false;
  };
  /// Bytes that an algorithm may want besides.
  static constexpr std::size_t kWorkspace = std::size_t{256} << 20;
  static constexpr std::size_t kMost = 4096;  ///< then all are forgotten: shapes that keep changing

  /// Calls f(plan), nobody else having it, or the library's handle, meanwhile.
  template <class F> auto with(const LibraryConv& c, const F& f) {
    const std::lock_guard<std::mutex> guard(mutex_);
    detail::check_cudnn(detail::cudnn().api.SetStream(detail::cudnn().handle, cuda_stream()), "SetStream");
    auto at = plans_.find(c);
    if (at == plans_.end()) {
      if (plans_.size() >= kMost) plans_.clear();
      at = plans_.emplace(c, make(c)).first;
    }
    return f(at->second);
  }
  std::size_t size() {
    const std::lock_guard<std::mutex> guard(mutex_);
    return plans_.size();
  }
  static LibraryConvs& instance() {
    static LibraryConvs* p = new LibraryConvs;
    return *p;
  }
  /// The three descriptors in the order of the library's arguments; the last is the result's.
  static std::array<CudnnApi::Desc, 3> operands(ConvWay way, const Plan& p) {
    if (way == ConvWay::forward) return {p.x.get(), p.weight.get(), p.y.get()};
    if (way == ConvWay::grad_input) return {p.weight.get(), p.y.get(), p.x.get()};
    return {p.x.get(), p.y.get(), p.weight.get()};
  }

 private:
  static Plan make(const LibraryConv& c) {
    using detail::check_cudnn;
    const CudnnApi& api = detail::cudnn().api;
    const ConvSize& s = c.size;
    const auto num = [](Index i) { return static_cast<int>(i); };
    Plan p;
    p.x = Descriptor(api.CreateTensorDescriptor, api.DestroyTensorDescriptor);
    p.y = Descriptor(api.CreateTensorDescriptor, api.DestroyTensorDescriptor);
    p.weight = Descriptor(api.CreateFilterDescriptor, api.DestroyFilterDescriptor);
    p.conv = Descriptor(api.CreateConvolutionDescriptor, api.DestroyConvolutionDescriptor);
    const auto image = [&](const Descriptor& d, Index channels, Index h, Index w) {
      return api.SetTensor4dDescriptor(d.get(), CudnnApi::nhwc, c.type, num(s.n), num(s.groups * channels),
                                       num(h), num(w));
    };
    for (const int status :
         {image(p.x, s.c_in, s.h, s.w), image(p.y, s.c_out, s.oh, s.ow),
          api.SetFilter4dDescriptor(p.weight.get(), c.type, CudnnApi::nhwc, num(s.groups * s.c_out),
                                    num(s.c_in), num(s.kh), num(s.kw)),
          api.SetConvolution2dDescriptor(p.conv.get(), num(s.pad_h), num(s.pad_w), num(s.stride_h),
                                         num(s.stride_w), num(s.dilation_h), num(s.dilation_w),
                                         CudnnApi::cross_correlation, CudnnApi::f32),
          api.SetConvolutionGroupCount(p.conv.get(), num(s.groups)),
          api.SetConvolutionMathType(p.conv.get(), c.math)}) {
      if (detail::is_refusal(status)) return p;
      check_cudnn(status, "SetDescriptor");
    }
    choose(c, p);
    return p;
  }
  static void choose(const LibraryConv& c, Plan& p) {
    const detail::Cudnn& library = detail::cudnn();
    const CudnnApi& api = library.api;
    const auto [a, b, out] = operands(c.way, p);
    const auto [algorithms, workspace, run] =
        c.way == ConvWay::forward ? std::tuple{api.GetConvolutionForwardAlgorithm_v7,
                                               api.GetConvolutionForwardWorkspaceSize, api.ConvolutionForward}
        : c.way == ConvWay::grad_input
            ? std::tuple{api.GetConvolutionBackwardDataAlgorithm_v7,
                         api.GetConvolutionBackwardDataWorkspaceSize, api.ConvolutionBackwardData}
            : std::tuple{api.GetConvolutionBackwardFilterAlgorithm_v7,
                         api.GetConvolutionBackwardFilterWorkspaceSize, api.ConvolutionBackwardFilter};
    p.run = run;
    CudnnApi::Perf found[16] = {};
    int count = 0;
    int status = algorithms(library.handle, a, b, p.conv.get(), out, 16, &count, found);
    if (detail::is_refusal(status)) return;
    detail::check_cudnn(status, "GetConvolutionAlgorithm");
    for (int i = 0; i < count; ++i) {
      if (found[i].status != CudnnApi::ok || found[i].determinism != CudnnApi::deterministic ||
          !adds_products(c.way, found[i].algo))
        continue;
      p.algo = found[i].algo;
      if (workspace(library.handle, a, b, p.conv.get(), out, p.algo, &p.workspace) != CudnnApi::ok ||
          p.workspace > kWorkspace)
        continue;
      p.found = true;
      return;
    }
  }
  static bool adds_products(ConvWay way, int algo) {
    if (way == ConvWay::grad_input) return algo == CudnnApi::data_gemm;
    if (way == ConvWay::grad_weight) return algo == CudnnApi::filter_gemm;
    return algo == CudnnApi::implicit_gemm || algo == CudnnApi::implicit_precomp_gemm ||
           algo == CudnnApi::gemm;
  }

  std::mutex mutex_;
  std::map<LibraryConv, Plan> plans_;
};

/// Is the library to do this convolution, and may it be asked? It counts in 32 bits, wants elements, and
/// knows double only in another layout.
template <class T> bool library_may(const ConvSize& s) {
  if (std::is_same_v<T, double> || cuda_conv() != CudaConv::library) return false;
  constexpr Index most = std::numeric_limits<int>::max();
  const Index x = s.n * s.h * s.w * s.groups * s.c_in, y = s.pixels() * s.groups * s.c_out,
              weight = s.patch() * s.groups * s.c_out;
  for (const Index count : {x, y, weight})
    if (count < 1 || count > most) return false;
  for (const Index i : {s.pad_h, s.pad_w, s.stride_h, s.stride_w, s.dilation_h, s.dilation_w})
    if (i > most) return false;
  return true;
}
template <class T> LibraryConv library_conv_of(ConvWay way, const ConvSize& s) {
  if (std::is_same_v<T, float>) {
    const bool exact = matmul_precision() == MatmulPrecision::highest;
    return {way, CudnnApi::f32, exact ? CudnnApi::only_fma : CudnnApi::as_it_likes, s};
  }
  return {way, std::is_same_v<T, bf16> ? CudnnApi::bf16 : CudnnApi::f16, CudnnApi::tensor_cores, s};
}

/// c = the plan's convolution of a and b, in the order of the library's arguments, weights in its layout.
/// False when it cannot, and nothing has happened.
inline bool run_library_conv(ConvWay way, LibraryConvs::Plan& p, const void* a, const void* b, void* c) {
  const detail::Cudnn& library = detail::cudnn();
  const auto [da, db, dc] = LibraryConvs::operands(way, p);
  const float one = 1, zero = 0;
  const auto workspace = p.workspace ? Cuda::allocate(p.workspace) : Ref<Storage>();
  const int status = p.run(library.handle, &one, da, a, db, b, p.conv.get(), p.algo,
                           workspace ? workspace->data() : nullptr, p.workspace, &zero, dc, c);
  if (detail::is_refusal(status)) return p.found = false;
  detail::check_cudnn(status, way == ConvWay::forward      ? "ConvolutionForward"
                              : way == ConvWay::grad_input ? "ConvolutionBackwardData"
                                                           : "ConvolutionBackwardFilter");
  return true;
}

}  // namespace cuda

TMOR_END
