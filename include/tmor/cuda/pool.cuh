#pragma once
/// @file pool.cuh
/// Pooling on the GPU: a thread makes one output, or gathers the gradient of one input from the windows it is
/// in.

#include "tmor/core/pool_call.hpp"
#include "tmor/core/tensor.hpp"
#include "tmor/cuda/each.cuh"

TMOR_BEGIN
namespace cuda {

/// The outputs whose windows may hold input `at`, [first, last]; each is still to be checked.
TMOR_HD inline Index first_window(const PoolAxis& a, Index at) {
  const Index i = a.kernel == 0 ? at * a.out / a.in - 1 : (at + a.pad - a.kernel) / a.stride;
  return i < 0 ? 0 : i;
}
TMOR_HD inline Index last_window(const PoolAxis& a, Index at) {
  const Index i = a.kernel == 0 ? ((at + 1) * a.out + a.in - 1) / a.in : (at + a.pad) / a.stride;
  return i < a.out ? i : a.out - 1;
}

template <class T, bool kMax> struct Pool {
  PoolCall s;
  const T* x;
  T* y;
  TMOR_HD void operator()(Index e) const {
    const Index c = e % s.c, j = e / s.c % s.w.out, i = e / s.c / s.w.out % s.h.out,
                image = e / s.c / s.w.out / s.h.out;
    T v = kMax ? -std::numeric_limits<T>::infinity() : T(0);
    for (Index p = s.h.begin(i); p < s.h.end(i); ++p)
      for (Index q = s.w.begin(j); q < s.w.end(j); ++q) {
        const T at = x[((image * s.h.in + p) * s.w.in + q) * s.c + c];
        v = kMax ? (at > v || at != at ? at : v) : v + at;
      }
    y[e] = kMax ? v : v * (T(1) / static_cast<T>(s.divisor(i, j)));
  }
};
template <class T, bool kMax> struct PoolBackward {
  PoolCall s;
  const T *x, *y;  ///< of a maximum
  const T* dy;
  T* dx;
  TMOR_HD void operator()(Index e) const {
    const Index c = e % s.c, q = e / s.c % s.w.in, p = e / s.c / s.w.in % s.h.in,
                image = e / s.c / s.w.in / s.h.in;
    T sum = 0;
    for (Index i = first_window(s.h, p); i <= last_window(s.h, p); ++i)
      for (Index j = first_window(s.w, q); j <= last_window(s.w, q); ++j) {
        if (p < s.h.begin(i) || p >= s.h.end(i) || q < s.w.begin(j) || q >= s.w.end(j)) continue;
        const Index out = ((image * s.h.out + i) * s.w.out + j) * s.c + c;
        if constexpr (kMax) {
          if (is_first(image, c, i, j, p, q, y[out])) sum += dy[out];
        } else {
          sum += dy[out] * (T(1) / static_cast<T>(s.divisor(i, j)));
        }
      }
    dx[e] = sum;
  }

 private:
  /// Is (p, q) the first place of its window with value `most`?
  TMOR_HD bool is_first(Index image, Index c, Index i, Index j, Index p, Index q, T most) const {
    for (Index a = s.h.begin(i); a <= p; ++a)
      for (Index b = s.w.begin(j); b < s.w.end(j); ++b) {
        if (!(x[((image * s.h.in + a) * s.w.in + b) * s.c + c] == most)) continue;
        return a == p && b == q;
      }
    return false;
  }
};

}  // namespace cuda

template <class T>
void run_avg_pool(Cuda, const PoolCall& s, const Tensor<T, Cuda>& x, const Tensor<T, Cuda>& y) {
  cuda::for_each("avg_pool", y.numel(), cuda::Pool<T, false>{s, x.data(), y.mutable_data()});
}
template <class T>
void run_avg_pool_backward(Cuda, const PoolCall& s, const Tensor<T, Cuda>& dy, const Tensor<T, Cuda>& dx) {
  cuda::for_each("avg_pool backward", dx.numel(),
                 cuda::PoolBackward<T, false>{s, nullptr, nullptr, dy.data(), dx.mutable_data()});
}
template <class T>
void run_max_pool(Cuda, const PoolCall& s, const Tensor<T, Cuda>& x, const Tensor<T, Cuda>& y) {
  cuda::for_each("max_pool", y.numel(), cuda::Pool<T, true>{s, x.data(), y.mutable_data()});
}
template <class T>
void run_max_pool_backward(Cuda, const PoolCall& s, const Tensor<T, Cuda>& x, const Tensor<T, Cuda>& y,
                           const Tensor<T, Cuda>& dy, const Tensor<T, Cuda>& dx) {
  cuda::for_each("max_pool backward", dx.numel(),
                 cuda::PoolBackward<T, true>{s, x.data(), y.data(), dy.data(), dx.mutable_data()});
}

TMOR_END
