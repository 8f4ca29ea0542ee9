#pragma once
/// @file retrieval.hpp
/// Cross-modal retrieval. Several gallery items may be right for a query (equal captions, the same class):
/// all items that share the query's group are, and the best placed one counts.

#include <algorithm>
#include <span>
#include <vector>

#include "tmor/core/config.hpp"
#include "tmor/core/error.hpp"
#include "tmor/core/finite.hpp"
#include "tmor/metrics/stats.hpp"

TMOR_BEGIN

/// For each query that has a right item, the place (from 1) of its best one.
struct RetrievalRanks {
  std::vector<Index> ranks;
  std::vector<Index> right;  ///< how many items are right for that query
  Index items = 0;           ///< of the gallery
  Index without_match = 0;   ///< queries that no gallery item is right for; they count nowhere else

  /// Appends the queries of another part, ranked in the same gallery.
  void append(const RetrievalRanks& part) {
    TMOR_CHECK(ranks.empty() || items == part.items, "RetrievalRanks: galleries of ", items, " and ",
               part.items, " items");
    ranks.insert(ranks.end(), part.ranks.begin(), part.ranks.end());
    right.insert(right.end(), part.right.begin(), part.right.end());
    items = part.items;
    without_match += part.without_match;
  }

  /// R@k: fraction of the ranked queries with a right item among the first k. Throws Error for none, or k
  /// < 1.
  double recall_at(Index k) const {
    TMOR_CHECK(k >= 1 && !ranks.empty(), "recall_at: k = ", k, " over ", ranks.size(), " queries");
    Index hits = 0;
    for (const Index r : ranks) hits += r <= k;
    return static_cast<double>(hits) / static_cast<double>(ranks.size());
  }

  /// What `recall_at(k)` is for a gallery in random order: the mean over queries of the probability that one
  /// of the right items is among the first k. Throws Error for none, or k < 1.
  double chance_at(Index k) const {
    TMOR_CHECK(k >= 1 && !ranks.empty(), "chance_at: k = ", k, " over ", ranks.size(), " queries");
    double sum = 0;
    for (const Index r : right) {
      double none = 1;  // the first i items are all wrong
      for (Index i = 0; i < std::min(k, items); ++i)
        none *= static_cast<double>(std::max<Index>(0, items - r - i)) / static_cast<double>(items - i);
      sum += 1 - none;
    }
    return sum / static_cast<double>(ranks.size());
  }

  /// MedR, from 1. Throws Error for no queries.
  double median_rank() const { return median(as_doubles()); }
  /// Mean rank, from 1. Throws Error for no queries.
  double mean_rank() const { return mean(as_doubles()); }

 private:
  std::vector<double> as_doubles() const { return {ranks.begin(), ranks.end()}; }
};

/// Ranks the gallery for each query by `similarity` (Q, G) in rows, high first, of equals the lower gallery
/// index. `query_groups` (Q) and `gallery_groups` (G): equal numbers belong together. For the other direction
/// pass the transposed matrix. Throws ShapeError for sizes that do not fit, Error for NaN.
inline RetrievalRanks retrieval_ranks(std::span<const float> similarity, std::span<const Index> query_groups,
                                      std::span<const Index> gallery_groups) {
  const std::size_t queries = query_groups.size(), items = gallery_groups.size();
  TMOR_CHECK(queries > 0 && items > 0, "retrieval_ranks: ", queries, " queries, ", items, " items");
  TMOR_CHECK_SHAPE(similarity.size() / items == queries && similarity.size() % items == 0,
                   "retrieval_ranks: ", similarity.size(), " similarities for ", queries, " queries x ",
                   items, " items");
  RetrievalRanks out;
  out.items = static_cast<Index>(items);
  for (std::size_t q = 0; q < queries; ++q) {
    const auto row = similarity.subspan(q * items, items);
    std::size_t best = items;  // the best placed right item
    Index right = 0;
    for (std::size_t g = 0; g < items; ++g) {
      TMOR_CHECK(!is_nan(row[g]), "retrieval_ranks: similarity of query ", q, ", item ", g, " is NaN");
      if (gallery_groups[g] != query_groups[q]) continue;
      ++right;
      if (best == items || row[g] > row[best]) best = g;
    }
    if (best == items) {
      ++out.without_match;
      continue;
    }
    Index rank = 1;
    for (std::size_t g = 0; g < items; ++g) rank += row[g] > row[best] || (row[g] == row[best] && g < best);
    out.ranks.push_back(rank);
    out.right.push_back(right);
  }
  return out;
}

TMOR_END
