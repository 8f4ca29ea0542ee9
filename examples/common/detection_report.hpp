#pragma once
/// A result of frame-wise detection as one HTML page: figures under every policy, AP of each class, curves of
/// the training, and what happens when in some test videos beside what was told.

#include <span>
#include <string>
#include <vector>

#include "tmor/io/json.hpp"
#include "tmor/metrics/frame_map.hpp"

namespace task {

/// What the page shows beside the result.
struct DetectionPage {
  std::string title;
  std::vector<std::string> classes;
  std::span<const tmor::Timeline> truth;
  double units = 1;                           ///< of the truth in a second
  std::span<const tmor::FrameScores> scores;  ///< of any order
  bool logits = true;                         ///< their sigmoids are probabilities; otherwise only an order
  std::string log;                            ///< log.jsonl of the training; empty: there was none
};

/// `r`: what `eval::score_frames` gave, perhaps with more. @throws IoError
void write_detection_report(const std::string& path, const tmor::io::Json& r, const DetectionPage& p);

}  // namespace task
