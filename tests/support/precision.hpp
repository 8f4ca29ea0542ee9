#pragma once
/// @file precision.hpp
/// bf16 and f16 against float, for a device given as a template argument. Bounds are counted beforehand: a
/// result that passes n roundings is wrong by n units of rounding of its size.

#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "tmor/autograd/backward.hpp"
#include "tmor/losses/contrastive.hpp"
#include "tmor/models/skeleton/encoder.hpp"
#include "tmor/nn/twin.hpp"
#include "tmor/ops/attention.hpp"
#include "tmor/ops/device.hpp"

namespace test {

using namespace tmor;

/// Rounding to nearest changes a number by at most so much of itself.
template <class T> inline constexpr double kRounding = std::is_same_v<T, bf16> ? 0x1p-8 : 0x1p-11;

/// Tensors of the same device, that have numbers of type `T` in them.
template <class D> using Inputs = std::vector<Tensor<float, D>>;

template <class T, class D> Inputs<D> random_inputs(const std::vector<Shape>& shapes) {
  Rng rng(11);
  Inputs<D> in;
  for (const Shape& s : shapes) in.push_back(to<float>(to<T>(normal<float, D>(rng, s))));
  return in;
}
template <class D> Inputs<D> magnitudes(const Inputs<D>& in) {
  Inputs<D> out;
  for (const auto& x : in) out.push_back(abs(x));
  return out;
}

/// op(x...) and the gradients of its inputs for the last of `in` as that of the result, all as floats.
template <class T, class D, class Op>
std::vector<std::vector<float>> all_results(Op op, const Inputs<D>& in) {
  std::vector<Tensor<T, D>> x;
  for (std::size_t i = 0; i + 1 < in.size(); ++i) x.push_back(to<T>(in[i]).detach().requires_grad_());
  const auto y = op(x);
  backward(y, to<typename std::remove_cvref_t<decltype(y)>::value_type>(in.back()));
  std::vector<std::vector<float>> out{to<float>(y).to_vector()};
  for (const auto& t : x) out.push_back(to<float>(t.grad()).to_vector());
  return out;
}

/// Values and gradients of an operation that is a sum of products of its inputs: each is wrong by at most
/// `value` and `grad` units of rounding of the same sum over magnitudes. `shapes`: of the inputs, then of the
/// result.
template <class T, class D, class Op>
void check_products(const char* name, const std::vector<Shape>& shapes, Op op, int value, int grad) {
  CAPTURE(name);
  const auto in = random_inputs<T, D>(shapes);
  const auto got = all_results<T>(op, in), want = all_results<float>(op, in),
             size = all_results<float>(op, magnitudes(in));
  for (std::size_t k = 0; k < want.size(); ++k) {
    CAPTURE(k);
    // Powers of 1 + u, and float's own rounding, which does not depend on T.
    const double units = std::expm1((k == 0 ? value : grad) * std::log1p(kRounding<T>)) + 1e-5;
    bool rounded = false;
    for (std::size_t i = 0; i < want[k].size(); ++i) {
      CAPTURE(i);
      const double error = std::fabs(static_cast<double>(got[k][i]) - static_cast<double>(want[k][i]));
      REQUIRE(error <= units * static_cast<double>(size[k][i]));
      rounded |= error > 0;
    }
    CHECK(rounded);  // it was computed in T
  }
}

/// The same for other operations, whose arithmetic is in float inside: by so many units of the largest value.
template <class T, class D, class Op>
void check_largest(const char* name, const std::vector<Shape>& shapes, Op op, int value, int grad) {
  CAPTURE(name);
  const auto in = random_inputs<T, D>(shapes);
  const auto got = all_results<T>(op, in), want = all_results<float>(op, in);
  for (std::size_t k = 0; k < want.size(); ++k) {
    CAPTURE(k);
    double largest = 0, error = 0;
    for (std::size_t i = 0; i < want[k].size(); ++i) {
      largest = std::fmax(largest, std::fabs(static_cast<double>(want[k][i])));
      error = std::fmax(error, std::fabs(static_cast<double>(got[k][i]) - static_cast<double>(want[k][i])));
    }
    CHECK(error <= ((k == 0 ? value : grad) * kRounding<T> + 1e-5) * largest);
  }
}

/// Every operation that skeleton encoders are made of.
template <class T, class D> void check_operations() {
  // One rounding, of the result, where the sum is in float.
  check_products<T, D>(
      "matmul", {{3, 7, 20}, {20, 9}, {3, 7, 9}}, [](const auto& x) { return matmul(x[0], x[1]); }, 1, 1);
  check_products<T, D>(
      "linear", {{7, 20}, {9, 20}, {9}, {7, 9}}, [](const auto& x) { return linear(x[0], x[1], x[2]); }, 1,
      1);
  check_products<T, D>(
      "conv_time", {{2, 9, 5, 7}, {3, 7, 6}, {6}, {2, 5, 5, 6}},
      [](const auto& x) { return conv_time(x[0], x[1], {.stride = 2, .pad = 1}, x[2]); }, 2,
      1);  // a bias that is added to a rounded result
  // On a GPU the mixed features, and their gradients, are rounded too.
  check_products<T, D>(
      "joint_mix", {{2, 4, 5, 7}, {3, 5, 5}, {3, 7, 9}, {5, 9}, {2, 4, 5, 9}},
      [](const auto& x) { return joint_mix(x[0], x[1], x[2], x[3]); }, 3, 2);
  check_products<T, D>(
      "joint_mix, a matrix a sample", {{2, 4, 5, 7}, {2, 3, 5, 5}, {3, 7, 9}, {2, 4, 5, 9}},
      [](const auto& x) { return joint_mix(x[0], x[1], x[2]); }, 2, 2);
  // Queries, keys, their product, the scale; backward also the gradients of queries and keys.
  check_products<T, D>(
      "joint_scores", {{2, 6, 5, 7}, {12, 7}, {12}, {2, 2, 5, 5}},
      [](const auto& x) { return joint_scores(x[0], x[1], x[2], 2, 0.3); }, 4, 5);
  check_products<T, D>(
      "mean", {{4, 6, 5}, {4, 5}}, [](const auto& x) { return mean(x[0], {1}); }, 1, 1);

  check_largest<T, D>(
      "batch_norm_relu", {{30, 6}, {30, 6}, {30, 6}},
      [](const auto& x) {
        using P = std::remove_cvref_t<decltype(to<float>(x[0]))>;
        return batch_norm_relu(x[0], x[1], P::full({6}, 1.5f), P::full({6}, 0.25f), {}, {}, true);
      },
      1, 1);
  check_largest<T, D>(
      "layer_norm", {{9, 20}, {9, 20}}, [](const auto& x) { return layer_norm(x[0]); }, 1, 1);
  // Backward reads the rounded result, twice.
  check_largest<T, D>(
      "softmax", {{9, 20}, {9, 20}}, [](const auto& x) { return softmax(x[0]); }, 1, 3);
  // Tensor cores round weights, too: cases/attention_half_cases.cpp has the bounds of that, element by
  // element.
  if constexpr (D::host_memory)
    check_largest<T, D>(
        "attention", {{2, 2, 6, 8}, {2, 2, 7, 8}, {2, 2, 7, 8}, {2, 2, 6, 8}},
        [](const auto& x) { return attention(x[0], x[1], x[2]); }, 1, 1);
  check_largest<T, D>(
      "max_pool_time", {{2, 8, 3, 4}, {2, 4, 3, 4}},
      [](const auto& x) { return max_pool_time(x[0], {.kernel = 3, .stride = 2, .pad = 1}); }, 0, 1);
}

/// Weights in float beside activations of `T`: their gradients are float's, of sums that nobody rounded.
template <class T, class D> void check_weight_gradients() {
  Rng rng(7);
  const auto x = to<T>(normal<float, D>(rng, {3, 30, 20})), dy = to<T>(normal<float, D>(rng, {3, 30, 9}));
  const auto w = normal<float, D>(rng, {9, 20}), b = normal<float, D>(rng, {9});
  const auto grads = [&](const auto& in, const auto& from_above, bool rounded) {
    const auto p = (rounded ? to<float>(to<T>(w)) : w).detach().requires_grad_(),
               q = (rounded ? to<float>(to<T>(b)) : b).detach().requires_grad_();
    const auto y = linear(in, p, q);
    backward(y, from_above);
    return std::vector{to<float>(y).to_vector(), p.grad().to_vector(), q.grad().to_vector()};
  };
  const auto got = grads(x, dy, false), want = grads(to<float>(x), to<float>(dy), true),
             size = grads(abs(to<float>(x)), abs(to<float>(dy)), true);
  for (std::size_t k = 0; k < 3; ++k) {
    CAPTURE(k);
    bool finer = false;
    for (std::size_t i = 0; i < want[k].size(); ++i) {
      const double error = std::fabs(static_cast<double>(got[k][i]) - static_cast<double>(want[k][i]));
      // The result is rounded once; a gradient is float's sum of 90 products.
      if (k == 0) {
        REQUIRE(error <= kRounding<T> * std::fabs(static_cast<double>(want[k][i])) + 1e-5);
      } else {
        REQUIRE(error <= 90 * 0x1p-24 * static_cast<double>(size[k][i]));
      }
      finer |= got[k][i] != static_cast<float>(T(got[k][i]));
    }
    CHECK(finer == (k > 0));
  }
}

/// Contrast of float embeddings with factors of `T`, against the same with factors of float of what they are
/// rounded to: logits differ by float's rounding alone, and gradients by that of the slopes, which are
/// rounded to `T` once where the device multiplies in it. Slopes n dS of size s are wrong by u s + u0, u0
/// where f16 ends; they are seen in the gradient of columns that b has besides, those of the identity, where
/// a has zeros.
template <class T, class D, class Loss> void check_contrast(const char* name, Index n, const Loss& loss) {
  CAPTURE(name);
  constexpr Index dim = 24;
  constexpr double u0 = std::is_same_v<T, f16> ? 0x1p-25 : 0;
  Rng rng(9);
  const auto a = to<float>(to<T>(l2_normalize(normal<float, D>(rng, {n, dim})))),
             b = to<float>(to<T>(l2_normalize(normal<float, D>(rng, {n, dim}))));
  const float log_scale = 2.5f;
  const auto results = [&]<class Factor>(Factor, Tensor<float, D> x, Tensor<float, D> z) {
    x = x.detach().requires_grad_();
    z = z.detach().requires_grad_();
    const auto s = Tensor<float, D>::scalar(log_scale).requires_grad_();
    const auto y = loss(Factor(), x, z, s);
    backward(y);
    return std::vector{y.detach(), x.grad(), z.grad(), s.grad()};
  };
  const auto got = results(T(), a, b), want = results(float(), a, b);
  std::vector<float> identity(static_cast<std::size_t>(n * n));
  for (Index i = 0; i < n; ++i) identity[static_cast<std::size_t>(i * n + i)] = 1;
  const auto ds = abs(narrow(results(float(), concat({a, Tensor<float, D>::zeros({n, n})}, 1),
                                     concat({b, Tensor<float, D>::from(identity, {n, n})}, 1))[1],
                             1, dim, n)) *
                      kRounding<T> +
                  u0 * std::exp(static_cast<double>(log_scale)) / static_cast<double>(n);
  const auto da = matmul(ds, abs(b)), db = matmul(transpose(ds, 0, 1), abs(a));
  const std::vector bounds{Tensor<float, D>::scalar(0), da, db, sum(abs(a) * da)};
  for (std::size_t k = 0; k < 4; ++k) {
    CAPTURE(k);
    const auto x = got[k].to_vector(), y = want[k].to_vector(), most = bounds[k].to_vector();
    double rounded = 0, largest = 0;
    for (const float v : y) largest = std::fmax(largest, std::fabs(static_cast<double>(v)));
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double error = std::fabs(static_cast<double>(x[i]) - static_cast<double>(y[i]));
      REQUIRE(error <= static_cast<double>(most[i]) + 2e-6 * std::fmax(1.0, largest));
      rounded = std::fmax(rounded, error);
    }
    if (k == 1 || k == 2) CHECK((rounded > 1e-2 * kRounding<T> * largest) == !D::host_memory);
  }
}

/// InfoNCE and SigLIP of all kinds of pairs, in one block and in several.
template <class T, class D> void check_contrasts() {
  constexpr Index n = 37;
  std::vector<Index> groups, kinds;
  const auto hidden = std::make_unique<bool[]>(n * n);
  for (Index i = 0; i < n; ++i) {
    groups.push_back(i * i % 11);
    kinds.push_back(i % 4 - 1);
    for (Index j = 0; j < n; ++j) hidden[static_cast<std::size_t>(i * n + j)] = (i + 2 * j) % 5 == 0;
  }
  const auto ids = Tensor<Index, D>::from(groups), kind = Tensor<Index, D>::from(kinds);
  const auto ignore = Tensor<bool, D>::from_pointer(hidden.get(), {n, n});
  for (const Index rows : {0, 10}) {
    CAPTURE(rows);
    const tmor::detail::Restore<Index> forced(tmor::detail::forced_pair_rows(), rows);
    const auto nce = [&](const char* name, auto... pairs) {
      check_contrast<T, D>(name, n, [&]<class F>(F, const auto& a, const auto& b, const auto& s) {
        return info_nce<float, D, F>(a, b, s, pairs...);
      });
    };
    nce("info_nce");
    nce("info_nce of groups", ids);
    nce("info_nce, some ignored", ids, ignore);
    nce("info_nce of kinds", ids, Tensor<bool, D>(), kind);
    check_contrast<T, D>("siglip", n, [&]<class F>(F, const auto& a, const auto& b, const auto& s) {
      return siglip<float, D, F>(a, b, s, Tensor<float, D>::scalar(-2), ids, ignore, kind);
    });
    check_contrast<T, D>("loss::info_nce", n, [&]<class F>(F, const auto& a, const auto& b, const auto& s) {
      return info_nce<float, D, F>(a, b, s, ids) * 2 + siglip<float, D, F>(a, b, s, s * -1.0);
    });
  }
}

/// A small encoder of each kind.
inline models::SkeletonConfig small_encoder(Index kind) {
  models::SkeletonConfig c;
  choose(c, kind);
  std::visit(
      [](auto& x) {
        x.joints = 5;
        x.in_channels = 3;
        x.embed = 16;
        if constexpr (requires { x.stages; }) x.stages = {{16}, {24, 2}};
        if constexpr (requires { x.parents; }) x.parents = {0, 0, 1, 1, 3};
        if constexpr (requires { x.depth; }) x.dim = 16, x.depth = 1, x.heads = 2, x.frames_per_token = 2;
      },
      c);
  return c;
}

inline double length(const std::vector<float>& v) {
  double s = 0;
  for (const float x : v) s += static_cast<double>(x) * static_cast<double>(x);
  return std::sqrt(s);
}
inline double distance(std::vector<float> a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return length(a);
}

/// An encoder of kind `kind` with activations `T`: its embedding, and the gradients of all its parameters.
///
/// The longest way through two blocks and the head passes some 24 roundings (of Unik: weights, queries, keys,
/// scores, softmax, mixing, product, norm, convolution, norm and residual a block; means, pooling and
/// projection), and back as many again. Norms keep an error's share of what they normalise, so results are
/// wrong by at most 24 units and the whole gradient by 48; each parameter's too, but for what cancels (biases
/// before a norm, whose true gradient is zero), wrong by a unit of the whole. Where there is relu, of values
/// wrong by a share e about a share e is on the other side of zero: the whole gradient's length is then wrong
/// by a share sqrt(e) besides, and how this falls on its parameters is chance.
template <class T, class D> void check_encoder(Index kind) {
  CAPTURE(kind);
  constexpr double u = kRounding<T>;
  Rng rng(5);
  const models::SkeletonEncoder<float, D> net(rng, small_encoder(kind));
  const auto half = to<T>(net);
  static_assert(std::is_same_v<decltype(half), const models::SkeletonEncoder<T, D>>);
  const auto x = normal<float, D>(rng, {4, 1, 8, 5, 3}, 3.0, 1.0);
  const auto dy = normal<float, D>(rng, {4, 16});
  const auto params = parameters<float, D>(net);
  const auto run = [&](const auto& encoder) {
    clear_grads<float, D>(net);
    const auto y = encoder(x, Context{true}).embed;
    backward(sum(to<float>(y) * dy));
    std::vector<std::vector<float>> out{to<float>(y).to_vector()};
    for (const auto& p : params) out.push_back(p.tensor.grad().to_vector());
    return out;
  };
  const auto want = run(net), got = run(half);
  const double off = distance(got[0], want[0]) / length(want[0]);
  CHECK(off <= 24 * u);
  CHECK(off > u / 8);                                                 // it was computed in T
  const double share = 48 * u + (kind == 3 ? 0 : std::sqrt(24 * u));  // DSTformer has gelu
  double whole = 0;
  for (std::size_t i = 0; i < params.size(); ++i) whole = std::hypot(whole, length(want[i + 1]));
  double error = 0;
  for (std::size_t i = 0; i < params.size(); ++i) {
    CAPTURE(params[i].name);
    const double e = distance(got[i + 1], want[i + 1]);
    if (kind == 3) CHECK(e <= share * length(want[i + 1]) + u * whole);
    error = std::hypot(error, e);
  }
  CHECK(error <= share * whole);
  MESSAGE(std::string(dtype_name(dtype_of<T>)), ": the embedding is off by ", off / u,
          " units of rounding, gradients by ", error / whole / u);
}

}  // namespace test
