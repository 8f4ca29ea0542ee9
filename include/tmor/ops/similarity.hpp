#pragma once
/// @file similarity.hpp
/// Cosine similarity of vectors.

#include "tmor/ops/norm.hpp"
#include "tmor/ops/reduce.hpp"

TMOR_BEGIN

/// a . b / (|a| |b|) over the last dimension, other dimensions broadcast; a length below `eps` counts as
/// `eps`, so that zero vectors are similar to nothing.
/// @throws ShapeError for scalars, unequal last sizes, or shapes that do not broadcast.
template <class T, class Device>
Tensor<T, Device> cosine_similarity(const Tensor<T, Device>& a, const Tensor<T, Device>& b,
                                    double eps = 1e-8) {
  TMOR_CHECK_SHAPE(a.rank() >= 1 && b.rank() >= 1 && a.size(-1) == b.size(-1),
                   "[cosine_similarity] vectors of ", a.shape(), " and ", b.shape(), " differ in length");
  return sum(l2_normalize(a, eps) * l2_normalize(b, eps), -1);
}

TMOR_END
