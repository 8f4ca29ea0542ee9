#pragma once
/// A tri-modal model with all that is needed to use it: tokenizer and how its input is made; its batches, its
/// file.

#include <string>
#include <vector>

#include "common/clips.hpp"
#include "common/device.hpp"
#include "common/texts.hpp"
#include "tmor/data/triplet.hpp"
#include "tmor/io/image.hpp"
#include "tmor/models/tri_modal.hpp"

namespace task {

using tmor::Context;
using tmor::Rng;
using tmor::Tensor;

/// Model, tokenizer and input, as one file holds them.
struct TriModel {
  tmor::models::TriModal<> net;
  tmor::BpeTokenizer bpe;
  InputOptions input;

  static void visit(auto& self, auto&& v) { v.module("net", self.net); }
};

void save_model(const std::string& path, const TriModel& m);

/// @throws IoError for a file that cannot be read, is damaged or holds no such model.
TriModel load_model(const std::string& path);

/// Pixels of videos, resized and evenly sampled to what the tower wants, in [-1, 1]: (N, F, H, W, 3).
Tensor<> frames_of(const std::vector<const std::vector<tmor::io::Pixels>*>& videos,
                   const tmor::models::VideoConfig& c);

/// Skeletons at test time: the whole clip, nothing random.
Batch skeleton_batch(const std::vector<tmor::SkeletonSequence>& clips, const InputOptions& in);

/// A training batch of triplets, each with randomness of its own: a part of the clip, turned, scaled and
/// shaken (not mirrored: texts say left and right), one of its texts. Samples of equal kind are no negatives
/// of one another; equal texts are positives.
TriSamples training_triplets(const std::vector<tmor::data::Triplet>& triplets,
                             const std::vector<Index>& kinds, const std::vector<Rng>& rngs,
                             const TriModel& m);

}  // namespace task
