#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "support/numbers.hpp"
#include "tmor/core/dtype.hpp"
#include "tmor/cpu/packed.hpp"

using namespace tmor;
using support::numbers;
using support::Threads;
using tmor::cpu::GemmArgs;
using tmor::cpu::GemmBatch;

namespace {

/// Checks C against plain loops in double. Bound: k terms summed in any order, each product and each sum
/// rounded once, two more roundings for alpha and beta (Higham, Accuracy and Stability, 3.1): (k + 4) eps sum
/// |a b|.
template <class T> void check_product(const GemmArgs<T>& g, const T* before, const T* bias = nullptr) {
  const double eps = std::numeric_limits<T>::epsilon();
  const double terms = static_cast<double>(g.k * g.segments + 4);
  Index bad = 0;
  for (Index i = 0; i < g.m; ++i) {
    for (Index j = 0; j < g.n; ++j) {
      double sum = 0, size = 0;
      for (Index s = 0; s < g.segments; ++s) {
        const T* a = g.a + (g.a_segments ? g.a_segments[s] : 0) + i * g.a_row;
        const T* b = g.b + (g.b_segments ? g.b_segments[s] : 0) + j * g.b_col;
        for (Index p = 0; p < g.k; ++p) {
          const double x = double(a[p * g.a_col]) * double(b[p * g.b_row]);
          sum += x;
          size += std::fabs(x);
        }
      }
      sum *= double(g.alpha);
      size *= std::fabs(double(g.alpha));
      if (g.beta != T(0)) {
        const double old = double(g.beta) * double(before[i * g.c_row + j]);
        sum += old;
        size += std::fabs(old);
      }
      if (bias) sum += double(bias[j]), size += std::fabs(double(bias[j]));
      if (!(std::fabs(double(g.c[i * g.c_row + j]) - sum) <= terms * eps * size)) ++bad;
    }
  }
  CHECK(bad == 0);
}

/// Runs one shape in all four layouts, C with a gap after each row that must stay untouched.
template <class T> void check_shape(Index m, Index n, Index k, T alpha, T beta) {
  for (int layout = 0; layout < 4; ++layout) {
    CAPTURE(m);
    CAPTURE(n);
    CAPTURE(k);
    CAPTURE(layout);
    const auto a = numbers<T>(m * k, 1), b = numbers<T>(k * n, 2);
    const Index gap = 3;
    auto c = numbers<T>(m * (n + gap), 3);
    const auto before = c;
    GemmArgs<T> g{.m = m, .n = n, .k = k, .a = a.data(), .b = b.data(), .c = c.data(), .c_row = n + gap};
    g.alpha = alpha;
    g.beta = beta;
    layout & 1 ? (g.a_row = 1, g.a_col = m) : (g.a_row = k, g.a_col = 1);
    layout & 2 ? (g.b_row = 1, g.b_col = k) : (g.b_row = n, g.b_col = 1);
    cpu::gemm(g);
    check_product(g, before.data());
    bool untouched = true;
    for (Index i = 0; i < m; ++i) {
      for (Index j = n; j < n + gap; ++j) {
        const auto at = static_cast<std::size_t>(i * (n + gap) + j);
        untouched = untouched && c[at] == before[at];
      }
    }
    CHECK(untouched);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("gemm agrees with plain loops for every small shape and layout", T, float, double) {
  for (Index m : {0, 1, 2, 3, 5, 9, 13, 14, 15, 17, 27, 29}) {
    for (Index n : {0, 1, 7, 16, 17, 31, 32, 33, 65}) {
      for (Index k : {0, 1, 2, 5, 33}) check_shape<T>(m, n, k, T(1), T(0));
    }
  }
}

TEST_CASE_TEMPLATE("gemm agrees with plain loops where it packs, blocks and splits the sum", T, float,
                   double) {
  check_shape<T>(130, 150, 70, T(1), T(0));
  check_shape<T>(101, 203, 400, T(0.5), T(1));     // two blocks of the sum
  check_shape<T>(257, 129, 1001, T(1), T(-0.25));  // three
  check_shape<T>(20, 24, 9000, T(-2), T(0.5));     // pieces of the sum
  check_shape<T>(1, 500, 2000, T(1), T(1));
  check_shape<T>(500, 1, 2000, T(1), T(0));
  check_shape<T>(64, 70, 5000, T(1), T(1));
  check_shape<T>(300, 256, 256, T(1), T(0));  // rows of A a power of two apart
}

TEST_CASE("beta == 0 does not read C, alpha == 0 and no terms scale it") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (Index k : {0, 3, 5000}) {
    const auto a = numbers<float>(5 * k, 1), b = numbers<float>(k * 40, 2);
    std::vector<float> c(5 * 40, nan);
    GemmArgs<float> g{.m = 5, .n = 40, .k = k, .a = a.data(), .a_row = k, .b = b.data(), .b_row = 40};
    g.c = c.data();
    g.c_row = 40;
    cpu::gemm(g);
    check_product(g, c.data());
    c.assign(5 * 40, 2.0f);
    g.alpha = 0;
    g.beta = 0.5f;
    cpu::gemm(g);
    CHECK(c == std::vector<float>(5 * 40, 1.0f));
  }
}

TEST_CASE("strided and broadcast operands") {
  const auto a = numbers<float>(40 * 70 * 3, 1), b = numbers<float>(70 * 90 * 2, 2);
  std::vector<float> c(40 * 90);
  GemmArgs<float> g{.m = 40, .n = 90, .k = 70, .a = a.data(), .a_row = 210, .a_col = 3};
  g.b = b.data();
  g.b_row = 180;
  g.b_col = 2;
  g.c = c.data();
  g.c_row = 90;
  cpu::gemm(g);
  check_product(g, c.data());
  g.a_row = 0;  // all rows of A are the same
  g.b_col = 0;
  cpu::gemm(g);
  check_product(g, c.data());
  CHECK(c == std::vector<float>(40 * 90, c[0]));
}

TEST_CASE("segments: the heads of a joint mixing in one product") {
  // y (17 x C) = sum_h A_h^T z_h, A (3, 17, 17), z (17, 3, C)
  for (Index channels : {8, 64, 70}) {
    const Index joints = 17, heads = 3;
    const auto a = numbers<float>(heads * joints * joints, 1),
               z = numbers<float>(joints * heads * channels, 2);
    std::vector<float> y(static_cast<std::size_t>(joints * channels));
    const Index at_a[] = {0, joints * joints, 2 * joints * joints}, at_z[] = {0, channels, 2 * channels};
    GemmArgs<float> g{.m = joints, .n = channels, .k = joints, .a = a.data(), .a_row = 1, .a_col = joints};
    g.b = z.data();
    g.b_row = heads * channels;
    g.c = y.data();
    g.c_row = channels;
    g.segments = heads;
    g.a_segments = at_a;
    g.b_segments = at_z;
    cpu::gemm(g);
    check_product(g, y.data());
  }
}

TEST_CASE_TEMPLATE("segments: the items of a batch summed over, in pieces", T, float, double) {
  // dA = sum_i x_i^T y_i over 700 items, as for the gradient of a mixing matrix
  const Index items = 700, k = 9, m = 17, n = 25;
  const auto x = numbers<T>(items * k * m, 1), y = numbers<T>(items * k * n, 2);
  std::vector<Index> at_x, at_y;
  for (Index i = 0; i < items; ++i) at_x.push_back(i * k * m), at_y.push_back(i * k * n);
  std::vector<T> d(static_cast<std::size_t>(m * n));
  GemmArgs<T> g{.m = m, .n = n, .k = k, .a = x.data(), .a_row = 1, .a_col = m, .b = y.data(), .b_row = n};
  g.c = d.data();
  g.c_row = n;
  g.segments = items;
  g.a_segments = at_x.data();
  g.b_segments = at_y.data();
  cpu::gemm(g);
  check_product(g, d.data());
  g.segments = 3;
  g.k = 900;  // segments longer than a block; they overlap, which is allowed
  g.a_col = 1;
  g.a_row = 13;
  cpu::gemm(g);
  check_product(g, d.data());
}

TEST_CASE("batches with broadcast, outer and inner dimensions") {
  const Index m = 17, n = 40, k = 11;
  const auto a = numbers<float>(3 * m * k, 1), b = numbers<float>(5 * k * n, 2);
  std::vector<float> c(static_cast<std::size_t>(3 * 5 * m * n));
  GemmArgs<float> g{.m = m, .n = n, .k = k, .a = a.data(), .a_row = k, .b = b.data(), .b_row = n};
  g.c = c.data();
  g.c_row = n;
  GemmBatch batch;
  batch.add(3, m * k, 0, 5 * m * n);
  batch.add(5, 0, k * n, m * n);
  cpu::gemm_batched(g, batch);
  for (Index i = 0; i < 3; ++i) {
    for (Index j = 0; j < 5; ++j) {
      GemmArgs<float> item = g;
      item.a += i * m * k;
      item.b += j * k * n;
      item.c += (i * 5 + j) * m * n;
      check_product(item, c.data());
    }
  }
  batch.size[0] = 0;
  CHECK_NOTHROW(cpu::gemm_batched(g, batch));
}

TEST_CASE("a few large items of a batch") {
  const Index m = 150, n = 130, k = 300;
  const auto a = numbers<float>(2 * m * k, 1), b = numbers<float>(k * n, 2);
  std::vector<float> c(static_cast<std::size_t>(2 * m * n));
  GemmArgs<float> g{.m = m, .n = n, .k = k, .a = a.data(), .a_row = k, .b = b.data(), .b_row = n};
  g.c = c.data();
  g.c_row = n;
  GemmBatch batch;
  batch.add(2, m * k, 0, m * n);
  cpu::gemm_batched(g, batch);
  check_product(g, c.data());
  g.a += m * k;
  g.c += m * n;
  check_product(g, c.data());
}

TEST_CASE("the hook sees every finished element once") {
  for (Index k : {0, 5, 500, 6000}) {
    for (Index n : {19, 200}) {
      const Index m = 37;
      const auto a = numbers<float>(m * k, 1), b = numbers<float>(k * n, 2), bias = numbers<float>(n, 3);
      std::vector<float> c(static_cast<std::size_t>(m * n));
      GemmArgs<float> g{.m = m, .n = n, .k = k, .a = a.data(), .a_row = k, .b = b.data(), .b_row = n};
      g.c = c.data();
      g.c_row = n;
      cpu::gemm(g, cpu::AddBias<float>{bias.data()});
      check_product(g, c.data(), bias.data());
    }
  }
}

TEST_CASE("the bits do not depend on the number of threads") {
  const Index shapes[][3] = {
      {300, 200, 500}, {40, 48, 20000}, {2000, 64, 96}, {1, 3000, 700}, {5000, 20, 64}};
  for (const auto& [m, n, k] : shapes) {
    for (int layout = 0; layout < 4; ++layout) {
      const auto a = numbers<float>(m * k, 1), b = numbers<float>(k * n, 2);
      std::vector<float> first;
      for (int threads : {1, 2, 3, 5}) {
        Threads scope(threads);
        std::vector<float> c(static_cast<std::size_t>(m * n));
        GemmArgs<float> g{.m = m, .n = n, .k = k, .a = a.data(), .b = b.data(), .c = c.data(), .c_row = n};
        layout & 1 ? (g.a_row = 1, g.a_col = m) : (g.a_row = k, g.a_col = 1);
        layout & 2 ? (g.b_row = 1, g.b_col = k) : (g.b_row = n, g.b_col = 1);
        cpu::gemm(g);
        if (first.empty()) first = c;
        CHECK(std::memcmp(first.data(), c.data(), c.size() * sizeof(float)) == 0);
      }
    }
  }
}

TEST_CASE("a packed B gives the same product, with the hook") {
  for (Index m : {0, 1, 9, 300}) {
    for (Index k : {0, 7, 800}) {
      const Index n = 90;
      const auto a = numbers<float>(m * k, 1), b = numbers<float>(k * n, 2), bias = numbers<float>(n, 3);
      std::vector<float> c(static_cast<std::size_t>(m * n));
      GemmArgs<float> g{
          .m = m, .n = n, .k = k, .a = a.data(), .a_row = k, .b = b.data(), .b_row = 1, .b_col = k};
      g.c = c.data();
      g.c_row = n;
      const cpu::PackedB<float> packed(k, n, b.data(), 1, k);
      cpu::gemm(g, packed, cpu::AddBias<float>{bias.data()});
      check_product(g, c.data(), bias.data());
      g.n = n - 1;
      CHECK_THROWS_AS(cpu::gemm(g, packed), ShapeError);
    }
  }
}

TEST_CASE_TEMPLATE("operands stored in half precision are multiplied as floats", S, bf16, f16) {
  const Index shapes[][3] = {{1, 40, 30}, {17, 19, 500}, {200, 100, 400}, {30, 20, 9000}};
  for (const auto& [m, n, k] : shapes) {
    for (int layout = 0; layout < 4; ++layout) {
      std::vector<S> a, b;
      std::vector<float> fa, fb;
      for (float x : numbers<float>(m * k, 1)) a.push_back(S(x)), fa.push_back(float(a.back()));
      for (float x : numbers<float>(k * n, 2)) b.push_back(S(x)), fb.push_back(float(b.back()));
      std::vector<float> c(static_cast<std::size_t>(m * n));
      GemmArgs<float, S> g{.m = m, .n = n, .k = k, .a = a.data(), .b = b.data(), .c = c.data(), .c_row = n};
      layout & 1 ? (g.a_row = 1, g.a_col = m) : (g.a_row = k, g.a_col = 1);
      layout & 2 ? (g.b_row = 1, g.b_col = k) : (g.b_row = n, g.b_col = 1);
      cpu::gemm(g);
      GemmArgs<float> f{.m = m, .n = n, .k = k, .a = fa.data(), .a_row = g.a_row, .a_col = g.a_col};
      f.b = fb.data();
      f.b_row = g.b_row;
      f.b_col = g.b_col;
      f.c = c.data();
      f.c_row = n;
      check_product(f, c.data());
    }
  }
}

TEST_CASE("bad arguments are errors") {
  GemmArgs<float> g;
  g.m = -1;
  CHECK_THROWS_AS(cpu::gemm(g), Error);
  g = {};
  g.m = g.n = g.k = 2;
  g.segments = 2;
  CHECK_THROWS_AS(cpu::gemm(g), Error);
}
