#pragma once
/// @file contrastive.hpp
/// Contrastive losses of two sets of embeddings (n, dim) of which row i belongs to row i: InfoNCE and SigLIP
/// (ops/info_nce.hpp and ops/siglip.hpp do the work). Embeddings are normalised here, in float as all that
/// follows but the factors of products, which are of type `Factor`.

#include "tmor/ops/info_nce.hpp"
#include "tmor/ops/norm.hpp"
#include "tmor/ops/siglip.hpp"

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
  using C = compute_t<T>;
  const auto unit = l2_normalize(to<C>(x.detach()));
  return greater(matmul(unit, transpose(unit, 0, 1)), Tensor<C, Device>::full({}, static_cast<C>(threshold)));
}

/// Symmetric InfoNCE of cosine similarities times e^log_scale. Rows with equal `ids` (n,), where given, are
/// all each other's positives; pairs where `ignore` (n, n) holds, or of equal `kinds` (n,) >= 0, and which
/// are no positives, take no part.
/// @throws ShapeError when a and b are not equal (n, dim), ids or kinds not (n,), or ignore not (n, n).
template <class T, class Device, class Factor = T>
Tensor<param_t<T>, Device> info_nce(const Tensor<T, Device>& a, const Tensor<T, Device>& b,
                                    const Tensor<param_t<T>, Device>& log_scale,
                                    const Tensor<std::int64_t, Device>& ids = {},
                                    const Tensor<bool, Device>& ignore = {},
                                    const Tensor<std::int64_t, Device>& kinds = {}) {
  tmor::detail::check_pairs("info_nce", a, b, log_scale);
  using C = compute_t<T>;
  return tmor::info_nce<C, Device, Factor>(l2_normalize(to<C>(a)), l2_normalize(to<C>(b)), log_scale, ids,
                                           ignore, kinds);
}

/// Where SigLIP starts its log-scale and bias (Zhai et al. 2023): ln 10 and -10.
inline constexpr double kInitialSiglipLogScale = 2.302585092994046;
inline constexpr double kInitialSiglipBias = -10;

/// SigLIP (ops/siglip.hpp) of cosine similarities times e^log_scale, plus bias. Rows with equal `ids` (n,),
/// where given, are all each other's positives; pairs where `ignore` (n, n) holds, or of equal `kinds` (n,)
/// >= 0, and which are no positives, are not asked.
/// @throws ShapeError when a and b are not equal (n, dim), ids or kinds not (n,), or ignore not (n, n).
template <class T, class Device, class Factor = T>
Tensor<param_t<T>, Device> siglip(const Tensor<T, Device>& a, const Tensor<T, Device>& b,
                                  const Tensor<param_t<T>, Device>& log_scale,
                                  const Tensor<param_t<T>, Device>& bias,
                                  const Tensor<std::int64_t, Device>& ids = {},
                                  const Tensor<bool, Device>& ignore = {},
                                  const Tensor<std::int64_t, Device>& kinds = {}) {
  tmor::detail::check_pairs("siglip", a, b, log_scale);
  using C = compute_t<T>;
  return tmor::siglip<C, Device, Factor>(l2_normalize(to<C>(a)), l2_normalize(to<C>(b)), log_scale, bias, ids,
                                         ignore, kinds);
}

}  // namespace loss
TMOR_END
