#pragma once
/// @file nearest_neighbour.hpp
/// Classification by the nearest training samples, or the nearest class mean: nothing is fitted.

#include <algorithm>

#include "tmor/eval/features.hpp"
#include "tmor/ops/matmul.hpp"
#include "tmor/ops/topk.hpp"

TMOR_BEGIN
namespace eval {

/// How near two features are: by the angle between them, or by Euclidean distance.
enum class Nearness { kCosine, kL2 };

inline const char* nearness_name(Nearness n) { return n == Nearness::kCosine ? "cosine" : "L2 distance"; }

/// Nearness of every `a` (N, D) to every `b` (M, D), (N, M), larger for nearer: the cosine, or minus the
/// squared distance, up to the same number for a whole row.
/// @throws ShapeError for unequal D, Error for features that are not finite, and zeros under the cosine.
inline Tensor<> nearness(const Tensor<>& a, const Tensor<>& b, Nearness by) {
  check_vectors(a, "nearness");
  check_vectors(b, "nearness");
  TMOR_CHECK_SHAPE(a.size(1) == b.size(1), "[nearness] features ", a.shape(), " and ", b.shape(),
                   ": the numbers of columns differ");
  const NoGrad guard;
  if (by == Nearness::kCosine) return linear(unit_rows(a, "nearness"), unit_rows(b, "nearness"));
  // -|a - b|^2 = 2 a.b - |b|^2 - |a|^2, around the mean of b so that little cancels.
  const auto centre = mean(b, 0, true), ca = a - centre, cb = b - centre;
  return linear(ca * 2.0f, cb, -sum(cb * cb, -1));
}

struct NearestNeighbourOptions {
  Index k = 1;  ///< neighbours that vote; all of them where there are fewer
  Nearness by = Nearness::kCosine;
};
struct NearestNeighbourResult {
  std::string protocol;
  std::vector<Index> predicted;  ///< class of each test sample
  double top1 = 0, mean_class = 0;
};

/// Gives each test sample the class of most of its k nearest training samples; of classes with as many, the
/// one with the nearest sample. Of equally near samples the first counts as nearer.
/// @throws Error for k < 1 and for features or labels that do not fit.
inline NearestNeighbourResult nearest_neighbour(const Features& train, const Features& test,
                                                const NearestNeighbourOptions& o = {}) {
  check(train, test, "nearest_neighbour");
  TMOR_CHECK(o.k >= 1, "[nearest_neighbour] k is ", o.k, ", want 1 or more");
  constexpr Index kBlock = 1024;  // test samples at a time: the matrix of similarities stays small
  const Index k = std::min(o.k, train.size());
  NearestNeighbourResult r;
  ConfusionMatrix m(train.classes);
  for (Index start = 0; start < test.size(); start += kBlock) {
    const auto block = narrow(test.x, 0, start, std::min(kBlock, test.size() - start));
    const auto nearest = topk(nearness(block, train.x, o.by), k).indices;
    for (Index i = 0; i < block.size(0); ++i) {
      std::vector<Index> votes(static_cast<std::size_t>(train.classes));
      for (Index j = 0; j < k; ++j) {
        const Index neighbour = nearest.data()[i * k + j];
        ++votes[static_cast<std::size_t>(train.y[static_cast<std::size_t>(neighbour)])];
      }
      const Index most = *std::max_element(votes.begin(), votes.end());
      Index best = -1;
      for (Index j = 0; best < 0; ++j) {
        const Index c = train.y[static_cast<std::size_t>(nearest.data()[i * k + j])];
        if (votes[static_cast<std::size_t>(c)] == most) best = c;
      }
      r.predicted.push_back(best);
      m.add(test.y[static_cast<std::size_t>(start + i)], best);
    }
  }
  r.top1 = m.accuracy();
  r.mean_class = mean_class_accuracy(m);
  r.protocol = tmor::detail::cat("nearest neighbours: vote of the ", k, " nearest training samples by ",
                                 nearness_name(o.by), "; ", sizes_text(train, test));
  return r;
}

/// Scores (N, classes) of `x` by nearness to the mean of each class's training samples (under the cosine, of
/// the samples at length 1). A class without samples scores less than any other.
/// @throws Error for features or labels that do not fit.
inline Tensor<> nearest_mean_scores(const Features& train, const Tensor<>& x, Nearness by) {
  check(train, "nearest_mean_scores");
  const Index d = train.dim();
  const auto from =
      by == Nearness::kCosine ? unit_rows(train.x, "nearest_mean_scores") : contiguous(train.x.detach());
  std::vector<float> means;
  std::vector<Index> present;
  for (Index c = 0; c < train.classes; ++c) {
    std::vector<double> sum(static_cast<std::size_t>(d));
    Index count = 0;
    for (Index i = 0; i < train.size(); ++i) {
      if (train.y[static_cast<std::size_t>(i)] != c) continue;
      for (Index j = 0; j < d; ++j)
        sum[static_cast<std::size_t>(j)] += static_cast<double>(from.data()[i * d + j]);
      ++count;
    }
    if (count == 0) continue;
    present.push_back(c);
    for (const double v : sum) means.push_back(static_cast<float>(v / static_cast<double>(count)));
  }
  const auto near = nearness(x, Tensor<>::from(means, {std::ssize(present), d}), by);
  const auto scores = Tensor<>::full({x.size(0), train.classes}, -std::numeric_limits<float>::max());
  float* out = scores.mutable_data();
  for (Index i = 0; i < x.size(0); ++i)
    for (std::size_t k = 0; k < present.size(); ++k)
      out[i * train.classes + present[k]] = near.data()[i * std::ssize(present) + static_cast<Index>(k)];
  return scores;
}

}  // namespace eval
TMOR_END
