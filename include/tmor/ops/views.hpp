#pragma once
/// @file views.hpp
/// Views: other ways to look at the same elements. They share storage with their input, cost nothing, and
/// are differentiable in floating inputs. `reshape`, `flatten` and `contiguous` copy where no view can do.
/// Dimension numbers may count from the back. Operations that move elements are in movement.hpp.

#include "tmor/ops/pointwise.hpp"

TMOR_BEGIN

namespace detail {

/// Puts `y` on the tape where it can have a gradient; `backward(dy)` gives that of `x`.
template <class T, class Device, class F>
Tensor<T, Device> recorded(const Tensor<T, Device>& y, const char* name, const Tensor<T, Device>& x,
                           F backward) {
  if constexpr (is_floating<T>) {
    if (needs_grad(x))
      record(y, name, inputs(x),
             [backward](const Tensor<T, Device>& dy, Grads& g) { g.add(0, backward(dy)); });
  }
  return y;
}

/// Strides with which `shape` looks at the elements of a tensor in order; false when only a copy can.
inline bool view_strides(const Shape& from, const Shape& strides, const Shape& shape, Shape& out) {
  out = contiguous_strides(shape);
  if (shape.numel() == 0) return true;
  int d = shape.rank() - 1;
  for (int i = from.rank() - 1; i >= 0;) {
    if (from[i] == 1) {
      --i;
      continue;
    }
    // From the back: a run of old dimensions that is dense in itself may be cut up at will.
    const Index inner = strides[i];
    Index run = from[i], covered = 1;
    for (--i; i >= 0 && (from[i] == 1 || strides[i] == run * inner); --i) run *= from[i];
    for (; d >= 0 && covered < run; --d) {
      out[d] = covered * inner;
      covered *= shape[d];
    }
    if (covered != run) return false;
  }
  return true;
}

/// `shape` with its -1, if any, replaced by what `numel` elements need.
inline Shape resolve_shape(Shape shape, Index numel, const Shape& from) {
  int open = -1;
  Index known = 1;
  for (int d = 0; d < shape.rank(); ++d) {
    TMOR_CHECK_SHAPE(shape[d] >= -1 && (shape[d] >= 0 || open < 0), "[reshape] ", from, " to ", shape,
                     ": one size at most may be -1, none less");
    if (shape[d] == -1) {
      open = d;
    } else {
      known *= shape[d];
    }
  }
  if (open >= 0 && known > 0) shape[open] = numel / known;
  TMOR_CHECK_SHAPE((open < 0 || known > 0) && shape.numel() == numel, "[reshape] ", from, " of ", numel,
                   " elements cannot become ", shape);
  return shape;
}

/// Elements `start`, `start + step`, ... of dimension `dim`, `count` of them, without tape.
template <class T, class Device>
Tensor<T, Device> slice_view(const Tensor<T, Device>& x, int dim, Index start, Index count, Index step = 1) {
  Shape shape = x.shape(), strides = x.strides();
  const Index offset = count > 0 ? start * strides[dim] : 0;
  shape[dim] = count;
  strides[dim] *= step;
  return x.as_strided(shape, strides, offset);
}

/// The same on the tape. Backward puts dy into its place among zeros.
template <class T, class Device>
Tensor<T, Device> slice_of(const char* name, const Tensor<T, Device>& x, int dim, Index start, Index count,
                           Index step) {
  return recorded(slice_view(x, dim, start, count, step), name, x,
                  [shape = x.shape(), dim, start, count, step](const auto& dy) {
                    auto dx = std::remove_cvref_t<decltype(dy)>::zeros(shape);
                    copy_into(Device{}, slice_view(dx, dim, start, count, step), dy);
                    return dx;
                  });
}

}  // namespace detail

/// A row-major copy in memory of its own.
template <class T, class Device> Tensor<T, Device> clone(const Tensor<T, Device>& x) {
  auto y = Tensor<T, Device>::empty(x.shape());
  copy_into(Device{}, y, x);
  return detail::recorded(y, "clone", x, [](const auto& dy) { return dy; });
}

/// `x` itself where it is row-major without gaps, else a copy that is.
template <class T, class Device> Tensor<T, Device> contiguous(const Tensor<T, Device>& x) {
  return x.is_contiguous() ? x : clone(x);
}

/// The elements in the same (row-major) order under another shape, of which one size may be -1. A view where
/// strides allow it, else a copy. @throws ShapeError when the numbers of elements differ.
template <class T, class Device> Tensor<T, Device> reshape(const Tensor<T, Device>& x, const Shape& sizes) {
  const Shape shape = detail::resolve_shape(sizes, x.numel(), x.shape());
  if (shape == x.shape()) return x;
  Shape strides;
  if (!detail::view_strides(x.shape(), x.strides(), shape, strides)) return reshape(clone(x), shape);
  return detail::recorded(x.as_strided(shape, strides, 0), "reshape", x,
                          [from = x.shape()](const auto& dy) { return reshape(dy, from); });
}

/// Dimensions `first` to `last`, both included, as one.
template <class T, class Device>
Tensor<T, Device> flatten(const Tensor<T, Device>& x, Index first = 0, Index last = -1) {
  if (x.rank() == 0) return reshape(x, {1});
  const int a = wrap_dim(first, x.rank(), "flatten"), b = wrap_dim(last, x.rank(), "flatten");
  TMOR_CHECK_SHAPE(a <= b, "[flatten] dimensions ", first, " to ", last, " of ", x.shape());
  Shape shape;
  for (int d = 0; d < x.rank(); ++d) {
    if (d > a && d <= b) {
      shape[a] *= x.shape()[d];
    } else {
      shape.push_back(x.shape()[d]);
    }
  }
  return reshape(x, shape);
}

/// A new dimension of size 1 before position `dim`; -1 appends one.
template <class T, class Device> Tensor<T, Device> unsqueeze(const Tensor<T, Device>& x, Index dim) {
  Shape shape = x.shape();
  shape.insert(wrap_dim(dim, x.rank() + 1, "unsqueeze"), 1);
  return reshape(x, shape);
}

/// Without dimension `dim`. @throws ShapeError unless its size is 1.
template <class T, class Device> Tensor<T, Device> squeeze(const Tensor<T, Device>& x, Index dim) {
  Shape shape = x.shape();
  const int d = wrap_dim(dim, x.rank(), "squeeze");
  TMOR_CHECK_SHAPE(shape[d] == 1, "[squeeze] dimension ", dim, " of ", shape, " is not of size 1");
  shape.erase(d);
  return reshape(x, shape);
}
/// Without any dimension of size 1.
template <class T, class Device> Tensor<T, Device> squeeze(const Tensor<T, Device>& x) {
  Shape shape;
  for (Index s : x.shape())
    if (s != 1) shape.push_back(s);
  return reshape(x, shape);
}

/// Dimension `dims[i]` becomes dimension i. @throws ShapeError unless `dims` names every dimension once.
template <class T, class Device> Tensor<T, Device> permute(const Tensor<T, Device>& x, const Shape& dims) {
  Shape shape, strides, inverse = Shape::filled(x.rank(), -1);
  TMOR_CHECK_SHAPE(dims.rank() == x.rank(), "[permute] order ", dims, " for shape ", x.shape());
  for (int i = 0; i < dims.rank(); ++i) {
    const int d = wrap_dim(dims[i], x.rank(), "permute");
    TMOR_CHECK_SHAPE(inverse[d] < 0, "[permute] order ", dims, " names dimension ", d, " twice");
    inverse[d] = i;
    shape.push_back(x.shape()[d]);
    strides.push_back(x.strides()[d]);
  }
  return detail::recorded(x.as_strided(shape, strides, 0), "permute", x,
                          [inverse](const auto& dy) { return permute(dy, inverse); });
}

/// Dimensions `a` and `b` exchanged.
template <class T, class Device> Tensor<T, Device> transpose(const Tensor<T, Device>& x, Index a, Index b) {
  Shape dims;
  for (int d = 0; d < x.rank(); ++d) dims.push_back(d);
  std::swap(dims[wrap_dim(a, x.rank(), "transpose")], dims[wrap_dim(b, x.rank(), "transpose")]);
  return permute(x, dims);
}
/// The last two dimensions exchanged.
template <class T, class Device> Tensor<T, Device> transpose(const Tensor<T, Device>& x) {
  TMOR_CHECK_SHAPE(x.rank() >= 2, "[transpose] needs a matrix, got ", x.shape());
  return transpose(x, -2, -1);
}

/// `x` seen as a tensor of `sizes`, repeating dimensions of size 1 (NumPy's broadcasting); -1 keeps a size.
/// Elements are shared: write to a `clone` of it. @throws ShapeError when `x` does not broadcast to that.
template <class T, class Device> Tensor<T, Device> expand(const Tensor<T, Device>& x, const Shape& sizes) {
  const int lead = sizes.rank() - x.rank();
  Shape shape = sizes, strides = Shape::filled(sizes.rank(), 0);
  TMOR_CHECK_SHAPE(lead >= 0, "[expand] ", x.shape(), " to ", sizes, " of lower rank");
  for (int d = 0; d < shape.rank(); ++d) {
    const Index have = d < lead ? 1 : x.shape()[d - lead];
    if (shape[d] == -1 && d >= lead) shape[d] = have;
    TMOR_CHECK_SHAPE(shape[d] >= 0 && (have == 1 || have == shape[d]), "[expand] ", x.shape(), " to ", sizes,
                     ": size ", have, " cannot become ", shape[d]);
    if (d >= lead && have == shape[d]) strides[d] = x.strides()[d - lead];
  }
  return detail::recorded(x.as_strided(shape, strides, 0), "expand", x,
                          [from = x.shape()](const auto& dy) { return sum_to(dy, from); });
}

/// `length` elements of dimension `dim` from `start` on. @throws ShapeError outside the dimension.
template <class T, class Device>
Tensor<T, Device> narrow(const Tensor<T, Device>& x, Index dim, Index start, Index length) {
  const int d = wrap_dim(dim, x.rank(), "narrow");
  const Index n = x.shape()[d];
  TMOR_CHECK_SHAPE(start >= 0 && length >= 0 && length <= n && start <= n - length, "[narrow] ", length,
                   " elements from ", start, " of dimension ", dim, " of ", x.shape());
  return detail::slice_of("narrow", x, d, start, length, 1);
}

/// Element `index` (from the back when negative) of dimension `dim`, which goes away.
/// @throws ShapeError outside the dimension.
template <class T, class Device>
Tensor<T, Device> select(const Tensor<T, Device>& x, Index dim, Index index) {
  const int d = wrap_dim(dim, x.rank(), "select");
  const Index n = x.shape()[d], i = index < 0 ? index + n : index;
  TMOR_CHECK_SHAPE(i >= 0 && i < n, "[select] element ", index, " of dimension ", dim, " of ", x.shape());
  return squeeze(detail::slice_of("select", x, d, i, 1, 1), d);
}

/// The end of a dimension, for `slice`.
inline constexpr Index kEnd = INT64_MAX;

/// Elements `start`, `start + step`, ... before `stop` of dimension `dim`; as in Python, negative bounds
/// count from the back and ones outside are moved to the ends. @throws Error for step < 1.
template <class T, class Device>
Tensor<T, Device> slice(const Tensor<T, Device>& x, Index dim, Index start, Index stop = kEnd,
                        Index step = 1) {
  TMOR_CHECK(step >= 1, "[slice] step ", step, " must be at least 1; flip() reverses");
  const int d = wrap_dim(dim, x.rank(), "slice");
  const Index n = x.shape()[d];
  const auto inside = [n](Index i) {
    if (i < 0) i = i < -n ? 0 : i + n;
    return i > n ? n : i;
  };
  const Index a = inside(start), b = inside(stop);
  return detail::slice_of("slice", x, d, a, b > a ? (b - a - 1) / step + 1 : 0, step);
}

/// Views of `sizes[i]` elements of dimension `dim`, one after the other.
/// @throws ShapeError unless the sizes sum to that of the dimension.
template <class T, class Device>
std::vector<Tensor<T, Device>> split(const Tensor<T, Device>& x, const std::vector<Index>& sizes, Index dim) {
  std::vector<Tensor<T, Device>> parts;
  Index at = 0;
  for (Index n : sizes) {
    parts.push_back(narrow(x, dim, at, n));
    at += n;
  }
  TMOR_CHECK_SHAPE(at == x.size(dim), "[split] sizes sum to ", at, ", dimension ", dim, " of ", x.shape(),
                   " has ", x.size(dim));
  return parts;
}
/// The same with parts of `size` elements; the last may have fewer.
template <class T, class Device>
std::vector<Tensor<T, Device>> split(const Tensor<T, Device>& x, Index size, Index dim) {
  TMOR_CHECK(size >= 1, "[split] parts of ", size, " elements");
  std::vector<Index> sizes;
  for (Index left = x.size(dim); left > 0; left -= size) sizes.push_back(left < size ? left : size);
  return split(x, sizes, dim);
}
/// `n` equal views along dimension `dim`. @throws ShapeError unless its size is a multiple of `n`.
template <class T, class Device>
std::vector<Tensor<T, Device>> chunk(const Tensor<T, Device>& x, Index n, Index dim) {
  TMOR_CHECK_SHAPE(n >= 1 && x.size(dim) % n == 0, "[chunk] dimension ", dim, " of ", x.shape(), " in ", n,
                   " equal parts");
  return split(x, std::vector<Index>(static_cast<std::size_t>(n), x.size(dim) / n), dim);
}

TMOR_END

#ifdef TMOR_COMPILED
#include "tmor/instantiate/views.inl"
#endif
