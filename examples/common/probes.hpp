#pragma once
/// What is measured on frozen features, and nearest neighbours in place of a fitted classifier.

#include "tmor/eval/few_shot.hpp"
#include "tmor/eval/linear_probe.hpp"
#include "tmor/eval/nearest_neighbour.hpp"

namespace task {

/// One nearest neighbour (L2) of all training samples.
tmor::eval::NearestNeighbourResult nearest(const tmor::eval::Features& train,
                                           const tmor::eval::Features& test);

/// Few-shot with the same draws as `tmor::eval::few_shot`, each by one nearest neighbour.
tmor::eval::FewShotResult nearest_few_shot(const tmor::eval::Features& train,
                                           const tmor::eval::Features& test, std::uint64_t seed = 0);

}  // namespace task
