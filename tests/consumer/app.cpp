// What a user's program looks like: two layers learn which points lie inside a circle. Also the training loop
// whose compile time bench/compile measures.
#if __has_include("tmor/tmor.hpp")
#include <cstdio>

#include "tmor/tmor.hpp"

using namespace tmor;

struct Net {
  nn::Linear<> hidden, out;

  explicit Net(Rng& rng) : hidden(rng, 2, 32), out(rng, 32, 2) {}
  static void visit(auto& self, auto&& v) {
    v.module("hidden", self.hidden);
    v.module("out", self.out);
  }
  Tensor<float> operator()(const Tensor<float>& x) const { return out(hidden(x, Activation::gelu)); }
};

int main() {
  constexpr Index kSide = 16;
  std::vector<float> points;
  std::vector<Index> inside;
  for (Index i = 0; i < kSide * kSide; ++i) {
    const float x = static_cast<float>(i % kSide) / 7.5f - 1, y = static_cast<float>(i / kSide) / 7.5f - 1;
    points.insert(points.end(), {x, y});
    inside.push_back(x * x + y * y < 0.5f);
  }
  const auto x = Tensor<float>::from(points, {kSide * kSide, 2});
  const auto target = Tensor<Index>::from(inside, {kSide * kSide});

  Rng rng(1);
  Net net(rng);
  optim::AdamW opt(parameters(net), {.lr = 0.02});
  float first = 0, last = 0;
  for (int step = 0; step < 100; ++step) {
    const auto loss = loss::cross_entropy(net(x), target);
    backward(loss);
    opt.step();
    last = loss.item();
    if (step == 0) first = last;
  }
  std::printf("tmor %s on %s: loss %.3f -> %.3f\n", TMOR_VERSION_STRING, kIsa, double{first}, double{last});
  return last < 0.3f * first ? 0 : 1;
}
#else
#include <cstdio>

#include "tmor/core/error.hpp"

int main() {
  try {
    TMOR_CHECK_SHAPE(1 + 1 == 3, "consumer: version ", TMOR_VERSION_STRING, " on ", tmor::kIsa);
  } catch (const tmor::Error& e) {
    std::puts(e.what());
    return 0;
  }
  return 1;
}
#endif
