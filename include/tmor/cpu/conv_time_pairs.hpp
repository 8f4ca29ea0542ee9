#pragma once
/// @file conv_time_pairs.hpp
/// The k x 1 convolution over time with two thirds of the multiplications: Winograd's F(2, 3) along time (S.
/// Winograd, "Arithmetic Complexity of Computations", 1980; A. Lavin and S. Gray, "Fast Algorithms for
/// Convolutional Neural Networks", CVPR 2016). Two neighbouring frames of output and three taps need four
/// products of matrices instead of six:
///
///     y0 = p1 + p2 + p3        p1 = (d0 - d2) g0        p2 = (d1 + d2) (g0 + g1 + g2) / 2
///     y1 = p2 - p3 - p4        p4 = (d1 - d3) g2        p3 = (d2 - d1) (g0 - g1 + g2) / 2
///
/// for input frames d0..d3 and taps g0..g2. Nine taps are three times three, whose products are summed before
/// they are put together, which for wide channels is where nearly all of the time goes. The sums are of
/// numbers of the sums' own size: the error stays that of a plain sum, about doubled.

#include <algorithm>
#include <cstring>
#include <vector>

#include "tmor/cpu/packed.hpp"

TMOR_BEGIN
namespace cpu::detail {

/// Rows a power of two apart share few sets of the first cache: then 16 more in between.
template <class T> Index padded_row(Index c) {
  return c * static_cast<Index>(sizeof(T)) % 1024 == 0 ? c + 16 : c;
}

/// A number of frames of about `rows` rows, such that `frames` fall into nearly equal blocks.
inline Index block_of_rows(Index frames, Index v, Index rows) {
  const Index most = std::max(Index{1}, rows / std::max(v, Index{1}));
  const Index blocks = (frames + most - 1) / most;
  return (frames + blocks - 1) / blocks;
}

/// Frames of output a task computes: some 400 rows, but fewer when there would be less than about 16 tasks.
inline Index block_frames(Index clips, Index frames, Index v) {
  const Index fair = std::max(Index{4}, (frames * clips + 15) / 16);
  return block_of_rows(frames, v, std::min(Index{400}, fair * v));
}

/// Sizes of a convolution of stride and dilation 1 as products: rows of `k` numbers times (k x n) matrices.
struct PairedConv {
  Index n, t, v, k, cols, taps, pad;
  Index t_out() const { return t + 2 * pad - taps + 1; }
  Index groups() const { return taps / 3; }
};

/// Does it pay? With narrow channels or few frames, sums of frames cost what products save. Sequences without
/// joints (v = 1) are left alone: there the bits of a frame must not depend on where in the sequence it
/// stands, so that a head on a stream gives what it gives on the whole.
inline bool pays(const PairedConv& s) {
  return s.taps % 3 == 0 && s.k >= 32 && s.cols >= 32 && s.t_out() >= 8 && s.v > 1;
}

/// The four kinds of sums of weights, packed for products.
template <class T> struct PairedWeights {
  Panels<T> panels[4];

  /// Of weights (taps, k, cols); with `gradient` of (taps, cols, k), the last tap first: those of the
  /// gradient by the input. `packed` has room for `packed_size(s)` and lives as long as this.
  PairedWeights(const PairedConv& s, const T* w, bool gradient, T* packed)
      : panels{unpacked(s), unpacked(s), unpacked(s), unpacked(s)} {
    T* summed = scratch<T>(Scratch::taps, 4 * s.groups() * s.k * s.cols);
    sum_taps(s, w, gradient, summed);
    std::vector<Index> at;
    for (Index j = 0; j < s.groups(); ++j) at.push_back(j * s.k * s.cols);
    const Index blocks = panels[0].plan().blocks(), size = panels[0].packed_size();
    for (Index i = 0; i < 4; ++i) panels[i].set_packed(packed + i * size);
    parallel_for(4 * blocks, 1, [&](Index task, Index) {
      const Index kind = task / blocks;
      Panels<T> to(panels[kind].plan(), s.cols, summed + kind * s.groups() * s.k * s.cols,
                   gradient ? Index{1} : s.cols, gradient ? s.k : Index{1}, at.data(), false);
      to.set_packed(packed + kind * size);
      to.pack(task % blocks, 0, to.packed_count());
    });
  }
  static Index packed_size(const PairedConv& s) { return 4 * unpacked(s).packed_size(); }

 private:
  static Panels<T> unpacked(const PairedConv& s) {
    return Panels<T>(KPlan(s.k, s.groups()), s.cols, nullptr, 0, 1, nullptr, false);
  }
  /// out (4, groups, k cols) from w (taps, k cols).
  static void sum_taps(const PairedConv& s, const T* w, bool reversed, T* out) {
    const Index size = s.k * s.cols, kind = s.groups() * size;
    parallel_for(kind, Index{1} << 14, [&](Index begin, Index end) {
      for (Index i = begin; i < end;) {
        const Index group = i / size, e = i % size, count = std::min(end - i, size - e);
        const auto tap = [&](Index j) {
          const Index at = 3 * group + j;
          return w + (reversed ? s.taps - 1 - at : at) * size + e;
        };
        const T *g0 = tap(0), *g1 = tap(1), *g2 = tap(2);
        T* to = out + i;
        for (Index c = 0; c < count; ++c) {
          const T outer = T(0.5) * (g0[c] + g2[c]), inner = T(0.5) * g1[c];
          to[c] = g0[c];
          to[c + kind] = outer + inner;
          to[c + 2 * kind] = outer - inner;
          to[c + 3 * kind] = g2[c];
        }
        i += count;
      }
    });
  }
};

/// out[q] = op(frame first + q, frame first + q + apart) for q < count, even q first, then odd ones, `half`
/// of each; frames outside the clip are zero. Rows land `row` apart.
template <class T, class Op>
void pair_frames(const T* clip, Index t, Index v, Index c, Index first, Index apart, Index count, Index half,
                 T* out, Index row, const T* zeros, Op op) {
  for (Index q = 0; q < count; ++q) {
    const Index f0 = first + q, f1 = f0 + apart;
    const T* a = f0 >= 0 && f0 < t ? clip + f0 * v * c : zeros;
    const T* b = f1 >= 0 && f1 < t ? clip + f1 * v * c : zeros;
    T* to = out + (q % 2 * half + q / 2) * v * row;
    for (Index r = 0; r < v; ++r, a += c, b += c, to += row)
      for (Index i = 0; i < c; ++i) to[i] = op(a[i], b[i]);
  }
}

/// y = beta y + the convolution of x (n, t, v, k) with the weights, (n, t_out, v, cols). `hook` as for
/// `gemm`.
template <class T>
void conv_pairs(const PairedConv& s, const T* x, const PairedWeights<T>& w, T* y, T beta,
                const RowHook<T>& hook) {
  const Index t_out = s.t_out(), pairs = (t_out + 1) / 2, groups = s.groups();
  const Index block = block_frames(s.n, pairs, s.v), blocks = (pairs + block - 1) / block;
  const Index row = padded_row<T>(s.k), half = block + (3 * groups) / 2, frame = s.v * row;
  std::vector<Index> here, next;  // where group j starts in the copy, and a frame later
  for (Index j = 0; j < groups; ++j) {
    here.push_back((3 * j % 2 * half + 3 * j / 2) * frame);
    next.push_back(((3 * j + 1) % 2 * half + (3 * j + 1) / 2) * frame);
  }
  parallel_for(s.n * blocks, 1, [&](Index task, Index) {
    const Index clip = task / blocks, p0 = task % blocks * block, p1 = std::min(p0 + block, pairs);
    const Index m = (p1 - p0) * s.v, first = 2 * p0 - s.pad, count = 2 * (p1 - p0 - 1) + 3 * groups - 1;
    const T* in = x + clip * s.t * s.v * s.k;
    T* copy = scratch<T>(Scratch::conv, 2 * half * frame + s.v * s.k);
    T* zeros = copy + 2 * half * frame;
    std::memset(zeros, 0, static_cast<std::size_t>(s.v * s.k) * sizeof(T));
    T* even = scratch<T>(Scratch::partial, 2 * m * s.cols);
    T* odd = even + m * s.cols;
    const auto product = [&](int kind, const std::vector<Index>& at, T* c, T factor, T keep) {
      GemmArgs<T> g{
          .m = m, .n = s.cols, .k = s.k, .a = copy, .a_row = row, .a_col = 1, .c = c, .c_row = s.cols};
      g.alpha = factor;
      g.beta = keep;
      g.segments = groups;
      g.a_segments = at.data();
      const auto& p = w.panels[kind];
      gemm_block(g, p, 0, m, 0, p.count(), 0, p.plan().blocks(), {}, false);
    };
    const auto frames = [&](Index apart, auto op) {
      pair_frames(in, s.t, s.v, s.k, first, apart, count, half, copy, row, zeros, op);
    };
    frames(1, [](T a, T b) { return a + b; });
    product(1, next, even, T(1), T(0));
    frames(1, [](T a, T b) { return b - a; });
    product(2, next, odd, T(1), T(0));
    for (Index i = 0; i < m * s.cols; ++i) {
      const T p2 = even[i], p3 = odd[i];
      even[i] = p2 + p3;
      odd[i] = p2 - p3;
    }
    frames(2, [](T a, T b) { return a - b; });
    product(0, here, even, T(1), T(1));
    product(3, next, odd, T(-1), T(1));
    const Index size = s.v * s.cols;
    for (Index p = p0; p < p1; ++p) {
      for (Index second = 0; second < 2 && 2 * p + second < t_out; ++second) {
        const T* from = (second ? odd : even) + (p - p0) * size;
        const Index first_row = (clip * t_out + 2 * p + second) * s.v;
        T* to = y + first_row * s.cols;
        if (beta == T(0))
          std::memcpy(to, from, static_cast<std::size_t>(size) * sizeof(T));
        else
          for (Index i = 0; i < size; ++i) to[i] = from[i] + beta * to[i];
        if (hook)
          for (Index r = 0; r < s.v; ++r) hook(to + r * s.cols, first_row + r, Index{0}, s.cols);
      }
    }
  });
}

/// The same with weights as `PairedWeights` takes them.
template <class T>
void conv_pairs(const PairedConv& s, const T* x, const T* w, bool gradient, T* y, T beta,
                const RowHook<T>& hook) {
  T* packed = scratch<T>(Scratch::pack_b, PairedWeights<T>::packed_size(s));
  conv_pairs(s, x, PairedWeights<T>(s, w, gradient, packed), y, beta, hook);
}

}  // namespace cpu::detail
TMOR_END
