#pragma once
/// @file pool_call.hpp
/// The windows of a pooling operation over channels-last images (n, h, w, c), for every device.

#include "tmor/core/error.hpp"

TMOR_BEGIN

/// The windows along height or width: output i covers inputs [begin(i), end(i)), never empty.
struct PoolAxis {
  Index in = 0, out = 0;
  Index kernel = 0, stride = 1, pad = 0;  ///< kernel 0: adaptive windows, which share `in` among `out`

  /// Windows of `kernel` every `stride` (0: the kernel) inputs, with `pad` places outside at both ends.
  /// @throws ShapeError unless 0 <= pad < kernel and at least one window fits.
  static PoolAxis sliding(Index in, Index kernel, Index stride, Index pad, const char* op) {
    constexpr Index kMost = Index{1} << 31;
    if (stride == 0) stride = kernel;
    TMOR_CHECK_SHAPE(
        kernel >= 1 && kernel <= kMost && stride >= 1 && stride <= kMost && pad >= 0 && pad < kernel, "[", op,
        "] kernel ", kernel, ", stride ", stride, ", padding ", pad,
        ": kernel and stride must be 1 or more, padding less than the kernel");
    TMOR_CHECK_SHAPE(in + 2 * pad >= kernel, "[", op, "] a window of ", kernel, " does not fit into ", in,
                     " padded by ", pad);
    return {in, (in + 2 * pad - kernel) / stride + 1, kernel, stride, pad};
  }
  /// `out` windows that cover all inputs, [floor(i in / out), ceil((i + 1) in / out)).
  /// @throws ShapeError unless out >= 1 and in >= 1.
  static PoolAxis adaptive(Index in, Index out, const char* op) {
    TMOR_CHECK_SHAPE(out >= 1 && out <= Index{1} << 31 && in >= 1, "[", op, "] ", out, " windows over ", in,
                     " inputs: there must be at least one of each");
    return {in, out};
  }

  TMOR_HD Index begin(Index i) const {
    if (kernel == 0) return i * in / out;
    const Index at = i * stride - pad;
    return at < 0 ? 0 : at;
  }
  TMOR_HD Index end(Index i) const {
    if (kernel == 0) return ((i + 1) * in + out - 1) / out;
    const Index at = i * stride - pad + kernel;
    return at < in ? at : in;
  }
};

/// x (n, h.in, w.in, c) -> y (n, h.out, w.out, c).
struct PoolCall {
  Index n = 0;
  PoolAxis h, w;
  Index c = 0;
  bool count_padding = false;  ///< averages divide by the whole window, padding included

  /// What the sum over the window of output (i, j) is divided by for an average.
  TMOR_HD Index divisor(Index i, Index j) const {
    if (count_padding) return h.kernel * w.kernel;
    return (h.end(i) - h.begin(i)) * (w.end(j) - w.begin(j));
  }
};

TMOR_END
