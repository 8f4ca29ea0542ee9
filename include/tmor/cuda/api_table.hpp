#pragma once
/// @file api_table.hpp
/// The table of CUDA runtime functions that tmor calls. The declarations are our own: no CUDA header is
/// needed.

#include "tmor/core/config.hpp"

TMOR_BEGIN

/// Entries are named as the runtime's functions, without `cuda`. Handles are opaque; results are 0 or an
/// error.
struct CudaApi {
  using Stream = void*;
  using Event = void*;
  using Graph = void*;                                      ///< work captured from a stream
  using GraphExec = void*;                                  ///< the same, ready to be launched
  enum Copy { to_device = 1, to_host = 2, on_device = 3 };  // values of cudaMemcpyKind
  /// What a thread whose stream is captured may do besides: all, as far as the runtime is concerned.
  enum CaptureMode { relaxed = 2 };
  enum StreamFlags { in_step = 0, on_its_own = 1 };  // with the default stream: cudaStreamNonBlocking

  int (*GetDeviceCount)(int* count);
  int (*Malloc)(void** p, std::size_t bytes);
  int (*Free)(void* p);
  int (*FreeAsync)(void* p, Stream s);  ///< of the emulated device; null else: freed blocks are cached
  int (*MemcpyAsync)(void* to, const void* from, std::size_t bytes, int kind, Stream s);
  int (*MemsetAsync)(void* p, int byte, std::size_t bytes, Stream s);
  int (*MemGetInfo)(std::size_t* free, std::size_t* total);
  int (*StreamCreateWithFlags)(Stream* s, unsigned flags);
  int (*StreamDestroy)(Stream s);
  int (*StreamSynchronize)(Stream s);
  int (*StreamWaitEvent)(Stream s, Event e, unsigned flags);
  int (*EventCreate)(Event* e);
  int (*EventDestroy)(Event e);
  int (*EventRecord)(Event e, Stream s);
  int (*EventSynchronize)(Event e);
  int (*StreamBeginCapture)(Stream s, CaptureMode mode);
  int (*StreamEndCapture)(Stream s, Graph* g);
  int (*GraphInstantiateWithFlags)(GraphExec* e, Graph g, unsigned long long flags);
  int (*GraphLaunch)(GraphExec e, Stream s);
  int (*GraphExecDestroy)(GraphExec e);
  int (*GraphDestroy)(Graph g);
  const char* (*GetErrorName)(int error);
  const char* (*GetErrorString)(int error);
  bool emulated;  ///< memory is not to be cached: each buffer has guard pages of its own
};

namespace detail {
inline constexpr int kCudaOutOfMemory = 2;  // cudaErrorMemoryAllocation
}

TMOR_END
