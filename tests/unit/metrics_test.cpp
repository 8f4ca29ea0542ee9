#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tmor/core/rng.hpp"
#include "tmor/metrics/classification.hpp"
#include "tmor/metrics/retrieval.hpp"
#include "tmor/metrics/stats.hpp"

using namespace tmor;
using doctest::Approx;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

std::vector<float> coarse_scores(Rng& rng, Index n) {  // few values, so that ties are common
  std::vector<float> s(static_cast<std::size_t>(n));
  for (auto& x : s) x = static_cast<float>(rng.uniform_int(4));
  return s;
}

}  // namespace

TEST_CASE("top-k accuracy, by hand") {
  const std::vector<float> scores = {.1f,   .7f, .2f,    // label 1: first
                                     .5f,   .3f, .2f,    // label 2: third
                                     .4f,   .4f, .2f,    // label 1: tied with 0, so second
                                     -kInf, 0,   kInf};  // label 2: first
  const std::vector<Index> labels = {1, 2, 1, 2};
  CHECK(top_k_accuracy(scores, labels, 3, 1) == 0.5);
  CHECK(top_k_accuracy(scores, labels, 3, 2) == 0.75);
  CHECK(top_k_accuracy(scores, labels, 3, 3) == 1);
  CHECK(top_k_accuracy(scores, labels, 3, 5) == 1);
  CHECK(rank_in_row(std::span(scores).first(3), 0) == 2);
}

TEST_CASE("equal scores everywhere: the lowest class wins") {
  const std::vector<float> zero(4 * 5);
  const std::vector<Index> labels = {0, 1, 2, 0};
  CHECK(top_k_accuracy(zero, labels, 5, 1) == 0.5);
  CHECK(top_k_accuracy(zero, labels, 5, 2) == 0.75);
  ConfusionMatrix m(5);
  m.add(zero, labels);
  CHECK(m.count(0, 0) == 2);
  CHECK(m.count(2, 0) == 1);
}

TEST_CASE("confusion and mean class accuracy, by hand") {
  ConfusionMatrix m(4);  // class 0: 3 of 4, class 1: 0 of 1, class 2: 1 of 2, class 3: none
  for (int i = 0; i < 3; ++i) m.add(0, 0);
  m.add(0, 1), m.add(1, 2), m.add(2, 2), m.add(2, 3);
  CHECK(m.accuracy() == Approx(4.0 / 7));
  CHECK(mean_class_accuracy(m) == Approx((0.75 + 0 + 0.5) / 3));
  CHECK(mean_class_accuracy(m, EmptyClass::kZero) == Approx((0.75 + 0 + 0.5) / 4));
  CHECK(m.samples(3) == 0);
  CHECK(m.count(2, 3) == 1);
}

TEST_CASE("accuracies against sorting, with many ties") {
  Rng rng(1);
  for (int trial = 0; trial < 500; ++trial) {
    const Index n = 1 + rng.uniform_int(10), classes = 1 + rng.uniform_int(6),
                k = 1 + rng.uniform_int(classes);
    const auto scores = coarse_scores(rng, n * classes);
    std::vector<Index> labels(static_cast<std::size_t>(n));
    for (auto& l : labels) l = rng.uniform_int(classes);
    Index hits = 0;
    for (Index i = 0; i < n; ++i) {
      std::vector<Index> order(static_cast<std::size_t>(classes));
      std::iota(order.begin(), order.end(), Index{0});
      std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
        return scores[static_cast<std::size_t>(i * classes + a)] >
               scores[static_cast<std::size_t>(i * classes + b)];
      });
      const auto end = order.begin() + k;
      hits += std::find(order.begin(), end, labels[static_cast<std::size_t>(i)]) != end;
    }
    CHECK(top_k_accuracy(scores, labels, classes, k) ==
          Approx(static_cast<double>(hits) / static_cast<double>(n)));
    ConfusionMatrix m(classes);
    m.add(scores, labels);
    CHECK(m.accuracy() == top_k_accuracy(scores, labels, classes, 1));
    CHECK(mean_class_accuracy(m, EmptyClass::kZero) <= mean_class_accuracy(m));
  }
}

TEST_CASE("classification metrics: refused input") {
  const std::vector<float> s = {1, 2, 3, 4};
  const std::vector<Index> ok = {0, 1}, high = {0, 2}, low = {-1, 0}, none;
  CHECK_THROWS_AS(top_k_accuracy(s, high, 2, 1), Error);
  CHECK_THROWS_AS(top_k_accuracy(s, low, 2, 1), Error);
  CHECK_THROWS_AS(top_k_accuracy(s, ok, 2, 0), Error);
  CHECK_THROWS_AS(top_k_accuracy(s, ok, 3, 1), ShapeError);
  CHECK_THROWS_AS(top_k_accuracy(s, ok, 0, 1), Error);
  CHECK_THROWS_AS(top_k_accuracy({}, none, 2, 1), Error);
  const std::vector<float> nan = {1, 2, kNan, 4}, negative_nan = {1, 2, -kNan, 4};
  CHECK_THROWS_AS(top_k_accuracy(nan, ok, 2, 1), Error);
  CHECK_THROWS_AS(top_k_accuracy(negative_nan, ok, 2, 1), Error);
  CHECK_THROWS_AS(ConfusionMatrix(0), Error);
  CHECK_THROWS_AS(ConfusionMatrix(Index{1} << 40), Error);
  ConfusionMatrix m(2);
  CHECK_THROWS_AS(m.add(2, 0), Error);
  CHECK_THROWS_AS(m.add(0, -1), Error);
  CHECK_THROWS_AS(m.accuracy(), Error);
  CHECK_THROWS_AS(mean_class_accuracy(m), Error);
  CHECK_THROWS_AS(rank_in_row(s, 4), Error);
}

TEST_CASE("retrieval, by hand") {
  const std::vector<float> similarity = {
      .9f, .1f, .5f,   // group 7: items 0 and 1; rank 1
      .2f, .3f, .1f,   // group 8: item 2; rank 3
      .4f, .4f, .4f,   // group 8: item 2, tied with all; rank 3
      .1f, .6f, .6f};  // group 7: item 1 tied with 2, lower index first; rank 1
  const auto r = retrieval_ranks(similarity, std::vector<Index>{7, 8, 8, 7}, std::vector<Index>{7, 7, 8});
  CHECK(r.ranks == std::vector<Index>{1, 3, 3, 1});
  CHECK(r.recall_at(1) == 0.5);
  CHECK(r.recall_at(2) == 0.5);
  CHECK(r.recall_at(3) == 1);
  CHECK(r.median_rank() == 2);
  CHECK(r.mean_rank() == 2);
  CHECK(r.without_match == 0);

  const auto lone = retrieval_ranks(similarity, std::vector<Index>{1, 7, 1, 1}, std::vector<Index>{7, 7, 8});
  CHECK(lone.without_match == 3);
  CHECK(lone.ranks == std::vector<Index>{1});
}

TEST_CASE("retrieval: more right items never make a rank worse; order of queries does not matter") {
  Rng rng(2);
  for (int trial = 0; trial < 300; ++trial) {
    const Index q = 1 + rng.uniform_int(6), g = 1 + rng.uniform_int(8);
    const auto s = coarse_scores(rng, q * g);
    std::vector<Index> own(static_cast<std::size_t>(q)), distinct(static_cast<std::size_t>(g)),
        all(own.size()), one(distinct.size());
    for (auto& x : own) x = rng.uniform_int(g);
    std::iota(distinct.begin(), distinct.end(), Index{0});
    const auto single = retrieval_ranks(s, own, distinct);
    for (std::size_t i = 0; i < own.size(); ++i)  // one right item: its rank in the row
      CHECK(single.ranks[i] == 1 + rank_in_row(std::span(s).subspan(i * static_cast<std::size_t>(g),
                                                                    static_cast<std::size_t>(g)),
                                               own[i]));
    const auto every = retrieval_ranks(s, all, one);  // every item right
    CHECK(every.recall_at(1) == 1);
    CHECK(single.recall_at(g) == 1);
    for (Index k = 1; k < g; ++k) CHECK(single.recall_at(k) <= single.recall_at(k + 1));
  }
}

TEST_CASE("retrieval: refused input") {
  const std::vector<float> s = {1, 2, 3, 4}, nan = {1, kNan, 3, 4};
  const std::vector<Index> two = {0, 1}, three = {0, 1, 2}, none;
  CHECK_THROWS_AS(retrieval_ranks(s, two, three), ShapeError);
  CHECK_THROWS_AS(retrieval_ranks(s, two, none), Error);
  CHECK_THROWS_AS(retrieval_ranks({}, none, two), Error);
  CHECK_THROWS_AS(retrieval_ranks(nan, two, two), Error);
  CHECK_THROWS_AS(retrieval_ranks(s, two, two).recall_at(0), Error);
  CHECK_THROWS_AS(RetrievalRanks{}.recall_at(1), Error);
  CHECK_THROWS_AS(RetrievalRanks{}.median_rank(), Error);
}

TEST_CASE("statistics, by hand") {
  const std::vector<double> v = {2, 4, 4, 4, 5, 5, 7, 9};
  CHECK(mean(v) == 5);
  CHECK(standard_deviation(v) == Approx(std::sqrt(32.0 / 7)));
  CHECK(standard_error(v) == Approx(std::sqrt(32.0 / 7 / 8)));
  CHECK(median(v) == 4.5);
  const std::vector<double> odd = {9, 1, 2}, one = {3};
  CHECK(median(odd) == 2);
  CHECK(standard_deviation(one) == 0);
  CHECK(standard_error(one) == 0);
  CHECK_THROWS_AS(mean({}), Error);
  CHECK_THROWS_AS(standard_error({}), Error);
  CHECK_THROWS_AS(median({}), Error);
}
