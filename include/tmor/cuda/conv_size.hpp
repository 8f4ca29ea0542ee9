#pragma once
/// @file conv_size.hpp
/// The sizes of a convolution as the GPU takes it: one over images, channels last.

#include <compare>

#include "tmor/core/config.hpp"

TMOR_BEGIN
namespace cuda {

/// x (n, h, w, groups, c_in), weight (kh, kw, c_in, groups, c_out), y (n, oh, ow, groups, c_out); channels
/// are those of a group.
struct ConvSize {
  Index n, h, w, oh, ow, kh, kw, c_in, c_out, groups;
  Index stride_h, stride_w, dilation_h, dilation_w, pad_h, pad_w;

  Index pixels() const { return n * oh * ow; }
  TMOR_HD Index patch() const { return kh * kw * c_in; }
  /// Is it the product of all pixels with one matrix?
  bool is_product() const { return kh * kw * groups * stride_h * stride_w == 1 && pad_h == 0 && pad_w == 0; }

  auto operator<=>(const ConvSize&) const = default;
};

}  // namespace cuda
TMOR_END
