#pragma once
/// @file movement.hpp
/// Operations that put elements elsewhere in new memory: joining, padding, repeating, reversing. All are
/// differentiable in floating inputs. Dimension numbers may count from the back.

#include <initializer_list>

#include "tmor/ops/views.hpp"

TMOR_BEGIN

namespace detail {

template <class T, class Device>
Tensor<T, Device> concat_range(const Tensor<T, Device>* xs, std::size_t n, Index dim) {
  TMOR_CHECK(n > 0, "[concat] needs at least one tensor");
  const int d = wrap_dim(dim, xs[0].rank(), "concat");
  Shape shape = xs[0].shape();
  shape[d] = 0;
  for (std::size_t i = 0; i < n; ++i) {
    Shape same = xs[i].shape();
    if (same.rank() == shape.rank()) same[d] = shape[d];
    TMOR_CHECK_SHAPE(same == shape, "[concat] tensor ", static_cast<Index>(i), " is ", xs[i].shape(),
                     ", the first is ", xs[0].shape(), "; only dimension ", d, " may differ");
    shape[d] += xs[i].shape()[d];
  }
  auto y = Tensor<T, Device>::empty(shape);
  std::vector<Index> starts;
  Index at = 0;
  for (std::size_t i = 0; i < n; ++i) {
    starts.push_back(at);
    copy_into(Device{}, slice_view(y, d, at, xs[i].shape()[d]), xs[i]);
    at += xs[i].shape()[d];
  }
  starts.push_back(at);
  if constexpr (is_floating<T>) {
    std::vector<Edge> edges;
    bool wanted = false;
    for (std::size_t i = 0; i < n; ++i) {
      edges.push_back(edge_of(xs[i]));
      wanted |= needs_grad(xs[i]);
    }
    if (wanted)
      record(y, "concat", std::move(edges), [d, starts](const Tensor<T, Device>& dy, Grads& g) {
        for (std::size_t i = 0; i + 1 < starts.size(); ++i)
          g.add(static_cast<int>(i), slice_view(dy, d, starts[i], starts[i + 1] - starts[i]));
      });
  }
  return y;
}

template <class T, class Device>
Tensor<T, Device> stack_range(const Tensor<T, Device>* xs, std::size_t n, Index dim) {
  TMOR_CHECK(n > 0, "[stack] needs at least one tensor");
  std::vector<Tensor<T, Device>> rows;
  for (std::size_t i = 0; i < n; ++i) {
    TMOR_CHECK_SHAPE(xs[i].shape() == xs[0].shape(), "[stack] tensor ", static_cast<Index>(i), " is ",
                     xs[i].shape(), ", the first is ", xs[0].shape());
    rows.push_back(unsqueeze(xs[i], dim));
  }
  return concat_range(rows.data(), n, dim);
}

}  // namespace detail

/// The tensors one after the other along dimension `dim`. @throws ShapeError when another size differs.
template <class T, class Device>
Tensor<T, Device> concat(const std::vector<Tensor<T, Device>>& xs, Index dim) {
  return detail::concat_range(xs.data(), xs.size(), dim);
}
template <class T, class Device>
Tensor<T, Device> concat(std::initializer_list<Tensor<T, Device>> xs, Index dim) {
  return detail::concat_range(xs.begin(), xs.size(), dim);
}

/// Tensors of equal shape along a new dimension before position `dim`.
template <class T, class Device>
Tensor<T, Device> stack(const std::vector<Tensor<T, Device>>& xs, Index dim = 0) {
  return detail::stack_range(xs.data(), xs.size(), dim);
}
template <class T, class Device>
Tensor<T, Device> stack(std::initializer_list<Tensor<T, Device>> xs, Index dim = 0) {
  return detail::stack_range(xs.begin(), xs.size(), dim);
}

/// `x` inside a frame of `value`: `before[d]` elements ahead of dimension d and `after[d]` behind it.
/// @throws ShapeError unless both have one entry a dimension, none negative (narrow() crops).
template <class T, class Device>
Tensor<T, Device> pad(const Tensor<T, Device>& x, const Shape& before, const Shape& after, double value = 0) {
  TMOR_CHECK_SHAPE(before.rank() == x.rank() && after.rank() == x.rank(), "[pad] widths ", before, " and ",
                   after, " for shape ", x.shape(), ": one entry a dimension");
  Shape shape = x.shape();
  Index offset = 0;
  const Shape strides = [&] {
    for (int d = 0; d < x.rank(); ++d) {
      TMOR_CHECK_SHAPE(before[d] >= 0 && after[d] >= 0, "[pad] widths ", before, " and ", after,
                       " must not be negative; narrow() crops");
      shape[d] += before[d] + after[d];
    }
    return contiguous_strides(shape);
  }();
  for (int d = 0; d < x.rank(); ++d) offset += before[d] * strides[d];
  auto y = Tensor<T, Device>::full(shape, static_cast<T>(static_cast<compute_t<T>>(value)));
  if (x.numel() > 0) copy_into(Device{}, y.as_strided(x.shape(), strides, offset), x);
  return detail::recorded(y, "pad", x, [from = x.shape(), before](const auto& dy) {
    auto dx = dy;
    for (int d = 0; d < from.rank(); ++d) dx = detail::slice_view(dx, d, before[d], from[d]);
    return dx;
  });
}
/// The same for dimension `dim` alone.
template <class T, class Device>
Tensor<T, Device> pad(const Tensor<T, Device>& x, Index dim, Index before, Index after, double value = 0) {
  Shape b = Shape::filled(x.rank(), 0), a = b;
  const int d = wrap_dim(dim, x.rank(), "pad");
  b[d] = before;
  a[d] = after;
  return pad(x, b, a, value);
}

/// Dimension `dim` back to front; a copy, so that no tensor ever has a negative stride.
template <class T, class Device> Tensor<T, Device> flip(const Tensor<T, Device>& x, Index dim) {
  const int d = wrap_dim(dim, x.rank(), "flip");
  auto y = Tensor<T, Device>::empty(x.shape());
  if (x.numel() > 0) copy_into(Device{}, y, detail::slice_view(x, d, x.shape()[d] - 1, x.shape()[d], -1));
  return detail::recorded(y, "flip", x, [d](const auto& dy) { return flip(dy, d); });
}

/// `x` laid side by side `times[d]` times along dimension d; missing leading dimensions are added.
/// @throws ShapeError when `times` is shorter than the rank or has a negative entry.
template <class T, class Device> Tensor<T, Device> repeat(const Tensor<T, Device>& x, const Shape& times) {
  const int lead = times.rank() - x.rank();
  TMOR_CHECK_SHAPE(lead >= 0, "[repeat] ", times, " times a tensor ", x.shape(), ": one entry a dimension");
  Shape shape = Shape::filled(lead, 1);
  for (Index s : x.shape()) shape.push_back(s);
  auto y = reshape(x, shape);
  for (int d = shape.rank() - 1; d >= 0; --d) {
    TMOR_CHECK_SHAPE(times[d] >= 0, "[repeat] ", times, " has a negative entry");
    if (times[d] == 1) continue;
    Index outer = 1, inner = 1;
    for (int e = 0; e < shape.rank(); ++e) (e < d ? outer : inner) *= shape[e];
    shape[d] *= times[d];
    y = reshape(expand(reshape(y, {outer, 1, inner}), {outer, times[d], inner}), shape);
  }
  return y;
}

/// Element i of dimension `dim` moves to (i + shift) modulo the size.
template <class T, class Device> Tensor<T, Device> roll(const Tensor<T, Device>& x, Index shift, Index dim) {
  const Index n = x.size(dim);
  if (n == 0) return x;
  const Index s = (shift % n + n) % n;
  return concat({narrow(x, dim, n - s, s), narrow(x, dim, 0, n - s)}, dim);
}

TMOR_END
