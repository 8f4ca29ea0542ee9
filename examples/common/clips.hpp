#pragma once
/// Skeleton clips as a network reads them: repaired and normalised once, then cropped, resampled and
/// augmented each time a batch is made. The same for every data set of trimmed clips.

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

/// A clip of any layout as networks read it: gaps filled, in the layout `to`. In two dimensions its box is
/// [-1, 1]^2. In three the person is turned to face the camera in the first frame, the mean pelvis of the
/// clip is the origin and the torso 1 long; where the person goes stays to be seen.
inline tmor::SkeletonSequence prepare(const tmor::SkeletonSequence& clip, const std::string& to) {
  tmor::SkeletonSequence s =
      clip.layout->name == to ? clip
                              : tmor::map_joints(clip, tmor::make_map(clip.layout, tmor::joint_layout(to)));
  tmor::fill_gaps_(s);
  if (s.channels == 2) {
    tmor::normalize_box_(s);
  } else {
    tmor::normalize_body_(s, tmor::BodyCenter::kClip);
    tmor::face_camera_(s);
  }
  return s;
}

/// What an exported model needs to know of them.
inline tmor::io::Json to_json(const InputOptions& o) {
  return {{"frames", o.frames},
          {"joint", o.streams.joint},
          {"bone", o.streams.bone},
          {"motion", o.streams.motion},
          {"known", o.streams.known},
          {"layout", o.layout},
          {"dims", o.dims}};
}
/// @throws IoError naming `where`.
inline InputOptions input_from_json(const tmor::io::Json& j, const std::string& where) {
  InputOptions o;
  o.frames = tmor::io::json_at<Index>(j, "frames", where);
  TMOR_CHECK_IO(o.frames >= 4 && o.frames <= 4096, where, ": clips of ", o.frames, " frames");
  auto on = [&](const char* key) { return tmor::io::json_at<bool>(j, key, where); };
  o.streams = {on("joint"), on("bone"), on("motion"), on("known")};
  o.layout = tmor::io::json_at<std::string>(j, "layout", where);
  if (j.contains("dims")) o.dims = tmor::io::json_at<Index>(j, "dims", where);
  TMOR_CHECK_IO(o.dims == 2 || o.dims == 3, where, ": joints of ", o.dims, " coordinates");
  return o;
}

/// The same for a network of this input. @throws Error for clips of other dimensions.
inline tmor::SkeletonSequence prepare(const tmor::SkeletonSequence& clip, const InputOptions& in) {
  TMOR_CHECK(clip.channels == in.dims, "a clip of ", clip.channels, "-D joints for a network of ", in.dims,
             "-D ones");
  return prepare(clip, in.layout);
}

inline Batch make_batch(const std::vector<tmor::SkeletonSequence>& clips, const std::vector<Index>& labels,
                        const tmor::Streams& streams) {
  tmor::NoGrad guard;
  const auto b = tmor::collate<tmor::Cpu>(clips);
  return {tmor::stream_channels(b, *clips.front().layout, streams), b.present,
          tmor::Tensor<Index>::from(labels)};
}

/// A prepared clip as training sees it: a random part (told in `seen` where given), mirrored with probability
/// `mirror`, turned, scaled and sheared at random.
inline tmor::SkeletonSequence augmented(const tmor::SkeletonSequence& clip, const InputOptions& o,
                                        double mirror, tmor::Rng& rng, tmor::FrameRange* seen = nullptr) {
  const auto part = tmor::random_range(clip, o.crop_low, 1.0, rng);
  if (seen) *seen = part;
  auto s = tmor::resample(clip, part.start, part.length, o.frames);
  tmor::augment_(s,
                 {.mirror = mirror,
                  .rotate = o.rotate,
                  .scale = o.scale,
                  .shear = o.shear,
                  .noise = o.noise,
                  .joint_drop = o.joint_drop},
                 rng);
  return s;
}

/// A training batch of prepared clips.
inline Batch training_batch(const std::vector<const Clip*>& clips, const tmor::data::BatchPlan& plan,
                            const InputOptions& o) {
  std::vector<tmor::SkeletonSequence> s;
  std::vector<Index> labels;
  for (Index i : plan.samples) {
    const Clip& c = *clips[static_cast<std::size_t>(i)];
    tmor::Rng rng = plan.rng(i);
    s.push_back(augmented(c.sequence, o, o.mirror, rng));
    labels.push_back(c.label);
  }
  return make_batch(s, labels, o.streams);
}

/// A way to look at a test clip: a part of it, mirrored or not. Scores or embeddings of several are averaged.
struct View {
  double start = 0, length = 1;  ///< fractions of the clip
  bool mirror = false;
};
/// The whole clip and its three overlapping 4/5 parts, each also mirrored where training mirrors.
inline std::vector<View> test_views(const InputOptions& o) {
  std::vector<View> v;
  for (const bool mirror : {false, true})
    for (const auto& [start, length] : {std::pair{0.0, 1.0}, {0.0, 0.8}, {0.1, 0.8}, {0.2, 0.8}})
      if (!mirror || o.mirror > 0) v.push_back({start, length, mirror});
  return v;
}

/// Clips [begin, end) under one view.
inline Batch view_batch(const std::vector<const Clip*>& clips, std::size_t begin, std::size_t end,
                        const View& view, const InputOptions& o) {
  std::vector<tmor::SkeletonSequence> s;
  std::vector<Index> labels;
  for (std::size_t i = begin; i < end; ++i) {
    const auto& seq = clips[i]->sequence;
    const Index start = static_cast<Index>(view.start * static_cast<double>(seq.frames));
    const Index length =
        std::max<Index>(1, static_cast<Index>(view.length * static_cast<double>(seq.frames)));
    s.push_back(tmor::resample(seq, start, std::min(length, seq.frames - start), o.frames));
    if (view.mirror) tmor::mirror_(s.back());
    labels.push_back(clips[i]->label);
  }
  return make_batch(s, labels, o.streams);
}

}  // namespace task
