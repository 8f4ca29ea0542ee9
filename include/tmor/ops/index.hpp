#pragma once
/// @file index.hpp
/// Elements and rows at positions given by integers, and masks. Gradients at equal positions are added in
/// the order of the positions, so the same bits come out every time, with any number of threads.

#include "tmor/core/each.hpp"
#include "tmor/cpu/index.hpp"
#include "tmor/ops/views.hpp"

TMOR_BEGIN

namespace detail {

/// Sizes of a tensor seen as (before, dimension d, behind).
struct AroundDim {
  Index outer = 1, n, inner = 1;
  AroundDim(const Shape& s, int d) : n(s[d]) {
    for (int i = 0; i < s.rank(); ++i)
      if (i != d) (i < d ? outer : inner) *= s[i];
  }
  Shape shape(Index middle) const { return {outer, middle, inner}; }
};

template <class Device> void check_ids(const char* op, const Tensor<Index, Device>& ids, Index n) {
  const Index i = run_find_outside(Device{}, ids, n);
  if (i < 0) return;
  TMOR_CHECK(false, "[", op, "] index ", reshape(ids, {-1}).at({i}), " at position ", i,
             " is outside the range 0 to ", n - 1);
}

/// `x` contiguous and as (outer, n, inner), without tape.
template <class T, class Device>
Tensor<T, Device> around(const Tensor<T, Device>& x, const AroundDim& a, Index middle) {
  NoGrad guard;
  return reshape(contiguous(x), a.shape(middle));
}

template <class T, class Device>
Tensor<T, Device> select_rows(const char* op, const Tensor<T, Device>& x, Index dim,
                              const Tensor<Index, Device>& positions) {
  const int d = wrap_dim(dim, x.rank(), op);
  const auto ids = contiguous(positions);
  TMOR_CHECK_SHAPE(ids.rank() == 1, "[", op, "] indices must have rank 1, got ", ids.shape());
  const AroundDim a(x.shape(), d);
  check_ids(op, ids, a.n);
  Shape shape = x.shape();
  shape[d] = ids.numel();
  auto y = Tensor<T, Device>::empty(shape);
  run_index_select(Device{}, around(y, a, ids.numel()), around(x, a, a.n), ids);
  return recorded(y, op, x, [a, shape = x.shape(), ids = save(ids)](const auto& dy) {
    auto dx = std::remove_cvref_t<decltype(dy)>::zeros(shape);
    run_index_add(Device{}, around(dx, a, a.n), around(dy, a, ids.get().numel()), ids.get());
    return dx;
  });
}

inline void check_positions(const char* op, const Shape& x, const Shape& ids, int d) {
  Shape want = x;
  if (ids.rank() == x.rank()) want[d] = ids[d];
  TMOR_CHECK_SHAPE(want == ids, "[", op, "] indices ", ids, " for a tensor ", x,
                   ": every size but that of dimension ", d, " must be equal");
}

}  // namespace detail

/// The slices ids[0], ids[1], ... of dimension `dim`; `ids` has rank 1 and may repeat.
/// @throws Error for an index outside the dimension.
template <class T, class Device>
Tensor<T, Device> index_select(const Tensor<T, Device>& x, Index dim, const Tensor<Index, Device>& ids) {
  return detail::select_rows("index_select", x, dim, ids);
}

/// Row ids[...] of `weight` (count, width) for every index: shape of `ids` with `width` appended.
/// @throws Error for an index outside [0, count).
template <class T, class Device>
Tensor<T, Device> embedding(const Tensor<T, Device>& weight, const Tensor<Index, Device>& ids) {
  TMOR_CHECK_SHAPE(weight.rank() == 2, "[embedding] the weight must be a matrix, got ", weight.shape());
  Shape shape = ids.shape();
  shape.push_back(weight.size(1));
  return reshape(detail::select_rows("embedding", weight, 0, reshape(ids, {ids.numel()})), shape);
}

/// y[.., j, ..] = x[.., ids[.., j, ..], ..] along dimension `dim`; `ids` has x's sizes in every other.
/// @throws Error for an index outside the dimension.
template <class T, class Device>
Tensor<T, Device> gather(const Tensor<T, Device>& x, Index dim, const Tensor<Index, Device>& positions) {
  const int d = wrap_dim(dim, x.rank(), "gather");
  detail::check_positions("gather", x.shape(), positions.shape(), d);
  const auto ids = contiguous(positions);
  const detail::AroundDim a(x.shape(), d);
  const Index k = ids.shape()[d];
  detail::check_ids("gather", ids, a.n);
  auto y = Tensor<T, Device>::empty(ids.shape());
  run_gather(Device{}, detail::around(y, a, k), detail::around(x, a, a.n), ids);
  return detail::recorded(y, "gather", x, [a, k, shape = x.shape(), ids = save(ids)](const auto& dy) {
    auto dx = std::remove_cvref_t<decltype(dy)>::zeros(shape);
    run_scatter_add(Device{}, detail::around(dx, a, a.n), detail::around(dy, a, k), ids.get());
    return dx;
  });
}

/// A copy of `x` with v[.., j, ..] added to its element [.., ids[.., j, ..], ..] along dimension `dim`; `v`
/// and `ids` have one shape, x's but for that dimension. @throws Error for an index outside the dimension.
template <class T, class Device>
Tensor<T, Device> scatter_add(const Tensor<T, Device>& x, Index dim, const Tensor<Index, Device>& positions,
                              const Tensor<T, Device>& v) {
  const int d = wrap_dim(dim, x.rank(), "scatter_add");
  detail::check_positions("scatter_add", x.shape(), positions.shape(), d);
  TMOR_CHECK_SHAPE(v.shape() == positions.shape(), "[scatter_add] values ", v.shape(), " but indices ",
                   positions.shape());
  const auto ids = contiguous(positions);
  const detail::AroundDim a(x.shape(), d);
  detail::check_ids("scatter_add", ids, a.n);
  auto y = Tensor<T, Device>::empty(x.shape());
  copy_into(Device{}, y, x);
  run_scatter_add(Device{}, detail::around(y, a, a.n), detail::around(v, a, ids.shape()[d]), ids);
  if constexpr (is_floating<T>) {
    if (needs_grad(x, v))
      record(y, "scatter_add", inputs(x, v), [d, ids = save(ids)](const Tensor<T, Device>& dy, Grads& g) {
        if (g.wants(0)) g.add(0, dy);
        if (g.wants(1)) g.add(1, gather(dy, d, ids.get()));
      });
  }
  return y;
}

/// 1 at ids[...] along a new last dimension of `classes`, else 0. @throws Error for an id outside
/// [0, classes).
template <class T = float, class Device>
Tensor<T, Device> one_hot(const Tensor<Index, Device>& ids, Index classes) {
  TMOR_CHECK(classes >= 0, "[one_hot] ", classes, " classes");
  const auto at = contiguous(ids);
  detail::check_ids("one_hot", at, classes);
  const Index n = at.numel();
  Shape shape = at.shape();
  shape.push_back(classes);
  auto y = Tensor<T, Device>::zeros(shape);
  if (n > 0)
    run_scatter_add(Device{}, reshape(y, {n, classes, 1}), Tensor<T, Device>::ones({n, 1, 1}),
                    reshape(at, {n, 1, 1}));
  return y;
}

namespace fn {
struct MaskedFill {
  static constexpr const char* name = "masked_fill";
  double value;
  template <class V> TMOR_HD V operator()(V x, V mask) const { return select(mask != V(0), V(value), x); }
};
}  // namespace fn

/// `value` where `mask` (broadcast) holds, else x.
template <class T, class Device>
Tensor<T, Device> masked_fill(const Tensor<T, Device>& x, const Tensor<bool, Device>& mask, double value) {
  return pointwise(fn::MaskedFill{value}, x, mask);
}

namespace detail {

/// Multiples of the step: added-up rounding errors could change how many there are.
template <class T> struct Arange {
  T* y;
  T start, step;
  TMOR_HD T at(Index i) const { return static_cast<T>(start + static_cast<T>(i) * step); }
  TMOR_HD void operator()(Index i) const { y[i] = at(i); }
};

}  // namespace detail

/// start, start + step, ... before `stop`. @throws Error for step 0.
template <class T = Index, class Device = Cpu>
Tensor<T, Device> arange(std::type_identity_t<T> start, std::type_identity_t<T> stop,
                         std::type_identity_t<T> step = 1) {
  TMOR_CHECK(step != 0, "[arange] step 0");
  detail::Arange<T> numbers{nullptr, start, step};
  Index n = 0;
  while (step > 0 ? numbers.at(n) < stop : numbers.at(n) > stop) ++n;
  const auto y = Tensor<T, Device>::empty({n});
  numbers.y = y.mutable_data();
  run_each(Device{}, "arange", n, numbers);
  return y;
}
/// 0, 1, ..., n - 1.
template <class T = Index, class Device = Cpu> Tensor<T, Device> arange(Index n) {
  return arange<T, Device>(T(0), static_cast<T>(n));
}

TMOR_END
