#pragma once
/// @file set.hpp
/// Samples by number: sample i is a function of (options, seed, i) alone.
///
/// How hard it is, fixed before any model was trained on it: one nearest neighbour by L2 on body coordinates
/// of 32 frames (gaps filled, `normalize_body_`, 2-D, default options), 2,000 clips of Split::kTrain against
/// 1,000 of Split::kTestBodies, names 39 of 100 actions rightly; chance is 4.
///
/// 3-D skeletons turned by half a turn about y are what a Kinect gives (x to its left, z away from it), and
/// `face_camera_` works on them. Beware of `mirror_`: it makes left actions of right ones, but not their
/// texts.

#include <string>
#include <vector>

#include "tmor/data/synth/captions.hpp"
#include "tmor/data/synth/estimator.hpp"
#include "tmor/data/synth/render.hpp"
#include "tmor/data/triplet.hpp"

TMOR_BEGIN
namespace data::synth {

/// Changes whenever the output for some options and seed does.
inline constexpr int kVersion = 3;

struct SynthOptions {
  Split split = Split::kTrain;
  Index frames = 64;              ///< T of the skeleton; detection wants about 200
  float fps = 20;                 ///< frames / fps seconds, at least 1.5
  std::string layout = "unik17";  ///< any registered one
  Index channels = 2;      ///< 2: pixels; 3: metres in the camera's axes (x right, y up, z to the viewer)
  double noise = 1;        ///< of the skeleton; 0: exact
  Index video_frames = 8;  ///< F; 0: nothing is rendered
  Index width = 64, height = 64;  ///< of the picture, known to 2-D skeletons rendered or not
  Index captions = 2;             ///< texts a sample; 0: none
  /// Most actions a clip; 0: 1, or 6 in the detection splits. Of clips that may have several, those with
  /// exactly one keep their class in `action`.
  Index most_actions = 0;
};

/// What a sample shows, known without making it.
struct Label {
  Index action = -1;          ///< as in the triplet; -1 for a sequence
  Index combination = -1;     ///< of `combinations()`; -1 for a sequence
  std::vector<Style> styles;  ///< in time
};

/// The skeleton frame that video frame k of `frames` shows.
inline Index shown_frame(Index k, Index frames, Index skeleton_frames) {
  return (2 * k + 1) * skeleton_frames / (2 * frames);
}

/// A data set of `size` samples. Immutable and cheap to copy; calls may come from any thread.
class SynthSet {
 public:
  /// @throws Error for options that make no sense, naming the option, and unknown layouts.
  SynthSet(SynthOptions options, std::uint64_t seed, Index size);

  Index size() const { return size_; }
  const SynthOptions& options() const { return o_; }

  /// Sample i. @throws Error for an i out of range.
  Triplet operator()(Index i) const;
  Label label(Index i) const;
  /// What the frames of sample i's video show, for `draw_on`.
  std::vector<Picture> pictures(Index i) const;
  /// The script behind sample i.
  Script script(Index i) const {
    return make_script({o_.split, seconds(), most_actions()}, sample_rng(i).fork(1));
  }

 private:
  /// What happens in sample i, and where it is seen from.
  struct Shot {
    Script script;
    std::vector<Joints> motion;
    View view;
  };
  Shot shot(Index i) const;
  Scene scene(const Shot& s, Index i) const {
    return Scene(s.script, s.view, o_.width, o_.height, sample_rng(i).fork(4));
  }
  Picture picture(const Shot& s, const Scene& scene, Index k) const {
    const Index t = shown_frame(k, o_.video_frames, o_.frames);
    return scene.picture(s.motion[static_cast<std::size_t>(t)], static_cast<float>(t) / o_.fps);
  }
  float seconds() const { return static_cast<float>(o_.frames) / o_.fps; }
  Index most_actions() const {
    return o_.most_actions > 0 ? o_.most_actions : is_detection(o_.split) ? 6 : 1;
  }
  Rng sample_rng(Index i) const {
    TMOR_CHECK(i >= 0 && i < size_, "synth: sample ", i, " of ", size_);
    return Rng(seed_).fork(static_cast<std::uint64_t>(o_.split)).fork(static_cast<std::uint64_t>(i));
  }

  SynthOptions o_;
  std::uint64_t seed_;
  Index size_;
  LayoutPtr layout_;
};

inline SynthSet::SynthSet(SynthOptions options, std::uint64_t seed, Index size)
    : o_(std::move(options)), seed_(seed), size_(size), layout_(joint_layout(o_.layout)) {
  TMOR_CHECK(size >= 0, "synth: size ", size, ", want at least 0");
  TMOR_CHECK(o_.frames >= 2 && o_.frames <= 100000, "synth: frames ", o_.frames, ", want 2 to 100000");
  TMOR_CHECK(o_.fps > 0 && seconds() >= 1.5f, "synth: ", o_.frames, " frames at ", o_.fps,
             " a second are too short to act; want at least 1.5 seconds");
  TMOR_CHECK(o_.channels == 2 || o_.channels == 3, "synth: channels ", o_.channels, ", want 2 or 3");
  TMOR_CHECK(o_.noise >= 0 && o_.noise <= 100, "synth: noise ", o_.noise, ", want 0 to 100");
  TMOR_CHECK(o_.video_frames >= 0 && o_.video_frames <= o_.frames, "synth: video_frames ", o_.video_frames,
             ", want 0 to the ", o_.frames, " frames of the skeleton");
  TMOR_CHECK(o_.width >= 8 && o_.height >= 8 && o_.width <= 4096 && o_.height <= 4096, "synth: pictures of ",
             o_.width, " x ", o_.height, ", want 8 to 4096");
  TMOR_CHECK(o_.captions >= 0 && o_.captions <= 1000, "synth: captions ", o_.captions, ", want 0 to 1000");
  TMOR_CHECK(o_.most_actions >= 0 && o_.most_actions <= 1000, "synth: most_actions ", o_.most_actions,
             ", want 0 to 1000");
}

inline Label SynthSet::label(Index i) const {
  Label l;
  for (const Event& e : script(i).events) l.styles.push_back(e.style);
  if (l.styles.size() == 1) {
    l.action = static_cast<Index>(l.styles[0].action);
    l.combination = combination_id({l.styles[0].action, l.styles[0].side});
  }
  return l;
}

inline SynthSet::Shot SynthSet::shot(Index i) const {
  Shot s{script(i), std::vector<Joints>(static_cast<std::size_t>(o_.frames)), {}};
  for (Index t = 0; t < o_.frames; ++t)
    s.motion[static_cast<std::size_t>(t)] = joints_at(s.script, static_cast<float>(t) / o_.fps);
  s.view = make_view(s.motion, {o_.width, o_.height, is_test(o_.split)}, sample_rng(i).fork(2));
  return s;
}

inline std::vector<Picture> SynthSet::pictures(Index i) const {
  const Shot s = shot(i);
  const Scene scene = this->scene(s, i);
  std::vector<Picture> out;
  for (Index k = 0; k < o_.video_frames; ++k) out.push_back(picture(s, scene, k));
  return out;
}

inline Triplet SynthSet::operator()(Index i) const {
  constexpr std::string_view names[] = {"train",  "bodies",          "actions",
                                        "combos", "detection_train", "detection_test"};
  const Rng rng = sample_rng(i);
  const Shot shot = this->shot(i);
  const Script& script = shot.script;

  Triplet out;
  std::string number = std::to_string(i);
  number.insert(0, number.size() < 8 ? 8 - number.size() : 0, '0');
  out.id =
      tmor::detail::cat("synth", kVersion, "_", names[static_cast<int>(o_.split)], "_", seed_, "_", number);
  out.skeleton = estimate(shot.motion, shot.view, script.body.height,
                          {layout_, o_.channels, o_.fps, o_.width, o_.height, o_.noise}, rng.fork(3));
  if (o_.video_frames > 0) {
    const Scene scene = this->scene(shot, i);
    const Canvas room = scene.room();
    for (Index k = 0; k < o_.video_frames; ++k)
      out.video.push_back(draw(picture(shot, scene, k), room, scene.margin()));
  }
  Rng words = rng.fork(5);
  for (Index k = 0; k < o_.captions; ++k) out.texts.push_back(caption(script, words));
  for (const Event& e : script.events) {
    const auto frame = [&](float t) { return std::clamp<Index>(std::lround(t * o_.fps), 0, o_.frames); };
    out.segments.push_back({frame(e.begin), frame(e.end), static_cast<Index>(e.style.action)});
  }
  if (script.events.size() == 1) out.action = out.segments[0].action;
  return out;
}

/// The videos of samples, drawn on a device, as towers read them: (N, F, height, width, 3) in [-1, 1].
template <class Device>
Tensor<float, Device> draw_videos(const SynthSet& set, std::span<const Index> samples) {
  std::vector<Picture> pictures;
  for (const Index i : samples)
    for (Picture& p : set.pictures(i)) pictures.push_back(std::move(p));
  const SynthOptions& o = set.options();
  return draw_on<Device>(pictures, {std::ssize(samples), o.video_frames, o.height, o.width, 3});
}

/// One sample; the same as SynthSet(options, seed, number + 1)(number).
inline Triplet make(const SynthOptions& options, std::uint64_t seed, Index number) {
  return SynthSet(options, seed, number + 1)(number);
}

}  // namespace data::synth
TMOR_END
