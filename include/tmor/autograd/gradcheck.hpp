#pragma once
/// @file gradcheck.hpp
/// Compares the gradient the tape computes with central differences, in double precision; for our operations
/// and for a user's own functors and layers alike.

#include <cmath>
#include <string>
#include <vector>

#include "tmor/autograd/backward.hpp"
#include "tmor/core/rng.hpp"

TMOR_BEGIN

/// What `gradcheck` found.
struct GradcheckResult {
  bool ok = true;
  double worst = 0;     ///< largest |analytic - numeric| / max(1, |numeric|)
  std::string message;  ///< where it was, with both values; empty when nothing was compared
};

/// Step and bound of `gradcheck`.
struct GradcheckOptions {
  double step = 1e-5;       ///< of the central difference, relative to max(1, |x|)
  double tolerance = 1e-6;  ///< on `GradcheckResult::worst`
  std::uint64_t seed = 1;   ///< of the random weights that reduce f's result to a scalar
};

/// Checks the gradient of `f(inputs)` with respect to every element of every input.
///
/// `f` takes a `const std::vector<Tensor<double, Device>>&` and returns a tensor of any shape, of which a
/// fixed random weighting is differentiated. `f` must be smooth at the inputs and give the same result on
/// every call.
template <class Device, class F>
GradcheckResult gradcheck(F&& f, const std::vector<Tensor<double, Device>>& inputs,
                          GradcheckOptions options = {}) {
  using Td = Tensor<double, Device>;
  std::vector<std::vector<double>> values;
  for (const Td& x : inputs) values.push_back(x.to_vector());
  auto tensors = [&](bool grad) {
    std::vector<Td> t;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      t.push_back(Td::from(values[i], inputs[i].shape()));
      if (grad) t.back().requires_grad_();
    }
    return t;
  };
  const std::vector<Td> leaves = tensors(true);
  const Td y = f(leaves);
  Rng rng(options.seed);
  std::vector<double> weight(static_cast<std::size_t>(y.numel()));
  for (double& w : weight) w = rng.uniform(0.5, 1.5) * (rng.bernoulli(0.5) ? 1 : -1);
  GradcheckResult result;
  if (y.requires_grad()) backward(y, Td::from(weight, y.shape()));
  auto weighted = [&] {
    NoGrad guard;
    const std::vector<double> v = f(tensors(false)).to_vector();
    double s = 0;
    for (std::size_t i = 0; i < v.size(); ++i) s += v[i] * weight[i];
    return s;
  };
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    std::vector<double> grad(values[i].size(), 0.0);
    if (leaves[i].grad().defined()) grad = leaves[i].grad().to_vector();
    for (std::size_t j = 0; j < values[i].size(); ++j) {
      const double x = values[i][j], h = options.step * std::fmax(1.0, std::fabs(x));
      values[i][j] = x + h;
      const double up = weighted();
      values[i][j] = x - h;
      const double down = weighted();
      values[i][j] = x;
      const double numeric = (up - down) / (2 * h);
      const double error = std::fabs(grad[j] - numeric) / std::fmax(1.0, std::fabs(numeric));
      if (!(error <= result.worst) || result.message.empty()) {
        result.worst = error;
        result.message = detail::cat("input ", i, " element ", j, " of ", inputs[i].shape(), ": analytic ",
                                     grad[j], ", numeric ", numeric);
      }
      if (!(error <= options.tolerance)) result.ok = false;
    }
  }
  return result;
}

TMOR_END
