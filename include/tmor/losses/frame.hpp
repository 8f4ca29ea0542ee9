#pragma once
/// @file frame.hpp
/// Contrast of moments: two sequences of frame vectors of the same clips, brought to the same moments, where
/// a moment of one must find the same moment of the other.

#include <algorithm>
#include <memory>
#include <vector>

#include "tmor/losses/contrastive.hpp"

TMOR_BEGIN
namespace loss {

/// Which rows of two matrices of moments belong together, and which pairs say nothing.
struct Moments {
  std::vector<Index> clip;   ///< (R,): rows of one clip have one number
  std::vector<Index> group;  ///< (R,): clips of equal groups show the same thing (the same caption)
  std::vector<Index> place;  ///< (R,): number of the frame within its clip
  Index margin = 1;          ///< frames of one clip at most so far apart look alike
};

/// Symmetric InfoNCE of moments: row i of a (R, dim), one skeleton moment, belongs to row i of b (R, dim),
/// the video frame of the same time. Its negatives are the same clip's frames further than `margin` away,
/// which teaches when, and the frames of clips of other groups. Frames within the margin, and those of other
/// clips of the same group, which may well show the same moment, take no part.
/// The rows are taken in blocks of whole clips of at most `block` rows (or one clip), so that memory grows
/// with R only; the result is the mean over all rows. @throws ShapeError for sizes that do not fit.
template <class T, class Device, class Factor = T>
Tensor<param_t<T>, Device> frame_info_nce(const Tensor<T, Device>& a, const Tensor<T, Device>& b,
                                          const Tensor<param_t<T>, Device>& log_scale, const Moments& m,
                                          Index block = 512) {
  tmor::detail::check_pairs("frame_info_nce", a, b, log_scale);
  const Index rows = a.size(0);
  TMOR_CHECK_SHAPE(std::ssize(m.clip) == rows && std::ssize(m.group) == rows && std::ssize(m.place) == rows,
                   "[frame_info_nce] ", m.clip.size(), " clips, ", m.group.size(), " groups, ",
                   m.place.size(), " places for ", rows, " rows");
  const auto at = [](const std::vector<Index>& v, Index i) { return v[static_cast<std::size_t>(i)]; };
  Tensor<param_t<T>, Device> total;
  for (Index begin = 0, end; begin < rows; begin = end) {
    end = begin;
    for (Index next = begin; end < rows; end = next) {  // whole clips, at least one
      while (next < rows && at(m.clip, next) == at(m.clip, end)) ++next;
      if (end > begin && next - begin > block) break;
    }
    const Index n = end - begin;
    const auto ignore = std::make_unique<bool[]>(static_cast<std::size_t>(n * n));
    bool* out = ignore.get();
    for (Index i = begin; i < end; ++i)
      for (Index j = begin; j < end; ++j) {
        const bool near =
            at(m.place, i) - at(m.place, j) <= m.margin && at(m.place, j) - at(m.place, i) <= m.margin;
        *out++ = at(m.clip, i) == at(m.clip, j) ? near : at(m.group, i) == at(m.group, j);
      }
    const auto pairs = Tensor<bool, Device>::from_pointer(ignore.get(), {n, n});
    const auto part = loss::info_nce<T, Device, Factor>(narrow(a, 0, begin, n), narrow(b, 0, begin, n),
                                                        log_scale, {}, pairs) *
                      (static_cast<double>(n) / static_cast<double>(rows));
    total = total.defined() ? total + part : part;
  }
  return total;
}

/// Tokens (N, T, dim), token t in the middle of the t-th of T equal parts of its clip, interpolated linearly
/// at `times` (N, F), fractions in [0, 1] of the clip (clamped to the first and last token) -> (N, F, dim).
/// @throws ShapeError when `times` is not (N, F).
template <class T, class Device>
Tensor<T, Device> at_times(const Tensor<T, Device>& tokens, const Tensor<float, Device>& times) {
  TMOR_CHECK_SHAPE(
      tokens.rank() == 3 && tokens.size(1) > 0 && times.rank() == 2 && times.size(0) == tokens.size(0),
      "[at_times] tokens ", tokens.shape(), " and times ", times.shape(),
      ": expected (N, T, dim) and (N, F)");
  const Index n = tokens.size(0), t = tokens.size(1), f = times.size(1);
  const auto time = times.to_vector();
  std::vector<T> weight(static_cast<std::size_t>(n * f * t), T(0));
  for (Index i = 0; i < n * f; ++i) {
    const double where =
        static_cast<double>(time[static_cast<std::size_t>(i)]) * static_cast<double>(t) - 0.5;
    const double place = std::clamp(where >= 0 ? where : 0.0, 0.0, static_cast<double>(t - 1));
    const Index low = std::min(static_cast<Index>(place), std::max<Index>(0, t - 2));
    const double part = place - static_cast<double>(low);
    weight[static_cast<std::size_t>(i * t + low)] += static_cast<T>(1 - part);
    if (part > 0) weight[static_cast<std::size_t>(i * t + low + 1)] += static_cast<T>(part);
  }
  return matmul(Tensor<T, Device>::from(weight, {n, f, t}), tokens);
}

}  // namespace loss
TMOR_END
