#include "tmor/optim/ema.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"

using namespace tmor;

namespace {

struct Toy {
  Tensor<> w = Tensor<>::full({5}, 1).requires_grad_();
  Tensor<> tied = w;
  Tensor<> mean = Tensor<>::full({3}, 10);
  Tensor<Index> seen = Tensor<Index>::zeros({1});
  static void visit(auto& self, auto&& v) {
    v.param("w", self.w);
    v.param("tied", self.tied);
    v.buffer("mean", self.mean);
    v.buffer("seen", self.seen);
  }
};

void set(const Tensor<>& t, float value) { fill_memory(Cpu{}, t.mutable_data(), t.numel(), value); }

}  // namespace

TEST_CASE("the average follows parameters and float buffers") {
  Toy toy;
  optim::Ema<> ema(toy, 0.75, false);
  set(toy.w, 3);
  set(toy.mean, 20);
  ema.update();
  set(toy.w, 7);
  ema.update();
  ema.swap();
  CHECK(toy.w.to_vector() == std::vector<float>(5, 0.75f * (0.75f * 1 + 0.25f * 3) + 0.25f * 7));
  CHECK(toy.mean.to_vector() == std::vector<float>(3, 0.75f * (0.75f * 10 + 0.25f * 20) + 0.25f * 20));
  ema.swap();
  CHECK(toy.w.to_vector() == std::vector<float>(5, 7));
  CHECK(toy.mean.to_vector() == std::vector<float>(3, 20));
}

TEST_CASE("the averages are in use for a scope") {
  Toy toy;
  optim::Ema<> ema(toy, 0.5, false);
  set(toy.w, 2);
  {
    const optim::Ema<>::Use guard(ema);
    CHECK(toy.w.at({0}) == 1);
  }
  CHECK(toy.w.at({0}) == 2);
}

TEST_CASE("the first updates forget the start soon") {
  Toy toy;
  optim::Ema<> ema(toy, 0.999);
  set(toy.w, 2);
  ema.update();
  ema.swap();
  CHECK(toy.w.at({0}) == doctest::Approx(2 - 2.0 / 11));
}

TEST_CASE("decay 0 is off, and holds nothing to save") {
  Toy toy;
  optim::Ema<> off(toy, 0), never;
  CHECK_FALSE(off.on());
  off.update();
  never.update();
  never.swap();
  int names = 0;
  auto count = [&](const std::string&, const auto&...) { ++names; };
  visit_tensors(off, count, count);
  CHECK(names == 0);
  optim::Ema<> on(toy, 0.9);
  visit_tensors(on, count, count);
  CHECK(names == 3);  // w, mean and the number of updates
  CHECK_THROWS_AS(optim::Ema<>(toy, 1), Error);
}
