#pragma once
/// @file joint_mix.hpp
/// How joint mixing followed by a product over channels runs on the CPU. A sample's mixed features are made,
/// used and forgotten while they are in the cache; backward makes them again (mixing costs V/Cout of the
/// product) rather than reading them back from memory.

#include <vector>

#include "tmor/core/parallel.hpp"
#include "tmor/core/tensor.hpp"
#include "tmor/cpu/packed.hpp"
#include "tmor/cpu/pointwise.hpp"

TMOR_BEGIN

namespace cpu {

/// Sizes and operands of y[n,t,w,:] = sum_h (sum_v a[n,h,v,w] x[n,t,v,:]) weight[h] + bias[w,:]. Everything
/// is contiguous; `a_sample` is 0 when all samples share one mixing matrix a head.
template <class T> struct JointMixArgs {
  Index n = 0, t = 0, v = 0, w = 0, heads = 0, c_in = 0, c_out = 0, a_sample = 0;
  const T* x = nullptr;       ///< (n, t, v, c_in)
  const T* a = nullptr;       ///< (heads, v, w), or (n, heads, v, w)
  const T* weight = nullptr;  ///< (heads, c_in, c_out)

  Index mixed() const { return heads * c_in; }
  /// Frames worked on at once: their mixed features take at most about half a megabyte.
  Index frames() const {
    const Index fit = (Index{1} << 17) / (w * mixed() + 1);
    return fit < 1 ? 1 : fit < t ? fit : t;
  }
};

namespace detail {

/// `g` for `count` frames, whose B and C lie `b_frame` and `c_frame` apart: small products, for which setting
/// up would cost as much as multiplying.
template <class T> void gemm_frames(GemmArgs<T> g, Index count, Index b_frame, Index c_frame) {
  if (!read_b_directly(g) || g.n % Tile<T>::kCols != 0 || is_vector(g)) {
    for (Index f = 0; f < count; ++f, g.b += b_frame, g.c += c_frame) gemm_serial(g, {});
    return;
  }
  const KPlan plan(g.k, g.segments);
  for (Index f = 0; f < count; ++f, g.b += b_frame, g.c += c_frame) {
    const Panels<T> panels(plan, g.n, g.b, g.b_row, g.b_col, offsets_or_zero(g.b_segments), true);
    gemm_block(g, panels, 0, g.m, 0, panels.count(), 0, plan.blocks(), {}, pack_a(g));
  }
}

/// u[t,w,h,c] = sum_v a[h,v,w] x[t,v,c] for `count` frames.
template <class T> void mix_frames(const JointMixArgs<T>& p, const T* x, const T* a, Index count, T* u) {
  GemmArgs<T> g;
  g.m = p.w;
  g.n = p.c_in;
  g.k = p.v;
  g.a_row = 1;
  g.a_col = p.w;
  g.b = x;
  g.b_row = p.c_in;
  g.c_row = p.mixed();
  for (Index h = 0; h < p.heads; ++h) {
    g.a = a + h * p.v * p.w;
    g.c = u + h * p.c_in;
    gemm_frames(g, count, p.v * p.c_in, p.w * p.mixed());
  }
}

/// Calls f(sample, first frame, frames) for all blocks of frames of samples [begin, end).
template <class T, class F> void for_frame_blocks(const JointMixArgs<T>& p, Index begin, Index end, F&& f) {
  const Index step = p.frames();
  for (Index n = begin; n < end; ++n)
    for (Index t = 0; t < p.t; t += step) f(n, t, p.t - t < step ? p.t - t : step);
}

}  // namespace detail

/// y (n, t, w, c_out); `bias` (w, c_out) or null; `packed`: the weight as one (heads c_in) x c_out matrix, or
/// null.
template <class T>
void joint_mix_forward(const JointMixArgs<T>& p, const T* bias, T* y, const PackedB<T>* packed = nullptr) {
  const Index step = p.frames(), blocks = (p.t + step - 1) / step;
  parallel_for(p.n * blocks, 1, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Index n = i / blocks, t = i % blocks * step, count = p.t - t < step ? p.t - t : step;
      T* u = scratch<T>(Scratch::mix, count * p.w * p.mixed());
      detail::mix_frames(p, p.x + (n * p.t + t) * p.v * p.c_in, p.a + n * p.a_sample, count, u);
      GemmArgs<T> g;
      g.m = count * p.w;
      g.n = p.c_out;
      g.k = p.mixed();
      g.a = u;
      g.a_row = p.mixed();
      g.b = p.weight;
      g.b_row = p.c_out;
      g.c = y + (n * p.t + t) * p.w * p.c_out;
      g.c_row = p.c_out;
      const auto add_bias = [&](T* c, Index row, Index col, Index cols) {
        const T* b = bias + row % p.w * p.c_out + col;
        for (Index j = 0; j < cols; ++j) c[j] += b[j];
      };
      const auto hook = bias ? RowHook<T>(add_bias) : RowHook<T>();
      packed ? gemm(g, *packed, hook) : detail::gemm_serial(g, hook);
    }
  });
}

/// Gradients of `joint_mix_forward`, each where its pointer is not null: dx like x, da (one a sample when
/// `p.a_sample`, else one for all), dweight like weight. Sums over samples are made in `parts` pieces cut by
/// the shape alone.
template <class T> void joint_mix_backward(const JointMixArgs<T>& p, const T* dy, T* dx, T* da, T* dweight) {
  const Index pieces = p.n < 16 ? p.n : 16, a_size = p.heads * p.v * p.w, w_size = p.mixed() * p.c_out;
  const bool own_a = p.a_sample != 0;
  Ref<Storage> weight_parts, a_parts;
  if (dweight) weight_parts = Cpu::allocate(static_cast<std::size_t>(pieces * w_size) * sizeof(T));
  if (da && !own_a) a_parts = Cpu::allocate(static_cast<std::size_t>(pieces * a_size) * sizeof(T));
  std::vector<Index> x_offsets, du_offsets;  // of the frames of a block
  for (Index f = 0; f < p.frames(); ++f) {
    x_offsets.push_back(f * p.v * p.c_in);
    du_offsets.push_back(f * p.w * p.mixed());
  }
  const Index *x_frames = x_offsets.data(), *du_frames = du_offsets.data();
  parallel_for(pieces, 1, [&](Index piece, Index) {
    T* dw = dweight ? static_cast<T*>(weight_parts->data()) + piece * w_size : nullptr;
    bool first_w = true, first_a = true;
    detail::for_frame_blocks(
        p, piece * p.n / pieces, (piece + 1) * p.n / pieces, [&](Index n, Index t, Index count) {
          const Index rows = count * p.w, mixed = p.mixed();
          const T* x = p.x + (n * p.t + t) * p.v * p.c_in;
          const T* a = p.a + n * p.a_sample;
          const T* g_out = dy + (n * p.t + t) * p.w * p.c_out;
          if (dweight) {  // dW (mixed, c_out) += u^T dy
            T* u = scratch<T>(Scratch::mix, rows * mixed);
            detail::mix_frames(p, x, a, count, u);
            GemmArgs<T> g;
            g.m = mixed;
            g.n = p.c_out;
            g.k = rows;
            g.a = u;
            g.a_row = 1;
            g.a_col = mixed;
            g.b = g_out;
            g.b_row = p.c_out;
            g.c = dw;
            g.c_row = p.c_out;
            g.beta = first_w ? T(0) : T(1);
            detail::gemm_serial(g, {});
            first_w = false;
          }
          if (!dx && !da) return;
          T* du = scratch<T>(Scratch::mix, rows * mixed);  // du (rows, mixed) = dy W^T
          GemmArgs<T> g;
          g.m = rows;
          g.n = mixed;
          g.k = p.c_out;
          g.a = g_out;
          g.a_row = p.c_out;
          g.b = p.weight;
          g.b_row = 1;
          g.b_col = p.c_out;
          g.c = du;
          g.c_row = mixed;
          detail::gemm_serial(g, {});
          Index a_segments[64], u_segments[64];
          for (Index h = 0; h < p.heads; ++h) {
            a_segments[h] = h * p.v * p.w;
            u_segments[h] = h * p.c_in;
          }
          if (dx) {  // dx[t,v,:] = sum_h sum_w a[h,v,w] du[t,w,h,:]
            GemmArgs<T> b;
            b.m = p.v;
            b.n = p.c_in;
            b.k = p.w;
            b.a = a;
            b.a_row = p.w;
            b.b_row = mixed;
            b.c_row = p.c_in;
            b.segments = p.heads;
            b.a_segments = a_segments;
            b.b_segments = u_segments;
            b.b = du;
            b.c = dx + (n * p.t + t) * p.v * p.c_in;
            detail::gemm_frames(b, count, p.w * mixed, p.v * p.c_in);
          }
          if (da) {  // da[h,v,w] += sum_{t,c} x[t,v,c] du[t,w,h,c]
            T* out = own_a ? da + n * p.a_sample : static_cast<T*>(a_parts->data()) + piece * a_size;
            if (own_a) first_a = t == 0;
            GemmArgs<T> b;  // a segment a frame
            b.m = p.v;
            b.n = p.w;
            b.k = p.c_in;
            b.a = x;
            b.a_row = p.c_in;
            b.b_row = 1;
            b.b_col = mixed;
            b.c_row = p.w;
            b.beta = first_a ? T(0) : T(1);
            b.segments = count;
            b.a_segments = x_frames;
            b.b_segments = du_frames;
            for (Index h = 0; h < p.heads; ++h) {
              b.b = du + h * p.c_in;
              b.c = out + h * p.v * p.w;
              detail::gemm_serial(b, {});
            }
            first_a = false;
          }
        });
  });
  const auto add_up = [&](const Ref<Storage>& parts, Index size, T* out) {
    sum_parts(static_cast<const T*>(parts->data()), pieces, size, out);
  };
  if (dweight) add_up(weight_parts, w_size, dweight);
  if (da && !own_a) add_up(a_parts, a_size, da);
}

}  // namespace cpu

TMOR_END
