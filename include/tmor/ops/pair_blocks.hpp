#pragma once
/// @file pair_blocks.hpp
/// What contrastive losses of n x n pairs share: which pairs are positives, and the logits of a block of rows
/// at a time. A batch whose n x n logits are few has one block, which is kept for backward; the logits of a
/// larger one are computed again there, so that memory grows with n and not with its square.

#include <algorithm>

#include "tmor/core/rows/pair_targets.hpp"
#include "tmor/ops/dense.hpp"
#include "tmor/ops/index.hpp"
#include "tmor/ops/matmul.hpp"
#include "tmor/ops/reduce.hpp"

TMOR_BEGIN
namespace detail {

/// Rows in a block, for tests that want several blocks of few; 0: what the size says.
inline Index& forced_pair_rows() {
  thread_local Index rows = 0;
  return rows;
}
/// Rows of n logits that are in memory at once: all where they are few, for then backward need not compute
/// them again. The shape alone decides.
template <class Device> Index pair_rows(Index n) {
  constexpr Index kWhole = Index{1} << (Device::host_memory ? 22 : 25), kFewest = 128;
  constexpr Index kBlock = Index{1} << (Device::host_memory ? 20 : 25);
  Index rows = forced_pair_rows();
  if (rows == 0) rows = n * n <= kWhole ? n : std::max(kFewest, kBlock / n);
  const Index blocks = (n + rows - 1) / rows;
  return (n + blocks - 1) / blocks;
}

/// Rows [begin, begin + count) of a dense matrix.
template <class C, class Device>
Tensor<C, Device> dense_rows(const Tensor<C, Device>& x, Index begin, Index count) {
  const Index cols = x.size(1);
  return x.as_strided({count, cols}, {cols, 1}, begin * cols);
}

/// The memory behind rows::PairTargets. Undefined members: see there.
template <class C, class Device> struct ContrastiveTargets {
  Tensor<C, Device> group, in_group, weight, kind;
  Tensor<bool, Device> ignore;

  rows::PairTargets<C> rows() const {
    const auto data = [](const auto& x) { return x.defined() ? x.data() : nullptr; };
    return {data(group), data(weight), data(in_group), data(kind), data(ignore)};
  }
};

/// Rows with equal `ids` are each other's positives, every row with itself; pairs of equal `kinds` >= 0, or
/// for which `ignore` holds, that are no positives take no part. Undefined: all different; none.
/// @throws ShapeError naming `op` when ids or kinds are not (n,), or ignore not (n, n).
template <class C, class Device>
ContrastiveTargets<C, Device> contrastive_targets(const char* op, Index n,
                                                  const Tensor<std::int64_t, Device>& ids,
                                                  const Tensor<bool, Device>& ignore,
                                                  const Tensor<std::int64_t, Device>& kinds) {
  const auto shape = [](const auto& x) { return x.defined() ? x.shape() : Shape{}; };
  TMOR_CHECK_SHAPE((!ids.defined() || ids.shape() == Shape{n}) &&
                       (!kinds.defined() || kinds.shape() == Shape{n}) &&
                       (!ignore.defined() || ignore.shape() == (Shape{n, n})),
                   "[", op, "] ids ", shape(ids), ", kinds ", shape(kinds), " and ignored pairs ",
                   shape(ignore), " for ", n, " pairs");
  ContrastiveTargets<C, Device> t;
  const NoGrad guard;
  if (ids.defined()) {
    t.group = Tensor<C, Device>::empty({n});
    t.in_group = Tensor<C, Device>::empty({n});
    run_first_with_label(Device{}, contiguous(ids), false, t.group, t.in_group);
  } else {
    t.group = arange<C, Device>(n);
    t.in_group = Tensor<C, Device>::ones({n});
  }
  if (kinds.defined()) {
    t.kind = Tensor<C, Device>::empty({n});
    run_first_with_label(Device{}, contiguous(kinds), true, t.kind, Tensor<C, Device>());
  }
  if (ignore.defined()) t.ignore = contiguous(ignore);
  return t;
}

template <class T, class Device>
void check_pairs(const char* op, const Tensor<T, Device>& a, const Tensor<T, Device>& b,
                 const Tensor<param_t<T>, Device>& log_scale) {
  TMOR_CHECK_SHAPE(a.rank() == 2 && a.shape() == b.shape() && a.size(0) > 0, "[", op, "] a ", a.shape(),
                   " and b ", b.shape(), " must be equal (n, dim) with n at least 1");
  TMOR_CHECK_SHAPE(a.size(0) < (Index{1} << 24), "[", op, "] at most 2^24 pairs, got ", a.size(0));
  TMOR_CHECK_SHAPE(log_scale.numel() == 1, "[", op, "] log_scale must be one number, got ",
                   log_scale.shape());
}

/// The number in a tensor of one, as a scalar off the tape.
template <class T, class Device> Tensor<T, Device> as_scalar(const Tensor<T, Device>& x) {
  return x.as_strided({}, {}, 0);
}

/// What products of factors of type `Factor` are made of: of these themselves where the device multiplies
/// bf16 and f16. Sums are in float, and so is all between the products.
template <class Factor, class Device>
using pair_factor_t = std::conditional_t<Device::host_memory, compute_t<Factor>, Factor>;

/// Embeddings as factors, dense and off the tape.
template <class Factor, class T, class Device>
Tensor<pair_factor_t<Factor, Device>, Device> pair_factors(const Tensor<T, Device>& x) {
  static_assert(std::is_same_v<compute_t<Factor>, compute_t<T>>);
  const NoGrad guard;
  return dense(to<pair_factor_t<Factor, Device>>(to<Factor>(x)));
}

/// Memory for the slopes of the logits in `s`: `s` itself where they have its type.
template <class E, class C, class Device> Tensor<E, Device> slopes_of(const Tensor<C, Device>& s) {
  if constexpr (std::is_same_v<E, C>) {
    return s;
  } else {
    return Tensor<E, Device>::empty(s.shape());
  }
}

/// out = a b^T for rows [begin, begin + out.size(0)) of a.
template <class C, class E, class Device>
void pair_products(const Tensor<C, Device>& out, const Tensor<E, Device>& a, const Tensor<E, Device>& b,
                   Index begin) {
  count_flops(2 * out.numel() * a.size(1));
  run_matmul(Device{}, out, dense_rows(a, begin, out.size(0)), swap_last_two(b));
}

/// Adds the gradients of a loss of the logits e^log_scale a b^T to inputs 0 (a), 1 (b), both of type `T`, and
/// 2 (log_scale). `a` and `b` are their factors.
/// `slopes(begin, count)` is n times its derivative by rows [begin, begin + count) of the logits, `dy` what
/// arrives from above.
template <class T, class Device, class C, class E, class Slopes>
void add_pair_gradients(Grads& g, const Tensor<E, Device>& a, const Tensor<E, Device>& b,
                        const Tensor<C, Device>& log_scale, const Tensor<C, Device>& scale,
                        const Tensor<C, Device>& dy, Index block, const Slopes& slopes) {
  using Tn = Tensor<C, Device>;
  const Index n = a.size(0);
  const Tn factor = scale * dy * (1.0 / static_cast<double>(n));
  const bool along = g.wants(0) || g.wants(2), across = g.wants(1);
  Tn da, db;
  if (along) da = Tn::empty(a.shape());
  if (across) db = Tn::empty(b.shape());
  for (Index begin = 0; begin < n && (along || across); begin += block) {
    const Index count = std::min(block, n - begin);
    const Tensor<E, Device> ds = slopes(begin, count);
    count_flops(2 * ds.numel() * a.size(1) * (along + across));
    if (along) run_matmul(Device{}, dense_rows(da, begin, count), ds, b);
    if (across)
      run_matmul(Device{}, db, swap_last_two(ds), dense_rows(a, begin, count), C(begin > 0 ? 1 : 0));
  }
  if (across) g.add(1, to<T>(db * factor));
  if (along) da = da * factor;
  if (g.wants(2)) {  // d/d log_scale of f(scale a b^T) is that of f along a
    const Shape& shape = log_scale.shape();
    g.add(2, sum(to<C>(a) * da).as_strided(shape, Shape::filled(shape.rank(), 1), 0));
  }
  if (g.wants(0)) g.add(0, to<T>(da));
}

}  // namespace detail
TMOR_END
