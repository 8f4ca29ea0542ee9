#pragma once
/// @file each.hpp
/// The simplest work of a device: a body called for every index below n, from one source on all of them. This
/// is the CPU's way; the GPU's is in cuda/each.cuh.

#include <span>

#include "tmor/core/parallel.hpp"
#include "tmor/core/tensor.hpp"

TMOR_BEGIN

/// `body(i)` for 0 <= i < n, in no order. `body` is a struct of values with a TMOR_HD operator() const, its
/// pointers into the device's memory; `name` is for errors.
template <class Body> void run_each(Cpu, const char*, Index n, const Body& body) {
  constexpr Index kGrain = 1024;
  parallel_for(n, kGrain, [&body](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) body(i);
  });
}

/// A copy of plain values in a device's memory, for bodies of `run_each`.
template <class T, class Device> class DeviceArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  explicit DeviceArray(std::span<const T> values) : memory_(Device::allocate(values.size_bytes())) {
    if (!values.empty())
      copy_from_host(Device{}, static_cast<T*>(memory_->data()), values.data(), std::ssize(values));
  }
  const T* data() const { return static_cast<const T*>(memory_->data()); }

 private:
  Ref<Storage> memory_;
};

/// Takes the last digit of `i`, a number in mixed radix, whose base is n. 32-bit divisions are faster and do
/// where `narrow`.
TMOR_HD inline Index take_digit(Index& i, Index n, bool narrow) {
  Index rest, digit;
  if (narrow) {
    const auto from = static_cast<std::uint32_t>(i), base = static_cast<std::uint32_t>(n);
    rest = from / base;
    digit = from - static_cast<std::uint32_t>(rest) * base;
  } else {
    rest = i / n;
    digit = i - rest * n;
  }
  i = rest;
  return digit;
}

TMOR_END
