#pragma once
/// @file norm.hpp
/// Normalisation of rows: layer norm, rms norm, group norm, l2. (Batch norm, which normalises columns, is in
/// ops/batch_norm.hpp.)
///
/// How such an operation is made, with layer norm as the example:
///  - the arithmetic of one row, forward and backward, stands in core/rows/norm.hpp, once, over a `Team`;
///  - `run_rows(Device{}, ...)` runs it on every row: threads with `Pack`s on the CPU (cpu/rows.hpp), a block
///    of threads a row on a GPU (cuda/rows.cuh);
///  - here its shapes are checked, memory is made for its results, and its gradient is put on the tape;
///  - tests/cases/norm_cases.cpp gives a plain reference in double and the shapes to try. From that one row
///  of
///    the table follow: float and double against the reference, the gradient in double against central
///    differences, the gradient in float against the one in double, all on dense and strided tensors, and the
///    GPU against the CPU.
///
/// Statistics and parameters are float (double for double tensors) whatever the element type.

#include "tmor/autograd/node.hpp"
#include "tmor/core/rows/columns.hpp"
#include "tmor/core/rows/norm.hpp"
#include "tmor/ops/batch_norm.hpp"
#include "tmor/ops/dense.hpp"
#include "tmor/ops/elementwise.hpp"
#include "tmor/ops/movement.hpp"

TMOR_BEGIN
namespace detail {

/// Length of the rows that `gamma` scales: the product of its sizes, which must be the last ones of `x`.
template <class T, class Device>
Index norm_length(const char* op, const Tensor<T, Device>& x, const Tensor<param_t<T>, Device>& gamma,
                  const Tensor<param_t<T>, Device>& beta) {
  TMOR_CHECK_SHAPE(x.rank() >= 1, "[", op, "] needs at least one dimension");
  TMOR_CHECK_SHAPE(!gamma.defined() || !beta.defined() || gamma.shape() == beta.shape(), "[", op, "] gamma ",
                   gamma.shape(), " and beta ", beta.shape(), " differ");
  const auto& like = gamma.defined() ? gamma : beta;
  if (!like.defined()) return x.size(-1);
  bool fits = like.rank() >= 1 && like.rank() <= x.rank();
  for (int d = 1; fits && d <= like.rank(); ++d) fits = like.size(-d) == x.size(-d);
  TMOR_CHECK_SHAPE(fits, "[", op, "] gamma and beta ", like.shape(), " must be the last sizes of the input ",
                   x.shape());
  return like.numel();
}

template <class T, class Device> const T* data_or_null(const Tensor<T, Device>& t) {
  return t.defined() ? t.data() : nullptr;
}
template <class T, class Device> Tensor<T, Device> dense_or_undefined(const Tensor<T, Device>& t) {
  return t.defined() ? dense(t) : t;
}

/// Layer norm when `kCentre`, else rms norm.
template <bool kCentre, class T, class Device>
Tensor<T, Device> norm_rows(const char* op, const Tensor<T, Device>& x_in,
                            const Tensor<param_t<T>, Device>& gamma_in,
                            const Tensor<param_t<T>, Device>& beta_in, double eps) {
  using C = compute_t<T>;
  using Stats = Tensor<C, Device>;
  const Index n = norm_length(op, x_in, gamma_in, beta_in), count = row_count(x_in, n);
  const auto x = dense(x_in), y = Tensor<T, Device>::empty(x.shape());
  const auto gamma = dense_or_undefined(gamma_in), beta = dense_or_undefined(beta_in);
  const auto mean = Stats::empty({kCentre ? count : 0}), rstd = Stats::empty({count});
  run_rows(Device{}, count, n,
           rows::Norm<T, kCentre>{x.data(), data_or_null(gamma), data_or_null(beta), y.mutable_data(),
                                  mean.mutable_data(), rstd.mutable_data(), n, static_cast<C>(eps)});
  if (needs_grad(x_in, gamma_in, beta_in))
    record(y, op, inputs(x_in, gamma_in, beta_in),
           [x = save(x), gamma = save(gamma.defined() ? gamma : Stats::empty({0})), mean = save(mean),
            rstd = save(rstd), has_gamma = gamma.defined(), n,
            like = gamma.defined()  ? gamma.shape()
                   : beta.defined() ? beta.shape()
                                    : Shape{}](const Tensor<T, Device>& dy_in, Grads& g) {
             const auto dy = dense(dy_in);
             const auto dx = Tensor<T, Device>::empty(g.wants(0) ? dy.shape() : Shape{0});
             const RowChunks chunks(row_count(dy, n), n);
             const bool affine = g.wants(1) || g.wants(2);
             const auto parts = Stats::empty({affine ? chunks.count : 0, 2, n});
             run_row_chunks(
                 Device{}, chunks,
                 rows::NormBackward<T, kCentre>{x.get().data(), dy.data(),
                                                has_gamma ? gamma.get().data() : nullptr, mean.get().data(),
                                                rstd.get().data(), g.wants(0) ? dx.mutable_data() : nullptr,
                                                affine ? parts.mutable_data() : nullptr, n});
             if (g.wants(0)) g.add(0, dx);
             if (affine) {
               const auto sums = Stats::empty({2, n});
               run_rows(Device{}, 1, 2 * n,
                        rows::SumChunks<C>{parts.data(), chunks.count, 2 * n, 2 * n, sums.mutable_data()});
               if (g.wants(1)) g.add(1, sums.as_strided(like, contiguous_strides(like), 0));
               if (g.wants(2)) g.add(2, sums.as_strided(like, contiguous_strides(like), n));
             }
           });
  return y;
}

}  // namespace detail

/// Layer normalisation (Ba, Kiros and Hinton 2016): y = (x - mean) / sqrt(var + eps) gamma + beta.
///
/// Mean and (biased) variance are taken over the last `gamma.rank()` dimensions, the last one where there are
/// neither gamma nor beta; both have exactly those sizes, and either may be undefined.
/// @throws ShapeError when gamma or beta do not have the last sizes of x.
template <class T, class Device>
Tensor<T, Device> layer_norm(const Tensor<T, Device>& x, const Tensor<param_t<T>, Device>& gamma = {},
                             const Tensor<param_t<T>, Device>& beta = {}, double eps = 1e-5) {
  return detail::norm_rows<true>("layer_norm", x, gamma, beta, eps);
}

/// Root-mean-square normalisation (Zhang and Sennrich 2019): y = x / sqrt(avg(x^2) + eps) gamma, over the
/// last `gamma.rank()` dimensions. @throws ShapeError when gamma does not have the last sizes of x.
template <class T, class Device>
Tensor<T, Device> rms_norm(const Tensor<T, Device>& x, const Tensor<param_t<T>, Device>& gamma = {},
                           double eps = 1e-6) {
  return detail::norm_rows<false>("rms_norm", x, gamma, Tensor<param_t<T>, Device>(), eps);
}

/// y = x / max(|x|, eps), |x| the Euclidean length over the last dimension: rows of length 1, as cosine
/// similarities want them. @throws ShapeError for a scalar.
template <class T, class Device>
Tensor<T, Device> l2_normalize(const Tensor<T, Device>& x_in, double eps = 1e-12) {
  using C = compute_t<T>;
  TMOR_CHECK_SHAPE(x_in.rank() >= 1, "[l2_normalize] needs at least one dimension");
  const auto x = detail::dense(x_in), y = Tensor<T, Device>::empty(x.shape());
  const Index n = x.size(-1), count = detail::row_count(x, n);
  const auto length = Tensor<C, Device>::empty({count});
  run_rows(Device{}, count, n,
           rows::L2Normalize<T>{x.data(), y.mutable_data(), length.mutable_data(), n, static_cast<C>(eps)});
  if (needs_grad(x_in))
    record(y, "l2_normalize", inputs(x_in),
           [x = save(x), length = save(length), n, eps](const Tensor<T, Device>& dy_in, Grads& g) {
             const auto dy = detail::dense(dy_in), dx = Tensor<T, Device>::empty(dy.shape());
             run_rows(Device{}, detail::row_count(dy, n), n,
                      rows::L2NormalizeBackward<T>{x.get().data(), dy.data(), length.get().data(),
                                                   dx.mutable_data(), n, static_cast<C>(eps)});
             g.add(0, dx);
           });
  return y;
}

/// Group normalisation (Wu and He 2018) of x (N, ..., C): channels in `groups` groups of neighbours, mean and
/// variance over a group and all middle dimensions; gamma and beta (C,) or undefined.
/// @throws ShapeError for fewer than two dimensions, or channels that do not split into the groups.
template <class T, class Device>
Tensor<T, Device> group_norm(const Tensor<T, Device>& x, Index groups,
                             const Tensor<param_t<T>, Device>& gamma = {},
                             const Tensor<param_t<T>, Device>& beta = {}, double eps = 1e-5) {
  TMOR_CHECK_SHAPE(x.rank() >= 2, "[group_norm] needs (N, ..., C), got ", x.shape());
  const Index n = x.size(0), c = x.size(-1);
  TMOR_CHECK_SHAPE(groups >= 1 && c % groups == 0, "[group_norm] ", c, " channels do not split into ", groups,
                   " groups");
  for (const auto& p : {gamma, beta})
    TMOR_CHECK_SHAPE(!p.defined() || p.shape() == Shape{c}, "[group_norm] gamma and beta must have shape (",
                     c, ",), got ", p.shape());
  const Index middle = x.numel() == 0 ? 0 : x.numel() / (n * c), width = c / groups;
  // A group's numbers made one row: (N, groups, middle, width).
  const auto split = transpose(reshape(x, {n, middle, groups, width}), 1, 2);
  const auto z = layer_norm(reshape(split, {n, groups, middle * width}), {}, {}, eps);
  auto y = reshape(transpose(reshape(z, {n, groups, middle, width}), 1, 2), x.shape());
  // Parameters are rounded to the element type here; the statistics were not.
  if (gamma.defined()) y = y * to<T>(gamma);
  if (beta.defined()) y = y + to<T>(beta);
  return y;
}

TMOR_END

#ifdef TMOR_COMPILED
#include "tmor/instantiate/norm.inl"
#endif
