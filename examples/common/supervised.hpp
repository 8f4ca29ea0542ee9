#pragma once
/// Classification of trimmed clips: train with labels, measure once.

#include <string>
#include <vector>

#include "common/training.hpp"

namespace task {

using tmor::io::Json;

/// The official split, or every n-th training clip set aside when choosing hyper-parameters.
struct Sides {
  std::vector<const Clip*> train, test;
};

Sides sides_of(const std::vector<Clip>& clips, double holdout);

/// A part of each class, one clip at least, drawn at random.
std::vector<const Clip*> part_of(const std::vector<const Clip*>& clips, Index classes, double part,
                                 std::uint64_t seed);

/// A line a clip: its id and the score of each class, blanks between.
void write_predictions(const std::string& path, const std::vector<const Clip*>& clips,
                       const Tensor<>& scores);

Json accuracy_json(const Tensor<>& scores, const std::vector<Index>& labels, tmor::EmptyClass empty);

/// What is measured, and on how many clips of it.
std::string protocol_text(const ClipSet& set, const Training& o, const std::string& how);

/// Trained networks' figures, and their mean probabilities on the test side.
struct Supervised {
  Json figures;
  Tensor<> probabilities;  ///< (test clips, classes)
};

/// One network, or one for each stream of an ensemble.
Supervised train_supervised(const ClipSet& set, const Sides& sides, const Training& o,
                            const std::string& out);

/// How `train_supervised` measures.
std::string supervised_text(const Training& o);

Json run_supervised(const ClipSet& set, const Training& o, const std::string& out);

}  // namespace task
