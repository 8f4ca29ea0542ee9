// Losses of regression and classification: rows of the op table, masks, extreme values, wrong use.
#include "cases/table.hpp"
#include "tmor/losses/classification.hpp"
#include "tmor/losses/regression.hpp"

using namespace table;
namespace loss = tmor::loss;
using loss::Reduction;
using Tf = Tensor<float>;

namespace {

Array reduced(const Array& a, Reduction how, const std::vector<bool>& seen = {}) {
  Array y{Shape{}};
  double n = 0;
  for (Index i = 0; i < a.numel(); ++i) {
    const bool in = seen.empty() || seen[static_cast<std::size_t>(i)];
    y[0] += in ? a[i] : 0;
    n += in;
  }
  if (how == Reduction::mean) y[0] /= n > 0 ? n : 1;
  return how == Reduction::none ? a : y;
}
const ShapeSets kPairs = {{{5}, {5}}, {{3, 37}, {3, 37}}, {{}, {}}, {{0, 3}, {0, 3}}};

Tensor<bool> every_second(const Shape& s) {
  std::vector<int> v;
  for (Index i = 0; i < s.numel(); ++i) v.push_back(i % 2 == 0);
  return equal(Tensor<int>::from(v, s), Tensor<int>::scalar(1));
}
std::vector<bool> every_second_of(const Array& a) {
  std::vector<bool> v;
  for (Index i = 0; i < a.numel(); ++i) v.push_back(i % 2 == 0);
  return v;
}

}  // namespace

TEST_CASE("losses of regression: the table") {
  for (const Reduction how : {Reduction::mean, Reduction::sum, Reduction::none}) {
    CAPTURE(static_cast<int>(how));
    row<2>(
        "mse", kPairs, [&](const auto& x, const auto& t) { return loss::mse(x, t, {}, how); },
        [&](const Arrays& in) {
          return reduced(map(in, [](double x, double t) { return (x - t) * (x - t); }), how);
        });
    row<2>(
        "l1", kPairs, [&](const auto& x, const auto& t) { return loss::l1(x, t, {}, how); },
        [&](const Arrays& in) {
          return reduced(map(in, [](double x, double t) { return std::fabs(x - t); }), how);
        });
  }
  row<2>(
      "smooth_l1", kPairs, [](const auto& x, const auto& t) { return loss::smooth_l1(x, t, {}, 0.7); },
      [](const Arrays& in) {
        return reduced(map(in,
                           [](double x, double t) {
                             const double d = std::fabs(x - t);
                             return d < 0.7 ? d * d / 1.4 : d - 0.35;
                           }),
                       Reduction::mean);
      });
  row<2>(
      "masked mse", {{{5}, {5}}, {{3, 37}, {3, 37}}},
      [](const auto& x, const auto& t) { return loss::mse(x, t, beside(x, every_second(x.shape()))); },
      [](const Arrays& in) {
        return reduced(map(in, [](double x, double t) { return (x - t) * (x - t); }), Reduction::mean,
                       every_second_of(in[0]));
      });
}

TEST_CASE("bce_with_logits: the table") {
  const auto term = [](double w) {
    return [w](double x, double t) {
      const double low = std::fmax(0, -x) + std::log1p(std::exp(-std::fabs(x))),
                   high = std::fmax(0, x) + std::log1p(std::exp(-std::fabs(x)));
      return w * t * low + (1 - t) * high;
    };
  };
  for (const double weight : {1.0, 3.0}) {
    CAPTURE(weight);
    const Options o{.ranges = {{-6, 6}, {0, 1}}};
    row<2>(
        "bce_with_logits", kPairs,
        [&](const auto& x, const auto& t) { return loss::bce_with_logits(x, t, {}, weight); },
        [&](const Arrays& in) { return reduced(map(in, term(weight)), Reduction::mean); }, o);
    row<2>(
        "masked bce_with_logits", {{{3, 37}, {3, 37}}},
        [&](const auto& x, const auto& t) {
          return loss::bce_with_logits(x, t, beside(x, every_second(x.shape())), weight);
        },
        [&](const Arrays& in) {
          return reduced(map(in, term(weight)), Reduction::mean, every_second_of(in[0]));
        },
        o);
  }
}

TEST_CASE("kl_div: the table") {
  row<2>(
      "kl_div", {{{5}, {5}}, {{3, 37}, {3, 37}}, {{2, 3, 4}, {2, 3, 4}}},
      [](const auto& q, const auto& p) { return loss::kl_div(q, p); },
      [](const Arrays& in) {
        Array y = reduced(map(in, [](double q, double p) { return p * (std::log(p) - q); }), Reduction::sum);
        y[0] *= static_cast<double>(in[0].shape.back()) / static_cast<double>(in[0].numel());
        return y;
      },
      {.ranges = {{-3, 0}, {0.1, 1}}});
}

TEST_CASE("losses: extreme values") {
  const auto x = Tf::from({1e4f, -1e4f, 1e4f, -1e4f}).requires_grad_();
  const auto y = loss::bce_with_logits(x, Tf::from({1, 0, 0, 1}), {}, 1, Reduction::none);
  CHECK(y.to_vector() == std::vector<float>{0, 0, 1e4f, 1e4f});
  backward(y, Tf::ones({4}));
  CHECK(x.grad().to_vector() == std::vector<float>{0, 0, 1, -1});
  // A probability of zero contributes nothing, whatever was predicted.
  CHECK(loss::kl_div(Tf::from({-1e4f, -1}), Tf::from({0, 1})).item() == 1.0f);
  // What is masked has no influence, whatever it is.
  const auto seen = Tf::from({1, NAN, 3}).requires_grad_();
  const auto some = loss::mse(seen, Tf::from({0, 0, INFINITY}), equal(Tf::from({1, 0, 0}), Tf::scalar(1)));
  CHECK(some.item() == 1.0f);
  backward(some);
  CHECK(seen.grad().to_vector() == std::vector<float>{2, 0, 0});
  // A mean over nothing is zero, and so is its gradient.
  const auto a = Tf::from({1, 2}).requires_grad_();
  const auto hidden = equal(a.detach(), Tf::scalar(7));
  const auto none = loss::mse(a, Tf::zeros({2}), hidden);
  CHECK(none.item() == 0.0f);
  backward(none);
  CHECK(a.grad().to_vector() == std::vector<float>{0, 0});
}

TEST_CASE("losses do not broadcast") {
  CHECK_THROWS_WITH_AS(
      loss::mse(Tf::zeros({4, 1}), Tf::zeros({4})),
      "[mse] prediction (4, 1) and target (4,) must have equal shapes; did you mean reshape(target, "
      "(4, 1))?",
      tmor::ShapeError);
  CHECK_THROWS_AS(loss::l1(Tf::zeros({4}), Tf::scalar(0)), tmor::ShapeError);
  CHECK_THROWS_AS(loss::bce_with_logits(Tf::zeros({4}), Tf::zeros({4}), every_second({1})), tmor::ShapeError);
  CHECK_THROWS_AS(loss::kl_div(Tf::scalar(0), Tf::scalar(0)), tmor::ShapeError);
  CHECK_THROWS_AS(loss::smooth_l1(Tf::zeros({4}), Tf::zeros({4}), {}, 0), tmor::Error);
}
