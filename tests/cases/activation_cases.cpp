#include "table.hpp"
#include "tmor/ops/elementwise.hpp"

using namespace table;

namespace {
template <class Op, class F> void unary(const char* name, Op op, F f, Options o = {}) {
  row<1>(
      name, unary_shapes(), op, [f](const Arrays& in) { return map(in, [f](double x) { return f(x); }); }, o);
}
double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }
}  // namespace

TEST_CASE("op table: elementary functions") {
  unary(
      "neg", [](auto x) { return -x; }, [](double x) { return -x; });
  unary(
      "abs", [](auto x) { return abs(x); }, [](double x) { return std::fabs(x); });
  unary(
      "square", [](auto x) { return square(x); }, [](double x) { return x * x; });
  unary(
      "exp", [](auto x) { return exp(x); }, [](double x) { return std::exp(x); }, {.low = -5, .high = 4});
  unary(
      "expm1", [](auto x) { return expm1(x); }, [](double x) { return std::expm1(x); });
  unary(
      "log", [](auto x) { return log(x); }, [](double x) { return std::log(x); }, {.low = 0.1, .high = 9});
  unary(
      "log1p", [](auto x) { return log1p(x); }, [](double x) { return std::log1p(x); },
      {.low = -0.8, .high = 9});
  unary(
      "sqrt", [](auto x) { return sqrt(x); }, [](double x) { return std::sqrt(x); }, {.low = 0.1, .high = 9});
  unary(
      "rsqrt", [](auto x) { return rsqrt(x); }, [](double x) { return 1 / std::sqrt(x); },
      {.low = 0.2, .high = 9});
  unary(
      "sin", [](auto x) { return sin(x); }, [](double x) { return std::sin(x); }, {.low = -9, .high = 9});
  unary(
      "cos", [](auto x) { return cos(x); }, [](double x) { return std::cos(x); }, {.low = -9, .high = 9});
  unary(
      "erf", [](auto x) { return erf(x); }, [](double x) { return std::erf(x); });
}

TEST_CASE("op table: activations") {
  unary(
      "tanh", [](auto x) { return tanh(x); }, [](double x) { return std::tanh(x); });
  unary("sigmoid", [](auto x) { return sigmoid(x); }, sigmoid_of, {.low = -9, .high = 9});
  unary(
      "log_sigmoid", [](auto x) { return log_sigmoid(x); }, [](double x) { return std::log(sigmoid_of(x)); });
  unary(
      "relu", [](auto x) { return relu(x); }, [](double x) { return x > 0 ? x : 0; });
  unary(
      "softplus", [](auto x) { return softplus(x); }, [](double x) { return std::log1p(std::exp(x)); });
  unary(
      "silu", [](auto x) { return silu(x); }, [](double x) { return x * sigmoid_of(x); });
  unary(
      "gelu", [](auto x) { return gelu(x); },
      [](double x) { return x * 0.5 * std::erfc(-x / std::sqrt(2.0)); });
  unary(
      "gelu_tanh", [](auto x) { return gelu_tanh(x); },
      [](double x) {
        return 0.5 * x * (1 + std::tanh(std::sqrt(2 / 3.141592653589793) * (x + 0.044715 * x * x * x)));
      });
  unary(
      "quick_gelu", [](auto x) { return quick_gelu(x); }, [](double x) { return x * sigmoid_of(1.702 * x); });
}

TEST_CASE("values and gradients at kinks, infinities and NaN") {
  using tmor::Tensor;
  const float inf = INFINITY, nan = NAN;
  auto grad_at = [](auto op, float x) {
    auto t = Tensor<>::from({x});
    t.requires_grad_();
    backward(op(t));
    return t.grad().item();
  };
  CHECK(grad_at([](auto t) { return relu(t); }, 0.0f) == 0);
  CHECK(grad_at([](auto t) { return abs(t); }, 0.0f) == 0);
  CHECK(grad_at([](auto t) { return clamp(t, -1, 1); }, 1.0f) == 1);
  CHECK(grad_at([](auto t) { return sqrt(t); }, 0.0f) == inf);
  CHECK(grad_at([](auto t) { return softplus(t); }, 200.0f) == 1);
  CHECK(grad_at([](auto t) { return softplus(t); }, -200.0f) == 0);
  CHECK(grad_at([](auto t) { return tanh(t); }, inf) == 0);
  CHECK(grad_at([](auto t) { return sigmoid(t); }, -inf) == 0);
  CHECK(exp(Tensor<>::from({-inf})).item() == 0);
  CHECK(exp(Tensor<>::from({inf})).item() == inf);
  CHECK(std::isnan(exp(Tensor<>::from({nan})).item()));
  CHECK(log(Tensor<>::from({0.0f})).item() == -inf);
  CHECK(std::isnan(log(Tensor<>::from({-1.0f})).item()));
  CHECK(std::isnan(relu(Tensor<>::from({nan})).item()));
  CHECK(std::isnan(clamp(Tensor<>::from({nan}), 0, 1).item()));
  CHECK(tanh(Tensor<>::from({-inf})).item() == -1);
}
