#pragma once
/// @file retrieval.hpp
/// Retrieval between the sides of a shared space, in both directions of each pair.

#include "tmor/eval/nearest_neighbour.hpp"
#include "tmor/metrics/retrieval.hpp"

TMOR_BEGIN
namespace eval {

/// Figures of one direction; see metrics/retrieval.hpp.
struct RetrievalFigures {
  double r1 = 0, r5 = 0, r10 = 0;        ///< fractions of queries with a right item among the first 1, 5, 10
  double median_rank = 0;                ///< MedR, from 1
  Index queries = 0, without_match = 0;  ///< ranked ones, and ones that no item is right for
  double chance_r1 = 0, chance_r5 = 0, chance_r10 = 0;  ///< what a random order reaches
};
struct RetrievalResult {
  std::string protocol;
  RetrievalFigures a_to_b, b_to_a;
};

namespace detail {

inline constexpr const char* kRetrievalRule =
    "items ranked by cosine, any item of the query's group is right, the best placed one counts, ties by "
    "index";

/// `queries` (N, D) against `items` (M, D), all of length 1, a block of queries at a time: the matrix of
/// similarities stays small however large the sets are.
inline RetrievalFigures retrieval_direction(const Tensor<>& queries, std::span<const Index> query_groups,
                                            const Tensor<>& items, std::span<const Index> item_groups) {
  constexpr Index kBlock = 1024;
  const NoGrad guard;
  RetrievalRanks ranks;
  for (Index start = 0; start < queries.size(0); start += kBlock) {
    const Index n = std::min(kBlock, queries.size(0) - start);
    const auto similarity = linear(contiguous(narrow(queries, 0, start, n)), items);
    ranks.append(retrieval_ranks(
        {similarity.data(), static_cast<std::size_t>(similarity.numel())},
        query_groups.subspan(static_cast<std::size_t>(start), static_cast<std::size_t>(n)), item_groups));
  }
  return {ranks.recall_at(1),  ranks.recall_at(5),      ranks.recall_at(10),
          ranks.median_rank(), std::ssize(ranks.ranks), ranks.without_match,
          ranks.chance_at(1),  ranks.chance_at(5),      ranks.chance_at(10)};
}

/// Rows of length 1 with a group each. @throws as `retrieval`.
inline Tensor<> retrieval_side(const Tensor<>& x, std::span<const Index> groups, const char* op) {
  check_vectors(x, op);
  TMOR_CHECK_SHAPE(std::ssize(groups) == x.size(0), "[", op, "] ", groups.size(), " groups for embeddings ",
                   x.shape());
  return unit_rows(x, op);
}

}  // namespace detail

/// Ranks all of `b` (M, D) for each of `a` (N, D) by cosine, and the other way round. Items of equal group
/// are right for one another; the best placed one counts.
/// @throws Error for features that are zero or not finite, no group in common, ShapeError for sizes that do
/// not fit.
inline RetrievalResult retrieval(const Tensor<>& a, std::span<const Index> a_groups, const Tensor<>& b,
                                 std::span<const Index> b_groups) {
  const auto ua = detail::retrieval_side(a, a_groups, "retrieval"),
             ub = detail::retrieval_side(b, b_groups, "retrieval");
  TMOR_CHECK_SHAPE(a.size(1) == b.size(1), "[retrieval] embeddings ", a.shape(), " and ", b.shape(),
                   ": the numbers of columns differ");
  return {tmor::detail::cat("retrieval: ", a.size(0), " x ", b.size(0), " ", detail::kRetrievalRule),
          detail::retrieval_direction(ua, a_groups, ub, b_groups),
          detail::retrieval_direction(ub, b_groups, ua, a_groups)};
}

/// One direction between two of the modalities.
struct TriModalDirection {
  std::string name;  ///< "s2v": skeleton queries, video items; also s2t, v2s, v2t, t2s, t2v
  RetrievalFigures figures;
};
struct TriModalResult {
  std::string protocol;
  std::vector<TriModalDirection>
      directions;  ///< s2t, t2s, s2v, v2s, v2t, t2v, without those of a missing side

  /// Null where a side is missing.
  const RetrievalFigures* find(std::string_view name) const {
    for (const auto& d : directions)
      if (d.name == name) return &d.figures;
    return nullptr;
  }
};

/// Retrieval in all six directions between the embeddings of the same N samples: skeletons `s`, videos `v`,
/// texts `t`, each (N, D), or not defined where a model has no such tower. `groups` (N): samples that are
/// right for one another, by caption or class; each its own by default.
/// @throws Error for fewer than two sides, features that are zero or not finite; ShapeError for sizes that do
/// not fit.
inline TriModalResult tri_modal_retrieval(const Tensor<>& s, const Tensor<>& v, const Tensor<>& t,
                                          std::span<const Index> groups = {}) {
  struct Side {
    char letter;
    const Tensor<>* given;
    Tensor<> unit;
  };
  Side sides[] = {{'s', &s, {}}, {'v', &v, {}}, {'t', &t, {}}};
  Index n = -1, dim = -1, count = 0;
  std::vector<Index> own;
  for (Side& side : sides) {
    if (!side.given->defined()) continue;
    const Tensor<>& x = *side.given;
    TMOR_CHECK_SHAPE(x.rank() == 2 && (n < 0 || (x.size(0) == n && x.size(1) == dim)),
                     "[tri_modal_retrieval] embeddings ", x.shape(), ": expected (samples, numbers)",
                     n < 0 ? std::string() : tmor::detail::cat(", here (", n, ", ", dim, ")"));
    n = x.size(0), dim = x.size(1);
    if (groups.empty() && own.empty()) {
      for (Index i = 0; i < n; ++i) own.push_back(i);
      groups = own;
    }
    side.unit = detail::retrieval_side(x, groups, "tri_modal_retrieval");
    ++count;
  }
  TMOR_CHECK(count >= 2, "[tri_modal_retrieval] ", count, " of three sides given, want two or three");
  TriModalResult r;
  constexpr std::pair<int, int> kOrder[] = {{0, 2}, {2, 0}, {0, 1}, {1, 0}, {1, 2}, {2, 1}};
  for (const auto& [from, to] : kOrder)
    if (sides[from].unit.defined() && sides[to].unit.defined())
      r.directions.push_back({std::string{sides[from].letter, '2', sides[to].letter},
                              detail::retrieval_direction(sides[from].unit, groups, sides[to].unit, groups)});
  std::vector<Index> names(groups.begin(), groups.end());
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  r.protocol = tmor::detail::cat("retrieval: ", n, " samples of ", names.size(), " groups, ",
                                 r.directions.size(), " directions, ", detail::kRetrievalRule);
  return r;
}

}  // namespace eval
TMOR_END
