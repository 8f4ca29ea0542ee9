#pragma once
/// @file device.hpp
/// `Cuda`, the GPU as a device: `Tensor<float, Cuda>`. Its memory comes from a caching allocator over the
/// runtime's (cuda/api.hpp): size classes as on the CPU, freed blocks kept for the next request of their
/// class, reused in the order of the one stream everything runs on. This header needs no CUDA; kernels are
/// in the .cuh files beside it, all of them in cuda/cuda.cuh.

#include <map>
#include <vector>

#include "tmor/core/tensor.hpp"
#include "tmor/cuda/api.hpp"

TMOR_BEGIN
namespace detail {

/// Blocks that belong to a CudaGraph (cuda/graph.hpp) as long as it lives: what was allocated or released
/// while it was captured. Its kernels hold their addresses, so that nobody else may have them.
struct GraphPool {
  std::map<void*, std::size_t> blocks;         ///< all, with their sizes
  std::multimap<std::size_t, void*> released;  ///< those that no tensor holds, by size
  std::size_t bytes = 0;                       ///< of all
};
/// The pool of the graph that this thread captures; null when it does not.
inline GraphPool*& captured_pool() {
  thread_local GraphPool* pool = nullptr;
  return pool;
}

class CudaAllocator {
 public:
  /// The functions it takes memory from; the emulated device's are used without caching, each block with the
  /// exact size asked for, so that its guards see every access outside.
  explicit CudaAllocator(const CudaApi& api) : api_(api) {}

  /// @throws Error when the device has no memory left, saying how much was asked, is held, and is free.
  void* allocate(std::size_t bytes) {
    TMOR_CHECK(bytes <= (std::size_t{1} << 46), "[cuda allocate] ", bytes,
               " bytes: no GPU has that much memory");
    const LockGuard guard(lock_);
    ++stats_.allocations;
    const SizeClass c = size_class(bytes);
    const std::size_t room = api_.emulated ? bytes : c.bytes;
    GraphPool* const pool = captured_pool();
    void* p = pool ? released_by(*pool, room) : nullptr;
    if (!p) p = take(bytes, room, list_of(c.index));
    stats_.in_use += room;
    if (stats_.in_use > stats_.peak) stats_.peak = stats_.in_use;
    if (pool) {
      own(*pool, p, room);
      // Numbers that nobody wrote are NaN at every replay, too.
      if (api_.emulated) check_cuda(api_.MemsetAsync(p, 0xff, room, cuda_stream()), "MemsetAsync");
    }
    return p;
  }
  void release(void* p, std::size_t bytes) {
    const LockGuard guard(lock_);
    const SizeClass c = size_class(bytes);
    const std::size_t room = api_.emulated ? bytes : c.bytes;
    stats_.in_use -= room;
    if (GraphPool* const pool = captured_pool()) own(*pool, p, room);
    if (const auto owner = owner_.find(p); owner != owner_.end()) {
      owner->second->released.emplace(room, p);
    } else {
      give_back(p, room, c.index);
    }
  }
  /// The graph is gone: its blocks are everybody's again.
  void dissolve(GraphPool& pool) {
    const LockGuard guard(lock_);
    for (const auto& [p, room] : pool.blocks) owner_.erase(p);
    for (const auto& [room, p] : pool.released) give_back(p, room, size_class(room).index);
    pool = {};
  }
  /// Gives cached blocks back to the runtime.
  void release_cached() {
    const LockGuard guard(lock_);
    release_locked();
  }
  MemoryStats stats() {
    const LockGuard guard(lock_);
    return stats_;
  }
  void reset_peak() {
    const LockGuard guard(lock_);
    stats_.peak = stats_.in_use;
  }

  static CudaAllocator& instance() {
    static CudaAllocator* a = new CudaAllocator(cuda_api());  // immortal: tensors may outlive every static
    return *a;
  }

 private:
  struct Block {
    void* p;
    std::size_t bytes;
  };
  std::vector<Block>& list_of(int index) {
    const auto i = static_cast<std::size_t>(index);
    if (free_.size() <= i) free_.resize(i + 1);
    return free_[i];
  }
  /// A block of the runtime's or a cached one.
  void* take(std::size_t bytes, std::size_t room, std::vector<Block>& cached) {
    void* p = nullptr;
    if (!cached.empty()) {
      p = cached.back().p;
      cached.pop_back();
      return p;
    }
    int error = api_.Malloc(&p, room);
    if (error == kCudaOutOfMemory) {
      release_locked();
      error = api_.Malloc(&p, room);
    }
    if (error == kCudaOutOfMemory) {
      std::size_t free = 0, total = 0;
      api_.MemGetInfo(&free, &total);
      fail<Error>("[cuda allocate] out of memory: ", bytes, " bytes wanted, ", stats_.in_use,
                  " in use by tensors, ", free, " of the device's ", total,
                  " free; use a smaller batch or gradient checkpointing");
    }
    check_cuda(error, "Malloc");
    stats_.reserved += room;
    ++stats_.from_system;
    return p;
  }
  static void* released_by(GraphPool& pool, std::size_t room) {
    const auto at = pool.released.find(room);
    if (at == pool.released.end()) return nullptr;
    void* const p = at->second;
    pool.released.erase(at);
    return p;
  }
  void own(GraphPool& pool, void* p, std::size_t room) {
    if (!owner_.emplace(p, &pool).second) return;
    pool.blocks.emplace(p, room);
    pool.bytes += room;
  }
  void give_back(void* p, std::size_t room, int index) {
    if (api_.emulated) {
      api_.FreeAsync(p, cuda_stream());
      stats_.reserved -= room;
    } else {
      list_of(index).push_back({p, room});
    }
  }
  void release_locked() {
    for (auto& list : free_) {
      for (const Block& b : list) {
        api_.Free(b.p);
        stats_.reserved -= b.bytes;
      }
      list.clear();
    }
  }

  const CudaApi& api_;
  SpinLock lock_;
  MemoryStats stats_;
  std::vector<std::vector<Block>> free_;
  std::map<void*, GraphPool*> owner_;  ///< of blocks that belong to a graph
};

}  // namespace detail

/// The GPU.
struct Cuda {
  static constexpr const char* name = "cuda";
  static constexpr bool host_memory = false;
  /// Uninitialised memory. @throws Error when there is no GPU, or none of its memory left.
  static Ref<Storage> allocate(std::size_t bytes) {
    void* p = detail::CudaAllocator::instance().allocate(bytes);
    return make_ref<Storage>(
        p, bytes, [](void* d, std::size_t n, void*) { detail::CudaAllocator::instance().release(d, n); });
  }
};

/// Allocator statistics of the GPU.
inline MemoryStats cuda_memory_stats() { return detail::CudaAllocator::instance().stats(); }
/// Starts `MemoryStats::peak` anew from what is in use.
inline void reset_peak_cuda_memory() { detail::CudaAllocator::instance().reset_peak(); }
/// Gives cached blocks back to the runtime.
inline void release_cached_cuda_memory() { detail::CudaAllocator::instance().release_cached(); }

namespace detail {
inline void copy_cuda(void* to, const void* from, std::size_t bytes, CudaApi::Copy kind) {
  if (bytes == 0) return;
  if (kind == CudaApi::to_host)
    refuse_capture("reading numbers, as item(), to_vector() and to<Cpu>() do,",
                   "nothing is computed before replay()");
  if (kind == CudaApi::to_device)
    refuse_capture("a copy from the host", "make it before, into a tensor that stays");
  check_cuda(cuda_api().MemcpyAsync(to, from, bytes, kind, cuda_stream()), "MemcpyAsync");
  // Pageable host memory may be reused as soon as the caller returns.
  if (kind != CudaApi::on_device) synchronize_cuda();
}
}  // namespace detail

template <class T> void copy_from_host(Cuda, T* device, const T* host, Index n) {
  detail::copy_cuda(device, host, static_cast<std::size_t>(n) * sizeof(T), CudaApi::to_device);
}
template <class T> void copy_to_host(Cuda, T* host, const T* device, Index n) {
  detail::copy_cuda(host, device, static_cast<std::size_t>(n) * sizeof(T), CudaApi::to_host);
}

TMOR_END
