// Modules moved to the emulated GPU and back: the same numbers, settings and ties; the same files.
#ifdef TMOR_CUDA_EMULATED
#include <doctest/doctest.h>

#include <cmath>

#include "support/files.hpp"
#include "support/tiny_models.hpp"
#include "tmor/autograd/backward.hpp"
#include "tmor/cuda/cuda.cuh"
#include "tmor/nn/twin.hpp"
#include "tmor/optim/adamw.hpp"
#include "tmor/optim/ema.hpp"
#include "tmor/train/checkpoint.hpp"

using namespace tmor;
using test::contains;
using test::message;
using train::part;

namespace {

double difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    worst = std::fmax(worst, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return worst;
}

template <class M> std::string bytes_of(const M& m) {
  const test::TempDir dir;
  train::save_checkpoint(dir / "m.safetensors", {}, part("", m));
  return io::read_file(dir / "m.safetensors");
}

/// Two tied tensors, an undefined one, one with gaps, and settings.
template <class T = float, class Device = Cpu> struct Odd {
  Param<T, Device> w, tied, none, turned;
  Tensor<Index, Device> seen;
  Tensor<bool, Device> mask;
  std::vector<nn::Linear<T, Device>> list;
  std::optional<nn::LayerNorm<T, Device>> norm, off;
  nn::Dropout drop;
  static void visit(auto& self, auto&& v) {
    v.param("w", self.w);
    v.param("none", self.none);
    v.param("tied", self.tied);
    v.param("turned", self.turned);
    v.buffer("seen", self.seen);
    v.buffer("mask", self.mask);
    v.module("list", self.list);
    v.module("norm", self.norm);
    v.module("off", self.off);
    v.module("drop", self.drop);
  }
};
Odd<> odd() {
  Rng rng(1);
  Odd<> m;
  m.w = m.tied = normal(rng, {3, 2}).requires_grad_();
  m.turned = normal(rng, {2, 3}).as_strided({3, 2}, {1, 3}, 0);
  m.seen = Tensor<Index>::from({1, 2});
  m.mask = Tensor<bool>::full({3}, true);
  for (int i = 0; i < 3; ++i) m.list.emplace_back(rng, 4, 2, i > 0);
  m.norm.emplace(4, 1e-3);
  m.drop.p = 0.25;
  return m;
}

/// Leaves out what is not there, which a twin cannot know.
template <class T = float, class Device = Cpu> struct Coy {
  Param<T, Device> w;
  static void visit(auto& self, auto&& v) {
    if (self.w.defined()) v.param("w", self.w);
  }
};

}  // namespace

TEST_CASE("a twin has the tensors, ties, parts and settings of its module") {
  const auto m = odd();
  const auto there = to<Cuda>(m);
  static_assert(std::is_same_v<decltype(there), const Odd<float, Cuda>>);
  CHECK(there.w.same_view(there.tied));
  CHECK(there.w.requires_grad());
  CHECK(!there.turned.requires_grad());
  CHECK(!there.none.defined());
  CHECK(there.list.size() == 3);
  CHECK(!there.list[0].b.defined());
  REQUIRE(there.norm);
  CHECK(there.norm->eps == 1e-3);
  CHECK(!there.off);
  CHECK(there.drop.p == 0.25);
  CHECK(parameters<float, Cuda>(there).size() == parameters(m).size());
  CHECK(bytes_of(there) == bytes_of(m));
  const auto back = to<Cpu>(there);
  CHECK(bytes_of(back) == bytes_of(m));
  CHECK(back.w.same_view(back.tied));
  CHECK(!back.w.same_view(m.w));
  CHECK(to<Cpu>(m).w.same_view(m.w));  // there already
  const Coy<> coy{m.w};
  CHECK(contains(message<Error>([&] { to<Cuda>(coy); }), "'w'"));
}

TEST_CASE("numbers are copied between twins, or refused by name") {
  const auto m = odd(), other = odd();
  auto there = to<Cuda>(m);
  const auto kept = m.w;
  there.w.set_grad(there.w);
  fill_memory(Cuda{}, there.w.mutable_data(), 6, 7.f);
  fill_memory(Cuda{}, there.seen.mutable_data(), 2, Index{5});
  copy_tensors(there, m);
  CHECK(kept.to_vector() == std::vector<float>(6, 7.f));
  CHECK(m.seen.to_vector() == std::vector<Index>(2, 5));
  CHECK(bytes_of(there) == bytes_of(m));
  copy_tensors(other, there);
  CHECK(bytes_of(there) == bytes_of(other));
  there.list[1].w = Tensor<float, Cuda>::zeros({1, 4});
  const auto said = message<Error>([&] { copy_tensors(there, m); });
  CHECK(contains(said, "'list.1.w' is "));
  CHECK(contains(said, "(1, 4) in the first module"));
  CHECK(contains(said, "(2, 4) in the second"));
  there.list.pop_back();
  CHECK(contains(message<Error>([&] { copy_tensors(m, there); }), "'list.1.w'"));
  there.list[1].w = to<Cuda>(m.list[1].w);
  CHECK(contains(message<Error>([&] { copy_tensors(m, there); }), "'list.2.w'"));
  CHECK(kept.to_vector() == std::vector<float>(6, 7.f));  // nothing was copied
}

TEST_CASE("the twin of a tri-modal model gives the CPU's embeddings and loss, whatever its encoder") {
  for (Index kind = 0; kind < 4; ++kind) {
    CAPTURE(kind);
    auto c = test::tiny_tri_modal();
    choose(c.skeleton, kind);
    if (kind > 0)
      std::visit(
          [](auto& x) {
            if constexpr (requires { x.stages; }) x.stages = {{8}, {16, 2}};
            if constexpr (requires { x.parents; }) x.parents = {0, 0, 1, 1};
            if constexpr (requires { x.depth; }) x.dim = 8, x.depth = 1, x.heads = 2, x.frames_per_token = 2;
          },
          c.skeleton);
    Rng init(3), data(4);
    models::TriModal<> net(init, c);
    const auto batch = test::random_triplets(data, 4);
    {
      Rng draws(1);
      net.loss(batch, Context{true, &draws});  // running statistics of their own
    }
    std::visit([](auto& m) { m.head.drop.p = 0.3; }, net.skeleton.net);
    net.lock(models::Lock::none, models::Lock::body, models::Lock::none);
    const auto there = to<Cuda>(net);
    CHECK(bytes_of(there) == bytes_of(net));
    const auto x = to<Cuda>(batch.skeleton);
    CHECK(difference(there.embed_skeletons(x, Context{}).to_vector(),
                     net.embed_skeletons(batch.skeleton, Context{}).to_vector()) < 1e-5);
    models::TriBatch<float, Cuda> moved;
    moved.skeleton = x;
    moved.frames = to<Cuda>(batch.frames);
    moved.text = {to<Cuda>(batch.text.ids), to<Cuda>(batch.text.last)};
    Rng here_draws(5), there_draws(5);
    const auto a = net.loss(batch, Context{true, &here_draws});
    const auto b = there.loss(moved, Context{true, &there_draws});
    CHECK(b.total.item() == doctest::Approx(a.total.item()).epsilon(1e-5));
    CHECK(here_draws.state().counter == there_draws.state().counter);  // the same dropout
    backward(b.total);
    CHECK(there.video->project.w.grad().defined());
    CHECK(!there.video->time.grad().defined());  // its tower is locked
  }
}

TEST_CASE("model, optimiser and averages are saved on one device and go on on another") {
  const test::TempDir dir;
  Rng rng(1);
  nn::Linear<> net(rng, 6, 3);
  const auto x = normal(rng, {4, 6});
  const auto steps = [&x]<class D>(const nn::Linear<float, D>& model, optim::AdamW<float, D>& adam,
                                   optim::Ema<float, D>& ema, int n) {
    for (int i = 0; i < n; ++i) {
      backward(mean(square(model(to<D>(x)))));
      adam.step();
      ema.update();
    }
  };
  const auto there = to<Cuda>(net);
  optim::AdamW<float, Cuda> there_adam(parameters<float, Cuda>(there), {.lr = 0.01, .eps = 1e-3});
  optim::Ema<float, Cuda> there_ema(there, 0.9);
  steps(there, there_adam, there_ema, 3);
  const std::string path = dir / "c.safetensors";
  const auto save = [&](const auto& m, const auto& adam, const auto& ema, const std::string& to) {
    train::save_checkpoint(to, {{"step", 3}}, part("model", m), part("optimizer", adam), part("ema", ema));
  };
  save(there, there_adam, there_ema, path);

  optim::AdamW<> adam(parameters(net), {.lr = 0.01, .eps = 1e-3});
  optim::Ema<> ema(net, 0.9);
  train::load_checkpoint(path, part("model", net), part("optimizer", adam), part("ema", ema));
  save(net, adam, ema, dir / "d.safetensors");
  CHECK(io::read_file(dir / "d.safetensors") == io::read_file(path));

  steps(net, adam, ema, 3);
  steps(there, there_adam, there_ema, 3);
  CHECK(difference(there.w.to_vector(), net.w.to_vector()) < 1e-5);
  ema.swap();
  there_ema.swap();
  CHECK(difference(there.w.to_vector(), net.w.to_vector()) < 1e-5);
  there_ema.swap();
  CHECK(difference(there.w.to_vector(), net.w.to_vector()) > 1e-3);  // the averages differ from the last

  train::load_checkpoint(path, part("model", there), part("optimizer", there_adam), part("ema", there_ema));
  save(there, there_adam, there_ema, dir / "e.safetensors");
  CHECK(io::read_file(dir / "e.safetensors") == io::read_file(path));
}
#endif
