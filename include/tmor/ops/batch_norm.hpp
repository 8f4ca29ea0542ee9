#pragma once
/// @file batch_norm.hpp
/// Batch normalisation (Ioffe and Szegedy 2015) of the last dimension of channels-last tensors, alone or with
/// the addition and relu that follow it in a residual network: such networks wait for memory, so each pass
/// saved counts. Forward reads x twice (statistics, output), backward twice (sums, gradients).
///
/// The arithmetic is in core/rows/batch_norm.hpp; see ops/norm.hpp for how the pieces fit together.

#include "tmor/autograd/checkpoint.hpp"
#include "tmor/core/rows/batch_norm.hpp"
#include "tmor/core/rows/columns.hpp"
#include "tmor/ops/dense.hpp"

TMOR_BEGIN
namespace detail {

/// Mean and 1 / sqrt(var + eps) of the columns of the dense `x`: the batch's (then averaged into the running
/// ones), or the running ones.
template <class T, class C, class Device>
void column_statistics(const Tensor<T, Device>& x, const Tensor<C, Device>& running_mean,
                       const Tensor<C, Device>& running_var, bool training, double momentum, double eps,
                       Tensor<C, Device>& mean, Tensor<C, Device>& rstd) {
  const Index cols = x.size(-1);
  rstd = Tensor<C, Device>::empty({cols});
  if (!training) {
    mean = dense(running_mean);
    const auto var = dense(running_var);
    run_rows(Device{}, 1, cols,
             rows::ColumnRstd<C>{var.data(), rstd.mutable_data(), cols, static_cast<C>(eps)});
    return;
  }
  mean = Tensor<C, Device>::empty({cols});
  const RowChunks chunks(row_count(x, cols), cols);
  const auto parts = Tensor<C, Device>::empty({chunks.count, 3, cols});
  run_row_chunks(Device{}, chunks, rows::ColumnMoments<T>{x.data(), parts.mutable_data(), cols});
  const bool update = running_mean.defined() && !replaying();
  run_rows(Device{}, 1, cols,
           rows::ColumnStatistics<C>{parts.data(), chunks, cols, static_cast<C>(eps),
                                     static_cast<C>(momentum), mean.mutable_data(), rstd.mutable_data(),
                                     update ? running_mean.mutable_data() : nullptr,
                                     update ? running_var.mutable_data() : nullptr});
}

template <bool kRelu, class T, class C, class Device>
Tensor<T, Device> batch_norm(const char* op, const Tensor<T, Device>& x_in,
                             const Tensor<T, Device>& residual_in, const Tensor<C, Device>& gamma_in,
                             const Tensor<C, Device>& beta_in, const Tensor<C, Device>& running_mean,
                             const Tensor<C, Device>& running_var, bool training, double momentum,
                             double eps) {
  TMOR_CHECK_SHAPE(x_in.rank() >= 1, "[", op, "] needs at least one dimension");
  const Index cols = x_in.size(-1), count = row_count(x_in, cols);
  for (const auto& p : {gamma_in, beta_in, running_mean, running_var})
    TMOR_CHECK_SHAPE(!p.defined() || p.shape() == Shape{cols}, "[", op, "] parameters and statistics of ",
                     x_in.shape(), " must have shape (", cols, ",), got ", p.shape());
  TMOR_CHECK_SHAPE(!residual_in.defined() || residual_in.shape() == x_in.shape(), "[", op, "] residual ",
                   residual_in.shape(), " for an input ", x_in.shape());
  TMOR_CHECK(running_mean.defined() == running_var.defined() && (training || running_mean.defined()), "[", op,
             "] needs both a running mean and a running variance when it is not training");
  TMOR_CHECK(!running_mean.defined() || (running_mean.is_contiguous() && running_var.is_contiguous()), "[",
             op, "] the running statistics must be contiguous");
  TMOR_CHECK_SHAPE(!training || count > 1 || cols == 0, "[", op, "] cannot take the variance of ", count,
                   " values a channel, input ", x_in.shape(), ": use a larger batch, or evaluation mode");

  const auto optional = [](const auto& t) { return t.defined() ? dense(t) : t; };
  const auto data = [](const auto& t) { return t.defined() ? t.data() : nullptr; };
  const auto x = dense(x_in), y = Tensor<T, Device>::empty(x.shape());
  const auto residual = optional(residual_in);
  const auto gamma = optional(gamma_in), beta = optional(beta_in);
  Tensor<C, Device> mean, rstd;
  column_statistics(x, running_mean, running_var, training, momentum, eps, mean, rstd);
  run_rows(Device{}, count, cols,
           rows::BatchNorm<T, kRelu>{x.data(), data(residual), mean.data(), rstd.data(), data(gamma),
                                     data(beta), y.mutable_data(), cols});

  if (needs_grad(x_in, residual_in, gamma_in, beta_in))
    record(y, op, inputs(x_in, residual_in, gamma_in, beta_in),
           [x = save(x), y = save(kRelu ? y : x), mean = save(mean), rstd = save(rstd),
            gamma = save(gamma.defined() ? gamma : Tensor<C, Device>::empty({0})),
            has_gamma = gamma.defined(), training, cols, count](const Tensor<T, Device>& dy_in, Grads& g) {
             const auto dy = dense(dy_in);
             const bool affine = g.wants(2) || g.wants(3);
             const auto sums = Tensor<C, Device>::empty({2, cols});
             if (affine || (training && g.wants(0))) {
               const RowChunks chunks(count, cols);
               const auto parts = Tensor<C, Device>::empty({chunks.count, 2, cols});
               run_row_chunks(
                   Device{}, chunks,
                   rows::BatchNormSums<T, kRelu>{x.get().data(), y.get().data(), dy.data(), mean.get().data(),
                                                 rstd.get().data(), parts.mutable_data(), cols});
               run_rows(
                   Device{}, 1, 2 * cols,
                   rows::SumChunks<C>{parts.data(), chunks.count, 2 * cols, 2 * cols, sums.mutable_data()});
             }
             const auto dx = Tensor<T, Device>::empty(g.wants(0) ? dy.shape() : Shape{0});
             const auto dresidual = Tensor<T, Device>::empty(g.wants(1) && kRelu ? dy.shape() : Shape{0});
             if (g.wants(0) || (g.wants(1) && kRelu))
               run_rows(Device{}, count, cols,
                        rows::BatchNormBackward<T, kRelu>{
                            x.get().data(), y.get().data(), dy.data(), mean.get().data(), rstd.get().data(),
                            has_gamma ? gamma.get().data() : nullptr, training ? sums.data() : nullptr,
                            training ? sums.data() + cols : nullptr, g.wants(0) ? dx.mutable_data() : nullptr,
                            g.wants(1) && kRelu ? dresidual.mutable_data() : nullptr, cols,
                            C(1) / static_cast<C>(count > 0 ? count : 1)});
             if (g.wants(0)) g.add(0, dx);
             if (g.wants(1)) g.add(1, kRelu ? dresidual : dy);
             if (g.wants(2)) g.add(2, sums.as_strided({cols}, {1}, 0));
             if (g.wants(3)) g.add(3, sums.as_strided({cols}, {1}, cols));
           });
  return y;
}

}  // namespace detail

/// y = (x - mean) / sqrt(var + eps) gamma + beta for x (..., C), channel by channel.
///
/// While `training`, mean and (biased) variance are those of all rows of x, of which there must be at least
/// two, and are averaged into the running statistics where these are defined: r += momentum (new - r), the
/// variance unbiased; not a second time when gradient checkpointing runs the layer again. Otherwise the
/// running statistics are used, as constants. All four vectors have shape (C,); gamma and beta may be
/// undefined.
/// @throws ShapeError for vectors of another shape or fewer than two rows while training; Error without
/// running statistics when not training.
template <class T, class Device>
Tensor<T, Device> batch_norm(const Tensor<T, Device>& x, const Tensor<param_t<T>, Device>& gamma,
                             const Tensor<param_t<T>, Device>& beta,
                             const Tensor<param_t<T>, Device>& running_mean,
                             const Tensor<param_t<T>, Device>& running_var, bool training,
                             double momentum = 0.1, double eps = 1e-5) {
  return detail::batch_norm<false>("batch_norm", x, Tensor<T, Device>(), gamma, beta, running_mean,
                                   running_var, training, momentum, eps);
}

/// relu(batch_norm(x) + residual) in the same passes; `residual` has x's shape, or is undefined for none.
template <class T, class Device>
Tensor<T, Device> batch_norm_relu(const Tensor<T, Device>& x, const Tensor<T, Device>& residual,
                                  const Tensor<param_t<T>, Device>& gamma,
                                  const Tensor<param_t<T>, Device>& beta,
                                  const Tensor<param_t<T>, Device>& running_mean,
                                  const Tensor<param_t<T>, Device>& running_var, bool training,
                                  double momentum = 0.1, double eps = 1e-5) {
  return detail::batch_norm<true>("batch_norm_relu", x, residual, gamma, beta, running_mean, running_var,
                                  training, momentum, eps);
}

TMOR_END
