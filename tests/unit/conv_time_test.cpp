#include "tmor/cpu/conv_time.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "support/numbers.hpp"

using namespace tmor;
using support::numbers;
using support::Threads;
using tmor::cpu::ConvTime;

namespace {

/// Calls f(index in x, index in w, index in y) for every product of the convolution, straight from its
/// definition.
template <class F> void each_product(const ConvTime& s, F&& f) {
  for (Index n = 0; n < s.n; ++n) {
    for (Index t = 0; t < s.t_out(); ++t) {
      for (Index tap = 0; tap < s.taps; ++tap) {
        const Index from = t * s.stride + tap * s.dilation - s.pad;
        if (from < 0 || from >= s.t) continue;
        for (Index v = 0; v < s.v; ++v) {
          for (Index i = 0; i < s.c_in; ++i) {
            for (Index o = 0; o < s.c_out; ++o) {
              f(((n * s.t + from) * s.v + v) * s.c_in + i, (tap * s.c_in + i) * s.c_out + o,
                ((n * s.t_out() + t) * s.v + v) * s.c_out + o);
            }
          }
        }
      }
    }
  }
}

/// Sums in double with the sum of magnitudes and the count of terms, for the bound (terms + 2) eps sum |a b|.
struct Expected {
  std::vector<double> sum, size, terms;
  explicit Expected(std::size_t n) : sum(n), size(n), terms(n) {}
  void add(Index at, double x) {
    const auto i = static_cast<std::size_t>(at);
    sum[i] += x;
    size[i] += std::fabs(x);
    terms[i] += 1;
  }
  template <class T> Index wrong(const std::vector<T>& got) const {
    Index bad = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double bound = (terms[i] + 2) * double(std::numeric_limits<T>::epsilon()) * size[i];
      if (!(std::fabs(double(got[i]) - sum[i]) <= bound)) ++bad;
    }
    return bad;
  }
};

template <class T> void check(const ConvTime& s) {
  CAPTURE(s.t);
  CAPTURE(s.taps);
  CAPTURE(s.stride);
  CAPTURE(s.dilation);
  CAPTURE(s.pad);
  const auto x = numbers<T>(s.n * s.t * s.v * s.c_in, 1), w = numbers<T>(s.taps * s.c_in * s.c_out, 2);
  const auto dy = numbers<T>(s.n * s.t_out() * s.v * s.c_out, 3);
  const T nan = std::numeric_limits<T>::quiet_NaN();  // outputs must be written, not added to
  std::vector<T> y(dy.size(), nan), dx(x.size(), nan), dw(w.size(), nan);
  cpu::conv_time(s, x.data(), w.data(), y.data());
  cpu::conv_time_grad_input(s, dy.data(), w.data(), dx.data());
  cpu::conv_time_grad_weight(s, x.data(), dy.data(), dw.data());
  Expected ey(y.size()), ex(x.size()), ew(w.size());
  const auto at = [](const std::vector<T>& v, Index i) { return double(v[static_cast<std::size_t>(i)]); };
  each_product(s, [&](Index xi, Index wi, Index yi) {
    ey.add(yi, at(x, xi) * at(w, wi));
    ex.add(xi, at(dy, yi) * at(w, wi));
    ew.add(wi, at(x, xi) * at(dy, yi));
  });
  CHECK(ey.wrong(y) == 0);
  CHECK(ex.wrong(dx) == 0);
  CHECK(ew.wrong(dw) == 0);
  // Accumulating: the same once more on top of half of what is there.
  const auto dx1 = dx, dw1 = dw;
  cpu::conv_time_grad_input(s, dy.data(), w.data(), dx.data(), T(0.5));
  cpu::conv_time_grad_weight(s, x.data(), dy.data(), dw.data(), T(0.5));
  for (std::size_t i = 0; i < dx.size(); ++i) ex.add(static_cast<Index>(i), 0.5 * double(dx1[i]));
  for (std::size_t i = 0; i < dw.size(); ++i) ew.add(static_cast<Index>(i), 0.5 * double(dw1[i]));
  CHECK(ex.wrong(dx) == 0);
  CHECK(ew.wrong(dw) == 0);
}

}  // namespace

TEST_CASE_TEMPLATE("temporal convolution and gradients agree with the definition", T, float, double) {
  for (Index taps : {1, 2, 3, 9}) {
    for (Index stride : {1, 2, 3}) {
      for (Index dilation : {1, 2, 3}) {
        for (Index pad : {0, 1, 4, 11}) {
          for (Index t : {1, 7, 20}) {
            const ConvTime s{.n = 2,
                             .t = t,
                             .v = 3,
                             .c_in = 5,
                             .c_out = 4,
                             .taps = taps,
                             .stride = stride,
                             .dilation = dilation,
                             .pad = pad};
            if (t + 2 * pad < (taps - 1) * dilation + 1) continue;
            check<T>(s);
          }
        }
      }
    }
  }
}

TEST_CASE("wide channels, several blocks, power-of-two rows") {
  check<float>({.n = 2, .t = 40, .v = 17, .c_in = 64, .c_out = 48, .taps = 9, .pad = 4});
  check<float>({.n = 1, .t = 33, .v = 5, .c_in = 256, .c_out = 33, .taps = 5, .stride = 2, .pad = 2});
  check<float>({.n = 3, .t = 8, .v = 2, .c_in = 40, .c_out = 256, .taps = 3, .dilation = 2, .pad = 2});
}

TEST_CASE_TEMPLATE("pairs of frames and three taps at a time", T, float, double) {
  for (Index taps : {3, 6, 9}) {
    for (Index pad : {0, 1, 4, 11}) {
      for (Index t : {9, 16, 21}) {
        const ConvTime s{.n = 2, .t = t, .v = 3, .c_in = 33, .c_out = 32, .taps = taps, .pad = pad};
        if (t + 2 * pad < taps) continue;
        check<T>(s);
      }
    }
  }
  const ConvTime s{.n = 1, .t = 31, .v = 3, .c_in = 40, .c_out = 32, .taps = 9, .pad = 4};
  REQUIRE(cpu::detail::in_pairs(s));
  auto sequence = s;
  sequence.v = 1;
  CHECK_FALSE(cpu::detail::in_pairs(sequence));
  const auto x = numbers<T>(s.t * s.v * s.c_in, 1), w = numbers<T>(s.taps * s.c_in * s.c_out, 2);
  std::vector<T> y(static_cast<std::size_t>(s.t * s.v * s.c_out)), again = y, seen = y;
  cpu::conv_time(s, x.data(), w.data(), y.data());
  const cpu::PackedTaps<T> packed(s, w.data());
  cpu::conv_time(s, x.data(), w.data(), again.data(), {}, &packed);
  CHECK(std::memcmp(y.data(), again.data(), y.size() * sizeof(T)) == 0);
  cpu::conv_time(s, x.data(), w.data(), again.data(), [&](T* c, Index row, Index col, Index count) {
    for (Index j = 0; j < count; ++j) seen[static_cast<std::size_t>(row * s.c_out + col + j)] += c[j];
  });
  CHECK(std::memcmp(y.data(), seen.data(), y.size() * sizeof(T)) == 0);
}

TEST_CASE("empty sizes give zeros or nothing") {
  check<float>({.n = 0, .t = 4, .v = 3, .c_in = 2, .c_out = 2, .taps = 3, .pad = 1});
  check<float>({.n = 2, .t = 4, .v = 0, .c_in = 2, .c_out = 2, .taps = 3, .pad = 1});
  check<float>({.n = 2, .t = 4, .v = 3, .c_in = 0, .c_out = 2, .taps = 3, .pad = 1});
  check<float>({.n = 2, .t = 4, .v = 3, .c_in = 2, .c_out = 0, .taps = 3, .pad = 1});
}

TEST_CASE("the hook of a convolution sees global rows") {
  const ConvTime s{.n = 3, .t = 50, .v = 17, .c_in = 8, .c_out = 40, .taps = 3, .pad = 1};
  const auto x = numbers<float>(s.n * s.t * s.v * s.c_in, 1),
             w = numbers<float>(s.taps * s.c_in * s.c_out, 2);
  std::vector<float> plain(static_cast<std::size_t>(s.n * s.t * s.v * s.c_out)), hooked(plain.size());
  cpu::conv_time(s, x.data(), w.data(), plain.data());
  cpu::conv_time(s, x.data(), w.data(), hooked.data(), [](float* c, Index row, Index col, Index count) {
    for (Index j = 0; j < count; ++j) c[j] = static_cast<float>(row * 40 + col + j);
  });
  Index bad = 0;
  for (std::size_t i = 0; i < hooked.size(); ++i) bad += hooked[i] != static_cast<float>(i);
  CHECK(bad == 0);
}

TEST_CASE("bits of convolutions do not depend on the number of threads") {
  for (Index n : {1, 5}) {
    const ConvTime s{
        .n = n, .t = 60, .v = 17, .c_in = 48, .c_out = 40, .taps = 9, .stride = n == 1 ? 1 : 2, .pad = 4};
    const auto x = numbers<float>(s.n * s.t * s.v * s.c_in, 1),
               w = numbers<float>(s.taps * s.c_in * s.c_out, 2);
    const auto dy = numbers<float>(s.n * s.t_out() * s.v * s.c_out, 3);
    std::vector<float> first;
    for (int threads : {1, 2, 4}) {
      Threads scope(threads);
      std::vector<float> all(dy.size() + x.size() + w.size());
      cpu::conv_time(s, x.data(), w.data(), all.data());
      cpu::conv_time_grad_input(s, dy.data(), w.data(), all.data() + dy.size());
      cpu::conv_time_grad_weight(s, x.data(), dy.data(), all.data() + dy.size() + x.size());
      if (first.empty()) first = all;
      CHECK(std::memcmp(first.data(), all.data(), all.size() * sizeof(float)) == 0);
    }
  }
}

TEST_CASE("sizes that cannot be are errors") {
  const float* none = nullptr;
  float* out = nullptr;
  CHECK_THROWS_AS(cpu::conv_time({.n = 1, .t = 4, .v = 1, .c_in = 1, .c_out = 1, .taps = 9}, none, none, out),
                  ShapeError);
  CHECK_THROWS_AS(
      cpu::conv_time({.n = 1, .t = 4, .v = 1, .c_in = 1, .c_out = 1, .stride = 0}, none, none, out),
      ShapeError);
}
