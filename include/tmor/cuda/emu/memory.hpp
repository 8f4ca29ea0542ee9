#pragma once
/// @file memory.hpp
/// Device memory of the emulated CUDA device. Each buffer is filled with NaN, ends at a page that must not be
/// touched, and becomes such a page itself when freed: an access beyond its end or after its life stops the
/// program at that very instruction, and `describe` says which buffer it was about.

#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

#include "tmor/cuda/emu/fiber.hpp"

TMOR_BEGIN
namespace emu {

class DeviceMemory {
 public:
  static constexpr std::size_t kPage = Fiber::kPage;
  static constexpr char kMargin = 0x5a;  ///< between the end of a buffer and its guard page

  /// Memory the device pretends to have; more is an out-of-memory error of the runtime.
  std::size_t capacity = std::size_t{8} << 30;
  /// Buffers start at a multiple of 16 bytes, as vector loads want it, and may have up to 15 bytes behind
  /// their end, which `spilled` watches; else they end exactly at the guard page and may start anywhere their
  /// size allows. TMOR_EMU_ALIGNED=1 sets it.
  bool aligned = std::getenv("TMOR_EMU_ALIGNED") != nullptr;

  /// Null when the capacity does not suffice.
  void* allocate(std::size_t bytes) {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (bytes > capacity || used_ > capacity - bytes) return nullptr;
    const std::size_t pages = (bytes + kPage - 1) / kPage + 1;  // and never none
    auto& spare = spare_[pages];
    char* base;
    if (spare.empty()) {
      void* p =
          mmap(nullptr, (pages + 1) * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (p == MAP_FAILED) return nullptr;
      base = static_cast<char*>(p);
    } else {
      base = spare.back();
      spare.pop_back();
    }
    if (mprotect(base + kPage, (pages - 1) * kPage, PROT_READ | PROT_WRITE) != 0) return nullptr;
    __builtin_memset(base + kPage, 0xff, (pages - 1) * kPage);  // NaN as float, double, bf16 and f16
    std::size_t start = pages * kPage - bytes;
    start -= aligned ? start % 16 : 0;
    __builtin_memset(base + start + bytes, kMargin, pages * kPage - start - bytes);
    buffers_[base] = {base + start, bytes, pages, true};
    used_ += bytes;
    return base + start;
  }

  /// False when `p` is no buffer's start.
  bool release(void* p) {
    const std::lock_guard<std::mutex> guard(mutex_);
    Buffer* b = find(p);
    if (!b || !b->live || b->begin != p) return false;
    char* base = reinterpret_cast<char*>(reinterpret_cast<std::uintptr_t>(p) / kPage * kPage - kPage);
    b->live = false;
    used_ -= b->bytes;
    mprotect(base, (b->pages + 1) * kPage, PROT_NONE);
    if (b->pages > 1024) madvise(base, (b->pages + 1) * kPage, MADV_DONTNEED);
    // The address is used again as late as possible.
    retired_.push_back(base);
    if (retired_.size() > 64) {
      spare_[buffers_[retired_.front()].pages].push_back(retired_.front());
      retired_.erase(retired_.begin());
    }
    return true;
  }

  /// Do [p, p + bytes) lie in one live buffer?
  bool contains(const void* p, std::size_t bytes) const {
    const std::lock_guard<std::mutex> guard(mutex_);
    const Buffer* b = find(p);
    const char* c = static_cast<const char*>(p);
    return b && b->live && c >= b->begin && c + bytes <= b->begin + b->bytes;
  }
  /// The start of the live buffer that `p` points into, or just behind; null when there is none.
  void* buffer_of(const void* p) const {
    const std::lock_guard<std::mutex> guard(mutex_);
    const Buffer* b = find(p);
    return b && b->live ? b->begin : nullptr;
  }
  /// Is `p` an address the device gave out at some time, or a page beside one?
  bool knows(const void* p) const {
    const std::lock_guard<std::mutex> guard(mutex_);
    return find(p) != nullptr;
  }
  /// "3 bytes past the end of a buffer of 401 bytes", where a byte between a buffer's end and its guard page
  /// has changed; empty where none has.
  std::string spilled() {
    const std::lock_guard<std::mutex> guard(mutex_);
    for (const auto& [base, b] : buffers_) {
      if (!b.live) continue;
      for (char *p = b.begin + b.bytes, *end = base + b.pages * kPage; p < end; ++p)
        if (*p != kMargin) {
          __builtin_memset(p, kMargin, static_cast<std::size_t>(end - p));
          return tmor::detail::cat(p - b.begin - static_cast<Index>(b.bytes),
                                   " bytes past the end of a buffer of ", b.bytes, " bytes");
        }
    }
    return "";
  }
  std::size_t used() const {
    const std::lock_guard<std::mutex> guard(mutex_);
    return used_;
  }

  /// "8 bytes past the end of a buffer of 400 bytes".
  std::string describe(const void* p) const {
    using tmor::detail::cat;
    const std::lock_guard<std::mutex> guard(mutex_);
    const Buffer* b = find(p);
    const char* c = static_cast<const char*>(p);
    if (!b) return cat("address ", hex(reinterpret_cast<std::uintptr_t>(p)), ", which is no device memory");
    const auto at = static_cast<Index>(c - b->begin), size = static_cast<Index>(b->bytes);
    if (at >= size) return cat(at - size, " bytes past the end of a buffer of ", size, " bytes");
    if (at < 0) return cat(-at, " bytes before the start of a buffer of ", size, " bytes");
    return cat("byte ", at, " of a ", b->live ? "" : "freed ", "buffer of ", size, " bytes");
  }

  static std::string hex(std::uintptr_t x) {
    char buf[20];
    const auto r = std::to_chars(buf, buf + sizeof buf, x, 16);
    return "0x" + std::string(buf, r.ptr);
  }
  static DeviceMemory& instance() {
    static DeviceMemory* m = new DeviceMemory;  // immortal, as the allocator above it
    return *m;
  }

 private:
  struct Buffer {
    char* begin;
    std::size_t bytes, pages;  ///< pages: the front guard page and those of the data; one more guards the end
    bool live;
  };
  Buffer* find(const void* p) const {
    auto it = buffers_.upper_bound(const_cast<char*>(static_cast<const char*>(p)));
    if (it == buffers_.begin()) return nullptr;
    --it;
    return static_cast<const char*>(p) < it->first + (it->second.pages + 1) * kPage ? &it->second : nullptr;
  }

  mutable std::mutex mutex_;
  mutable std::map<char*, Buffer> buffers_;  ///< by the start of their pages
  std::map<std::size_t, std::vector<char*>> spare_;
  std::vector<char*> retired_;
  std::size_t used_ = 0;
};

}  // namespace emu
TMOR_END
