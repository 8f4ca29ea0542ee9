#pragma once
/// @file contrastive.hpp
/// Contrastive losses of two sets of embeddings (n, dim) of which row i belongs to row i: InfoNCE
/// (ops/info_nce.hpp does the work) and SigLIP. Embeddings are normalised here.

#include "tmor/ops/index.hpp"
#include "tmor/ops/info_nce.hpp"
#include "tmor/ops/norm.hpp"

TMOR_BEGIN
namespace loss {

/// ln(1 / 0.07) and ln(100), where CLIP starts its learned log-scale and where it stops it.
inline constexpr double kInitialLogScale = 2.6592600369327779;
inline constexpr double kMaxLogScale = 4.6051701859880914;

/// Keeps a learned log-scale at or below `highest`; call it after each step of the optimiser.
template <class T, class Device>
void limit_log_scale_(const Tensor<T, Device>& log_scale, double highest = kMaxLogScale) {
  NoGrad guard;
  copy_into(Device{}, log_scale, clamp(log_scale.detach(), std::numeric_limits<double>::lowest(), highest));
}

/// Pairs of rows of x (n, dim) whose cosine is above `threshold` (TMR, Petrovich et al. 2023, takes captions
/// above 0.8 out of the negatives): what the losses below take as `ignore`.
template <class T, class Device>
Tensor<bool, Device> similar_pairs(const Tensor<T, Device>& x, double threshold = 0.8) {
  NoGrad guard;
  const auto unit = l2_normalize(x.detach());
  return greater(matmul(unit, transpose(unit, 0, 1)), Tensor<T, Device>::full({}, static_cast<T>(threshold)));
}

/// Symmetric InfoNCE of cosine similarities times e^log_scale. Rows with equal `ids` (n,), where given, are
/// all each other's positives; pairs where `ignore` (n, n) holds, and which are no positives, take no part.
/// @throws ShapeError when a and b are not equal (n, dim), ids not (n,) or ignore not (n, n).
template <class T, class Device>
Tensor<T, Device> info_nce(const Tensor<T, Device>& a, const Tensor<T, Device>& b,
                           const Tensor<param_t<T>, Device>& log_scale,
                           const Tensor<std::int64_t, Device>& ids = {},
                           const Tensor<bool, Device>& ignore = {}) {
  tmor::detail::check_info_nce(a, b, log_scale);
  const auto x = l2_normalize(a), y = l2_normalize(b);
  if (ignore.defined())
    return tmor::info_nce(x, y, log_scale, ids.defined() ? ids : arange<std::int64_t, Device>(a.size(0)),
                          ignore);
  return ids.defined() ? tmor::info_nce(x, y, log_scale, ids) : tmor::info_nce(x, y, log_scale);
}

/// Where SigLIP starts its log-scale and bias (Zhai et al. 2023): ln 10 and -10.
inline constexpr double kInitialSiglipLogScale = 2.302585092994046;
inline constexpr double kInitialSiglipBias = -10;

/// SigLIP (Zhai et al. 2023): every pair is a question of its own, 1/n sum_ij softplus(-z_ij (e^log_scale
/// cos_ij + bias)) with z = 1 for positives (i == j, or equal `ids` where given) and -1 for the rest; pairs
/// where `ignore` (n, n) holds, and which are no positives, are not asked. log_scale and bias are single
/// numbers.
/// @throws ShapeError when a and b are not equal (n, dim), ids not (n,) or ignore not (n, n).
template <class T, class Device>
Tensor<T, Device> siglip(const Tensor<T, Device>& a, const Tensor<T, Device>& b,
                         const Tensor<T, Device>& log_scale, const Tensor<T, Device>& bias,
                         const Tensor<std::int64_t, Device>& ids = {},
                         const Tensor<bool, Device>& ignore = {}) {
  tmor::detail::check_info_nce(a, b, log_scale);
  TMOR_CHECK_SHAPE(bias.numel() == 1, "[siglip] bias must be one number, got ", bias.shape());
  const Index n = a.size(0);
  const auto of = ids.defined() ? ids : arange<std::int64_t, Device>(n);
  TMOR_CHECK_SHAPE(of.shape() == Shape{n}, "[siglip] ids ", of.shape(), " for ", n, " pairs");
  TMOR_CHECK_SHAPE(!ignore.defined() || ignore.shape() == (Shape{n, n}), "[siglip] ignored pairs ",
                   ignore.defined() ? ignore.shape() : Shape{}, " for ", n, " pairs");
  const auto positive = equal(of.as_strided({n, 1}, {of.stride(0), 0}, 0), of);
  const auto z = to<T>(positive) * 2 - 1;
  const auto cosine = matmul(l2_normalize(a), transpose(l2_normalize(b), 0, 1));
  auto terms = softplus(-z * (cosine * exp(reshape(log_scale, {})) + reshape(bias, {})));
  if (ignore.defined()) terms = terms * maximum(to<T>(positive), to<T>(logical_not(ignore)));
  return sum(terms) / static_cast<double>(n);
}

}  // namespace loss
TMOR_END
