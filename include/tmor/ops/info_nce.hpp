#pragma once
/// @file info_nce.hpp
/// The symmetric contrastive loss of two sets of embeddings as one operation: three products, one exponential
/// a pair (core/rows/info_nce.hpp), and one n x n block of memory, in which the logits become their gradient.

#include <algorithm>
#include <vector>

#include "tmor/core/rows/columns.hpp"
#include "tmor/core/rows/info_nce.hpp"
#include "tmor/ops/dense.hpp"
#include "tmor/ops/matmul.hpp"
#include "tmor/ops/reduce.hpp"

TMOR_BEGIN
namespace detail {

/// Which pairs are positives, as the row bodies want them. Undefined members: see rows::InfoNceData.
template <class C, class Device> struct ContrastiveTargets {
  Tensor<C, Device> group, in_group, target, row_mass, column_mass;
  Tensor<bool, Device> ignore = {};  ///< (n, n), contiguous: pairs that take no part; undefined: none
};

/// Rows with equal ids are each other's positives. A group is named by its first row: exact as a float.
template <class C, class Device>
ContrastiveTargets<C, Device> group_targets(const std::vector<std::int64_t>& ids) {
  const std::size_t n = ids.size();
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return ids[a] != ids[b] ? ids[a] < ids[b] : a < b; });
  std::vector<C> group(n), weight(n);
  for (std::size_t i = 0, j; i < n; i = j) {
    for (j = i; j < n && ids[order[j]] == ids[order[i]];) ++j;
    for (std::size_t k = i; k < j; ++k) {
      group[order[k]] = static_cast<C>(order[i]);
      weight[order[k]] = C(1) / static_cast<C>(j - i);
    }
  }
  return {Tensor<C, Device>::from(group), Tensor<C, Device>::from(weight), {}, {}, {}, {}};
}

/// Weights w (n, n) normalised by rows for rows and by columns for columns: Q is the mean of both.
template <class C, class Device> ContrastiveTargets<C, Device> weight_targets(const Tensor<C, Device>& w) {
  NoGrad guard;
  const auto zero = Tensor<C, Device>::scalar(C(0)), one = Tensor<C, Device>::scalar(C(1));
  const auto rows = sum(w, {1}, true), columns = sum(w, {0}, true);
  const auto inverse = [&](const Tensor<C, Device>& s) { return where(equal(s, zero), zero, one / s); };
  const auto mass = [&](const Tensor<C, Device>& s) { return to<C>(not_equal(s, zero)); };
  const auto target = dense(w * (inverse(rows) + inverse(columns)) * 0.5);
  return {{}, {}, target, dense(mass(rows)), dense(mass(columns)), {}};
}

/// The loss; the gradient with respect to the logits, which are scale a b^T, goes to `ds` when `grad`.
template <class C, class Device>
Tensor<C, Device> info_nce_values(const Tensor<C, Device>& a, const Tensor<C, Device>& b,
                                  const Tensor<C, Device>& scale, const ContrastiveTargets<C, Device>& t,
                                  bool grad, Tensor<C, Device>& ds) {
  using Tn = Tensor<C, Device>;
  const Index n = a.size(0);
  const auto s = matmul_values(a * scale, swap_last_two(b));
  const RowChunks chunks(n, n);
  const auto vectors = Tn::empty({5, n}), parts = Tn::empty({chunks.count, n}), flag = Tn::empty({}),
             loss = Tn::empty({});
  const auto data = [](const Tn& x) { return x.defined() ? x.data() : nullptr; };
  C* v = vectors.mutable_data();
  const rows::InfoNceData<C> d{n,
                               s.mutable_data(),
                               data(t.group),
                               data(t.in_group),
                               data(t.target),
                               data(t.row_mass),
                               data(t.column_mass),
                               v,
                               v + n,
                               v + 2 * n,
                               v + 3 * n,
                               v + 4 * n,
                               parts.mutable_data(),
                               chunks,
                               flag.mutable_data(),
                               loss.mutable_data()};
  if (t.ignore.defined()) run_rows(Device{}, n, n, rows::InfoNceIgnore<C>{d, t.ignore.data()});
  run_row_chunks(Device{}, chunks, rows::InfoNceMaxima<C>{d});
  run_rows(Device{}, 1, n, rows::InfoNceShifts<C>{d});
  run_row_chunks(Device{}, chunks, rows::InfoNceSums<C>{d});
  run_rows(Device{}, 1, n, rows::InfoNceLoss<C>{d});
  if (grad) {
    run_rows(Device{}, n, n, rows::InfoNceGradient<C>{d});
    ds = s;
  }
  return loss;
}

template <class T, class Device>
Tensor<T, Device> info_nce(const Tensor<T, Device>& a, const Tensor<T, Device>& b,
                           const Tensor<param_t<T>, Device>& log_scale,
                           const ContrastiveTargets<compute_t<T>, Device>& targets) {
  using C = compute_t<T>;
  using Tn = Tensor<C, Device>;
  const bool grad = needs_grad(a, b, log_scale);
  Tn a_values, b_values, ds, loss;
  {
    NoGrad guard;
    a_values = dense(to<C>(a));
    b_values = dense(to<C>(b));
    const auto scale = exp(log_scale.as_strided({}, {}, 0));
    loss = info_nce_values(a_values, b_values, scale, targets, grad, ds);
  }
  const Tensor<T, Device> y = to<T>(loss);
  if (grad)
    record(y, "info_nce", inputs(a, b, log_scale),
           [a = save(a_values), b = save(b_values), log_scale = save(log_scale), ds](
               const Tensor<T, Device>& dy, Grads& g) {
             const Tn factor = exp(log_scale.get().as_strided({}, {}, 0)) * to<C>(dy);
             if (g.wants(0) || g.wants(2)) {
               const Tn da = matmul_values(ds, b.get()) * factor;
               if (g.wants(0)) g.add(0, to<T>(da));
               // d/d log_scale of f(scale a b^T) is that of f along a.
               if (g.wants(2)) {
                 const Shape& shape = log_scale.get().shape();
                 g.add(2, sum(a.get() * da).as_strided(shape, Shape::filled(shape.rank(), 1), 0));
               }
             }
             if (g.wants(1)) g.add(1, to<T>(matmul_values(swap_last_two(ds), a.get()) * factor));
           });
  return y;
}

template <class T, class Device>
void check_info_nce(const Tensor<T, Device>& a, const Tensor<T, Device>& b,
                    const Tensor<param_t<T>, Device>& log_scale) {
  TMOR_CHECK_SHAPE(a.rank() == 2 && a.shape() == b.shape() && a.size(0) > 0, "[info_nce] a ", a.shape(),
                   " and b ", b.shape(), " must be equal (n, dim) with n at least 1");
  TMOR_CHECK_SHAPE(a.size(0) < (Index{1} << 24), "[info_nce] at most 2^24 pairs, got ", a.size(0));
  TMOR_CHECK_SHAPE(log_scale.numel() == 1, "[info_nce] log_scale must be one number, got ",
                   log_scale.shape());
}

}  // namespace detail

/// Symmetric InfoNCE (van den Oord et al. 2018; Radford et al. 2021): with logits S = e^log_scale a b^T,
/// the mean of cross_entropy(S, i -> i) and cross_entropy(S^T, i -> i). Returns a scalar.
///
/// a, b (n, dim): row i of one belongs to row i of the other; normalise them (l2_normalize) for cosines.
/// log_scale: one number. Any scale is safe.
/// @throws ShapeError when a and b are not equal (n, dim).
template <class T, class Device>
Tensor<T, Device> info_nce(const Tensor<T, Device>& a, const Tensor<T, Device>& b,
                           const Tensor<param_t<T>, Device>& log_scale) {
  detail::check_info_nce(a, b, log_scale);
  std::vector<std::int64_t> ids(static_cast<std::size_t>(a.size(0)));
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i);
  return detail::info_nce(a, b, log_scale, detail::group_targets<compute_t<T>, Device>(ids));
}

/// The same with several positives: rows with equal `ids` (n,) (the same caption, the same class) are all
/// each other's positives, with equal shares of the target.
/// @throws ShapeError when a and b are not equal (n, dim), or ids not (n,).
template <class T, class Device>
Tensor<T, Device> info_nce(const Tensor<T, Device>& a, const Tensor<T, Device>& b,
                           const Tensor<param_t<T>, Device>& log_scale,
                           const Tensor<std::int64_t, Device>& ids) {
  detail::check_info_nce(a, b, log_scale);
  TMOR_CHECK_SHAPE(ids.shape() == Shape{a.size(0)}, "[info_nce] ids ", ids.shape(), " for ", a.size(0),
                   " pairs");
  return detail::info_nce(a, b, log_scale, detail::group_targets<compute_t<T>, Device>(ids.to_vector()));
}

/// The same, and the pairs where `ignore` (n, n) holds take no part, neither as positives nor as negatives:
/// texts that say nearly the same, say. Positives (equal ids, and every row with its own) are never ignored.
/// @throws ShapeError when a and b are not equal (n, dim), ids not (n,) or ignore not (n, n).
template <class T, class Device>
Tensor<T, Device> info_nce(const Tensor<T, Device>& a, const Tensor<T, Device>& b,
                           const Tensor<param_t<T>, Device>& log_scale,
                           const Tensor<std::int64_t, Device>& ids, const Tensor<bool, Device>& ignore) {
  detail::check_info_nce(a, b, log_scale);
  const Index n = a.size(0);
  TMOR_CHECK_SHAPE(ids.shape() == Shape{n} && ignore.shape() == (Shape{n, n}), "[info_nce] ids ", ids.shape(),
                   " and ignored pairs ", ignore.shape(), " for ", n, " pairs");
  auto targets = detail::group_targets<compute_t<T>, Device>(ids.to_vector());
  targets.ignore = contiguous(ignore);
  return detail::info_nce(a, b, log_scale, targets);
}

/// The same with target weights (n, n) >= 0, row i of a against row j of b: normalised by rows in the loss of
/// rows, by columns in that of columns. A row or column of zeros counts for nothing in its half.
/// @throws ShapeError when a and b are not equal (n, dim), or weights not (n, n).
template <class T, class Device>
Tensor<T, Device> info_nce_weighted(const Tensor<T, Device>& a, const Tensor<T, Device>& b,
                                    const Tensor<param_t<T>, Device>& log_scale,
                                    const Tensor<T, Device>& weights) {
  detail::check_info_nce(a, b, log_scale);
  TMOR_CHECK_SHAPE(weights.shape() == (Shape{a.size(0), a.size(0)}), "[info_nce] weights ", weights.shape(),
                   " for ", a.size(0), " pairs");
  TMOR_CHECK(!needs_grad(weights), "[info_nce] target weights get no gradient; detach() them");
  return detail::info_nce(a, b, log_scale, detail::weight_targets(to<compute_t<T>>(weights)));
}

TMOR_END

#ifdef TMOR_COMPILED
#include "tmor/instantiate/info_nce.inl"
#endif
