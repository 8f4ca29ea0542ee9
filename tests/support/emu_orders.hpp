#pragma once
/// Runs a check with the threads of the emulated device in each of its orders, and with several seeds.

#include <doctest/doctest.h>

#include <string>

#include "tmor/cuda/launch.cuh"

template <class F> void in_all_orders(F&& f) {
  auto& machine = tmor::emu::Machine::instance();
  const auto before = machine.order;
  for (int i = 0; i < 5; ++i) {
    machine.order = i == 0   ? tmor::emu::Order::forward
                    : i == 1 ? tmor::emu::Order::reverse
                             : tmor::emu::Order::random;
    machine.seed = static_cast<std::uint64_t>(i);
    const std::string name = i == 0 ? "forward" : i == 1 ? "reverse" : "random " + std::to_string(i);
    INFO("order ", name);
    f();
  }
  machine.order = before;
}

/// `f` with streams whose work waits until somebody wants it.
template <class F> void with_deferred_streams(F&& f) {
  auto& streams = tmor::emu::Streams::instance();
  streams.synchronize();
  const bool before = std::exchange(streams.deferred, true);
  f();
  streams.synchronize();
  streams.deferred = before;
}

/// Launches and waits, so that what the kernel does wrong is thrown here whatever the streams do.
template <class... P, class... A>
void launch_now(const tmor::Launch& l, void (*kernel)(P...), const A&... a) {
  tmor::launch(l, kernel, a...);
  tmor::synchronize_cuda();
}

/// The text of the tmor::Error that `f` throws; empty when it does not.
template <class F> std::string error_of(F&& f) {
  try {
    f();
  } catch (const tmor::Error& e) {
    return e.what();
  }
  return "";
}
