// `Tensor<T, Cuda>`: memory, copies, fills, conversions, random numbers, errors.
#ifdef TMOR_CUDA_EMULATED
#include <doctest/doctest.h>

#include "support/emu_orders.hpp"
#include "tmor/autograd/backward.hpp"
#include "tmor/cuda/cuda.cuh"
#include "tmor/ops/device.hpp"
#include "tmor/ops/elementwise.hpp"
#include "tmor/ops/random.hpp"

using namespace tmor;
using Gpu = Tensor<float, Cuda>;

TEST_CASE("tensors go to the GPU and come back") {
  const auto x = Tensor<>::from({1, 2, 3, 4, 5, 6}, {2, 3});
  const auto g = to<Cuda>(x);
  CHECK(g.to_vector() == x.to_vector());
  CHECK(to<Cpu>(g).to_vector() == x.to_vector());
  CHECK(g.at({1, 2}) == 6.0f);
  CHECK(Gpu::full({3}, 2.5f).to_vector() == std::vector<float>(3, 2.5f));
  CHECK(Gpu::scalar(7).item() == 7.0f);
  // A strided view is read in its own order on both ways.
  const auto turned = x.as_strided({3, 2}, {1, 3}, 0);
  CHECK(to<Cuda>(turned).to_vector() == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK(to<Cpu>(g.as_strided({3, 2}, {1, 3}, 0)).to_vector() == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK(to<Cuda>(Tensor<>::empty({0, 2})).numel() == 0);
}

TEST_CASE("gradients cross devices") {
  const auto x = Tensor<>::from({1, 2, 3}).requires_grad_();
  backward(to<Cpu>(exp(to<Cuda>(x))), Tensor<>::ones({3}));
  CHECK(x.grad().at({2}) == doctest::Approx(20.0855f));
}

TEST_CASE("conversions between element types") {
  const auto x = to<Cuda>(Tensor<>::from({-1.5f, 0.0f, 2.75f, 1000.0f}));
  CHECK(to<std::int32_t>(x).to_vector() == std::vector<std::int32_t>{-1, 0, 2, 1000});
  CHECK(to<float>(to<bf16>(x)).to_vector() == std::vector<float>{-1.5f, 0.0f, 2.75f, 1000.0f});
  CHECK(to<float>(to<f16>(x)).to_vector() == std::vector<float>{-1.5f, 0.0f, 2.75f, 1000.0f});
  CHECK(to<float>(to<bool>(x)).to_vector() == std::vector<float>{1, 0, 1, 1});
}

TEST_CASE("random numbers are the CPU's, to the bit") {
  in_all_orders([] {
    const auto same = [](auto make) {
      Rng a(5, 3), b(5, 3);
      make(a, Cpu{});  // moves the counter
      make(b, Cuda{});
      CHECK(make(a, Cpu{}) == make(b, Cuda{}));
    };
    same([](Rng& r, auto d) { return uniform<float, decltype(d)>(r, {7, 11}, -1, 2).to_vector(); });
    same([](Rng& r, auto d) { return normal<float, decltype(d)>(r, {1025}).to_vector(); });
    same([](Rng& r, auto d) {
      return truncated_normal<float, decltype(d)>(r, {77}, 0, 1, -2, 2).to_vector();
    });
    same([](Rng& r, auto d) { return bernoulli<float, decltype(d)>(r, {3}, 0.3).to_vector(); });
    same([](Rng& r, auto d) { return dropout(Tensor<float, decltype(d)>::ones({99}), 0.4, r).to_vector(); });
  });
}

TEST_CASE("dense loops take four elements at a time, and the rest, whatever the alignment") {
  auto& memory = emu::DeviceMemory::instance();
  for (const bool aligned : {false, true}) {
    memory.aligned = aligned;
    for (const Index n : {1, 4, 7, 37, 1000}) {
      std::vector<float> v, want;
      for (Index i = 0; i < n; ++i) v.push_back(static_cast<float>(i));
      for (float x : v) want.push_back(2 * x + 1);
      const auto x = Gpu::from(v);
      CHECK((x * 2 + Gpu::scalar(1)).to_vector() == want);
    }
  }
  memory.aligned = false;
}

TEST_CASE("memory: statistics, and what is said when there is none left") {
  release_cached_cuda_memory();
  const auto before = cuda_memory_stats();
  {
    const auto x = Gpu::empty({1000});
    CHECK(cuda_memory_stats().in_use == before.in_use + 4000);
  }
  CHECK(cuda_memory_stats().in_use == before.in_use);
  auto& memory = emu::DeviceMemory::instance();
  synchronize_cuda();  // what deferred streams still have to free
  const auto capacity = memory.capacity;
  memory.capacity = memory.used() + 1000;
  const auto said = error_of([] { Gpu::empty({1000}); });
  memory.capacity = capacity;
  CHECK(said.find("out of memory: 4000 bytes wanted") != std::string::npos);
  CHECK(said.find("1000 of the device's") != std::string::npos);
}

TEST_CASE("the caching allocator reuses freed blocks, and gives all back before it gives up") {
  static int allocations, frees, room;
  allocations = frees = 0;
  room = 3;
  CudaApi api = cuda_api();
  api.emulated = false;
  api.Malloc = [](void** p, std::size_t bytes) {
    if (room == 0) return detail::kCudaOutOfMemory;
    --room;
    ++allocations;
    *p = std::malloc(bytes);
    return 0;
  };
  api.Free = [](void* p) {
    ++room;
    ++frees;
    std::free(p);
    return 0;
  };
  detail::CudaAllocator a(api);
  void* p = a.allocate(1000);
  a.release(p, 1000);
  CHECK(a.allocate(970) == p);  // the same size class
  CHECK(allocations == 1);
  a.release(p, 970);
  void *q = a.allocate(5000), *r = a.allocate(9000), *s = a.allocate(20000);
  CHECK(frees == 1);  // the cached block made room for the last
  CHECK(error_of([&] { a.allocate(1); }).find("out of memory: 1 bytes wanted") != std::string::npos);
  CHECK(a.stats().allocations == 6);
  a.release(q, 5000);
  a.release(r, 9000);
  a.release(s, 20000);
  a.release_cached();
  CHECK(a.stats().reserved == 0);
  CHECK(frees == 4);
}
#endif
