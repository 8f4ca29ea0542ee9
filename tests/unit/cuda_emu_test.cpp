// The words of CUDA under the emulated device, as truth tables, in every order of the threads.
#ifdef TMOR_CUDA_EMULATED
#include <doctest/doctest.h>

#include <vector>

#include "support/emu_orders.hpp"
#include "tmor/cuda/device.hpp"
#include "tmor/cuda/launch.cuh"

using namespace tmor;

namespace {

template <class T> std::vector<T> read(const Ref<Storage>& s, Index n) {
  std::vector<T> v(static_cast<std::size_t>(n));
  copy_to_host(Cuda{}, v.data(), static_cast<const T*>(s->data()), n);
  return v;
}
template <class T> T* data(const Ref<Storage>& s) { return static_cast<T*>(s->data()); }

// Runs `f(thread number)` in one block and returns what each thread got.
template <class T, class F> __global__ void each_thread(F f, T* out) {
  const unsigned t = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  out[t] = f(t);
}
template <class T, class F> std::vector<T> run(dim3 block, F f) {
  const Index n = Index{block.x} * block.y * block.z;
  const auto out = Cuda::allocate(static_cast<std::size_t>(n) * sizeof(T));
  launch({"each_thread", 1, block}, each_thread<T, F>, f, data<T>(out));
  return read<T>(out, n);
}
template <class T, class F> std::vector<T> expected(unsigned n, F f) {
  std::vector<T> v;
  for (unsigned i = 0; i < n; ++i) v.push_back(static_cast<T>(f(i)));
  return v;
}
constexpr unsigned kAll = 0xffffffffu;
const std::vector<dim3> kBlocks = {{64}, {8, 4, 2}, {4, 16}};

template <class T> __global__ void where_am_i(T* out) {
  const unsigned in_block = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  out[block * blockDim.x * blockDim.y * blockDim.z + in_block] += static_cast<T>(1000 * block + in_block);
}

template <class T> __global__ void reverse_in_block(T* x) {
  TMOR_SHARED(T, tile, [64]);
  T* dynamic = dynamic_shared<T>();
  tile[threadIdx.x] = x[thread_index()];
  __syncthreads();
  dynamic[threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];
  __syncthreads();
  x[thread_index()] = dynamic[threadIdx.x];
}

template <class T> __global__ void unwritten_shared(T* out) {
  TMOR_SHARED(T, tile, [32]);
  if (threadIdx.x != 5) tile[threadIdx.x] = T(1);
  __syncthreads();
  out[threadIdx.x] = tile[threadIdx.x];
}

template <class T> __global__ void atomics(T* a, T* histogram) {
  const T i = static_cast<T>(thread_index());
  atomicAdd(a, i);
  atomicSub(a + 1, i);
  atomicMin(a + 2, i);
  atomicMax(a + 3, i);
  atomicOr(a + 4, T(1) << (i % 16));
  atomicAnd(a + 5, ~(T(1) << (i % 16)));
  atomicXor(a + 6, i);
  atomicInc(a + 7, T(10));
  for (T old = atomicCAS(a + 8, T(0), T(0));;) {  // a sum by compare and swap
    const T seen = atomicCAS(a + 8, old, old + i);
    if (seen == old) break;
    old = seen;
  }
  atomicAdd(histogram + i % 7, T(1));
}

}  // namespace

TEST_CASE("every thread of every block runs once and knows where it is") {
  in_all_orders([] {
    const auto out = Cuda::allocate(6 * 24 * sizeof(int));
    detail::check_cuda(cuda_api().MemsetAsync(out->data(), 0, out->bytes(), nullptr), "MemsetAsync");
    launch({"where_am_i", {1, 2, 3}, {4, 3, 2}}, where_am_i<int>, data<int>(out));
    CHECK(read<int>(out, 6 * 24) ==
          expected<int>(6 * 24, [](unsigned i) { return 1000 * (i / 24) + i % 24; }));
  });
}

TEST_CASE("shuffles") {
  in_all_orders([] {
    for (const dim3 block : kBlocks)
      for (const int width : {32, 16, 4, 1}) {
        const auto w = static_cast<unsigned>(width);
        CHECK(run<int>(block, [=](unsigned t) { return __shfl_sync(kAll, static_cast<int>(t), 3, width); }) ==
              expected<int>(64, [w](unsigned t) { return t / w * w + 3 % w; }));
        CHECK(run<double>(block, [=](unsigned t) { return __shfl_up_sync(kAll, t + 0.5, 2, width); }) ==
              expected<double>(64, [w](unsigned t) { return (t % w >= 2 ? t - 2 : t) + 0.5; }));
        CHECK(run<float>(block, [=](unsigned t) { return __shfl_down_sync(kAll, float(t), 3, width); }) ==
              expected<float>(64, [w](unsigned t) { return t % w + 3 < w ? t + 3 : t; }));
        CHECK(run<std::int64_t>(block, [=](unsigned t) {
                return __shfl_xor_sync(kAll, std::int64_t{t}, 5, width);
              }) == expected<std::int64_t>(64, [w](unsigned t) {
                const unsigned lane = t % 32, from = lane ^ 5u;
                return from < lane / w * w + w ? t - lane + from : t;
              }));
      }
    CHECK(run<float>(32, [](unsigned t) { return float(__shfl_sync(kAll, bf16(float(t)), 9)); }) ==
          std::vector<float>(32, 9.0f));
  });
}

TEST_CASE("shuffles among some lanes, while others do something else") {
  in_all_orders([] {
    const auto f = [](unsigned t) {
      if (t % 2 == 0) return __shfl_sync(0x55555555u, static_cast<int>(t), 4);
      return __shfl_xor_sync(0xaaaaaaaau, static_cast<int>(t), 2);
    };
    CHECK(run<int>(64, f) ==
          expected<int>(64, [](unsigned t) { return t % 2 == 0 ? t / 32 * 32 + 4 : t ^ 2u; }));
  });
}

TEST_CASE("votes, matches and integer reductions") {
  in_all_orders([] {
    for (const dim3 block : kBlocks) {
      CHECK(run<int>(block, [](unsigned t) { return __any_sync(kAll, t == 35); }) ==
            expected<int>(64, [](unsigned t) { return t >= 32; }));
      CHECK(run<int>(block, [](unsigned t) { return __all_sync(kAll, t != 35); }) ==
            expected<int>(64, [](unsigned t) { return t < 32; }));
      CHECK(run<unsigned>(block, [](unsigned t) { return __ballot_sync(kAll, t % 3 == 0); }) ==
            expected<unsigned>(64, [](unsigned t) {
              unsigned b = 0;
              for (unsigned i = 0; i < 32; ++i) b |= unsigned((t / 32 * 32 + i) % 3 == 0) << i;
              return b;
            }));
      CHECK(run<unsigned>(block, [](unsigned t) { return __match_any_sync(kAll, float(t % 2)); }) ==
            expected<unsigned>(64, [](unsigned t) { return t % 2 ? 0xaaaaaaaau : 0x55555555u; }));
      CHECK(run<unsigned>(block, [](unsigned t) {
              int all = 7;
              const unsigned m = __match_all_sync(kAll, t / 32 ? t : 1u, &all);
              return m + static_cast<unsigned>(all);
            }) == expected<unsigned>(64, [](unsigned t) { return t < 32 ? kAll + 1u : 0u; }));
      CHECK(run<int>(block, [](unsigned t) { return __reduce_add_sync(kAll, static_cast<int>(t) - 40); }) ==
            expected<int>(64, [](unsigned t) { return static_cast<int>(t < 32 ? 496 : 1520) - 32 * 40; }));
      CHECK(run<int>(block, [](unsigned t) { return __reduce_min_sync(kAll, 7 - static_cast<int>(t)); }) ==
            expected<int>(64, [](unsigned t) { return t < 32 ? -24 : -56; }));
      CHECK(run<int>(block, [](unsigned t) { return __reduce_max_sync(kAll, -static_cast<int>(t)); }) ==
            expected<int>(64, [](unsigned t) { return t < 32 ? 0 : -32; }));
      CHECK(run<unsigned>(block, [](unsigned t) { return __reduce_max_sync(kAll, t); }) ==
            expected<unsigned>(64, [](unsigned t) { return t < 32 ? 31u : 63u; }));
      CHECK(run<unsigned>(block, [](unsigned t) { return __reduce_and_sync(kAll, t | 8u); }) ==
            expected<unsigned>(64, [](unsigned t) { return t < 32 ? 8u : 40u; }));
      CHECK(run<unsigned>(block, [](unsigned t) { return __reduce_or_sync(kAll, t % 4); }) ==
            std::vector<unsigned>(64, 3u));
      CHECK(run<unsigned>(block, [](unsigned t) { return __reduce_xor_sync(kAll, t == 40 ? 5u : 0u); }) ==
            expected<unsigned>(64, [](unsigned t) { return t < 32 ? 0u : 5u; }));
    }
  });
}

TEST_CASE("barriers with counts, and of a warp") {
  in_all_orders([] {
    for (const dim3 block : kBlocks) {
      CHECK(run<int>(block, [](unsigned t) { return __syncthreads_count(t % 3 == 0); }) ==
            std::vector<int>(64, 22));
      CHECK(run<int>(block, [](unsigned t) { return __syncthreads_or(t == 9) + 2 * __syncthreads_or(0); }) ==
            std::vector<int>(64, 1));
      CHECK(run<int>(block, [](unsigned t) {
              return __syncthreads_and(t != 9) + 2 * __syncthreads_and(1);
            }) == std::vector<int>(64, 2));
      CHECK(run<int>(block, [](unsigned t) {
              __syncwarp();
              if (t % 32 < 16) __syncwarp(0xffffu);
              return static_cast<int>(t);
            }) == expected<int>(64, [](unsigned t) { return t; }));
    }
  });
}

TEST_CASE("shared memory, static and dynamic, is each block's own and full of NaN") {
  in_all_orders([] {
    std::vector<float> x(192);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
    const auto d = Cuda::allocate(x.size() * sizeof(float));
    copy_from_host(Cuda{}, data<float>(d), x.data(), 192);
    launch({"reverse_in_block", 3, 64, 64 * sizeof(float)}, reverse_in_block<float>, data<float>(d));
    CHECK(read<float>(d, 192) == expected<float>(192, [](unsigned i) { return i / 64 * 64 + 63 - i % 64; }));
    launch({"unwritten_shared", 1, 32}, unwritten_shared<float>, data<float>(d));
    const auto y = read<float>(d, 32);
    for (std::size_t i = 0; i < 32; ++i) CHECK((y[i] != y[i]) == (i == 5));
  });
}

TEST_CASE("atomics") {
  in_all_orders([] {
    const std::vector<unsigned> start = {0, 10000, 50, 50, 0, 0xffffu, 0, 0, 0};
    const auto a = Cuda::allocate(9 * 4), h = Cuda::allocate(7 * 4);
    copy_from_host(Cuda{}, data<unsigned>(a), start.data(), 9);
    detail::check_cuda(cuda_api().MemsetAsync(h->data(), 0, h->bytes(), nullptr), "MemsetAsync");
    launch({"atomics", 4, 32}, atomics<unsigned>, data<unsigned>(a), data<unsigned>(h));
    unsigned all_xor = 0;
    for (unsigned i = 0; i < 128; ++i) all_xor ^= i;
    CHECK(read<unsigned>(a, 9) ==
          std::vector<unsigned>{8128, 10000 - 8128, 0, 127, 0xffffu, 0, all_xor, 128 % 11, 8128});
    CHECK(read<unsigned>(h, 7) == std::vector<unsigned>{19, 19, 18, 18, 18, 18, 18});
  });
}

#ifndef TMOR_TSAN  // which says of these races what they are
TEST_CASE("the block changes its threads' order, and only that") {
  auto& m = emu::Machine::instance();
  const auto before = m.order;
  const auto first = [&](emu::Order o, std::uint64_t seed) {
    m.order = o;
    m.seed = seed;
    // A race on purpose: what stays is what the last in turn wrote.
    const auto last = Cuda::allocate(4);
    launch(
        {"last", 1, 64}, +[](int* p) { *p = static_cast<int>(threadIdx.x); }, data<int>(last));
    return read<int>(last, 1)[0];
  };
  CHECK(first(emu::Order::forward, 0) == 63);
  CHECK(first(emu::Order::reverse, 0) == 0);
  bool differs = false;
  for (std::uint64_t s = 1; s < 5; ++s) {
    CHECK(first(emu::Order::random, s) == first(emu::Order::random, s));
    differs |= first(emu::Order::random, s) != first(emu::Order::random, s + 1);
  }
  CHECK(differs);
  m.order = before;
}
#endif
#endif
