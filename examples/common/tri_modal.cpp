#include "common/tri_modal.hpp"

#include <algorithm>

#include "tmor/train/checkpoint.hpp"
#include "tmor/train/model_config.hpp"
#include "tmor/train/skeleton_model.hpp"

namespace task {

void save_model(const std::string& path, const TriModel& m) {
  tmor::train::save_checkpoint(path,
                               {{"format", "tmor tri-modal model 1"},
                                {"model", tmor::train::to_json(m.net.config)},
                                {"tokenizer", m.bpe.serialise()},
                                {"input", to_json(m.input)}},
                               tmor::train::part("", m));
}

namespace {

/// Numbers that towers of this description have at least: a file must hold them before memory is taken.
double least_parameters(const tmor::models::TriModalConfig& c) {
  const auto layers = [](Index depth, Index width) {
    return 12.0 * static_cast<double>(depth) * static_cast<double>(width) * static_cast<double>(width);
  };
  auto n = static_cast<double>(tmor::train::detail::least_parameters(c.skeleton));
  if (c.video)
    n += layers((c.video->patch > 0 ? c.video->depth : 0) + c.video->temporal_depth, c.video->dim) +
         static_cast<double>(c.video->features) * static_cast<double>(c.video->dim);
  if (c.text)
    n += layers(c.text->depth, c.text->width) +
         static_cast<double>(c.text->vocab + c.text->context) * static_cast<double>(c.text->width);
  return n;
}

}  // namespace

TriModel load_model(const std::string& path) {
  const auto state = tmor::train::read_state(path);
  TMOR_CHECK_IO(tmor::io::json_at<std::string>(state, "format", path) == "tmor tri-modal model 1", path,
                ": no tri-modal model of this version");
  Rng rng(0);
  const auto config = tmor::train::from_json<tmor::models::TriModalConfig>(
      tmor::io::json_at<tmor::io::Json>(state, "model", path), path + ": model");
  double held = 0;
  const tmor::io::SafeTensors file(path);
  for (const auto& [name, info] : file.tensors()) held += static_cast<double>(info.shape.numel());
  TMOR_CHECK_IO(least_parameters(config) <= held, path, ": model: described with at least ",
                least_parameters(config), " numbers, but the file holds ", held);
  TriModel m{tmor::models::TriModal<>(rng, config),
             tmor::BpeTokenizer::parse(tmor::io::json_at<std::string>(state, "tokenizer", path), path),
             input_from_json(tmor::io::json_at<tmor::io::Json>(state, "input", path), path + ": input")};
  tmor::train::load_checkpoint(path, tmor::train::part("", m));
  return m;
}

Tensor<> frames_of(const std::vector<const std::vector<tmor::io::Pixels>*>& videos,
                   const tmor::models::VideoConfig& c) {
  const Index size = c.height * c.width * 3;
  std::vector<float> out;
  out.reserve(static_cast<std::size_t>(std::ssize(videos) * c.frames * size));
  for (const auto* video : videos)
    for (Index k = 0; k < c.frames; ++k) {
      if (video->empty()) {
        out.insert(out.end(), static_cast<std::size_t>(size), 0.f);
        continue;
      }
      const auto& shown =
          (*video)[static_cast<std::size_t>((2 * k + 1) * std::ssize(*video) / (2 * c.frames))];
      const bool fits = shown.height == c.height && shown.width == c.width;
      const auto sized = fits ? tmor::io::Pixels() : tmor::io::resize(shown, c.height, c.width);
      for (const std::uint8_t v : fits ? shown.rgb : sized.rgb)
        out.push_back(static_cast<float>(v) / 127.5f - 1);
    }
  return Tensor<>::from(out, {std::ssize(videos), c.frames, c.height, c.width, 3});
}

namespace {

/// Stored frame features, evenly sampled to what the tower wants: (N, F, D); zeros where there are none.
Tensor<> features_of(const std::vector<tmor::data::Triplet>& triplets, const tmor::models::VideoConfig& c) {
  auto out = Tensor<>::zeros({std::ssize(triplets), c.frames, c.features});
  float* to = out.mutable_data();
  for (const auto& t : triplets) {
    TMOR_CHECK(t.features.empty() || t.feature_dim == c.features, "sample ", t.id, ": stored features of ",
               t.feature_dim, " numbers a frame; the model reads ", c.features, " (--video-features)");
    const Index have = t.features.empty() ? 0 : std::ssize(t.features) / t.feature_dim;
    for (Index k = 0; k < c.frames; ++k, to += c.features)
      if (have > 0)
        std::copy_n(t.features.data() + (2 * k + 1) * have / (2 * c.frames) * c.features, c.features, to);
  }
  return out;
}

}  // namespace

Batch skeleton_batch(const std::vector<tmor::SkeletonSequence>& clips, const InputOptions& in) {
  std::vector<tmor::SkeletonSequence> s;
  for (const auto& c : clips) s.push_back(tmor::resample(prepare(c, in), in.frames));
  return make_batch(s, std::vector<Index>(s.size(), 0), in.streams);
}

TriSamples training_triplets(const std::vector<tmor::data::Triplet>& triplets,
                             const std::vector<Index>& kinds, const std::vector<Rng>& rngs,
                             const TriModel& m) {
  const tmor::NoGrad guard;
  const auto& config = m.net.config;
  const std::size_t n = triplets.size();
  TriSamples out;
  std::vector<tmor::SkeletonSequence> skeletons;
  std::vector<const std::vector<tmor::io::Pixels>*> videos;
  std::vector<std::string> texts;
  std::vector<Index> group;
  std::vector<float> times;
  const Index frames = config.video ? config.video->frames : 0;
  const bool stored = config.video && config.video->features > 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto& t = triplets[i];
    Rng rng = rngs[i];
    out.ids.push_back(t.id);
    out.batch.has_skeleton.push_back(t.has_skeleton());
    out.batch.has_video.push_back(stored ? !t.features.empty() : !t.video.empty());
    out.batch.has_text.push_back(t.has_text());
    if (t.has_skeleton()) {
      tmor::FrameRange seen;
      skeletons.push_back(augmented(prepare(t.skeleton, m.input), m.input, 0, rng, &seen));
      for (Index k = 0; k < frames; ++k) {  // video frames are evenly spaced over the whole clip
        const double at = (static_cast<double>(k) + 0.5) / static_cast<double>(frames) *
                          static_cast<double>(t.skeleton.frames);
        times.push_back(
            static_cast<float>((at - static_cast<double>(seen.start)) / static_cast<double>(seen.length)));
      }
    } else {
      skeletons.push_back({});
      times.insert(times.end(), static_cast<std::size_t>(frames), -1.f);
    }
    videos.push_back(&t.video);
    texts.push_back(t.has_text() ? t.texts[static_cast<std::size_t>(rng.uniform_int(std::ssize(t.texts)))]
                                 : "");
    const auto equal = std::find(texts.begin(), texts.end(), texts.back());
    group.push_back(t.has_text() ? equal - texts.begin() : static_cast<Index>(i));
  }
  const auto real =
      std::find_if(skeletons.begin(), skeletons.end(), [](const auto& s) { return s.frames > 0; });
  if (real != skeletons.end()) {
    const auto empty = tmor::SkeletonSequence::make(real->layout, 1, m.input.frames, real->channels);
    for (auto& s : skeletons)
      if (s.frames == 0) s = empty;
    const auto b = make_batch(skeletons, group, m.input.streams);
    out.batch.skeleton = b.x;
    out.batch.present = b.present;
  }
  const auto any = [](const std::vector<bool>& has) {
    return std::find(has.begin(), has.end(), true) != has.end();
  };
  if (config.video && any(out.batch.has_video)) {
    (stored ? out.batch.features : out.batch.frames) =
        stored ? features_of(triplets, *config.video) : frames_of(videos, *config.video);
    out.batch.video_time = Tensor<>::from(times, {std::ssize(triplets), frames});
  }
  if (config.text && any(out.batch.has_text)) out.batch.text = tokens_of(texts, m.bpe, config.text->context);
  out.batch.group = Tensor<Index>::from(group);
  out.batch.kind = Tensor<Index>::from(kinds);
  return out;
}

}  // namespace task
