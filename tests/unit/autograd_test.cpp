#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tmor/autograd/checkpoint.hpp"
#include "tmor/autograd/gradcheck.hpp"
#include "tmor/ops/elementwise.hpp"
#include "tmor/ops/random.hpp"
#include "tmor/ops/reduce.hpp"

using namespace tmor;
using Floats = std::vector<float>;

namespace {

Tensor<> leaf(const Floats& v) {
  auto t = Tensor<>::from(v);
  t.requires_grad_();
  return t;
}
Tensor<> ones_like(const Tensor<>& t) { return Tensor<>::ones(t.shape()); }

/// The message `f` throws, empty when it throws nothing.
template <class F> std::string message(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}
bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("backward carries gradients to leaves, and accumulates them") {
  const auto a = leaf({1, 2, 3}), b = leaf({4, 5, 6});
  backward(sum(a * b + a));
  CHECK(a.grad().to_vector() == Floats{5, 6, 7});
  CHECK(b.grad().to_vector() == Floats{1, 2, 3});
  backward(sum(a * 2));
  CHECK(a.grad().to_vector() == Floats{7, 8, 9});
  a.clear_grad();
  CHECK_FALSE(a.grad().defined());
  CHECK(b.grad().to_vector() == Floats{1, 2, 3});
}

TEST_CASE("a value used several times gets the sum of its gradients") {
  const auto x = leaf({3});
  const auto y = x * x;      // 9
  const auto z = y * y + y;  // dz/dy = 2 y + 1 = 19
  backward(sum(z + y));
  CHECK(x.grad().item() == doctest::Approx(20 * 6));
}

TEST_CASE("what is not on the tape has no gradient") {
  const auto x = leaf({1, 2});
  CHECK(x.is_leaf());
  {
    NoGrad guard;
    CHECK_FALSE((x * 2).requires_grad());
  }
  CHECK((x * 2).requires_grad());
  CHECK_FALSE((x * 2).detach().requires_grad());
  backward(sum(x * x.detach()));
  CHECK(x.grad().to_vector() == Floats{1, 2});
  CHECK(contains(message([&] { backward(sum(x.detach())); }), "requires a gradient"));
  CHECK(contains(message([&] { backward(x * 2); }), "scalar"));
  CHECK(contains(message([&] { backward(x * 2, Tensor<>::ones({3})); }), "(3,)"));
  CHECK(contains(message([&] { (x * 2).requires_grad_(); }), "detach"));
  CHECK(contains(message([&] { backward(sum(x.grad())); }), "differentiating twice"));
}

TEST_CASE("backward of a leaf itself") {
  const auto x = leaf({2});
  backward(x);
  CHECK(x.grad().item() == 1);
}

TEST_CASE("hooks see and replace gradients") {
  const auto x = leaf({1, 2});
  const auto y = x * 3;
  Floats seen;
  register_hook(y, [&](const Tensor<>& g) { seen = g.to_vector(); });
  register_hook(y, [](const Tensor<>& g) { return g * 10; });
  register_hook(x, [](const Tensor<>& g) { return g + 1; });
  backward(sum(y));
  CHECK(seen == Floats{1, 1});
  CHECK(x.grad().to_vector() == Floats{31, 31});
  CHECK_THROWS_AS(register_hook(x.detach(), [](const Tensor<>&) {}), Error);
  const auto z = x * 2;
  register_hook(z, [](const Tensor<>&) { return Tensor<>::ones({5}); });
  CHECK(contains(message([&] { backward(sum(z)); }), "[hook]"));
}

TEST_CASE("saved tensors are freed by backward, or kept when asked for") {
  const auto x = Tensor<>::ones({1 << 18});
  x.requires_grad_();
  const std::size_t before = memory_stats().in_use;
  const auto run = [&](bool keep) {
    const auto y = sum(exp(exp(exp(x))));
    const std::size_t held = memory_stats().in_use;
    CHECK(held >= before + 3 * (sizeof(float) << 18));
    backward(y, {.keep_graph = keep});
    x.clear_grad();
    if (keep) {
      CHECK(memory_stats().in_use == held);
      backward(y);
      x.clear_grad();
    }
    CHECK(memory_stats().in_use < before + 4096);
    CHECK(contains(message([&] { backward(y); }), "second time"));
  };
  run(false);
  run(true);
}

TEST_CASE("a tensor that backward needs must not change in place") {
  const auto x = leaf({1, 2});
  const auto y = exp(x);
  const auto loss = sum(y * y);
  y.mutable_data()[0] = 7;
  CHECK(contains(message([&] { backward(loss); }), "changed in place"));
  const auto view = exp(x);
  const auto part = narrow(view, 0, 0, 1);
  const auto second = sum(view * view);
  part.mutable_data()[0] = 7;  // through another view of the same storage
  CHECK(contains(message([&] { backward(second); }), "changed in place"));
  CHECK(contains(message([&] { x += x; }), "in-place"));
}

TEST_CASE("after an error in backward the next one starts clean") {
  const auto x = leaf({1, 2});
  const auto y = x * 2, z = y * 3;
  bool fail = true;
  register_hook(y, [&](const Tensor<>&) {
    if (fail) throw Error("hook");
  });
  CHECK_THROWS_AS(backward(sum(z), {.keep_graph = true}), Error);
  fail = false;
  CHECK_FALSE(x.grad().defined());
  backward(sum(y));
  CHECK(x.grad().to_vector() == Floats{2, 2});
}

TEST_CASE("gradients of different tensors never share memory") {
  const auto a = leaf({1, 2}), b = leaf({3, 4});
  backward(sum(a + b));
  a.grad() *= 5;
  CHECK(a.grad().to_vector() == Floats{5, 5});
  CHECK(b.grad().to_vector() == Floats{1, 1});
  const auto c = leaf({1, 2});
  const auto dy = Tensor<>::from({1, 2});
  backward(reshape(c, {2}) + 0.0, dy);
  c.grad() *= 3;
  CHECK(dy.to_vector() == Floats{1, 2});
  const auto d = leaf({1, 2});
  backward(d, dy);
  d.grad() *= 3;
  CHECK(dy.to_vector() == Floats{1, 2});
}

TEST_CASE("checkpointing gives the gradients of the plain computation, random numbers included") {
  const auto run = [](bool with, Tensor<>& w) {
    Rng rng(3);
    auto x = uniform(rng, {40, 8});
    x.requires_grad_();
    w = uniform(rng, {8});
    w.requires_grad_();
    const auto f = [&rng](const Tensor<>& in, const Tensor<>& weight) {
      return dropout(exp(in * weight), 0.5, rng);
    };
    auto y = with ? checkpoint(&rng, f, x, w) : f(x, w);
    y = y + dropout(x, 0.5, rng);  // draws behind the checkpointed part
    const double value = sum(y).item();
    backward(sum(square(y)));
    return std::tuple(value, x.grad().to_vector(), w.grad().to_vector(), rng.state());
  };
  Tensor<> w;
  CHECK(run(true, w) == run(false, w));
}

TEST_CASE("checkpointing keeps only the inputs, and runs the part twice") {
  const auto x = Tensor<>::ones({1 << 18});
  x.requires_grad_();
  int runs = 0, replays = 0;
  const auto f = [&](const Tensor<>& in) {
    ++runs;
    replays += replaying();
    return exp(exp(exp(in * 0.1)));
  };
  const std::size_t before = memory_stats().in_use;
  const auto y = checkpoint(nullptr, f, x);
  CHECK(memory_stats().in_use < before + (sizeof(float) << 18) + 4096);
  backward(y, ones_like(y));
  CHECK(runs == 2);
  CHECK(replays == 1);
  CHECK_FALSE(replaying());
  NoGrad guard;
  checkpoint(nullptr, f, x);
  CHECK(runs == 3);
}

TEST_CASE("gradcheck passes a right gradient and catches a wrong one") {
  using Td = Tensor<double>;
  const auto x = Td::from({0.3, -0.7, 1.1});
  CHECK(gradcheck([](const auto& in) { return in[0] * in[0]; }, std::vector{x}).ok);
  const auto wrong = [](const std::vector<Td>& in) {
    auto y = (in[0] * in[0]).detach();
    if (needs_grad(in[0]))
      record(y, "wrong", inputs(in[0]),
             [x = save(in[0])](const Td& dy, Grads& g) { g.add(0, dy * x.get() * 2.0001); });
    return y;
  };
  const auto r = gradcheck(wrong, std::vector{x});
  CHECK_FALSE(r.ok);
  CHECK(r.worst > 1e-5);
  CHECK(contains(r.message, "analytic"));
}

TEST_CASE("a backward function that gives a gradient of the wrong shape is caught") {
  const auto x = leaf({1, 2});
  const auto y = x.detach();
  record(y, "broken", inputs(x), [](const Tensor<>&, Grads& g) { g.add(0, Tensor<>::ones({3})); });
  const std::string text = message([&] { backward(sum(y)); });
  CHECK(contains(text, "broken"));
  CHECK(contains(text, "(3,)"));
}

TEST_CASE("a very long chain neither overflows the stack in backward nor when it is freed") {
  const auto x = leaf({1});
  Tensor<> y = x;
  for (int i = 0; i < 200'000; ++i) y = y + x;
  backward(y);
  CHECK(x.grad().item() == 200'001);
  {
    Tensor<> z = x;
    for (int i = 0; i < 200'000; ++i) z = -z;
  }  // freed without backward
  CHECK(true);
}

TEST_CASE("branches that do not reach the loss cost nothing and harm nothing") {
  const auto x = leaf({1, 2});
  const auto parts = split(x * 2, std::vector<Index>{1, 1}, 0);
  backward(sum(parts[1]));
  CHECK(x.grad().to_vector() == Floats{0, 2});
}
