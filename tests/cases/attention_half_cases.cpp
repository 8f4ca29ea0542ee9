// Attention of bf16 and f16, which on Cuda is done on tensor cores: values and gradients at sizes that
// straddle its tiles, against the definition in double, within bounds made of the roundings that are meant to
// be there.
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "support/numbers.hpp"
#include "tmor/autograd/backward.hpp"
#include "tmor/ops/attention.hpp"
#include "tmor/ops/device.hpp"
#include "tmor/ops/views.hpp"
#ifdef TMOR_CUDA_EMULATED
#include "tmor/cuda/cuda.cuh"
#endif

using tmor::bf16;
using tmor::f16;
using tmor::Index;
using tmor::Shape;
using tmor::Tensor;

namespace {

struct Rules {
  bool causal = false, lengths = false, mask = false, bias = false;
  bool heads_inside = false;  ///< memory is (batch, rows, heads, columns)
};
struct Case {
  Index batch, heads, queries, keys, dim, width;
  Rules is = {};
};

/// (batch, heads, rows, columns) of double.
struct Grid {
  Index heads, rows, columns;
  std::vector<double> v;
  Grid(const Case& c, Index r, Index n)
      : heads(c.heads), rows(r), columns(n), v(static_cast<std::size_t>(c.batch * c.heads * r * n)) {}
  double& at(Index bh, Index i, Index d) {
    return v[static_cast<std::size_t>((bh * rows + i) * columns + d)];
  }
  double at(Index bh, Index i, Index d) const {
    return v[static_cast<std::size_t>((bh * rows + i) * columns + d)];
  }
};
template <class T> Grid rounded(const Case& c, Index rows, Index columns, std::uint64_t seed) {
  Grid g(c, rows, columns);
  const auto x = support::numbers<float>(static_cast<Index>(g.v.size()), seed);
  for (std::size_t i = 0; i < x.size(); ++i) g.v[i] = static_cast<double>(static_cast<float>(T(2 * x[i])));
  return g;
}

bool masked(Index i, Index j) { return (7 * i + 3 * j) % 5 == 0; }
float bias_of(Index h, Index i, Index j) {
  return (i + 2 * j) % 11 == 3 ? -INFINITY : static_cast<float>((3 * h + i + j) % 7) / 4 - 1;
}
Index length_of(const Case& c, Index b) { return b == 0 ? c.keys - c.keys / 3 : 0; }
bool sees(const Case& c, Index bh, Index i, Index j) {
  return !(c.is.causal && j > i + c.keys - c.queries) && !(c.is.lengths && j >= length_of(c, bh / c.heads)) &&
         !(c.is.mask && masked(i, j)) && !(c.is.bias && bias_of(bh % c.heads, i, j) == -INFINITY);
}

/// A result and how far from it one may be.
struct Bounded {
  Grid value, error;
  Bounded(const Case& c, Index rows, Index columns) : value(c, rows, columns), error(c, rows, columns) {}
};

/// The definition, and its bounds. With u the unit roundoff of T: weights are rounded where they multiply
/// values (u of each; of f16 below 2^-14 no better than 2^-25), and so are the scores' gradients where they
/// multiply q and k; y, dq, dk and dv are rounded when stored; sum(y dy) is made of the stored y. Everything
/// else is float: a score errs by (dim + 4) 2^-24 of the sum of its products' sizes, its power of e by that
/// and 2^-20 for the exponential, its argument's rounding (below 50) and the sum; sums of n terms by n 2^-24
/// of the terms' sizes.
template <class T> struct Reference {
  Bounded y, dq, dk, dv;

  Reference(const Case& c, const Grid& q, const Grid& k, const Grid& v, const Grid& dy)
      : y(c, c.queries, c.width), dq(c, c.queries, c.dim), dk(c, c.keys, c.dim), dv(c, c.keys, c.width) {
    constexpr double u = std::is_same_v<T, bf16> ? 0x1p-8 : 0x1p-11, least = 0x1p-25, e = 0x1p-24;
    const double scale = static_cast<double>(static_cast<float>(1 / std::sqrt(static_cast<double>(c.dim))));
    const auto n = static_cast<std::size_t>(c.keys);
    for (Index bh = 0; bh < c.batch * c.heads; ++bh)
      for (Index i = 0; i < c.queries; ++i) {
        std::vector<double> p(n), off(n);  // weights and their relative errors
        double top = -INFINITY, sum = 0, off_sum = 0;
        for (Index j = 0; j < c.keys; ++j) {
          double& s = p[static_cast<std::size_t>(j)];
          double size = 0;
          for (Index d = 0; d < c.dim; ++d) {
            s += q.at(bh, i, d) * k.at(bh, j, d);
            size += std::fabs(q.at(bh, i, d) * k.at(bh, j, d));
          }
          s = sees(c, bh, i, j)
                  ? s * scale + (c.is.bias ? static_cast<double>(bias_of(bh % c.heads, i, j)) : 0)
                  : -INFINITY;
          off[static_cast<std::size_t>(j)] =
              (static_cast<double>(c.dim) + 4) * e * (size * scale + 2) + 0x1p-20;
          top = std::fmax(top, s);
        }
        if (top == -INFINITY) continue;  // zeros, exactly
        for (double& s : p) sum += s = std::exp(s - top);
        for (std::size_t j = 0; j < n; ++j) {
          p[j] /= sum;
          off_sum += p[j] * off[j];
        }
        for (double& o : off) o = 1.01 * (o + off_sum);
        const double sums = (static_cast<double>(c.keys) + 16) * e;  // of rounding in a sum over keys
        double delta = 0, off_delta = 0;
        for (Index d = 0; d < c.width; ++d) {
          double value = 0, error = 0;
          for (std::size_t j = 0; j < n; ++j) {
            const double x = v.at(bh, static_cast<Index>(j), d);
            value += p[j] * x;
            if (p[j] > 0) error += (p[j] * (u + off[j] + sums) + least) * std::fabs(x);
          }
          error += u * (std::fabs(value) + error) + least;
          y.value.at(bh, i, d) = value;
          y.error.at(bh, i, d) = error;
          delta += value * dy.at(bh, i, d);
          off_delta +=
              (error + static_cast<double>(c.width) * e * std::fabs(value)) * std::fabs(dy.at(bh, i, d));
        }
        for (Index j = 0; j < c.keys; ++j) {
          const double w = p[static_cast<std::size_t>(j)], o = off[static_cast<std::size_t>(j)];
          if (w == 0) continue;
          double dw = 0, size = 0;
          for (Index d = 0; d < c.width; ++d) {
            const double term = v.at(bh, j, d) * dy.at(bh, i, d);
            dw += term;
            size += std::fabs(term);
          }
          const double ds = w * (dw - delta);
          const double ds_error = w * (1 + o) * (static_cast<double>(c.width + 2) * e * size + off_delta) +
                                  (o + u) * std::fabs(ds) + least;
          const double more = (static_cast<double>(c.keys + c.queries) + 16) * e;
          for (Index d = 0; d < c.dim; ++d) {
            dq.value.at(bh, i, d) += scale * ds * k.at(bh, j, d);
            dk.value.at(bh, j, d) += scale * ds * q.at(bh, i, d);
            dq.error.at(bh, i, d) += scale * (ds_error + more * std::fabs(ds)) * std::fabs(k.at(bh, j, d));
            dk.error.at(bh, j, d) += scale * (ds_error + more * std::fabs(ds)) * std::fabs(q.at(bh, i, d));
          }
          for (Index d = 0; d < c.width; ++d) {
            dv.value.at(bh, j, d) += w * dy.at(bh, i, d);
            dv.error.at(bh, j, d) += (w * (u + o + more) + least) * std::fabs(dy.at(bh, i, d));
          }
        }
      }
    for (Bounded* b : {&dq, &dk, &dv})
      for (std::size_t i = 0; i < b->value.v.size(); ++i)
        b->error.v[i] += u * (std::fabs(b->value.v[i]) + b->error.v[i]) + least;
  }
};

template <class Device, class T> Tensor<T, Device> tensor_of(const Case& c, const Grid& g) {
  const Shape shape{c.batch, c.heads, g.rows, g.columns};
  std::vector<T> v;
  for (const double x : g.v) v.push_back(static_cast<float>(x));
  const auto t = Tensor<T, Device>::from(v, shape);
  if (!c.is.heads_inside) return t;
  return tmor::transpose(tmor::contiguous(tmor::transpose(t, 1, 2)), 1, 2);
}
template <class Device> tmor::AttentionOptions<Device> options_of(const Case& c) {
  tmor::AttentionOptions<Device> o;
  o.causal = c.is.causal;
  if (c.is.lengths) {
    std::vector<std::int64_t> n;
    for (Index b = 0; b < c.batch; ++b) n.push_back(length_of(c, b));
    o.key_lengths = Tensor<std::int64_t, Device>::from(n);
  }
  if (c.is.mask) {
    std::vector<int> m;
    for (Index i = 0; i < c.queries; ++i)
      for (Index j = 0; j < c.keys; ++j) m.push_back(!masked(i, j));
    o.mask = tmor::to<Device>(equal(Tensor<int>::from(m, {c.queries, c.keys}), Tensor<int>::scalar(1)));
  }
  if (c.is.bias) {
    std::vector<float> m;
    for (Index h = 0; h < c.heads; ++h)
      for (Index i = 0; i < c.queries; ++i)
        for (Index j = 0; j < c.keys; ++j) m.push_back(bias_of(h, i, j));
    o.bias = Tensor<float, Device>::from(m, {c.heads, c.queries, c.keys});
  }
  return o;
}

template <class T, class Device>
void check_near(const char* what, const Tensor<T, Device>& t, const Bounded& want) {
  const auto got = t.to_vector();
  REQUIRE(got.size() == want.value.v.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double x = static_cast<double>(static_cast<float>(got[i]));
    if (std::fabs(x - want.value.v[i]) <= want.error.v[i]) continue;
    FAIL_CHECK(what, ": element ", i, " is ", x, " instead of ", want.value.v[i], " +- ", want.error.v[i]);
    return;
  }
}

template <class T, class Device> void check_case(const Case& c) {
  CAPTURE(c.queries);
  CAPTURE(c.keys);
  CAPTURE(c.dim);
  CAPTURE(c.width);
  CAPTURE(c.is.causal);
  CAPTURE(c.is.lengths);
  const Grid q = rounded<T>(c, c.queries, c.dim, 1), k = rounded<T>(c, c.keys, c.dim, 2),
             v = rounded<T>(c, c.keys, c.width, 3), dy = rounded<T>(c, c.queries, c.width, 4);
  const Reference<T> want(c, q, k, v, dy);
  const auto tq = tensor_of<Device, T>(c, q).requires_grad_(),
             tk = tensor_of<Device, T>(c, k).requires_grad_(),
             tv = tensor_of<Device, T>(c, v).requires_grad_();
  const auto y = attention(tq, tk, tv, options_of<Device>(c));
  check_near("y", y, want.y);
  backward(y, tensor_of<Device, T>(c, dy));
  check_near("dq", tq.grad(), want.dq);
  check_near("dk", tk.grad(), want.dk);
  check_near("dv", tv.grad(), want.dv);
}

// Tiles have 64 queries, and 64 or 32 keys; their columns are 64 or 128, in steps of 16. Rows of 13 or 20
// columns do not start at multiples of 16 bytes.
const std::vector<Case> kCases = {
    {1, 1, 1, 1, 8, 8},
    {2, 2, 63, 65, 16, 16, {.causal = true}},
    {1, 2, 64, 64, 64, 64, {.heads_inside = true}},
    {2, 1, 65, 130, 24, 40, {.lengths = true}},
    {1, 1, 130, 63, 80, 80, {.causal = true, .bias = true}},
    {1, 1, 130, 130, 128, 128, {.causal = true}},
    {1, 2, 1, 130, 64, 8, {.mask = true}},
    {2, 2, 65, 64, 8, 128, {.lengths = true, .mask = true, .bias = true, .heads_inside = true}},
    {1, 2, 17, 33, 20, 13, {.mask = true}},
    {1, 1, 64, 1, 16, 24},
    {1, 1, 3, 0, 16, 8},
    {1, 1, 0, 70, 16, 8},
};

}  // namespace

TEST_CASE_TEMPLATE("attention of two-byte numbers, within the bounds of its roundings", T, bf16, f16) {
  for (const Case& c : kCases) check_case<T, tmor::Cpu>(c);
#ifdef TMOR_CUDA_EMULATED
  auto& machine = tmor::emu::Machine::instance();
  for (const Case& c : kCases) {
    const auto before = machine.met(tmor::emu::Op::mma);
    check_case<T, tmor::Cuda>(c);
    tmor::synchronize_cuda();
    CHECK((machine.met(tmor::emu::Op::mma) > before) == (c.queries > 0 && c.keys > 0));
  }
  // Too many columns for tiles: by way of float.
  const auto before = machine.met(tmor::emu::Op::mma);
  check_case<T, tmor::Cuda>({1, 2, 9, 40, 136, 8, {.causal = true, .bias = true}});
  CHECK(machine.met(tmor::emu::Op::mma) == before);
#endif
}

#ifdef TMOR_CUDA_EMULATED
TEST_CASE("attention on Cuda: the lowest number hides a key as -infinity does") {
  using tmor::Cuda;
  const auto check = [](auto zero) {
    using T = decltype(zero);
    const auto x = Tensor<T, Cuda>::full({1, 1, 3, 8}, T(1.0f));
    tmor::AttentionOptions<Cuda> o;
    o.bias = Tensor<float, Cuda>::full({3, 3}, std::numeric_limits<float>::lowest());
    for (const T v : attention(x, x, x, o).to_vector()) CHECK(static_cast<float>(v) == 0.0f);
  };
  check(0.0f);
  check(bf16(0.0f));
}
#endif
