#pragma once
/// @file conv_time.hpp
/// The k x 1 convolution over time of channels-last clips, forward and both gradients. In (N, T, V, C) layout
/// a tap reads the same rows moved by whole frames, so the convolution is one matrix product with a segment a
/// tap: no im2col. Only the frames of one block of the output are copied, with their zero padding, where they
/// stay in cache.

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "tmor/cpu/conv_time_pairs.hpp"

TMOR_BEGIN

namespace cpu {

/// Sizes of a convolution over time: x (n, t, v, c_in), w (taps, c_in, c_out), y (n, t_out(), v, c_out), all
/// contiguous, y[n, t, v] = sum_tap x[n, t * stride + tap * dilation - pad, v] w[tap], frames outside x
/// counting as zero.
struct ConvTime {
  Index n = 0, t = 0, v = 0, c_in = 0, c_out = 0, taps = 1;
  Index stride = 1, dilation = 1, pad = 0;

  Index t_out() const { return (t + 2 * pad - (taps - 1) * dilation - 1) / stride + 1; }

  /// Throws ShapeError unless the sizes make sense and leave at least one frame of output.
  void check() const {
    TMOR_CHECK_SHAPE(n >= 0 && t >= 1 && v >= 0 && c_in >= 0 && c_out >= 0 && taps >= 1,
                     "conv_time: bad sizes: n ", n, ", t ", t, ", v ", v, ", channels ", c_in, " to ", c_out,
                     ", taps ", taps);
    TMOR_CHECK_SHAPE(stride >= 1 && dilation >= 1 && pad >= 0, "conv_time: stride ", stride, ", dilation ",
                     dilation, ", pad ", pad, ": stride and dilation must be at least 1, pad at least 0");
    TMOR_CHECK_SHAPE(t + 2 * pad >= (taps - 1) * dilation + 1, "conv_time: ", taps, " taps with dilation ",
                     dilation, " do not fit into ", t, " frames padded by ", pad, " on both sides");
  }
};

namespace detail {

/// By pairs of frames, where that can be done and pays.
inline std::optional<PairedConv> in_pairs(const ConvTime& s) {
  const PairedConv p{s.n, s.t, s.v, s.c_in, s.c_out, s.taps, s.pad};
  if (s.stride == 1 && s.dilation == 1 && s.pad >= 0 && pays(p)) return p;
  return {};
}

/// Copies `count` frames of `v` rows of `c` numbers from a clip of `t` frames: first, first + step, ...;
/// zeros outside the clip. Rows land `out_row` apart.
template <class T>
void gather_frames(const T* clip, Index t, Index v, Index c, Index first, Index step, Index count, T* out,
                   Index out_row) {
  for (Index i = 0; i < count; ++i, out += v * out_row) {
    const Index frame = first + i * step;
    if (frame < 0 || frame >= t) {
      std::memset(out, 0, static_cast<std::size_t>(v * out_row) * sizeof(T));
    } else if (out_row == c) {
      std::memcpy(out, clip + frame * v * c, static_cast<std::size_t>(v * c) * sizeof(T));
    } else {
      for (Index r = 0; r < v; ++r) {
        std::memcpy(out + r * out_row, clip + (frame * v + r) * c, static_cast<std::size_t>(c) * sizeof(T));
      }
    }
  }
}

/// Frames [first, end) of a block whose tap reads a frame of the clip, not its zero padding.
struct FrameSpan {
  Index first, end;
};

/// The frames t of [t0, t1) with 0 <= t * stride + shift < frames, counted from t0.
inline FrameSpan frames_inside(Index t0, Index t1, Index stride, Index shift, Index frames) {
  const auto least = [&](Index from) {  // the first t with t * stride + shift >= from
    const Index t = from <= shift ? 0 : (from - shift + stride - 1) / stride;
    return std::clamp(t, t0, t1) - t0;
  };
  return {least(0), least(frames)};
}

/// Trims the blocks of a product with a segment a tap: rows whose frames all taps of the block read from the
/// padding. `shift(segment)` falls or rises with the tap; the block's frames are [t0, t1).
template <class Shift> struct SkipPadding {
  Index t0, t1, stride, frames, v;
  Shift shift;
  void operator()(const KPlan::Block& block, BlockExtent& e) const {
    const auto a = frames_inside(t0, t1, stride, shift(block.segment), frames);
    const auto b = frames_inside(t0, t1, stride, shift(block.segment + block.segments - 1), frames);
    e.row = std::min(a.first, b.first) * v;
    e.row_end = std::max({a.end * v, b.end * v, e.row});
  }
};
template <class Shift> SkipPadding(Index, Index, Index, Index, Index, Shift) -> SkipPadding<Shift>;

/// The frames of x that a block of output needs, copied so that every tap reads consecutive rows: for each
/// remainder of the padded frame number by the stride that some tap needs, its frames in turn.
template <class T> struct ShiftedFrames {
  ConvTime s;
  Index row, reach, frames;   ///< distance of rows; frames beyond the block's own; frames a remainder
  std::vector<Index> offset;  ///< where each tap starts in the copy
  std::vector<char> needed;   ///< remainders

  /// For blocks of up to `block` frames of output.
  ShiftedFrames(const ConvTime& sizes, Index block)
      : s(sizes),
        row(padded_row<T>(s.c_in)),
        reach((s.taps - 1) * s.dilation / s.stride),
        frames(block + reach),
        needed(static_cast<std::size_t>(s.stride), 0) {
    for (Index tap = 0; tap < s.taps; ++tap) {
      const Index from = tap * s.dilation;
      needed[static_cast<std::size_t>(from % s.stride)] = 1;
      offset.push_back((from % s.stride * frames + from / s.stride) * s.v * row);
    }
  }

  /// The copy for output frames [t0, t1) of the clip at `x`, in the calling thread's scratch memory.
  const T* gather(const T* x, Index t0, Index t1) const {
    T* copy = scratch<T>(Scratch::conv, s.stride * frames * s.v * row);
    for (Index phase = 0; phase < s.stride; ++phase) {
      if (!needed[static_cast<std::size_t>(phase)]) continue;
      gather_frames(x, s.t, s.v, s.c_in, t0 * s.stride + phase - s.pad, s.stride, t1 - t0 + reach,
                    copy + phase * frames * s.v * row, row);
    }
    return copy;
  }
};

/// Packs the weights of the chosen taps (offsets `at`) for products by (k x n) matrices of the given strides.
template <class T>
Panels<T> pack_taps(const T* w, Index k, Index n, Index row, Index col, const std::vector<Index>& at) {
  Panels<T> panels(KPlan(k, static_cast<Index>(at.size())), n, w, row, col, at.data(), false);
  panels.set_packed(scratch<T>(Scratch::pack_b, panels.packed_size()));
  parallel_for(panels.plan().blocks(), 1, [&](Index b, Index) { panels.pack(b, 0, panels.packed_count()); });
  return panels;
}

}  // namespace detail

/// The weights of a convolution, packed once for many inputs of the same number of frames.
template <class T> class PackedTaps final : public Derived {
 public:
  PackedTaps(const ConvTime& s, const T* w) {
    if (const auto p = detail::in_pairs(s)) {
      memory_ =
          Cpu::allocate(static_cast<std::size_t>(detail::PairedWeights<T>::packed_size(*p)) * sizeof(T));
      pairs.emplace(*p, w, false, static_cast<T*>(memory_->data()));
    } else {
      taps = make_ref<PackedB<T>>(s.c_in, s.c_out, w, s.c_out, Index{1}, s.taps, s.c_in * s.c_out);
    }
  }
  std::optional<detail::PairedWeights<T>> pairs;  ///< where it pays (cpu/conv_time_pairs.hpp)
  Ref<PackedB<T>> taps;                           ///< else: a segment a tap

 private:
  Ref<Storage> memory_;
};
/// `PackedTaps` of `w`, kept with its memory until its contents change.
template <class T> Ref<PackedTaps<T>> kept_taps(const ConvTime& s, const Tensor<T, Cpu>& w) {
  const bool in_pairs = detail::in_pairs(s).has_value();
  return kept<PackedTaps<T>>(w, {w.body().offset, s.c_in, s.c_out, s.taps, in_pairs, 0, 0, 1},
                             [&] { return make_ref<PackedTaps<T>>(s, w.data()); });
}

/// y = the convolution of x with w (see ConvTime). `hook` as for `gemm`: its row counts all of (n, t_out,
/// v). `packed`: those of w for these sizes, or null.
template <class T>
void conv_time(const ConvTime& s, const T* x, const T* w, T* y,
               const std::type_identity_t<RowHook<T>>& hook = {}, const PackedTaps<T>* packed = nullptr) {
  s.check();
  const Index t_out = s.t_out(), rows = t_out * s.v;
  if (s.n == 0 || rows == 0 || s.c_out == 0) return;
  if (const auto p = detail::in_pairs(s))
    return packed ? detail::conv_pairs(*p, x, *packed->pairs, y, T(0), hook)
                  : detail::conv_pairs(*p, x, w, false, y, T(0), hook);
  const Index block = detail::block_frames(s.n, t_out, s.v), blocks = (t_out + block - 1) / block;
  const detail::ShiftedFrames<T> shifted(s, block);
  std::vector<Index> taps_w;
  for (Index tap = 0; tap < s.taps; ++tap) taps_w.push_back(tap * s.c_in * s.c_out);
  GemmArgs<T> g{.n = s.c_out, .k = s.c_in, .a_row = shifted.row, .a_col = 1, .c_row = s.c_out};
  g.segments = s.taps;
  g.a_segments = shifted.offset.data();
  g.b_segments = taps_w.data();
  if (s.c_in == 0) {
    g.m = s.n * rows;
    g.c = y;
    return detail::gemm_no_terms(g, hook);
  }
  const Panels<T> panels =
      packed ? packed->taps->panels() : detail::pack_taps(w, s.c_in, s.c_out, s.c_out, Index{1}, taps_w);
  parallel_for(s.n * blocks, 1, [&](Index task, Index) {
    const Index clip = task / blocks, t0 = task % blocks * block, t1 = std::min(t0 + block, t_out);
    const Index first_row = (clip * t_out + t0) * s.v;
    GemmArgs<T> part = g;
    part.m = (t1 - t0) * s.v;
    part.a = shifted.gather(x + clip * s.t * s.v * s.c_in, t0, t1);
    part.c = y + first_row * s.c_out;
    const auto of_all = [&](T* c, Index i, Index col, Index count) { hook(c, first_row + i, col, count); };
    const auto shift = [&](Index tap) { return tap * s.dilation - s.pad; };
    detail::gemm_block(part, panels, 0, part.m, 0, panels.count(), 0, panels.plan().blocks(),
                       hook ? RowHook<T>(of_all) : RowHook<T>(), false,
                       detail::SkipPadding{t0, t1, s.stride, s.t, s.v, shift});
  });
}

/// dx = beta * dx + the gradient of the convolution by its input, given dy of y's shape.
template <class T>
void conv_time_grad_input(const ConvTime& s, const T* dy, const T* w, T* dx, T beta = T(0)) {
  s.check();
  const Index t_out = s.t_out();
  if (s.n == 0 || s.v == 0 || s.c_in == 0) return;
  const ConvTime reversed{s.n, t_out, s.v, s.c_out, s.c_in, s.taps, s.stride, s.dilation, s.taps - 1 - s.pad};
  if (const auto p = detail::in_pairs(reversed)) return detail::conv_pairs(*p, dy, w, true, dx, beta, {});
  const Index row = detail::padded_row<T>(s.c_out);
  // Frames whose padded number t + pad leaves the same remainder by the stride need the same taps: dx[stride
  // q + phase
  // - pad] sums dy[q - delay] w[tap]^T over the taps with tap * dilation = stride * delay + phase.
  for (Index phase = 0; phase < s.stride; ++phase) {
    std::vector<Index> delays, taps_w, taps_dy;
    for (Index tap = 0; tap < s.taps; ++tap) {
      if (tap * s.dilation % s.stride != phase) continue;
      delays.push_back(tap * s.dilation / s.stride);
      taps_w.push_back(tap * s.c_in * s.c_out);
    }
    const Index shift = phase - s.pad, q_first = shift < 0 ? (-shift + s.stride - 1) / s.stride : 0;
    const Index q_end = s.t > shift ? (s.t - shift + s.stride - 1) / s.stride : 0;
    if (q_end <= q_first) continue;
    const Index block = detail::block_frames(s.n, q_end - q_first, s.v);
    const Index blocks = (q_end - q_first + block - 1) / block;
    const bool none = delays.empty() || s.c_out == 0;
    const Index reach = none ? 0 : delays.back() - delays.front();
    for (const Index d : delays) taps_dy.push_back((delays.back() - d) * s.v * row);
    GemmArgs<T> g{.n = s.c_in, .k = s.c_out, .a_row = row, .a_col = 1, .c_row = s.c_in};
    g.beta = s.stride == 1 ? beta : T(0);
    g.segments = static_cast<Index>(delays.size());
    g.a_segments = taps_dy.data();
    g.b_segments = taps_w.data();
    const Panels<T> panels =
        detail::pack_taps(w, none ? Index{0} : s.c_out, s.c_in, Index{1}, s.c_out, taps_w);
    parallel_for(s.n * blocks, 1, [&](Index task, Index) {
      const Index clip = task / blocks, q0 = q_first + task % blocks * block;
      const Index q1 = q0 + block < q_end ? q0 + block : q_end;
      T* out = dx + clip * s.t * s.v * s.c_in;
      GemmArgs<T> part = g;
      part.m = (q1 - q0) * s.v;
      part.c = s.stride == 1 ? out + (q0 + shift) * s.v * s.c_in
                             : scratch<T>(Scratch::partial, (q1 - q0) * s.v * s.c_in);
      if (none) {
        detail::gemm_no_terms(part, {});
      } else {
        T* copy = scratch<T>(Scratch::conv, (block + reach) * s.v * row);
        detail::gather_frames(dy + clip * t_out * s.v * s.c_out, t_out, s.v, s.c_out, q0 - delays.back(),
                              Index{1}, q1 - q0 + reach, copy, row);
        part.a = copy;
        const auto back = [&](Index i) { return -delays[static_cast<std::size_t>(i)]; };
        detail::gemm_block(part, panels, 0, part.m, 0, panels.count(), 0, panels.plan().blocks(), {}, false,
                           detail::SkipPadding{q0, q1, Index{1}, t_out, s.v, back});
      }
      if (s.stride == 1) return;
      const Index size = s.v * s.c_in;
      for (Index q = q0; q < q1; ++q) {
        const T* sum = part.c + (q - q0) * size;
        T* frame = out + (q * s.stride + shift) * size;
        for (Index i = 0; i < size; ++i) frame[i] = beta == T(0) ? sum[i] : sum[i] + beta * frame[i];
      }
    });
  }
}

/// dw = beta * dw + the gradient of the convolution by its weights.
template <class T>
void conv_time_grad_weight(const ConvTime& s, const T* x, const T* dy, T* dw, T beta = T(0)) {
  s.check();
  const Index t_out = s.t_out(), tap_size = s.c_in * s.c_out, size = s.taps * tap_size;
  if (size == 0) return;
  // A block of frames of x and dy stays in cache while all taps use it. Runs of blocks are summed apart, each
  // into a matrix of its own, and the taps shared out in groups, so that there are about 16 tasks but not too
  // much memory.
  const Index block = detail::block_of_rows(t_out, s.v, KPlan::kTerms);
  const Index blocks_a_clip = (t_out + block - 1) / block, blocks = s.v == 0 ? 0 : s.n * blocks_a_clip;
  const Index most = (Index{1} << 22) / size;
  const Index runs = blocks < 2 || most < 2 ? 1 : std::min({blocks, most, Index{16}});
  const Index groups = std::min(s.taps, (15 + runs) / runs);
  const detail::ShiftedFrames<T> shifted(s, block);
  T* partial = scratch<T>(Scratch::partial, runs * size);
  parallel_for(runs * groups, 1, [&](Index task, Index) {
    const Index run = task / groups, group = task % groups;
    const Index tap0 = group * s.taps / groups, tap1 = (group + 1) * s.taps / groups;
    T* sum = partial + run * size;
    const Index first = run * blocks / runs, last = (run + 1) * blocks / runs;
    if (first == last)
      std::memset(sum + tap0 * tap_size, 0, static_cast<std::size_t>((tap1 - tap0) * tap_size) * sizeof(T));
    for (Index b = first; b < last; ++b) {
      const Index clip = b / blocks_a_clip, t0 = b % blocks_a_clip * block, t1 = std::min(t0 + block, t_out);
      const T* copy = shifted.gather(x + clip * s.t * s.v * s.c_in, t0, t1);
      GemmArgs<T> g{.m = s.c_in, .n = s.c_out, .k = (t1 - t0) * s.v, .a_row = 1, .a_col = shifted.row};
      g.c_row = s.c_out;
      g.beta = b == first ? T(0) : T(1);
      constexpr Index none[1] = {0};
      Panels<T> panels(KPlan(g.k, 1), g.n, dy + (clip * t_out + t0) * s.v * s.c_out, s.c_out, Index{1}, none,
                       false);
      panels.set_packed(scratch<T>(Scratch::pack_b, panels.packed_size()));
      panels.pack_all();
      for (Index tap = tap0; tap < tap1; ++tap) {
        g.a = copy + shifted.offset[static_cast<std::size_t>(tap)];
        g.c = sum + tap * tap_size;
        const auto inside = detail::frames_inside(t0, t1, s.stride, tap * s.dilation - s.pad, s.t);
        const auto skip_padding = [&](const KPlan::Block& k, detail::BlockExtent& e) {
          e.term = std::clamp(inside.first * s.v - k.p, Index{0}, k.k);
          e.term_end = std::clamp(inside.end * s.v - k.p, e.term, k.k);
        };
        detail::gemm_block(g, panels, 0, g.m, 0, panels.count(), 0, panels.plan().blocks(), {}, false,
                           skip_padding);
      }
    }
  });
  parallel_for(size, Index{1} << 14, [&](Index begin, Index end) {
    for (Index run = 1; run < runs; ++run) {
      for (Index i = begin; i < end; ++i) partial[i] += partial[run * size + i];
    }
    for (Index i = begin; i < end; ++i) dw[i] = beta == T(0) ? partial[i] : partial[i] + beta * dw[i];
  });
}

}  // namespace cpu

TMOR_END
