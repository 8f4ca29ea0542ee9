#pragma once
/// @file attention_tiles_sm90.cuh
/// A twin of `attention_tiles` (cuda/attention_tiles.cuh) for GPUs of compute capability 9, on which the four
/// warps of a block multiply together, from shared memory, while none of their registers holds keys or values
/// (PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions"). Same arguments, sums in the same types, the
/// same roundings. Compiled only for sm_90a, which the build says by TMOR_CUDA_SM90A; used only where it is
/// asked for, since no GPU has compared it with its twin yet.

#include <atomic>
#include <cstdlib>
#include <string_view>

#include "tmor/cuda/attention_tiles.cuh"

TMOR_BEGIN

/// Which kernel computes attention of bf16 and f16: the one for every GPU, or its twin with wgmma.
enum class CudaAttention { tiles, wgmma };

namespace cuda {

#if defined(__CUDACC__) && defined(TMOR_CUDA_SM90A)

/// Rows of 64 columns of a tile, from one whose number is a multiple of 8 on, as factors B of a product:
/// where they are, 1024 bytes from eight rows to the next eight, and the order of a row's columns, which is
/// that of `Tile<T, 64>` at multiples of 1024 bytes (PTX ISA, "Matrix Descriptor Format": 128-byte swizzle).
template <class T> __device__ inline std::uint64_t factor_of(const Eight<T>* p) {
  const std::uint64_t at = static_cast<std::uint64_t>(__cvta_generic_to_shared(p)) & 0x3ffff;
  return at / 16 | std::uint64_t{1} << 16 | std::uint64_t{1024 / 16} << 32 | std::uint64_t{1} << 62;
}

// d (+)= a b for all four warps, 16 rows of a and d each, laid out as for mma_m16n8k16 (cuda/mma.cuh). What
// it reads and writes must be left alone from `begin_products` to `end_products`.
#define TMOR_WGMMA_4(i) "+f"(d[i][0]), "+f"(d[i][1]), "+f"(d[i][2]), "+f"(d[i][3])
#define TMOR_WGMMA_16(i) TMOR_WGMMA_4(i), TMOR_WGMMA_4(i + 1), TMOR_WGMMA_4(i + 2), TMOR_WGMMA_4(i + 3)
#define TMOR_WGMMA_N32(type)                                                     \
  asm volatile(                                                                  \
      "{ .reg .pred add; setp.ne.b32 add, %21, 0;"                               \
      " wgmma.mma_async.sync.aligned.m64n32k16.f32." type "." type               \
      " {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15}," \
      " {%16, %17, %18, %19}, %20, add, 1, 1, %22; }"                            \
      : TMOR_WGMMA_16(0)                                                         \
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(add)), "n"(kTurned))
#define TMOR_WGMMA_N64(type)                                                              \
  asm volatile(                                                                           \
      "{ .reg .pred add; setp.ne.b32 add, %37, 0;"                                        \
      " wgmma.mma_async.sync.aligned.m64n64k16.f32." type "." type                        \
      " {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15,"           \
      " %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}," \
      " {%32, %33, %34, %35}, %36, add, 1, 1, %38; }"                                     \
      : TMOR_WGMMA_16(0), TMOR_WGMMA_16(4)                                                \
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(add)), "n"(kTurned))

/// `Rows`: b's rows are columns of d, 16 columns of theirs being multiplied; else b is 16 rows as they are.
template <class T, bool Rows, int N>
__device__ inline void multiply_async(float (&d)[N][4], const unsigned (&a)[4], std::uint64_t b, bool add) {
  static_assert(N == 4 || N == 8);
  constexpr int kTurned = Rows ? 0 : 1;
  if constexpr (N == 4 && std::is_same_v<T, bf16>) {
    TMOR_WGMMA_N32("bf16");
  } else if constexpr (N == 4) {
    TMOR_WGMMA_N32("f16");
  } else if constexpr (std::is_same_v<T, bf16>) {
    TMOR_WGMMA_N64("bf16");
  } else {
    TMOR_WGMMA_N64("f16");
  }
}
#undef TMOR_WGMMA_N64
#undef TMOR_WGMMA_N32
#undef TMOR_WGMMA_16
#undef TMOR_WGMMA_4

/// The compiler must not move what it does with results to the other side of this.
template <int N> __device__ inline void hold(float (&d)[N][4]) {
  TMOR_UNROLL
  for (auto& part : d)
    for (float& v : part) asm volatile("" : "+f"(v)::"memory");
}
__device__ inline void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ inline void end_products() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
}
/// What this thread has stored in shared memory is there for products, after a barrier.
__device__ inline void show_to_products() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

/// Columns of rows from `column` on; none where there are no more.
template <class T> __device__ inline Rows<T> columns_from(Rows<T> rows, int column) {
  rows.x.p += column * rows.x.column;
  rows.dim -= column;
  return rows;
}

template <class T, int D>
__global__ void __launch_bounds__(kTileThreads)
    attention_tiles_sm90(AttentionView<T> a, Rows<const T> queries, Rows<const T> keys, Rows<const T> values,
                         Rows<T> y, float* maximum, float* inverse_sum) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  constexpr int kPanels = D / 64, kKeys = 4096 / D;  // panels of 64 columns
  __shared__ alignas(1024) Eight<T> memory[4][kPanels][kKeys * 8];
  const TilePlace place(a.heads, a.queries);
  const Index b = place.b, h = place.h, mine = place.mine();
  const Index end = visible_to(a, b, place.first, kTileRows);
  // Products are of all columns: those that there are not are zeros.
  for (int e = static_cast<int>(threadIdx.x); e < 4 * kPanels * kKeys * 8; e += kTileThreads)
    (&memory[0][0][0])[e] = Eight<T>{};
  __syncthreads();
  const auto fetch_step = [&](Index j0, Index step) {
    if (j0 < end)
      for (int p = 0; p < kPanels; ++p) {
        fetch<kKeys>(Tile<T, 64>{memory[step % 2][p]}, columns_from(keys, 64 * p), b, h, j0, a.keys);
        fetch<kKeys>(Tile<T, 64>{memory[2 + step % 2][p]}, columns_from(values, 64 * p), b, h, j0, a.keys);
      }
    cp_async_commit();
  };
  fetch_step(0, 0);
  unsigned q[D / 16][4];
  read_rows(q, queries, b, h, mine, a.queries);
  float sums[kPanels][8][4] = {}, top[2] = {kLowest<float>, kLowest<float>}, total[2] = {};
  for (Index j0 = 0, step = 0; j0 < end; j0 += kKeys, ++step) {
    fetch_step(j0 + kKeys, step + 1);
    cp_async_wait<1>();
    show_to_products();
    __syncthreads();  // all of the tile is there
    float s[kKeys / 8][4];
    hold(s);
    begin_products();
    TMOR_UNROLL
    for (int k = 0; k < D / 16; ++k)
      multiply_async<T, true>(s, q[k], factor_of(memory[step % 2][k / 4] + 2 * (k % 4)), k > 0);
    end_products();
    hold(s);
    make_scores(s, a, b, h, mine, j0);
    weigh(s, top, total, [&](int r, float shrink) {
      TMOR_UNROLL
      for (auto& panel : sums) TMOR_UNROLL
      for (auto& part : panel) TMOR_UNROLL
      for (int e = 0; e < 2; ++e) part[2 * r + e] *= shrink;
    });
    unsigned w[kKeys / 16][4];
    TMOR_UNROLL
    for (int k = 0; k < kKeys / 16; ++k) pack_weights<T>(w[k], s[2 * k], s[2 * k + 1]);
    TMOR_UNROLL
    for (auto& panel : sums) hold(panel);
    begin_products();
    TMOR_UNROLL
    for (int p = 0; p < kPanels; ++p) TMOR_UNROLL
    for (int k = 0; k < kKeys / 16; ++k)
      multiply_async<T, false>(sums[p], w[k], factor_of(memory[2 + step % 2][p] + 16 * 8 * k), true);
    end_products();
    TMOR_UNROLL
    for (auto& panel : sums) hold(panel);
    __syncthreads();  // before the tile is overwritten
  }
  float inverse[2];
  finish_rows(inverse, a, b, h, mine, top, total, maximum, inverse_sum);
  TMOR_UNROLL
  for (int p = 0; p < kPanels; ++p)
    write_rows(columns_from(y, 64 * p), b, h, mine, a.queries, sums[p], inverse);
#else
  asm("trap;");  // never chosen there
#endif
}

#endif

/// Can this program run `CudaAttention::wgmma` here?
inline bool has_wgmma() {
#if defined(__CUDACC__) && defined(TMOR_CUDA_SM90A)
  int device = 0, major = 0;
  detail::check_cuda(static_cast<int>(cudaGetDevice(&device)), "GetDevice");
  detail::check_cuda(
      static_cast<int>(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device)),
      "DeviceGetAttribute");
  return major == 9;
#else
  return false;
#endif
}
inline CudaAttention usable_attention(CudaAttention kernel) {
  TMOR_CHECK(kernel == CudaAttention::tiles || has_wgmma(),
             "[cuda] attention by wgmma was asked for: it needs a GPU of compute capability 9 and a program "
             "compiled for sm_90a with TMOR_CUDA_SM90A");
  return kernel;
}
inline std::atomic<CudaAttention>& attention_choice() {
  static std::atomic<CudaAttention> choice{[] {
    const char* s = std::getenv("TMOR_CUDA_ATTENTION");
    if (!s) return CudaAttention::tiles;
    const std::string_view name = s;
    TMOR_CHECK(name == "tiles" || name == "wgmma", "[cuda] TMOR_CUDA_ATTENTION is '", s,
               "': give tiles or wgmma");
    return usable_attention(name == "tiles" ? CudaAttention::tiles : CudaAttention::wgmma);
  }()};
  return choice;
}

/// Attention by the twin, where it is to do it: else false, and nothing has happened.
template <class T>
bool attend_by_wgmma([[maybe_unused]] const AttentionCall<T, Cuda>& call,
                     [[maybe_unused]] const Tensor<T, Cuda>& y) {
  if (attention_choice() != CudaAttention::wgmma) return false;
#if defined(__CUDACC__) && defined(TMOR_CUDA_SM90A)
  launch_attention(call, y, "attention by wgmma",
                   [](auto d) { return &attention_tiles_sm90<T, decltype(d)::value>; });
#endif
  return true;
}

}  // namespace cuda

/// Which kernel is used: `tiles` unless TMOR_CUDA_ATTENTION=wgmma, or `set_cuda_attention`, say otherwise.
/// @throws Error when TMOR_CUDA_ATTENTION wants what cannot be.
inline CudaAttention cuda_attention() { return cuda::attention_choice(); }
/// For attention from now on. @throws Error for wgmma on another GPU, or in a program not compiled for it.
inline void set_cuda_attention(CudaAttention kernel) {
  cuda::attention_choice() = cuda::usable_attention(kernel);
}

TMOR_END
