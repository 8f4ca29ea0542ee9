// Loss scaling for f16: small gradients survive, steps with infinite ones are left out, the scale follows.
#include "tmor/optim/grad_scaler.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "../support/files.hpp"
#include "tmor/core/rng.hpp"
#include "tmor/ops/matmul.hpp"
#include "tmor/ops/random.hpp"
#include "tmor/ops/reduce.hpp"
#include "tmor/optim/adamw.hpp"
#include "tmor/optim/sgd.hpp"
#include "tmor/train/checkpoint.hpp"

using namespace tmor;
using test::contains;
using test::message;

namespace {

Tensor<> weight() {
  Rng rng(1);
  return normal(rng, {4, 3}).requires_grad_();
}
std::vector<NamedParam<>> named(const Tensor<>& w) { return {{"w", w}}; }

constexpr float kInf = std::numeric_limits<float>::infinity();

}  // namespace

TEST_CASE("gradients below the least f16 survive, and come out as they are") {
  const auto w = Tensor<>::full({3}, 1).requires_grad_();
  const auto loss = [&] { return sum(to<float>(to<f16>(w)) * 1e-8); };  // the gradient passes through f16
  backward(loss());
  CHECK(w.grad().to_vector() == std::vector<float>(3, 0));
  w.clear_grad();
  optim::GradScaler scaler;
  scaler.backward(loss());
  const double norm = scaler.unscale(named(w));
  CHECK(norm == doctest::Approx(1e-8 * std::sqrt(3)).epsilon(1e-3));
  for (const float g : w.grad().to_vector())
    CHECK(static_cast<double>(g) == doctest::Approx(1e-8).epsilon(1e-3));
}

TEST_CASE("with float throughout nothing changes, to the bit: scales are powers of two") {
  const auto train = [](bool scaled) {
    Rng rng(2);
    const auto w = weight();
    optim::AdamW<> adam(named(w), {.lr = 0.1});
    optim::GradScaler scaler({.scale = 1024, .interval = 2});
    for (int i = 0; i < 5; ++i) {
      const auto loss = mean(square(matmul(normal(rng, {5, 4}), w)));
      if (!scaled) {
        backward(loss);
        optim::clip_grad_norm(adam.params(), 0.5);
        adam.step(0.05);
        continue;
      }
      scaler.backward(loss);
      if (i % 2 == 0) scaler.unscale(adam.params());
      if (i % 2 == 1) CHECK(scaler.unscale(adam.params()) > 0.5);
      optim::clip_grad_norm(adam.params(), 0.5);
      CHECK(scaler.step(adam, 0.05));
    }
    if (scaled) {
      CHECK(scaler.scale() == 4096);  // grown after two steps and after four
      CHECK(scaler.steps_in_a_row() == 1);
    }
    return w.to_vector();
  };
  CHECK(train(true) == train(false));
}

TEST_CASE("a step with infinite gradients or NaN is left out, and the scale shrinks") {
  const auto w = weight();
  const auto before = w.to_vector();
  optim::AdamW<> adam(named(w), {.lr = 0.1});
  optim::GradScaler scaler({.scale = 8, .interval = 3});
  for (const float bad : {kInf, -kInf, std::numeric_limits<float>::quiet_NaN()}) {
    auto g = std::vector<float>(12, 1);
    g[7] = bad;
    w.set_grad(Tensor<>::from(g, {4, 3}));
    CHECK_FALSE(scaler.step(adam));
    CHECK_FALSE(w.grad().defined());
    CHECK(scaler.steps_in_a_row() == 0);
  }
  CHECK(scaler.scale() == 1);
  CHECK(w.to_vector() == before);
  for (int i = 0; i < 2; ++i) {
    w.set_grad(Tensor<>::full({4, 3}, 1));
    CHECK(scaler.step(adam));
  }
  CHECK(scaler.steps_in_a_row() == 2);
  w.set_grad(Tensor<>::full({4, 3}, kInf));
  CHECK_FALSE(scaler.step(adam));
  CHECK(scaler.scale() == 0.5);
  CHECK(w.to_vector() != before);
  optim::Sgd<> kept(named(w), {.keep_grads = true});  // bad gradients are not kept: more would be added
  w.set_grad(Tensor<>::full({4, 3}, kInf));
  CHECK_FALSE(scaler.step(kept));
  CHECK_FALSE(w.grad().defined());
}

TEST_CASE("switched off it does nothing") {
  const auto w = weight();
  optim::Sgd<> sgd(named(w), {.lr = 1});
  optim::GradScaler scaler({.enabled = false});
  const auto want = (w.detach() - 2).to_vector();
  scaler.backward(sum(w * 2));
  CHECK(scaler.step(sgd));
  CHECK(w.to_vector() == want);
  CHECK(scaler.scale() == 1);
  w.set_grad(Tensor<>::full({4, 3}, kInf));
  CHECK(scaler.step(sgd));
  CHECK(w.to_vector()[0] == -kInf);
}

TEST_CASE("the scale is saved with the rest") {
  const test::TempDir dir;
  const auto w = weight();
  optim::Sgd<> sgd(named(w));
  optim::GradScaler scaler({.scale = 64}), other;
  w.set_grad(Tensor<>::full({4, 3}, 1));
  scaler.step(sgd);
  train::save_checkpoint(dir / "s.safetensors", {}, train::part("scaler", scaler));
  train::load_checkpoint(dir / "s.safetensors", train::part("scaler", other));
  CHECK(other.scale() == 64);
  CHECK(other.steps_in_a_row() == 1);
}

TEST_CASE("what the scaler refuses") {
  const auto with = [](optim::GradScalerOptions o) {
    return message<Error>([&] { optim::GradScaler s(o); });
  };
  CHECK(contains(with({.scale = 0}), "scale is 0"));
  CHECK(contains(with({.scale = HUGE_VAL}), "scale is inf"));
  CHECK(contains(with({.growth = 1}), "growth is 1"));
  CHECK(contains(with({.backoff = 1}), "backoff is 1"));
  CHECK(contains(with({.interval = 0}), "interval is 0"));
  const auto w = weight();
  optim::GradScaler scaler;
  CHECK(contains(message<ShapeError>([&] { scaler.backward(w * 2); }), "scalar loss"));
  w.set_grad(Tensor<>::full({4, 3}, 1));
  scaler.unscale(named(w));
  CHECK(contains(message<Error>([&] { scaler.unscale(named(w)); }), "twice"));
}
