#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "tmor/core/rng.hpp"
#include "tmor/io/json.hpp"
#include "tmor/optim/accumulate.hpp"
#include "tmor/optim/adamw.hpp"
#include "tmor/optim/clip.hpp"
#include "tmor/optim/sgd.hpp"

using namespace tmor;
using test::contains;
using test::message;

namespace {

using Params = std::vector<NamedParam<>>;

const io::Json& golden_optim() {
  static const io::Json j = io::read_json(test::golden("optim/optim.json"));
  return j;
}

Tensor<> tensor_of(const io::Json& values, const Shape& shape) {
  return Tensor<>::from(values.get<std::vector<float>>(), shape);
}

/// The golden file's two parameters: w decays, b does not.
Params golden_params() {
  const auto& start = golden_optim()["start"];
  Params p{{"w", tensor_of(start["w"], {3, 7}), Decay::yes}, {"b", tensor_of(start["b"], {5}), Decay::no}};
  for (auto& x : p) x.tensor.requires_grad_();
  return p;
}

void set_grads(const Params& params, std::size_t step) {
  for (const auto& p : params) {
    const auto& g = golden_optim()["grads"][step][p.name];
    if (!g.is_null()) p.tensor.set_grad(tensor_of(g, p.tensor.shape()));
  }
}

/// Steps through the golden gradients and compares every parameter after every step.
template <class Opt, class Before>
void follow(const char* run, Opt& opt, const Params& params, Before before) {
  const auto& expected = golden_optim()["runs"][run];
  REQUIRE(expected.size() == 5);
  for (std::size_t step = 0; step < expected.size(); ++step) {
    set_grads(params, step);
    before(expected[step]["norm"].template get<double>());
    opt.step();
    for (const auto& p : params) {
      CHECK_FALSE(p.tensor.grad().defined());
      const auto want = expected[step][p.name].template get<std::vector<double>>();
      const auto got = p.tensor.to_vector();
      for (std::size_t i = 0; i < want.size(); ++i) {
        CAPTURE(run);
        CAPTURE(step);
        CHECK(got[i] == doctest::Approx(want[i]).epsilon(2e-6));
      }
    }
  }
}
template <class Opt> void follow(const char* run, Opt& opt, const Params& params) {
  follow(run, opt, params, [](double) {});
}

/// Random parameters of awkward sizes, with gradients.
template <class T> std::vector<NamedParam<T>> random_params(Rng rng) {
  std::vector<NamedParam<T>> out;
  for (Index n : {1, 3, 64, 16384, 40001}) {
    std::vector<T> p(static_cast<std::size_t>(n)), g = p;
    for (auto& v : p) v = static_cast<T>(rng.normal());
    for (auto& v : g) v = static_cast<T>(rng.normal());
    out.push_back({"p" + std::to_string(n), Tensor<T>::from(p), Decay::yes});
    out.back().tensor.requires_grad_().set_grad(Tensor<T>::from(g));
  }
  return out;
}

}  // namespace

TEST_CASE("optimisers follow PyTorch step by step") {
  SUBCASE("AdamW") {
    const auto params = golden_params();
    optim::AdamW<> opt(params, {.lr = 0.01, .beta2 = 0.99, .eps = 1e-6, .weight_decay = 0.1});
    follow("adamw", opt, params);
  }
  SUBCASE("Adam") {
    const auto params = golden_params();
    optim::AdamW<> opt(params, optim::adam_options(0.01, 0.1));
    follow("adam", opt, params);
  }
  SUBCASE("SGD") {
    const auto params = golden_params();
    optim::Sgd<> opt(params, {.lr = 0.05, .weight_decay = 0.1});
    follow("sgd", opt, params);
  }
  SUBCASE("momentum") {
    const auto params = golden_params();
    optim::Sgd<> opt(params, {.lr = 0.05, .momentum = 0.9, .weight_decay = 0.1});
    follow("momentum", opt, params);
  }
  SUBCASE("Nesterov") {
    const auto params = golden_params();
    optim::Sgd<> opt(params, {.lr = 0.05, .momentum = 0.9, .nesterov = true, .weight_decay = 0.1});
    follow("nesterov", opt, params);
  }
  SUBCASE("clipped by norm") {
    const auto params = golden_params();
    optim::Sgd<> opt(params, {.lr = 0.05});
    follow("clipped", opt, params, [&](double norm) {
      CHECK(optim::clip_grad_norm(opt.params(), 1.5) == doctest::Approx(norm).epsilon(1e-6));
    });
  }
}

TEST_CASE_TEMPLATE("AdamW is the textbook's, whatever the size of a tensor", T, float, double) {
  const auto params = random_params<T>(Rng(1));
  std::vector<std::vector<T>> start, grad;
  for (const auto& p : params) {
    start.push_back(p.tensor.to_vector());
    grad.push_back(p.tensor.grad().to_vector());
  }
  optim::AdamW<T> opt(params, {.lr = 0.1, .weight_decay = 0.5, .keep_grads = true});
  constexpr int kSteps = 3;
  for (int s = 0; s < kSteps; ++s) opt.step();
  double worst = 0;
  for (std::size_t k = 0; k < params.size(); ++k) {
    const auto got = params[k].tensor.to_vector();
    for (std::size_t i = 0; i < got.size(); ++i) {
      long double p = start[k][i], m = 0, v = 0;
      const long double g = grad[k][i];
      for (int t = 1; t <= kSteps; ++t) {
        p *= 1 - 0.1L * 0.5L;
        m = 0.9L * m + 0.1L * g;
        v = 0.999L * v + 0.001L * g * g;
        p -= 0.1L * (m / (1 - std::pow(0.9L, t))) / (std::sqrt(v / (1 - std::pow(0.999L, t))) + 1e-8L);
      }
      worst = std::max(worst, static_cast<double>(std::fabs(p - static_cast<long double>(got[i]))));
    }
  }
  CHECK(worst < (sizeof(T) == 4 ? 1e-6 : 1e-14));
}

TEST_CASE("a step gives the same bits with any number of threads") {
  const int before = num_threads();
  std::vector<std::vector<float>> one;
  double norm = 0;
  for (int threads : {1, 2, 5}) {
    set_num_threads(threads);
    const auto params = random_params<float>(Rng(2));
    optim::AdamW<> opt(params, {.lr = 0.1, .keep_grads = true});
    const double n = optim::clip_grad_norm(params, 1.0);
    opt.step();
    if (threads == 1) norm = n;
    CHECK(n == norm);
    for (std::size_t k = 0; k < params.size(); ++k) {
      if (threads == 1) one.push_back(params[k].tensor.to_vector());
      CHECK(params[k].tensor.to_vector() == one[k]);
    }
  }
  set_num_threads(before);
}

TEST_CASE("rules set learning rate and decay below a name; frozen parameters are left out") {
  auto make = [](const char* name, bool trained = true) {
    NamedParam<> p{name, Tensor<>::ones({4}), Decay::yes};
    p.tensor.requires_grad_(trained).set_grad(Tensor<>::ones({4}));
    return p;
  };
  const Params params{make("text.w"), make("text.head.w"), make("texture.w"), make("fixed"),
                      make("frozen", false)};
  optim::Sgd<> opt(params, {.lr = 1,
                            .weight_decay = 0.5,
                            .rules = {{.prefix = "text", .lr_scale = 0.1},
                                      {.prefix = "text.head", .lr_scale = 0.2, .weight_decay = 0.0},
                                      {.prefix = "fixed", .lr_scale = 0}}});
  CHECK(opt.params().size() == 4);
  opt.step();
  const double expected[] = {1 - 0.1 * 1.5, 1 - 0.2, 1 - 1.5, 1, 1};
  for (std::size_t i = 0; i < params.size(); ++i)
    CHECK(params[i].tensor.at({3}) == doctest::Approx(expected[i]));
  const auto text = message<Error>([&] { optim::Sgd<>(params, {.rules = {{.prefix = "texture.v"}}}); });
  CHECK(contains(text, "did you mean 'texture.w'"));
}

TEST_CASE("gradients are clipped by value, and norms that are not finite are reported") {
  auto p = Tensor<>::zeros({3}).requires_grad_();
  const Params params{{"p", p, Decay::yes}};
  p.set_grad(Tensor<>::from({-5, 0.5f, 7}));
  optim::clip_grad_value(params, 2);
  CHECK(p.grad().to_vector() == std::vector<float>{-2, 0.5f, 2});
  CHECK(optim::grad_norm(params) == doctest::Approx(std::sqrt(8.25)));
  CHECK(optim::clip_grad_norm(params, 100) == doctest::Approx(std::sqrt(8.25)));
  CHECK(p.grad().to_vector() == std::vector<float>{-2, 0.5f, 2});
  p.set_grad(Tensor<>::from({1, std::numeric_limits<float>::infinity(), 2}));
  CHECK_FALSE(is_finite(optim::clip_grad_norm(params, 1)));
  CHECK(p.grad().at({0}) == 1);
  p.clear_grad();
  CHECK(optim::grad_norm(params) == 0);
  CHECK_THROWS_AS(optim::clip_grad_norm(params, 0), Error);
}

TEST_CASE("a strided gradient counts like any other") {
  auto p = Tensor<>::zeros({2, 3}).requires_grad_();
  p.set_grad(Tensor<>::from({1, 2, 3, 4, 5, 6}, {3, 2}).as_strided({2, 3}, {1, 2}, 0));
  optim::Sgd<> opt(Params{{"p", p, Decay::yes}}, {.lr = 1});
  opt.step();
  CHECK(p.to_vector() == std::vector<float>{-1, -3, -5, -2, -4, -6});
}

TEST_CASE("shares of a loss add up to its mean") {
  auto p = Tensor<>::scalar(2).requires_grad_();
  for (int i = 0; i < 4; ++i) optim::backward_share(p, 4);
  CHECK(p.grad().item() == 1);
  CHECK_THROWS_AS(optim::backward_share(p, 0), Error);
}

TEST_CASE("settings out of range are refused") {
  const auto params = golden_params();
  CHECK_THROWS_AS(optim::AdamW<>(params, {.beta1 = 1}), Error);
  CHECK_THROWS_AS(optim::AdamW<>(params, {.lr = -1}), Error);
  CHECK_THROWS_AS(optim::Sgd<>(params, {.nesterov = true}), Error);
  CHECK_THROWS_AS(optim::Sgd<>(params, {.weight_decay = -1}), Error);
  const auto turned = Tensor<>::zeros({2, 3}).as_strided({3, 2}, {1, 3}, 0);
  turned.requires_grad_();
  CHECK(contains(message<Error>([&] { optim::Sgd<>(Params{{"turned", turned, Decay::yes}}); }), "'turned'"));
}
