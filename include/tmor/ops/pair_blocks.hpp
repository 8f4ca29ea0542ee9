#pragma once
/// @file pair_blocks.hpp
/// What contrastive losses of n x n pairs share: which pairs are positives, and the logits of a block of rows
/// at a time. A batch whose n x n logits are few has one block, which is kept for backward; the logits of a
/// larger one are computed again there, so that memory grows with n and not with its square.

#include <algorithm>
#include <vector>

#include "tmor/core/rows/pair_targets.hpp"
#include "tmor/ops/dense.hpp"
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

/// Every row's label as the number of the first row that has it. `see(row, count)` is told how many rows have
/// that of a row.
template <class C, class See>
std::vector<C> first_with_label(const std::vector<std::int64_t>& labels, See&& see) {
  const std::size_t n = labels.size();
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return labels[a] != labels[b] ? labels[a] < labels[b] : a < b;
  });
  std::vector<C> first(n);
  for (std::size_t i = 0, j; i < n; i = j) {
    for (j = i; j < n && labels[order[j]] == labels[order[i]]; ++j)
      first[order[j]] = static_cast<C>(order[i]);
    for (std::size_t k = i; k < j; ++k) see(order[k], j - i);
  }
  return first;
}

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
  std::vector<C> group(static_cast<std::size_t>(n)), share(group.size(), C(1));
  if (ids.defined()) {
    group = first_with_label<C>(ids.to_vector(), [&](std::size_t row, std::size_t size) {
      share[row] = C(1) / static_cast<C>(size);
    });
  } else {
    for (std::size_t i = 0; i < group.size(); ++i) group[i] = static_cast<C>(i);
  }
  ContrastiveTargets<C, Device> t;
  t.group = Tensor<C, Device>::from(group);
  t.in_group = Tensor<C, Device>::from(share);
  if (kinds.defined()) {
    auto k = kinds.to_vector();
    auto own = std::int64_t{-1};
    for (auto& v : k)
      if (v < 0) v = own--;
    t.kind = Tensor<C, Device>::from(first_with_label<C>(k, [](std::size_t, std::size_t) {}));
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

/// out = scale a b^T for rows [begin, begin + out.size(0)) of a.
template <class C, class Device>
void pair_logits(const Tensor<C, Device>& out, const Tensor<C, Device>& a, const Tensor<C, Device>& b,
                 const Tensor<C, Device>& scale, Index begin) {
  count_flops(2 * out.numel() * a.size(1));
  run_matmul(Device{}, out, dense_rows(a, begin, out.size(0)) * scale, swap_last_two(b));
}

/// Adds the gradients of a loss of the logits e^log_scale a b^T to inputs 0 (a), 1 (b), both of type `T`, and
/// 2 (log_scale).
/// `slopes(begin, count)` is its derivative by rows [begin, begin + count) of the logits, `dy` what arrives
/// from above.
template <class T, class Device, class C, class Slopes>
void add_pair_gradients(Grads& g, const Tensor<C, Device>& a, const Tensor<C, Device>& b,
                        const Tensor<C, Device>& log_scale, const Tensor<C, Device>& scale,
                        const Tensor<C, Device>& dy, Index block, const Slopes& slopes) {
  using Tn = Tensor<C, Device>;
  const Index n = a.size(0);
  const Tn factor = scale * dy;
  const bool along = g.wants(0) || g.wants(2), across = g.wants(1);
  Tn da, db;
  for (Index begin = 0; begin < n && (along || across); begin += block) {
    const Index count = std::min(block, n - begin);
    const Tn ds = slopes(begin, count);
    if (along) {
      const Tn rows = matmul_values(ds, b) * factor;
      if (begin == 0) da = block == n ? rows : Tn::empty(a.shape());
      if (block < n) copy_into(Device{}, dense_rows(da, begin, count), rows);
    }
    if (across) {
      if (begin == 0) db = Tn::empty(b.shape());
      count_flops(2 * ds.numel() * a.size(1));
      run_matmul(Device{}, db, swap_last_two(ds), dense_rows(a, begin, count), C(begin > 0 ? 1 : 0));
    }
  }
  if (across) g.add(1, to<T>(db * factor));
  if (g.wants(2)) {  // d/d log_scale of f(scale a b^T) is that of f along a
    const Shape& shape = log_scale.shape();
    g.add(2, sum(a * da).as_strided(shape, Shape::filled(shape.rank(), 1), 0));
  }
  if (g.wants(0)) g.add(0, to<T>(da));
}

}  // namespace detail
TMOR_END
