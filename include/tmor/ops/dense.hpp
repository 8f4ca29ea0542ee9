#pragma once
/// @file dense.hpp
/// Views off the tape for operations that do their own differentiation: dense copies, swapped dimensions,
/// broadcasts.

#include "tmor/core/rows/softmax.hpp"
#include "tmor/cpu/pointwise.hpp"
#include "tmor/cpu/rows.hpp"

TMOR_BEGIN
namespace detail {

/// The same numbers row-major without gaps, off the tape; `x`'s own memory where it is so already.
template <class T, class Device> Tensor<T, Device> dense(const Tensor<T, Device>& x) {
  if (x.is_contiguous()) return x.detach();
  auto y = Tensor<T, Device>::empty(x.shape());
  copy_into(Device{}, y, x);
  return y;
}

/// View with dimensions `i` and `j` exchanged.
template <class T, class Device> Tensor<T, Device> swap_dims(const Tensor<T, Device>& x, int i, int j) {
  Shape s = x.shape(), st = x.strides();
  std::swap(s[i], s[j]);
  std::swap(st[i], st[j]);
  return x.as_strided(s, st, 0);
}

/// View of `x` broadcast to `shape`. @throws ShapeError naming `op` where it does not broadcast to it.
template <class T, class Device>
Tensor<T, Device> broadcast_view(const Tensor<T, Device>& x, const Shape& shape, const char* op) {
  TMOR_CHECK_SHAPE(broadcast_shapes(x.shape(), shape, op) == shape, "[", op, "] ", x.shape(),
                   " does not broadcast to ", shape);
  Shape strides = Shape::filled(shape.rank(), 0);
  const int lead = shape.rank() - x.rank();
  for (int d = lead; d < shape.rank(); ++d)
    if (x.shape()[d - lead] != 1) strides[d] = x.strides()[d - lead];
  return x.as_strided(shape, strides, 0);
}

/// Rows (all dimensions but the last) of `x`, whose last dimension must be contiguous, for row bodies.
template <class T, class Device> rows::BroadcastRows broadcast_rows(const Tensor<T, Device>& x) {
  rows::BroadcastRows r;
  for (; r.rank + 1 < x.rank(); ++r.rank) {
    r.size[r.rank] = x.shape()[r.rank];
    r.stride[r.rank] = x.strides()[r.rank];
  }
  return r;
}

/// Number of rows of length `n` in `x`; 0 for empty ones.
template <class T, class Device> Index row_count(const Tensor<T, Device>& x, Index n) {
  return n == 0 ? 0 : x.numel() / n;
}

}  // namespace detail
TMOR_END
