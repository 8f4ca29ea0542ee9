#pragma once
/// Skeleton clips as a network reads them: repaired and normalised once, then cropped, resampled and
/// augmented each time a batch is made. The same for every data set of trimmed clips.

#include <functional>
#include <string>
#include <vector>

#include "common/batch.hpp"
#include "tmor/data/loader.hpp"
#include "tmor/io/json.hpp"
#include "tmor/metrics/classification.hpp"
#include "tmor/skeleton/streams.hpp"
#include "tmor/skeleton/transforms.hpp"

namespace task {

/// One prepared clip.
struct Clip {
  std::string id;
  tmor::SkeletonSequence sequence;
  Index label = 0;
  bool train = false;
  Index subject = -1;  ///< -1: not known
};

/// A data set of trimmed clips, ready for the network.
struct ClipSet {
  std::vector<std::string> classes;
  std::vector<Clip> clips;
  std::string poses;     ///< "manual 2-D poses (13 joints)"
  std::string protocol;  ///< what is measured, for the result
  tmor::EmptyClass empty = tmor::EmptyClass::kSkip;

  const tmor::JointLayout& layout() const { return *clips.front().sequence.layout; }
  Index coordinates() const { return clips.front().sequence.channels; }
};

/// How clips become network input; part of every run's configuration.
struct InputOptions {
  Index frames = 64;      ///< T of the network
  double crop_low = 0.6;  ///< shortest part of a clip that training sees
  double rotate = 0.25, scale = 0.2, shear = 0.15, noise = 0.01, joint_drop = 0.1;
  double mirror =
      0.5;  ///< probability, training; 0 where classes say left and right: then no test view is mirrored
  tmor::Streams streams{};
  std::string layout = "penn13";  ///< joints of the network's input
  Index dims = 2;                 ///< coordinates of a joint
};

/// How a data set's clip becomes input.
using Prepare = std::function<tmor::SkeletonSequence(tmor::SkeletonSequence)>;

/// A clip of any layout as networks read it: gaps filled, in the layout `to`. In two dimensions its box is
/// [-1, 1]^2. In three the person is turned to face the camera in the first frame, the mean pelvis of the
/// clip is the origin and the torso 1 long; where the person goes stays to be seen.
tmor::SkeletonSequence prepare(const tmor::SkeletonSequence& clip, const std::string& to);

/// What an exported model needs to know of them.
tmor::io::Json to_json(const InputOptions& o);

/// @throws IoError naming `where`.
InputOptions input_from_json(const tmor::io::Json& j, const std::string& where);

/// The same for a network of this input. @throws Error for clips of other dimensions.
tmor::SkeletonSequence prepare(const tmor::SkeletonSequence& clip, const InputOptions& in);

Batch make_batch(const std::vector<tmor::SkeletonSequence>& clips, const std::vector<Index>& labels,
                 const tmor::Streams& streams);

/// A prepared clip as training sees it: a random part (told in `seen` where given), mirrored with probability
/// `mirror`, turned, scaled and sheared at random.
tmor::SkeletonSequence augmented(const tmor::SkeletonSequence& clip, const InputOptions& o, double mirror,
                                 tmor::Rng& rng, tmor::FrameRange* seen = nullptr);

/// A training batch of prepared clips.
Batch training_batch(const std::vector<const Clip*>& clips, const tmor::data::BatchPlan& plan,
                     const InputOptions& o);

/// A way to look at a test clip: a part of it, mirrored or not. Scores or embeddings of several are averaged.
struct View {
  double start = 0, length = 1;  ///< fractions of the clip
  bool mirror = false;
};

/// The whole clip and its three overlapping 4/5 parts, each also mirrored where training mirrors.
std::vector<View> test_views(const InputOptions& o);

/// Clips [begin, end) under one view.
Batch view_batch(const std::vector<const Clip*>& clips, std::size_t begin, std::size_t end, const View& view,
                 const InputOptions& o);

}  // namespace task
