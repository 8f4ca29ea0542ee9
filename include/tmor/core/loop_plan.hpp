#pragma once
/// @file loop_plan.hpp
/// `LoopPlan`: a nest of loops over broadcast, strided operands, with neighbouring dimensions merged where
/// every operand allows it; what the loops of either device start from.

#include "tmor/core/shape.hpp"

TMOR_BEGIN

/// A loop nest over arrays; strides are in elements and 0 where an operand is broadcast.
struct LoopPlan {
  static constexpr int kMaxOperands = 8;
  int rank = 0, operands = 0;
  Index size[Shape::kMaxRank] = {};
  Index stride[kMaxOperands][Shape::kMaxRank] = {};
  char* data[kMaxOperands] = {};
  Index element[kMaxOperands] = {};  ///< bytes

  explicit LoopPlan(const Shape& shape) : rank(shape.rank()) {
    for (int d = 0; d < rank; ++d) size[d] = shape[d];
  }
  /// Adds an operand of that shape and strides, broadcast to the loop's shape. Returns its number.
  [[gnu::noinline]] int add(const Shape& shape, const Shape& strides, const void* p = nullptr,
                            std::size_t element_bytes = 0) {
    const int lead = rank - shape.rank();
    for (int d = 0; d < rank; ++d)
      stride[operands][d] = d < lead || shape[d - lead] == 1 ? 0 : strides[d - lead];
    data[operands] = static_cast<char*>(const_cast<void*>(p));
    element[operands] = static_cast<Index>(element_bytes);
    return operands++;
  }
  /// Drops dimensions of size 1 and merges neighbours that every operand walks as one. Leaves rank >= 1.
  [[gnu::noinline]] void merge() {
    int r = 0;
    for (int d = 0; d < rank; ++d) {
      if (size[d] == 1) continue;
      bool joins = r > 0;
      for (int o = 0; o < operands && joins; ++o) joins = stride[o][r - 1] == stride[o][d] * size[d];
      if (joins) {
        size[r - 1] *= size[d];
        for (int o = 0; o < operands; ++o) stride[o][r - 1] = stride[o][d];
      } else {
        size[r] = size[d];
        for (int o = 0; o < operands; ++o) stride[o][r] = stride[o][d];
        ++r;
      }
    }
    if (r == 0) {
      size[0] = 1;
      for (int o = 0; o < operands; ++o) stride[o][0] = 0;
      r = 1;
    }
    rank = r;
  }
  Index inner() const { return size[rank - 1]; }
  Index rows() const {
    Index n = 1;
    for (int d = 0; d + 1 < rank; ++d) n *= size[d];
    return n;
  }
};

/// All dimensions but the last two: those of a batch of matrices.
inline Shape batch_dims(const Shape& s) {
  Shape out;
  for (int d = 0; d + 2 < s.rank(); ++d) out.push_back(s[d]);
  return out;
}

/// The loops over the batch of C = A B, operands A, B and C in this order, for tensors (..., m, k), (..., k,
/// n) and
/// (..., m, n). One long product instead of many short ones, with more rows `m`, where B is shared and the
/// rows of A and C follow on. The rank may be 0: one product.
template <class TensorC, class TensorA, class TensorB>
LoopPlan product_batch(const TensorC& c, const TensorA& a, const TensorB& b, Index& m) {
  LoopPlan plan(batch_dims(c.shape()));
  plan.add(batch_dims(a.shape()), batch_dims(a.strides()));
  plan.add(batch_dims(b.shape()), batch_dims(b.strides()));
  plan.add(batch_dims(c.shape()), batch_dims(c.strides()));
  plan.merge();
  const int last = plan.rank - 1;
  if (plan.stride[1][last] == 0 && plan.stride[0][last] == m * a.stride(-2) &&
      plan.stride[2][last] == m * c.stride(-2)) {
    m *= plan.size[last];
    --plan.rank;
  }
  return plan;
}

TMOR_END
