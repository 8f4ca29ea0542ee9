// Fragments, ldmatrix and cp.async of the emulated device: every register where PTX has it, rounding, misuse.
#ifdef TMOR_CUDA_EMULATED
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "support/emu_orders.hpp"
#include "support/numbers.hpp"
#include "tmor/cuda/mma.cuh"
#include "tmor/cuda/pointwise.cuh"

using namespace tmor;

namespace {

// PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type": the row and column of element i.
int a_row(int lane, int i) { return (i < 2 || (4 <= i && i < 6)) ? lane >> 2 : (lane >> 2) + 8; }
int a_column(int lane, int i) { return lane % 4 * 2 + (i & 1) + (i < 4 ? 0 : 8); }
int b_row(int lane, int i) { return lane % 4 * 2 + (i & 1) + (i < 2 ? 0 : 8); }
int b_column(int lane, int) { return lane >> 2; }
int d_row(int lane, int i) { return (lane >> 2) + (i < 2 ? 0 : 8); }
int d_column(int lane, int i) { return lane % 4 * 2 + (i & 1); }

template <class T> __device__ unsigned pair_of(T low, T high) {
  return static_cast<unsigned>(low.bits) | static_cast<unsigned>(high.bits) << 16;
}
/// D = C + A B for `count` products; matrices lie row by row.
template <class T> __global__ void multiply(float* d, const float* c, const T* a, const T* b, Index count) {
  const int lane = static_cast<int>(threadIdx.x);
  for (Index n = 0; n < count; ++n) {
    unsigned ra[4], rb[2];
    float rd[4];
    const auto a_at = [&](int i) { return a[256 * n + 16 * a_row(lane, i) + a_column(lane, i)]; };
    const auto b_at = [&](int i) { return b[128 * n + 8 * b_row(lane, i) + b_column(lane, i)]; };
    for (int r = 0; r < 4; ++r) ra[r] = pair_of(a_at(2 * r), a_at(2 * r + 1));
    for (int r = 0; r < 2; ++r) rb[r] = pair_of(b_at(2 * r), b_at(2 * r + 1));
    for (int i = 0; i < 4; ++i) rd[i] = c[128 * n + 8 * d_row(lane, i) + d_column(lane, i)];
    cuda::mma_m16n8k16<T>(rd, ra, rb);
    for (int i = 0; i < 4; ++i) d[128 * n + 8 * d_row(lane, i) + d_column(lane, i)] = rd[i];
  }
}
template <class T>
std::vector<float> products(const std::vector<float>& c, const std::vector<T>& a, const std::vector<T>& b) {
  const auto n = static_cast<Index>(c.size());
  const auto d = Tensor<float, Cuda>::empty({n}), dc = Tensor<float, Cuda>::from(c);
  const auto da = Tensor<T, Cuda>::from(a), db = Tensor<T, Cuda>::from(b);
  launch({"multiply", 1, 32}, multiply<T>, d.mutable_data(), dc.data(), da.data(), db.data(), n / 128);
  return d.to_vector();
}

/// r[m] of lane l at 4 l + m, for matrices that lie one below the other in `x`, rows of 8.
template <class T, int Count, bool Transposed> __global__ void load_matrices(unsigned* out, const T* x) {
  TMOR_SHARED(cuda::Eight<T>, tile, [32]);
  const unsigned lane = threadIdx.x;
  for (int j = 0; j < 8; ++j) tile[lane].v[j] = x[8 * lane + static_cast<unsigned>(j)];
  __syncwarp();
  unsigned r[Count];
  // The lanes without a matrix may say anything.
  cuda::ldmatrix<Count, Transposed>(r, lane < 8 * Count ? &tile[lane] : nullptr);
  for (unsigned m = 0; m < Count; ++m) out[4 * lane + m] = r[m];
}
template <int Count, bool Transposed> void check_ldmatrix() {
  std::vector<f16> x;
  for (int i = 0; i < 256; ++i) x.push_back(static_cast<float>(i));
  const auto out = Tensor<int, Cuda>::zeros({128});
  const auto dx = Tensor<f16, Cuda>::from(x);
  launch({"load_matrices", 1, 32}, load_matrices<f16, Count, Transposed>,
         reinterpret_cast<unsigned*>(out.mutable_data()), dx.data());
  const auto got = out.to_vector();
  // PTX ISA, "Warp-level matrix load instruction: ldmatrix": lane l has elements 2(l % 4) and one more of row
  // l / 4.
  for (int l = 0; l < 32; ++l)
    for (int m = 0; m < Count; ++m)
      for (int e = 0; e < 2; ++e) {
        const int row = l / 4, column = 2 * (l % 4) + e;
        const f16 want =
            x[static_cast<std::size_t>(64 * m + (Transposed ? 8 * column + row : 8 * row + column))];
        const auto word = static_cast<unsigned>(got[static_cast<std::size_t>(4 * l + m)]);
        CHECK((word >> 16 * e & 0xffffu) == want.bits);
      }
}

/// y = x by way of two buffers of shared memory, 16 bytes a thread at a time; `forgets` what.
enum Forgets { nothing, wait, commit, barrier };
template <class T> __global__ void staged(T* y, const T* x, int steps, Forgets forgets) {
  TMOR_SHARED(cuda::Eight<T>, tile, [2][32]);
  const unsigned t = threadIdx.x, other = 31 - t;
  const auto fetch = [&](int s) {
    // The last thread wants zeros, and its source may be anything.
    cuda::cp_async16(&tile[s % 2][t], t < 31 ? x + (32 * s + static_cast<int>(t)) * 8 : nullptr, t < 31);
    if (forgets != commit) cuda::cp_async_commit();
  };
  fetch(0);
  for (int s = 0; s < steps; ++s) {
    if (s + 1 < steps) fetch(s + 1);
    if (forgets == wait) {
    } else if (s + 1 < steps) {
      cuda::cp_async_wait<1>();
    } else {
      cuda::cp_async_wait<0>();
    }
    if (forgets != barrier) __syncthreads();
    for (unsigned j = 0; j < 8; ++j)
      y[(32 * s + static_cast<int>(other)) * 8 + static_cast<int>(j)] = tile[s % 2][other].v[j];
    __syncthreads();
  }
}
/// Does a copy in `steps` arrive?
bool arrives(int steps, Forgets forgets) {
  const Index n = 256 * steps;
  const auto x = Tensor<bf16, Cuda>::ones({n}), y = Tensor<bf16, Cuda>::empty({n});
  launch({"staged", 1, 32}, staged<bf16>, y.mutable_data(), x.data(), steps, forgets);
  const auto got = y.to_vector();
  for (std::size_t i = 0; i < got.size(); ++i)
    if (!(static_cast<float>(got[i]) == (i % 256 < 248 ? 1.0f : 0.0f))) return false;
  return true;
}

template <class T> __global__ void partial_warp(float* out) {
  unsigned a[4] = {}, b[2] = {};
  float d[4] = {};
  cuda::mma_m16n8k16<T>(d, a, b);
  out[threadIdx.x] = d[0];
}
template <class T> __global__ void branch(float* out) {
  unsigned a[4] = {}, b[2] = {};
  float d[4] = {};
  if (threadIdx.x % 2) {
    cuda::mma_m16n8k16<T>(d, a, b);
  } else {
    cuda::mma_m16n8k16<T>(d, a, b);
  }
  out[threadIdx.x] = d[0];
}
template <class T> __global__ void absent(float* out) {
  if (threadIdx.x == 7) return;
  TMOR_SHARED(cuda::Eight<T>, tile, [32]);
  unsigned r[4];
  cuda::ldmatrix<4>(r, &tile[threadIdx.x]);
  out[threadIdx.x] = static_cast<float>(r[0]);
}
/// A row `skew` elements beside the right place, or in device memory.
template <class T> __global__ void wrong_row(float* out, int skew, bool device) {
  TMOR_SHARED(cuda::Eight<T>, tile, [33]);
  unsigned r[2];
  cuda::ldmatrix<2>(r, device ? static_cast<void*>(out) : tile[threadIdx.x].v + skew);
  out[threadIdx.x] = static_cast<float>(r[0]);
}
template <class T> __global__ void wrong_copy(float* out, int from, int to) {
  TMOR_SHARED(cuda::Eight<T>, tile, [2]);
  if (threadIdx.x == 3) cuda::cp_async16(to < 0 ? static_cast<void*>(out) : tile[0].v + to, out + from);
}
template <class K, class... A> std::string complaint(unsigned threads, K kernel, A... a) {
  const auto out = Tensor<float, Cuda>::zeros({64});
  return error_of([&] { launch_now({"bug", 1, threads}, kernel, out.mutable_data(), a...); });
}
void check_says(const std::string& said, const std::string& part) {
  CHECK_MESSAGE(said.find(part) != std::string::npos, "said: ", said);
  CHECK_MESSAGE(said.find("[kernel bug]") != std::string::npos, "said: ", said);
}

}  // namespace

TEST_CASE("mma: one element of A and one of B meet in one of D") {
  in_all_orders([] {
    // A has a 1 at (i, k), B is a numbered row k of otherwise zeros: D is that row at i. Every (i, k) in
    // turn.
    std::vector<bf16> a(256 * 256), b(256 * 128);
    for (std::size_t i = 0; i < 16; ++i)
      for (std::size_t k = 0; k < 16; ++k) {
        const std::size_t n = 16 * i + k;
        a[256 * n + 16 * i + k] = 1.0f;
        for (std::size_t j = 0; j < 8; ++j) b[128 * n + 8 * k + j] = static_cast<float>(j + 1);
      }
    const auto d = products<bf16>(std::vector<float>(256 * 128), a, b);
    for (std::size_t e = 0; e < d.size(); ++e)
      CHECK(d[e] == (e / 128 / 16 == e % 128 / 8 ? static_cast<float>(e % 8 + 1) : 0.0f));
  });
}

TEST_CASE_TEMPLATE("mma: against plain loops", T, bf16, f16) {
  std::vector<T> a, b;
  for (const float v : support::numbers<float>(10 * 256, 1)) a.push_back(v);
  for (const float v : support::numbers<float>(10 * 128, 2)) b.push_back(v);
  const auto c = support::numbers<float>(10 * 128, 3);
  const auto d = products(c, a, b);
  for (std::size_t e = 0; e < d.size(); ++e) {
    double want = static_cast<double>(c[e]), size = std::fabs(want);
    for (std::size_t k = 0; k < 16; ++k) {
      const double p = static_cast<double>(static_cast<float>(a[e / 8 * 16 + k])) *
                       static_cast<double>(static_cast<float>(b[e / 128 * 128 + 8 * k + e % 8]));
      want += p;
      size += std::fabs(p);
    }
    // Products are exact in float; each of 16 additions errs by 2^-24 of what has been added up at most.
    CHECK(std::fabs(static_cast<double>(d[e]) - want) <= 16 * 0x1p-24 * size * (1 + 1e-5));
  }
}

TEST_CASE("ldmatrix: two and four matrices, as they are and transposed") {
  in_all_orders([] {
    check_ldmatrix<2, false>();
    check_ldmatrix<2, true>();
    check_ldmatrix<4, false>();
    check_ldmatrix<4, true>();
  });
}

TEST_CASE("cp.async: there after the wait, NaN before it") {
  in_all_orders([] {
    for (const int steps : {1, 2, 5}) {
      CHECK(arrives(steps, nothing));
      CHECK_FALSE(arrives(steps, wait));
      CHECK_FALSE(arrives(steps, commit));  // what is in no group is not waited for
    }
#ifndef TMOR_TSAN  // which says what it is
    CHECK_FALSE(arrives(2, barrier));
#endif
  });
}

TEST_CASE("mma, ldmatrix and cp.async: misuse") {
  in_all_orders([] {
    check_says(complaint(16, partial_warp<bf16>), "does not exist, the block has only 16 threads");
    check_says(complaint(16, partial_warp<bf16>), "mma at cuda_mma_test.cpp:");
    check_says(complaint(32, branch<f16>), "waits in mma at cuda_mma_test.cpp:");
    check_says(complaint(32, absent<f16>), "ldmatrix at cuda_mma_test.cpp:");
    check_says(complaint(32, wrong_row<bf16>, 1, false),
               "ldmatrix of 16 bytes of shared memory at an address that is no");
    check_says(complaint(32, wrong_row<bf16>, 0, true), "which do not lie in a shared array of the block");
    check_says(complaint(32, wrong_copy<bf16>, 0, 4),
               "thread (3, 0, 0): cp.async of 16 bytes of shared memory");
    check_says(complaint(32, wrong_copy<bf16>, 0, 12), "which do not lie in a shared array");
    check_says(complaint(32, wrong_copy<bf16>, 0, -1), "which do not lie in a shared array");
    check_says(complaint(32, wrong_copy<bf16>, 2, 0), "an address that is no multiple of 16");
    check_says(complaint(32, wrong_copy<bf16>, 64, 0), "0 bytes past the end of a buffer of 256 bytes");
  });
}
#endif
