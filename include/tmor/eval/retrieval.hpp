#pragma once
/// @file retrieval.hpp
/// Retrieval between two sides of a shared space, in both directions.

#include "tmor/eval/nearest_neighbour.hpp"
#include "tmor/metrics/retrieval.hpp"

TMOR_BEGIN
namespace eval {

/// Figures of one direction; see metrics/retrieval.hpp.
struct RetrievalFigures {
  double r1 = 0, r5 = 0, r10 = 0;        ///< fractions of queries with a right item among the first 1, 5, 10
  double median_rank = 0;                ///< from 1
  Index queries = 0, without_match = 0;  ///< ranked ones, and ones that no item is right for
};
struct RetrievalResult {
  std::string protocol;
  RetrievalFigures a_to_b, b_to_a;
};

/// Ranks all of `b` (M, D) for each of `a` (N, D) by cosine, and the other way round. Items of equal group
/// are right for one another; the best placed one counts.
/// @throws Error for features that are zero or not finite, no group in common, ShapeError for sizes that do
/// not fit.
inline RetrievalResult retrieval(const Tensor<>& a, std::span<const Index> a_groups, const Tensor<>& b,
                                 std::span<const Index> b_groups) {
  const auto cosine = nearness(a, b, Nearness::kCosine);
  const auto figures = [](const Tensor<>& similarity, std::span<const Index> queries,
                          std::span<const Index> items) {
    const std::vector<float> s = similarity.to_vector();
    const RetrievalRanks ranks = retrieval_ranks(s, queries, items);
    return RetrievalFigures{ranks.recall_at(1),  ranks.recall_at(5),      ranks.recall_at(10),
                            ranks.median_rank(), std::ssize(ranks.ranks), ranks.without_match};
  };
  return {tmor::detail::cat(
              "retrieval: ", a.size(0), " x ", b.size(0),
              " items ranked by cosine, any item of the query's group is right, the best placed one "
              "counts, ties by index"),
          figures(cosine, a_groups, b_groups), figures(transpose(cosine), b_groups, a_groups)};
}

}  // namespace eval
TMOR_END
