#include <doctest/doctest.h>

#include "tmor/autograd/gradcheck.hpp"
#include "tmor/models/skeleton_text.hpp"
#include "tmor/optim/adamw.hpp"

using namespace tmor;

namespace {

models::UnikConfig tiny_unik() {
  models::UnikConfig c;
  c.joints = 4;
  c.in_channels = 2;
  c.heads = 2;
  c.taps = 3;
  c.embed = 5;
  c.stages = {{4}, {8, 2}};
  return c;
}
models::CausalTextConfig tiny_text() {
  return {.vocab = 20, .context = 6, .width = 8, .depth = 1, .heads = 2, .embed = 5};
}
template <class T> void check_near(const Tensor<T>& a, const Tensor<T>& b, double tolerance) {
  REQUIRE(a.shape() == b.shape());
  const auto x = a.to_vector(), y = b.to_vector();
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(std::abs(static_cast<double>(x[i] - y[i])) <= tolerance);
}

}  // namespace

TEST_CASE("Unik: shapes, frame tokens, and errors that name what does not fit") {
  Rng rng(1);
  const models::Unik<> net(rng, tiny_unik());
  const auto out = net(normal(rng, {3, 1, 10, 4, 2}), Context{});
  CHECK(out.tokens.shape() == Shape{3, 5, 8});
  CHECK(out.pooled.shape() == Shape{3, 8});
  CHECK(out.embed.shape() == Shape{3, 5});
  CHECK_THROWS_AS(net(normal(rng, {3, 1, 10, 5, 2}), Context{}), ShapeError);
  CHECK_THROWS_AS(net(normal(rng, {3, 10, 4, 2}), Context{}), ShapeError);
  CHECK_THROWS_AS(net(normal(rng, {3, 1, 1, 4, 2}), Context{}), ShapeError);
  auto none = tiny_unik();
  none.embed = 0;
  CHECK_FALSE(models::Unik<>(rng, none)(normal(rng, {1, 1, 4, 4, 2}), Context{}).embed.defined());
}

TEST_CASE("Unik: the gradient of input and parameters, with and without attention") {
  for (const bool attention : {true, false}) {
    Rng rng(2);
    auto config = tiny_unik();
    config.attention = attention;
    const models::Unik<double> net(rng, config);
    const auto x = normal<double>(rng, {2, 2, 4, 4, 2});
    const auto by_input = gradcheck<Cpu>(
        [&](const auto& v) {
          return net(v[0], Context{true, nullptr}).embed;
        },
        {x}, {.tolerance = 1e-5});
    CHECK_MESSAGE(by_input.ok, by_input.message);
    const auto of = [&](const std::string& name) {
      for (const auto& p : parameters<double>(net))
        if (p.name == name) return p.tensor;
      FAIL("no parameter ", name);
      return Tensor<double>();
    };
    for (const std::string name : {"blocks.0.mix", "blocks.1.weight", "blocks.1.time.w", "pool_query"}) {
      const auto w = of(name);
      const auto f = [&](const auto& v) {
        {
          NoGrad guard;
          copy_(w, v[0]);
        }
        return net(x, Context{true, nullptr}).embed;
      };
      // Through the parameter itself: its gradient beside differences of the whole network.
      const auto start = clone(w.detach());
      w.clear_grad();
      const auto y = net(x, Context{true, nullptr}).embed;
      backward(sum(y));
      const auto analytic = w.grad().to_vector();
      auto values = start.to_vector();
      for (std::size_t i = 0; i < values.size(); i += 5) {
        NoGrad guard;
        const double h = 1e-5, keep = values[i];
        values[i] = keep + h;
        const double up = sum(f(std::vector{Tensor<double>::from(values, w.shape())})).item();
        values[i] = keep - h;
        const double down = sum(f(std::vector{Tensor<double>::from(values, w.shape())})).item();
        values[i] = keep;
        CHECK(analytic[i] == doctest::Approx((up - down) / (2 * h)).epsilon(1e-4).scale(1.0));
      }
      NoGrad guard;
      copy_(w, start);
    }
  }
}

TEST_CASE("Unik: a person who is absent, or the order of persons, changes nothing") {
  Rng rng(3);
  const models::Unik<> net(rng, tiny_unik());
  const auto one = normal(rng, {2, 1, 6, 4, 2}), noise = normal(rng, {2, 1, 6, 4, 2});
  const auto alone = net(one, Context{}).embed;
  const auto present = Tensor<>::from({1, 0, 1, 0}, {2, 2});
  check_near(net(tmor::concat({one, noise}, 1), Context{}, present).embed, alone, 1e-5);
  const auto both = Tensor<>::ones({2, 2});
  check_near(net(tmor::concat({one, noise}, 1), Context{}, both).embed,
             net(tmor::concat({noise, one}, 1), Context{}, both).embed, 1e-5);
}

TEST_CASE("CausalText: what follows the end token does not matter, what precedes it does") {
  Rng rng(4);
  const models::CausalText<> net(rng, tiny_text());
  const auto last = Tensor<Index>::from({2});
  auto embed = [&](std::vector<Index> ids) {
    const auto n = std::ssize(ids);
    return net(Tensor<Index>::from(ids, {1, n}), last, Context{});
  };
  const auto base = embed({1, 7, 2, 0, 0});
  check_near(embed({1, 7, 2, 9, 11}), base, 1e-6);
  check_near(embed({1, 7, 2}), base, 1e-6);
  CHECK(embed({1, 8, 2, 0, 0}).to_vector() != base.to_vector());
  CHECK_THROWS_AS(embed({1, 2, 3, 4, 5, 6, 7}), ShapeError);
  CHECK_THROWS_AS(net(Tensor<Index>::from({1, 99, 2}, {1, 3}), last, Context{}), Error);
}

TEST_CASE("SkeletonText learns to tell four clips by their captions, and clamps its scale") {
  Rng rng(5);
  models::SkeletonText<> net(rng, tiny_unik(), tiny_text());
  const auto x = normal(rng, {4, 1, 8, 4, 2});
  const models::TextBatch<> text{Tensor<Index>::from({1, 5, 2, 1, 6, 2, 1, 7, 2, 1, 8, 2}, {4, 3}),
                                 Tensor<Index>::from({2, 2, 2, 2})};
  const auto group = Tensor<Index>::from({0, 1, 2, 3});
  optim::AdamW<> optimizer(parameters(net), {.lr = 5e-3});
  float first = 0, final = 0;
  for (int i = 0; i < 60; ++i) {
    const auto loss = net.loss(x, text, group, Context{true, &rng});
    if (i == 0) first = loss.item();
    final = loss.item();
    backward(loss);
    optimizer.step();
  }
  CHECK(final < 0.1f * first);
  auto bad = tiny_text();
  bad.embed = 6;
  CHECK_THROWS_AS(models::SkeletonText<>(rng, tiny_unik(), bad), Error);
}
