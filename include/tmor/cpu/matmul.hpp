#pragma once
/// @file matmul.hpp
/// How tensors become calls of the CPU gemm: strides are passed on, batch dimensions merged, nothing is
/// copied unless C's columns are not contiguous.

#include "tmor/core/tensor.hpp"
#include "tmor/cpu/loop.hpp"
#include "tmor/cpu/packed.hpp"
#include "tmor/cpu/pointwise.hpp"

TMOR_BEGIN

namespace cpu {

/// A's, B's and C's sizes and strides for C (..., m, n) = A (..., m, k) B (..., k, n), batches broadcast.
template <class T> struct MatmulCall {
  GemmArgs<T> g;
  GemmBatch batch;

  MatmulCall(const Tensor<T, Cpu>& c, const Tensor<T, Cpu>& a, const Tensor<T, Cpu>& b, T beta) {
    const int r = c.rank();
    g.m = c.shape()[r - 2];
    g.n = c.shape()[r - 1];
    g.k = a.shape()[a.rank() - 1];
    g.a = a.data();
    g.a_row = a.strides()[a.rank() - 2];
    g.a_col = a.strides()[a.rank() - 1];
    g.b = b.data();
    g.b_row = b.strides()[b.rank() - 2];
    g.b_col = b.strides()[b.rank() - 1];
    g.c = c.mutable_data();
    g.c_row = c.strides()[r - 2];
    g.beta = beta;
    const auto plan = product_batch(c, a, b, g.m);
    for (int d = 0; d < plan.rank; ++d)
      batch.add(plan.size[d], plan.stride[0][d], plan.stride[1][d], plan.stride[2][d]);
  }

  /// True for one product that reads a packed B and sums in the same order with one packed before.
  bool repays_packing() const {
    return batch.items() == 1 && g.k > 0 && !detail::is_vector(g) &&
           detail::k_pieces(g, KPlan(g.k, g.segments)) == 1;
  }
};

}  // namespace cpu

/// C = A B + beta C over broadcast batches; the columns of `c` must be contiguous.
template <class T>
void run_matmul(Cpu, const Tensor<T, Cpu>& c, const Tensor<T, Cpu>& a, const Tensor<T, Cpu>& b, T beta = 0,
                const std::type_identity_t<cpu::RowHook<T>>& hook = {}) {
  if (c.numel() == 0) return;
  const cpu::MatmulCall<T> call(c, a, b, beta);
  if (call.batch.items() == 1) {
    cpu::gemm(call.g, hook);
  } else {
    cpu::gemm_batched(call.g, call.batch, hook);
  }
}

TMOR_END
