#pragma once
/// @file siglip.hpp
/// The sigmoid contrastive loss of two sets of embeddings as one operation, by blocks of rows of the logits
/// (ops/pair_blocks.hpp): of two products in the loss and its gradient each, and memory that grows with n.

#include "tmor/core/rows/siglip.hpp"
#include "tmor/ops/pair_blocks.hpp"

TMOR_BEGIN

/// SigLIP (Zhai et al. 2023): every pair is a question of its own, 1/n sum_ij softplus(-z_ij (e^log_scale a_i
/// b_j + bias)) with z = 1 for positives and -1 for the rest. Returns a scalar, in float for bf16 and f16.
///
/// a, b (n, dim): row i of one belongs to row i of the other; normalise them (l2_normalize) for cosines.
/// log_scale, bias: one number each. `ids`, `ignore`, `kinds`: as in `info_nce`; pairs that take no part are
/// not asked.
/// @throws ShapeError when a and b are not equal (n, dim), or the others not as said.
template <class T, class Device>
Tensor<param_t<T>, Device> siglip(const Tensor<T, Device>& a, const Tensor<T, Device>& b,
                                  const Tensor<param_t<T>, Device>& log_scale,
                                  const Tensor<param_t<T>, Device>& bias,
                                  const Tensor<std::int64_t, Device>& ids = {},
                                  const Tensor<bool, Device>& ignore = {},
                                  const Tensor<std::int64_t, Device>& kinds = {}) {
  using C = compute_t<T>;
  using Tn = Tensor<C, Device>;
  detail::check_pairs("siglip", a, b, log_scale);
  TMOR_CHECK_SHAPE(bias.numel() == 1, "[siglip] bias must be one number, got ", bias.shape());
  const Index n = a.size(0), block = detail::pair_rows<Device>(n);
  const auto targets = detail::contrastive_targets<C, Device>("siglip", n, ids, ignore, kinds);
  const bool grad = needs_grad(a, b, log_scale, bias);

  // Rows from `begin` on: similarities in `s`, which become slopes where asked for.
  const auto pass = [targets](const Tn& s, const Tn& x, const Tn& z, const Tn& scale, const Tn& shift,
                              Index begin, Index count, const Tn& sums, bool slopes) {
    const Tn of_rows = detail::dense_rows(s, 0, count);
    const Index size = x.size(0);
    detail::pair_logits(of_rows, x, z, scale, begin);
    run_rows(Device{}, count, size,
             rows::Siglip<C>{size, begin, s.mutable_data(), targets.rows(), shift.data(), sums.mutable_data(),
                             sums.mutable_data() + size, slopes});
    return of_rows;
  };
  Tn a_values, b_values, slopes, sums, loss;
  {
    NoGrad guard;
    a_values = detail::dense(to<C>(a));
    b_values = detail::dense(to<C>(b));
    const Tn scale = exp(detail::as_scalar(log_scale)), s = Tn::empty({block, n});
    sums = Tn::empty({2, n});
    for (Index begin = 0; begin < n; begin += block)
      pass(s, a_values, b_values, scale, detail::as_scalar(bias), begin, std::min(block, n - begin), sums,
           grad && block == n);
    loss = sum(detail::dense_rows(sums, 0, 1)) / static_cast<double>(n);
    if (grad && block == n) slopes = s;
  }
  if (grad)
    record(loss, "siglip", inputs(a, b, log_scale, bias),
           [a = save(a_values), b = save(b_values), log_scale = save(log_scale), bias = save(bias), slopes,
            sums, block, pass](const Tn& dy, Grads& g) {
             const Tn &x = a.get(), &z = b.get();
             const Tn scale = exp(detail::as_scalar(log_scale.get()));
             const Tn s = slopes.defined() ? slopes : Tn::empty({block, x.size(0)});
             detail::add_pair_gradients<T>(
                 g, x, z, log_scale.get(), scale, dy, block, [&](Index begin, Index count) {
                   return slopes.defined()
                              ? s
                              : pass(s, x, z, scale, detail::as_scalar(bias.get()), begin, count, sums, true);
                 });
             if (g.wants(3)) {
               const Shape& shape = bias.get().shape();
               g.add(3, (sum(detail::dense_rows(sums, 1, 1)) * dy)
                            .as_strided(shape, Shape::filled(shape.rank(), 1), 0));
             }
           });
  return loss;
}

TMOR_END
