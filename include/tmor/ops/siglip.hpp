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
/// log_scale, bias: one number each. `ids`, `ignore`, `kinds`, `Factor`: as in `info_nce`; pairs that take no
/// part are not asked.
/// @throws ShapeError when a and b are not equal (n, dim), or the others not as said.
template <class T, class Device, class Factor = T>
Tensor<param_t<T>, Device> siglip(const Tensor<T, Device>& a, const Tensor<T, Device>& b,
                                  const Tensor<param_t<T>, Device>& log_scale,
                                  const Tensor<param_t<T>, Device>& bias,
                                  const Tensor<std::int64_t, Device>& ids = {},
                                  const Tensor<bool, Device>& ignore = {},
                                  const Tensor<std::int64_t, Device>& kinds = {}) {
  using C = compute_t<T>;
  using E = detail::pair_factor_t<Factor, Device>;
  using Tn = Tensor<C, Device>;
  using Te = Tensor<E, Device>;
  detail::check_pairs("siglip", a, b, log_scale);
  TMOR_CHECK_SHAPE(bias.numel() == 1, "[siglip] bias must be one number, got ", bias.shape());
  const Index n = a.size(0), block = detail::pair_rows<Device>(n);
  const auto targets = detail::contrastive_targets<C, Device>("siglip", n, ids, ignore, kinds);
  const bool grad = needs_grad(a, b, log_scale, bias);

  // Rows from `begin` on: similarities in `s`, and slopes where there is memory for them.
  const auto pass = [targets](const Tn& s, const Te& slopes, const Te& x, const Te& z, const Tn& scale,
                              const Tn& shift, Index begin, Index count, const Tn& sums) {
    const Index size = x.size(0);
    detail::pair_products(detail::dense_rows(s, 0, count), x, z, begin);
    run_rows(Device{}, count, size,
             rows::Siglip<C, E>{size, begin, s.data(), slopes.defined() ? slopes.mutable_data() : nullptr,
                                targets.rows(), scale.data(), shift.data(), sums.mutable_data(),
                                sums.mutable_data() + size});
  };
  const Te a_values = detail::pair_factors<Factor>(a), b_values = detail::pair_factors<Factor>(b);
  Te slopes;
  Tn sums, loss;
  {
    NoGrad guard;
    const Tn scale = exp(detail::as_scalar(log_scale)), s = Tn::empty({block, n});
    if (grad && block == n) slopes = detail::slopes_of<E>(s);
    sums = Tn::empty({2, n});
    for (Index begin = 0; begin < n; begin += block)
      pass(s, slopes, a_values, b_values, scale, detail::as_scalar(bias), begin, std::min(block, n - begin),
           sums);
    loss = sum(detail::dense_rows(sums, 0, 1)) / static_cast<double>(n);
  }
  if (grad)
    record(loss, "siglip", inputs(a, b, log_scale, bias),
           [a = save(a_values), b = save(b_values), log_scale = save(log_scale), bias = save(bias), slopes,
            sums, block, pass](const Tn& dy, Grads& g) {
             const Te &x = a.get(), &z = b.get();
             const Tn scale = exp(detail::as_scalar(log_scale.get()));
             const bool kept = slopes.defined();
             const Tn s = kept ? Tn() : Tn::empty({block, x.size(0)});
             const Te of_block = kept ? slopes : detail::slopes_of<E>(s);
             const auto of = [&](Index begin, Index count) {
               if (!kept) pass(s, of_block, x, z, scale, detail::as_scalar(bias.get()), begin, count, sums);
               return detail::dense_rows(of_block, 0, count);
             };
             detail::add_pair_gradients<T>(g, x, z, log_scale.get(), scale, dy, block, of);
             if (g.wants(3)) {
               const Shape& shape = bias.get().shape();
               const Tn slope = sum(detail::dense_rows(sums, 1, 1)) * (1.0 / static_cast<double>(x.size(0)));
               g.add(3, (slope * dy).as_strided(shape, Shape::filled(shape.rank(), 1), 0));
             }
           });
  return loss;
}

TMOR_END
