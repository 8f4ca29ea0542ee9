// Batch norm: rows of the op table, running statistics, accuracy far from zero, wrong use.
#include "cases/table.hpp"
#include "tmor/ops/batch_norm.hpp"

using namespace table;
using Tf = Tensor<float>;

namespace {

/// gamma (x - mean) / sqrt(var + eps) + beta over the rows of x (..., C); mean and var of the batch, or
/// given.
Array reference_batch_norm(const Array& x, const Array& gamma, const Array& beta, double eps,
                           const Array* mean = nullptr, const Array* var = nullptr) {
  Array y(x.shape);
  const Index c = x.shape.back(), rows = x.numel() / c;
  for (Index j = 0; j < c; ++j) {
    double m = 0, v = 0;
    for (Index i = 0; i < rows; ++i) m += x[i * c + j] / static_cast<double>(rows);
    for (Index i = 0; i < rows; ++i) v += (x[i * c + j] - m) * (x[i * c + j] - m) / static_cast<double>(rows);
    if (mean) m = (*mean)[j], v = (*var)[j];
    for (Index i = 0; i < rows; ++i)
      y[i * c + j] = (x[i * c + j] - m) / std::sqrt(v + eps) * gamma[j] + beta[j];
  }
  return y;
}
Array relu_sum(Array a, const Array* b) {
  for (Index i = 0; i < a.numel(); ++i) a[i] = std::fmax(0.0, a[i] + (b ? (*b)[i] : 0));
  return a;
}
template <class X> X none(const X&) { return {}; }
template <class X> using Scalar = typename std::remove_cvref_t<X>::value_type;

const ShapeSets kShapes = {
    {{4, 3}, {3}, {3}}, {{2, 3, 5}, {5}, {5}}, {{2, 3, 4, 19}, {19}, {19}}, {{3000, 17}, {17}, {17}}};

}  // namespace

TEST_CASE("batch_norm while training: the table") {
  row<3>(
      "batch_norm", kShapes,
      [](const auto& x, const auto& g, const auto& b) {
        return batch_norm(x, g, b, none(x), none(x), true, 0.1, 1e-3);
      },
      [](const Arrays& in) { return reference_batch_norm(in[0], in[1], in[2], 1e-3); }, {.tol64 = 1e-12});
  ShapeSets with_residual = kShapes;
  for (auto& set : with_residual) set.push_back(set[0]);
  row<4>(
      "batch_norm_relu", with_residual,
      [](const auto& x, const auto& g, const auto& b, const auto& r) {
        return batch_norm_relu(x, r, g, b, none(x), none(x), true);
      },
      [](const Arrays& in) { return relu_sum(reference_batch_norm(in[0], in[1], in[2], 1e-5), &in[3]); },
      {.tol64 = 1e-12});
}

TEST_CASE("batch_norm with given statistics: the table") {
  const Array mean = [] {
    Array a({3});
    a.v = {0.5, -1, 0};
    return a;
  }();
  const Array var = [] {
    Array a({3});
    a.v = {0.25, 4, 1};
    return a;
  }();
  const auto run = [&](const auto& x, const auto& g, const auto& b, bool relu) {
    using T = Scalar<decltype(x)>;
    const auto m = beside(x, Tensor<T>::from({mean.v.begin(), mean.v.end()}, {3})),
               v = beside(x, Tensor<T>::from({var.v.begin(), var.v.end()}, {3}));
    return relu ? batch_norm_relu(x, none(x), g, b, m, v, false) : batch_norm(x, g, b, m, v, false);
  };
  const ShapeSets sets = {{{4, 3}, {3}, {3}}, {{1, 3}, {3}, {3}}, {{0, 3}, {3}, {3}}};
  row<3>(
      "batch_norm, given statistics", sets,
      [&](const auto& x, const auto& g, const auto& b) { return run(x, g, b, false); },
      [&](const Arrays& in) { return reference_batch_norm(in[0], in[1], in[2], 1e-5, &mean, &var); });
  row<3>(
      "batch_norm_relu, given statistics", sets,
      [&](const auto& x, const auto& g, const auto& b) { return run(x, g, b, true); },
      [&](const Arrays& in) {
        return relu_sum(reference_batch_norm(in[0], in[1], in[2], 1e-5, &mean, &var), nullptr);
      });
}

TEST_CASE("batch_norm averages the batch's statistics, once") {
  const auto x = Tf::from({1, 10, 3, 20, 8, 60}, {3, 2});
  const auto mean = Tf::from({0, 1}), var = Tf::from({1, 2});
  batch_norm(x, Tf(), Tf(), mean, var, true, 0.25);
  // means 4 and 30; unbiased variances 13 and 700
  CHECK(mean.to_vector() == std::vector<float>{1, 8.25f});
  CHECK(var.at({0}) == doctest::Approx(4));
  CHECK(var.at({1}) == doctest::Approx(0.75 * 2 + 0.25 * 700));
  batch_norm(x, Tf(), Tf(), mean, var, false, 0.25);
  CHECK(mean.at({0}) == 1.0f);
  // A checkpointed layer runs twice but averages once.
  const auto leaf = x.detach().requires_grad_();
  const auto y = tmor::checkpoint(
      nullptr, [&](const Tf& t) { return batch_norm(t, Tf(), Tf(), mean, var, true, 0.25); }, leaf);
  const auto after = mean.to_vector();
  CHECK(after == std::vector<float>{1.75f, 13.6875f});
  backward(y, Tf::ones({3, 2}));
  CHECK(mean.to_vector() == after);
}

TEST_CASE("batch_norm of channels far from zero keeps its digits") {
  // Exact in float: multiples of 1/64 around 1e5. More rows than one chunk holds, and one wild value first.
  tmor::Rng rng(3);
  Array x({20000, 3});
  for (double& v : x.v) v = 1e5 + std::floor(rng.uniform(-64, 64)) / 64;
  x[0] = 1.3e5;
  Array one({3}, 1.0), zero({3});
  const Array want = reference_batch_norm(x, one, zero, 1e-5);
  const auto mean = Tf::zeros({3}), var = Tf::zeros({3});
  const auto y = batch_norm(Tf::from(std::vector<float>(x.v.begin(), x.v.end()), x.shape), Tf(), Tf(), mean,
                            var, true, 1.0)
                     .to_vector();
  double worst = 0, exact = 0;
  for (Index i = 0; i < 20000; ++i) exact += (x[i * 3 + 1] - 1e5) / 20000;
  for (Index i = 0; i < x.numel(); ++i)
    worst = std::fmax(worst, std::fabs(static_cast<double>(y[static_cast<std::size_t>(i)]) - want[i]) /
                                 std::fmax(1.0, std::fabs(want[i])));
  INFO("worst error of y ", worst);
  CHECK(worst < 0.01);  // half an ulp of the mean, 0.004, over a deviation of 0.58
  double v1 = 0;
  for (Index i = 0; i < 20000; ++i) v1 += std::pow(x[i * 3 + 1] - 1e5 - exact, 2) / 19999;
  CHECK(static_cast<double>(var.at({1})) == doctest::Approx(v1).epsilon(1e-5));
}

TEST_CASE("batch_norm gives the same bits with any number of threads") {
  tmor::Rng rng(5);
  std::vector<float> v(70000);
  for (float& e : v) e = static_cast<float>(rng.uniform(-1, 1));
  std::vector<float> first;
  for (const int threads : {1, 2, 5}) {
    tmor::set_num_threads(threads);
    const auto x = Tf::from(v, {1000, 70}).requires_grad_(), g = Tf::ones({70}).requires_grad_();
    backward(batch_norm_relu(x, x, g, Tf(), Tf(), Tf(), true), Tf::from(v, {1000, 70}));
    auto got = x.grad().to_vector();
    const auto dg = g.grad().to_vector();
    got.insert(got.end(), dg.begin(), dg.end());
    if (first.empty()) first = got;
    CHECK(got == first);
  }
  tmor::set_num_threads(2);
}

TEST_CASE("batch_norm: wrong use") {
  const auto x = Tf::zeros({1, 3}), c = Tf::ones({3});
  CHECK_THROWS_WITH_AS(
      batch_norm(x, c, c, c, c, true),
      "[batch_norm] cannot take the variance of 1 values a channel, input (1, 3): use a larger "
      "batch, or evaluation mode",
      tmor::ShapeError);
  CHECK_THROWS_AS(batch_norm(x, Tf::ones({2}), c, c, c, false), tmor::ShapeError);
  CHECK_THROWS_AS(batch_norm(x, c, c, Tf(), Tf(), false), tmor::Error);
  CHECK_THROWS_AS(batch_norm(x, c, c, c, Tf(), true), tmor::Error);
  CHECK_THROWS_AS(batch_norm_relu(x, Tf::zeros({3}), c, c, c, c, false), tmor::ShapeError);
}
