#pragma once
/// @file logistic.hpp
/// Multinomial logistic regression on fixed features: the classifier of linear probes and few-shot tests.

#include <cmath>

#include "tmor/eval/features.hpp"
#include "tmor/eval/lbfgs.hpp"
#include "tmor/ops/matmul.hpp"

TMOR_BEGIN
namespace eval {

struct LogisticOptions {
  double lambda = 1e-3;  ///< weight of |W|^2 / 2 beside the mean cross-entropy
  LbfgsOptions solver = {};
};

/// scores = x W^T + b, on features as they come: the standardisation of the fit is folded in.
struct LogisticModel {
  Tensor<double> weight;  ///< (classes, D)
  Tensor<double> bias;    ///< (classes,)
  double objective = 0;
  int iterations = 0;
  bool converged = false;

  /// Logits (N, classes) of x (N, D).
  Tensor<> scores(const Tensor<>& x) const {
    const NoGrad guard;
    return to<float>(linear(to<double>(x), weight, bias));
  }
};

namespace detail {

/// Mean and 1 / deviation of each feature; 0 for one that does not vary, which then has no say.
struct Standardizer {
  std::vector<double> mean, scale;

  explicit Standardizer(const Tensor<double>& x)
      : mean(static_cast<std::size_t>(x.size(1))), scale(mean.size()) {
    const double *p = x.data(), n = static_cast<double>(x.size(0));
    const std::size_t d = mean.size(), count = static_cast<std::size_t>(x.size(0));
    std::vector<double> squares(d);
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t j = 0; j < d; ++j) mean[j] += p[i * d + j] / n;
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t j = 0; j < d; ++j)
        squares[j] += (p[i * d + j] - mean[j]) * (p[i * d + j] - mean[j]) / n;
    for (std::size_t j = 0; j < d; ++j) {
      const double deviation = std::sqrt(squares[j]);
      scale[j] = deviation > 1e-7 * std::fabs(mean[j]) && deviation > 1e-30 ? 1 / deviation : 0;
    }
  }
  void apply(const Tensor<double>& x) const {
    double* p = x.mutable_data();
    const std::size_t d = mean.size(), count = static_cast<std::size_t>(x.size(0));
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t j = 0; j < d; ++j) p[i * d + j] = (p[i * d + j] - mean[j]) * scale[j];
  }
};

/// Value and gradient of the regularised mean cross-entropy, of parameters W (classes, D) then b (classes).
struct LogisticObjective {
  Tensor<double> x;  // (N, D), standardised
  std::span<const Index> y;
  Index classes;
  double lambda;

  double operator()(const std::vector<double>& theta, std::vector<double>& gradient) const {
    const Index n = x.size(0), d = x.size(1), c = classes;
    const auto w = Tensor<double>::from_pointer(theta.data(), {c, d});
    const auto bias = Tensor<double>::from_pointer(theta.data() + c * d, {c});
    const auto p = linear(x, w, bias);  // becomes (softmax - one-hot) / N
    double* const rows = p.mutable_data();
    std::vector<double> losses(static_cast<std::size_t>(n));
    parallel_for(n, 64, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        double* const z = rows + i * c;
        const Index label = y[static_cast<std::size_t>(i)];
        const double most = *std::max_element(z, z + c), own = z[label];
        double sum = 0;
        for (Index k = 0; k < c; ++k) sum += z[k] = std::exp(z[k] - most);
        losses[static_cast<std::size_t>(i)] = std::log(sum) + most - own;
        for (Index k = 0; k < c; ++k) z[k] = (z[k] / sum - (k == label)) / static_cast<double>(n);
      }
    });
    matmul(transpose(p), x).read(gradient.data());
    std::fill(gradient.begin() + c * d, gradient.end(), 0.0);
    double value = 0, squares = 0;
    for (Index i = 0; i < n; ++i) {
      value += losses[static_cast<std::size_t>(i)];
      for (Index k = 0; k < c; ++k) gradient[static_cast<std::size_t>(c * d + k)] += rows[i * c + k];
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(c * d); ++i) {
      squares += theta[i] * theta[i];
      gradient[i] += lambda * theta[i];
    }
    return value / static_cast<double>(n) + lambda / 2 * squares;
  }
};

}  // namespace detail

/// Fits a linear classifier to `train`: minimises the mean cross-entropy + lambda / 2 |W|^2 over W and b by
/// L-BFGS from zero, on features standardised by the training samples. Classes without samples get low
/// scores.
/// @throws Error for no samples, labels out of range, features that are not finite, fewer than two classes
/// with samples, or a negative lambda.
inline LogisticModel fit_logistic(const Features& train, const LogisticOptions& o = {}) {
  check(train, "fit_logistic");
  TMOR_CHECK(o.lambda >= 0, "[fit_logistic] lambda is ", o.lambda, ", want 0 or more");
  const auto [least, most] = std::minmax_element(train.y.begin(), train.y.end());
  TMOR_CHECK(*least != *most, "[fit_logistic] all ", train.size(), " samples are of class ", *least,
             ": a classifier needs samples of at least two");
  const NoGrad guard;
  auto x = clone(to<double>(train.x));
  const detail::Standardizer standard(x);
  standard.apply(x);
  const Index c = train.classes, d = train.dim();
  std::vector<double> theta(static_cast<std::size_t>(c * d + c));
  const LbfgsResult r = lbfgs(detail::LogisticObjective{x, train.y, c, o.lambda}, theta, o.solver);
  for (Index k = 0; k < c; ++k)
    for (Index j = 0; j < d; ++j) {
      double& w = theta[static_cast<std::size_t>(k * d + j)];
      w *= standard.scale[static_cast<std::size_t>(j)];
      theta[static_cast<std::size_t>(c * d + k)] -= w * standard.mean[static_cast<std::size_t>(j)];
    }
  return {Tensor<double>::from_pointer(theta.data(), {c, d}),
          Tensor<double>::from_pointer(theta.data() + c * d, {c}), r.value, r.iterations, r.converged};
}

}  // namespace eval
TMOR_END
