// GFLOP/s of our matrix products, and of Eigen's where it can do the same, measured in turns in one run.
// Usage: gemm_bench [threads] [part of a name]

#include <Eigen/Core>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <new>
#include <vector>

#include "tmor/cpu/conv_time.hpp"
#include "tmor/cpu/gemm.hpp"

namespace {

using tmor::Index;
using Row = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using View = Eigen::Map<const Row, 0, Eigen::OuterStride<>>;
using Out = Eigen::Map<Row, 0, Eigen::OuterStride<>>;

/// With one thread its own processor time, which others on the machine disturb least; else the time of day.
double now() {
  timespec t{};
  clock_gettime(tmor::num_threads() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// Memory aligned as that of the library's tensors is.
template <class T> struct Aligned {
  using value_type = T;
  Aligned() = default;
  template <class U> explicit Aligned(const Aligned<U>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(64))); }
  void deallocate(T* p, std::size_t) { ::operator delete(p, std::align_val_t(64)); }
  friend bool operator==(Aligned, Aligned) { return true; }
};
using Buffer = std::vector<float, Aligned<float>>;

Buffer numbers(Index count) {
  Buffer v(static_cast<std::size_t>(count));
  for (float& x : v) x = static_cast<float>(std::rand()) / static_cast<float>(RAND_MAX) - 0.5f;
  return v;
}

template <class F> double seconds(F&& f) {
  const double t = now();
  f();
  return now() - t;
}

/// Prints the best rate of ours and, when `eigen` is given, of Eigen; in turns for at least 0.3 s.
template <class Ours, class Theirs>
void compare(const char* name, double flops, Ours&& ours, Theirs&& eigen) {
  double best[2] = {1e9, 1e9};
  const double end = now() + 0.4;
  do {
    best[0] = std::min(best[0], seconds(ours));
    best[1] = std::min(best[1], seconds(eigen));
  } while (now() < end);
  std::printf("%-36s %9.1f %9.1f   x%.2f\n", name, flops / best[0] * 1e-9, flops / best[1] * 1e-9,
              best[1] / best[0]);
}

/// One product, A stored (m, k) or with `ta` (k, m), B stored (k, n) or with `tb` (n, k).
void product(const char* filter, Index m, Index n, Index k, bool ta = false, bool tb = false) {
  char name[80];
  std::snprintf(name, sizeof name, "%c%c %ldx%ldx%ld", ta ? 'T' : 'N', tb ? 'T' : 'N', static_cast<long>(m),
                static_cast<long>(n), static_cast<long>(k));
  if (!std::strstr(name, filter)) return;
  const auto a = numbers(m * k), b = numbers(k * n);
  Buffer c(static_cast<std::size_t>(m * n));
  tmor::cpu::GemmArgs<float> g{
      .m = m, .n = n, .k = k, .a = a.data(), .b = b.data(), .c = c.data(), .c_row = n};
  ta ? (g.a_row = 1, g.a_col = m) : (g.a_row = k, g.a_col = 1);
  tb ? (g.b_row = 1, g.b_col = k) : (g.b_row = n, g.b_col = 1);
  const Eigen::Map<const Row> ea(a.data(), ta ? k : m, ta ? m : k), eb(b.data(), tb ? n : k, tb ? k : n);
  Eigen::Map<Row> ec(c.data(), m, n);
  compare(
      name, 2.0 * static_cast<double>(m * n) * static_cast<double>(k), [&] { tmor::cpu::gemm(g); },
      [&] {
        if (ta && tb) {
          ec.noalias() = ea.transpose() * eb.transpose();
        } else if (ta) {
          ec.noalias() = ea.transpose() * eb;
        } else if (tb) {
          ec.noalias() = ea * eb.transpose();
        } else {
          ec.noalias() = ea * eb;
        }
      });
}

void batched(const char* filter, Index items, Index m, Index n, Index k, bool tb = false) {
  char name[80];
  std::snprintf(name, sizeof name, "batch %ld of N%c %ldx%ldx%ld", static_cast<long>(items), tb ? 'T' : 'N',
                static_cast<long>(m), static_cast<long>(n), static_cast<long>(k));
  if (!std::strstr(name, filter)) return;
  const auto a = numbers(items * m * k), b = numbers(items * k * n);
  Buffer c(static_cast<std::size_t>(items * m * n));
  tmor::cpu::GemmArgs<float> g{.m = m, .n = n, .k = k, .a = a.data(), .a_row = k, .b = b.data()};
  tb ? (g.b_row = 1, g.b_col = k) : (g.b_row = n, g.b_col = 1);
  g.c = c.data();
  g.c_row = n;
  tmor::cpu::GemmBatch batch;
  batch.add(items, m * k, k * n, m * n);
  compare(
      name, 2.0 * static_cast<double>(items * m * n) * static_cast<double>(k),
      [&] { tmor::cpu::gemm_batched(g, batch); },
      [&] {
        for (Index i = 0; i < items; ++i) {
          const Eigen::Map<const Row> ea(a.data() + i * m * k, m, k),
              eb(b.data() + i * k * n, tb ? n : k, tb ? k : n);
          Eigen::Map<Row> ec(c.data() + i * m * n, m, n);
          tb ? void(ec.noalias() = ea * eb.transpose()) : void(ec.noalias() = ea * eb);
        }
      });
}

/// y[i] = sum_h A_h^T z[i][:, h], the joint mixing of a skeleton network, as one product with a segment a
/// head.
void mixing(const char* filter, Index items, Index joints, Index heads, Index channels) {
  char name[80];
  std::snprintf(name, sizeof name, "mix %ld x %ld joints %ld heads C=%ld", static_cast<long>(items),
                static_cast<long>(joints), static_cast<long>(heads), static_cast<long>(channels));
  if (!std::strstr(name, filter)) return;
  const auto a = numbers(heads * joints * joints), z = numbers(items * joints * heads * channels);
  Buffer y(static_cast<std::size_t>(items * joints * channels));
  std::vector<Index> at_a, at_z;
  for (Index h = 0; h < heads; ++h) at_a.push_back(h * joints * joints), at_z.push_back(h * channels);
  tmor::cpu::GemmArgs<float> g{
      .m = joints, .n = channels, .k = joints, .a = a.data(), .a_row = 1, .a_col = joints};
  g.b = z.data();
  g.b_row = heads * channels;
  g.c = y.data();
  g.c_row = channels;
  g.segments = heads;
  g.a_segments = at_a.data();
  g.b_segments = at_z.data();
  tmor::cpu::GemmBatch batch;
  batch.add(items, 0, joints * heads * channels, joints * channels);
  const double flops = 2.0 * static_cast<double>(items * joints * joints * heads * channels);
  const auto heads_in_turn = [&](bool threads) {
    for (Index h = 0; h < heads; ++h) {
      tmor::cpu::GemmArgs<float> one = g;
      one.segments = 1;
      one.a_segments = one.b_segments = nullptr;
      one.a += at_a[static_cast<std::size_t>(h)];
      one.b += at_z[static_cast<std::size_t>(h)];
      one.beta = h == 0 ? 0.0f : 1.0f;
      if (threads) tmor::cpu::gemm_batched(one, batch);
    }
  };
  compare(
      name, flops, [&] { tmor::cpu::gemm_batched(g, batch); },
      [&] {
        for (Index i = 0; i < items; ++i) {
          Out ec(y.data() + i * joints * channels, joints, channels, Eigen::OuterStride<>(channels));
          for (Index h = 0; h < heads; ++h) {
            const View ea(a.data() + h * joints * joints, joints, joints, Eigen::OuterStride<>(joints));
            const View ez(z.data() + i * joints * heads * channels + h * channels, joints, channels,
                          Eigen::OuterStride<>(heads * channels));
            h == 0 ? void(ec.noalias() = ea.transpose() * ez) : void(ec.noalias() += ea.transpose() * ez);
          }
        }
      });
  std::snprintf(name, sizeof name, "  the heads one by one");
  compare(
      name, flops, [&] { heads_in_turn(true); }, [&] { tmor::cpu::gemm_batched(g, batch); });
}

/// A convolution over time and its gradients; beside them the plain product of as many terms.
void convolution(const char* filter, Index clips, Index frames, Index joints, Index channels,
                 Index stride = 1) {
  const tmor::cpu::ConvTime s{.n = clips,
                              .t = frames,
                              .v = joints,
                              .c_in = channels,
                              .c_out = channels,
                              .taps = 9,
                              .stride = stride,
                              .pad = 4};
  const Index rows = clips * s.t_out() * joints;
  const auto x = numbers(clips * frames * joints * channels), w = numbers(9 * channels * channels);
  const auto dy = numbers(rows * channels);
  Buffer out(std::max(x.size(), w.size()));
  const double flops = 2.0 * 9 * static_cast<double>(rows * channels * channels);
  const char* passes[] = {"forward", "grad input", "grad weight"};
  for (int pass = 0; pass < 3; ++pass) {
    char name[80];
    std::snprintf(name, sizeof name, "conv 9x1 C=%ld T=%ld stride %ld %s", static_cast<long>(channels),
                  static_cast<long>(frames), static_cast<long>(stride), passes[pass]);
    if (!std::strstr(name, filter)) continue;
    compare(
        name, flops,
        [&] {
          if (pass == 0) tmor::cpu::conv_time(s, x.data(), w.data(), out.data());
          if (pass == 1) tmor::cpu::conv_time_grad_input(s, dy.data(), w.data(), out.data());
          if (pass == 2) tmor::cpu::conv_time_grad_weight(s, x.data(), dy.data(), out.data());
        },
        [&] {  // what Eigen can do: nine products, without borders
          const Eigen::Map<const Row> ex(x.data(), rows, channels), ey(dy.data(), rows, channels);
          for (Index tap = 0; tap < 9; ++tap) {
            const Eigen::Map<const Row> ew(w.data() + tap * channels * channels, channels, channels);
            Eigen::Map<Row> eo(out.data(), rows, channels),
                eg(out.data() + tap * channels * channels, channels, channels);
            if (pass == 0) eo.noalias() += ex * ew;
            if (pass == 1) eo.noalias() += ey * ew.transpose();
            if (pass == 2) eg.noalias() = ex.transpose() * ey;
          }
        });
  }
}

using V = tmor::cpu::detail::Vec<float>;

/// Twelve independent chains of multiply-adds in registers; returns something that depends on all of them.
[[gnu::noinline]] float chains(int loops, V x, V y) {
  V s[12];
#pragma GCC unroll 12
  for (int i = 0; i < 12; ++i) s[i] = y * static_cast<float>(i);
  for (int loop = 0; loop < loops; ++loop) {
#pragma GCC unroll 12
    for (int i = 0; i < 12; ++i) s[i] = s[i] * x + y;
  }
  V sum = {};
#pragma GCC unroll 12
  for (int i = 0; i < 12; ++i) sum += s[i];
  return sum[0];
}

/// The highest rate of multiply-adds one thread reaches.
double peak() {
  constexpr int kLoops = 2'000'000;
  volatile float keep = 0;
  double best = 1e9;
  for (int round = 0; round < 9; ++round) {
    best = std::min(best, seconds([&] { keep = chains(kLoops, V{} + 0.999f, V{} + 1e-3f); }));
  }
  return 2.0 * 12 * tmor::cpu::Tile<float>::kLanes * kLoops / best * 1e-9;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) tmor::set_num_threads(std::atoi(argv[1]));
  const char* f = argc > 2 ? argv[2] : "";
  std::printf("%s, %d threads, multiply-add peak of one thread %.1f GFLOP/s\n", tmor::kIsa,
              tmor::num_threads(), peak());
  std::printf("%-36s %9s %9s\n", "GFLOP/s (float)", "tmor", "Eigen");
  for (Index s : {64, 256, 512, 1024, 2048}) product(f, s, s, s);
  product(f, 1024, 1024, 1024, false, true);
  product(f, 1024, 1024, 1024, true, false);
  product(f, 1024, 1024, 1024, true, true);
  product(f, 4928, 2048, 512);
  product(f, 6304, 768, 768);
  product(f, 1, 2048, 512);
  product(f, 1, 2048, 512, false, true);
  product(f, 2048, 1, 512);
  product(f, 8, 2048, 512);
  product(f, 2500, 51, 512);
  const Index rows = 32 * 64 * 17;
  for (Index c :
       {64, 128, 256}) {  // 1x1 convolution to three heads: forward, gradient of input and of weight
    const Index r = rows * 64 / c;
    product(f, r, 3 * c, c);
    product(f, r, c, 3 * c, false, true);
    product(f, c, 3 * c, r, true, false);
  }
  batched(f, 64, 25, 64, 25);
  batched(f, 64, 25, 25, 64);
  batched(f, 256, 77, 64, 77);
  batched(f, 256, 77, 77, 64, true);
  for (Index c : {64, 128, 256}) mixing(f, 2048 * 64 / c, 17, 3, c);
  mixing(f, 1024, 25, 3, 64);
  for (Index c : {64, 128, 256}) convolution(f, 32, 4096 / c, 17, c);
  convolution(f, 32, 64, 17, 64, 2);
}
