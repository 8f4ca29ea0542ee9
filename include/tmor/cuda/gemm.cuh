#pragma once
/// @file gemm.cuh
/// Our own matrix product on the GPU: C = A B in tiles of 64 x 64 that a block of 256 threads computes, four
/// by four elements a thread, from slices of A and B in shared memory. What A and B are is a `load(batch,
/// row, column)` of theirs, so that convolutions are products without copies. Long inner dimensions with few
/// results are cut into parts, added up in order. Products of tensors go to NVIDIA's library instead where it
/// is to do them (cuda/cublas.hpp).

#include "tmor/cuda/cublas.hpp"
#include "tmor/cuda/each.cuh"

TMOR_BEGIN
namespace cuda {

inline constexpr int kTile = 64, kTileK = 16;

/// Sizes of `batch` products C (m, n) = A (m, k) B (k, n); the inner dimension in `parts` of `part` each.
struct GemmSize {
  Index batch, m, n, k, parts, part;

  GemmSize(Index batches, Index rows, Index columns, Index inner)
      : batch(batches), m(rows), n(columns), k(inner), parts(1), part(inner) {
    const Index tiles = batch * ((m + kTile - 1) / kTile) * ((n + kTile - 1) / kTile);
    if (tiles >= 128 || k < 512) return;
    parts = k / 256 < 32 ? k / 256 : 32;
    part = ((k + parts - 1) / parts + kTileK - 1) / kTileK * kTileK;
    parts = (k + part - 1) / part;
  }
};

/// `A::along_k`, `B::along_n`: do neighbours in that dimension lie side by side in memory? `put(batch, i, j,
/// v)` takes an element of C, or of a part of it.
template <class T, class A, class B, class Put>
__global__ void __launch_bounds__(256, 2) gemm_tiles(A a, B b, Put put, GemmSize s) {
  TMOR_SHARED(T, as, [kTileK][kTile + 4]);
  TMOR_SHARED(T, bs, [kTileK][kTile + 4]);
  const int t = static_cast<int>(threadIdx.x), tx = t % 16, ty = t / 16;
  const Index row0 = static_cast<Index>(blockIdx.x) * kTile, col0 = static_cast<Index>(blockIdx.y) * kTile;
  for (Index z = blockIdx.z; z < s.batch * s.parts; z += gridDim.z) {
    const Index batch = z / s.parts, part = z % s.parts;
    const Index end = (part + 1) * s.part < s.k ? (part + 1) * s.part : s.k;
    T sum[4][4] = {};
    for (Index k0 = part * s.part; k0 < end; k0 += kTileK) {
      for (int j = 0; j < 4; ++j) {
        const int ai = A::along_k ? t / 16 + 16 * j : t % kTile, ak = A::along_k ? t % 16 : t / kTile + 4 * j;
        as[ak][ai] = row0 + ai < s.m && k0 + ak < end ? a.load(batch, row0 + ai, k0 + ak) : T(0);
        const int bj = B::along_n ? t % kTile : t / 16 + 16 * j, bk = B::along_n ? t / kTile + 4 * j : t % 16;
        bs[bk][bj] = col0 + bj < s.n && k0 + bk < end ? b.load(batch, k0 + bk, col0 + bj) : T(0);
      }
      __syncthreads();
      for (int k = 0; k < kTileK; ++k) {
        T x[4], y[4];
        for (int i = 0; i < 4; ++i) {
          x[i] = as[k][4 * ty + i];
          y[i] = bs[k][4 * tx + i];
        }
        for (int i = 0; i < 4; ++i)
          for (int j = 0; j < 4; ++j) sum[i][j] += x[i] * y[j];
      }
      __syncthreads();
    }
    for (int i = 0; i < 4; ++i)
      for (int j = 0; j < 4; ++j)
        if (row0 + 4 * ty + i < s.m && col0 + 4 * tx + j < s.n)
          put.put(z, row0 + 4 * ty + i, col0 + 4 * tx + j, sum[i][j]);
  }
}

/// C's memory as a product without parts writes it: rows and columns with strides, one batch after the other.
template <class T> struct PutDense {
  T* c;
  Index m, n;
  TMOR_HD void put(Index z, Index i, Index j, compute_t<T> v) const { c[(z * m + i) * n + j] = v; }
};
/// The parts of every element, in order.
template <class T, class Put> struct AddParts {
  Put out;
  const T* parts;
  GemmSize s;
  TMOR_HD void operator()(Index e) const {
    const Index size = s.m * s.n, batch = e / size, at = e % size;
    T v = 0;
    for (Index p = 0; p < s.parts; ++p) v += parts[(batch * s.parts + p) * size + at];
    out.put(batch, at / s.n, at % s.n, v);
  }
};

template <class T, class A, class B, class Put>
void gemm(const char* name, const A& a, const B& b, const Put& put, const GemmSize& s) {
  if (s.batch * s.m * s.n == 0) return;
  constexpr Index most = 65535;
  const Index z = s.batch * s.parts;
  const dim3 grid(static_cast<unsigned>((s.m + kTile - 1) / kTile),
                  static_cast<unsigned>((s.n + kTile - 1) / kTile),
                  static_cast<unsigned>(z < most ? z : most));
  if (s.parts == 1) return launch({name, grid, 256}, gemm_tiles<T, A, B, Put>, a, b, put, s);
  const auto parts = Cuda::allocate(static_cast<std::size_t>(z * s.m * s.n) * sizeof(T));
  T* const p = static_cast<T*>(parts->data());
  launch({name, grid, 256}, gemm_tiles<T, A, B, PutDense<T>>, a, b, PutDense<T>{p, s.m, s.n}, s);
  for_each(name, s.batch * s.m * s.n, AddParts<T, Put>{put, p, s});
}

/// A strided matrix of a batch; the batch's leading dimensions as a nest.
template <class T, bool kAlong> struct Matrix {
  static constexpr bool along_k = kAlong, along_n = kAlong;
  const T* p;
  Index row, column;
  Nest<1> batch;
  TMOR_HD compute_t<T> load(Index z, Index i, Index j) const {
    Index at[1] = {};
    batch.add_offsets(z, at);
    return p[at[0] + i * row + j * column];
  }
};
template <class T> struct PutStrided {
  T* p;
  Index row, column;
  Nest<1> batch;
  compute_t<T> beta;  ///< of what was there
  TMOR_HD void put(Index z, Index i, Index j, compute_t<T> v) const {
    Index at[1] = {};
    batch.add_offsets(z, at);
    T& c = p[at[0] + i * row + j * column];
    c = beta == 0 ? v : v + beta * static_cast<compute_t<T>>(c);
  }
};

}  // namespace cuda

/// C = A B + beta C over broadcast batches. Sums are in float for bf16 and f16, and C may be float then.
template <class Tc, class T>
void run_matmul(Cuda, const Tensor<Tc, Cuda>& c, const Tensor<T, Cuda>& a, const Tensor<T, Cuda>& b,
                std::type_identity_t<compute_t<Tc>> beta = 0) {
  using C = compute_t<T>;
  if (cuda::library_product(c, a, b, beta)) return;
  const auto batch = [&](const auto& t) {
    LoopPlan plan(batch_dims(c.shape()));
    plan.add(batch_dims(t.shape()), batch_dims(t.strides()));
    plan.merge();
    return cuda::Nest<1>(plan);
  };
  const Index m = c.size(-2), n = c.size(-1), k = a.size(-1);
  const cuda::GemmSize size(m * n == 0 ? 0 : c.numel() / (m * n), m, n, k);
  const cuda::PutStrided<Tc> put{c.mutable_data(), c.stride(-2), c.stride(-1), batch(c), beta};
  const auto with_b = [&](const auto& left) {
    if (b.stride(-1) == 1) {
      cuda::gemm<C>("matmul", left, cuda::Matrix<T, true>{b.data(), b.stride(-2), b.stride(-1), batch(b)},
                    put, size);
    } else {
      cuda::gemm<C>("matmul", left, cuda::Matrix<T, false>{b.data(), b.stride(-2), b.stride(-1), batch(b)},
                    put, size);
    }
  };
  if (a.stride(-1) == 1) {
    with_b(cuda::Matrix<T, true>{a.data(), a.stride(-2), a.stride(-1), batch(a)});
  } else {
    with_b(cuda::Matrix<T, false>{a.data(), a.stride(-2), a.stride(-1), batch(a)});
  }
}

/// y (rows, out) = act(x (rows, in) wt (in, out) + bias) in one pass, where the library can: else false, and
/// nothing has happened. `Act` is Activation, which is no business of this layer.
template <class T, class Act>
bool run_linear_at_once(Cuda, const Tensor<T, Cuda>& y, const Tensor<T, Cuda>& x, const Tensor<T, Cuda>& wt,
                        const T* bias, Act act) {
  unsigned epilogue = bias ? CublasApi::bias : 0u;
  if (act == Act::relu) {
    epilogue |= CublasApi::relu;
  } else if (act == Act::gelu_tanh) {
    epilogue |= CublasApi::gelu;
  } else if (act != Act::none) {
    return false;
  }
  // Older versions forgot the bias where the rows of a result had gaps between them.
  if (epilogue == 0 || !cuda::library_bias(bias) || !y.is_contiguous()) return false;
  return cuda::library_product(y, x, wt, 0, epilogue, bias);
}

TMOR_END
