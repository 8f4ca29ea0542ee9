#pragma once
/// A trained frame-wise detector with all that is needed to use it, in one file.

#include "common/untrimmed.hpp"

namespace task {

/// What detects: tokens by the encoder, logits by a head that may have been trained on them anew.
struct Detector {
  tmor::models::SkeletonEncoder<> encoder;
  tmor::eval::DetectionModel head;

  static void visit(auto& self, auto&& v) {
    v.module("encoder", self.encoder);
    v.module("head", self.head);
  }
};

/// A detector, what it detects, and how its windows are cut and normalised.
struct DetectorFile {
  Detector detector;
  std::vector<std::string> classes;
  DetectionSettings settings;
};

tmor::io::Json to_json(const tmor::models::FrameHeadConfig& config);

/// Without "kind": a dilated one. @throws IoError
tmor::models::FrameHeadConfig head_from_json(const tmor::io::Json& head, const std::string& where);

void save_detector(const std::string& path, const Detector& d, const std::vector<std::string>& classes,
                   const DetectionSettings& o);

/// @throws IoError for a file that cannot be read, is damaged or holds no detector.
DetectorFile load_detector(const std::string& path);

}  // namespace task
