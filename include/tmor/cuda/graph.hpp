#pragma once
/// @file graph.hpp
/// CUDA graphs: a stretch of work on the GPU is captured once and then replayed as a whole, without the
/// host's part in it (operations, the tape, a launch for each kernel). For steps of many small kernels: a
/// training step, inference on one clip.

#include <memory>
#include <utility>

#include "tmor/cuda/device.hpp"

TMOR_BEGIN

/// Work on `Cuda` that is captured once, from what a function asks for, and replayed.
///
///     const auto x = Tensor<float, Cuda>::zeros({1, 1, 64, 17, 3});
///     Tensor<float, Cuda> y;
///     const auto run = [&] { NoGrad off; y = encoder(x, Context{}); };
///     run();                                                 // once before: libraries get ready
///     const CudaGraph graph(run);                            // captured; nothing has been computed
///     copy_from_host(Cuda{}, x.mutable_data(), clip, x.numel());
///     graph.replay();                                        // y is the answer for this clip
///
/// The same kernels run on the same memory every time: inputs are tensors from outside, filled before a
/// replay; results, gradients among them, are overwritten by the next. Memory allocated or released while
/// capturing belongs to the graph until it is destroyed. Tensors from outside must live as long as the
/// graph is replayed; the emulated device notices when they do not.
///
/// Not possible while capturing, and an Error: reading numbers (`item()`, `to<Cpu>`), copies from the host,
/// waiting, random draws (they would repeat), steps of optimisers and averages (their numbers change:
/// take them after `replay()`, with `keep_grads`), and with them what needs one of those: gradients of
/// embeddings, losses over pairs, checks of positions. What the host decides is decided once.
class CudaGraph {
 public:
  /// Captures nothing: `replay` throws.
  CudaGraph() = default;
  /// Calls f() once and captures what it asks of the device. @throws whatever f throws, and Error for what
  /// cannot be captured; the device goes on as if nothing had been.
  template <class F>
  requires std::is_invocable_v<F&>
  explicit CudaGraph(F&& f) : work_(std::make_unique<Work>()) {
    TMOR_CHECK(!cuda_capturing(), "[CudaGraph] this thread is capturing another one");
    Capture capture(work_->pool);
    f();
    work_->exec = capture.finish();
  }

  /// Does it all again, in the order of the stream. @throws Error when there is nothing to do.
  void replay() const {
    TMOR_CHECK(work_, "[CudaGraph] nothing was captured");
    detail::refuse_capture("the replay of a graph", "capture its function instead");
    detail::check_cuda(cuda_api().GraphLaunch(work_->exec, cuda_stream()), "GraphLaunch");
  }
  /// Bytes of device memory that belong to it.
  std::size_t bytes() const { return work_ ? work_->pool.bytes : 0; }

 private:
  struct Work {
    detail::GraphPool pool;
    CudaApi::GraphExec exec = nullptr;

    Work() = default;
    Work(const Work&) = delete;
    ~Work() {
      if (exec) cuda_api().GraphExecDestroy(exec);  // when it has run
      detail::CudaAllocator::instance().dissolve(pool);
    }
  };
  /// A stream that is captured, and is this thread's until `finish` or an exception.
  class Capture {
   public:
    explicit Capture(detail::GraphPool& pool) {
      const CudaApi& api = cuda_api();
      detail::check_cuda(api.StreamCreateWithFlags(&stream_, CudaApi::on_its_own), "StreamCreateWithFlags");
      if (const int error = api.StreamBeginCapture(stream_, CudaApi::relaxed)) {
        api.StreamDestroy(stream_);
        detail::check_cuda(error, "StreamBeginCapture");
      }
      detail::captured_stream() = stream_;
      detail::captured_pool() = &pool;
    }
    Capture(const Capture&) = delete;
    ~Capture() {
      end();
      if (graph_) cuda_api().GraphDestroy(graph_);
    }
    CudaApi::GraphExec finish() {
      detail::check_cuda(end(), "StreamEndCapture");
      CudaApi::GraphExec exec = nullptr;
      const int error = cuda_api().GraphInstantiateWithFlags(&exec, graph_, 0);
      cuda_api().GraphDestroy(std::exchange(graph_, nullptr));
      detail::check_cuda(error, "GraphInstantiateWithFlags");
      return exec;
    }

   private:
    int end() {
      if (!stream_) return 0;
      detail::captured_stream() = nullptr;
      detail::captured_pool() = nullptr;
      const int error = cuda_api().StreamEndCapture(stream_, &graph_);
      cuda_api().StreamDestroy(std::exchange(stream_, nullptr));
      return error;
    }

    CudaApi::Stream stream_ = nullptr;
    CudaApi::Graph graph_ = nullptr;
  };

  std::unique_ptr<Work> work_;
};

TMOR_END
