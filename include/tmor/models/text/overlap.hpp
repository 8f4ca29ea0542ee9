#pragma once
/// @file overlap.hpp
/// Texts that say nearly the same, found by the tokens they share: wrong negatives of one another.

#include <algorithm>
#include <memory>
#include <vector>

#include "tmor/models/text/causal.hpp"

TMOR_BEGIN
namespace models {

/// Pairs (N, N) of texts that share at least `threshold` of the tokens either has (the Jaccard index of their
/// sets of tokens), the padding after the end aside; every text with itself. For `TriBatch::ignore`. Where
/// texts have embeddings that do not change, `loss::similar_pairs` sees more.
/// @throws ShapeError unless `ids` is (N, L) and `last` (N,).
template <class Device>
Tensor<bool, Device> overlapping_texts(const TextBatch<Device>& t, double threshold = 0.8) {
  TMOR_CHECK_SHAPE(t.ids.rank() == 2 && t.last.shape() == Shape{t.ids.size(0)}, "[overlapping_texts] ids ",
                   t.ids.shape(), " and ends ", t.last.shape());
  const Index n = t.ids.size(0), length = t.ids.size(1);
  const auto ids = t.ids.to_vector(), last = t.last.to_vector();
  std::vector<std::vector<Index>> sets;
  for (Index i = 0; i < n; ++i) {
    const Index count = std::clamp<Index>(last[static_cast<std::size_t>(i)] + 1, 0, length);
    std::vector<Index> set(ids.begin() + i * length, ids.begin() + i * length + count);
    std::sort(set.begin(), set.end());
    set.erase(std::unique(set.begin(), set.end()), set.end());
    sets.push_back(std::move(set));
  }
  const auto out = std::make_unique<bool[]>(static_cast<std::size_t>(n * n));
  for (Index i = 0; i < n; ++i)
    for (Index j = i; j < n; ++j) {
      const auto &a = sets[static_cast<std::size_t>(i)], &b = sets[static_cast<std::size_t>(j)];
      Index shared = 0;
      for (auto x = a.begin(), y = b.begin(); x != a.end() && y != b.end();) {
        shared += *x == *y;
        const bool next_x = *x <= *y, next_y = *y <= *x;
        x += next_x, y += next_y;
      }
      const Index all = std::ssize(a) + std::ssize(b) - shared;
      out[static_cast<std::size_t>(i * n + j)] = out[static_cast<std::size_t>(j * n + i)] =
          i == j || static_cast<double>(shared) >= threshold * static_cast<double>(std::max<Index>(all, 1));
    }
  return Tensor<bool, Device>::from_pointer(out.get(), {n, n});
}

}  // namespace models
TMOR_END
