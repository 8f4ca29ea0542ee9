#pragma once
/// Long pose sequences for frame-wise detection: what training sees of them, and how they are read whole. The
/// same for every data set of untrimmed videos.

#include <optional>
#include <string>
#include <vector>

#include "common/cli.hpp"
#include "common/device.hpp"
#include "common/encoder.hpp"
#include "tmor/eval/detection.hpp"
#include "tmor/eval/protocol.hpp"
#include "tmor/eval/stream.hpp"
#include "tmor/models/skeleton/encoder.hpp"

namespace task {

/// One video at the encoder's rate.
struct Video {
  std::string id;
  tmor::SkeletonSequence poses;
  tmor::Timeline truth;  ///< in seconds
  Index rows = 0;        ///< that are measured; 0: one for each step
};

/// A data set of untrimmed videos, ready for the network.
struct VideoSet {
  std::vector<std::string> classes;
  std::vector<Video> train, test;
  std::string poses;  ///< "Kinect v1 3-D joints (20)"
  std::string split;  ///< "trained on subjects 1 to 6, tested on ..."
  tmor::eval::Protocol protocol;
  std::vector<tmor::Timeline> truth;  ///< of the test side, in the unit of the annotations
  double units = 1;                   ///< of the annotations in a second
  bool validation = false;            ///< `test` is a part of the training side
};

/// The options that the programs on untrimmed videos share.
struct DetectionSettings {
  cli::Common common;
  std::string size = "small", predictions, init, normalise = "body", report, head = "tcn", streams = "early";
  Index batch = 16, validate_every = 10, head_layers = 3, head_width = 128, head_blocks = 1, head_epochs = 0;
  Index head_window = 300;
  double lr = 2e-3, weight_decay = 0.05, dropout = 0.3, ema = 0.998, clip = 5;
  double steps_per_second = 2.5;  ///< frame tokens, and so predictions, a second
  Index hop = 16, ahead = -1;     ///< frames of a window; -1: as much context behind as before
  double balance = 0.5;           ///< share of training windows placed on an action of a random class
  double turn = 0, speed = 0.2;   ///< radians about the vertical (3-D); change of tempo
  bool flip = false, causal = false;
  InputOptions input;  ///< `frames` is the window, `layout` the joints that the encoder reads

  tmor::eval::StreamOptions stream(double fps, Index stride) const {
    tmor::eval::StreamOptions s{
        .fps = fps, .rate = rate(stride), .window = input.frames, .hop = hop, .ahead = ahead};
    if (ahead < 0) s.ahead = (input.frames - hop) / 2 / stride * stride;
    return s;
  }
  /// Where the page goes; empty: nowhere.
  std::string report_path() const {
    return !report.empty() ? report : common.out.empty() ? "" : common.out + "/report.html";
  }
  double rate(Index stride) const { return steps_per_second * static_cast<double>(stride); }

  /// The head of tokens of `width` numbers; `rows` of them are seen at once in training.
  tmor::models::FrameHeadConfig head_config(Index width, Index classes, Index rows) const {
    if (head == "mstct")
      return tmor::models::MstctConfig{.in = width,
                                       .classes = classes,
                                       .width = head_width,
                                       .stages = head_layers,
                                       .blocks = head_blocks,
                                       .dropout = dropout,
                                       .span = rows};
    return tmor::models::TcnConfig{.in = width,
                                   .classes = classes,
                                   .width = head_width,
                                   .layers = head_layers,
                                   .dropout = dropout,
                                   .causal = causal};
  }
};

void add_detection_options(cli::Program& p, DetectionSettings& o);

/// A window as the encoder reads it, without looking beyond it.
void prepare_window(tmor::SkeletonSequence& w, const std::string& normalise);

/// Where training windows come from.
class WindowSampler {
 public:
  WindowSampler(const std::vector<Video>& videos, Index classes, Index stride, const DetectionSettings& o);

  /// Windows that together are as long as the videos.
  Index windows() const { return std::max<Index>(1, frames_ / o_.input.frames); }

  WindowBatch operator()(const tmor::data::BatchPlan& plan) const;

 private:
  struct Place {
    std::size_t video;
    double start, end;  // seconds
  };

  tmor::SkeletonSequence window(Rng& rng, float* y, bool* counted) const;

  const std::vector<Video>& videos_;
  Index classes_, stride_;
  const DetectionSettings& o_;
  double rate_;
  Index frames_ = 0;
  std::vector<Index> ends_;
  std::vector<std::vector<Place>> actions_;  // of every class that has any
};

/// A window -> tokens, for `eval::TokenStream`. `o` must outlive it.
tmor::eval::TokenStream::Encode window_encoder(Encode encode, const DetectionSettings& o,
                                               bool mirror = false);

}  // namespace task
