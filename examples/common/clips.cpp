#include "common/clips.hpp"

namespace task {

tmor::SkeletonSequence prepare(const tmor::SkeletonSequence& clip, const std::string& to) {
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

tmor::io::Json to_json(const InputOptions& o) {
  return {{"frames", o.frames},
          {"joint", o.streams.joint},
          {"bone", o.streams.bone},
          {"motion", o.streams.motion},
          {"known", o.streams.known},
          {"layout", o.layout},
          {"dims", o.dims}};
}

InputOptions input_from_json(const tmor::io::Json& j, const std::string& where) {
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

tmor::SkeletonSequence prepare(const tmor::SkeletonSequence& clip, const InputOptions& in) {
  TMOR_CHECK(clip.channels == in.dims, "a clip of ", clip.channels, "-D joints for a network of ", in.dims,
             "-D ones");
  return prepare(clip, in.layout);
}

Batch make_batch(const std::vector<tmor::SkeletonSequence>& clips, const std::vector<Index>& labels,
                 const tmor::Streams& streams) {
  tmor::NoGrad guard;
  const auto b = tmor::collate<tmor::Cpu>(clips);
  return {tmor::stream_channels(b, *clips.front().layout, streams), b.present,
          tmor::Tensor<Index>::from(labels)};
}

tmor::SkeletonSequence augmented(const tmor::SkeletonSequence& clip, const InputOptions& o, double mirror,
                                 tmor::Rng& rng, tmor::FrameRange* seen) {
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

Batch training_batch(const std::vector<const Clip*>& clips, const tmor::data::BatchPlan& plan,
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

std::vector<View> test_views(const InputOptions& o) {
  std::vector<View> v;
  for (const bool mirror : {false, true})
    for (const auto& [start, length] : {std::pair{0.0, 1.0}, {0.0, 0.8}, {0.1, 0.8}, {0.2, 0.8}})
      if (!mirror || o.mirror > 0) v.push_back({start, length, mirror});
  return v;
}

Batch view_batch(const std::vector<const Clip*>& clips, std::size_t begin, std::size_t end, const View& view,
                 const InputOptions& o) {
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
