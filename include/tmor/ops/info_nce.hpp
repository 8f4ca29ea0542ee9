#pragma once
/// @file info_nce.hpp
/// The symmetric contrastive loss of two sets of embeddings as one operation: three products (four where
/// there are several blocks, ops/pair_blocks.hpp), one exponential a pair (core/rows/info_nce.hpp), and one
/// block of memory, in which the logits become their gradient.

#include "tmor/core/rows/info_nce.hpp"
#include "tmor/ops/pair_blocks.hpp"

TMOR_BEGIN
namespace detail {

/// What one evaluation keeps between the loss and its gradient. `E`: of the factors of its products.
template <class C, class E, class Device> struct InfoNceMemory {
  using Tn = Tensor<C, Device>;
  using Te = Tensor<E, Device>;

  ContrastiveTargets<C, Device> targets;
  Tn row_mass, column_mass;  ///< (n,); undefined: 1 each
  Tn vectors, shared;        ///< of rows::InfoNceData
  Te slopes;                 ///< (n, n): n times the loss's derivative by the logits, if there is one block
  Index block;               ///< rows in a block

  InfoNceMemory(Index n, const ContrastiveTargets<C, Device>& pairs)
      : targets(pairs), vectors(Tn::empty({5, n})), shared(Tn::empty({})), block(pair_rows<Device>(n)) {}

  /// The logits of the rows from `begin` on, in `s` (block, n), and the arguments of the passes over them.
  rows::InfoNceData<C> logits(const Tn& s, const Te& a, const Te& b, const Tn& scale, Index begin) const {
    const auto data = [](const Tn& x) { return x.defined() ? x.data() : nullptr; };
    rows::InfoNceData<C> d{};
    d.n = a.size(0);
    d.first = begin;
    d.s = s.mutable_data();
    d.scale = scale.data();
    d.pairs = targets.rows();
    d.row_mass = data(row_mass);
    d.column_mass = data(column_mass);
    d.row_shift = vectors.mutable_data();
    d.column_shift = d.row_shift + d.n;
    d.row_sum = d.row_shift + 2 * d.n;
    d.column_sum = d.row_shift + 3 * d.n;
    d.positive = d.row_shift + 4 * d.n;
    d.chunks = RowChunks(std::min(block, d.n - begin), d.n);
    d.shared = shared.mutable_data();
    pair_products(dense_rows(s, 0, d.chunks.rows), a, b, begin);
    if (d.pairs.hides()) {
      run_rows(Device{}, d.chunks.rows, d.n, rows::InfoNceIgnore<C>{d});
      d.scale = nullptr;
    }
    return d;
  }
  /// What `logits` gave becomes slopes, in `out`, which may be the memory of the logits.
  void gradient(const rows::InfoNceData<C>& d, const Te& out) const {
    run_rows(Device{}, d.chunks.rows, d.n, rows::InfoNceGradient<C, E>{d, out.mutable_data()});
  }
};

/// The loss; with `grad`, `memory` has then what the gradient needs.
template <class C, class E, class Device>
Tensor<C, Device> info_nce_values(const Tensor<E, Device>& a, const Tensor<E, Device>& b,
                                  const Tensor<C, Device>& scale, bool grad,
                                  InfoNceMemory<C, E, Device>& memory) {
  using Tn = Tensor<C, Device>;
  const Index n = a.size(0), block = memory.block;
  const Tn loss = Tn::empty({}), s = Tn::empty({block, n}), shift = Tn::empty({n}),
           parts = Tn::empty({RowChunks(block, n).count, n});
  for (Index begin = 0; begin < n; begin += block) {
    auto d = memory.logits(s, a, b, scale, begin);
    d.block_shift = shift.mutable_data();
    d.parts = parts.mutable_data();
    d.loss = loss.mutable_data();
    run_row_chunks(Device{}, d.chunks, rows::InfoNceMaxima<C>{d});
    run_rows(Device{}, 1, n, rows::InfoNceShifts<C>{d});
    run_row_chunks(Device{}, d.chunks, rows::InfoNceSums<C>{d});
    run_rows(Device{}, 1, n, rows::InfoNceColumns<C>{d});
    if (begin + block < n) continue;
    run_rows(Device{}, 1, n, rows::InfoNceLoss<C>{d});
    if (!grad || !d.whole()) continue;
    memory.slopes = slopes_of<E>(s);
    memory.gradient(d, memory.slopes);
  }
  return loss;
}

template <class Factor, class T, class Device>
Tensor<param_t<T>, Device> info_nce(
    const Tensor<T, Device>& a, const Tensor<T, Device>& b, const Tensor<param_t<T>, Device>& log_scale,
    InfoNceMemory<compute_t<T>, pair_factor_t<Factor, Device>, Device> memory) {
  using C = compute_t<T>;
  using E = pair_factor_t<Factor, Device>;
  using Tn = Tensor<C, Device>;
  const bool grad = needs_grad(a, b, log_scale);
  const auto a_values = pair_factors<Factor>(a), b_values = pair_factors<Factor>(b);
  Tn loss;
  {
    NoGrad guard;
    loss = info_nce_values(a_values, b_values, exp(as_scalar(log_scale)), grad, memory);
  }
  if (grad)
    record(loss, "info_nce", inputs(a, b, log_scale),
           [a = save(a_values), b = save(b_values), log_scale = save(log_scale), memory = std::move(memory)](
               const Tn& dy, Grads& g) {
             const Tensor<E, Device>&x = a.get(), &z = b.get();
             const Tn scale = exp(as_scalar(log_scale.get()));
             const bool kept = memory.slopes.defined();
             const Tn s = kept ? Tn() : Tn::empty({memory.block, x.size(0)});
             const auto of_block = kept ? memory.slopes : slopes_of<E>(s);
             const auto slopes = [&](Index begin, Index count) {
               if (!kept) memory.gradient(memory.logits(s, x, z, scale, begin), of_block);
               return dense_rows(of_block, 0, count);
             };
             add_pair_gradients<T>(g, x, z, log_scale.get(), scale, dy, memory.block, slopes);
           });
  return loss;
}

}  // namespace detail

/// Symmetric InfoNCE (van den Oord et al. 2018; Radford et al. 2021): with logits S = e^log_scale a b^T,
/// the mean of cross_entropy(S, i -> i) and cross_entropy(S^T, i -> i). Returns a scalar, in float for bf16
/// and f16.
///
/// a, b (n, dim): row i of one belongs to row i of the other; normalise them (l2_normalize) for cosines.
/// log_scale: one number. Any scale is safe. Memory grows with n: no more than a block of the logits is held.
/// `Factor`: a and b are rounded to it before they are multiplied, and so is, on a GPU, the loss's derivative
/// by the logits before it is multiplied by them: bf16 and f16 are for tensor cores. Sums are in float.
/// - `ids` (n,): rows with equal ids (the same caption, the same class) are all each other's positives, with
///   equal shares of the target. Undefined: every row is its own.
/// - `ignore` (n, n): pairs that take no part, neither as positives nor as negatives: texts that say nearly
/// the
///   same, say. Positives are never ignored.
/// - `kinds` (n,): the same for all pairs of equal kinds >= 0.
/// @throws ShapeError when a and b are not equal (n, dim), or the others not as said.
template <class T, class Device, class Factor = T>
Tensor<param_t<T>, Device> info_nce(const Tensor<T, Device>& a, const Tensor<T, Device>& b,
                                    const Tensor<param_t<T>, Device>& log_scale,
                                    const Tensor<std::int64_t, Device>& ids = {},
                                    const Tensor<bool, Device>& ignore = {},
                                    const Tensor<std::int64_t, Device>& kinds = {}) {
  detail::check_pairs("info_nce", a, b, log_scale);
  const auto targets =
      detail::contrastive_targets<compute_t<T>, Device>("info_nce", a.size(0), ids, ignore, kinds);
  using Memory = detail::InfoNceMemory<compute_t<T>, detail::pair_factor_t<Factor, Device>, Device>;
  return detail::info_nce<Factor>(a, b, log_scale, Memory(a.size(0), targets));
}

/// The same with target weights (n, n) >= 0, row i of a against row j of b: normalised by rows in the loss of
/// rows, by columns in that of columns. A row or column of zeros counts for nothing in its half.
/// @throws ShapeError when a and b are not equal (n, dim), or weights not (n, n).
template <class T, class Device>
Tensor<param_t<T>, Device> info_nce_weighted(const Tensor<T, Device>& a, const Tensor<T, Device>& b,
                                             const Tensor<param_t<T>, Device>& log_scale,
                                             const Tensor<T, Device>& weights) {
  using Tn = Tensor<compute_t<T>, Device>;
  detail::check_pairs("info_nce", a, b, log_scale);
  const Index n = a.size(0);
  TMOR_CHECK_SHAPE(weights.shape() == (Shape{n, n}), "[info_nce] weights ", weights.shape(), " for ", n,
                   " pairs");
  TMOR_CHECK(!needs_grad(weights), "[info_nce] target weights get no gradient; detach() them");
  detail::ContrastiveTargets<compute_t<T>, Device> targets;
  Tn row_mass, column_mass;
  {
    NoGrad guard;
    const Tn w = to<compute_t<T>>(weights), zero = Tn::scalar(0), one = Tn::scalar(1);
    const Tn rows = sum(w, {1}, true), columns = sum(w, {0}, true);
    const auto inverse = [&](const Tn& s) { return where(equal(s, zero), zero, one / s); };
    const auto mass = [&](const Tn& s) { return detail::dense(to<compute_t<T>>(not_equal(s, zero))); };
    targets.weight = detail::dense(w * (inverse(rows) + inverse(columns)) * 0.5);
    row_mass = mass(rows);
    column_mass = mass(columns);
  }
  detail::InfoNceMemory<compute_t<T>, detail::pair_factor_t<T, Device>, Device> memory(n, targets);
  memory.row_mass = row_mass;
  memory.column_mass = column_mass;
  return detail::info_nce<T>(a, b, log_scale, std::move(memory));
}

TMOR_END

#ifdef TMOR_COMPILED
#include "tmor/instantiate/info_nce.inl"
#endif
