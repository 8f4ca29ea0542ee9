#pragma once
/// @file stream.hpp
/// Long pose sequences in bounded memory: frames go in one at a time, frame tokens come out, then class
/// logits. A file of 50,000 frames and a camera take the same path, so that what is measured offline is what
/// runs online.
///
/// Frames are brought to the encoder's rate, gathered into overlapping windows, and every window is encoded
/// by itself: normalisation, filled gaps and convolutions see nothing beyond it. Of each window the tokens of
/// `hop` frames are kept, with frames of context before them and `ahead` frames behind. A small `ahead` is
/// little delay, half of the rest of the window is most context.

#include <algorithm>
#include <functional>
#include <vector>

#include "tmor/models/detection/tcn.hpp"
#include "tmor/ops/movement.hpp"
#include "tmor/skeleton/resample.hpp"

TMOR_BEGIN
namespace eval {

/// How a sequence is cut. Lengths are frames at `rate`, multiples of the encoder's stride.
struct StreamOptions {
  double fps = 25;    ///< of the frames that are pushed
  double rate = 16;   ///< frames a second that the encoder reads
  Index window = 64;  ///< frames that are encoded at once
  Index hop = 16;     ///< frames from one window to the next
  Index ahead = 24;   ///< frames behind those whose tokens are kept

  Index before() const { return window - hop - ahead; }
};

/// @throws Error for windows that cannot be, or lengths that are no multiple of `stride`.
inline void check(const StreamOptions& o, Index stride) {
  TMOR_CHECK(o.fps > 0 && o.rate > 0 && o.fps <= 1000 && o.rate <= 1000, "[stream] ", o.fps,
             " frames a second brought to ", o.rate, ", want more than 0 and at most 1000");
  TMOR_CHECK(stride >= 1 && o.hop >= 1 && o.ahead >= 0 && o.before() >= 0 && o.window % stride == 0 &&
                 o.hop % stride == 0 && o.ahead % stride == 0,
             "[stream] windows of ", o.window, " frames every ", o.hop, " with ", o.ahead,
             " ahead: want multiples of the encoder's stride ", stride, ", and window >= hop + ahead");
}

/// Where frame j at `rate` lies among frames at `fps`.
inline double source_position(Index j, double fps, double rate) {
  return static_cast<double>(j) * (fps / rate);
}

/// The sequence at another rate, linear between frames: all frames j with source_position(j) <= frames - 1.
/// @throws Error for rates that are not above 0.
inline SkeletonSequence at_rate(const SkeletonSequence& s, double fps, double rate) {
  check({.fps = fps, .rate = rate}, 1);
  Index n = 0;
  while (source_position(n, fps, rate) <= static_cast<double>(s.frames - 1)) ++n;
  auto out = s.like(n);
  out.fps = static_cast<float>(rate);
  for (Index j = 0; j < n; ++j) {
    const double p = source_position(j, fps, rate);
    const Index i = static_cast<Index>(p);
    for (Index m = 0; m < s.persons; ++m)
      tmor::detail::blend_frame(s, m, i, static_cast<float>(p - static_cast<double>(i)), out, j);
  }
  return out;
}

/// Frames in, tokens out.
class TokenStream {
 public:
  /// A window -> its tokens (window / stride, W).
  using Encode = std::function<Tensor<>(const SkeletonSequence&)>;

  /// `like` has the layout, persons and coordinates of the frames to come. @throws Error as `check`.
  TokenStream(const SkeletonSequence& like, Index stride, const StreamOptions& options, Encode encode)
      : options_(options), stride_(stride), encode_(std::move(encode)), pair_(like.like(2)) {
    check(options, stride);
    window_ = like.like(options.window);
    window_.fps = static_cast<float>(options.rate);
    filled_ = options.before();
  }

  /// Frame `t` of `s` is the next one. @returns the tokens (n, W) that are complete now; undefined for none.
  /// @throws ShapeError for another layout, number of persons or coordinates.
  Tensor<> push(const SkeletonSequence& s, Index t) {
    TMOR_CHECK_SHAPE(s.layout == pair_.layout && s.persons == pair_.persons && s.channels == pair_.channels,
                     "[TokenStream] a frame of ", s.persons, " persons in ", s.channels,
                     " coordinates, layout ", s.layout->name, "; the stream has ", pair_.persons, ", ",
                     pair_.channels, ", ", pair_.layout->name);
    for (Index m = 0; m < s.persons; ++m) {
      tmor::detail::copy_frame(pair_, m, 1, pair_, m, 0);
      tmor::detail::copy_frame(s, m, t, pair_, m, 1);
    }
    const Index newest = pushed_++;
    std::vector<Tensor<>> out;
    for (;; ++taken_) {
      const double p = source_position(taken_, options_.fps, options_.rate);
      if (p > static_cast<double>(newest)) break;
      const Index i = static_cast<Index>(p);  // the frame before the newest, or the newest itself
      for (Index m = 0; m < s.persons; ++m) {
        if (i == newest)
          tmor::detail::copy_frame(pair_, m, 1, window_, m, filled_);
        else
          tmor::detail::blend_frame(pair_, m, 0, static_cast<float>(p - static_cast<double>(i)), window_,
                                    filled_);
      }
      if (++filled_ == options_.window) out.push_back(encode_window());
    }
    return joined(out);
  }

  /// The tokens still missing: there are no frames any more. One for each `stride` frames begun.
  Tensor<> finish() {
    std::vector<Tensor<>> out;
    while (given_ * stride_ < taken_) {
      out.push_back(encode_window());
      const Index surplus = given_ - (taken_ + stride_ - 1) / stride_;
      if (surplus > 0) {
        out.back() = narrow(out.back(), 0, 0, out.back().size(0) - surplus);
        given_ -= surplus;
      }
    }
    return joined(out);
  }

  /// Frames at `rate` so far.
  Index frames() const { return taken_; }

 private:
  Tensor<> encode_window() {
    const NoGrad guard;
    const Tensor<> tokens = encode_(window_);
    TMOR_CHECK_SHAPE(tokens.rank() == 2 && tokens.size(0) == options_.window / stride_,
                     "[TokenStream] tokens ", tokens.shape(), " of a window of ", options_.window,
                     " frames: want one for ", stride_, " frames");
    const Index rows = options_.hop / stride_;
    given_ += rows;
    for (Index m = 0; m < window_.persons; ++m)
      for (Index t = 0; t < window_.frames; ++t) {
        if (t + options_.hop < window_.frames) {
          tmor::detail::copy_frame(window_, m, t + options_.hop, window_, m, t);
        } else {
          std::fill_n(window_.point(m, t), window_.joints * window_.channels, 0.f);
          std::fill_n(window_.state(m, t), window_.joints, std::uint8_t{kMissing});
        }
      }
    filled_ -= options_.hop;
    return contiguous(narrow(tokens, 0, options_.before() / stride_, rows));
  }
  static Tensor<> joined(const std::vector<Tensor<>>& parts) {
    const NoGrad guard;
    return parts.empty() ? Tensor<>() : parts.size() == 1 ? parts[0] : concat(parts, 0);
  }

  StreamOptions options_;
  Index stride_;
  Encode encode_;
  SkeletonSequence pair_, window_;  // the last two frames pushed; the window that fills
  Index pushed_ = 0, taken_ = 0;    // frames in at fps, and at rate
  Index filled_ = 0, given_ = 0;    // frames of the window; tokens out
};

/// All tokens (T, W) of a sequence that is at hand.
inline Tensor<> stream_tokens(const SkeletonSequence& s, Index stride, const StreamOptions& o,
                              TokenStream::Encode encode) {
  const NoGrad guard;
  TokenStream stream(s, stride, o, std::move(encode));
  std::vector<Tensor<>> parts;
  const auto keep = [&](const Tensor<>& x) {
    if (x.defined()) parts.push_back(x);
  };
  for (Index t = 0; t < s.frames; ++t) keep(stream.push(s, t));
  keep(stream.finish());
  return concat(parts, 0);
}

/// Tokens in, logits out: a head of which a logit depends on `before` tokens before and `after` behind its
/// own, run on the few tokens that it needs.
class HeadStream {
 public:
  /// Tokens (T, W) -> logits (T, classes).
  using Head = std::function<Tensor<>(const Tensor<>&)>;

  HeadStream(Head head, Index before, Index after) : head_(std::move(head)), before_(before), after_(after) {
    TMOR_CHECK(before >= 0 && after >= 0, "[HeadStream] ", before, " tokens before and ", after, " behind");
  }
  /// For a `TcnHead` of this configuration.
  HeadStream(Head head, const models::TcnConfig& c)
      : HeadStream(std::move(head), (c.causal ? 2 : 1) * c.reach(), c.causal ? 0 : c.reach()) {}

  /// The next tokens (n, W); undefined ones are none. @returns the logits complete now; undefined for none.
  Tensor<> push(const Tensor<>& tokens) {
    const NoGrad guard;
    if (tokens.defined()) {
      kept_ = kept_.defined() ? concat<float, Cpu>({kept_, tokens}, 0) : tokens;
      total_ += tokens.size(0);
    }
    return logits_until(total_ - after_);
  }
  /// The logits still missing: there are no tokens any more.
  Tensor<> finish() {
    const NoGrad guard;
    return logits_until(total_);
  }
  Index after() const { return after_; }

 private:
  Tensor<> logits_until(Index end) {
    if (end <= next_) return {};
    const Index first = total_ - kept_.size(0);  // number of the first token kept
    const auto y = contiguous(narrow(head_(kept_), 0, next_ - first, end - next_));
    next_ = end;
    const Index drop = std::min(std::max<Index>(0, next_ - before_ - first), kept_.size(0) - 1);
    if (drop > 0) kept_ = contiguous(narrow(kept_, 0, drop, kept_.size(0) - drop));
    return y;
  }

  Head head_;
  Index before_, after_;
  Tensor<> kept_;
  Index total_ = 0, next_ = 0;  // tokens in, logits out
};

/// Seconds from the moment that a step speaks for until its logits are out, at most: the rest of its window,
/// the windows of the tokens that the head wants to see first, and a frame to come between two of which one
/// is made.
inline double stream_delay(const StreamOptions& o, Index stride, Index head_after = 0) {
  return static_cast<double>(o.hop + o.ahead - 1 + head_after * stride) / o.rate + 1 / o.fps;
}

/// Scores (T, classes) of steps `step` seconds apart, first at 0, at `rows` times spread evenly over
/// `seconds`: linear between steps, the last one held. What `FrameScores` and score files want.
/// @throws ShapeError, Error for sizes below 1 or no time.
inline std::vector<float> scores_at_rows(const Tensor<>& scores, double step, double seconds, Index rows) {
  TMOR_CHECK_SHAPE(scores.defined() && scores.rank() == 2 && scores.size(0) >= 1, "[scores_at_rows] scores ",
                   scores.shape(), ": want (T, classes)");
  TMOR_CHECK(step > 0 && seconds > 0 && rows >= 1, "[scores_at_rows] steps of ", step, " s over ", seconds,
             " s, ", rows, " rows");
  const Index t = scores.size(0), c = scores.size(1);
  const std::vector<float> from = scores.to_vector();
  std::vector<float> out(static_cast<std::size_t>(rows * c));
  for (Index r = 0; r < rows; ++r) {
    const double at = std::min(static_cast<double>(r) / static_cast<double>(rows) * seconds / step,
                               static_cast<double>(t - 1));
    const Index i = static_cast<Index>(at), j = std::min(i + 1, t - 1);
    const auto w = static_cast<float>(at - static_cast<double>(i));
    for (Index k = 0; k < c; ++k) {
      const float a = from[static_cast<std::size_t>(i * c + k)],
                  b = from[static_cast<std::size_t>(j * c + k)];
      out[static_cast<std::size_t>(r * c + k)] = a + w * (b - a);
    }
  }
  return out;
}

}  // namespace eval
TMOR_END
