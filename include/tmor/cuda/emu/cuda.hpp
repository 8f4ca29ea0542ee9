#pragma once
/// @file cuda.hpp
/// CUDA's words for kernels that g++ compiles: `__global__`, `threadIdx`, `__syncthreads`, shuffles, votes,
/// atomics, shared memory. They mean what NVIDIA's programming guide says, and misuse is an error
/// (machine.hpp). Left out: what kernels for the emulation must not use (dynamic parallelism, `__activemask`,
/// `__constant__`, spinning on another block).

#include <atomic>

#include "tmor/cuda/emu/machine.hpp"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

/// `TMOR_SHARED(float, tile, [16][17]);` is `__shared__ float tile[16][17];`.
#define TMOR_SHARED(T, name, ...)                                                      \
  static ::tmor::emu::SharedSlot<std::remove_pointer_t<T(*) __VA_ARGS__>> name##_slot; \
  auto& name = name##_slot.get()

TMOR_BEGIN
namespace emu {

/// A shared array of a kernel: other memory in every block.
template <class A> class SharedSlot {
 public:
  A& get() {
    const race::Unseen unseen;
    Machine& m = Machine::instance();
    if (block_ != m.block_number()) {
      block_ = m.block_number();
      p_ = static_cast<A*>(m.shared(sizeof(A), alignof(A)));
    }
    return *p_;
  }

 private:
  std::uint64_t block_ = 0;
  A* p_ = nullptr;
};

template <class T> std::uint64_t to_word(T v) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  std::uint64_t w = 0;
  __builtin_memcpy(&w, &v, sizeof v);
  return w;
}
template <class T> T from_word(std::uint64_t w) {
  T v;
  __builtin_memcpy(static_cast<void*>(&v), &w, sizeof v);
  return v;
}
inline std::uint64_t meet(Op op, unsigned mask, std::uint64_t value, Place at, int argument = 0,
                          int width = 32, bool is_signed = false) {
  Machine& m = Machine::instance();
  if (op >= Op::shfl && op <= Op::shfl_xor && (width < 1 || width > 32 || (width & (width - 1)) != 0))
    m.fail_here(tmor::detail::cat(op_name(op), " with width ", width, ": a power of two up to 32 is needed"));
  return m.meet({op, mask, value, argument, width, is_signed, at, 0});
}

}  // namespace emu

namespace emu {
/// @throws Error in the thread unless `p` is a multiple of `alignment`.
inline void check_aligned(const void* p, std::size_t bytes, std::size_t alignment) {
  const race::Unseen unseen;
  if (reinterpret_cast<std::uintptr_t>(p) % alignment != 0)
    Machine::instance().fail_here(tmor::detail::cat("touches ", bytes, " bytes as one at ",
                                                    DeviceMemory::instance().describe(p),
                                                    ", an address that is no multiple of ", alignment));
}
}  // namespace emu

/// The dynamic shared memory of the block, of exactly as many bytes as it was launched with.
template <class T> T* dynamic_shared() { return static_cast<T*>(emu::Machine::instance().dynamic_shared()); }

// The line of the call comes in as default arguments.
#define TMOR_EMU_AT const char *file = __builtin_FILE(), int line = __builtin_LINE()
#define TMOR_EMU_PLACE \
  emu::Place { file, line }

inline void __syncthreads(TMOR_EMU_AT) { emu::meet(emu::Op::syncthreads, 0, 0, TMOR_EMU_PLACE); }
inline int __syncthreads_count(int p, TMOR_EMU_AT) {
  return static_cast<int>(emu::meet(emu::Op::syncthreads, 0, p != 0, TMOR_EMU_PLACE));
}
inline int __syncthreads_or(int p, TMOR_EMU_AT) {
  return emu::meet(emu::Op::syncthreads, 0, p != 0, TMOR_EMU_PLACE) != 0;
}
inline int __syncthreads_and(int p, TMOR_EMU_AT) {
  return emu::meet(emu::Op::syncthreads, 0, p == 0, TMOR_EMU_PLACE) == 0;
}
inline void __syncwarp(unsigned mask = 0xffffffffu, TMOR_EMU_AT) {
  emu::meet(emu::Op::syncwarp, mask, 0, TMOR_EMU_PLACE);
}
inline void __threadfence() { emu::Machine::instance().fence(); }
inline void __threadfence_block() { emu::Machine::instance().fence(); }

#define TMOR_EMU_SHUFFLE(name, kind, type)                                                                   \
  template <class T> T name(unsigned mask, T v, type argument, int width = 32, TMOR_EMU_AT) {                \
    return emu::from_word<T>(                                                                                \
        emu::meet(emu::Op::kind, mask, emu::to_word(v), TMOR_EMU_PLACE, static_cast<int>(argument), width)); \
  }
TMOR_EMU_SHUFFLE(__shfl_sync, shfl, int)
TMOR_EMU_SHUFFLE(__shfl_up_sync, shfl_up, unsigned)
TMOR_EMU_SHUFFLE(__shfl_down_sync, shfl_down, unsigned)
TMOR_EMU_SHUFFLE(__shfl_xor_sync, shfl_xor, int)
#undef TMOR_EMU_SHUFFLE

inline int __any_sync(unsigned mask, int p, TMOR_EMU_AT) {
  return static_cast<int>(emu::meet(emu::Op::any, mask, p != 0, TMOR_EMU_PLACE));
}
inline int __all_sync(unsigned mask, int p, TMOR_EMU_AT) {
  return static_cast<int>(emu::meet(emu::Op::all, mask, p != 0, TMOR_EMU_PLACE));
}
inline unsigned __ballot_sync(unsigned mask, int p, TMOR_EMU_AT) {
  return static_cast<unsigned>(emu::meet(emu::Op::ballot, mask, p != 0, TMOR_EMU_PLACE));
}
template <class T> unsigned __match_any_sync(unsigned mask, T v, TMOR_EMU_AT) {
  return static_cast<unsigned>(emu::meet(emu::Op::match_any, mask, emu::to_word(v), TMOR_EMU_PLACE));
}
template <class T> unsigned __match_all_sync(unsigned mask, T v, int* equal, TMOR_EMU_AT) {
  *equal = static_cast<int>(emu::meet(emu::Op::match_all, mask, emu::to_word(v), TMOR_EMU_PLACE));
  return *equal ? mask : 0u;
}
#define TMOR_EMU_REDUCE(name, kind)                                                                        \
  template <class T>                                                                                       \
  requires(sizeof(T) == 4 && std::is_integral_v<T>) T name(unsigned mask, T v, TMOR_EMU_AT) {              \
    return static_cast<T>(emu::meet(emu::Op::kind, mask, static_cast<std::uint32_t>(v), TMOR_EMU_PLACE, 0, \
                                    32, std::is_signed_v<T>));                                             \
  }
TMOR_EMU_REDUCE(__reduce_add_sync, reduce_add)
TMOR_EMU_REDUCE(__reduce_min_sync, reduce_min)
TMOR_EMU_REDUCE(__reduce_max_sync, reduce_max)
TMOR_EMU_REDUCE(__reduce_and_sync, reduce_and)
TMOR_EMU_REDUCE(__reduce_or_sync, reduce_or)
TMOR_EMU_REDUCE(__reduce_xor_sync, reduce_xor)
#undef TMOR_EMU_REDUCE
#undef TMOR_EMU_AT
#undef TMOR_EMU_PLACE

// One thread runs at a time, so that plain operations would do; these tell the race check what they are.
// Each returns the old value.
#define TMOR_EMU_ATOMIC(name, next)                                                                     \
  template <class T> T name(T* p, std::type_identity_t<T> v) {                                          \
    const std::atomic_ref<T> there(*p);                                                                 \
    const std::memory_order order = emu::Machine::instance().atomic_order();                            \
    T old = there.load(std::memory_order_relaxed);                                                      \
    while (!there.compare_exchange_weak(old, static_cast<T>(next), order, std::memory_order_relaxed)) { \
    }                                                                                                   \
    return old;                                                                                         \
  }
TMOR_EMU_ATOMIC(atomicAdd, old + v)
TMOR_EMU_ATOMIC(atomicSub, old - v)
TMOR_EMU_ATOMIC(atomicExch, v)
TMOR_EMU_ATOMIC(atomicMin, v < old ? v : old)
TMOR_EMU_ATOMIC(atomicMax, old < v ? v : old)
TMOR_EMU_ATOMIC(atomicAnd, old& v)
TMOR_EMU_ATOMIC(atomicOr, old | v)
TMOR_EMU_ATOMIC(atomicXor, old ^ v)
/// 0 after `v`, else one more.
TMOR_EMU_ATOMIC(atomicInc, old >= v ? 0 : old + 1)
#undef TMOR_EMU_ATOMIC
template <class T> T atomicCAS(T* p, std::type_identity_t<T> expected, std::type_identity_t<T> v) {
  std::atomic_ref<T>(*p).compare_exchange_strong(expected, v, emu::Machine::instance().atomic_order(),
                                                 std::memory_order_relaxed);
  return expected;
}
template <class T> T __ldg(const T* p) { return *p; }

TMOR_END
