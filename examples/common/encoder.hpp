#pragma once
/// The encoder of the programs on trimmed clips, and what is computed with it frozen.

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/clips.hpp"
#include "tmor/models/skeleton/unik.hpp"

namespace task {

using tmor::Context;
using tmor::Rng;
using tmor::Tensor;

/// Width of the encoder by name; `joints` V and `coordinates` of its input.
tmor::models::UnikConfig encoder_config(const std::string& size, Index joints, Index coordinates,
                                        const InputOptions& in, Index embed, double dropout);

/// The streams of `--stream`, by name.
std::vector<std::pair<std::string, tmor::Streams>> streams_of(const std::string& name);

/// f(batch) for every clip, averaged over `views`: (N, outputs), without tape.
Tensor<> over_views(const std::vector<const Clip*>& clips, const std::vector<View>& views,
                    const InputOptions& in, const std::function<Tensor<>(const Batch&)>& f);

std::vector<Index> labels_of(const std::vector<const Clip*>& clips);

/// Coordinates themselves as features, for nearest neighbours: 32 frames of the whole clip, flattened.
Tensor<> coordinate_features(const std::vector<const Clip*>& clips);

}  // namespace task
