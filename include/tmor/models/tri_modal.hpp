#pragma once
/// @file tri_modal.hpp
/// Three towers, skeleton, video and text, embedded into one space by contrast of every pair. A batch may
/// lack any modality of any sample: each pair of towers learns from the samples that have both. At inference
/// the skeleton tower works alone.

#include <algorithm>
#include <optional>

#include "tmor/losses/frame.hpp"
#include "tmor/models/skeleton/encoder.hpp"
#include "tmor/models/text/causal.hpp"
#include "tmor/models/video/vit.hpp"

TMOR_BEGIN
namespace models {

/// How the towers are compared.
enum class Contrast { info_nce, siglip };

/// The objective of a `TriModal`. A weight of 0 leaves its part out.
struct TriLossConfig {
  Contrast contrast = Contrast::info_nce;
  double skeleton_video = 1, skeleton_text = 1, video_text = 1;
  double frame = 0;        ///< of skeleton tokens against video frames at the same time; InfoNCE always
  Index frame_dim = 128;   ///< of the space they are compared in
  Index frame_margin = 1;  ///< video frames of one clip so near are no negatives of one another
};

/// What a `TriModal` is built from. A tower left out is not built, and its pairs have no loss.
struct TriModalConfig {
  SkeletonConfig skeleton = UnikConfig{};
  std::optional<VideoConfig> video;
  std::optional<CausalTextConfig> text;
  TriLossConfig loss;
};

/// N samples. Rows of a modality that a sample lacks may hold anything; a modality nobody has is undefined.
template <class T = float, class Device = Cpu> struct TriBatch {
  Tensor<T, Device> skeleton;   ///< (N, M, T, V, C)
  Tensor<T, Device> present;    ///< (N, M), 1 where there is a person; undefined: all are there
  Tensor<T, Device> frames;     ///< (N, F, H, W, 3), normalised
  Tensor<T, Device> features;   ///< (N, F, D): stored frame features, instead of `frames`
  TextBatch<Device> text;       ///< (N, L)
  Tensor<Index, Device> group;  ///< (N,): samples with equal numbers >= 0 are each other's positives
                                ///  (equal captions or classes); undefined or negative: of its own
  Tensor<Index, Device> kind;   ///< (N,): samples of equal kinds >= 0 that are no positives are no negatives
                                ///  either (the same action in other words); or undefined
  std::vector<bool> has_skeleton, has_video, has_text;  ///< N each; empty: all that the tensors are there for
  Tensor<bool, Device>
      ignore;  ///< (N, N): pairs that are no negatives (near-duplicate captions); or undefined
  Tensor<float, Device> video_time;  ///< (N, F): time of each video frame as a fraction of the skeleton clip,
                                     ///  outside [0, 1] no skeleton shows it; undefined: (f + 1/2) / F
};

/// What a loss must know of the samples besides their embeddings.
template <class Device = Cpu> struct TriTargets {
  Index size = 0;                            ///< samples, N
  std::vector<Index> skeleton, video, text;  ///< samples that have each, in order
  Tensor<Index, Device> group, kind;         ///< (N,); negative, or undefined: of its own
  Tensor<bool, Device> ignore;               ///< (N, N) or undefined
  std::vector<float> video_time;             ///< F a sample that has a video
};

/// One row a sample that has the modality, in the order of samples; undefined where nobody has it.
template <class T = float, class Device = Cpu> struct TriEmbeddings {
  Tensor<T, Device> skeleton, video, text;  ///< (n, embed), unit vectors
  Tensor<T, Device> skeleton_tokens;        ///< (n, T', frame_dim); only with a frame term
  Tensor<T, Device> video_tokens;           ///< (n, F, frame_dim); only with a frame term
};

/// The total, on the tape, and its parts for the log: detached scalars, unweighted, undefined where the batch
/// had nothing for them.
template <class T = float, class Device = Cpu> struct TriLoss {
  Tensor<T, Device> total, skeleton_video, skeleton_text, video_text, frame;
};

/// The learned scale, and for SigLIP bias, of one pair of towers.
template <class T = float, class Device = Cpu> struct PairScale {
  Param<T, Device> log_scale;  ///< scalar: logits are e^log_scale cosines
  Param<T, Device> bias;       ///< scalar, of SigLIP only

  PairScale() = default;
  explicit PairScale(Contrast c)
      : log_scale(init::constant<param_t<T>, Device>(
            {}, c == Contrast::siglip ? loss::kInitialSiglipLogScale : loss::kInitialLogScale)) {
    if (c == Contrast::siglip) bias = init::constant<param_t<T>, Device>({}, loss::kInitialSiglipBias);
  }
  static void visit(auto& self, auto&& v) {
    v.param("log_scale", self.log_scale, no_decay);
    v.param("bias", self.bias, no_decay);
  }
};

/// Is a tower trained? `body` keeps all but its last projection.
enum class Lock { none, body, all };

/// Skeleton, video and text encoders and the learned scales of their similarities.
template <class T = float, class Device = Cpu> struct TriModal {
  using P = param_t<T>;  ///< of what it is given, embeddings and losses
  using Tn = Tensor<P, Device>;

  TriModalConfig config;
  SkeletonEncoder<T, Device> skeleton;
  std::optional<VideoEncoder<T, Device>> video;
  std::optional<CausalText<T, Device>> text;
  nn::Linear<T, Device> skeleton_frame, video_frame;  ///< of the frame term; empty without
  PairScale<T, Device> sv, st, vt, frame;             ///< those whose loss has a weight

  TriModal() = default;
  /// @throws Error when embeddings differ in size.
  TriModal(Rng& rng, const TriModalConfig& c) : config(c), skeleton(rng, c.skeleton) {
    const Index embed = embed_of(c.skeleton);
    TMOR_CHECK(embed > 0, "[TriModal] the skeleton encoder has no embedding; give `embed`");
    if (c.video) {
      TMOR_CHECK(c.video->embed == embed, "[TriModal] the skeleton's embedding has ", embed,
                 " numbers and the video's ", c.video->embed);
      video.emplace(rng, *c.video);
    }
    if (c.text) {
      TMOR_CHECK(c.text->embed == embed, "[TriModal] the skeleton's embedding has ", embed,
                 " numbers and the text's ", c.text->embed);
      text.emplace(rng, *c.text);
    }
    const TriLossConfig& l = c.loss;
    if (video && l.skeleton_video > 0) sv = PairScale<T, Device>(l.contrast);
    if (text && l.skeleton_text > 0) st = PairScale<T, Device>(l.contrast);
    if (video && text && l.video_text > 0) vt = PairScale<T, Device>(l.contrast);
    if (video && l.frame > 0) {
      frame = PairScale<T, Device>(Contrast::info_nce);
      skeleton_frame = nn::Linear<T, Device>(rng, skeleton.width(), l.frame_dim);
      video_frame = nn::Linear<T, Device>(rng, c.video->dim, l.frame_dim);
    }
  }
  static void visit(auto& self, auto&& v) {
    v.setting("config", self.config);
    v.module("skeleton", self.skeleton);
    v.module("video", self.video);
    v.module("text", self.text);
    v.module("skeleton_frame", self.skeleton_frame);
    v.module("video_frame", self.video_frame);
    v.module("sv", self.sv);
    v.module("st", self.st);
    v.module("vt", self.vt);
    v.module("frame", self.frame);
    v.setting("skeleton_lock", self.skeleton_lock_);
    v.setting("video_lock", self.video_lock_);
    v.setting("text_lock", self.text_lock_);
  }

  /// Stops, or starts again, the training of towers: a locked one runs in evaluation mode and gets no
  /// gradient. Call it before the optimiser is made, or make the optimiser skip what wants no gradient.
  void lock(Lock of_skeleton, Lock of_video, Lock of_text) {
    lock_(skeleton, skeleton.project(), skeleton_lock_ = of_skeleton);
    if (video) lock_(*video, video->project, video_lock_ = of_video);
    if (text) lock_(*text, text->project, text_lock_ = of_text);
  }
  /// Keeps every log-scale at or below ln 100; call it after each step of the optimiser.
  void limit_scales_() const {
    for (const auto* s : {&sv, &st, &vt, &frame})
      if (s->log_scale.defined()) loss::limit_log_scale_(s->log_scale);
  }

  /// Unit vectors (N, embed) of clips, videos and texts. @throws Error without the tower.
  Tn embed_skeletons(const Tn& x, const Context& ctx, const Tn& present = {}) const {
    return unit(skeleton(x, context(ctx, skeleton_lock_), present).embed);
  }
  Tn embed_frames(const Tn& x, const Context& ctx) const {
    TMOR_CHECK(video, "[TriModal] built without a video tower");
    return unit((*video)(x, context(ctx, video_lock_)).embed);
  }
  Tn embed_features(const Tn& x, const Context& ctx) const {
    TMOR_CHECK(video, "[TriModal] built without a video tower");
    return unit(video->of_features(x, context(ctx, video_lock_)).embed);
  }
  Tn embed_texts(const TextBatch<Device>& t, const Context& ctx) const {
    TMOR_CHECK(text, "[TriModal] built without a text tower");
    return unit((*text)(t.ids, t.last, context(ctx, text_lock_)));
  }

  /// Everything the loss compares, of the samples that have it.
  TriEmbeddings<P, Device> embed(const TriBatch<P, Device>& b, const TriTargets<Device>& t,
                                 const Context& ctx) const {
    TriEmbeddings<P, Device> out;
    const bool frames = skeleton_frame.w.defined();
    const auto pick = [&](const auto& x, const std::vector<Index>& of) {
      return !x.defined() || std::ssize(of) == x.size(0)
                 ? x
                 : index_select(x, 0, Tensor<Index, Device>::from(of));
    };
    if (!t.skeleton.empty()) {
      const auto f =
          skeleton(pick(b.skeleton, t.skeleton), context(ctx, skeleton_lock_), pick(b.present, t.skeleton));
      out.skeleton = unit(f.embed);
      if (frames) out.skeleton_tokens = to<P>(skeleton_frame(f.tokens));
    }
    if (video && !t.video.empty()) {
      const Context c = context(ctx, video_lock_);
      const auto f = b.frames.defined() ? (*video)(pick(b.frames, t.video), c)
                                        : video->of_features(pick(b.features, t.video), c);
      out.video = unit(f.embed);
      if (frames) out.video_tokens = to<P>(video_frame(f.tokens));
    }
    if (text && !t.text.empty())
      out.text = embed_texts({pick(b.text.ids, t.text), pick(b.text.last, t.text)}, ctx);
    return out;
  }

  /// Who has what, and who belongs to whom. @throws ShapeError where sizes of the batch differ.
  static TriTargets<Device> targets(const TriBatch<P, Device>& b) {
    TMOR_CHECK(!b.frames.defined() || !b.features.defined(), "[TriBatch] frames and features; give one");
    const auto& clip = b.frames.defined() ? b.frames : b.features;
    Index n = -1;
    const auto same = [&](bool defined, Index size, const char* what) {
      if (!defined) return;
      if (n < 0) n = size;
      TMOR_CHECK_SHAPE(size == n, "[TriBatch] ", what, " of ", size, " samples beside others of ", n);
    };
    const auto first = [](const auto& x) { return x.defined() && x.rank() > 0 ? x.size(0) : 0; };
    same(b.skeleton.defined(), first(b.skeleton), "skeletons");
    same(clip.defined(), first(clip), "videos");
    same(b.text.ids.defined(), first(b.text.ids), "texts");
    same(b.group.defined(), first(b.group), "groups");
    same(b.kind.defined(), first(b.kind), "kinds");
    TMOR_CHECK_SHAPE(n > 0, "[TriBatch] no samples");
    TMOR_CHECK_SHAPE(!b.ignore.defined() || b.ignore.shape() == (Shape{n, n}), "[TriBatch] ignored pairs ",
                     b.ignore.defined() ? b.ignore.shape() : Shape{}, " for ", n, " samples");
    const auto having = [&](const std::vector<bool>& has, bool defined, const char* what) {
      TMOR_CHECK_SHAPE(has.empty() || std::ssize(has) == n, "[TriBatch] ", what, " of ", has.size(),
                       " samples instead of ", n);
      std::vector<Index> out;
      for (Index i = 0; defined && i < n; ++i)
        if (has.empty() || has[static_cast<std::size_t>(i)]) out.push_back(i);
      return out;
    };
    TriTargets<Device> t;
    t.size = n;
    t.skeleton = having(b.has_skeleton, b.skeleton.defined(), "has_skeleton");
    t.video = having(b.has_video, clip.defined(), "has_video");
    t.text = having(b.has_text, b.text.ids.defined(), "has_text");
    t.group = b.group;
    t.kind = b.kind;
    t.ignore = b.ignore;
    if (clip.defined()) {
      const Index f = clip.size(1);
      TMOR_CHECK_SHAPE(!b.video_time.defined() || b.video_time.shape() == (Shape{n, f}), "[TriBatch] times ",
                       b.video_time.defined() ? b.video_time.shape() : Shape{}, " of ", n, " x ", f,
                       " frames");
      const auto given = b.video_time.defined() ? b.video_time.to_vector() : std::vector<float>();
      for (const Index i : t.video)
        for (Index k = 0; k < f; ++k)
          t.video_time.push_back(given.empty() ? (static_cast<float>(k) + 0.5f) / static_cast<float>(f)
                                               : given[static_cast<std::size_t>(i * f + k)]);
    }
    return t;
  }

  /// The targets of batches put one after the other; `ignore` is of all their samples together.
  static TriTargets<Device> join(const std::vector<TriTargets<Device>>& parts,
                                 const Tensor<bool, Device>& ignore = {}) {
    TriTargets<Device> all;
    std::vector<Tensor<Index, Device>> groups, kinds;
    for (const auto& p : parts) {
      TMOR_CHECK(!p.ignore.defined(),
                 "[TriModal] ignored pairs of a part of a batch; give those of the whole");
      const Index before = all.size;
      const auto append = [&](std::vector<Index>& to, const std::vector<Index>& from) {
        for (const Index i : from) to.push_back(before + i);
      };
      append(all.skeleton, p.skeleton);
      append(all.video, p.video);
      append(all.text, p.text);
      all.size += p.size;
      groups.push_back(p.group);
      kinds.push_back(p.kind);
      all.video_time.insert(all.video_time.end(), p.video_time.begin(), p.video_time.end());
    }
    const auto numbers = [&](std::vector<Tensor<Index, Device>>& of) -> Tensor<Index, Device> {
      if (std::none_of(of.begin(), of.end(), [](const auto& x) { return x.defined(); })) return {};
      for (std::size_t i = 0; i < of.size(); ++i)
        if (!of[i].defined()) of[i] = Tensor<Index, Device>::full({parts[i].size}, -1);
      return concat(of, 0);
    };
    all.group = numbers(groups);
    all.kind = numbers(kinds);
    const Index n = all.size;
    TMOR_CHECK_SHAPE(!ignore.defined() || ignore.shape() == (Shape{n, n}), "[TriModal] ignored pairs ",
                     ignore.defined() ? ignore.shape() : Shape{}, " for ", n, " samples");
    all.ignore = ignore;
    return all;
  }

  /// The weighted sum of the pairs' losses, each a mean over the samples that have both modalities (two of
  /// them at least, or the part is left out). @throws Error when no part is left.
  TriLoss<P, Device> loss(const TriEmbeddings<P, Device>& e, const TriTargets<Device>& t) const {
    TriLoss<P, Device> out;
    each_part(e, t, out,
              [&](const Tn& weighted) { out.total = out.total.defined() ? out.total + weighted : weighted; });
    return out;
  }
  /// The same part by part: computes each, notes it in `log`, and calls `f` with it times its weight before
  /// the next is computed.
  template <class F>
  void each_part(const TriEmbeddings<P, Device>& e, const TriTargets<Device>& t, TriLoss<P, Device>& log,
                 F&& f) const {
    bool any = false;
    const auto add = [&](double weight, const Tn& part, Tn& place) {
      if (!part.defined()) return;
      any = true;
      place = part.detach();
      f(part * weight);
    };
    const TriLossConfig& w = config.loss;
    add(w.skeleton_video, pair(sv, e.skeleton, t.skeleton, e.video, t.video, t), log.skeleton_video);
    add(w.skeleton_text, pair(st, e.skeleton, t.skeleton, e.text, t.text, t), log.skeleton_text);
    add(w.video_text, pair(vt, e.video, t.video, e.text, t.text, t), log.video_text);
    add(w.frame, moments(e, t), log.frame);
    TMOR_CHECK(any,
               "[TriModal] no two samples of the batch have the same two modalities of those that are "
               "compared: nothing to learn from");
  }
  TriLoss<P, Device> loss(const TriBatch<P, Device>& b, const Context& ctx) const {
    const auto t = targets(b);
    return loss(embed(b, t, ctx), t);
  }

 private:
  Lock skeleton_lock_ = Lock::none, video_lock_ = Lock::none, text_lock_ = Lock::none;

  static Tn unit(const Tensor<T, Device>& embed) { return l2_normalize(to<P>(embed)); }
  static Context context(Context ctx, Lock lock) {
    if (lock != Lock::none) ctx.training = false;
    return ctx;
  }
  template <class Tower>
  static void lock_(const Tower& tower, const nn::Linear<T, Device>& project, Lock lock) {
    set_trainable<param_t<T>, Device>(tower, lock == Lock::none);
    set_trainable<param_t<T>, Device>(project, lock != Lock::all);
  }

  /// Where the samples that both lists name are in each: (sample, place in a, place in b).
  struct Both {
    std::vector<Index> sample, a, b;
  };
  static Both both(const std::vector<Index>& a, const std::vector<Index>& b) {
    Both out;
    for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
      if (a[i] == b[j]) {
        out.sample.push_back(a[i]);
        out.a.push_back(static_cast<Index>(i));
        out.b.push_back(static_cast<Index>(j));
      }
      const bool next_a = a[i] <= b[j], next_b = b[j] <= a[i];
      i += next_a, j += next_b;
    }
    return out;
  }
  template <class S>
  static Tensor<S, Device> pick(const Tensor<S, Device>& x, const std::vector<Index>& at, Index dim = 0) {
    return std::ssize(at) == x.size(dim) ? x : index_select(x, dim, Tensor<Index, Device>::from(at));
  }
  /// Groups of samples, those of their own told apart by their places; undefined where all are.
  static Tensor<Index, Device> labels(const Tensor<Index, Device>& groups,
                                      const std::vector<Index>& samples) {
    if (!groups.defined()) return {};
    const auto own = arange<Index, Device>(-1, -1 - groups.size(0), -1);
    return pick(where(less(groups, Tensor<Index, Device>::scalar(0)), own, groups), samples);
  }

  Tn pair(const PairScale<T, Device>& s, const Tn& a, const std::vector<Index>& of_a, const Tn& b,
          const std::vector<Index>& of_b, const TriTargets<Device>& t) const {
    if (!s.log_scale.defined()) return {};
    const Both w = both(of_a, of_b);
    if (w.sample.size() < 2) return {};
    const auto ids = labels(t.group, w.sample);
    const auto kinds = t.kind.defined() ? pick(t.kind, w.sample) : t.kind;
    const auto ignore = t.ignore.defined() ? pick(pick(t.ignore, w.sample), w.sample, 1) : t.ignore;
    const Tn x = pick(a, w.a), y = pick(b, w.b);
    if (config.loss.contrast == Contrast::siglip)
      return loss::siglip<P, Device, T>(x, y, s.log_scale, s.bias, ids, ignore, kinds);
    return loss::info_nce<P, Device, T>(x, y, s.log_scale, ids, ignore, kinds);
  }

  Tn moments(const TriEmbeddings<P, Device>& e, const TriTargets<Device>& t) const {
    if (!frame.log_scale.defined()) return {};
    const Both w = both(t.skeleton, t.video);
    if (w.sample.empty()) return {};
    const Index f = e.video_tokens.size(1), n = std::ssize(w.sample);
    const auto groups = labels(t.group, w.sample);
    const auto group = groups.defined() ? groups.to_vector() : w.sample;
    std::vector<float> times;
    std::vector<Index> shown;  // frames whose time the skeleton clip covers
    loss::Moments m;
    m.margin = config.loss.frame_margin;
    for (Index i = 0; i < n; ++i)
      for (Index k = 0; k < f; ++k) {
        const auto in = [i](const std::vector<Index>& v) { return v[static_cast<std::size_t>(i)]; };
        const float time = t.video_time[static_cast<std::size_t>(in(w.b) * f + k)];
        times.push_back(time);
        if (!(time >= 0 && time <= 1)) continue;
        shown.push_back(i * f + k);
        m.clip.push_back(i);
        m.group.push_back(in(group));
        m.place.push_back(k);
      }
    if (shown.size() < 2) return {};
    const auto flat = [&](const Tn& x) { return pick(reshape(x, {n * f, x.size(2)}), shown); };
    const auto a = loss::at_times(pick(e.skeleton_tokens, w.a), Tensor<float, Device>::from(times, {n, f}));
    return loss::frame_info_nce<P, Device, T>(flat(a), flat(pick(e.video_tokens, w.b)), frame.log_scale, m);
  }
};

}  // namespace models
TMOR_END
