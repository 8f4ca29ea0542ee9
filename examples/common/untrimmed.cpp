#include "common/untrimmed.hpp"

namespace task {

void add_detection_options(cli::Program& p, DetectionSettings& o) {
  p.choice("--size", o.size, {"tiny", "small", "base"}, "width of the encoder");
  p.choice("--stream", o.streams, {"joint", "bone", "motion", "early", "ensemble"},
           "input: one stream, all three in one network, or a network for each with their logits averaged");
  p.option("--batch", o.batch, "windows a step").check(cli::at_least<Index>(1));
  p.option("--lr", o.lr, "highest learning rate").check(cli::at_least(0.0));
  p.option("--weight-decay", o.weight_decay, "AdamW's").check(cli::at_least(0.0));
  p.option("--dropout", o.dropout, "of frame tokens and in the head").check(cli::in_range(0.0, 0.95));
  p.option("--ema", o.ema, "decay of the averaged parameters that are tested; 0: none")
      .check(cli::in_range(0.0, 0.99999));
  p.option("--clip", o.clip, "bound on the norm of the gradient; 0: none").check(cli::at_least(0.0));
  p.option("--validate-every", o.validate_every, "epochs").check(cli::at_least<Index>(1));
  p.option("--steps-per-second", o.steps_per_second,
           "predictions a second; annotations are half a second exact")
      .check(cli::in_range(0.1, 60.0));
  p.option("--frames", o.input.frames, "frames of a window, at that rate times the encoder's stride")
      .check(cli::in_range<Index>(8, 4096));
  p.option("--hop", o.hop, "frames from one window to the next").check(cli::at_least<Index>(1));
  p.option("--ahead", o.ahead, "frames of a window behind those it is read for; -1: half of the rest")
      .check(cli::at_least<Index>(-1));
  p.choice(
      "--normalise", o.normalise, {"body", "box", "face"},
      "windows: pelvis to the origin and torso to 1; box to [-1, 1]; body, turned to face the camera (3-D)");
  p.option("--balance", o.balance, "share of training windows on an action of a random class")
      .check(cli::in_range(0.0, 1.0));
  p.option("--mirror", o.input.mirror, "probability, training").check(cli::in_range(0.0, 1.0));
  p.option("--rotate", o.input.rotate, "radians at most, training").check(cli::at_least(0.0));
  p.option("--turn", o.turn, "radians at most about the vertical, training, 3-D").check(cli::at_least(0.0));
  p.option("--speed", o.speed, "change of tempo at most, training").check(cli::in_range(0.0, 0.9));
  p.option("--scale", o.input.scale, "change of size at most, training").check(cli::in_range(0.0, 0.9));
  p.option("--shear", o.input.shear, "at most, training").check(cli::at_least(0.0));
  p.option("--noise", o.input.noise, "of coordinates, training").check(cli::at_least(0.0));
  p.option("--joint-drop", o.input.joint_drop, "probability, training").check(cli::in_range(0.0, 0.9));
  p.choice("--head", o.head, {"tcn", "mstct"},
           "dilated convolutions, or stages of attention and convolution at several scales (offline only)");
  p.option("--head-layers", o.head_layers, "of the dilated head, 0: a linear one; stages of mstct")
      .check(cli::in_range<Index>(0, 12));
  p.option("--head-width", o.head_width, "of these layers or stages; of mstct a multiple of 4")
      .check(cli::in_range<Index>(1, 4096));
  p.option("--head-blocks", o.head_blocks, "of a stage of mstct").check(cli::in_range<Index>(1, 12));
  p.option("--head-epochs", o.head_epochs,
           "then train a head on the frozen tokens of whole videos, in place of the dilated one that "
           "trained with the encoder; 0: keep that of the windows")
      .check(cli::at_least<Index>(0));
  p.option("--head-window", o.head_window, "with it: steps that this head is trained on at once, at most")
      .check(cli::in_range<Index>(8, 100'000));
  p.flag("--causal", o.causal, "a head that sees earlier steps only");
  p.flag("--flip", o.flip, "average with the mirrored video");
  p.option("--predictions", o.predictions,
           "write the scores of every step of the test videos, as `score` reads");
  p.option("--report", o.report, "write the result as an HTML page; without it, report.html in --out");
  o.common.gpu = check_gpu;
  p.add(o.common);
}

namespace {

/// Frames `start`, `start + speed`, ... of a video, linear between its own; missing outside it.
tmor::SkeletonSequence cut_window(const tmor::SkeletonSequence& s, double start, double speed, Index frames) {
  auto out = s.like(frames);
  for (Index t = 0; t < frames; ++t) {
    const double p = start + speed * static_cast<double>(t);
    if (p < 0 || p > static_cast<double>(s.frames - 1)) continue;
    const Index i = static_cast<Index>(p);
    for (Index m = 0; m < s.persons; ++m)
      tmor::detail::blend_frame(s, m, i, static_cast<float>(p - static_cast<double>(i)), out, t);
  }
  return out;
}

}  // namespace

void prepare_window(tmor::SkeletonSequence& w, const std::string& normalise) {
  tmor::fill_gaps_(w);
  if (normalise == "box") {
    tmor::normalize_box_(w);
  } else {
    tmor::normalize_body_(w, tmor::BodyCenter::kClip);
    if (normalise == "face") tmor::face_camera_(w);
  }
}

WindowSampler::WindowSampler(const std::vector<Video>& videos, Index classes, Index stride,
                             const DetectionSettings& o)
    : videos_(videos), classes_(classes), stride_(stride), o_(o), rate_(o.rate(stride)) {
  std::vector<std::vector<Place>> of(static_cast<std::size_t>(classes));
  for (std::size_t v = 0; v < videos.size(); ++v) {
    frames_ += videos[v].poses.frames;
    ends_.push_back(frames_);
    for (const auto& a : videos[v].truth.spans)
      if (a.end > a.start && a.start < videos[v].truth.length)
        of[static_cast<std::size_t>(a.action)].push_back(
            {v, a.start, std::min(a.end, videos[v].truth.length)});
  }
  for (auto& c : of)
    if (!c.empty()) actions_.push_back(std::move(c));
}

WindowBatch WindowSampler::operator()(const tmor::data::BatchPlan& plan) const {
  const Index n = std::ssize(plan.samples), t = o_.input.frames / stride_;
  WindowBatch b{{}, Tensor<>::zeros({n, t, classes_}), Tensor<bool>::zeros({n, t, classes_})};
  std::vector<tmor::SkeletonSequence> windows;
  for (Index i = 0; i < n; ++i) {
    Rng rng = plan.rng(plan.samples[static_cast<std::size_t>(i)]);
    windows.push_back(
        window(rng, b.y.mutable_data() + i * t * classes_, b.counted.mutable_data() + i * t * classes_));
  }
  b.input = make_batch(windows, std::vector<Index>(windows.size(), 0), o_.input.streams);
  return b;
}

tmor::SkeletonSequence WindowSampler::window(Rng& rng, float* y, bool* counted) const {
  const double speed = std::exp(rng.uniform(-1, 1) * std::log1p(o_.speed)),
               length = speed * static_cast<double>(o_.input.frames);
  std::size_t v;
  double middle;
  if (!actions_.empty() && rng.bernoulli(o_.balance)) {
    const auto& places = actions_[static_cast<std::size_t>(rng.uniform_int(std::ssize(actions_)))];
    const auto& p = places[static_cast<std::size_t>(rng.uniform_int(std::ssize(places)))];
    v = p.video;
    middle = rng.uniform(p.start, p.end) * rate_ + rng.uniform(-0.4, 0.4) * length;
  } else {
    const Index at = rng.uniform_int(frames_);
    v = static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), at) - ends_.begin());
    middle = static_cast<double>(at - (v == 0 ? 0 : ends_[v - 1]));
  }
  const Video& video = videos_[v];
  const double start = middle - length / 2;
  auto w = cut_window(video.poses, start, speed, o_.input.frames);
  prepare_window(w, o_.normalise);
  if (w.channels == 3 && o_.turn > 0) tmor::rotate_(w, 0, rng.uniform(-o_.turn, o_.turn), 0);
  tmor::augment_(w,
                 {.mirror = o_.input.mirror,
                  .rotate = o_.input.rotate,
                  .scale = o_.input.scale,
                  .shear = o_.input.shear,
                  .noise = o_.input.noise,
                  .joint_drop = o_.input.joint_drop},
                 rng);
  for (Index k = 0; k < o_.input.frames / stride_; ++k) {
    const double p = start + speed * static_cast<double>(k * stride_), seconds = p / rate_;
    if (p < 0 || p >= static_cast<double>(video.poses.frames)) continue;
    std::fill_n(counted + k * classes_, classes_, true);
    for (const auto& a : video.truth.spans)
      if (seconds > a.start && seconds < a.end) y[k * classes_ + a.action] = 1;
  }
  return w;
}

tmor::eval::TokenStream::Encode window_encoder(Encode encode, const DetectionSettings& o, bool mirror) {
  return [encode = std::move(encode), &o, mirror](const tmor::SkeletonSequence& raw) {
    auto w = raw;
    prepare_window(w, o.normalise);
    if (mirror) tmor::mirror_(w);
    const auto tokens = encode(make_batch({w}, {0}, o.input.streams)).tokens;
    return tmor::reshape(tokens, {tokens.size(1), tokens.size(2)});
  };
}

}  // namespace task
