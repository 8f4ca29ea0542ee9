#pragma once
/// Frame-wise detection: train on windows, read whole videos as a stream, measure by the protocol.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "common/untrimmed.hpp"

namespace task {

using tmor::io::Json;
using SkeletonEncoder = tmor::models::SkeletonEncoder<>;

/// The tokens of one video by an encoder of that stride.
Tensor<> video_tokens(const Encode& encode, Index stride, const Video& v, const DetectionSettings& o,
                      bool mirror = false);

/// Lines `id step s_1 ... s_C`, steps from 0, or from 1 where the protocol has a number of them.
void write_frame_scores(const std::string& path, const std::vector<tmor::FrameScores>& scores,
                        const tmor::eval::Protocol& p);

/// Writes the page where the options say so.
void report_detection(const Json& r, const VideoSet& set, const DetectionSettings& o,
                      std::span<const tmor::FrameScores> scores, bool logits);

/// Trains, reads the test videos once, measures. `online_ahead` of 0 or more: also with windows that see no
/// more than so many frames ahead.
Json run_detection(const VideoSet& set, const DetectionSettings& o, SkeletonEncoder pretrained = {},
                   Index online_ahead = -1);

/// Runs `body()`, which returns the result: the run folder before it, time, metrics.json and the printed line
/// after it.
void run_and_print(const cli::Program& program, const cli::Common& common, const std::function<Json()>& body);

}  // namespace task
