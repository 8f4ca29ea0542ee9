#include <doctest/doctest.h>

#include "tmor/autograd/gradcheck.hpp"
#include "tmor/nn/conv.hpp"
#include "tmor/nn/embedding.hpp"
#include "tmor/nn/sequential.hpp"
#include "tmor/nn/transformer.hpp"
#include "tmor/ops/reduce.hpp"

using namespace tmor;

namespace {
struct Relu {
  template <class T> Tensor<T> operator()(const Tensor<T>& x) const { return relu(x); }
};
}  // namespace

TEST_CASE("modules name their parameters by path, tied ones once, and say which decay") {
  Rng rng(1);
  nn::Linear<> shared(rng, 3, 3);
  nn::Sequential net{nn::Linear<>(rng, 2, 3), Relu{}, shared, nn::LayerNorm<>(3), shared};
  const auto all = parameters(net);
  std::vector<std::string> names;
  for (const auto& p : all) names.push_back(p.name + (p.decay == Decay::yes ? "" : " no decay"));
  CHECK(names == std::vector<std::string>{"0.w", "0.b no decay", "2.w", "2.b no decay", "3.gamma no decay",
                                          "3.beta no decay"});
  CHECK(parameter_count(net) == 6 + 3 + 9 + 3 + 3 + 3);
  CHECK(net(normal(rng, {5, 2}), Context{}).shape() == Shape{5, 3});
  set_trainable(net, false);
  CHECK_FALSE(net(normal(rng, {5, 2}), Context{}).requires_grad());
}

TEST_CASE("initial values have the spread they are named for") {
  Rng rng(2);
  const auto spread = [](const Tensor<>& t) { return std::sqrt(static_cast<double>(mean(t * t).item())); };
  CHECK(spread(init::kaiming_normal<float, Cpu>(rng, {200, 100}, 100)) ==
        doctest::Approx(std::sqrt(0.02)).epsilon(0.03));
  CHECK(spread(init::xavier_uniform<float, Cpu>(rng, {200, 100}, 100, 200)) ==
        doctest::Approx(std::sqrt(2.0 / 300)).epsilon(0.03));
  const auto cut = init::truncated_normal<float, Cpu>(rng, {10000}, 0.5);
  CHECK(max(abs(cut)).item() <= 1.0f);
  CHECK(max(abs(init::kaiming_uniform<float, Cpu>(rng, {10000}, 4))).item() <= 0.5f);
}

TEST_CASE("attention and the transformer block: shapes, gradients, and refusals") {
  Rng rng(3);
  const nn::TransformerBlock<double> block(rng, 6, 2, 8);
  const auto x = normal<double>(rng, {2, 3, 6});
  AttentionOptions<> causal;
  causal.causal = true;
  const auto r =
      gradcheck<Cpu>([&](const auto& v) { return block(v[0], Context{}, causal); }, {x}, {.tolerance = 1e-5});
  CHECK_MESSAGE(r.ok, r.message);
  CHECK_THROWS_AS(nn::MultiheadAttention<>(rng, 6, 4), Error);
}

TEST_CASE("a causal block does not see what comes later") {
  Rng rng(4);
  const nn::TransformerBlock<> block(rng, 8, 2, 16);
  AttentionOptions<> causal;
  causal.causal = true;
  const auto x = normal(rng, {1, 4, 8});
  const auto changed = tmor::concat({narrow(x, 1, 0, 3), normal(rng, {1, 1, 8})}, 1);
  const auto a = narrow(block(x, Context{}, causal), 1, 0, 3).to_vector();
  const auto b = narrow(block(changed, Context{}, causal), 1, 0, 3).to_vector();
  CHECK(a == b);
}

TEST_CASE("dropout is off in evaluation and needs a generator in training") {
  Rng rng(5);
  const nn::Dropout drop{0.5};
  const auto x = Tensor<>::ones({1000});
  CHECK(drop(x, Context{}).same_view(x));
  CHECK_THROWS_AS(drop(x, Context{true, nullptr}), Error);
  CHECK(mean(drop(x, Context{true, &rng})).item() == doctest::Approx(1).epsilon(0.15));
}

TEST_CASE("convolution layers keep time at stride 1 and halve it at stride 2") {
  Rng rng(6);
  CHECK(nn::ConvTime<>(rng, 3, 5, 9)(normal(rng, {2, 16, 4, 3})).shape() == Shape{2, 16, 4, 5});
  CHECK(nn::ConvTime<>(rng, 3, 5, 9, 2)(normal(rng, {2, 16, 4, 3})).shape() == Shape{2, 8, 4, 5});
  CHECK(nn::Conv2d<>(rng, 4, 6, 3, 3, {.pad_h = 1, .pad_w = 1, .groups = 2})(normal(rng, {1, 5, 7, 4}))
            .shape() == Shape{1, 5, 7, 6});
}
