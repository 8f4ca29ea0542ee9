#pragma once
/// @file mma.cuh
/// Tensor cores: a warp multiplies small matrices that lie spread over its lanes' registers (*fragments*),
/// reads such matrices from shared memory, and fills shared memory while it computes. For bf16 and f16 with
/// sums in float; sm_80 or newer. These few functions are all the PTX there is; on the emulated device they
/// do the same (emu/mma.hpp), and misuse is an error there.
///
/// Which elements a lane holds, with g = lane / 4 and t = lane % 4 (PTX ISA, "Matrix Fragments for
/// mma.m16n8k16 with floating point type"); a register of a or b has two neighbours, the first in its lower
/// half:
///
///     a[0] = A[g][2t, 2t+1]      a[2] = A[g][2t+8, 2t+9]        A is 16 x 16
///     a[1] = A[g+8][2t, 2t+1]    a[3] = A[g+8][2t+8, 2t+9]
///     b[0] = B[2t, 2t+1][g]      b[1] = B[2t+8, 2t+9][g]        B is 16 x 8
///     d[0], d[1] = D[g][2t, 2t+1]    d[2], d[3] = D[g+8][2t, 2t+1]    D is 16 x 8
///
/// Two results beside one another, as packed pairs, are therefore a factor A of the next product.

#include "tmor/core/dtype.hpp"
#include "tmor/cuda/launch.cuh"

TMOR_BEGIN
namespace cuda {

/// A row of one of ldmatrix's matrices, and what cp.async moves; shared arrays are of these, since those of
/// `T` itself may start anywhere.
template <class T> struct alignas(16) Eight { T v[8]; };

}  // namespace cuda
TMOR_END

/// Before a loop whose index picks registers: they have no addresses, it must become straight code.
#ifdef __CUDACC__
#define TMOR_UNROLL _Pragma("unroll")
#else
#define TMOR_UNROLL
#endif

#if defined(__CUDACC__)
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#error "kernels on tensor cores: compile for sm_80 or newer"
#endif

TMOR_BEGIN
namespace cuda {

/// d += a b. All lanes of the warp call it together.
template <class T>
__device__ inline void mma_m16n8k16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  static_assert(std::is_same_v<T, bf16> || std::is_same_v<T, f16>);
  if constexpr (std::is_same_v<T, bf16>) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  } else {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
}

/// Reads `Count` (2 or 4) matrices of 8 x 8 elements from shared memory into a register each: lane 8m + i
/// says where row i of matrix m starts, at a multiple of 16 bytes; r[m] = M[g][2t, 2t+1], or, transposed,
/// M[2t, 2t+1][g] (PTX ISA, "Warp-level matrix load instruction: ldmatrix"). All lanes call it together; it
/// orders no memory.
template <int Count, bool Transposed = false>
__device__ inline void ldmatrix(unsigned (&r)[Count], const void* row) {
  static_assert(Count == 2 || Count == 4);
  const auto at = static_cast<unsigned>(__cvta_generic_to_shared(row));
  if constexpr (Count == 4 && Transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at)
                 : "memory");
  } else if constexpr (Count == 4) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at)
                 : "memory");
  } else if constexpr (Transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(at)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(at)
                 : "memory");
  }
}

/// Begins a copy of 16 bytes to shared memory, both at multiples of 16; of zeros, and `global` not read,
/// unless `wanted`. They are there for this thread after a wait, for others after a barrier that follows it
/// (PTX ISA, "Data Movement and Conversion Instructions: Non-bulk copy": cp.async).
__device__ inline void cp_async16(void* shared, const void* global, bool wanted = true) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                   static_cast<unsigned>(__cvta_generic_to_shared(shared))),
               "l"(__cvta_generic_to_global(global)), "r"(wanted ? 16 : 0)
               : "memory");
}
/// The thread's copies since the last commit are one group, which may be empty.
__device__ inline void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// Waits for all of the thread's groups but the last `Left`.
template <int Left> __device__ inline void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Left) : "memory");
}

/// Two numbers rounded to `T`, as a register of a fragment.
template <class T> __device__ inline unsigned pack_pair(float low, float high) {
  unsigned r;
  if constexpr (std::is_same_v<T, bf16>) {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  } else {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  }
  return r;
}
/// 2^x with a relative error of about 2^-22.
__device__ inline float exp2_approx(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

}  // namespace cuda
TMOR_END

#else
#include "tmor/cuda/emu/mma.hpp"
#endif
