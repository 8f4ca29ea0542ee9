#include "table.hpp"
#include "tmor/ops/matmul.hpp"

using namespace table;
using tmor::Activation;

namespace {

Array matmul_reference(const Array& a, const Array& b) {
  const int ra = a.shape.rank(), rb = b.shape.rank();
  const Index m = a.shape[ra - 2], k = a.shape[ra - 1], n = b.shape[rb - 1];
  Shape batch_a = a.shape, batch_b = b.shape;
  for (int i = 0; i < 2; ++i) {
    batch_a.erase(batch_a.rank() - 1);
    batch_b.erase(batch_b.rank() - 1);
  }
  Shape shape = tmor::broadcast_shapes(batch_a, batch_b, "reference");
  shape.push_back(m);
  shape.push_back(n);
  Array c(shape);
  for_each_index(shape, [&](const Shape& at, Index i) {
    const int r = at.rank();
    Shape at_a = at, at_b = at;
    for (Index p = 0; p < k; ++p) {
      at_a[r - 1] = p;
      at_b[r - 2] = p;
      // broadcast_at reads the only row of a size-1 dimension; k and m, n of 1 are fine with that.
      c[i] += a.broadcast_at(at_a) * b.broadcast_at(at_b);
    }
  });
  return c;
}

double apply(Activation act, double x) {
  const double pi = 3.14159265358979323846;
  switch (act) {
    case Activation::none:
      return x;
    case Activation::relu:
      return std::fmax(x, 0);
    case Activation::gelu:
      return x / 2 * std::erfc(-x / std::sqrt(2.0));
    case Activation::gelu_tanh:
      return x / 2 * (1 + std::tanh(std::sqrt(2 / pi) * (x + 0.044715 * x * x * x)));
    case Activation::quick_gelu:
      return x / (1 + std::exp(-1.702 * x));
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::tanh:
      return std::tanh(x);
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-x));
  }
  return NAN;
}

/// act(x w^T + b); a third array is the bias.
Array linear_reference(const Arrays& in, Activation act) {
  const Array &x = in[0], &w = in[1];
  const Index k = w.shape[1], n = w.shape[0];
  Shape shape = x.shape;
  shape[shape.rank() - 1] = n;
  Array y(shape);
  for (Index i = 0; i < y.numel(); ++i) {
    double sum = in.size() > 2 ? in[2][i % n] : 0;
    for (Index p = 0; p < k; ++p) sum += x[i / n * k + p] * w[i % n * k + p];
    y[i] = apply(act, sum);
  }
  return y;
}

constexpr Activation kActivations[] = {Activation::none,      Activation::relu,       Activation::gelu,
                                       Activation::gelu_tanh, Activation::quick_gelu, Activation::silu,
                                       Activation::tanh,      Activation::sigmoid};

Tensor<> random_tensor(const Shape& shape, std::uint64_t seed) {
  tmor::Rng rng(seed);
  std::vector<float> v(static_cast<std::size_t>(shape.numel()));
  for (float& x : v) x = static_cast<float>(rng.uniform(-1, 1));
  return Tensor<>::from(v, shape);
}

}  // namespace

TEST_CASE("op table: matmul of two matrices") {
  row<2>(
      "matmul",
      {{{1, 1}, {1, 1}},
       {{2, 3}, {3, 4}},
       {{5, 7}, {7, 3}},
       {{1, 19}, {19, 1}},
       {{1, 9}, {9, 17}},
       {{17, 9}, {9, 1}},
       {{17, 1}, {1, 13}},
       {{0, 3}, {3, 4}},
       {{2, 3}, {3, 0}},
       {{2, 0}, {0, 3}},
       {{0, 0}, {0, 0}},
       {{1, 0}, {0, 1}},
       {{33, 65}, {65, 31}},
       {{70, 129}, {129, 67}}},
      [](auto a, auto b) { return matmul(a, b); },
      [](const Arrays& in) { return matmul_reference(in[0], in[1]); },
      {.tol = 1e-5, .tol_grad = 2e-5, .low = -1, .high = 1});
}

TEST_CASE("op table: matmul of batches") {
  row<2>(
      "matmul",
      {{{2, 3, 4}, {2, 4, 5}},              // equal batches
       {{3, 5, 7}, {7, 2}},                 // b shared
       {{5, 7}, {3, 7, 2}},                 // a shared
       {{3, 1, 7}, {7, 2}},                 // rows of one
       {{1, 3, 4}, {5, 4, 2}},              // a of size 1
       {{5, 3, 4}, {1, 4, 2}},              // b of size 1
       {{2, 1, 3, 4}, {3, 4, 5}},           // both broadcast
       {{2, 1, 3, 4}, {1, 3, 4, 2}},        //
       {{2, 3, 2, 3, 4}, {3, 1, 4, 2}},     // rank 5 and 4
       {{2, 1, 2, 3, 4}, {1, 3, 1, 4, 2}},  //
       {{2, 2, 2, 3, 3}, {3, 3}},           //
       {{0, 3, 4}, {0, 4, 2}},              // no batch
       {{0, 3, 4}, {4, 2}},                 //
       {{0, 3, 4}, {1, 4, 2}},              //
       {{3, 4}, {0, 4, 2}},                 //
       {{2, 3, 0}, {0, 4}},                 // no terms
       {{2, 3, 0}, {2, 0, 4}},              //
       {{2, 0, 4}, {4, 3}},                 // no rows
       {{2, 3, 4}, {4, 0}},                 // no columns
       {{2, 3, 4}, {2, 4, 0}}},
      [](auto a, auto b) { return matmul(a, b); },
      [](const Arrays& in) { return matmul_reference(in[0], in[1]); },
      {.tol = 1e-5, .tol_grad = 2e-5, .low = -1, .high = 1});
}

TEST_CASE("op table: matmul of transposed views") {
  row<2>(
      "matmul", {{{4, 3}, {5, 4}}, {{2, 4, 3}, {2, 5, 4}}, {{2, 4, 3}, {5, 4}}},
      [](auto a, auto b) { return matmul(transpose(a, -1, -2), transpose(b, -1, -2)); },
      [](const Arrays& in) {
        const auto flip = [](const Array& x) {
          Shape s = x.shape;
          const int r = s.rank();
          std::swap(s[r - 1], s[r - 2]);
          Array y(s);
          for_each_index(s, [&](const Shape& at, Index i) {
            Shape from = at;
            std::swap(from[r - 1], from[r - 2]);
            y[i] = x.broadcast_at(from);
          });
          return y;
        };
        return matmul_reference(flip(in[0]), flip(in[1]));
      },
      {.tol = 1e-5, .tol_grad = 2e-5, .low = -1, .high = 1});
}

TEST_CASE("op table: linear") {
  for (const Activation act : kActivations)
    row<3>(
        "linear",
        {{{3, 5}, {4, 5}, {4}}, {{2, 3, 7}, {19, 7}, {19}}, {{1, 1}, {1, 1}, {1}}, {{6}, {3, 6}, {3}}},
        [=](auto x, auto w, auto b) { return linear(x, w, b, act); },
        [=](const Arrays& in) { return linear_reference(in, act); },
        {.tol = 1e-5, .tol64 = 1e-12, .tol_grad = 2e-5, .low = -1, .high = 1});
  for (const Activation act : kActivations)
    row<2>(
        "linear without bias", {{{3, 5}, {4, 5}}, {{2, 2, 3}, {5, 3}}, {{6}, {3, 6}}},
        [=](auto x, auto w) { return linear(x, w, {}, act); },
        [=](const Arrays& in) { return linear_reference(in, act); },
        {.tol = 1e-5, .tol64 = 1e-12, .tol_grad = 2e-5, .low = -1, .high = 1});
}

TEST_CASE("op table: linear of nothing") {
  const ShapeSets sets = {{{0, 5}, {4, 5}, {4}}, {{3, 0}, {4, 0}, {4}}, {{3, 5}, {0, 5}, {0}},
                          {{0}, {4, 0}, {4}},    {{0, 0}, {0, 0}, {0}}, {{2, 0, 5}, {4, 5}, {4}}};
  for (const Activation act : {Activation::none, Activation::relu, Activation::gelu})
    row<3>(
        "linear", sets, [=](auto x, auto w, auto b) { return linear(x, w, b, act); },
        [=](const Arrays& in) { return linear_reference(in, act); }, {.tol = 1e-5, .low = -1, .high = 1});
}

TEST_CASE("linear fuses the activation only where that changes nothing: with and without tape") {
  const auto x = random_tensor({37, 65}, 1), w = random_tensor({33, 65}, 2), b = random_tensor({33}, 3);
  for (const Activation act : kActivations) {
    const auto fused = linear(x, w, b, act).to_vector();
    w.requires_grad_();
    CHECK(linear(x, w, b, act).to_vector() == fused);
    w.requires_grad_(false);
  }
}

TEST_CASE("products have the same bits with 1 and 3 threads") {
  const int before = tmor::num_threads();
  const std::vector<std::vector<Shape>> shapes = {{{300, 200}, {200, 150}},         // blocks of C
                                                  {{40, 20000}, {20000, 40}},       // sum cut into pieces
                                                  {{1, 900}, {900, 700}},           // vector
                                                  {{64, 50, 40}, {64, 40, 30}},     // batch
                                                  {{32, 60, 70}, {70, 50}},         // shared b
                                                  {{3, 200, 150}, {3, 150, 180}}};  // few large items
  for (const auto& s : shapes) {
    INFO(s[0].str() << " x " << s[1].str());
    std::vector<std::vector<float>> results[2];
    for (const int threads : {1, 3}) {
      tmor::set_num_threads(threads);
      const auto a = random_tensor(s[0], 1).requires_grad_(), b = random_tensor(s[1], 2).requires_grad_();
      const auto c = matmul(a, b);
      backward(c, random_tensor(c.shape(), 3));
      results[threads > 1] = {c.to_vector(), a.grad().to_vector(), b.grad().to_vector()};
      if (s[1].rank() == 2) {
        const auto w = transpose(b.detach()).requires_grad_(),
                   bias = random_tensor({s[1][1]}, 4).requires_grad_();
        const auto y = linear(a, w, bias, Activation::relu);
        backward(y, random_tensor(y.shape(), 5));
        for (const auto& t : {y.detach(), w.grad(), bias.grad()})
          results[threads > 1].push_back(t.to_vector());
      }
    }
    CHECK(results[0] == results[1]);
  }
  tmor::set_num_threads(before);
}

TEST_CASE("products of half-precision tensors are sums in float") {
  const auto a = tmor::to<tmor::bf16>(random_tensor({5, 300}, 1)),
             b = tmor::to<tmor::bf16>(random_tensor({300, 4}, 2));
  const auto want = tmor::to<tmor::bf16>(matmul(tmor::to<float>(a), tmor::to<float>(b)));
  CHECK(tmor::to<float>(matmul(a, b)).to_vector() == tmor::to<float>(want).to_vector());
}

TEST_CASE("products say which shapes do not fit") {
  const auto zeros = [](const Shape& s) { return Tensor<>::zeros(s); };
  CHECK_THROWS_AS(matmul(zeros({3}), zeros({3, 2})), tmor::ShapeError);
  CHECK_THROWS_AS(matmul(zeros({2, 3}), zeros({2, 3})), tmor::ShapeError);
  CHECK_THROWS_AS(matmul(zeros({2, 2, 3}), zeros({3, 3, 4})), tmor::ShapeError);
  CHECK_THROWS_WITH_AS(matmul(zeros({2, 3}), zeros({4, 3})), doctest::Contains("matmul(a, transpose(b))"),
                       tmor::ShapeError);
  CHECK_THROWS_AS(linear(zeros({2, 3}), zeros({4, 2})), tmor::ShapeError);
  CHECK_THROWS_AS(linear(zeros({2, 3}), zeros({4, 3}), zeros({3})), tmor::ShapeError);
  CHECK_THROWS_AS(linear(zeros({}), zeros({4, 3})), tmor::ShapeError);
  CHECK_THROWS_AS(linear(zeros({3}), zeros({3})), tmor::ShapeError);
}
