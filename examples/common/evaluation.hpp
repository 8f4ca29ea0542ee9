#pragma once
/// Every protocol of the tri-modal programs on one model, as a section of metrics.json; what a model has no
/// tower for is null with a reason.

#include <functional>
#include <string>
#include <vector>

#include "common/device.hpp"
#include "common/eval_set.hpp"
#include "common/tri_modal.hpp"
#include "tmor/metrics/frame_map.hpp"

namespace task {

using tmor::io::Json;

/// One of the models compared. Without an encoder: nearest neighbours on coordinates.
struct Candidate {
  std::string name;
  const tmor::models::SkeletonEncoder<>* encoder = nullptr;
  const TriModel* towers = nullptr;  ///< for what texts and videos are needed
  InputOptions input;
  std::string device = "cpu";  ///< where towers work, and what is trained on them
};

/// Of retrieval: from skeletons, videos or texts to another of them.
inline constexpr const char* kDirections[] = {"s2t", "t2s", "s2v", "v2s", "v2t", "t2v"};

/// What the report shows beside the figures.
struct EvalDetails {
  Tensor<> bodies_scores;                    ///< (N, actions), of the linear probe
  Tensor<> bodies_embedded;                  ///< (N, embed), unit vectors
  Tensor<> action_texts;                     ///< (actions, embed)
  Tensor<> skeleton_to_text;                 ///< (R, R), cosines of the retrieval clips with their texts
  Tensor<> unseen_scores;                    ///< (N, unseen actions), zero-shot cosines
  std::vector<tmor::FrameScores> detection;  ///< logits of the test sequences
};

/// Unit embeddings of classes by their prompts. `prompts(i)` are those of class `classes[i]`.
Tensor<> embed_prompts(const TriModel& m, const std::vector<Index>& classes,
                       const std::function<std::vector<std::string>(Index)>& prompts);

/// Unit embeddings of skeleton clips.
Tensor<> embed_skeletons(const Encode& encode, const InputOptions& in,
                         const std::vector<tmor::SkeletonSequence>& clips);

std::vector<Index> range(Index begin, Index end);

/// Retrieval in all directions that the model has towers for, on clips of unseen bodies and cameras.
Json retrieval_section(const TriModel& m, const Encode& encode, const std::string& device, const EvalSet& set,
                       EvalDetails* details);

/// All of it for one model.
Json evaluate(const Candidate& m, const EvalSet& set, EvalDetails* details = nullptr);

}  // namespace task
