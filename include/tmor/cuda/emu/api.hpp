#pragma once
/// @file api.hpp
/// The emulated device behind the table of runtime functions (cuda/api.hpp), and the launch of a kernel on
/// it. Streams do at once what they are given.

#include <tuple>

#include "tmor/cuda/api_table.hpp"
#include "tmor/cuda/emu/machine.hpp"

TMOR_BEGIN
namespace emu {

inline constexpr int kInvalidValue = 1, kInvalidPointer = 17;  // of cudaError

/// Is `p` an address of this program that is not the device's? A kernel given one reads garbage on a GPU.
inline bool is_host_address(const void* p) {
  const auto a = reinterpret_cast<std::uintptr_t>(p);
  if (a < 0x10000 || a >= std::uintptr_t{1} << 47) return false;
  if (DeviceMemory::instance().knows(p)) return false;
  return msync(reinterpret_cast<void*>(a / Fiber::kPage * Fiber::kPage), 1, MS_ASYNC) == 0;
}

/// Looks for addresses that a GPU could not follow in the arguments of a kernel.
template <class P> void check_argument(const char* kernel, int number, const P& a) {
  const DeviceMemory& memory = DeviceMemory::instance();
  const auto check = [&](const void* p) {
    TMOR_CHECK(!is_host_address(p), "[kernel ", kernel, "] argument ", number, " holds ",
               DeviceMemory::hex(reinterpret_cast<std::uintptr_t>(p)), ", an address of the host");
    if constexpr (std::is_pointer_v<P>)
      TMOR_CHECK(!p || memory.contains(p, 0), "[kernel ", kernel, "] argument ", number, " points to ",
                 memory.describe(p));
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

template <class... P>
void launch(const char* name, dim3 grid, dim3 block, std::size_t dynamic_bytes, void (*kernel)(P...),
            std::type_identity_t<P>... a) {
  int number = 0;
  (check_argument(name, number++, a), ...);
  const auto call = [kernel, arguments = std::tuple<P...>(a...)] { std::apply(kernel, arguments); };
  Machine::instance().launch(
      name, grid, block, dynamic_bytes, [](const void* c) { (*static_cast<const decltype(call)*>(c))(); },
      &call);
  if (DeviceMemory::instance().aligned) {
    const std::string spilled = DeviceMemory::instance().spilled();
    TMOR_CHECK(spilled.empty(), "[kernel ", name, "] a thread wrote ", spilled);
  }
}

inline int malloc(void** p, std::size_t bytes) {
  *p = DeviceMemory::instance().allocate(bytes);
  return *p ? 0 : tmor::detail::kCudaOutOfMemory;
}
inline int memcpy_async(void* to, const void* from, std::size_t bytes, int kind, void*) {
  const DeviceMemory& m = DeviceMemory::instance();
  const bool device_to = kind != CudaApi::to_host, device_from = kind != CudaApi::to_device;
  if (bytes == 0) return 0;
  // Each side must be what the kind says, as a whole.
  if (device_to ? !m.contains(to, bytes) : m.knows(to)) return kInvalidValue;
  if (device_from ? !m.contains(from, bytes) : m.knows(from)) return kInvalidValue;
  __builtin_memmove(to, from, bytes);
  return 0;
}
inline int memset_async(void* p, int byte, std::size_t bytes, void*) {
  if (!DeviceMemory::instance().contains(p, bytes)) return kInvalidValue;
  __builtin_memset(p, byte, bytes);
  return 0;
}

}  // namespace emu

namespace detail {
inline CudaApi load_cuda_api() {
  constexpr auto handle = [](void** h) {
    *h = new char;
    return 0;
  };
  constexpr auto drop = [](void* h) {
    delete static_cast<char*>(h);
    return 0;
  };
  constexpr auto nothing = [](void*) { return 0; };
  return {[](int* count) {
            *count = 1;
            return 0;
          },
          &emu::malloc,
          [](void* p) { return !p || emu::DeviceMemory::instance().release(p) ? 0 : emu::kInvalidPointer; },
          &emu::memcpy_async,
          &emu::memset_async,
          [](std::size_t* free, std::size_t* total) {
            const emu::DeviceMemory& m = emu::DeviceMemory::instance();
            *total = m.capacity;
            *free = m.capacity - m.used();
            return 0;
          },
          handle,
          drop,
          nothing,
          [](void*, void*, unsigned) { return 0; },
          handle,
          drop,
          [](void*, void*) { return 0; },
          nothing,
          [](int e) {
            return e == 2    ? "cudaErrorMemoryAllocation"
                   : e == 17 ? "cudaErrorInvalidDevicePointer"
                             : "cudaErrorInvalidValue";
          },
          [](int e) {
            return e == 2 ? "out of memory" : e == 17 ? "invalid device pointer" : "invalid argument";
          },
          true};
}
}  // namespace detail

TMOR_END
