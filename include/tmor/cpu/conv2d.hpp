#pragma once
/// @file conv2d.hpp
/// The two-dimensional convolution of channels-last images: for a block of output positions the inputs under
/// the kernel are copied side by side (im2col) and multiplied with the weights; groups are products of their
/// own.

#include <algorithm>
#include <cstring>

#include "tmor/core/tensor.hpp"
#include "tmor/cpu/gemm.hpp"
#include "tmor/cpu/pointwise.hpp"

TMOR_BEGIN

namespace cpu {

/// Sizes of a convolution: x (n, h, w, c_in), weight (kh, kw, c_in / groups, c_out), y (n, out_h(), out_w(),
/// c_out).
struct Conv2d {
  Index n = 0, h = 0, w = 0, c_in = 0, c_out = 0, kh = 1, kw = 1;
  Index stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, dilation_h = 1, dilation_w = 1, groups = 1;

  Index out_h() const { return (h + 2 * pad_h - (kh - 1) * dilation_h - 1) / stride_h + 1; }
  Index out_w() const { return (w + 2 * pad_w - (kw - 1) * dilation_w - 1) / stride_w + 1; }
  Index group_in() const { return c_in / groups; }
  Index group_out() const { return c_out / groups; }
  /// Length of a row of im2col, for one group.
  Index patch() const { return kh * kw * group_in(); }
  /// Rows of output made at once: their patches take at most about half a megabyte.
  Index rows_at_once() const { return std::max<Index>(1, (Index{1} << 17) / (out_w() * patch() + 1)); }
  Index blocks() const { return (out_h() + rows_at_once() - 1) / rows_at_once(); }

  /// @throws ShapeError unless the sizes fit together and leave some output.
  void check() const {
    TMOR_CHECK_SHAPE(kh >= 1 && kw >= 1 && stride_h >= 1 && stride_w >= 1 && dilation_h >= 1 &&
                         dilation_w >= 1 && pad_h >= 0 && pad_w >= 0,
                     "[conv2d] kernel ", kh, "x", kw, ", stride ", stride_h, "x", stride_w, ", dilation ",
                     dilation_h, "x", dilation_w, ", padding ", pad_h, "x", pad_w,
                     ": all must be at least 1, padding at least 0");
    TMOR_CHECK_SHAPE(groups >= 1 && c_in % groups == 0 && c_out % groups == 0, "[conv2d] ", groups,
                     " groups do not divide ", c_in, " input and ", c_out, " output channels");
    TMOR_CHECK_SHAPE(h + 2 * pad_h > (kh - 1) * dilation_h && w + 2 * pad_w > (kw - 1) * dilation_w,
                     "[conv2d] a kernel of ", kh, "x", kw, " with dilation ", dilation_h, "x", dilation_w,
                     " does not fit into ", h, "x", w, " padded by ", pad_h, "x", pad_w);
  }
};

namespace detail {

/// Calls f(input offset or -1 outside, patch offset) for every tap of the outputs of rows [r0, r1) of an
/// image.
template <class F> void for_taps(const Conv2d& s, Index r0, Index r1, F&& f) {
  const Index ow = s.out_w();
  for (Index r = r0; r < r1; ++r)
    for (Index c = 0; c < ow; ++c)
      for (Index i = 0; i < s.kh; ++i)
        for (Index j = 0; j < s.kw; ++j) {
          const Index y = r * s.stride_h + i * s.dilation_h - s.pad_h,
                      x = c * s.stride_w + j * s.dilation_w - s.pad_w;
          const bool inside = y >= 0 && y < s.h && x >= 0 && x < s.w;
          f(inside ? (y * s.w + x) * s.c_in : Index{-1},
            ((r - r0) * ow + c) * s.patch() + (i * s.kw + j) * s.group_in());
        }
}

/// Patches of one group under output rows [r0, r1), (rows * out_w, patch).
template <class T>
void gather_patches(const Conv2d& s, const T* image, Index group, Index r0, Index r1, T* out) {
  const Index c = s.group_in();
  const auto bytes = static_cast<std::size_t>(c) * sizeof(T);
  for_taps(s, r0, r1, [&](Index in, Index at) {
    if (in < 0) {
      std::memset(static_cast<void*>(out + at), 0, bytes);
    } else {
      std::memcpy(static_cast<void*>(out + at), image + in + group * c, bytes);
    }
  });
}
/// Adds patches back to where they came from.
template <class T>
void scatter_patches(const Conv2d& s, const T* patches, Index group, Index r0, Index r1, T* image) {
  const Index c = s.group_in();
  for_taps(s, r0, r1, [&](Index in, Index at) {
    if (in < 0) return;
    T* const out = image + in + group * c;
    for (Index k = 0; k < c; ++k) out[k] += patches[at + k];
  });
}

}  // namespace detail

/// y = conv(x, weight).
template <class T> void conv2d_forward(const Conv2d& s, const T* x, const T* weight, T* y) {
  const Index oh = s.out_h(), ow = s.out_w(), step = s.rows_at_once(), blocks = s.blocks();
  parallel_for(s.n * blocks, 1, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Index n = i / blocks, r0 = i % blocks * step, r1 = std::min(oh, r0 + step);
      T* const patches = scratch<T>(Scratch::mix, (r1 - r0) * ow * s.patch());
      for (Index g = 0; g < s.groups; ++g) {
        detail::gather_patches(s, x + n * s.h * s.w * s.c_in, g, r0, r1, patches);
        GemmArgs<T> a;
        a.m = (r1 - r0) * ow;
        a.n = s.group_out();
        a.k = s.patch();
        a.a = patches;
        a.a_row = s.patch();
        a.b = weight + g * s.group_out();
        a.b_row = s.c_out;
        a.c = y + (n * oh + r0) * ow * s.c_out + g * s.group_out();
        a.c_row = s.c_out;
        detail::gemm_serial(a, {});
      }
    }
  });
}

/// dx = gradient of the input.
template <class T> void conv2d_grad_input(const Conv2d& s, const T* dy, const T* weight, T* dx) {
  const Index oh = s.out_h(), ow = s.out_w(), step = s.rows_at_once(), image = s.h * s.w * s.c_in;
  parallel_for(s.n, 1, [&](Index begin, Index end) {
    for (Index n = begin; n < end; ++n) {
      std::fill(dx + n * image, dx + (n + 1) * image, T(0));
      for (Index r0 = 0; r0 < oh; r0 += step) {
        const Index r1 = std::min(oh, r0 + step);
        T* const patches = scratch<T>(Scratch::mix, (r1 - r0) * ow * s.patch());
        for (Index g = 0; g < s.groups; ++g) {
          GemmArgs<T> a;
          a.m = (r1 - r0) * ow;
          a.n = s.patch();
          a.k = s.group_out();
          a.a = dy + (n * oh + r0) * ow * s.c_out + g * s.group_out();
          a.a_row = s.c_out;
          a.b = weight + g * s.group_out();
          a.b_row = 1;
          a.b_col = s.c_out;
          a.c = patches;
          a.c_row = s.patch();
          detail::gemm_serial(a, {});
          detail::scatter_patches(s, patches, g, r0, r1, dx + n * image);
        }
      }
    }
  });
}

/// dweight = gradient of the weight, summed over images in at most 16 pieces cut by the shape alone.
template <class T> void conv2d_grad_weight(const Conv2d& s, const T* x, const T* dy, T* dweight) {
  const Index oh = s.out_h(), ow = s.out_w(), step = s.rows_at_once(), size = s.patch() * s.c_out;
  const Index pieces = std::min<Index>(16, s.n);
  const Ref<Storage> parts =
      Cpu::allocate(static_cast<std::size_t>(std::max<Index>(1, pieces) * size) * sizeof(T));
  T* const sums = static_cast<T*>(parts->data());
  parallel_for(pieces, 1, [&](Index piece, Index) {
    bool first = true;
    for (Index n = piece * s.n / pieces; n < (piece + 1) * s.n / pieces; ++n)
      for (Index r0 = 0; r0 < oh; r0 += step, first = false) {
        const Index r1 = std::min(oh, r0 + step);
        T* const patches = scratch<T>(Scratch::mix, (r1 - r0) * ow * s.patch());
        for (Index g = 0; g < s.groups; ++g) {
          detail::gather_patches(s, x + n * s.h * s.w * s.c_in, g, r0, r1, patches);
          GemmArgs<T> a;
          a.m = s.patch();
          a.n = s.group_out();
          a.k = (r1 - r0) * ow;
          a.a = patches;
          a.a_row = 1;
          a.a_col = s.patch();
          a.b = dy + (n * oh + r0) * ow * s.c_out + g * s.group_out();
          a.b_row = s.c_out;
          a.c = sums + piece * size + g * s.group_out();
          a.c_row = s.c_out;
          a.beta = first ? T(0) : T(1);
          detail::gemm_serial(a, {});
        }
      }
  });
  sum_parts(static_cast<const T*>(sums), pieces, size, dweight);
}

}  // namespace cpu

TMOR_END
