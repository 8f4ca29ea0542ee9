#pragma once
/// @file storage.hpp
/// `Storage`: one reference-counted block of memory on a device, shared by every view of it, with the version
/// counter that lets the tape notice that a tensor it saved was changed in place. `Cpu`: the host as a
/// device.

#include <array>
#include <memory>

#include "tmor/core/alloc.hpp"
#include "tmor/core/ref.hpp"

TMOR_BEGIN

/// Something made from the contents of a block of memory and kept with it while they stay the same: weights
/// in the order in which a product reads them.
class Derived : public RefCounted {
 public:
  virtual ~Derived() = default;
};
/// Which thing it is, beside the block: its place and sizes, as its maker likes.
using DerivedKey = std::array<Index, 8>;

/// One block of memory. Not a template: what it holds is said by the tensors that view it.
class Storage : public RefCounted {
 public:
  /// Called once, with `data`, `bytes` and `context`, when the last view is gone.
  using Release = void (*)(void* data, std::size_t bytes, void* context);

  Storage(void* data, std::size_t bytes, Release release, void* context = nullptr)
      : data_(data), bytes_(bytes), release_(release), context_(context) {}
  ~Storage() {
    if (release_) release_(data_, bytes_, context_);
  }
  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  /// Number of times the contents were changed in place.
  unsigned version() const { return version_; }
  void bump_version() { ++version_; }

  /// What was kept under `key`, if the contents have not changed since; null otherwise. Threads may ask at
  /// once.
  Ref<Derived> kept(const DerivedKey& key) {
    detail::LockGuard guard(kept_lock_);
    if (kept_)
      for (const Kept& k : *kept_)
        if (k.version == version_ && k.key == key) return k.made;
    return {};
  }
  /// Keeps `made`, which was made from the present contents; drops what was made from earlier ones.
  void keep(const DerivedKey& key, Ref<Derived> made) {
    detail::LockGuard guard(kept_lock_);
    if (!kept_) kept_ = std::make_unique<std::vector<Kept>>();
    std::erase_if(*kept_, [&](const Kept& k) { return k.version != version_ || k.key == key; });
    kept_->push_back({key, version_, std::move(made)});
  }

 private:
  struct Kept {
    DerivedKey key;
    unsigned version;
    Ref<Derived> made;
  };

  void* data_;
  std::size_t bytes_;
  Release release_;
  void* context_;
  unsigned version_ = 0;
  detail::SpinLock kept_lock_;
  std::unique_ptr<std::vector<Kept>> kept_;
};

/// The host. A device is a tag type with these members; `Cuda` is the other one.
struct Cpu {
  static constexpr const char* name = "cpu";
  static constexpr bool host_memory = true;
  /// Uninitialised memory, 64-byte aligned. @throws Error when there is none left.
  static Ref<Storage> allocate(std::size_t bytes) {
    void* p = detail::CpuAllocator::instance().allocate(bytes);
    return make_ref<Storage>(
        p, bytes, [](void* d, std::size_t n, void*) { detail::CpuAllocator::instance().release(d, n); });
  }
};

/// Allocator statistics of the CPU.
inline MemoryStats memory_stats() { return detail::CpuAllocator::instance().stats(); }
/// Starts `MemoryStats::peak` anew from what is in use.
inline void reset_peak_memory() { detail::CpuAllocator::instance().reset_peak(); }
/// Gives cached blocks back to the system.
inline void release_cached_memory() { detail::CpuAllocator::instance().release_cached(); }

TMOR_END
