// CUDA graphs on the emulated device: what is captured, whose memory it is, what is refused, and that replays
// give the bits of the same work done step by step.
#ifdef TMOR_CUDA_EMULATED
#include <doctest/doctest.h>

#include "support/emu_orders.hpp"
#include "support/tiny_models.hpp"
#include "tmor/autograd/backward.hpp"
#include "tmor/cuda/cuda.cuh"
#include "tmor/cuda/graph.hpp"
#include "tmor/losses/cross_entropy.hpp"
#include "tmor/models/skeleton/encoder.hpp"
#include "tmor/nn/twin.hpp"
#include "tmor/ops/device.hpp"
#include "tmor/optim/adamw.hpp"
#include "tmor/optim/clip.hpp"

using namespace tmor;
using Gpu = Tensor<float, Cuda>;

namespace {

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }
std::size_t used() {
  synchronize_cuda();
  return emu::DeviceMemory::instance().used();
}
/// `f` with streams that work at once, and with streams that work as late as they may.
template <class F> void with_both_streams(F&& f) {
  f();
  with_deferred_streams(f);
}

models::SkeletonEncoder<float, Cuda> tiny_encoder(Index embed) {
  Rng rng(3);
  return {rng, models::SkeletonConfig(test::tiny_unik(embed))};
}
Gpu clip(Index n, std::uint64_t seed) {
  Rng rng(seed);
  return normal<float, Cuda>(rng, {n, 1, 8, 4, 2});
}

}  // namespace

TEST_CASE("a graph is captured without being run, and does its work at every replay") {
  with_both_streams([] {
    const auto before = used();
    {
      const auto x = Gpu::full({5}, 1), sum = Gpu::zeros({5});
      Gpu y;
      const CudaGraph graph([&] {
        y = x * 3 + 1;
        sum += y;
        CHECK(cuda_capturing());
      });
      CHECK(!cuda_capturing());
      CHECK(std::isnan(y.to_vector()[0]));  // nothing has happened
      CHECK(sum.to_vector() == std::vector<float>(5, 0));
      graph.replay();
      CHECK(y.to_vector() == std::vector<float>(5, 4));
      copy_(x, Gpu::full({5}, 2));
      graph.replay();
      graph.replay();
      CHECK(y.to_vector() == std::vector<float>(5, 7));
      CHECK(sum.to_vector() == std::vector<float>(5, 18));
    }
    CHECK(used() == before);
  });
}

TEST_CASE("memory released while capturing, or taken and kept, belongs to the graph as long as it lives") {
  with_both_streams([] {
    const auto before = used();
    const auto x = Gpu::full({6}, 2);
    Gpu y, input = Gpu::full({6}, 1);
    {
      CudaGraph graph([&] {
        const auto a = x + 1;  // 3
        const auto b = a * a;  // 9
        y = b + input;         // 10
        input = Gpu();         // from outside, released here: still read by every replay
      });
      CHECK(graph.bytes() >= 4 * 6 * sizeof(float));
      std::vector<Gpu> others;
      for (int i = 0; i < 20; ++i) others.push_back(Gpu::full({6}, 100));  // none gets the graph's memory
      graph.replay();
      CHECK(y.to_vector() == std::vector<float>(6, 10));
      for (const Gpu& o : others) CHECK(o.to_vector() == std::vector<float>(6, 100));
      y = Gpu();
      others.push_back(Gpu::full({6}, 100));
      graph.replay();
      CHECK(others.back().to_vector() == std::vector<float>(6, 100));
      const CudaGraph moved = std::move(graph);
      moved.replay();
      CHECK(has(error_of([&] { graph.replay(); }), "nothing was captured"));
      y = moved.bytes() > 0 ? x + 1 : y;
    }
    y = Gpu();
    CHECK(used() == before + 6 * sizeof(float));  // x
  });
}

TEST_CASE("a result outlives its graph") {
  with_both_streams([] {
    const auto before = used();
    {
      Gpu y;
      {
        const auto x = Gpu::full({3}, 2);
        const CudaGraph graph([&] { y = x + 1; });
        graph.replay();
      }
      CHECK(y.to_vector() == std::vector<float>(3, 3));
    }
    CHECK(used() == before);
  });
}

TEST_CASE("within a graph memory is used again when it has been released") {
  const auto x = Gpu::full({100}, 1);
  Gpu y;
  const CudaGraph graph([&] {
    y = x;
    for (int i = 0; i < 20; ++i) y = y + 1;
  });
  CHECK(graph.bytes() <= 3 * 400);
  graph.replay();
  CHECK(y.to_vector() == std::vector<float>(100, 21));
}

TEST_CASE("what cannot be captured is said, and nothing of it stays") {
  with_both_streams([] {
    const auto before = used();
    {
      const auto x = Gpu::full({3}, 2).requires_grad_();
      Rng rng(1);
      const auto said = [&](auto f) {
        const std::string text = error_of([&] { CudaGraph graph(f); });
        CHECK(!cuda_capturing());
        return text;
      };
      CHECK(has(said([&] { (x + 1).to_vector(); }), "[CudaGraph] reading numbers"));
      CHECK(has(said([&] { to<Cpu>(x * 2); }), "reading numbers"));
      CHECK(has(said([&] { Gpu::from({1, 2}); }), "a copy from the host cannot be captured"));
      CHECK(has(said([&] { synchronize_cuda(); }), "waiting for the device"));
      CHECK(has(said([&] { normal<float, Cuda>(rng, {3}); }), "a random draw"));
      optim::AdamW<float, Cuda> adam(std::vector<NamedParam<float, Cuda>>{{"x", x}});
      CHECK(has(said([&] {
                  backward(mean(x * x));
                  adam.step();
                }),
                "a step of an optimiser"));
      CHECK(has(said([&] { optim::clip_grad_norm(adam.params(), 1); }), "reading numbers"));
      x.clear_grad();
      CudaGraph inner([&] { x.detach() + 1; });
      CHECK(has(said([&] { inner.replay(); }), "the replay of a graph"));
      CHECK(has(said([&] { CudaGraph([] {}); }), "is capturing another one"));
      CHECK(has(error_of([] { CudaGraph().replay(); }), "nothing was captured"));
      CHECK((x.detach() + 1).to_vector() == std::vector<float>(3, 3));  // the device goes on
    }
    CHECK(used() == before);
  });
}

TEST_CASE("the emulated device says when a graph meets memory that is gone, and what it does not capture") {
  with_both_streams([] {
    Gpu y;
    auto x = Gpu::full({4}, 1);
    const CudaGraph graph([&] { y = x + 1; });
    x = Gpu();
    const std::string said = error_of([&] {
      graph.replay();
      synchronize_cuda();
    });
    CHECK(has(said, "a graph is launched whose kernel"));
    CHECK(has(said, "uses a freed buffer"));
  });
  const CudaApi& api = cuda_api();
  const auto block = Gpu::zeros({3});
  CudaApi::Graph g = nullptr;
  CHECK(api.StreamBeginCapture(nullptr, CudaApi::relaxed) == 900);  // the default stream cannot be
  CudaApi::Stream s = nullptr;
  CudaApi::Event e = nullptr;
  api.StreamCreateWithFlags(&s, CudaApi::on_its_own);
  api.EventCreate(&e);
  CHECK(api.StreamEndCapture(s, &g) != 0);
  CHECK(api.StreamBeginCapture(s, CudaApi::relaxed) == 0);
  CHECK(api.StreamBeginCapture(s, CudaApi::relaxed) == 900);
  CHECK(api.StreamSynchronize(s) == 900);
  CHECK(api.EventRecord(e, s) == 900);
  CHECK(api.StreamWaitEvent(s, e, 0) == 900);
  CHECK(api.FreeAsync(block.mutable_data(), s) == 900);
  CHECK(api.StreamEndCapture(s, &g) == 0);
  api.GraphDestroy(g);
  api.EventDestroy(e);
  api.StreamDestroy(s);
}

TEST_CASE("inference on one clip: replays give the encoder's bits") {
  with_both_streams([] {
    const auto net = tiny_encoder(16);
    const auto x = Gpu::zeros({1, 1, 8, 4, 2});
    Gpu y;
    const auto run = [&] {
      const NoGrad off;
      y = net(x, Context{}).embed;
    };
    run();
    const CudaGraph graph(run);
    for (std::uint64_t i = 0; i < 3; ++i) {
      copy_(x, clip(1, i));
      graph.replay();
      const NoGrad off;
      CHECK(y.to_vector() == net(clip(1, i), Context{}).embed.to_vector());
    }
  });
}

namespace {

/// A classifier trained for some steps, each on another batch: the losses, then all parameters and buffers.
std::vector<float> trained(bool replayed) {
  const auto net = tiny_encoder(5);
  const auto params = parameters<float, Cuda>(net);
  optim::AdamW<float, Cuda> adam(params, {.lr = 1e-2, .keep_grads = replayed});
  const auto x = Gpu::zeros({3, 1, 8, 4, 2});
  const auto y = Tensor<Index, Cuda>::zeros({3});
  Gpu loss;
  const auto forward_and_backward = [&] {
    loss = loss::cross_entropy(net(x, Context{true, nullptr}).embed, y);
    backward(loss);
    loss = loss.detach();
  };
  CudaGraph graph;
  if (replayed) graph = CudaGraph(forward_and_backward);
  std::vector<float> out;
  for (std::uint64_t step = 0; step < 4; ++step) {
    copy_(x, clip(3, 10 + step));
    copy_(y, Tensor<Index, Cuda>::from({static_cast<Index>(step) % 5, 1, 4}));
    if (replayed) {
      graph.replay();
    } else {
      forward_and_backward();
    }
    out.push_back(loss.item());
    optim::clip_grad_norm(adam.params(), 0.5);
    adam.step(1e-2 / static_cast<double>(1 + step));  // a schedule
  }
  for (const auto& p : params)
    for (const float v : p.tensor.to_vector()) out.push_back(v);
  const NoGrad off;
  for (const float v : net(clip(2, 1), Context{}).embed.to_vector()) out.push_back(v);
  return out;
}

}  // namespace

TEST_CASE("training: forward and backward replayed, steps between them, give the bits of eager steps") {
  const auto eager = trained(false);
  CHECK(std::fabs(eager[0] - eager[3]) > 1e-3f);
  with_both_streams([&] { CHECK(trained(true) == eager); });
}

TEST_CASE("random draws: replays go on where the generator is, and leave it where eager calls do") {
  with_both_streams([] {
    const auto x = Gpu::full({50}, 1).requires_grad_();
    Gpu y, z;
    Rng rng(3, 4), eager(3, 4);
    const auto f = [&](Rng& r) {
      z = normal<float, Cuda>(r, {7});
      y = dropout(x, 0.5, r);
      x.clear_grad();
      backward(sum(y * y));
    };
    const CudaGraph graph([&] { f(rng); }, rng);
    CHECK(rng.state() == eager.state());  // nothing was drawn yet
    const auto numbers = [&] {
      auto out = z.to_vector();
      for (const auto& t : {y.detach(), x.grad()})
        for (const float v : t.to_vector()) out.push_back(v);
      return out;
    };
    std::vector<std::vector<float>> replayed, want;
    for (int i = 0; i < 4; ++i) {
      if (i == 2) rng.bits();       // somebody else drew
      if (i == 3) rng = Rng(9, 1);  // another stream, as a resumed run has
      graph.replay();
      replayed.push_back(numbers());
    }
    for (int i = 0; i < 4; ++i) {
      if (i == 2) eager.bits();
      if (i == 3) eager = Rng(9, 1);
      f(eager);
      want.push_back(numbers());
    }
    CHECK(replayed == want);
    CHECK(rng.state() == eager.state());
    CHECK(want[0] != want[1]);
    Rng other(5);
    CHECK(has(error_of([&] { CudaGraph([&] { f(other); }, rng); }), "cannot be captured: every replay"));
    CHECK(rng.state() == eager.state());
  });
}

TEST_CASE("positions outside are not checked in a graph: they give NaN, and nothing to a gradient") {
  with_both_streams([] {
    const auto x = Gpu::from({1, 2, 3, 4, 5, 6}, {3, 2}).requires_grad_();
    const auto ids = Tensor<Index, Cuda>::from({2, 0, 2});
    Gpu y;
    const CudaGraph graph([&] {
      y = index_select(x, 0, ids);
      x.clear_grad();
      backward(sum(y));
    });
    graph.replay();
    CHECK(y.to_vector() == std::vector<float>{5, 6, 1, 2, 5, 6});
    CHECK(x.grad().to_vector() == std::vector<float>{1, 1, 0, 0, 2, 2});
    copy_(ids, Tensor<Index, Cuda>::from({3, 1, -1}));
    graph.replay();
    const auto got = y.to_vector();
    for (const std::size_t i : {0, 1, 4, 5}) CHECK(std::isnan(got[i]));
    CHECK(got[2] == 3);
    CHECK(x.grad().to_vector() == std::vector<float>{0, 0, 1, 1, 0, 0});
  });
}

namespace {

/// A small T-MOR of three towers, with dropout, trained for some steps on other triplets, groups and kinds
/// each: the losses, what the generator has drawn, then all parameters and buffers. `T`: of activations.
template <class T> std::vector<float> trained_triplets(models::Contrast contrast, bool replayed) {
  auto c = test::tiny_tri_modal();
  c.loss.frame = 0;
  c.loss.contrast = contrast;
  std::get<models::UnikConfig>(c.skeleton).dropout = 0.1;
  c.text->dropout = 0.2;
  Rng init(3), draws(4), data(5);
  const models::TriModal<float, Cuda> model(init, c);
  const auto net = to<T>(model);
  const auto params = parameters<float, Cuda>(model);
  optim::AdamW<float, Cuda> adam(params, {.lr = 1e-2, .keep_grads = replayed});
  constexpr Index n = 5;
  models::TriBatch<float, Cuda> b;
  b.skeleton = Gpu::zeros({n, 1, 8, 4, 2});
  b.frames = Gpu::zeros({n, 3, 8, 4, 3});
  b.text = {Tensor<Index, Cuda>::zeros({n, 4}), Tensor<Index, Cuda>::zeros({n})};
  b.group = Tensor<Index, Cuda>::zeros({n});
  b.kind = Tensor<Index, Cuda>::zeros({n});
  Gpu loss;
  const auto forward_and_backward = [&] {
    loss = net.loss(b, Context{true, &draws}).total;
    backward(loss);
    loss = loss.detach();
  };
  CudaGraph graph;
  if (replayed) graph = CudaGraph(forward_and_backward, draws);
  std::vector<float> out;
  for (Index step = 0; step < 3; ++step) {
    const auto next = test::random_triplets(data, n);
    copy_(b.skeleton, to<Cuda>(next.skeleton));
    copy_(b.frames, to<Cuda>(next.frames));
    copy_(b.text.ids, to<Cuda>(next.text.ids));
    copy_(b.text.last, Tensor<Index, Cuda>::full({n}, 1 + step));
    copy_(b.group, Tensor<Index, Cuda>::from({step, 0, -1, 7, -1}));
    copy_(b.kind, Tensor<Index, Cuda>::from({-1, 2, 2, step, 1}));
    if (replayed) {
      graph.replay();
    } else {
      forward_and_backward();
    }
    out.push_back(loss.item());
    out.push_back(static_cast<float>(draws.state().counter));
    optim::clip_grad_norm(adam.params(), 1.0);
    adam.step();
    model.limit_scales_();
  }
  const auto all = [&](const std::string&, const auto& t, auto...) {
    for (const float v : t.to_vector()) out.push_back(v);
  };
  visit_tensors(model, all, all);
  return out;
}

}  // namespace

TEST_CASE("a training step of T-MOR replayed gives the bits of eager steps: three towers, dropout, groups") {
  for (const auto contrast : {models::Contrast::info_nce, models::Contrast::siglip}) {
    const auto eager = trained_triplets<float>(contrast, false);
    CHECK(eager[1] > 0);
    CHECK(std::fabs(eager[0] - eager[2]) > 1e-3f);
    with_both_streams([&] { CHECK(trained_triplets<float>(contrast, true) == eager); });
  }
  const auto eager = trained_triplets<bf16>(models::Contrast::info_nce, false);
  CHECK(trained_triplets<bf16>(models::Contrast::info_nce, true) == eager);
}

TEST_CASE("NVIDIA's libraries are captured with the rest") {
  auto& memory = emu::DeviceMemory::instance();
  const bool was_aligned = std::exchange(memory.aligned, true);
  set_cuda_gemm(CudaGemm::library);
  set_cuda_conv(CudaConv::library);
  const auto eager = trained(false);
  CHECK(cuda::LibraryPlans::instance().size() > 0);
  CHECK(cuda::LibraryConvs::instance().size() > 0);
  with_both_streams([&] { CHECK(trained(true) == eager); });
  set_cuda_gemm(CudaGemm::own);
  set_cuda_conv(CudaConv::own);
  memory.aligned = was_aligned;
}
#endif
