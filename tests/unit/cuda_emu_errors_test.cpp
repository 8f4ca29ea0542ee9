// Seeded bugs: what the emulated device says to kernels and launches that are wrong.
#ifdef TMOR_CUDA_EMULATED
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "support/emu_orders.hpp"
#include "tmor/cuda/device.hpp"
#include "tmor/cuda/launch.cuh"

using namespace tmor;

namespace {

float* floats(const Ref<Storage>& s) { return static_cast<float*>(s->data()); }
Ref<Storage> buffer(Index n) { return Cuda::allocate(static_cast<std::size_t>(n) * sizeof(float)); }

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
#define CHECK_SAYS(text, part)                      \
  do {                                              \
    const std::string said = text;                  \
    CHECK_MESSAGE(has(said, part), "said: ", said); \
  } while (0)

/// Launches `kernel` on one block and returns what it complained about.
template <class... A> std::string complaint(dim3 block, void (*kernel)(float*, A...), A... a) {
  const auto out = buffer(1024);
  return error_of([&] { launch_now({"bug", 1, block}, kernel, floats(out), a...); });
}

template <class T> __global__ void divergent_barrier(T* out) {
  if (threadIdx.x < 40) __syncthreads();
  out[threadIdx.x] = T(1);
}
template <class T> __global__ void two_barriers(T* out) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  out[threadIdx.x] = T(1);
}
template <class T> __global__ void absent_lane(T* out) {
  if (threadIdx.x == 5) return;
  out[threadIdx.x] = __shfl_sync(0xffffffffu, out[threadIdx.x], 0);
}
template <class T> __global__ void not_in_mask(T* out) {
  out[threadIdx.x] = __shfl_sync(0x0000ffffu, T(1), 0);
}
template <class T> __global__ void reads_outside_mask(T* out) {
  if (threadIdx.x < 16) out[threadIdx.x] = __shfl_down_sync(0x0000ffffu, T(1), 8);
}
template <class T> __global__ void bad_width(T* out) {
  out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, T(1), 1, 12);
}
template <class T> __global__ void two_shuffles(T* out) {
  if (threadIdx.x % 2) {
    out[threadIdx.x] = __shfl_sync(0xffffffffu, T(1), 0);
  } else {
    out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, T(1), 1);
  }
}
template <class T> __global__ void lane_at_barrier(T* out) {
  if (threadIdx.x == 3) {
    __syncthreads();
  } else {
    __syncwarp();
  }
  out[0] = T(1);
}
template <class T> struct alignas(4 * sizeof(T)) Four { T v[4]; };
template <class T> __global__ void vector_load(T* out, Index at) {
  out[1000] = vector_at<Four<T>>(out + at).v[0];
}
template <class T> __global__ void shared_overrun(T* out, Index at) {
  TMOR_SHARED(T, tile, [32]);
  T* p = tile;
  p[threadIdx.x + at] = T(1);
  __syncthreads();
  out[threadIdx.x] = p[threadIdx.x];
}
template <class T> __global__ void dynamic_overrun(T* out) {
  T* p = dynamic_shared<T>();
  p[threadIdx.x + 1] = T(1);
  out[threadIdx.x] = T(1);
}
template <class T> __global__ void too_much_shared(T* out) {
  TMOR_SHARED(T, tile, [16 << 10]);
  tile[threadIdx.x] = T(1);
  out[threadIdx.x] = tile[threadIdx.x];
}
template <class T> __global__ void writes_at(T* out, Index at) { out[thread_index() + at] = T(1); }
template <class T> __global__ void sums_at(T* out, const T* in, Index at) { out[0] = out[0] + in[at]; }
template <class T> __global__ void recurses(T* out, int depth) {
  struct Deep {
    static T go(int d) {
      volatile T local[64];
      local[d % 64] = static_cast<T>(d);
      return d == 0 ? T(0) : go(d - 1) + local[d % 64];
    }
  };
  out[0] = Deep::go(depth);
}
/// Lacks the barrier between writing and reading the neighbour's element.
template <class T, bool kBarrier> __global__ void rotate(T* x) {
  TMOR_SHARED(T, tile, [64]);
  tile[threadIdx.x] = x[threadIdx.x];
  if constexpr (kBarrier) __syncthreads();
  x[threadIdx.x] = tile[(threadIdx.x + 1) % 64];
}
/// Numbers of both warps, handed over in shared memory again and again; lacks the barrier before the next is
/// written.
template <class T, bool kBarrier> __global__ void hand_over(T* x) {
  TMOR_SHARED(T, slot, [2]);
  T sum = 0;
  for (int round = 0; round < 8; ++round) {
    __syncwarp();
    if (threadIdx.x % 32 == 0) slot[threadIdx.x / 32] = static_cast<T>(round);
    __syncthreads();
    sum += slot[0] * slot[1];
    if constexpr (kBarrier) __syncthreads();
  }
  x[threadIdx.x] = sum;
}
template <class T> __global__ void fill_grid(T* x, Index n) {
  if (thread_index() < n) x[thread_index()] = T(1);
}

}  // namespace

TEST_CASE("barriers that not all threads reach") {
  in_all_orders([] {
    const auto text = complaint(64, divergent_barrier<float>);
    CHECK_SAYS(text, "[kernel bug] block (0, 0, 0): no thread can go on");
    CHECK_SAYS(text, "thread (0, 0, 0) and 39 more wait in __syncthreads at cuda_emu_errors_test.cpp:33");
    CHECK_SAYS(text, "thread (40, 0, 0) and 23 more returned");
    CHECK_SAYS(complaint(64, two_barriers<float>), "all threads of a block must meet at the same barrier");
    CHECK_SAYS(complaint(32, lane_at_barrier<float>), "thread (3, 0, 0) waits in __syncthreads");
  });
}

TEST_CASE("warp operations with lanes that are not there") {
  in_all_orders([] {
    CHECK_SAYS(complaint(32, absent_lane<float>), "");
    const auto absent = complaint(32, absent_lane<float>);
    CHECK((has(absent, "lane 5 has returned") || has(absent, "thread (5, 0, 0) returned")));
    CHECK_SAYS(absent, "cuda_emu_errors_test.cpp:46");
    CHECK_SAYS(complaint(32, not_in_mask<float>), "is not in the mask 0xffff");
    CHECK_SAYS(complaint(32, reads_outside_mask<float>), "which is not in the mask 0xffff");
    CHECK_SAYS(complaint(32, bad_width<float>), "width 12");
    CHECK_SAYS(complaint(32, two_shuffles<float>), "waits in __shfl");
    CHECK_SAYS(complaint(20, absent_lane<float>), "");
    CHECK_SAYS(complaint(20, bad_width<float>), "width 12");
  });
  CHECK_SAYS(complaint(20, two_shuffles<float>), "the block has only 20 threads");
}

TEST_CASE("shared memory beyond its end, or too much of it") {
  in_all_orders([] {
    CHECK(complaint(32, shared_overrun<float>, Index{0}) == "");
    CHECK_SAYS(complaint(32, shared_overrun<float>, Index{1}),
               "bytes past the end of a shared array of 128 bytes");
    CHECK_SAYS(complaint(32, too_much_shared<float>), "65536 bytes of shared memory, more than 49152");
    const auto out = buffer(32);
    CHECK_SAYS(error_of([&] {
                 launch_now({"bug", 1, 32, 128}, dynamic_overrun<float>, floats(out));
               }),
               "past the end of a shared array of 128 bytes");
  });
}

TEST_CASE("vectors that are not aligned") {
  CHECK(complaint(1, vector_load<float>, Index{4}) == "");
  CHECK_SAYS(
      complaint(1, vector_load<float>, Index{6}),
      "thread (0, 0, 0): touches 16 bytes as one at byte 24 of a buffer of 4096 bytes, an address that is "
      "no multiple of 16");
}

#if !defined(TMOR_ASAN) && !defined(TMOR_TSAN)
TEST_CASE("accesses outside device memory name the thread and the buffer") {
  in_all_orders([] {
    const auto out = buffer(37);
    const auto run = [&](Index at) {
      return error_of([&] { launch_now({"bug", 1, 32}, writes_at<float>, floats(out), at); });
    };
    CHECK(run(5) == "");
    CHECK_SAYS(run(6),
               "[kernel bug] block (0, 0, 0), thread (31, 0, 0) writes 0 bytes past the end of a buffer of "
               "148 bytes");
    CHECK_SAYS(run(Index{1} << 40), "is no device memory");
    const auto in = buffer(8);
    const auto sum = [&](const float* p, Index at) {
      return error_of([&] { launch_now({"bug", 1, 1}, sums_at<float>, floats(out), p, at); });
    };
    CHECK(sum(floats(in), 7) == "");
    CHECK_SAYS(sum(floats(in), 9), "reads 4 bytes past the end of a buffer of 32 bytes");
    const float* freed = floats(buffer(3));
    CHECK_SAYS(sum(freed, 0), "freed buffer");
    CHECK_SAYS(sum(nullptr, 0), "address 0x0, which is no device memory");
    CHECK(run(0) == "");  // the device goes on
  });
}
TEST_CASE("a full stack is told from a wild access") {
  const auto out = buffer(1);
  CHECK(error_of([&] { launch_now({"deep", 1, 4}, recurses<float>, floats(out), 3); }) == "");
  CHECK_SAYS(error_of([&] { launch_now({"deep", 1, 4}, recurses<float>, floats(out), 1000000); }), "stack");
  CHECK(error_of([&] { launch_now({"deep", 1, 4}, recurses<float>, floats(out), 3); }) == "");
}
#endif

TEST_CASE("launches that a GPU would refuse or that read the host's memory") {
  const auto out = buffer(8);
  const auto run = [&](dim3 grid, dim3 block, std::size_t shared = 0) {
    return error_of([&] {
      launch_now({"bug", grid, block, shared}, fill_grid<float>, floats(out), Index{8});
    });
  };
  CHECK(run(1, 32) == "");
  CHECK_SAYS(run(0, 32), "nothing would run");
  CHECK_SAYS(run(1, 1056), "1056 threads, at most 1024");
  CHECK_SAYS(run(1, {1, 1, 65}), "64 along z");
  CHECK_SAYS(run({1, 70000}, 32), "y and z can be at most 65535");
  CHECK_SAYS(run(1, 32, 50000), "50000 bytes of shared memory");
  std::vector<float> host(8);
  CHECK_SAYS(error_of([&] {
               launch_now({"bug", 1, 32}, fill_grid<float>, host.data(), Index{8});
             }),
             "argument 0 holds");
  CHECK_SAYS(error_of([&] { copy_to_host(Cuda{}, host.data(), static_cast<const float*>(host.data()), 8); }),
             "MemcpyAsync failed: invalid argument (cudaErrorInvalidValue)");
  CHECK_SAYS(error_of([&] { copy_to_host(Cuda{}, host.data(), static_cast<const float*>(floats(out)), 9); }),
             "MemcpyAsync failed");
}

TEST_CASE("what no thread wrote is NaN: a grid too small, a barrier that is missing") {
  const auto out = buffer(100);
  launch_now({"fill_grid", 3, 32}, fill_grid<float>, floats(out), Index{100});
  std::vector<float> y(100);
  copy_to_host(Cuda{}, y.data(), static_cast<const float*>(floats(out)), 100);
  CHECK(y[95] == 1.0f);
  CHECK(std::isnan(y[96]));
  // Without its barrier the kernel gives NaN in some order, with it the same in all.
  const auto differs = [](void (*kernel)(float*)) {
    bool bad = false;
    in_all_orders([&] {
      std::vector<float> x(64, 0.0f);
      for (std::size_t i = 0; i < 64; ++i) x[i] = static_cast<float>(i);
      const auto d = buffer(64);
      copy_from_host(Cuda{}, floats(d), x.data(), 64);
      launch_now({"rotate", 1, 64}, kernel, floats(d));
      copy_to_host(Cuda{}, x.data(), static_cast<const float*>(floats(d)), 64);
      for (std::size_t i = 0; i < 64; ++i) bad |= x[i] != static_cast<float>((i + 1) % 64);
    });
    return bad;
  };
  CHECK_FALSE(differs(rotate<float, true>));
  if (!emu::race::kChecked) CHECK(differs(rotate<float, false>));
}

TEST_CASE("a warp may run ahead of another") {
  const auto differs = [](void (*kernel)(float*)) {
    bool bad = false;
    in_all_orders([&] {
      std::vector<float> x(64);
      const auto d = buffer(64);
      launch_now({"hand_over", 1, 64}, kernel, floats(d));
      copy_to_host(Cuda{}, x.data(), static_cast<const float*>(floats(d)), 64);
      for (const float v : x) bad |= v != 140.0f;  // the sum of the first squares
    });
    return bad;
  };
  CHECK_FALSE(differs(hand_over<float, true>));
  if (!emu::race::kChecked) CHECK(differs(hand_over<float, false>));
}

TEST_CASE("writes between a buffer's end and its guard page are seen after the kernel") {
  auto& memory = emu::DeviceMemory::instance();
  memory.aligned = true;
  const auto out = buffer(37);  // 148 bytes, 12 more up to the next 16
  const auto run = [&](Index at) {
    return error_of([&] { launch_now({"bug", 1, 32}, writes_at<float>, floats(out), at); });
  };
  CHECK(run(5) == "");
  CHECK_SAYS(run(7), "[kernel bug] a thread wrote 0 bytes past the end of a buffer of 148 bytes");
  CHECK(run(5) == "");
  memory.aligned = false;
}

TEST_CASE("a kernel's own exception comes through, and the device goes on") {
  const auto out = buffer(64);
  CHECK(error_of([&] {
          launch_now(
              {"throws", 2, 64},
              +[](float*) {
                __syncthreads();
                if (threadIdx.x == 7) detail::fail<Error>("seven");
                __syncthreads();
              },
              floats(out));
        }) == "seven");
  CHECK(error_of([&] { launch_now({"fill", 1, 64}, fill_grid<float>, floats(out), Index{64}); }) == "");
}
#endif
