#pragma once
/// @file clip_change.hpp
/// What may happen to the clips of a batch, each its own, done on the batch's device in one pass that reads
/// every joint once. The same as the functions on sequences (augment.hpp, resample.hpp) with these numbers.

#include <algorithm>
#include <limits>
#include <span>

#include "tmor/autograd/grad_mode.hpp"
#include "tmor/core/each.hpp"
#include "tmor/core/math.hpp"
#include "tmor/core/rng.hpp"
#include "tmor/ops/dense.hpp"
#include "tmor/ops/reduce.hpp"
#include "tmor/skeleton/resample.hpp"
#include "tmor/skeleton/streams.hpp"

TMOR_BEGIN

/// What happens to one clip, in this order: a stretch of its frames is taken; left and right are exchanged;
/// p -> matrix p + shift; noise is added; joints and frames are lost. Nothing, as it is made.
struct ClipChange {
  FrameRange stretch;   ///< of the frames, made longer or shorter as by `resample`; length 0: all of them
  bool mirror = false;  ///< exchanges left and right joints and flips x about 0, as `mirror_` of no image
  float matrix[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};  ///< in rows; 2-D: of the first two of each
  float shift[3] = {};
  float noise = 0;       ///< standard deviation
  float joint_drop = 0;  ///< probability that a person's joint is missing in the whole clip
  float frame_drop = 0;  ///< probability that a frame is missing, for all persons
  Rng::State random;     ///< what noise and drops are drawn from
};

namespace detail {

/// One joint of the result, C coordinates: a body for `run_each`.
template <int C> struct ChangeClips {
  const float *x, *known;
  const ClipChange* changes;
  const Index* partner;  ///< of each joint
  float *y, *y_known;
  Index persons, from, frames, joints;  ///< `from` frames become `frames`
  bool narrow;

  TMOR_HD void operator()(Index e) const {
    Index rest = e;
    const Index v = take_digit(rest, joints, narrow), t = take_digit(rest, frames, narrow),
                m = take_digit(rest, persons, narrow);
    const ClipChange& change = changes[rest];
    float p[C] = {};
    bool there = look(change, (rest * persons + m) * from, t, change.mirror ? partner[v] : v, p);
    if (there && change.joint_drop > 0)
      there = !(chance(change, kJoints, m * joints + v) < change.joint_drop);
    if (there && change.frame_drop > 0) there = !(chance(change, kFrames, t) < change.frame_drop);
    if (change.mirror) p[0] = -p[0];
    float q[C];
    for (int r = 0; r < C; ++r) {
      float sum = change.matrix[r][0] * p[0];
      for (int c = 1; c < C; ++c) sum = math::fma(change.matrix[r][c], p[c], sum);
      q[r] = sum + change.shift[r];
    }
    if (there && change.noise > 0) add_noise(change, (m * frames + t) * joints + v, q);
    for (int c = 0; c < C; ++c) y[e * C + c] = there ? q[c] : 0.f;
    y_known[e] = there ? 1.f : 0.f;
  }

 private:
  // What a clip's stream of random blocks is used for lies apart in it; a draw of the clip as a whole begins
  // at 0.
  static constexpr std::uint64_t kNoise = std::uint64_t{1} << 62, kJoints = 2 * kNoise, kFrames = 3 * kNoise;

  static TMOR_HD PhiloxBlock block(const ClipChange& c, std::uint64_t use, Index i) {
    return philox(c.random.seed, c.random.stream, use + static_cast<std::uint64_t>(i));
  }
  static TMOR_HD float chance(const ClipChange& c, std::uint64_t use, Index i) {
    return uniform_from_bits(block(c, use, i).word[0]);
  }

  /// Joint v in the source at the time of frame t; whether it is known there. `row`: the person's first
  /// frame among those of the batch. As `resample`: linear between two frames, and the nearer one where only
  /// one of them knows the joint.
  TMOR_HD bool look(const ClipChange& change, Index row, Index t, Index v, float* p) const {
    const Index length = change.stretch.length > 0 ? change.stretch.length : from;
    const double last = static_cast<double>(length - 1);
    const double at =
        frames == 1 ? last / 2 : last * static_cast<double>(t) / static_cast<double>(frames - 1);
    Index i = static_cast<Index>(at);
    const float w = static_cast<float>(at - static_cast<double>(i));
    i += change.stretch.length > 0 ? change.stretch.start : 0;
    const Index a = (row + i) * joints + v, b = a + joints;  // b: not there behind the last, where w is 0
    const bool now = known[a] != 0.f, then = w > 0 ? known[b] != 0.f : now;
    const bool both = now && then, later = w > 0.5f;
    const Index near = later ? b : a;
    for (int c = 0; c < C; ++c) {
      p[c] = x[(both ? a : near) * C + c];
      if (both && w > 0) p[c] = math::fma(w, x[b * C + c] - p[c], p[c]);
    }
    return both || (later ? then : now);
  }

  /// Box and Muller 1958, twice: four normal numbers.
  static TMOR_HD void add_noise(const ClipChange& change, Index i, float* q) {
    const PhiloxBlock random = block(change, kNoise, i);
    for (int c = 0; c < C; ++c) {
      const float u = (static_cast<float>(random.word[c & 2]) + 0.5f) * 0x1p-32f;
      const float turn = uniform_from_bits(random.word[(c & 2) + 1]) - (c & 1 ? 0.25f : 0.f);
      const float normal = math::sqrt(-2.f * math::log(u)) * math::cos(6.283185307179586f * turn);
      q[c] = math::fma(change.noise, normal, q[c]);
    }
  }
};

template <int C, class Device>
void run_change_clips(const SkeletonBatch<Device>& b, const ClipChange* changes, const Index* partner,
                      const SkeletonBatch<Device>& out) {
  const auto x = dense(b.x), known = dense(b.known);
  const Index n = out.known.numel(), most = std::max(n, b.x.numel());
  run_each(
      Device{}, "change_clips", n,
      ChangeClips<C>{x.data(), known.data(), changes, partner, out.x.mutable_data(), out.known.mutable_data(),
                     x.size(1), x.size(2), out.x.size(2), x.size(3), most < (Index{1} << 31)});
}

template <class Device> void check_batch(const SkeletonBatch<Device>& b, const char* op) {
  TMOR_CHECK_SHAPE(b.x.rank() == 5 && (b.x.size(4) == 2 || b.x.size(4) == 3) && b.known.rank() == 4 &&
                       narrow(b.x, 4, 0, 1).numel() == b.known.numel(),
                   "[", op, "] joints ", b.x.shape(), " and their validity ", b.known.shape(),
                   ": expected (N, M, T, V, C) and (N, M, T, V), C 2 or 3");
}

}  // namespace detail

/// Each clip n of the batch changed as `changes[n]` says, with `frames` frames; on the batch's device, by the
/// same arithmetic on every one. Missing joints stay missing and zero; persons of whom nothing is left are
/// absent. What is random depends on the clip's change alone, not on the batch or on how many threads there
/// are.
/// @throws ShapeError for shapes that do not agree, Error for stretches outside the clip, probabilities
/// outside [0, 1], and coordinates that want a gradient.
template <class Device>
SkeletonBatch<Device> change_clips(const SkeletonBatch<Device>& b, const JointLayout& layout,
                                   std::span<const ClipChange> changes, Index frames) {
  detail::check_batch(b, "change_clips");
  const Index n = b.x.size(0), persons = b.x.size(1), from = b.x.size(2), joints = b.x.size(3);
  TMOR_CHECK_SHAPE(std::ssize(changes) == n && joints == layout.size(), "[change_clips] ", changes.size(),
                   " changes and the ", layout.size(), " joints of ", layout.name, " for clips of ",
                   b.x.shape());
  TMOR_CHECK_SHAPE(from >= 1 && frames >= 1, "[change_clips] ", frames, " frames made of ", from);
  TMOR_CHECK(!needs_grad(b.x), "[change_clips] the clips want a gradient, which ends here; detach() them");
  for (const ClipChange& c : changes) {
    const FrameRange s = c.stretch;
    TMOR_CHECK(s.length >= 0 && s.start >= 0 && s.start <= from - s.length, "[change_clips] frames ", s.start,
               " to ", s.start, " + ", s.length, " of clips of ", from);
    for (const float p : {c.joint_drop, c.frame_drop})
      TMOR_CHECK(p >= 0 && p <= 1, "[change_clips] a probability of ", p, ", want 0 to 1");
    TMOR_CHECK(c.noise >= 0, "[change_clips] noise of deviation ", c.noise);
  }
  const NoGrad guard;
  SkeletonBatch<Device> out{Tensor<float, Device>::empty({n, persons, frames, joints, b.x.size(4)}),
                            Tensor<float, Device>::empty({n, persons, frames, joints}),
                            {}};
  const DeviceArray<ClipChange, Device> there(changes);
  const DeviceArray<Index, Device> partner{std::span<const Index>(layout.mirror)};
  if (b.x.size(4) == 2)
    detail::run_change_clips<2>(b, there.data(), partner.data(), out);
  else
    detail::run_change_clips<3>(b, there.data(), partner.data(), out);
  out.present = n * persons > 0 ? max(out.known, {2, 3}) : Tensor<float, Device>::zeros({n, persons});
  return out;
}

/// As `normalize_box_`, each clip by its own known joints: their box in the middle of [-1, 1]^C, its longest
/// side filling it. @throws ShapeError for shapes that do not agree.
template <class Device> SkeletonBatch<Device> normalize_box(const SkeletonBatch<Device>& b) {
  detail::check_batch(b, "normalize_box");
  constexpr float kLeast = std::numeric_limits<float>::lowest();
  const NoGrad guard;
  const auto zero = Tensor<float, Device>::zeros({}), least = Tensor<float, Device>::full({}, kLeast);
  const auto known = unsqueeze(b.known, -1);
  const auto greatest = [&](const Tensor<float, Device>& x) {  // 0 where nothing is known
    const auto most = max(where(greater(known, zero), x, least), {1, 2, 3}, true);
    return where(greater(most, least), most, zero);
  };
  const auto low = -greatest(-b.x), high = greatest(b.x);
  const auto side = max(high - low, {4}, true);
  const auto scale = where(greater(side, zero), 2 / side, Tensor<float, Device>::ones({}));
  return {(b.x - (low + high) * 0.5) * scale * known, b.known, b.present};
}

TMOR_END
