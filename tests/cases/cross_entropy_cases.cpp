// Cross-entropy: rows of the op table, ignored rows, extreme values, wrong use.
#include "cases/table.hpp"
#include "tmor/losses/cross_entropy.hpp"

using namespace table;
using tmor::loss::cross_entropy;
using tmor::loss::CrossEntropyOptions;
using tmor::loss::Reduction;
using Tf = Tensor<float>;
using Ti = Tensor<std::int64_t>;

namespace {

/// Losses of rows of x (rows, n) against distributions t; `counts` says which rows count.
Array reference_cross_entropy(const Array& x, Array t, const std::vector<bool>& counts, double smoothing,
                              Reduction reduction, const Shape& shape) {
  const Index n = x.shape.back(), rows = x.numel() / n;
  Array y(shape);
  double total = 0, used = 0;
  for (Index r = 0; r < rows; ++r) {
    double top = -INFINITY, sum = 0;
    for (Index j = 0; j < n; ++j) top = std::fmax(top, x[r * n + j]);
    for (Index j = 0; j < n; ++j) sum += std::exp(x[r * n + j] - top);
    for (Index j = 0; j < n; ++j) {
      const double q = (1 - smoothing) * t[r * n + j] + smoothing / static_cast<double>(n);
      if (q != 0) y[r] -= q * (x[r * n + j] - top - std::log(sum));
    }
    if (!counts[static_cast<std::size_t>(r)]) y[r] = 0;
    total += y[r];
    used += counts[static_cast<std::size_t>(r)];
  }
  if (reduction == Reduction::none) return y;
  Array one{Shape{}};
  one[0] = reduction == Reduction::sum ? total : used == 0 ? 0 : total / used;
  return one;
}

constexpr float kInf = std::numeric_limits<float>::infinity();

}  // namespace

TEST_CASE("cross_entropy of classes: the table") {
  for (const double smoothing : {0.0, 0.1}) {
    for (const Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
      CAPTURE(smoothing);
      CAPTURE(static_cast<int>(reduction));
      const auto classes = [](const Shape& logits) {
        std::vector<std::int64_t> t(static_cast<std::size_t>(logits.numel() / logits.back()));
        for (std::size_t i = 0; i < t.size(); ++i)
          t[i] = i % 4 == 3 ? -7 : static_cast<std::int64_t>(i * 5) % logits.back();
        return t;
      };
      row<1>(
          "cross_entropy", {{{4, 3}}, {{1, 1}}, {{2, 3, 37}}, {{5}}, {{0, 3}}, {{600, 35}}},
          [&](const auto& x) {
            Shape s = x.shape();
            s.erase(s.rank() - 1);
            return cross_entropy(x, beside(x, Ti::from(classes(x.shape()), s)),
                                 {.label_smoothing = smoothing, .ignore_index = -7, .reduction = reduction});
          },
          [&](const Arrays& in) {
            const auto t = classes(in[0].shape);
            Array q(in[0].shape);
            std::vector<bool> counts;
            for (std::size_t i = 0; i < t.size(); ++i) {
              counts.push_back(t[i] != -7);
              if (t[i] >= 0) q[static_cast<Index>(i) * q.shape.back() + t[i]] = 1;
            }
            Shape s = in[0].shape;
            s.erase(s.rank() - 1);
            return reference_cross_entropy(in[0], q, counts, smoothing, reduction, s);
          },
          {.low = -8, .high = 8});
    }
  }
}

TEST_CASE("cross_entropy of distributions: the table") {
  for (const Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
    const auto targets = [](const Shape& s) {
      Array q(s);
      for (Index i = 0; i < q.numel(); ++i) q[i] = static_cast<double>(i % 3) / 4;  // need not sum to 1
      return q;
    };
    row<1>(
        "cross_entropy of distributions", {{{4, 3}}, {{2, 3, 19}}, {{0, 3}}},
        [&](const auto& x) {
          using T = typename std::remove_cvref_t<decltype(x)>::value_type;
          const Array q = targets(x.shape());
          return cross_entropy(x, beside(x, Tensor<T>::from({q.v.begin(), q.v.end()}, q.shape)),
                               {.label_smoothing = 0.2, .reduction = reduction});
        },
        [&](const Arrays& in) {
          Shape s = in[0].shape;
          s.erase(s.rank() - 1);
          return reference_cross_entropy(in[0], targets(in[0].shape),
                                         std::vector<bool>(static_cast<std::size_t>(s.numel()), true), 0.2,
                                         reduction, s);
        });
  }
}

TEST_CASE("cross_entropy: extreme values") {
  const auto x =
      Tf::from({1e4f, -1e4f, 1e4f, /**/ -kInf, 0, 0, /**/ 1e4f, 1e4f - 1, 1e4f}, {3, 3}).requires_grad_();
  const auto y = cross_entropy(x, Ti::from({1, 2, 0}), {.reduction = Reduction::none});
  const auto v = y.to_vector();
  CHECK(v[0] == doctest::Approx(2e4 + std::log(2)));
  CHECK(v[1] == doctest::Approx(std::log(2)));
  CHECK(static_cast<double>(v[2]) == doctest::Approx(std::log(2 + std::exp(-1))).epsilon(1e-6));
  backward(y, Tf::ones({3}));
  const auto g = x.grad().to_vector();
  CHECK(g[0] == 0.5f);
  CHECK(g[1] == -1.0f);
  CHECK(g[3] == 0.0f);
  CHECK(g[5] == -0.5f);
  CHECK(static_cast<double>(g[7]) == doctest::Approx(std::exp(-1) / (2 + std::exp(-1))).epsilon(1e-6));
  // Hidden classes may have zero probability in a distribution.
  CHECK(
      cross_entropy(x.detach(), Tf::from({1, 0, 0, 0, 1, 0, 1, 0, 0}, {3, 3}), {.reduction = Reduction::none})
          .to_vector()[1] == doctest::Approx(std::log(2)));
}

TEST_CASE("cross_entropy with every row ignored is zero") {
  const auto x = Tf::from({1, 2, 3, 4}, {2, 2}).requires_grad_();
  const auto y = cross_entropy(x, Ti::from({-100, -100}));
  CHECK(y.item() == 0.0f);
  backward(y);
  CHECK(x.grad().to_vector() == std::vector<float>{0, 0, 0, 0});
}

TEST_CASE("cross_entropy: wrong use") {
  const auto x = Tf::zeros({2, 3});
  CHECK_THROWS_WITH_AS(cross_entropy(x, Ti::from({0, 3})),
                       "[cross_entropy] target 3 of row 1 is outside [0, 3)", tmor::Error);
  CHECK_THROWS_AS(cross_entropy(x, Ti::from({0, 1}, {2, 1})), tmor::ShapeError);
  CHECK_THROWS_WITH_AS(
      cross_entropy(x, Tf::zeros({3, 2})),
      "[cross_entropy] prediction (2, 3) and target (3, 2) must have equal shapes; did you mean "
      "reshape(target, (2, 3))?",
      tmor::ShapeError);
  CHECK_THROWS_AS(cross_entropy(x, Ti::from({0, 1}), {.label_smoothing = 2}), tmor::Error);
  CHECK_THROWS_AS(cross_entropy(x, Tf::zeros({2, 3}).requires_grad_()), tmor::Error);
}
