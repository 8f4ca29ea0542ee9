// What only the race check of the emulated device sees: races that change no number.
#if defined(TMOR_CUDA_EMULATED) && defined(__SANITIZE_THREAD__)
#include <doctest/doctest.h>

#include "support/emu_orders.hpp"
#include "tmor/cuda/device.hpp"
#include "tmor/cuda/mma.cuh"

using namespace tmor;

// Called by the sanitizer for every report; this one counts instead of failing the program.
static int reports = 0;
namespace __tsan {
class ReportDesc;
bool OnReport(const ReportDesc*, bool suppressed);
[[gnu::no_sanitize_thread]] bool OnReport(const ReportDesc*, bool suppressed) {
  reports += !suppressed;
  return true;
}
}  // namespace __tsan

extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() {
  return "suppress_equal_stacks=0:suppress_equal_addresses=0";
}

namespace {

template <class T> __global__ void neighbours(T* x, int barrier) {
  TMOR_SHARED(T, tile, [64]);
  tile[threadIdx.x] = T(1);
  if (barrier == 0) __syncthreads();
  if (barrier == 1) __syncwarp();
  if (barrier == 2) __shfl_sync(0xffffffffu, T(1), 0);
  x[threadIdx.x] = tile[threadIdx.x ^ 1];
}
template <class T> __global__ void across_warps(T* x, bool whole_block) {
  TMOR_SHARED(T, tile, [64]);
  tile[threadIdx.x] = T(1);
  if (whole_block) {
    __syncthreads();
  } else {
    __syncwarp();
  }
  x[threadIdx.x] = tile[63 - threadIdx.x];
}
/// Every thread, or only the first, or each block's first, writes the same.
template <class T> __global__ void equal_values(T* x, int who) {
  if (who == 0 ? thread_index() == 0 : who == 1 ? threadIdx.x == 0 : blockIdx.x == 0) x[0] = T(1);
}
template <class T> __global__ void counts(T* n, bool atomic) {
  if (atomic) {
    atomicAdd(n, T(1));
  } else {
    ++*n;
  }
}
/// A row of a matrix is read by other lanes than the one that wrote or fetched it.
template <class T>
__global__ void matrix_rows(float* x, const T* source, bool fetched, bool barrier, bool after) {
  TMOR_SHARED(cuda::Eight<T>, tile, [16]);
  T* row = tile[threadIdx.x % 16].v;
  if (fetched && threadIdx.x < 16) {
    cuda::cp_async16(row, source);
    cuda::cp_async_commit();
    cuda::cp_async_wait<0>();
  } else if (threadIdx.x < 16) {
    for (int j = 0; j < 8; ++j) row[j] = source[j];
  }
  if (barrier) __syncwarp();
  unsigned r[2];
  cuda::ldmatrix<2>(r, row);
  if (after) __syncwarp();
  if (threadIdx.x < 16) row[0] = T(2);
  x[threadIdx.x] = static_cast<float>(r[0]);
}
/// The block that is last adds up what all have written.
template <class T> __global__ void last_adds(T* sum, T* parts, unsigned* ticket, bool barrier, bool fence) {
  parts[thread_index()] = T(1);
  if (fence) __threadfence();
  if (barrier) __syncthreads();
  TMOR_SHARED(bool, last, [1]);
  if (threadIdx.x == 0) last[0] = atomicAdd(ticket, 1u) == gridDim.x - 1;
  if (fence) __threadfence();
  __syncthreads();
  if (!last[0] || threadIdx.x != 0) return;
  *sum = T(0);
  for (unsigned i = 0; i < gridDim.x * blockDim.x; ++i) *sum += parts[i];
}

template <class T> Ref<Storage> zeros(Index n) {
  const auto s = Cuda::allocate(static_cast<std::size_t>(n) * sizeof(T));
  detail::check_cuda(cuda_api().MemsetAsync(s->data(), 0, s->bytes(), nullptr), "MemsetAsync");
  return s;
}
template <class T> T* data(const Ref<Storage>& s) { return static_cast<T*>(s->data()); }

/// Is there a race, whatever the order?
template <class F> bool races(F&& f) {
  int with = 0, without = 0;
  in_all_orders([&] {
    const int before = reports;
    f();
    synchronize_cuda();
    ++(reports > before ? with : without);
  });
  CHECK((with == 0 || without == 0));
  return with > 0;
}

}  // namespace

TEST_CASE("barriers and warp barriers order memory, shuffles do not") {
  for (int barrier = 0; barrier < 4; ++barrier) {
    INFO("barrier ", barrier);
    CHECK(races([&] {
            const auto x = zeros<float>(64);
            launch({"neighbours", 1, 64}, neighbours<float>, data<float>(x), barrier);
          }) == (barrier >= 2));
  }
  for (const bool whole_block : {true, false})
    CHECK(races([&] {
            const auto x = zeros<float>(64);
            launch({"across_warps", 1, 64}, across_warps<float>, data<float>(x), whole_block);
          }) == !whole_block);
}

TEST_CASE("equal values from several threads or blocks") {
  for (int who = 0; who < 3; ++who)
    CHECK(races([&] {
            const auto x = zeros<float>(1);
            launch({"equal_values", 2, 32}, equal_values<float>, data<float>(x), who);
          }) == (who > 0));
}

TEST_CASE("a counter that is not atomic") {
  for (const bool atomic : {true, false})
    CHECK(races([&] {
            const auto n = zeros<int>(1);
            launch({"counts", 2, 32}, counts<int>, data<int>(n), atomic);
          }) == !atomic);
}

TEST_CASE("loads of matrices order nothing: what they read needs a barrier before and after") {
  for (const bool fetched : {true, false})
    for (const bool barrier : {true, false})
      for (const bool after : {true, false}) {
        INFO("fetched ", fetched, " barrier ", barrier, " after ", after);
        CHECK(races([&] {
                const auto x = zeros<float>(32);
                const auto source = zeros<bf16>(8);
                launch({"matrix_rows", 1, 32}, matrix_rows<bf16>, data<float>(x), data<const bf16>(source),
                       fetched, barrier, after);
              }) == !(barrier && after));
      }
}

TEST_CASE("the last block reads what the others wrote, behind barrier and fence") {
  for (const bool barrier : {true, false})
    for (const bool fence : {true, false}) {
      INFO("barrier ", barrier, " fence ", fence);
      CHECK(races([&] {
              const auto sum = zeros<float>(1), parts = zeros<float>(64);
              const auto ticket = zeros<unsigned>(1);
              launch({"last_adds", 2, 32}, last_adds<float>, data<float>(sum), data<float>(parts),
                     data<unsigned>(ticket), barrier, fence);
            }) == !(barrier && fence));
    }
}

TEST_CASE("one launch comes after the other, and the host after what it waited for") {
  CHECK_FALSE(races([] {
    const auto x = zeros<float>(64);
    for (int i = 0; i < 3; ++i) launch({"neighbours", 1, 64}, neighbours<float>, data<float>(x), 0);
    std::vector<float> v(64);
    copy_to_host(Cuda{}, v.data(), data<const float>(x), 64);
    CHECK(v[63] == 1.0f);
  }));
}
#endif
