#pragma once
/// @file classification.hpp
/// Accuracy, per-class accuracy and the confusion matrix, from scores in rows. Of equal scores the lower
/// class index counts as the higher one, so results never depend on a sorting algorithm. All results are
/// fractions in [0, 1].

#include <limits>
#include <span>
#include <vector>

#include "tmor/core/config.hpp"
#include "tmor/core/error.hpp"
#include "tmor/core/finite.hpp"

TMOR_BEGIN

namespace detail {

/// Scores (N, classes) in rows with a label each: sizes agree, labels in range, no NaN (seen in the bits, so
/// that it also holds under -ffast-math; infinities are ordered and welcome).
inline void check_scores(std::span<const float> scores, std::span<const Index> labels, Index classes,
                         const char* op) {
  TMOR_CHECK(classes >= 1 && !labels.empty(), op, ": ", labels.size(), " samples of ", classes,
             " classes, want at least one of each");
  TMOR_CHECK_SHAPE(std::ssize(scores) / classes == std::ssize(labels) && std::ssize(scores) % classes == 0,
                   op, ": ", scores.size(), " scores for ", labels.size(), " samples of ", classes,
                   " classes");
  for (std::size_t i = 0; i < labels.size(); ++i)
    TMOR_CHECK(labels[i] >= 0 && labels[i] < classes, op, ": label ", labels[i], " of sample ", i,
               ", want 0 to ", classes - 1);
  for (std::size_t i = 0; i < scores.size(); ++i)
    TMOR_CHECK(!is_nan(scores[i]), op, ": score of sample ", static_cast<Index>(i) / classes, ", class ",
               static_cast<Index>(i) % classes, " is NaN");
}

}  // namespace detail

/// Place of entry `j` when `row` is sorted from high to low, from 0; of equals the lower index comes first.
/// Throws Error if there is no such entry.
inline Index rank_in_row(std::span<const float> row, Index j) {
  TMOR_CHECK(j >= 0 && j < std::ssize(row), "rank_in_row: entry ", j, " of ", row.size());
  const float own = row[static_cast<std::size_t>(j)];
  Index rank = 0;
  for (Index i = 0; i < std::ssize(row); ++i) {
    const float other = row[static_cast<std::size_t>(i)];
    rank += other > own || (other == own && i < j);
  }
  return rank;
}

/// Fraction of samples whose label is among the k highest of their scores (N, classes). Throws Error for no
/// samples, wrong labels, NaN or k < 1; ShapeError for sizes that do not fit.
inline double top_k_accuracy(std::span<const float> scores, std::span<const Index> labels, Index classes,
                             Index k) {
  detail::check_scores(scores, labels, classes, "top_k_accuracy");
  TMOR_CHECK(k >= 1, "top_k_accuracy: k is ", k, ", want 1 or more");
  Index hits = 0;
  for (std::size_t i = 0; i < labels.size(); ++i)
    hits +=
        rank_in_row(scores.subspan(i * static_cast<std::size_t>(classes), static_cast<std::size_t>(classes)),
                    labels[i]) < k;
  return static_cast<double>(hits) / static_cast<double>(labels.size());
}

/// Counts of (true class, predicted class).
class ConfusionMatrix {
 public:
  /// Throws Error for fewer than 1 class or more than 2^14.
  explicit ConfusionMatrix(Index classes) : classes_(classes) {
    TMOR_CHECK(classes >= 1 && classes <= Index{1} << 14, "ConfusionMatrix: ", classes,
               " classes, want 1 to 16384");
    counts_.resize(static_cast<std::size_t>(classes * classes));
  }

  Index classes() const { return classes_; }
  Index count(Index truth, Index predicted) const { return counts_[at(truth, predicted)]; }

  void add(Index truth, Index predicted) { ++counts_[at(truth, predicted)]; }

  /// Adds samples by their highest score. Throws as `top_k_accuracy`.
  void add(std::span<const float> scores, std::span<const Index> labels) {
    detail::check_scores(scores, labels, classes_, "ConfusionMatrix");
    const std::size_t n = static_cast<std::size_t>(classes_);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      std::size_t best = 0;
      for (std::size_t c = 1; c < n; ++c)
        if (scores[i * n + c] > scores[i * n + best]) best = c;
      add(labels[i], static_cast<Index>(best));
    }
  }

  /// Samples of a class.
  Index samples(Index truth) const {
    Index sum = 0;
    for (Index p = 0; p < classes_; ++p) sum += count(truth, p);
    return sum;
  }

  /// Fraction of all samples that were predicted right. Throws Error if there are none.
  double accuracy() const {
    Index right = 0, all = 0;
    for (Index c = 0; c < classes_; ++c) right += count(c, c), all += samples(c);
    TMOR_CHECK(all > 0, "ConfusionMatrix: no samples");
    return static_cast<double>(right) / static_cast<double>(all);
  }

 private:
  std::size_t at(Index truth, Index predicted) const {
    TMOR_CHECK(truth >= 0 && truth < classes_ && predicted >= 0 && predicted < classes_,
               "ConfusionMatrix: entry (", truth, ", ", predicted, ") of ", classes_, " classes");
    return static_cast<std::size_t>(truth * classes_ + predicted);
  }

  Index classes_;
  std::vector<Index> counts_;  // (classes, classes) in rows
};

/// What a class without samples does to the mean over classes: it is left out, or counts as 0, or makes the
/// mean NaN. Published results differ in this; say which one a figure uses.
enum class EmptyClass { kSkip, kZero, kNan };

/// "skipped", "counted as 0" or "making the mean NaN", for protocols.
inline const char* empty_class_text(EmptyClass e) {
  return e == EmptyClass::kSkip ? "skipped" : e == EmptyClass::kZero ? "counted as 0" : "making the mean NaN";
}

/// Mean over classes of the fraction of the class's samples that were predicted right. Throws Error if no
/// class has samples.
inline double mean_class_accuracy(const ConfusionMatrix& m, EmptyClass policy = EmptyClass::kSkip) {
  double sum = 0;
  Index with_samples = 0;
  for (Index c = 0; c < m.classes(); ++c) {
    const Index n = m.samples(c);
    if (n == 0) continue;
    sum += static_cast<double>(m.count(c, c)) / static_cast<double>(n);
    ++with_samples;
  }
  TMOR_CHECK(with_samples > 0, "mean_class_accuracy: no samples");
  if (policy == EmptyClass::kNan && with_samples < m.classes())
    return std::numeric_limits<double>::quiet_NaN();
  return sum / static_cast<double>(policy == EmptyClass::kSkip ? with_samples : m.classes());
}

TMOR_END
