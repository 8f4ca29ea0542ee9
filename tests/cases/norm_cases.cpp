// Layer, rms, l2 and group norm: rows of the op table, accuracy far from zero, wrong use.
#include "cases/table.hpp"
#include "tmor/ops/norm.hpp"

using namespace table;

namespace {

/// Rows of length `n`: (x - mean) / sqrt(var + eps), without the mean when not `centre`; times gamma, plus
/// beta.
Array reference_norm(const Array& x, Index n, bool centre, double eps, const Array* gamma,
                     const Array* beta) {
  Array y(x.shape);
  for (Index row = 0; row * n < x.numel(); ++row) {
    const Index o = row * n;
    double mean = 0, var = 0;
    for (Index i = 0; i < n && centre; ++i) mean += x[o + i] / static_cast<double>(n);
    for (Index i = 0; i < n; ++i) var += (x[o + i] - mean) * (x[o + i] - mean) / static_cast<double>(n);
    for (Index i = 0; i < n; ++i)
      y[o + i] =
          (x[o + i] - mean) / std::sqrt(var + eps) * (gamma ? (*gamma)[i] : 1) + (beta ? (*beta)[i] : 0);
  }
  return y;
}

}  // namespace

TEST_CASE("layer_norm: the table") {
  row<3>(
      "layer_norm",
      {{{3, 5}, {5}, {5}},
       {{2, 3, 37}, {37}, {37}},
       {{70, 19}, {19}, {19}},
       {{0, 4}, {4}, {4}},
       {{4, 1}, {1}, {1}}},
      [](const auto& x, const auto& g, const auto& b) { return layer_norm(x, g, b, 1e-3); },
      [](const Arrays& in) { return reference_norm(in[0], in[1].numel(), true, 1e-3, &in[1], &in[2]); });
  row<3>(
      "layer_norm over two dimensions", {{{3, 4, 5}, {4, 5}, {4, 5}}},
      [](const auto& x, const auto& g, const auto& b) { return layer_norm(x, g, b); },
      [](const Arrays& in) { return reference_norm(in[0], 20, true, 1e-5, &in[1], &in[2]); });
  row<2>(
      "layer_norm without shift", {{{3, 7}, {7}}},
      [](const auto& x, const auto& g) { return layer_norm(x, g); },
      [](const Arrays& in) { return reference_norm(in[0], 7, true, 1e-5, &in[1], nullptr); });
  row<1>(
      "layer_norm without parameters", {{{3, 7}}, {{300, 70}}}, [](const auto& x) { return layer_norm(x); },
      [](const Arrays& in) { return reference_norm(in[0], in[0].shape[1], true, 1e-5, nullptr, nullptr); });
}

TEST_CASE("rms_norm and l2_normalize: the table") {
  row<2>(
      "rms_norm", {{{3, 5}, {5}}, {{2, 3, 37}, {37}}, {{70, 19}, {19}}, {{0, 4}, {4}}},
      [](const auto& x, const auto& g) { return rms_norm(x, g); },
      [](const Arrays& in) { return reference_norm(in[0], in[1].numel(), false, 1e-6, &in[1], nullptr); });
  row<1>(
      "l2_normalize", {{{3, 5}}, {{2, 3, 37}}, {{6}}, {{0, 4}}, {{3, 0}}},
      [](const auto& x) { return l2_normalize(x); },
      [](const Arrays& in) {
        Array y = in[0];
        const Index n = y.shape.back();
        for (Index i = 0; i < y.numel(); ++i) {
          double s = 0;
          for (Index j = i / n * n; j < i / n * n + n; ++j) s += in[0][j] * in[0][j];
          y[i] /= std::sqrt(s);
        }
        return y;
      });
}

TEST_CASE("group_norm: the table") {
  for (const Index groups : {1, 2, 6}) {
    CAPTURE(groups);
    row<3>(
        "group_norm", {{{2, 3, 6}, {6}, {6}}, {{3, 2, 4, 6}, {6}, {6}}},
        [&](const auto& x, const auto& g, const auto& b) { return group_norm(x, groups, g, b, 1e-2); },
        [&](const Arrays& in) {
          const Array& x = in[0];
          const Index n = x.shape[0], c = x.shape.back(), rows = x.numel() / n / c, w = c / groups;
          Array y(x.shape);
          for (Index i = 0; i < n; ++i)
            for (Index g = 0; g < groups; ++g) {
              Array one({rows * w});
              const auto at = [&](Index k) { return (i * rows + k / w) * c + g * w + k % w; };
              for (Index k = 0; k < one.numel(); ++k) one[k] = x[at(k)];
              const Array z = reference_norm(one, one.numel(), true, 1e-2, nullptr, nullptr);
              for (Index k = 0; k < one.numel(); ++k)
                y[at(k)] = z[k] * in[1][g * w + k % w] + in[2][g * w + k % w];
            }
          return y;
        },
        {.tol64 = 1e-12});
  }
}

TEST_CASE("norms of rows far from zero keep their digits") {
  // Multiples of 1/64 around 1e5 are exact in float: what is lost is lost by the operation.
  tmor::Rng rng(7);
  const Index n = 1000;
  Array x({3, n});
  for (double& v : x.v) v = 1e5 + std::floor(rng.uniform(-64, 64)) / 64;
  const Array want = reference_norm(x, n, true, 1e-5, nullptr, nullptr);
  const auto y =
      layer_norm(Tensor<float>::from(std::vector<float>(x.v.begin(), x.v.end()), x.shape)).to_vector();
  for (Index i = 0; i < x.numel(); ++i)
    REQUIRE(std::fabs(static_cast<double>(y[static_cast<std::size_t>(i)]) - want[i]) < 5e-6);
}

TEST_CASE("norms of half precision compute in float") {
  const auto x = Tensor<float>::from({1, 2, 3, 6}, {2, 2});
  const auto y = to<float>(layer_norm(to<tmor::bf16>(x), Tensor<float>::full({2}, 3.0f))).to_vector();
  CHECK(y[0] == doctest::Approx(-3).epsilon(0.01));
  CHECK(y[3] == doctest::Approx(3).epsilon(0.01));
}

TEST_CASE("l2_normalize of nothing is nothing") {
  const auto x = Tensor<float>::from({0, 0, 3, 4}, {2, 2}).requires_grad_();
  const auto y = l2_normalize(x, 0.5);
  CHECK(y.to_vector() == std::vector<float>{0, 0, 0.6f, 0.8f});
  backward(y, Tensor<float>::from({1, -1, 3, 4}, {2, 2}));
  const auto g = x.grad().to_vector();
  CHECK(g[0] == 2.0f);
  CHECK(g[1] == -2.0f);
  CHECK(std::fabs(g[2]) < 1e-6f);
}

TEST_CASE("norms: wrong use") {
  const auto x = Tensor<float>::zeros({2, 6});
  CHECK_THROWS_WITH_AS(layer_norm(x, Tensor<float>::ones({5})),
                       "[layer_norm] gamma and beta (5,) must be the last sizes of the input (2, 6)",
                       tmor::ShapeError);
  CHECK_THROWS_AS(layer_norm(x, Tensor<float>::ones({6}), Tensor<float>::ones({2, 6})), tmor::ShapeError);
  CHECK_THROWS_AS(rms_norm(x, Tensor<float>::ones({1, 2, 6})), tmor::ShapeError);
  CHECK_THROWS_AS(group_norm(x, 4), tmor::ShapeError);
  CHECK_THROWS_AS(group_norm(x, 0), tmor::ShapeError);
  CHECK_THROWS_AS(group_norm(x, 2, Tensor<float>::ones({3})), tmor::ShapeError);
  CHECK_THROWS_AS(l2_normalize(Tensor<float>::scalar(1)), tmor::ShapeError);
}
