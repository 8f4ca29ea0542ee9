/// The smallest training program: two moons apart, a two-layer network, AdamW.

#include <cmath>
#include <cstdio>

#include "tmor/tmor.hpp"

using namespace tmor;

struct Net {
  nn::Linear<> up, down;
  explicit Net(Rng& rng) : up(rng, 2, 32), down(rng, 32, 2) {}
  static void visit(auto& self, auto&& v) {
    v.module("up", self.up);
    v.module("down", self.down);
  }
  Tensor<> operator()(const Tensor<>& x) const { return down(up(x, Activation::relu)); }
};

int main() {
  Rng rng(0);
  Net net(rng);
  optim::AdamW<> optimizer(parameters(net), {.lr = 1e-2});
  for (int step = 1; step <= 300; ++step) {
    std::vector<float> points;
    std::vector<Index> labels;
    for (int i = 0; i < 64; ++i) {
      const double angle = rng.uniform(0, 3.14159), side = i % 2;  // an upper and a lower half circle
      points.push_back(static_cast<float>(std::cos(angle) + side + 0.1 * rng.normal()));
      points.push_back(
          static_cast<float>((1 - 2 * side) * std::sin(angle) + 0.5 * side + 0.1 * rng.normal()));
      labels.push_back(i % 2);
    }
    const auto logits = net(Tensor<>::from(points, {64, 2}));
    const auto loss = loss::cross_entropy(logits, Tensor<Index>::from(labels));
    backward(loss);
    optimizer.step();
    if (step % 100 == 0) std::printf("step %d  loss %.4f\n", step, static_cast<double>(loss.item()));
  }
}
