#pragma once
/// @file graph.hpp
/// CUDA graphs: a stretch of work on the GPU is captured once and then replayed as a whole, without the
/// host's part in it (operations, the tape, a launch for each kernel). For steps of many small kernels: a
/// training step, inference on one clip.

#include <memory>
#include <utility>

#include "tmor/core/rng.hpp"
#include "tmor/cuda/device.hpp"

TMOR_BEGIN
namespace detail {

/// The draws of the graph that this thread captures: from `first` on, as the host counts, and in a replay
/// from the state in device memory that `start` points to.
struct CapturedDraws {
  Rng::State first;
  const Rng::State* start = nullptr;
};
inline CapturedDraws& captured_draws() {
  thread_local CapturedDraws draws;
  return draws;
}
/// For a draw from `s` on: null outside of captures, else where it starts, and `s` counted from there.
inline const Rng::State* captured_draws(Rng::State& s) {
  if (!cuda_capturing()) return nullptr;
  const CapturedDraws& draws = captured_draws();
  TMOR_CHECK(draws.start && s.seed == draws.first.seed && s.stream == draws.first.stream &&
                 s.counter >= draws.first.counter,
             "[CudaGraph] a random draw, as dropout makes, cannot be captured: every replay would repeat its "
             "numbers. Give the graph the generator it comes from: CudaGraph(f, rng)");
  s.counter -= draws.first.counter;
  return draws.start;
}

}  // namespace detail

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
/// waiting, random draws from a generator that the graph was not given, steps of optimisers and averages
/// (their numbers change: take them after `replay()`, with `keep_grads`). What the host decides is decided
/// once. Positions (of `index_select`, embeddings, `gather`, ...) are not checked: what lies outside gives
/// NaN, or nothing to a gradient.
class CudaGraph {
 public:
  /// Captures nothing: `replay` throws.
  CudaGraph() = default;
  /// Calls f() once and captures what it asks of the device. @throws whatever f throws, and Error for what
  /// cannot be captured; the device goes on as if nothing had been.
  template <class F>
  requires std::is_invocable_v<F&>
  explicit CudaGraph(F&& f) : CudaGraph(std::forward<F>(f), nullptr) {}
  /// The same for an f() that draws from `rng`, which must live as long as the graph is replayed: each replay
  /// draws from the state it has then, and moves it on as f() does. Capturing does not move it.
  template <class F>
  requires std::is_invocable_v<F&> CudaGraph(F&& f, Rng& rng) : CudaGraph(std::forward<F>(f), &rng) {}

  /// Does it all again, in the order of the stream. @throws Error when there is nothing to do.
  template <class Device = Cuda> void replay() const {
    TMOR_CHECK(work_, "[CudaGraph] nothing was captured");
    detail::refuse_capture("the replay of a graph", "capture its function instead");
    if (work_->rng) {
      run_start_draws(Device{}, work_->start(), work_->rng->state());
      work_->rng->reserve(work_->draws);
    }
    detail::check_cuda(cuda_api().GraphLaunch(work_->exec, cuda_stream()), "GraphLaunch");
  }
  /// Bytes of device memory that belong to it.
  std::size_t bytes() const { return work_ ? work_->pool.bytes : 0; }

 private:
  struct Work {
    detail::GraphPool pool;
    CudaApi::GraphExec exec = nullptr;
    Rng* rng = nullptr;
    std::uint64_t draws = 0;  ///< counters that f() takes of it
    Ref<Storage> rng_start;

    Rng::State* start() const { return static_cast<Rng::State*>(rng_start->data()); }
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
    Capture(detail::GraphPool& pool, const detail::CapturedDraws& draws) {
      const CudaApi& api = cuda_api();
      detail::check_cuda(api.StreamCreateWithFlags(&stream_, CudaApi::on_its_own), "StreamCreateWithFlags");
      if (const int error = api.StreamBeginCapture(stream_, CudaApi::relaxed)) {
        api.StreamDestroy(stream_);
        detail::check_cuda(error, "StreamBeginCapture");
      }
      detail::captured_stream() = stream_;
      detail::captured_pool() = &pool;
      detail::captured_draws() = draws;
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
      detail::captured_draws() = {};
      const int error = cuda_api().StreamEndCapture(stream_, &graph_);
      cuda_api().StreamDestroy(std::exchange(stream_, nullptr));
      return error;
    }

    CudaApi::Stream stream_ = nullptr;
    CudaApi::Graph graph_ = nullptr;
  };

  template <class F> CudaGraph(F&& f, Rng* rng) : work_(std::make_unique<Work>()) {
    TMOR_CHECK(!cuda_capturing(), "[CudaGraph] this thread is capturing another one");
    detail::CapturedDraws draws;
    if (rng) {
      work_->rng = rng;
      work_->rng_start = Cuda::allocate(sizeof(Rng::State));
      draws = {rng->state(), work_->start()};
    }
    Capture capture(work_->pool, draws);
    try {
      f();
    } catch (...) {
      if (rng) *rng = Rng(draws.first);
      throw;
    }
    if (rng) {
      work_->draws = rng->state().counter - draws.first.counter;
      *rng = Rng(draws.first);
    }
    work_->exec = capture.finish();
  }

  std::unique_ptr<Work> work_;
};

TMOR_END
