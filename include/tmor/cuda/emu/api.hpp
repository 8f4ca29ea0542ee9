#pragma once
/// @file api.hpp
/// The emulated device behind the table of runtime functions (cuda/api.hpp), and the launch of a kernel on
/// it.

#include <tuple>

#include "tmor/cuda/api_table.hpp"
#include "tmor/cuda/emu/machine.hpp"
#include "tmor/cuda/emu/streams.hpp"

TMOR_BEGIN
namespace emu {

// Of cudaError.
inline constexpr int kInvalidValue = 1, kInvalidPointer = 17, kCaptureUnsupported = 900;

/// Is `p` an address of this program that is not the device's? A kernel given one reads garbage on a GPU.
inline bool is_host_address(const void* p) {
  const auto a = reinterpret_cast<std::uintptr_t>(p);
  if (a < 0x10000 || a >= std::uintptr_t{1} << 47) return false;
#ifdef TMOR_ASAN
  if (a >= 0x7fff8000 && a < 0x10007fff8000) return false;  // the sanitizer's own: two small numbers look so
#endif
  if (DeviceMemory::instance().knows(p)) return false;
  return msync(reinterpret_cast<void*>(a / Fiber::kPage * Fiber::kPage), 1, MS_ASYNC) == 0;
}

/// Looks for addresses that a GPU could not follow in the arguments of a kernel, and adds the buffers they
/// point into to `uses`.
template <class P>
void check_argument(const char* kernel, int number, const P& a, std::set<const void*>& uses) {
  const DeviceMemory& memory = DeviceMemory::instance();
  const auto check = [&](const void* p) {
    if (const void* buffer = memory.buffer_of(p)) uses.insert(buffer);
    TMOR_CHECK(!is_host_address(p), "[kernel ", kernel, "] argument ", number, " holds ",
               DeviceMemory::hex(reinterpret_cast<std::uintptr_t>(p)), ", an address of the host");
    if constexpr (std::is_pointer_v<P>)
      TMOR_CHECK(!p || memory.contains(p, 0), "[kernel ", kernel, "] argument ", number, " points to ",
                 memory.describe(p));
    if constexpr (std::is_pointer_v<P>)
      TMOR_CHECK(!Streams::instance().freed(p), "[kernel ", kernel, "] argument ", number,
                 " points into a freed buffer");
  };
  if constexpr (std::is_pointer_v<P>) {
    check(a);
  } else if constexpr (sizeof(P) >= sizeof(void*)) {
#if __has_builtin(__builtin_clear_padding)  // which may hold old addresses
    alignas(P) char bytes[sizeof(P)];
    __builtin_memcpy(bytes, &a, sizeof(P));
    __builtin_clear_padding(reinterpret_cast<P*>(bytes));
    for (std::size_t i = 0; i + sizeof(void*) <= sizeof(P); i += sizeof(void*)) {
      const void* word;
      __builtin_memcpy(&word, bytes + i, sizeof word);
      check(word);
    }
#endif
  }
}

/// Checks the operand `name` of a call of one of NVIDIA's libraries: all its bytes are to lie in one buffer
/// of the device, which is added to `uses`.
inline void check_operand(const char* call, const char* name, const void* p, Index bytes,
                          std::uint64_t alignment, std::set<const void*>& uses) {
  const DeviceMemory& memory = DeviceMemory::instance();
  const bool begins = memory.contains(p, 1);
  TMOR_CHECK(begins && memory.contains(p, static_cast<std::size_t>(bytes)), "[", call, "] ", name, ", ",
             bytes, " bytes, ", begins ? "ends" : "begins", " at ",
             memory.describe(static_cast<const char*>(p) + (begins ? bytes - 1 : 0)));
  TMOR_CHECK(!Streams::instance().freed(p), "[", call, "] ", name, " lies in a freed buffer");
  const auto address = reinterpret_cast<std::uintptr_t>(p);
  TMOR_CHECK(address % alignment == 0, "[", call, "] ", name, " begins at ", DeviceMemory::hex(address),
             ", no multiple of ", alignment);
  uses.insert(memory.buffer_of(p));
}

/// Checks a launch, and queues or runs it. The arguments are kept by value, as they were at the launch.
template <class... P>
void launch(const char* name, dim3 grid, dim3 block, std::size_t dynamic_bytes, void* stream,
            void (*kernel)(P...), std::type_identity_t<P>... a) {
  Machine::check_limits(name, grid, block, dynamic_bytes);
  if (Machine::instance().idle) return;
  int number = 0;
  std::set<const void*> uses;
  (check_argument(name, number++, a, uses), ...);
  const auto call = [kernel, arguments = std::tuple<P...>(a...)] { std::apply(kernel, arguments); };
  Streams& streams = Streams::instance();
  streams.add(streams.stream(stream), tmor::detail::cat("kernel ", name), std::move(uses),
              [=, name = std::string(name)] {
                Machine::instance().launch(
                    name.c_str(), grid, block, dynamic_bytes,
                    [](const void* c) { (*static_cast<const decltype(call)*>(c))(); }, &call);
                if (!DeviceMemory::instance().aligned) return;
                const std::string spilled = DeviceMemory::instance().spilled();
                TMOR_CHECK(spilled.empty(), "[kernel ", name, "] a thread wrote ", spilled);
              });
}

inline int malloc(void** p, std::size_t bytes) {
  *p = DeviceMemory::instance().allocate(bytes);
  if (*p) return 0;
  Streams::instance().synchronize();  // something may wait to be freed
  *p = DeviceMemory::instance().allocate(bytes);
  return *p ? 0 : tmor::detail::kCudaOutOfMemory;
}
inline int free(void* p) {
  if (!p) return 0;
  Streams::instance().synchronize();
  return DeviceMemory::instance().release(p) ? 0 : kInvalidPointer;
}
inline int free_async(void* p, void* stream) {
  Streams& streams = Streams::instance();
  if (streams.stream(stream).graph) return kCaptureUnsupported;
  return !p || streams.free(streams.stream(stream), p) ? 0 : kInvalidPointer;
}

/// Do all of [p, p + bytes) lie in a buffer, for `on_device`, or else all on the host?
inline bool is_side(const void* p, std::size_t bytes, bool on_device) {
  const DeviceMemory& m = DeviceMemory::instance();
  return on_device ? m.contains(p, bytes) && !Streams::instance().freed(p) : !m.knows(p);
}
inline int memcpy_async(void* to, const void* from, std::size_t bytes, int kind, void* stream) {
  const bool device_to = kind != CudaApi::to_host, device_from = kind != CudaApi::to_device;
  if (bytes == 0) return 0;
  if (!is_side(to, bytes, device_to) || !is_side(from, bytes, device_from)) return kInvalidValue;
  Streams& streams = Streams::instance();
  // What the host reads before it has waited is NaN.
  if (streams.deferred && !device_to) __builtin_memset(to, 0xff, bytes);
  const DeviceMemory& m = DeviceMemory::instance();
  streams.add(streams.stream(stream), "copy", {m.buffer_of(to), m.buffer_of(from)}, [=, &m] {
    for (const void* p : {static_cast<const void*>(to), from})
      TMOR_CHECK(!m.knows(p) || m.contains(p, bytes), "[emulated CUDA] a copy of ", bytes, " bytes meets ",
                 m.describe(p));
    __builtin_memmove(to, from, bytes);
  });
  return 0;
}
inline int memset_async(void* p, int byte, std::size_t bytes, void* stream) {
  if (!is_side(p, bytes, true)) return kInvalidValue;
  Streams& streams = Streams::instance();
  const DeviceMemory& m = DeviceMemory::instance();
  streams.add(streams.stream(stream), "fill", {m.buffer_of(p)}, [=, &m] {
    TMOR_CHECK(m.contains(p, bytes), "[emulated CUDA] a fill of ", bytes, " bytes meets ", m.describe(p));
    __builtin_memset(p, byte, bytes);
  });
  return 0;
}

}  // namespace emu

namespace detail {
inline CudaApi load_cuda_api() {
  using emu::Streams;
  return {[](int* count) {
            *count = 1;
            return 0;
          },
          &emu::malloc,
          &emu::free,
          &emu::free_async,
          &emu::memcpy_async,
          &emu::memset_async,
          [](std::size_t* free, std::size_t* total) {
            const emu::DeviceMemory& m = emu::DeviceMemory::instance();
            *total = m.capacity;
            *free = m.capacity - m.used();
            return 0;
          },
          [](void** s, unsigned flags) {
            *s = Streams::instance().create(flags == CudaApi::in_step);
            return 0;
          },
          [](void* s) {
            Streams::instance().destroy(static_cast<Streams::Stream*>(s));
            return 0;
          },
          [](void* s) {
            if (Streams::instance().stream(s).graph) return emu::kCaptureUnsupported;
            Streams::instance().synchronize(Streams::instance().stream(s));
            return 0;
          },
          [](void* s, void* e, unsigned) {
            if (Streams::instance().stream(s).graph) return emu::kCaptureUnsupported;
            Streams::instance().wait(Streams::instance().stream(s), *static_cast<Streams::Event*>(e));
            return 0;
          },
          [](void** e) {
            *e = new Streams::Event;
            return 0;
          },
          [](void* e) {
            delete static_cast<Streams::Event*>(e);
            return 0;
          },
          [](void* e, void* s) {
            if (Streams::instance().stream(s).graph) return emu::kCaptureUnsupported;
            Streams::instance().record(*static_cast<Streams::Event*>(e), Streams::instance().stream(s));
            return 0;
          },
          [](void* e) {
            Streams::instance().synchronize(*static_cast<Streams::Event*>(e));
            return 0;
          },
          [](void* s, CudaApi::CaptureMode) {
            return s && Streams::instance().capture(Streams::instance().stream(s)) ? 0
                                                                                   : emu::kCaptureUnsupported;
          },
          [](void* s, void** g) {
            *g = Streams::instance().end_capture(Streams::instance().stream(s));
            return *g ? 0 : emu::kInvalidValue;
          },
          [](void** e, void* g, unsigned long long) {
            *e = new Streams::Graph(*static_cast<Streams::Graph*>(g));
            return 0;
          },
          [](void* e, void* s) {
            Streams::instance().launch(*static_cast<Streams::Graph*>(e), Streams::instance().stream(s));
            return 0;
          },
          [](void* e) {
            delete static_cast<Streams::Graph*>(e);
            return 0;
          },
          [](void* g) {
            delete static_cast<Streams::Graph*>(g);
            return 0;
          },
          [](int e) {
            return e == 2     ? "cudaErrorMemoryAllocation"
                   : e == 17  ? "cudaErrorInvalidDevicePointer"
                   : e == 900 ? "cudaErrorStreamCaptureUnsupported"
                              : "cudaErrorInvalidValue";
          },
          [](int e) {
            return e == 2     ? "out of memory"
                   : e == 17  ? "invalid device pointer"
                   : e == 900 ? "operation not permitted when stream is capturing"
                              : "invalid argument";
          },
          true};
}
}  // namespace detail

TMOR_END
