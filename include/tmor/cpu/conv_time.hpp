#pragma once
/// @file conv_time.hpp
/// The k x 1 convolution over time of channels-last clips, forward and both gradients. In (N, T, V, C) layout
/// a tap reads the same rows moved by whole frames, so the convolution is one matrix product with a segment a
/// tap: no im2col. Only the frames of one block of the output are copied, with their zero padding, where they
/// stay in cache.

#include <cstring>
#include <vector>

#include "tmor/cpu/gemm.hpp"

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

/// Rows a power of two apart share few sets of the first cache: then 16 more in between.
template <class T> Index padded_row(Index c) {
  return c * static_cast<Index>(sizeof(T)) % 1024 == 0 ? c + 16 : c;
}

/// Frames of output a task computes: some 400 rows, but fewer when there would be less than about 16 tasks.
inline Index block_frames(Index clips, Index frames, Index v) {
  Index block = 400 / (v > 0 ? v : 1) + 1;
  const Index fair = (frames * clips + 15) / 16;
  if (block > fair) block = fair < 4 ? 4 : fair;
  const Index blocks = (frames + block - 1) / block;
  return blocks > 0 ? (frames + blocks - 1) / blocks : 1;
}

/// Packs the weights of the chosen taps (offsets `at`) for products by (k x n) matrices of the given strides.
template <class T>
Panels<T> pack_taps(const T* w, Index k, Index n, Index row, Index col, const std::vector<Index>& at) {
  Panels<T> panels(KPlan(k, static_cast<Index>(at.size())), n, w, row, col, at.data(), false);
  panels.set_packed(scratch<T>(Scratch::pack_b, panels.packed_size()));
  parallel_for(panels.plan().blocks(), 1, [&](Index b, Index) { panels.pack(b, 0, panels.packed_count()); });
  return panels;
}

}  // namespace detail

/// y = the convolution of x with w (see ConvTime). `epilogue` as for `gemm`: its row counts all of (n, t_out,
/// v).
template <class T, class Epilogue = NoEpilogue>
void conv_time(const ConvTime& s, const T* x, const T* w, T* y, const Epilogue& epilogue = {}) {
  s.check();
  const Index t_out = s.t_out(), rows = t_out * s.v;
  if (s.n == 0 || rows == 0 || s.c_out == 0) return;
  // A task's copy of x: for each remainder of the frame number by the stride that some tap needs, the frames
  // in turn; a tap then reads consecutive rows.
  const Index block = detail::block_frames(s.n, t_out, s.v), blocks = (t_out + block - 1) / block;
  const Index reach = (s.taps - 1) * s.dilation / s.stride, frames = block + reach;
  const Index row = detail::padded_row<T>(s.c_in);
  std::vector<Index> taps_x, taps_w;
  std::vector<char> needed(static_cast<std::size_t>(s.stride), 0);
  for (Index tap = 0; tap < s.taps; ++tap) {
    const Index from = tap * s.dilation;
    needed[static_cast<std::size_t>(from % s.stride)] = 1;
    taps_x.push_back((from % s.stride * frames + from / s.stride) * s.v * row);
    taps_w.push_back(tap * s.c_in * s.c_out);
  }
  GemmArgs<T> g{.n = s.c_out, .k = s.c_in, .a_row = row, .a_col = 1, .c_row = s.c_out};
  g.segments = s.taps;
  g.a_segments = taps_x.data();
  g.b_segments = taps_w.data();
  if (s.c_in == 0) {
    g.m = s.n * rows;
    g.c = y;
    return detail::gemm_no_terms(g, epilogue);
  }
  const Panels<T> panels = detail::pack_taps(w, s.c_in, s.c_out, s.c_out, Index{1}, taps_w);
  parallel_for(s.n * blocks, 1, [&](Index task, Index) {
    const Index clip = task / blocks, t0 = task % blocks * block,
                t1 = t0 + block < t_out ? t0 + block : t_out;
    const T* from = x + clip * s.t * s.v * s.c_in;
    T* copy = scratch<T>(Scratch::conv, s.stride * frames * s.v * row);
    for (Index phase = 0; phase < s.stride; ++phase) {
      if (!needed[static_cast<std::size_t>(phase)]) continue;
      detail::gather_frames(from, s.t, s.v, s.c_in, t0 * s.stride + phase - s.pad, s.stride, t1 - t0 + reach,
                            copy + phase * frames * s.v * row, row);
    }
    GemmArgs<T> part = g;
    const Index first_row = (clip * t_out + t0) * s.v;
    part.m = (t1 - t0) * s.v;
    part.a = copy;
    part.c = y + first_row * s.c_out;
    const auto hook = [&](T* c, Index i, Index col, Index count) { epilogue(c, first_row + i, col, count); };
    detail::gemm_block(part, panels, 0, part.m, 0, panels.count(), 0, panels.plan().blocks(), hook, false);
  });
}

/// dx = beta * dx + the gradient of the convolution by its input, given dy of y's shape.
template <class T>
void conv_time_grad_input(const ConvTime& s, const T* dy, const T* w, T* dx, T beta = T(0)) {
  s.check();
  const Index t_out = s.t_out();
  if (s.n == 0 || s.v == 0 || s.c_in == 0) return;
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
        detail::gemm_no_terms(part, NoEpilogue{});
      } else {
        T* copy = scratch<T>(Scratch::conv, (block + reach) * s.v * row);
        detail::gather_frames(dy + clip * t_out * s.v * s.c_out, t_out, s.v, s.c_out, q0 - delays.back(),
                              Index{1}, q1 - q0 + reach, copy, row);
        part.a = copy;
        detail::gemm_block(part, panels, 0, part.m, 0, panels.count(), 0, panels.plan().blocks(),
                           NoEpilogue{}, false);
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
  const Index t_out = s.t_out();
  std::vector<Index> at_x, at_dy;
  for (Index tap = 0; tap < s.taps; ++tap) {
    // Output frames [lo, hi) whose input frame, t * stride + shift, exists.
    const Index shift = tap * s.dilation - s.pad;
    const Index lo = shift < 0 ? (-shift + s.stride - 1) / s.stride : 0;
    const Index last = s.t > shift ? (s.t - shift + s.stride - 1) / s.stride : 0,
                hi = last < t_out ? last : t_out;
    // One segment a clip where the frames read are consecutive, else one a frame.
    const Index frames = s.stride == 1 && hi > lo ? hi - lo : 1;
    at_x.clear();
    at_dy.clear();
    for (Index clip = 0; clip < s.n; ++clip) {
      for (Index t = lo; t < hi; t += frames) {
        at_x.push_back((clip * s.t + t * s.stride + shift) * s.v * s.c_in);
        at_dy.push_back((clip * t_out + t) * s.v * s.c_out);
      }
    }
    GemmArgs<T> g{.m = s.c_in, .n = s.c_out, .k = frames * s.v, .a = x, .a_row = 1, .a_col = s.c_in, .b = dy};
    g.b_row = s.c_out;
    g.c = dw + tap * s.c_in * s.c_out;
    g.c_row = s.c_out;
    g.beta = beta;
    g.segments = static_cast<Index>(at_x.size());
    g.a_segments = at_x.data();
    g.b_segments = at_dy.data();
    gemm(g);
  }
}

}  // namespace cpu

TMOR_END
