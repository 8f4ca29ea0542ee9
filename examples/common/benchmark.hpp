#pragma once
/// The programs on the untrimmed benchmarks: annotations and protocol by their official files, poses from a
/// folder, one file a video.

#include <string>

#include "common/detect.hpp"

namespace task {

struct BenchmarkSettings : DetectionSettings {
  std::string data, poses, protocol, mode = "supervised", score, joints = "lcrnet13", prompts, csv;
  double fps = 25;  ///< of annotations that count frames
  Index holdout = 0, persons = 1, online_ahead = 0;
  bool allow_missing = false, online = false;
};

/// What differs between the programs.
struct FrameBenchmark {
  std::string name;        ///< "tsu": protocols are examples/protocols/tsu-*.json
  std::string protocol;    ///< the default
  bool in_frames = false;  ///< annotations count frames, not seconds
};

int detection_benchmark(int argc, char** argv, const std::string& what, BenchmarkSettings o,
                        const FrameBenchmark& b);

}  // namespace task
