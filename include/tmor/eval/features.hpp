#pragma once
/// @file features.hpp
/// What every protocol on a frozen encoder works on: the features of labelled samples, and how well scores
/// tell their classes. Encoders are run in evaluation mode; how that was done (crops, views) is the caller's
/// to say.

#include <span>
#include <string>
#include <vector>

#include "tmor/core/finite.hpp"
#include "tmor/core/tensor.hpp"
#include "tmor/metrics/classification.hpp"
#include "tmor/ops/norm.hpp"

TMOR_BEGIN
namespace eval {

/// Features (N, D) with a class each.
struct Features {
  Tensor<> x;            ///< (N, D)
  std::vector<Index> y;  ///< N labels in [0, classes)
  Index classes = 0;

  Index size() const { return x.size(0); }
  Index dim() const { return x.size(1); }
};

/// @throws ShapeError unless `x` is (N, D) with numbers in it, Error where one is infinite or NaN; `op` names
/// the caller.
inline void check_vectors(const Tensor<>& x, const char* op) {
  TMOR_CHECK(x.defined(), "[", op, "] no features");
  TMOR_CHECK_SHAPE(x.rank() == 2, "[", op, "] features ", x.shape(), ": expected (samples, numbers)");
  TMOR_CHECK(x.numel() > 0, "[", op, "] features ", x.shape(), ": want at least one sample and one number");
  const std::vector<float> v = x.to_vector();
  for (std::size_t i = 0; i < v.size(); ++i)
    TMOR_CHECK(is_finite(v[i]), "[", op, "] feature ", static_cast<Index>(i) % x.size(1), " of sample ",
               static_cast<Index>(i) / x.size(1), " is infinite or NaN");
}

/// The same, and Error for labels that are too many, too few or outside [0, classes).
inline void check(const Features& f, const char* op) {
  check_vectors(f.x, op);
  TMOR_CHECK(std::ssize(f.y) == f.size(), "[", op, "] ", f.y.size(), " labels for ", f.size(), " samples");
  TMOR_CHECK(f.classes >= 1, "[", op, "] ", f.classes, " classes, want at least 1");
  for (std::size_t i = 0; i < f.y.size(); ++i)
    TMOR_CHECK(f.y[i] >= 0 && f.y[i] < f.classes, "[", op, "] label ", f.y[i], " of sample ", i,
               " is outside [0, ", f.classes, ")");
}

/// Checks both sides of a protocol, and that they fit together.
inline void check(const Features& train, const Features& test, const char* op) {
  check(train, op);
  check(test, op);
  TMOR_CHECK_SHAPE(train.dim() == test.dim() && train.classes == test.classes, "[", op,
                   "] training features ", train.x.shape(), " of ", train.classes,
                   " classes and test features ", test.x.shape(), " of ", test.classes);
}

/// The samples `rows`, in that order. @throws Error for one that is not there.
inline Features take(const Features& f, std::span<const Index> rows) {
  const std::vector<float> v = f.x.to_vector();
  const Index d = f.dim();
  Features out{Tensor<>::empty({std::ssize(rows), d}), {}, f.classes};
  float* to = out.x.mutable_data();
  for (const Index row : rows) {
    TMOR_CHECK(row >= 0 && row < f.size(), "[take] sample ", row, " of ", f.size());
    to = std::copy_n(v.data() + row * d, d, to);
    out.y.push_back(f.y[static_cast<std::size_t>(row)]);
  }
  return out;
}

/// The samples of each class, ascending.
inline std::vector<std::vector<Index>> samples_by_class(const Features& f) {
  std::vector<std::vector<Index>> of(static_cast<std::size_t>(f.classes));
  for (std::size_t i = 0; i < f.y.size(); ++i)
    of[static_cast<std::size_t>(f.y[i])].push_back(static_cast<Index>(i));
  return of;
}

/// Rows of length 1. @throws Error for a row of zeros, which has no direction.
inline Tensor<> unit_rows(const Tensor<>& x, const char* op) {
  const NoGrad guard;
  const auto y = l2_normalize(x.detach());
  const float* p = y.data();
  for (Index i = 0; i < y.size(0); ++i) {
    bool zero = true;
    for (Index j = 0; j < y.size(1); ++j) zero &= p[i * y.size(1) + j] == 0;
    TMOR_CHECK(!zero, "[", op, "] the features of sample ", i, " are all zero: they have no direction");
  }
  return y;
}

/// Fractions of samples whose class has the highest score, one of the five highest; and the mean over classes
/// that have samples of the first.
struct Accuracy {
  double top1 = 0, top5 = 0, mean_class = 0;
};

/// @throws Error for NaN scores or labels out of range, ShapeError for sizes that do not fit.
inline Accuracy accuracy(const Tensor<>& scores, std::span<const Index> labels) {
  TMOR_CHECK_SHAPE(scores.rank() == 2, "[accuracy] scores ", scores.shape(), ": expected (samples, classes)");
  const std::vector<float> s = scores.to_vector();
  const Index classes = scores.size(1);
  ConfusionMatrix m(classes);
  m.add(s, labels);
  return {m.accuracy(), top_k_accuracy(s, labels, classes, 5), mean_class_accuracy(m)};
}

/// "1258 training and 1068 test samples of 15 classes, 512 features", for protocols.
inline std::string sizes_text(const Features& train, const Features& test) {
  return tmor::detail::cat(train.size(), " training and ", test.size(), " test samples of ", train.classes,
                           " classes, ", train.dim(), " features");
}

}  // namespace eval
TMOR_END
