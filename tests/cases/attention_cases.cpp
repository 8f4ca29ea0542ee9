// Attention: rows of the op table with every kind of rule, long sequences, hidden queries, wrong use.
#include "cases/table.hpp"
#include "tmor/ops/attention.hpp"
#include "tmor/ops/views.hpp"

using namespace table;
using tmor::attention;
using tmor::AttentionOptions;
using Tf = Tensor<float>;
using Ti = Tensor<std::int64_t>;

namespace {

/// y = softmax(scale q k^T + bias) v by the definition; sees(b, h, i, j) says who sees whom.
template <class Sees, class Bias>
Array reference_attention(const Arrays& in, double scale, Sees sees, Bias bias) {
  const Array &q = in[0], &k = in[1], &v = in[2];
  const Index heads = q.shape[1], queries = q.shape[2], dim = q.shape[3], keys = k.shape[2],
              width = v.shape[3];
  Array y({q.shape[0], heads, queries, width});
  for (Index row = 0; row < q.shape[0] * heads * queries; ++row) {
    const Index head = row / queries, i = row % queries, b = head / heads, h = head % heads;
    std::vector<double> w(static_cast<std::size_t>(keys), -INFINITY);
    double top = -INFINITY, sum = 0;
    for (Index j = 0; j < keys; ++j) {
      if (!sees(b, h, i, j)) continue;
      double& s = w[static_cast<std::size_t>(j)] = bias(b, h, i, j);
      for (Index d = 0; d < dim; ++d) s += scale * q[row * dim + d] * k[(head * keys + j) * dim + d];
      top = std::fmax(top, s);
    }
    for (double& s : w) sum += s = s == -INFINITY ? 0 : std::exp(s - top);
    for (Index j = 0; j < keys; ++j)
      for (Index d = 0; d < width && sum > 0; ++d)
        y[row * width + d] += w[static_cast<std::size_t>(j)] / sum * v[(head * keys + j) * width + d];
  }
  return y;
}
constexpr auto kAll = [](Index, Index, Index, Index) { return true; };
constexpr auto kNone = [](Index, Index, Index, Index) { return 0.0; };

template <class F> Tensor<bool> mask_of(const Shape& s, F f) {
  std::vector<int> v;
  for_each_index(s, [&](const Shape& at, Index) { v.push_back(f(at)); });
  return equal(Tensor<int>::from(v, s), Tensor<int>::scalar(1));
}

std::vector<Shape> qkv(Index b, Index h, Index queries, Index keys, Index dim, Index width) {
  return {{b, h, queries, dim}, {b, h, keys, dim}, {b, h, keys, width}};
}

}  // namespace

TEST_CASE("attention: the table") {
  row<3>(
      "attention",
      {qkv(1, 1, 3, 4, 2, 5), qkv(2, 3, 5, 5, 4, 4), qkv(2, 2, 33, 77, 16, 16), qkv(1, 2, 1, 1, 1, 1),
       qkv(0, 2, 3, 3, 2, 2), qkv(1, 2, 0, 3, 2, 2), qkv(1, 1, 2, 0, 2, 3)},
      [](const auto& q, const auto& k, const auto& v) { return attention(q, k, v); },
      [](const Arrays& in) {
        return reference_attention(in, 1 / std::sqrt(static_cast<double>(in[0].shape[3])), kAll, kNone);
      },
      {.tol64 = 1e-12});
  row<3>(
      "attention with a scale", {qkv(2, 1, 3, 4, 2, 5)},
      [](const auto& q, const auto& k, const auto& v) {
        AttentionOptions<device_t<decltype(q)>> o;
        o.scale = 1.7;
        return attention(q, k, v, o);
      },
      [](const Arrays& in) { return reference_attention(in, 1.7, kAll, kNone); }, {.tol64 = 1e-12});
}

TEST_CASE("attention is causal, keys aligned at the end") {
  for (const Index keys : {5, 8, 3}) {
    row<3>(
        "causal attention", {qkv(2, 2, 5, keys, 3, 4)},
        [](const auto& q, const auto& k, const auto& v) {
          AttentionOptions<device_t<decltype(q)>> o;
          o.causal = true, o.scale = 1;
          return attention(q, k, v, o);
        },
        [&](const Arrays& in) {
          return reference_attention(
              in, 1, [&](Index, Index, Index i, Index j) { return j <= i + keys - 5; }, kNone);
        },
        {.tol64 = 1e-12});
  }
}

TEST_CASE("attention with masks, biases and lengths") {
  const auto hides = [](const Shape& at) { return (at[0] * 7 + at[1] * 5 + at[2] * 3 + at[3]) % 4 != 0; };
  for (const Shape& s : {Shape{2, 2, 5, 6}, Shape{2, 1, 1, 6}, Shape{1, 2, 5, 1}}) {
    CAPTURE(s.str());
    const auto mask = mask_of(s, hides);
    const auto index = [&](Index b, Index h, Index i, Index j) {
      return Shape{s[0] > 1 ? b : 0, s[1] > 1 ? h : 0, s[2] > 1 ? i : 0, s[3] > 1 ? j : 0};
    };
    row<3>(
        "masked attention", {qkv(2, 2, 5, 6, 3, 4)},
        [&](const auto& q, const auto& k, const auto& v) {
          AttentionOptions<device_t<decltype(q)>> o;
          o.mask = beside(q, mask), o.scale = 1;
          return attention(q, k, v, o);
        },
        [&](const Arrays& in) {
          return reference_attention(
              in, 1, [&](Index b, Index h, Index i, Index j) { return hides(index(b, h, i, j)); }, kNone);
        },
        {.tol64 = 1e-12});
  }
  std::vector<float> values;
  for (int i = 0; i < 30; ++i) values.push_back(i == 4 ? -INFINITY : static_cast<float>(i % 7) / 4);
  row<3>(
      "attention with bias and lengths", {qkv(2, 2, 5, 6, 3, 4)},
      [&](const auto& q, const auto& k, const auto& v) {
        AttentionOptions<device_t<decltype(q)>> o;
        o.bias = beside(q, Tf::from(values, {5, 6})), o.key_lengths = beside(q, Ti::from({6, 2})),
        o.scale = 1;
        return attention(q, k, v, o);
      },
      [&](const Arrays& in) {
        return reference_attention(
            in, 1, [&](Index b, Index, Index, Index j) { return j < (b == 0 ? 6 : 2); },
            [&](Index, Index, Index i, Index j) {
              return static_cast<double>(values[static_cast<std::size_t>(i * 6 + j)]);
            });
      },
      {.tol64 = 1e-12});
}

TEST_CASE("attention longer than a tile") {
  Options o{.tol64 = 1e-12, .low = -3, .high = 3};
  row<3>(
      "long attention", {qkv(1, 2, 150, 1100, 8, 3)},
      [](const auto& q, const auto& k, const auto& v) { return attention(q, k, v); },
      [](const Arrays& in) { return reference_attention(in, 1 / std::sqrt(8.0), kAll, kNone); }, o);
  const auto even = mask_of({1, 1, 700, 700}, [](const Shape& at) { return (at[2] + at[3]) % 2 == 0; });
  row<3>(
      "long causal masked attention", {qkv(1, 1, 700, 700, 4, 4)},
      [&](const auto& q, const auto& k, const auto& v) {
        AttentionOptions<device_t<decltype(q)>> a;
        a.causal = true, a.mask = beside(q, even), a.scale = 0.5;
        return attention(q, k, v, a);
      },
      [](const Arrays& in) {
        return reference_attention(
            in, 0.5, [](Index, Index, Index i, Index j) { return j <= i && (i + j) % 2 == 0; }, kNone);
      },
      o);
}

TEST_CASE("a query that sees nothing gives zero and passes no gradient") {
  for (const int how : {0, 1, 2, 3}) {
    CAPTURE(how);
    const auto q = Tf::ones({1, 1, 2, 2}).requires_grad_(), k = Tf::ones({1, 1, 3, 2}).requires_grad_(),
               v = Tf::ones({1, 1, 3, 2}).requires_grad_();
    AttentionOptions<> o;
    if (how == 0) o.mask = mask_of({3}, [](const Shape&) { return false; });
    if (how == 1) o.key_lengths = Ti::from({0});
    if (how == 2) o.bias = Tf::full({2, 3}, -INFINITY);
    if (how == 3) o.bias = Tf::full({2, 3}, std::numeric_limits<float>::lowest());
    const auto y = attention(q, k, v, o);
    backward(y, Tf::ones({1, 1, 2, 2}));
    for (const auto& t : {y.detach(), q.grad(), k.grad(), v.grad()})
      for (const float x : t.to_vector()) CHECK(x == 0.0f);
  }
}

TEST_CASE("attention: large scores, bits, half precision") {
  const auto q = Tf::from({1e4f, 0, -1e4f, 0}, {1, 1, 2, 2}), k = Tf::from({1, 0, -1, 0, 0, 1}, {1, 1, 3, 2}),
             v = Tf::from({1, 2, 3}, {1, 1, 3, 1});
  CHECK(attention(q, k, v).to_vector() == std::vector<float>{1, 2});
  const auto half = attention(to<tmor::bf16>(q), to<tmor::bf16>(k), to<tmor::bf16>(v));
  CHECK(to<float>(half).to_vector() == std::vector<float>{1, 2});
  tmor::Rng rng(2);
  std::vector<float> values(3 * 4 * 90 * 16);
  for (float& x : values) x = static_cast<float>(rng.uniform(-1, 1));
  std::vector<float> first;
  for (const int threads : {1, 2, 3}) {
    tmor::set_num_threads(threads);
    const auto x = Tf::from(values, {3, 4, 90, 16}).requires_grad_();
    const auto y = attention(x, x, x);
    backward(y, Tf::from(values, {3, 4, 90, 16}));
    auto got = y.to_vector(), dx = x.grad().to_vector();
    got.insert(got.end(), dx.begin(), dx.end());
    if (first.empty()) first = got;
    CHECK(got == first);
  }
  tmor::set_num_threads(2);
}

TEST_CASE("attention: wrong use") {
  const auto q = Tf::zeros({1, 2, 3, 4});
  CHECK_THROWS_AS(attention(q, Tf::zeros({1, 2, 3, 5}), q), tmor::ShapeError);
  CHECK_THROWS_AS(attention(q, q, Tf::zeros({1, 2, 4, 4})), tmor::ShapeError);
  CHECK_THROWS_AS(attention(Tf::zeros({3, 4}), Tf::zeros({3, 4}), Tf::zeros({3, 4})), tmor::ShapeError);
  AttentionOptions<> o;
  o.mask = mask_of({2}, [](const Shape&) { return true; });
  CHECK_THROWS_AS(attention(q, q, q, o), tmor::ShapeError);
  o = {};
  o.key_lengths = Ti::from({1, 2});
  CHECK_THROWS_AS(attention(q, q, q, o), tmor::ShapeError);
  o = {};
  o.bias = Tf::zeros({3, 3}).requires_grad_();
  CHECK_THROWS_AS(attention(q, q, q, o), tmor::Error);
}
