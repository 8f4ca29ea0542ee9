#pragma once
/// The one family on two streams: what each must wait for is said by events, and checked by leaving one out
/// (tests/mutants.py).

#include "families.hpp"
#include "tmor/cuda/cuda.cuh"

namespace families {

template <class T> __global__ void scaled(T* y, const T* x, T s, Index n) {
  for (Index i = thread_index(); i < n; i += thread_count()) y[i] = s * x[i];
}
template <class T> __global__ void added(T* y, const T* x, Index n) {
  for (Index i = thread_index(); i < n; i += thread_count()) y[i] += x[i];
}

/// A stream beside the default one, and events that say what is ready.
struct SideStream {
  const CudaApi& api = cuda_api();
  CudaApi::Stream stream{};
  CudaApi::Event inputs{}, part{};

  SideStream() {
    detail::check_cuda(api.StreamCreateWithFlags(&stream, CudaApi::on_its_own), "StreamCreateWithFlags");
    detail::check_cuda(api.EventCreate(&inputs), "EventCreate");
    detail::check_cuda(api.EventCreate(&part), "EventCreate");
  }
  ~SideStream() {
    api.EventDestroy(part);
    api.EventDestroy(inputs);
    api.StreamDestroy(stream);
  }
  SideStream(const SideStream&) = delete;

  /// What `waiting` is given from now on comes after what `busy` was given so far.
  void order(CudaApi::Stream busy, CudaApi::Event e, CudaApi::Stream waiting) const {
    detail::check_cuda(api.EventRecord(e, busy), "EventRecord");
    detail::check_cuda(api.StreamWaitEvent(waiting, e, 0), "StreamWaitEvent");
  }
};

template <> struct TwoStreams<Cuda> {
  static Tensor<float, Cuda> run(const Tensor<float, Cuda>& a, const Tensor<float, Cuda>& b) {
    const SideStream side;
    const CudaApi::Stream main = cuda_stream();
    const auto y = Tensor<float, Cuda>::empty(a.shape()), part = Tensor<float, Cuda>::empty(a.shape());
    const Index n = a.numel();
    const unsigned blocks = blocks_for(n, 32);
    side.order(main, side.inputs, side.stream);
    launch({"scaled", blocks, 32, 0, side.stream}, scaled<float>, part.mutable_data(), b.data(), 3.0f, n);
    launch({"scaled", blocks, 32, 0, main}, scaled<float>, y.mutable_data(), a.data(), 2.0f, n);
    side.order(side.stream, side.part, main);
    launch({"added", blocks, 32, 0, main}, added<float>, y.mutable_data(), part.data(), n);
    return y;
  }
};

}  // namespace families
