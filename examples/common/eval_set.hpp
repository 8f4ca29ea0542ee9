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

namespace detail {

/// Samples [begin, end) of a split, made by all threads. Those from `videos` on are not rendered.
inline EvalClips make_clips(const SourceOptions& o, tmor::data::synth::Split split, Index begin, Index end,
                            Index videos, Index frames = kClipFrames) {
  namespace synth = tmor::data::synth;
  auto with = synth_options(o, split), without = with;
  with.frames = without.frames = frames;
  without.video_frames = 0;
  const synth::SynthSet shown(with, o.seed, end), plain(without, o.seed, end);
  EvalClips c;
  const auto n = static_cast<std::size_t>(end - begin);
  c.triplets.resize(n);
  c.actions.resize(n);
  c.combinations.resize(n);
  tmor::parallel_for(end - begin, 1, [&](Index first, Index last) {
    for (Index i = first; i < last; ++i) {
      const auto at = static_cast<std::size_t>(i);
      c.triplets[at] = generated(i < videos ? shown : plain, begin + i);
      const auto label = plain.label(begin + i);
      c.actions[at] = label.action;
      c.combinations[at] = label.combination;
    }
  });
  return c;
}

}  // namespace detail

/// The same for every model that is compared.
inline EvalSet make_eval_set(const SourceOptions& o, const EvalSizes& n) {
  using tmor::data::synth::Split;
  const Index half = n.actions / 2;
  return {n,
          detail::make_clips(o, Split::kTrain, 0, n.train, 0),
          detail::make_clips(o, Split::kTestBodies, 0, n.bodies, n.retrieval),
          detail::make_clips(o, Split::kUnseenActions, 0, half, 0),
          detail::make_clips(o, Split::kUnseenActions, half, n.actions, 0),
          detail::make_clips(o, Split::kUnseenCombinations, 0, n.combinations, 0),
          detail::make_clips(o, Split::kDetectionTrain, 0, n.sequences, 0, 200),
          detail::make_clips(o, Split::kDetectionTest, 0, n.test_sequences, 2, 200)};
}

}  // namespace task
