#pragma once
/// @file reduce.hpp
/// Reductions over any dimensions: sum, mean, max, min, var, stddev, norm, logsumexp, any, all. The order of
/// additions depends on the shape alone, never on the number of threads.
///
/// `dims` is a dimension or a list of them (`sum(x, -1)`, `sum(x, {0, 2})`), counted from the back when
/// negative; none means all. With `keepdim` the reduced dimensions stay, of size 1.

#include <limits>

#include "tmor/core/math.hpp"
#include "tmor/cpu/rank.hpp"
#include "tmor/cpu/reduce.hpp"
#include "tmor/ops/elementwise.hpp"
#include "tmor/ops/views.hpp"

TMOR_BEGIN

/// Dimensions to reduce; empty means all of them.
struct Dims : Shape {
  Dims() = default;
  Dims(std::initializer_list<Index> dims) : Shape(dims) {}
  Dims(const Shape& dims) : Shape(dims) {}  // NOLINT: implicit on purpose
  template <class I>
  requires(std::is_integral_v<I> && !std::is_same_v<I, bool>) Dims(I dim)  // NOLINT
      : Shape({static_cast<Index>(dim)}) {}
};

namespace fn {

// Reductions; see cpu/reduce.hpp for the form.
struct Sum {
  template <class V> TMOR_HD V identity() const { return V(0); }
  template <class V> TMOR_HD V map(V x, V) const { return x; }
  template <class V> TMOR_HD V combine(V a, V b) const { return a + b; }
  template <class C> TMOR_HD C finish(C total, Index) const { return total; }
};
struct Mean : Sum {
  template <class C> TMOR_HD C finish(C total, Index count) const { return total / static_cast<C>(count); }
};
/// Largest value; NaN when there is one.
struct Max {
  template <class V> TMOR_HD V identity() const {
    using L = std::numeric_limits<lane_t<V>>;
    return V(L::has_infinity ? -L::infinity() : L::lowest());
  }
  template <class V> TMOR_HD V map(V x, V) const { return x; }
  template <class V> TMOR_HD V combine(V a, V b) const { return select((a > b) | (a != a), a, b); }
  template <class C> TMOR_HD C finish(C most, Index) const { return most; }
};
struct Min : Max {
  template <class V> TMOR_HD V identity() const {
    using L = std::numeric_limits<lane_t<V>>;
    return V(L::has_infinity ? L::infinity() : L::max());
  }
  template <class V> TMOR_HD V combine(V a, V b) const { return select((a < b) | (a != a), a, b); }
};
/// sum (x - mean)^2 / (count - correction).
struct Variance : Sum {
  explicit Variance(Index c) : correction(c) {}
  Index correction;
  template <class V> TMOR_HD V map(V x, V mean) const { return (x - mean) * (x - mean); }
  template <class C> TMOR_HD C finish(C total, Index count) const {
    return total / static_cast<C>(count - correction);
  }
};
struct Norm : Sum {
  template <class V> TMOR_HD V map(V x, V) const { return x * x; }
  template <class C> TMOR_HD C finish(C total, Index) const { return math::sqrt(total); }
};
struct SumExp : Sum {
  template <class V> TMOR_HD V map(V x, V shift) const { return math::exp(x - shift); }
};
struct Any : Max {
  template <class V> TMOR_HD V identity() const { return V(0); }
  template <class V> TMOR_HD V map(V x, V) const { return select(x != V(0), V(1), V(0)); }
};
struct All : Min {
  template <class V> TMOR_HD V identity() const { return V(1); }
  template <class V> TMOR_HD V map(V x, V) const { return select(x != V(0), V(1), V(0)); }
};

// Gradients, from (dy, x, result).
struct NormGrad {
  template <class V> TMOR_HD V operator()(V dy, V x, V y) const {
    return select(y > V(0), dy * x / select(y > V(0), y, V(1)), V(0));
  }
};
struct VarianceGrad {
  double scale;
  template <class V> TMOR_HD V operator()(V dy, V x, V mean) const { return dy * V(scale) * (x - mean); }
};
struct LogSumExpGrad {
  template <class V> TMOR_HD V operator()(V dy, V x, V y) const { return dy * math::exp(x - y); }
};
/// Keeps sums of exponentials defined where every term, or the largest, is infinite: -inf - (-inf) is a NaN.
struct LimitShift {
  template <class V> TMOR_HD V operator()(V x) const {
    return select(x < V(-1e37), V(-1e37), select(x > V(1e37), V(1e37), x));
  }
};
struct LogPlus {
  template <class V> TMOR_HD V operator()(V total, V shift) const { return math::log(total) + shift; }
};

}  // namespace fn

namespace detail {

/// The shapes of a reduction's result.
struct Reduced {
  Shape keep;  ///< of the input's rank, 1 where reduced
  Shape out;   ///< as asked for
  Index count = 1;
  Shape dims;  ///< the reduced dimensions, ascending
};

inline Reduced reduced_shapes(const Shape& from, const Shape& dims, bool keepdim, const char* op) {
  bool gone[Shape::kMaxRank] = {};
  for (Index dim : dims) {
    const int d = wrap_dim(dim, from.rank(), op);
    TMOR_CHECK_SHAPE(!gone[d], "[", op, "] dimension ", dim, " named twice in ", dims);
    gone[d] = true;
  }
  Reduced r;
  for (int d = 0; d < from.rank(); ++d) {
    const bool reduce = gone[d] || dims.rank() == 0;
    if (reduce) {
      r.count *= from[d];
      r.dims.push_back(d);
    }
    r.keep.push_back(reduce ? 1 : from[d]);
    if (!reduce || keepdim) r.out.push_back(r.keep[d]);
  }
  return r;
}

/// A contiguous tensor under another shape, without tape.
template <class T, class Device>
Tensor<T, Device> with_shape(const Tensor<T, Device>& x, const Shape& shape) {
  return x.as_strided(shape, contiguous_strides(shape), 0);
}

template <class To, class R, class T, class Device, class C = compute_t<To>>
Tensor<To, Device> reduce_values(const R& f, const Tensor<T, Device>& x, const Reduced& r,
                                 const Tensor<C, Device>& param = {}) {
  auto y = Tensor<To, Device>::empty(r.out);
  run_reduce<C>(Device{}, f, with_shape(y, r.keep), x, param);
  return y;
}

/// dy seen with the shape of the input.
template <class T, class Device>
Tensor<T, Device> spread(const Tensor<T, Device>& dy, const Reduced& r, const Shape& shape) {
  return expand(reshape(dy, r.keep), shape);
}

/// `x` as contiguous rows of what is reduced to one value: (outputs, count).
template <class T, class Device>
Tensor<T, Device> reduced_rows(const Tensor<T, Device>& x, const Reduced& r) {
  Shape order;
  for (int d = 0, i = 0; d < x.rank(); ++d) {
    if (i < r.dims.rank() && r.dims[i] == d) {
      ++i;
    } else {
      order.push_back(d);
    }
  }
  for (Index d : r.dims) order.push_back(d);
  NoGrad guard;
  return reshape(contiguous(permute(x, order)), {r.keep.numel(), r.count});
}

/// The way back: rows (outputs, count) as a tensor of the input's shape.
template <class T, class Device>
Tensor<T, Device> from_reduced_rows(const Tensor<T, Device>& rows, const Reduced& r, const Shape& shape) {
  Shape sizes, position = Shape::filled(shape.rank(), 0);
  int kept = 0, gone = 0;
  for (int d = 0; d < shape.rank(); ++d) {
    const bool reduced = gone < r.dims.rank() && r.dims[gone] == d;
    position[d] = reduced ? shape.rank() - r.dims.rank() + gone++ : kept++;
    if (!reduced) sizes.push_back(shape[d]);
  }
  for (Index d : r.dims) sizes.push_back(shape[static_cast<int>(d)]);
  return permute(reshape(rows, sizes), position);
}

}  // namespace detail

/// Element type of a sum: the floating type itself, std::int64_t for integers and bool.
template <class T> using sum_t = std::conditional_t<is_floating<T>, T, std::int64_t>;

/// Sum; 0 for no elements. Integers and bool are counted in std::int64_t.
template <class T, class Device>
Tensor<sum_t<T>, Device> sum(const Tensor<T, Device>& x, const Dims& dims = {}, bool keepdim = false) {
  const auto r = detail::reduced_shapes(x.shape(), dims, keepdim, "sum");
  auto y = detail::reduce_values<sum_t<T>>(fn::Sum{}, x, r);
  if constexpr (is_floating<T>)
    return detail::recorded(y, "sum", x,
                            [r, from = x.shape()](const auto& dy) { return detail::spread(dy, r, from); });
  return y;
}

/// Mean; NaN for no elements.
template <class T, class Device>
Tensor<T, Device> mean(const Tensor<T, Device>& x, const Dims& dims = {}, bool keepdim = false) {
  static_assert(is_floating<T>, "the mean needs a floating type; convert with to<float>(x)");
  const auto r = detail::reduced_shapes(x.shape(), dims, keepdim, "mean");
  return detail::recorded(detail::reduce_values<T>(fn::Mean{}, x, r), "mean", x,
                          [r, from = x.shape()](const auto& dy) {
                            return detail::spread(dy * (1.0 / static_cast<double>(r.count)), r, from);
                          });
}

namespace detail {

/// Index of the largest (or smallest) of each row, (rows,).
template <class T, class Device>
Tensor<Index, Device> extreme_index(const Tensor<T, Device>& rows, bool largest) {
  auto y = Tensor<Index, Device>::empty({rows.size(0)});
  run_extreme_index(Device{}, y, rows, largest);
  return y;
}

template <class R, class T, class Device>
Tensor<T, Device> extreme(const R& f, const char* name, bool largest, const Tensor<T, Device>& x,
                          const Dims& dims, bool keepdim) {
  const auto r = reduced_shapes(x.shape(), dims, keepdim, name);
  TMOR_CHECK_SHAPE(r.count > 0, "[", name, "] of no elements: shape ", x.shape(), ", dimensions ", dims);
  auto y = reduce_values<T>(f, x, r);
  if constexpr (is_floating<T>) {
    if (needs_grad(x))
      record(y, name, inputs(x), [r, largest, x = save(x)](const Tensor<T, Device>& dy, Grads& g) {
        const auto at = extreme_index(reduced_rows(x.get(), r), largest);
        auto dx = Tensor<T, Device>::zeros({r.keep.numel(), r.count});
        run_scatter_rows(Device{}, dx, reshape(at, {-1, 1}), reshape(contiguous(dy), {-1, 1}));
        g.add(0, from_reduced_rows(dx, r, x.get().shape()));
      });
  }
  return y;
}

template <class T, class Device>
Tensor<Index, Device> extreme_at(const char* name, bool largest, const Tensor<T, Device>& x, const Dims& dims,
                                 bool keepdim) {
  const auto r = reduced_shapes(x.shape(), dims, keepdim, name);
  TMOR_CHECK_SHAPE(r.count > 0, "[", name, "] of no elements: shape ", x.shape(), ", dimensions ", dims);
  return with_shape(extreme_index(reduced_rows(x, r), largest), r.out);
}

}  // namespace detail

/// Largest value, NaN when there is one; on ties the gradient goes to the first element (row-major).
/// @throws ShapeError for no elements.
template <class T, class Device>
Tensor<T, Device> max(const Tensor<T, Device>& x, const Dims& dims = {}, bool keepdim = false) {
  return detail::extreme(fn::Max{}, "max", true, x, dims, keepdim);
}
/// Smallest value; as `max` otherwise.
template <class T, class Device>
Tensor<T, Device> min(const Tensor<T, Device>& x, const Dims& dims = {}, bool keepdim = false) {
  return detail::extreme(fn::Min{}, "min", false, x, dims, keepdim);
}
/// Position of the largest value among the reduced elements (row-major over `dims`); the first on ties, the
/// first NaN when there is one. @throws ShapeError for no elements.
template <class T, class Device>
Tensor<Index, Device> argmax(const Tensor<T, Device>& x, const Dims& dims = {}, bool keepdim = false) {
  return detail::extreme_at("argmax", true, x, dims, keepdim);
}
/// Position of the smallest value; as `argmax` otherwise.
template <class T, class Device>
Tensor<Index, Device> argmin(const Tensor<T, Device>& x, const Dims& dims = {}, bool keepdim = false) {
  return detail::extreme_at("argmin", false, x, dims, keepdim);
}

/// Variance about the mean: sum (x - mean)^2 / (count - 1) where `unbiased`, else / count. In two passes.
template <class T, class Device>
Tensor<T, Device> var(const Tensor<T, Device>& x, const Dims& dims = {}, bool keepdim = false,
                      bool unbiased = true) {
  using C = compute_t<T>;
  const auto r = detail::reduced_shapes(x.shape(), dims, keepdim, "var");
  auto keep = r;
  keep.out = r.keep;
  const auto m = detail::reduce_values<C>(fn::Mean{}, x, keep);
  auto y = detail::reduce_values<T>(fn::Variance{unbiased ? 1 : 0}, x, r, m);
  if (needs_grad(x))
    record(y, "var", inputs(x), [r, unbiased, m, x = save(x)](const Tensor<T, Device>& dy, Grads& g) {
      const double scale = 2.0 / static_cast<double>(r.count - (unbiased ? 1 : 0));
      auto dx = Tensor<T, Device>::empty(x.get().shape());
      run_pointwise<C>(Device{}, fn::VarianceGrad{scale}, dx, reshape(dy, r.keep), x.get(), m);
      g.add(0, dx);
    });
  return y;
}
/// Standard deviation, the square root of `var`; its gradient is infinite at 0.
template <class T, class Device>
Tensor<T, Device> stddev(const Tensor<T, Device>& x, const Dims& dims = {}, bool keepdim = false,
                         bool unbiased = true) {
  return sqrt(var(x, dims, keepdim, unbiased));
}

/// Euclidean norm; its gradient at 0 is 0.
template <class T, class Device>
Tensor<T, Device> norm(const Tensor<T, Device>& x, const Dims& dims = {}, bool keepdim = false) {
  const auto r = detail::reduced_shapes(x.shape(), dims, keepdim, "norm");
  auto y = detail::reduce_values<T>(fn::Norm{}, x, r);
  if (needs_grad(x))
    record(y, "norm", inputs(x), [r, x = save(x), y = save(y)](const Tensor<T, Device>& dy, Grads& g) {
      auto dx = Tensor<T, Device>::empty(x.get().shape());
      run_pointwise<compute_t<T>>(Device{}, fn::NormGrad{}, dx, reshape(dy, r.keep), x.get(),
                                  reshape(y.get(), r.keep));
      g.add(0, dx);
    });
  return y;
}

/// log(sum(exp(x))) without overflow; -inf for no elements and where every element is -inf.
template <class T, class Device>
Tensor<T, Device> logsumexp(const Tensor<T, Device>& x, const Dims& dims = {}, bool keepdim = false) {
  using C = compute_t<T>;
  const auto r = detail::reduced_shapes(x.shape(), dims, keepdim, "logsumexp");
  auto keep = r;
  keep.out = r.keep;
  const auto most = detail::reduce_values<C>(fn::Max{}, x, keep);
  run_pointwise<C>(Device{}, fn::LimitShift{}, most, most);
  const auto total = detail::reduce_values<C>(fn::SumExp{}, x, keep, most);
  auto y = Tensor<T, Device>::empty(r.out);
  run_pointwise<C>(Device{}, fn::LogPlus{}, detail::with_shape(y, r.keep), total, most);
  if (needs_grad(x))
    record(y, "logsumexp", inputs(x), [r, x = save(x), y = save(y)](const Tensor<T, Device>& dy, Grads& g) {
      auto shift = Tensor<C, Device>::empty(r.keep);
      run_pointwise<C>(Device{}, fn::LimitShift{}, shift, detail::with_shape(y.get(), r.keep));
      auto dx = Tensor<T, Device>::empty(x.get().shape());
      run_pointwise<C>(Device{}, fn::LogSumExpGrad{}, dx, reshape(dy, r.keep), x.get(), shift);
      g.add(0, dx);
    });
  return y;
}

/// Is some element true; false for none.
template <class Device>
Tensor<bool, Device> any(const Tensor<bool, Device>& x, const Dims& dims = {}, bool keepdim = false) {
  return detail::reduce_values<bool, fn::Any, bool, Device, std::uint8_t>(
      fn::Any{}, x, detail::reduced_shapes(x.shape(), dims, keepdim, "any"));
}
/// Is every element true; true for none.
template <class Device>
Tensor<bool, Device> all(const Tensor<bool, Device>& x, const Dims& dims = {}, bool keepdim = false) {
  return detail::reduce_values<bool, fn::All, bool, Device, std::uint8_t>(
      fn::All{}, x, detail::reduced_shapes(x.shape(), dims, keepdim, "all"));
}

/// Sums of the elements up to and including each one, along dimension `dim`; from the end where `reverse`.
template <class T, class Device>
Tensor<sum_t<T>, Device> cumsum(const Tensor<T, Device>& x, Index dim, bool reverse = false) {
  const int d = wrap_dim(dim, x.rank(), "cumsum");
  auto y = Tensor<sum_t<T>, Device>::empty(x.shape());
  run_cumsum(Device{}, y, contiguous(x), d, reverse);
  if constexpr (is_floating<T>)
    return detail::recorded(y, "cumsum", x, [d, reverse](const auto& dy) { return cumsum(dy, d, !reverse); });
  return y;
}

TMOR_END

#ifdef TMOR_COMPILED
#include "tmor/instantiate/reduce.inl"
#endif
