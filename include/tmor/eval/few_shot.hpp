#pragma once
/// @file few_shot.hpp
/// Few-shot classification: a classifier of frozen features from k training samples a class, tested on all
/// test samples; mean and deviation over several draws of the samples.

#include "tmor/core/rng.hpp"
#include "tmor/eval/logistic.hpp"
#include "tmor/eval/nearest_neighbour.hpp"
#include "tmor/metrics/stats.hpp"

TMOR_BEGIN
namespace eval {

/// What is made of the k samples.
enum class FewShotHead { kLogistic, kNearestMean };

struct FewShotOptions {
  std::vector<Index> shots = {1, 2, 4, 8, 16};  ///< samples a class
  int seeds = 5;                                ///< draws
  std::uint64_t seed = 0;                       ///< of the first draw; the others follow
  FewShotHead head = FewShotHead::kLogistic;
  double lambda = 1e-2;             ///< of the logistic regression: fixed, there is nothing to choose it on
  Nearness by = Nearness::kCosine;  ///< of the nearest mean
  LbfgsOptions solver = {};
};

/// The draws for one number of samples.
struct FewShotPoint {
  Index shots = 0;
  std::vector<double> top1, mean_class;  ///< of each draw
  Index short_classes = 0;               ///< classes with fewer samples than that: all of theirs were used

  double top1_mean() const { return mean(top1); }
  double top1_std() const { return standard_deviation(top1); }  ///< n - 1 below the sum
  double mean_class_mean() const { return mean(mean_class); }
  double mean_class_std() const { return standard_deviation(mean_class); }
};

struct FewShotResult {
  std::string protocol;
  std::vector<FewShotPoint> points;  ///< one for each number of samples
};

/// The first k samples of every class in the random order of draw `seed` (all, where a class has fewer):
/// draws of one seed contain one another. @throws Error for k < 1.
inline std::vector<Index> draw_shots(const Features& f, Index k, std::uint64_t seed) {
  TMOR_CHECK(k >= 1, "[draw_shots] ", k, " samples a class, want 1 or more");
  std::vector<Index> rows;
  const auto of = samples_by_class(f);
  for (std::size_t c = 0; c < of.size(); ++c) {
    auto order = of[c];
    Rng(seed).fork(c).shuffle(order);
    order.resize(std::min(order.size(), static_cast<std::size_t>(k)));
    rows.insert(rows.end(), order.begin(), order.end());
  }
  return rows;
}

/// Runs the protocol. Classes without training samples are never predicted rightly, and counted.
/// @throws Error for no shots or seeds, and for features or labels that do not fit.
inline FewShotResult few_shot(const Features& train, const Features& test, const FewShotOptions& o = {}) {
  check(train, test, "few_shot");
  TMOR_CHECK(!o.shots.empty() && o.seeds >= 1, "[few_shot] ", o.shots.size(), " numbers of samples, ",
             o.seeds, " seeds: want at least one of each");
  const auto of = samples_by_class(train);
  FewShotResult r;
  std::string lacking;
  for (const Index k : o.shots) {
    FewShotPoint point{k, {}, {}, 0};
    for (const auto& rows : of) point.short_classes += std::ssize(rows) < k;
    if (point.short_classes > 0)
      lacking += tmor::detail::cat("; k = ", k, ": ", point.short_classes,
                                   " classes have fewer samples, all of them used");
    for (int s = 0; s < o.seeds; ++s) {
      const Features few = take(train, draw_shots(train, k, o.seed + static_cast<std::uint64_t>(s)));
      const auto scores = o.head == FewShotHead::kLogistic
                              ? fit_logistic(few, {o.lambda, o.solver}).scores(test.x)
                              : nearest_mean_scores(few, test.x, o.by);
      const Accuracy a = accuracy(scores, test.y);
      point.top1.push_back(a.top1);
      point.mean_class.push_back(a.mean_class);
    }
    r.points.push_back(std::move(point));
  }
  r.protocol = tmor::detail::cat(
      "few-shot: k samples a class drawn from the training samples, ", o.seeds, " draws (seeds from ", o.seed,
      "), all test samples; ",
      o.head == FewShotHead::kLogistic
          ? tmor::detail::cat("multinomial logistic regression on frozen standardised features, lambda ",
                              o.lambda)
          : tmor::detail::cat("nearest class mean by ", nearness_name(o.by)),
      "; mean and sample deviation over draws; ", sizes_text(train, test), lacking);
  return r;
}

}  // namespace eval
TMOR_END
