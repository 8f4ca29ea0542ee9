#pragma once
/// @file alloc.hpp
/// The CPU's caching allocator. Blocks are 64-byte aligned, come in size classes at most 12.5 % apart, and a
/// freed block is kept for the next request of its class: with fixed shapes a training step in steady state
/// takes no memory from the system and touches no new page. Blocks of 2 MiB and more ask for huge pages.

#include <sys/mman.h>

#include <atomic>
#include <bit>
#include <cstdlib>
#include <vector>

#include "tmor/core/error.hpp"

#ifdef TMOR_ASAN
#include <sanitizer/asan_interface.h>
#endif

TMOR_BEGIN

/// What the allocator of a device holds; bytes.
struct MemoryStats {
  std::size_t in_use = 0;       ///< handed out now (rounded up to size classes)
  std::size_t peak = 0;         ///< largest `in_use` since the start or the last `reset_peak_memory`
  std::size_t reserved = 0;     ///< taken from the system: in use or cached
  std::size_t allocations = 0;  ///< requests answered
  std::size_t from_system = 0;  ///< of these, the ones that needed new memory from the system
};

namespace detail {

class SpinLock {
 public:
  void lock() {
    while (flag_.test_and_set(std::memory_order_acquire))
      while (flag_.test(std::memory_order_relaxed)) {
      }
  }
  void unlock() { flag_.clear(std::memory_order_release); }

 private:
  std::atomic_flag flag_;
};

template <class L> struct LockGuard {
  explicit LockGuard(L& l) : lock(l) { lock.lock(); }
  ~LockGuard() { lock.unlock(); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;
  L& lock;
};

/// Eight size classes per power of two, from 64 bytes up.
struct SizeClass {
  int index;
  std::size_t bytes;
};
inline SizeClass size_class(std::size_t bytes) {
  if (bytes <= 512) {
    const std::size_t i = bytes == 0 ? 1 : (bytes + 63) / 64;
    return {static_cast<int>(i - 1), i * 64};
  }
  const int log = static_cast<int>(std::bit_width(bytes - 1)) - 1;  // 2^log < bytes <= 2^(log+1), log >= 9
  const std::size_t step = std::size_t{1} << (log - 3);
  const std::size_t eighths = (bytes + step - 1) / step;  // 9..16
  return {8 + (log - 9) * 8 + static_cast<int>(eighths) - 9, eighths * step};
}

class CpuAllocator {
 public:
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;

  /// @throws Error when the system has no memory left, saying how much was asked and is held.
  void* allocate(std::size_t bytes) {
    if (bytes > (std::size_t{1} << 46))
      fail<Error>("[allocate] ", bytes, " bytes: no machine has that much memory");
    const SizeClass c = size_class(bytes);
    void* p = nullptr;
    {
      LockGuard guard(lock_);
      auto& list = free_[c.index];
      ++stats_.allocations;
      if (!list.empty()) {
        p = list.back();
        list.pop_back();
      }
    }
    if (!p) {
      p = take(c.bytes);
      if (!p) {
        release_cached();
        p = take(c.bytes);
      }
      if (!p)
        fail<Error>("[allocate] out of memory: ", bytes, " bytes wanted, ", stats().in_use,
                    " in use; use a smaller batch or gradient checkpointing");
    }
    LockGuard guard(lock_);
    stats_.in_use += c.bytes;
    if (stats_.in_use > stats_.peak) stats_.peak = stats_.in_use;
#ifdef TMOR_ASAN
    __asan_poison_memory_region(p, c.bytes);
    __asan_unpoison_memory_region(p, bytes);
#endif
    return p;
  }

  void release(void* p, std::size_t bytes) {
    const SizeClass c = size_class(bytes);
#ifdef TMOR_ASAN
    __asan_poison_memory_region(p, c.bytes);
#endif
    LockGuard guard(lock_);
    stats_.in_use -= c.bytes;
    free_[c.index].push_back(p);
  }

  /// Gives every cached block back to the system.
  void release_cached() {
    LockGuard guard(lock_);
    for (int i = 0; i < kClasses; ++i) {
      const std::size_t bytes = class_bytes(i);
      for (void* p : free_[i]) {
#ifdef TMOR_ASAN
        __asan_unpoison_memory_region(p, bytes);
#endif
        if (bytes >= kHugePage) {
          munmap(p, bytes);
        } else {
          std::free(p);
        }
        stats_.reserved -= bytes;
      }
      free_[i].clear();
    }
  }

  MemoryStats stats() {
    LockGuard guard(lock_);
    return stats_;
  }
  void reset_peak() {
    LockGuard guard(lock_);
    stats_.peak = stats_.in_use;
  }

  static CpuAllocator& instance() {
    static CpuAllocator* a = new CpuAllocator;  // immortal: tensors may outlive every static
    return *a;
  }

 private:
  static constexpr int kClasses = 8 + 38 * 8;

  static std::size_t class_bytes(int i) {
    if (i < 8) return static_cast<std::size_t>(i + 1) * 64;
    return static_cast<std::size_t>(9 + (i - 8) % 8) << (6 + (i - 8) / 8);
  }

  void* take(std::size_t bytes) {
    void* p;
    if (bytes >= kHugePage) {
      // Over-map and trim, so that the block starts on a huge page.
      const std::size_t span = bytes + kHugePage;
      void* raw = mmap(nullptr, span, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (raw == MAP_FAILED) return nullptr;
      const auto at = reinterpret_cast<std::uintptr_t>(raw);
      const auto start = (at + kHugePage - 1) / kHugePage * kHugePage;
      if (start > at) munmap(raw, start - at);
      const std::uintptr_t end = start + bytes, page_end = (end + 4095) / 4096 * 4096;
      if (at + span > page_end) munmap(reinterpret_cast<void*>(page_end), at + span - page_end);
      p = reinterpret_cast<void*>(start);
#ifdef MADV_HUGEPAGE
      madvise(p, bytes, MADV_HUGEPAGE);
#endif
    } else {
      p = std::aligned_alloc(64, bytes);
      if (!p) return nullptr;
    }
    LockGuard guard(lock_);
    stats_.reserved += bytes;
    ++stats_.from_system;
    return p;
  }

  SpinLock lock_;
  MemoryStats stats_;
  std::vector<void*> free_[kClasses];
};

}  // namespace detail

TMOR_END
