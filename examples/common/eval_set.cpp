#include "common/eval_set.hpp"

namespace task {

namespace {
/// Samples [begin, end) of a split, made by all threads. Those from `videos` on are not rendered.
EvalClips make_clips(const SourceOptions& o, tmor::data::synth::Split split, Index begin, Index end,
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

}  // namespace

EvalSet make_eval_set(const SourceOptions& o, const EvalSizes& n) {
  using tmor::data::synth::Split;
  const Index half = n.actions / 2;
  return {n,
          make_clips(o, Split::kTrain, 0, n.train, 0),
          make_clips(o, Split::kTestBodies, 0, n.bodies, n.retrieval),
          make_clips(o, Split::kUnseenActions, 0, half, 0),
          make_clips(o, Split::kUnseenActions, half, n.actions, 0),
          make_clips(o, Split::kUnseenCombinations, 0, n.combinations, 0),
          make_clips(o, Split::kDetectionTrain, 0, n.sequences, 0, 200),
          make_clips(o, Split::kDetectionTest, 0, n.test_sequences, 2, 200)};
}

}  // namespace task
