// Convolutions on `Cuda` by our own kernel and by cuDNN, emulated: who does them, with which of its
// algorithms, how exactly, in which types, and what the emulated library refuses.
#ifdef TMOR_CUDA_EMULATED
#include <doctest/doctest.h>

#include "support/emu_orders.hpp"
#include "tmor/autograd/backward.hpp"
#include "tmor/cuda/cuda.cuh"
#include "tmor/ops/conv.hpp"
#include "tmor/ops/device.hpp"
#include "tmor/ops/random.hpp"
#include "tmor/ops/reduce.hpp"

using namespace tmor;
using Gpu = Tensor<float, Cuda>;

namespace {

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

/// `f` with convolutions by `c`, in memory aligned as on a GPU.
template <class F> void with_conv(CudaConv c, F&& f) {
  auto& memory = emu::DeviceMemory::instance();
  const CudaConv before = cuda_conv();
  const bool was_aligned = std::exchange(memory.aligned, true);
  set_cuda_conv(c);
  f();
  set_cuda_conv(before);
  memory.aligned = was_aligned;
}
template <class T = float> Tensor<T> random(const Shape& s, std::uint64_t seed) {
  Rng rng(seed);
  return to<T>(uniform(rng, s, -1, 1));
}
template <class A, class B> void check_near(const A& got, const B& want, double tolerance) {
  REQUIRE(got.shape() == want.shape());
  const auto g = to<float>(to<Cpu>(got)).to_vector(), w = to<float>(to<Cpu>(want)).to_vector();
  double worst = 0, largest = 1;
  for (std::size_t i = 0; i < g.size(); ++i) {
    const double d = std::fabs(static_cast<double>(g[i]) - static_cast<double>(w[i]));
    worst = std::isfinite(d) ? std::fmax(worst, d) : 1e30;
    largest = std::fmax(largest, std::fabs(static_cast<double>(w[i])));
  }
  CHECK(worst <= tolerance * largest);
}
std::size_t plans() { return cuda::LibraryConvs::instance().size(); }

/// y and both gradients of a convolution on `D`.
template <class D, class T, class F>
std::vector<Tensor<T>> with_gradients(const Tensor<T>& x, const Tensor<T>& w, F&& f) {
  const auto dx = to<D>(x).detach().requires_grad_(), dw = to<D>(w).detach().requires_grad_();
  const auto y = f(dx, dw);
  backward(sum(to<float>(y * y)));
  return {to<Cpu>(y.detach()), to<Cpu>(dx.grad()), to<Cpu>(dw.grad())};
}

}  // namespace

TEST_CASE("who does convolutions can be asked and chosen") {
  CHECK(cuda_conv() == CudaConv::own);  // the emulated device is there for our kernels
  CHECK(cuda_conv_library() == "cuDNN, emulated");
  set_cuda_conv(CudaConv::library);
  CHECK(cuda_conv() == CudaConv::library);
  set_cuda_conv(CudaConv::own);
}

TEST_CASE_TEMPLATE("strides, padding, dilation, groups: the CPU's results and gradients", T, float, bf16,
                   f16) {
  const double tolerance = std::is_same_v<T, float> ? 1e-6 : std::is_same_v<T, bf16> ? 0x1p-6 : 0x1p-9;
  const Conv2dOptions all[] = {{.pad_h = 1, .pad_w = 1},
                               {.stride_h = 2, .stride_w = 1, .pad_h = 1, .pad_w = 0, .dilation_w = 2},
                               {.pad_h = 2, .pad_w = 1, .dilation_h = 2, .groups = 3}};
  for (const CudaConv by : {CudaConv::own, CudaConv::library})
    with_conv(by, [&] {
      for (const Conv2dOptions& o : all) {
        const auto before = plans();
        const auto x = random<T>({2, 7, 6, 6}, 1), w = random<T>({3, 3, 6 / o.groups, 9}, 2);
        const auto f = [o](const auto& a, const auto& b) { return conv2d(a, b, o); };
        const auto cpu = with_gradients<Cpu>(x, w, f), gpu = with_gradients<Cuda>(x, w, f);
        for (std::size_t i = 0; i < cpu.size(); ++i) check_near(gpu[i], cpu[i], tolerance);
        CHECK(plans() == before + (by == CudaConv::library ? 3 : 0));
        CHECK(with_gradients<Cuda>(x, w, f)[2].to_vector() == gpu[2].to_vector());
        CHECK(plans() == before + (by == CudaConv::library ? 3 : 0));  // asked once a shape
      }
      const auto x = random<T>({2, 9, 5, 4}, 3), w = random<T>({3, 4, 6}, 4), b = random<T>({6}, 5);
      check_near(conv_time(to<Cuda>(x), to<Cuda>(w), {.stride = 2, .pad = 1}, to<Cuda>(b)),
                 conv_time(x, w, {.stride = 2, .pad = 1}, b), tolerance);
    });
}

TEST_CASE("what the library cannot do, our own kernel does") {
  with_conv(CudaConv::library, [] {
    const auto before = plans();
    const auto x = random({1, 5, 5, 3}, 1), w = random({3, 3, 3, 2}, 2);
    check_near(conv2d(to<Cuda>(to<double>(x)), to<Cuda>(to<double>(w))), conv2d(x, w), 1e-6);
    // Not aligned to 16 bytes.
    const auto more = Gpu::zeros({76});
    const auto part = more.as_strided({1, 5, 5, 3}, {75, 15, 3, 1}, 1);
    copy_into(Cuda{}, part, to<Cuda>(x));
    check_near(conv2d(part, to<Cuda>(w)), conv2d(x, w), 1e-6);
    CHECK(conv2d(Gpu::empty({0, 5, 5, 3}), to<Cuda>(w)).numel() == 0);
    CHECK(plans() == before);
    const auto y = conv2d(to<Cuda>(x), to<Cuda>(w));
    CHECK(plans() == before + 1);
  });
}

TEST_CASE("algorithms: the same bits every time, products added up as they are, workspace when needed") {
  with_conv(CudaConv::library, [] {
    const cuda::ConvSize s{1, 6, 6, 4, 4, 3, 3, 5,
                           2, 1, 1, 1, 1, 1, 0, 0};  // the library would like Winograd
    for (const auto way : {cuda::ConvWay::forward, cuda::ConvWay::grad_input, cuda::ConvWay::grad_weight})
      cuda::LibraryConvs::instance().with(cuda::library_conv_of<float>(way, s),
                                          [](cuda::LibraryConvs::Plan& p) {
                                            CHECK(p.found);
                                            CHECK(p.algo == 1);
                                            CHECK(p.workspace > 0);
                                          });
  });
}

TEST_CASE("precision: factors are rounded to TF32 when it is allowed, by the library and for float only") {
  const auto product = [](float v) {
    const auto x = Gpu::full({1, 2, 1, 1}, v);
    return conv2d(x, Gpu::full({2, 1, 1, 1}, 0.5f)).item();
  };
  const float x = 1 + 0x1p-9f, y = 1 + 0x1p-12f;  // TF32 has the bits of the first
  for (const auto p : {MatmulPrecision::highest, MatmulPrecision::high, MatmulPrecision::medium}) {
    set_matmul_precision(p);
    with_conv(CudaConv::library, [&] {
      CHECK(product(x) == x);
      CHECK(product(y) == (p == MatmulPrecision::highest ? y : 1.0f));
    });
    CHECK(product(y) == y);  // our own kernel
  }
  set_matmul_precision(MatmulPrecision::highest);
}

TEST_CASE("the library's work waits in its stream, and so do its workspace and the turned weights") {
  with_conv(CudaConv::library, [] {
    with_deferred_streams([] {
      const auto x = random({2, 6, 5, 4}, 1), w = random({3, 3, 4, 8}, 2);
      const auto before = emu::DeviceMemory::instance().used();
      const auto f = [](const auto& a, const auto& b) { return conv2d(a, b, {.pad_h = 1, .pad_w = 1}); };
      {
        const auto cpu = with_gradients<Cpu>(x, w, f), gpu = with_gradients<Cuda>(x, w, f);
        for (std::size_t i = 0; i < cpu.size(); ++i) check_near(gpu[i], cpu[i], 1e-6);
      }
      synchronize_cuda();
      CHECK(emu::DeviceMemory::instance().used() == before);
    });
  });
}

namespace {

/// A call of the emulated library, with everything open to be spoiled: x (1, 4, 4, 2), w (2 of (1, 1, 2)).
struct Call {
  using L = CudnnApi;
  emu::DnnShape x{true, L::nhwc, L::f32, 1, 2, 4, 4}, w{true, L::nhwc, L::f32, 2, 2, 2, 1},
      y{true, L::nhwc, L::f32, 1, 2, 3, 4};
  emu::DnnConv conv{true, 0, 0, 1, 1, 1, 1, L::cross_correlation, L::f32, 1, L::only_fma};
  Gpu tx = Gpu::ones({32}), tw = Gpu::ones({8}), ty = Gpu::zeros({24});
  const void *px = tx.data(), *pw = tw.data();
  void* py = ty.mutable_data();
  int algo = L::implicit_gemm;
  void* workspace = nullptr;
  std::size_t bytes = 0;

  int run() {
    const float one = 1, zero = 0;
    return detail::cudnn().api.ConvolutionForward(detail::cudnn().handle, &one, &x, px, &w, pw, &conv, algo,
                                                  workspace, bytes, &zero, &y, py);
  }
};

}  // namespace

TEST_CASE("what the library refuses") {
  with_conv(CudaConv::library, [] {
    using L = CudnnApi;
    Call good;
    CHECK(good.run() == L::ok);
    CHECK(good.ty.to_vector() == std::vector<float>(24, 4));
    const auto status = [&](auto spoil) {
      Call c = good;
      spoil(c);
      return c.run();
    };
    CHECK(status([](Call& c) { c.x.format = L::nchw; }) == L::not_supported);
    CHECK(status([](Call& c) { c.w.type = L::bf16; }) == L::bad_param);
    CHECK(status([](Call& c) { c.x.type = c.w.type = c.y.type = L::f64; }) == L::not_supported);
    CHECK(status([](Call& c) { c.conv.compute = L::f16; }) == L::not_supported);
    CHECK(status([](Call& c) { c.y.h = 4; }) == L::bad_param);          // not what comes out
    CHECK(status([](Call& c) { c.conv.groups = 2; }) == L::bad_param);  // weights have two channels in
    CHECK(status([](Call& c) { c.conv.stride_w = 2; }) == L::bad_param);
    CHECK(status([](Call& c) { c.w.set = false; }) == L::bad_param);
    CHECK(status([](Call& c) { c.algo = L::winograd; }) == L::not_supported);
    CHECK(status([](Call& c) { c.algo = L::implicit_precomp_gemm; }) == L::bad_param);  // wants a workspace
    const detail::Cudnn& library = detail::cudnn();
    CHECK(library.api.SetTensor4dDescriptor(&good.x, L::nhwc, L::f32, 0, 1, 1, 1) == L::bad_param);
    CHECK(library.api.SetConvolution2dDescriptor(&good.conv, 0, 0, 1, 0, 1, 1, L::cross_correlation,
                                                 L::f32) == L::bad_param);
    CHECK(detail::is_refusal(L::not_supported));
    CHECK(!detail::is_refusal(L::bad_param));
    CHECK(has(error_of([] { detail::check_cudnn(L::bad_param, "ConvolutionForward"); }),
              "cudnnConvolutionForward failed: CUDNN_STATUS_BAD_PARAM; TMOR_CUDA_CONV=own"));

    const auto said = [&](auto spoil) { return error_of([&] { status(spoil); }); };
    float host[64] = {};
    CHECK(has(said([&](Call& c) { c.px = host; }),
              "[cudnnConvolutionForward] x, 128 bytes, begins at address 0x"));
    CHECK(has(said([](Call& c) { c.y.n = c.x.n = 2; }), "x, 256 bytes, ends at 127 bytes past the end"));
    CHECK(has(said([](Call& c) { c.px = c.tx.data() + 1, c.x.h = 3, c.y.h = 2; }), "no multiple of 16"));
    CHECK(has(said([&](Call& c) { c.algo = L::implicit_precomp_gemm, c.workspace = host, c.bytes = 256; }),
              "the workspace, 256 bytes, begins at"));
  });
}
#endif
