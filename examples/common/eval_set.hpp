#pragma once
/// What the protocols of the tri-modal programs look at: generated clips of unseen bodies and cameras, unseen
/// actions, unseen combinations of action and side, and long sequences with frame labels.

#include <string>
#include <vector>

#include "common/sources.hpp"

namespace task {

/// How many clips each part has.
struct EvalSizes {
  Index train, bodies, actions, combinations, retrieval, sequences, test_sequences;

  /// In proportion to `n`, the clips of trained actions by unseen bodies before unseen cameras.
  static EvalSizes of(Index n) {
    return {.train = 2 * n,  // labelled training clips, for probes
            .bodies = n,
            .actions = n,           // unseen actions; half of them are what few-shot draws from
            .combinations = n / 2,  // unseen combinations
            .retrieval = n / 2,     // the first of `bodies`, with their videos and texts
            .sequences = n / 6,     // to train detection on, of 6 actions at most
            .test_sequences = n / 12};
  }
};

/// Clips in a row; `actions` and `combinations` are class ids of the generator.
struct EvalClips {
  std::vector<tmor::data::Triplet> triplets;
  std::vector<Index> actions, combinations;
  Index size() const { return std::ssize(triplets); }

  std::vector<tmor::SkeletonSequence> skeletons() const {
    std::vector<tmor::SkeletonSequence> s;
    for (const auto& t : triplets) s.push_back(t.skeleton);
    return s;
  }
};

struct EvalSet {
  EvalSizes sizes;
  EvalClips train, bodies, action_shots, action_test, combinations, sequences, test_sequences;
};

/// Frames of a generated clip of one action.
inline constexpr Index kClipFrames = 64;

/// The same for every model that is compared.
EvalSet make_eval_set(const SourceOptions& o, const EvalSizes& n);

}  // namespace task
