#pragma once
/// @file joint_scores.hpp
/// How similar joints are, on the CPU: a product over channels gives every joint of every frame queries and
/// keys, whose products are summed over frames. Queries and keys are made, used and forgotten while they are
/// in the cache; backward makes them again.

#include <vector>

#include "tmor/cpu/joint_mix.hpp"

TMOR_BEGIN

namespace cpu {

/// Sizes and operands of s[n,h,v,w] = scale sum_{t,d} q[n,t,v,h,d] k[n,t,w,h,d] with (q, k) = x weight^T +
/// bias. Everything is contiguous.
template <class T> struct JointScoresArgs {
  Index n = 0, t = 0, v = 0, c = 0, heads = 0, d = 0;
  T scale = 1;
  const T* x = nullptr;       ///< (n, t, v, c)
  const T* weight = nullptr;  ///< (2 heads d, c): queries of all heads, then keys
  const T* bias = nullptr;    ///< (2 heads d,) or null

  Index width() const { return 2 * heads * d; }
  Index size() const { return heads * v * v; }  ///< of a sample's scores
  /// Frames worked on at once: their queries and keys take at most a quarter of a megabyte.
  Index frames() const {
    const Index fit = (Index{1} << 16) / (v * width() + 1);
    return fit < 1 ? 1 : fit < t ? fit : t;
  }
  Index blocks() const { return (t + frames() - 1) / frames(); }
};

namespace detail {

/// Works on one block of frames of one sample at a time.
template <class T> struct JointScoresBlock {
  const JointScoresArgs<T>& p;
  std::vector<Index> offsets;  ///< of the frames of a block in the queries and keys

  explicit JointScoresBlock(const JointScoresArgs<T>& args) : p(args) {
    for (Index f = 0; f < p.frames(); ++f) offsets.push_back(f * p.v * p.width());
  }
  Index first(Index block) const { return block * p.frames(); }
  Index count(Index block) const { return std::min(p.frames(), p.t - first(block)); }
  const T* x(Index sample, Index block) const { return p.x + (sample * p.t + first(block)) * p.v * p.c; }

  /// The block's queries and keys (frames, v, width).
  void project(Index sample, Index block, T* qk) const {
    GemmArgs<T> g;
    g.m = count(block) * p.v;
    g.n = p.width();
    g.k = p.c;
    g.a = x(sample, block);
    g.a_row = p.c;
    g.b = p.weight;
    g.b_row = 1;
    g.b_col = p.c;
    g.c = qk;
    g.c_row = p.width();
    const auto add_bias = AddBias<T>{p.bias};
    gemm_serial(g, p.bias ? RowHook<T>(add_bias) : RowHook<T>());
  }

  /// The scores (heads, v, v) of the block alone.
  void scores(const T* qk, Index frames, T* s) const {
    GemmArgs<T> g;
    g.m = g.n = p.v;
    g.k = p.d;
    g.a_row = g.b_col = p.width();
    g.b_row = 1;
    g.c_row = p.v;
    g.alpha = p.scale;
    g.segments = frames;
    g.a_segments = g.b_segments = offsets.data();
    for (Index h = 0; h < p.heads; ++h) {
      g.a = qk + h * p.d;
      g.b = qk + (p.heads + h) * p.d;
      g.c = s + h * p.v * p.v;
      gemm_serial(g, {});
    }
  }

  /// The gradients of queries and keys, given `ds` (heads, v, v).
  void grad_qk(const T* qk, Index frames, const T* ds, T* dqk) const {
    GemmArgs<T> g;
    g.m = g.k = p.v;
    g.n = p.d;
    g.b_row = g.c_row = p.width();
    g.alpha = p.scale;
    for (Index part = 0; part < 2; ++part)  // queries see the keys through ds, keys the queries through ds^T
      for (Index h = 0; h < p.heads; ++h) {
        g.a = ds + h * p.v * p.v;
        g.a_row = part == 0 ? p.v : 1;
        g.a_col = part == 0 ? 1 : p.v;
        g.b = qk + ((1 - part) * p.heads + h) * p.d;
        g.c = dqk + (part * p.heads + h) * p.d;
        gemm_frames(g, frames, p.v * p.width(), p.v * p.width());
      }
  }
};

}  // namespace detail

/// s (n, heads, v, v).
template <class T> void joint_scores_forward(const JointScoresArgs<T>& p, T* s) {
  const detail::JointScoresBlock<T> work(p);
  const Index blocks = p.blocks(), all = p.n * p.size();
  Ref<Storage> parts;
  if (blocks > 1) parts = Cpu::allocate(static_cast<std::size_t>(blocks * all) * sizeof(T));
  T* const out = blocks > 1 ? static_cast<T*>(parts->data()) : s;
  parallel_for(p.n * blocks, 1, [&](Index task, Index) {
    const Index sample = task / blocks, block = task % blocks;
    T* qk = scratch<T>(Scratch::mix, work.count(block) * p.v * p.width());
    work.project(sample, block, qk);
    work.scores(qk, work.count(block), out + block * all + sample * p.size());
  });
  if (blocks > 1) sum_parts(static_cast<const T*>(out), blocks, all, s);
}

/// Gradients of `joint_scores_forward`, each where its pointer is not null: dx like x, dweight, dbias. Sums
/// over samples are made in pieces cut by the shape alone.
template <class T>
void joint_scores_backward(const JointScoresArgs<T>& p, const T* ds, T* dx, T* dweight, T* dbias) {
  const detail::JointScoresBlock<T> work(p);
  const Index pieces = p.n < 16 ? p.n : 16, width = p.width(), w_size = width * p.c;
  const auto sums = [&](bool wanted, Index size) {
    return wanted ? Cpu::allocate(static_cast<std::size_t>(pieces * size) * sizeof(T)) : Ref<Storage>();
  };
  const Ref<Storage> weight_parts = sums(dweight, w_size), bias_parts = sums(dbias, width);
  parallel_for(pieces, 1, [&](Index piece, Index) {
    T* dw = dweight ? static_cast<T*>(weight_parts->data()) + piece * w_size : nullptr;
    T* db = dbias ? static_cast<T*>(bias_parts->data()) + piece * width : nullptr;
    if (db) std::fill(db, db + width, T(0));
    bool first = true;
    for (Index n = piece * p.n / pieces; n < (piece + 1) * p.n / pieces; ++n)
      for (Index block = 0; block < p.blocks(); ++block) {
        const Index frames = work.count(block), rows = frames * p.v;
        T* qk = scratch<T>(Scratch::mix, 2 * rows * width);
        T* dqk = qk + rows * width;
        work.project(n, block, qk);
        work.grad_qk(qk, frames, ds + n * p.size(), dqk);
        if (db)
          for (Index r = 0; r < rows; ++r)
            for (Index j = 0; j < width; ++j) db[j] += dqk[r * width + j];
        GemmArgs<T> g;
        g.n = p.c;
        g.b_row = g.c_row = p.c;
        g.a = dqk;
        if (dw) {  // dW (width, c) += dqk^T x
          g.m = width;
          g.k = rows;
          g.a_row = 1;
          g.a_col = width;
          g.b = work.x(n, block);
          g.c = dw;
          g.beta = first ? T(0) : T(1);
          detail::gemm_serial(g, {});
        }
        if (dx) {  // dx (rows, c) = dqk W
          g.m = rows;
          g.k = width;
          g.a_row = width;
          g.a_col = 1;
          g.b = p.weight;
          g.c = dx + (work.x(n, block) - p.x);
          g.beta = T(0);
          detail::gemm_serial(g, {});
        }
        first = false;
      }
  });
  if (dweight) sum_parts(static_cast<const T*>(weight_parts->data()), pieces, w_size, dweight);
  if (dbias) sum_parts(static_cast<const T*>(bias_parts->data()), pieces, width, dbias);
}

}  // namespace cpu

TMOR_END
