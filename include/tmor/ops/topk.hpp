#pragma once
/// @file topk.hpp
/// The largest or smallest elements along a dimension, in order.

#include "tmor/ops/index.hpp"
#include "tmor/ops/reduce.hpp"

TMOR_BEGIN

/// Result of `topk`: both of the input's shape but for `k` elements in the dimension.
template <class T, class Device> struct TopK {
  Tensor<T, Device> values;       ///< differentiable
  Tensor<Index, Device> indices;  ///< positions along the dimension
};

/// The `k` largest (or smallest) elements along dimension `dim`, best first; of equal ones the first comes
/// first; a NaN counts as larger than every number. With k the size of the dimension this is a stable sort.
/// @throws Error unless 0 <= k <= size.
template <class T, class Device>
TopK<T, Device> topk(const Tensor<T, Device>& x, Index k, Index dim = -1, bool largest = true) {
  const int d = wrap_dim(dim, x.rank(), "topk");
  const Index n = x.shape()[d];
  TMOR_CHECK(k >= 0 && k <= n, "[topk] k = ", k, " of ", n, " elements in dimension ", dim, " of ",
             x.shape());
  Shape shape = x.shape();
  shape[d] = k;
  if (shape.numel() == 0) return {narrow(x, d, 0, k), Tensor<Index, Device>::empty(shape)};
  const auto r = detail::reduced_shapes(x.shape(), {d}, true, "topk");
  auto at = Tensor<Index, Device>::empty({r.keep.numel(), k});
  run_topk_index(Device{}, at, detail::reduced_rows(x, r), largest);
  const auto indices = contiguous(detail::from_reduced_rows(at, r, shape));
  return {gather(x, d, indices), indices};
}

TMOR_END
