#include <algorithm>

#include "table.hpp"
#include "tmor/ops/elementwise.hpp"
#include "tmor/ops/index.hpp"
#include "tmor/ops/topk.hpp"

using namespace table;

namespace {

using Ids = Tensor<Index>;

/// For every element of `shape`, in[0] at `source(at)`.
template <class F> Array taken(const Array& x, const Shape& shape, F source) {
  Array out(shape);
  for_each_index(shape, [&](const Shape& at, Index i) { out[i] = x.broadcast_at(source(at)); });
  return out;
}
/// Positions below `n`, with repetitions, that look random.
std::vector<Index> positions(Index count, Index n) {
  std::vector<Index> v;
  for (Index i = 0; i < count; ++i) v.push_back(i * i % 7 % n);
  return v;
}

}  // namespace

TEST_CASE("op table: rows by index") {
  const std::vector<Index> ids = {2, 0, 2, 1, 2};
  row<1>(
      "index_select", {{{2, 3, 4}}, {{1, 3, 37}}, {{2, 3, 0}}, {{5, 3, 600}}},
      [&](auto x) { return index_select(x, -2, beside(x, Ids::from(ids))); },
      [&](const Arrays& in) {
        Shape s = in[0].shape;
        s[1] = 5;
        return taken(in[0], s, [&](const Shape& at) {
          return Shape{at[0], ids[static_cast<std::size_t>(at[1])], at[2]};
        });
      });
  row<1>(
      "embedding", {{{3, 4}}, {{5, 1}}, {{3, 70}}},
      [](auto w) {
        return embedding(w, beside(w, Ids::from(positions(6, 3), {2, 3})));
      },
      [](const Arrays& in) {
        const auto p = positions(6, 3);
        return taken(in[0], {2, 3, in[0].shape[1]}, [&](const Shape& at) {
          return Shape{p[static_cast<std::size_t>(at[0] * 3 + at[1])], at[2]};
        });
      });
}

TEST_CASE("op table: elements by index") {
  row<1>(
      "gather", {{{2, 3, 4}}, {{1, 1, 5}}, {{3, 5, 1}}, {{2, 4, 0}}},
      [](auto x) {
        const Shape s{x.size(0), 6, x.size(2)};
        return gather(x, 1, beside(x, Ids::from(positions(s.numel(), x.size(1)), s)));
      },
      [](const Arrays& in) {
        const Shape s{in[0].shape[0], 6, in[0].shape[2]};
        const auto p = positions(s.numel(), in[0].shape[1]);
        std::size_t i = 0;
        return taken(in[0], s, [&](const Shape& at) { return Shape{at[0], p[i++], at[2]}; });
      });
  row<2>(
      "scatter_add", {{{2, 3, 4}, {2, 6, 4}}, {{1, 1, 5}, {1, 2, 5}}, {{3, 5, 1}, {3, 0, 1}}},
      [](auto x, auto v) {
        return scatter_add(x, 1, beside(x, Ids::from(positions(v.numel(), x.size(1)), v.shape())), v);
      },
      [](const Arrays& in) {
        Array y = in[0];
        const Shape s = y.shape;
        const auto p = positions(in[1].numel(), s[1]);
        for_each_index(in[1].shape, [&](const Shape& at, Index i) {
          y[(at[0] * s[1] + p[static_cast<std::size_t>(i)]) * s[2] + at[2]] += in[1][i];
        });
        return y;
      });
  row<2>(
      "masked_fill", {{{3, 4}, {3, 4}}, {{2, 3, 5}, {3, 1}}, {{}, {}}, {{0, 3}, {3}}},
      [](auto x, auto m) { return masked_fill(x, greater(m.detach(), decltype(m)::scalar(0)), -7) + m * 0; },
      [](const Arrays& in) { return map(in, [](double x, double m) { return m > 0 ? -7 : x; }); });
}

TEST_CASE("op table: topk") {
  row<1>(
      "topk", {{{2, 5, 3}}, {{1, 3, 1}}, {{4, 40, 2}}, {{0, 3, 2}}},
      [](auto x) { return topk(x, 3, 1).values; },
      [](const Arrays& in) {
        const Shape s = in[0].shape;
        Array y({s[0], 3, s[2]});
        for_each_index({s[0], s[2]}, [&](const Shape& at, Index) {
          std::vector<double> v;
          for (Index t = 0; t < s[1]; ++t) v.push_back(in[0].broadcast_at({at[0], t, at[1]}));
          std::sort(v.rbegin(), v.rend());
          for (Index t = 0; t < 3; ++t) y[(at[0] * 3 + t) * s[2] + at[1]] = v[static_cast<std::size_t>(t)];
        });
        return y;
      });
}
