// Products on `Cuda` by our own kernel and by cuBLASLt, emulated: who does them, how exactly, in which types,
// and what the emulated library refuses.
#ifdef TMOR_CUDA_EMULATED
#include <doctest/doctest.h>

#include "support/emu_orders.hpp"
#include "tmor/autograd/backward.hpp"
#include "tmor/cuda/cuda.cuh"
#include "tmor/ops/device.hpp"
#include "tmor/ops/matmul.hpp"
#include "tmor/ops/random.hpp"
#include "tmor/ops/reduce.hpp"
#include "tmor/ops/softmax.hpp"

using namespace tmor;
using Gpu = Tensor<float, Cuda>;

namespace {

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

/// `f` with products by `g`, in memory aligned as on a GPU.
template <class F> void with_gemm(CudaGemm g, F&& f) {
  auto& memory = emu::DeviceMemory::instance();
  const CudaGemm before = cuda_gemm();
  const bool was_aligned = std::exchange(memory.aligned, true);
  set_cuda_gemm(g);
  f();
  set_cuda_gemm(before);
  memory.aligned = was_aligned;
}
template <class F> void with_both(F&& f) {
  for (const CudaGemm g : {CudaGemm::own, CudaGemm::library}) with_gemm(g, f);
}
template <class T = float> Tensor<T> random(const Shape& s, std::uint64_t seed) {
  Rng rng(seed);
  return to<T>(uniform(rng, s, -1, 1));
}
template <class T> void check_near(const Tensor<T, Cuda>& got, const Tensor<T>& want, double tolerance) {
  REQUIRE(got.shape() == want.shape());
  const auto g = to<float>(to<Cpu>(got)).to_vector(), w = to<float>(want).to_vector();
  double worst = 0;
  for (std::size_t i = 0; i < g.size(); ++i) {
    const double d = std::fabs(static_cast<double>(g[i]) - static_cast<double>(w[i]));
    worst =
        std::isfinite(d) ? std::fmax(worst, d / std::fmax(1.0, std::fabs(static_cast<double>(w[i])))) : 1e30;
  }
  CHECK(worst <= tolerance);
}
std::size_t plans() { return cuda::LibraryPlans::instance().size(); }

}  // namespace

TEST_CASE("who multiplies can be asked and chosen") {
  CHECK(cuda_gemm() == CudaGemm::own);  // the emulated device is there for our kernels
  CHECK(cuda_gemm_library() == "cuBLASLt, emulated");
  set_cuda_gemm(CudaGemm::library);
  CHECK(cuda_gemm() == CudaGemm::library);
  set_cuda_gemm(CudaGemm::own);
}

TEST_CASE("the library is asked for an algorithm once a shape, and does what it can") {
  with_gemm(CudaGemm::library, [] {
    const auto a = to<Cuda>(random({2, 3, 5, 7}, 1)), b = to<Cuda>(random({3, 7, 4}, 2));
    const auto before = plans();
    const auto c = matmul(a, b).to_vector();
    CHECK(plans() == before + 1);  // two calls of a batch of 3
    CHECK(matmul(a, b).to_vector() == c);
    CHECK(plans() == before + 1);
    const auto y = Gpu::full({6, 4}, 2), x = to<Cuda>(random({6, 9}, 3)), w = to<Cuda>(random({9, 4}, 4));
    CHECK(cuda::library_product(y, x, w, 0.5f));
    check_near(y, matmul(to<Cpu>(x), to<Cpu>(w)) + Tensor<>::scalar(1), 1e-6);
    // Every second element of every second row: no leading dimension says that.
    const auto gaps = to<Cuda>(random({10, 8}, 5)).as_strided({5, 4}, {16, 2}, 0);
    CHECK(!cuda::library_product(Gpu::empty({5, 3}), gaps, to<Cuda>(random({4, 3}, 6))));
    CHECK(!cuda::library_product(Gpu::empty({2, 3}), Gpu::empty({2, 0}), Gpu::empty({0, 3})));
    set_cuda_gemm(CudaGemm::own);
    CHECK(!cuda::library_product(y, x, w));
  });
}

TEST_CASE("bias and activation in the same call, where the library knows them") {
  with_gemm(CudaGemm::library, [] {
    const auto x = random({5, 7}, 1), w = random({6, 7}, 2), b = random({6}, 3);
    const auto gx = to<Cuda>(x), wt = to<Cuda>(transpose(w)), gb = to<Cuda>(b), y = Gpu::empty({5, 6});
    for (const Activation act : {Activation::none, Activation::relu, Activation::gelu_tanh}) {
      CHECK(run_linear_at_once(Cuda{}, y, gx, wt, gb.data(), act));
      check_near(y, linear(x, w, b, act), 1e-6);
    }
    CHECK(run_linear_at_once(Cuda{}, y, gx, wt, static_cast<const float*>(nullptr), Activation::relu));
    check_near(y, linear(x, w, {}, Activation::relu), 1e-6);
    CHECK(!run_linear_at_once(Cuda{}, y, gx, wt, gb.data(), Activation::gelu));  // it has only the other gelu
    const auto nine = Gpu::zeros({9});
    CHECK(!run_linear_at_once(Cuda{}, y, gx, wt, nine.data() + 1, Activation::none));  // not aligned
    check_near(linear(gx, to<Cuda>(w), nine.as_strided({6}, {1}, 1), Activation::relu),
               linear(x, w, {}, Activation::relu), 1e-6);
  });
}

TEST_CASE("precision: factors are rounded when it is allowed, by the library and for float only") {
  const auto product = [](float v) { return matmul(Gpu::full({1, 1}, v), Gpu::ones({1, 1})).item(); };
  const float x = 1 + 0x1p-9f, y = 1 + 0x1p-12f;  // more bits than bf16 has, than TF32 has
  CHECK(matmul_precision() == MatmulPrecision::highest);
  for (const auto& [p, of_x, of_y] : {std::tuple{MatmulPrecision::highest, x, y},
                                      {MatmulPrecision::high, x, 1.0f},
                                      {MatmulPrecision::medium, 1.0f, 1.0f}}) {
    set_matmul_precision(p);
    with_gemm(CudaGemm::library, [&, want_x = of_x, want_y = of_y] {
      CHECK(product(x) == want_x);
      CHECK(product(y) == want_y);
      const auto d = matmul(Tensor<double, Cuda>::full({1, 1}, 1.0 / 3), Tensor<double, Cuda>::ones({1, 1}));
      CHECK(d.item() == 1.0 / 3);
    });
    CHECK(product(y) == y);  // our own kernel
  }
  set_matmul_precision(MatmulPrecision::highest);
}

TEST_CASE_TEMPLATE("half-precision tensors: sums in float, rounded once, with gradients", T, bf16, f16) {
  const double ulp = std::is_same_v<T, bf16> ? 0x1p-7 : 0x1p-10;
  const auto a = random<T>({2, 5, 300}, 1), b = random<T>({300, 4}, 2), w = random<T>({4, 300}, 3),
             bias = random<T>({4}, 4);
  with_both([&] {
    check_near(matmul(to<Cuda>(a), to<Cuda>(b)), matmul(a, b), ulp);
    for (const Activation act : {Activation::none, Activation::relu, Activation::gelu_tanh, Activation::silu})
      check_near(linear(to<Cuda>(a), to<Cuda>(w), to<Cuda>(bias), act), linear(a, w, bias, act), ulp);
    const auto gradients = [&](auto device) {
      using D = decltype(device);
      std::vector<Tensor<T>> out;
      const auto x = to<D>(a).detach().requires_grad_(), v = to<D>(w).detach().requires_grad_(),
                 c = to<D>(bias).detach().requires_grad_();
      backward(sum(to<float>(linear(x, v, c, Activation::relu))));
      for (const auto& t : {x, v, c}) out.push_back(to<Cpu>(t.grad()));
      return out;
    };
    const auto cpu = gradients(Cpu{}), gpu = gradients(Cuda{});
    for (std::size_t i = 0; i < cpu.size(); ++i) check_near(to<Cuda>(gpu[i]), cpu[i], 2 * ulp);
  });
}

TEST_CASE("half-precision tensors: element by element") {
  const auto x = random<bf16>({3, 37}, 1), y = random<bf16>({37}, 2);
  const auto gx = to<Cuda>(x), gy = to<Cuda>(y);
  check_near(gx * gy + gelu(gx), x * y + gelu(x), 0x1p-7);
  check_near(softmax(gx), softmax(x), 0x1p-8);
  check_near(sum(gx, 0), sum(x, 0), 0x1p-7);
}

TEST_CASE("the library's work waits in its stream, and so does its workspace") {
  with_gemm(CudaGemm::library, [] {
    with_deferred_streams([] {
      const auto a = random({4, 1100}, 1), b = random({1100, 3}, 2);
      const auto before = emu::DeviceMemory::instance().used();
      {
        const auto c = matmul(to<Cuda>(a), to<Cuda>(b));
        CHECK(emu::DeviceMemory::instance().used() >= before + 4 * (4400 + 3300 + 12) + 256);
        check_near(c, matmul(a, b), 1e-5);
      }
      synchronize_cuda();
      CHECK(emu::DeviceMemory::instance().used() == before);
    });
  });
}

namespace {

/// A call of the emulated library: (6, 4) = A (6, 5) B (5, 4), column after column, with everything open to
/// be spoiled.
struct Call {
  using L = CublasApi;
  emu::LtDesc op{L::in_f32, L::f32};
  emu::LtLayout a{L::f32, 6, 5, 6}, b{L::f32, 5, 4, 5}, d{L::f32, 6, 4, 6};
  emu::LtPreference wish{};
  Gpu ta = Gpu::ones({30}), tb = Gpu::ones({20}), td = Gpu::zeros({24});
  const void *pa = ta.data(), *pb = tb.data();
  void* pd = td.mutable_data();
  std::size_t workspace = 0;
  CublasApi::Heuristic best{};

  int find() {
    int count = 0;
    return detail::cublas().api.MatmulAlgoGetHeuristic(nullptr, &op, &a, &b, &d, &d, &wish, 1, &best, &count);
  }
  int run() {
    const float one = 1, zero = 0;
    return detail::cublas().api.Matmul(nullptr, &op, &one, pa, &a, pb, &b, &zero, pd, &d, pd, &d, &best.algo,
                                       nullptr, workspace, cuda_stream());
  }
};

}  // namespace

TEST_CASE("what the library refuses") {
  with_gemm(CudaGemm::library, [] {
    Call good;
    good.wish = {0, {16, 16, 16, 16}};
    REQUIRE(good.find() == 0);
    CHECK(good.run() == 0);
    CHECK(good.td.to_vector() == std::vector<float>(24, 5));
    const auto status = [&](auto spoil) {
      Call c = good;
      spoil(c);
      const int found = c.find();
      return found ? found : c.run();
    };
    using L = CublasApi;
    CHECK(status([](Call&) {}) == 0);
    CHECK(status([](Call& c) { c.a.ld = 5; }) == L::invalid_value);                // less than its rows
    CHECK(status([](Call& c) { c.b.rows = 6, c.b.ld = 6; }) == L::invalid_value);  // another inner size
    CHECK(status([](Call& c) { c.op.transpose[0] = 1; }) == L::invalid_value);
    CHECK(status([](Call& c) { c.a.batch = 2; }) == L::invalid_value);  // the others have one
    CHECK(status([](Call& c) { c.a.batch = c.b.batch = c.d.batch = 2; }) ==
          L::invalid_value);  // on one another
    CHECK(status([](Call& c) { c.b.type = L::f16; }) == L::not_supported);
    CHECK(status([](Call& c) { c.op.compute = L::in_f64; }) == L::not_supported);
    CHECK(status([](Call& c) { c.op.epilogue = L::relu | L::gelu; }) == L::not_supported);
    Call other = good;  // the algorithm of another shape, or without its workspace
    other.a.ld = 7;
    CHECK(other.run() == L::invalid_value);
    other = good;
    other.best.algo.data[1] = 256;
    CHECK(other.run() == L::invalid_value);
    CHECK(detail::cublas().api.MatmulDescSetAttribute(&good.op, L::epilogue, &good, 8) == L::invalid_value);

    const auto said = [&](auto spoil) { return error_of([&] { status(spoil); }); };
    float host[64] = {};
    CHECK(has(said([&](Call& c) { c.pa = host; }), "[cublasLtMatmul] A, 120 bytes, begins at address 0x"));
    CHECK(has(said([](Call& c) { c.b.ld = 6; }),
              "B, 92 bytes, ends at 11 bytes past the end of a buffer of 80"));
    CHECK(has(said([](Call& c) { c.d.ld = 7; }), "C, 108 bytes, ends at 11 bytes past the end"));
    CHECK(
        has(said([](Call& c) { c.a.rows = 5, c.d.rows = 5, c.pa = c.ta.data() + 1; }), "no multiple of 16"));
    CHECK(has(said([](Call& c) { c.op.epilogue = L::bias; }), "the bias, 24 bytes, begins at address 0x0"));
    CHECK(has(said([&](Call& c) {
                c.op.epilogue = L::bias;
                c.op.bias = good.tb.data() + 16;
              }),
              "the bias, 24 bytes, ends at 7 bytes past"));
  });
}
#endif
