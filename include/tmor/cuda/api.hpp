#pragma once
/// @file api.hpp
/// The functions of the CUDA runtime that tmor calls, as one table of pointers (cuda/api_table.hpp). It is
/// filled by `dlopen` of the runtime library (a missing library or driver is one clear error, and the same
/// program still runs on the CPU), or by the emulated device (cuda/emu/api.hpp) in programs built with
/// TMOR_CUDA_EMULATED.

#include "tmor/core/error.hpp"
#include "tmor/cuda/api_table.hpp"

#ifdef TMOR_CUDA_EMULATED
#include "tmor/cuda/emu/api.hpp"
#else
#include <dlfcn.h>
#endif

TMOR_BEGIN

namespace detail {

#ifndef TMOR_CUDA_EMULATED
inline CudaApi load_cuda_api() {
  void* library = nullptr;
  for (const char* name : {"libcudart.so", "libcudart.so.13", "libcudart.so.12"})
    if ((library = dlopen(name, RTLD_NOW | RTLD_GLOBAL))) break;
  TMOR_CHECK(library,
             "[cuda] no CUDA runtime library (libcudart.so) here: install the CUDA toolkit's runtime, or "
             "use the CPU");
  CudaApi a{};
  const auto find = [&](const char* name, auto& entry) {
    void* p = dlsym(library, name);
    TMOR_CHECK(p, "[cuda] the CUDA runtime library has no ", name, ": it is too old");
    __builtin_memcpy(&entry, &p, sizeof p);
  };
#define TMOR_CUDA_ENTRY(name) find("cuda" #name, a.name)
  TMOR_CUDA_ENTRY(GetDeviceCount);
  TMOR_CUDA_ENTRY(Malloc);
  TMOR_CUDA_ENTRY(Free);
  TMOR_CUDA_ENTRY(MemcpyAsync);
  TMOR_CUDA_ENTRY(MemsetAsync);
  TMOR_CUDA_ENTRY(MemGetInfo);
  TMOR_CUDA_ENTRY(StreamCreateWithFlags);
  TMOR_CUDA_ENTRY(StreamDestroy);
  TMOR_CUDA_ENTRY(StreamSynchronize);
  TMOR_CUDA_ENTRY(StreamWaitEvent);
  TMOR_CUDA_ENTRY(EventCreate);
  TMOR_CUDA_ENTRY(EventDestroy);
  TMOR_CUDA_ENTRY(EventRecord);
  TMOR_CUDA_ENTRY(EventSynchronize);
  TMOR_CUDA_ENTRY(StreamBeginCapture);
  TMOR_CUDA_ENTRY(StreamEndCapture);
  TMOR_CUDA_ENTRY(GraphInstantiateWithFlags);
  TMOR_CUDA_ENTRY(GraphLaunch);
  TMOR_CUDA_ENTRY(GraphExecDestroy);
  TMOR_CUDA_ENTRY(GraphDestroy);
  TMOR_CUDA_ENTRY(GetErrorName);
  TMOR_CUDA_ENTRY(GetErrorString);
#undef TMOR_CUDA_ENTRY
  int devices = 0;
  const int error = a.GetDeviceCount(&devices);
  TMOR_CHECK(error == 0, "[cuda] no GPU can be used here: ", a.GetErrorString(error), "; use the CPU");
  TMOR_CHECK(devices > 0, "[cuda] there is no GPU here; use the CPU");
  return a;
}
#endif

}  // namespace detail

/// The table, filled on first use. @throws Error in one line when there is no runtime library, driver or GPU.
inline const CudaApi& cuda_api() {
  static const CudaApi a = detail::load_cuda_api();
  return a;
}

namespace detail {
/// @throws Error naming `call` unless `error` is 0.
inline void check_cuda(int error, const char* call) {
  if (error != 0) [[unlikely]]
    fail<Error>("[cuda] ", call, " failed: ", cuda_api().GetErrorString(error), " (",
                cuda_api().GetErrorName(error), ")");
}
/// The stream that this thread captures a CudaGraph from; null when it does not.
inline CudaApi::Stream& captured_stream() {
  thread_local CudaApi::Stream s = nullptr;
  return s;
}
}  // namespace detail

/// The stream everything runs on: the device's own default one, or that of a graph being captured.
inline CudaApi::Stream cuda_stream() { return detail::captured_stream(); }

/// Is this thread capturing a CudaGraph (cuda/graph.hpp)? What it asks of the device is then recorded only.
inline bool cuda_capturing() { return detail::captured_stream() != nullptr; }

namespace detail {
/// @throws Error saying why `what` cannot be part of a CudaGraph, when one is being captured.
inline void refuse_capture(const char* what, const char* why) {
  TMOR_CHECK(!cuda_capturing(), "[CudaGraph] ", what, " cannot be captured: ", why);
}
}  // namespace detail

/// Waits until the device has done all it was asked to. @throws Error for what failed there since.
inline void synchronize_cuda() {
  detail::refuse_capture("waiting for the device", "nothing runs before replay()");
  detail::check_cuda(cuda_api().StreamSynchronize(cuda_stream()), "StreamSynchronize");
}

TMOR_END
