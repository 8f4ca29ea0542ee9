#pragma once
/// @file launch.cuh
/// Where kernels meet their device: CUDA under nvcc, the emulation (cuda/emu/) under g++ and clang. The same
/// kernel source serves both:
///
///     template <class T> __global__ void scale(T* y, const T* x, T s, Index n) {
///       for (Index i = thread_index(); i < n; i += thread_count()) y[i] = s * x[i];
///     }
///     launch({"scale", blocks_for(n, 256), 256}, scale<float>, y, x, 2.0f, n);
///
/// Kernels are templates (an `inline __global__` is not CUDA), their parameters trivially copyable values.

#include "tmor/cuda/api.hpp"

#if defined(__CUDACC__)

#include <cuda_runtime.h>

#define TMOR_SHARED(T, name, ...) __shared__ T name __VA_ARGS__

TMOR_BEGIN
template <class T> __device__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char tmor_dynamic_shared[];
  return reinterpret_cast<T*>(tmor_dynamic_shared);
}
TMOR_END

#elif defined(TMOR_CUDA_EMULATED)
#include "tmor/cuda/emu/cuda.hpp"
#else
#error "CUDA kernels: compile with nvcc, or with -DTMOR_CUDA_EMULATED for the emulated device"
#endif

TMOR_BEGIN

/// How a kernel is launched; the name is for errors.
struct Launch {
  const char* name;
  dim3 grid, block;
  std::size_t shared = 0;  ///< bytes of dynamic shared memory
  CudaApi::Stream stream = cuda_stream();
};

/// Blocks of `threads` that give each of `n` items a thread; kernels loop where that is more than GPUs like.
inline unsigned blocks_for(Index n, Index threads) {
  constexpr Index most = 4096;
  const Index blocks = (n + threads - 1) / threads;
  return static_cast<unsigned>(blocks < 1 ? 1 : blocks < most ? blocks : most);
}

namespace detail {
template <class P>
inline constexpr bool is_kernel_parameter = std::is_trivially_copyable_v<P> && !std::is_reference_v<P>;
}

/// The number of this thread among those of the grid along x, and how many there are.
__device__ inline Index thread_index() { return static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ inline Index thread_count() { return static_cast<Index>(gridDim.x) * blockDim.x; }

/// The vector `V` of neighbours that starts at `p`, to be read or written as one. A GPU refuses one that is
/// not aligned, the emulated device says where it is.
template <class V, class T> TMOR_HD V& vector_at(T* p) {
#ifdef TMOR_CUDA_EMULATED
  emu::check_aligned(p, sizeof(V), alignof(V));
#endif
  return *reinterpret_cast<V*>(p);
}

/// Runs `kernel(a...)`, when its stream comes to it. @throws Error naming the kernel.
template <class... P, class... A> void launch(const Launch& l, void (*kernel)(P...), const A&... a) {
  static_assert((detail::is_kernel_parameter<P> && ...), "kernels take trivially copyable values");
#if defined(__CUDACC__)
  kernel<<<l.grid, l.block, l.shared, static_cast<cudaStream_t>(l.stream)>>>(static_cast<P>(a)...);
  detail::check_cuda(static_cast<int>(cudaGetLastError()), l.name);
#else
  emu::launch(l.name, l.grid, l.block, l.shared, l.stream, kernel, static_cast<P>(a)...);
#endif
}

TMOR_END
