#pragma once
/// Models that pre-training left behind, as the programs on trimmed clips start from or measure them.

#include <optional>
#include <string>

#include "common/tri_modal.hpp"

namespace task {

/// A skeleton encoder, how its input is made, and the other towers where the file has them.
struct Pretrained {
  tmor::models::SkeletonEncoder<> encoder;
  InputOptions input;
  std::optional<TriModel> towers;
};

/// A run folder of `pretrain`, its model.safetensors, or an exported skeleton.safetensors.
/// @throws IoError for a file that is none of these.
Pretrained load_pretrained(const std::string& given);

/// The augmentations of a program with the joints, streams and frames of a pre-trained model.
InputOptions fine_tuning_input(InputOptions program, const InputOptions& model);

/// The picture that a camera takes: x and y of 3-D joints. Kinect's y points up, an image's down.
tmor::SkeletonSequence seen_in_image(const tmor::SkeletonSequence& s);

/// As a pre-trained encoder reads clips.
Prepare prepare_for(const Pretrained& p);

}  // namespace task
