#pragma once
/// @file pool.hpp
/// Pooling on the CPU: whole rows of channels are combined at a time. Forward passes share out rows of
/// outputs; backward ones blocks of channels, since windows may overlap.

#include "tmor/core/pool_call.hpp"
#include "tmor/core/tensor.hpp"
#include "tmor/cpu/lanes.hpp"
#include "tmor/cpu/loop.hpp"

TMOR_BEGIN

namespace cpu {

/// Calls f(offset of a pixel of the image) for the window of output (i, j), row by row.
template <class F> TMOR_ALWAYS_INLINE void for_window(const PoolCall& s, Index i, Index j, F&& f) {
  for (Index y = s.h.begin(i); y < s.h.end(i); ++y)
    for (Index x = s.w.begin(j); x < s.w.end(j); ++x) f((y * s.w.in + x) * s.c);
}

/// y = op(window) for every output: it starts with the first pixel, `next(sum, v)` goes on,
/// `last(row, 1 / divisor)` ends.
template <class T, class Next, class Last>
void pool_forward(const PoolCall& s, const T* x, T* y, const Next& next, const Last& last) {
  using V = Pack<T>;
  const Index image = s.h.in * s.w.in * s.c, row = s.w.out * s.c;
  const Index work = 1 + row * (s.h.in * s.w.in / (s.h.out * s.w.out) + 1);
  parallel_for(s.n * s.h.out, 1 + kLoopGrain / work, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const T* const in = x + r / s.h.out * image;
      for (Index j = 0; j < s.w.out; ++j) {
        const Index i = r % s.h.out;
        T* const out = y + r * row + j * s.c;
        bool started = false;
        for_window(s, i, j, [&](Index at) {
          for_lanes<T>(s.c, [&](Index k, Index n) {
            const V v = load_row<V>(in + at, 1, k, n);
            store_row(out, 1, k, n, started ? next(load_row<V>(static_cast<const T*>(out), 1, k, n), v) : v);
          });
          started = true;
        });
        last(out, T(1) / static_cast<T>(s.divisor(i, j)));
      }
    }
  });
}

/// Calls f(image, i, j, channel, lanes) for every output and up to a vector of channels, all outputs of a
/// channel on one thread and in order; dx is 0 before.
template <class T, class F> void pool_backward(const PoolCall& s, T* dx, const F& f) {
  constexpr Index kBlock = 4 * Lanes<T>::count;
  const Index blocks = (s.c + kBlock - 1) / kBlock;
  parallel_for(s.n * blocks, 1 + kLoopGrain / (1 + s.h.in * s.w.in * kBlock), [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index image = task / blocks, c0 = task % blocks * kBlock;
      const Index count = s.c - c0 < kBlock ? s.c - c0 : kBlock;
      T* const out = dx + image * s.h.in * s.w.in * s.c;
      for (Index p = 0; p < s.h.in * s.w.in; ++p)
        for (Index k = 0; k < count; ++k) out[p * s.c + c0 + k] = T(0);
      for (Index i = 0; i < s.h.out; ++i)
        for (Index j = 0; j < s.w.out; ++j)
          for_lanes<T>(count, [&](Index k, Index n) { f(image, i, j, c0 + k, n); });
    }
  });
}

}  // namespace cpu

/// y = mean of each window.
template <class T>
void run_avg_pool(Cpu, const PoolCall& s, const Tensor<T, Cpu>& x, const Tensor<T, Cpu>& y) {
  using V = Pack<T>;
  cpu::pool_forward(
      s, x.data(), y.mutable_data(), [](V sum, V v) { return sum + v; },
      [&](T* out, T scale) {
        cpu::for_lanes<T>(s.c, [&](Index k, Index n) {
          cpu::store_row(out, 1, k, n, cpu::load_row<V>(static_cast<const T*>(out), 1, k, n) * V(scale));
        });
      });
}

/// dx = gradient of `run_avg_pool`.
template <class T>
void run_avg_pool_backward(Cpu, const PoolCall& s, const Tensor<T, Cpu>& dy_in, const Tensor<T, Cpu>& dx_in) {
  using V = Pack<T>;
  const T* const dy = dy_in.data();
  T* const dx = dx_in.mutable_data();
  cpu::pool_backward(s, dx, [&](Index image, Index i, Index j, Index c, Index n) {
    const Index from = ((image * s.h.out + i) * s.w.out + j) * s.c + c,
                to = image * s.h.in * s.w.in * s.c + c;
    const V share = cpu::load_row<V>(dy + from, 1, 0, n) * V(T(1) / static_cast<T>(s.divisor(i, j)));
    cpu::for_window(s, i, j, [&](Index at) {
      T* const out = dx + to + at;
      cpu::store_row(out, 1, 0, n, cpu::load_row<V>(static_cast<const T*>(out), 1, 0, n) + share);
    });
  });
}

/// y = largest of each window; NaN where there is one.
template <class T>
void run_max_pool(Cpu, const PoolCall& s, const Tensor<T, Cpu>& x, const Tensor<T, Cpu>& y) {
  using V = Pack<T>;
  cpu::pool_forward(
      s, x.data(), y.mutable_data(), [](V most, V v) { return select((v > most) | (v != v), v, most); },
      [](T*, T) {});
}

/// dx = gradient of `run_max_pool`: to the first of the window's largest.
template <class T>
void run_max_pool_backward(Cpu, const PoolCall& s, const Tensor<T, Cpu>& x_in, const Tensor<T, Cpu>& y_in,
                           const Tensor<T, Cpu>& dy_in, const Tensor<T, Cpu>& dx_in) {
  using V = Pack<T>;
  const T *const x = x_in.data(), *const y = y_in.data(), *const dy = dy_in.data();
  T* const dx = dx_in.mutable_data();
  cpu::pool_backward(s, dx, [&](Index image, Index i, Index j, Index c, Index n) {
    const Index from = ((image * s.h.out + i) * s.w.out + j) * s.c + c,
                to = image * s.h.in * s.w.in * s.c + c;
    const V most = cpu::load_row<V>(y + from, 1, 0, n);
    V left = cpu::load_row<V>(dy + from, 1, 0, n);  // what has not found its place yet
    cpu::for_window(s, i, j, [&](Index at) {
      T* const out = dx + to + at;
      const auto here = cpu::load_row<V>(x + to + at, 1, 0, n) == most;
      cpu::store_row(out, 1, 0, n,
                     cpu::load_row<V>(static_cast<const T*>(out), 1, 0, n) + select(here, left, V(0)));
      left = select(here, V(0), left);
    });
  });
}

TMOR_END
