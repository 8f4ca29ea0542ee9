#include "table.hpp"
#include "tmor/ops/elementwise.hpp"
#include "tmor/ops/movement.hpp"

using namespace table;

namespace {

/// The array of `shape` whose element at `at` is in[0] at `source(at)`.
template <class F> Array taken(const Arrays& in, const Shape& shape, F source) {
  Array out(shape);
  for_each_index(shape, [&](const Shape& at, Index i) { out[i] = in[0].broadcast_at(source(at)); });
  return out;
}

}  // namespace

TEST_CASE("op table: joining and repeating") {
  row<2>(
      "concat", {{{2, 3}, {2, 4}}, {{1, 1}, {1, 0}}, {{3, 37}, {3, 1}}},
      [](auto a, auto b) {
        return tmor::concat({a, b, a}, -1);
      },
      [](const Arrays& in) {
        const Index a = in[0].shape[1], b = in[1].shape[1];
        Array out({in[0].shape[0], 2 * a + b});
        for_each_index(out.shape, [&](const Shape& at, Index i) {
          const Index c = at[1];
          out[i] = c >= a && c < a + b ? in[1].broadcast_at({at[0], c - a})
                                       : in[0].broadcast_at({at[0], c < a ? c : c - a - b});
        });
        return out;
      });
  row<2>(
      "stack", {{{2, 3}, {2, 3}}, {{}, {}}, {{5}, {5}}},
      [](auto a, auto b) {
        return tmor::stack({a, b}, -1);
      },
      [](const Arrays& in) {
        Shape s = in[0].shape;
        s.push_back(2);
        Array out(s);
        for (Index i = 0; i < out.numel(); ++i) out[i] = in[static_cast<std::size_t>(i % 2)][i / 2];
        return out;
      });
  row<1>(
      "pad", {{{2, 3}}, {{1, 1}}, {{0, 2}}, {{4, 37}}},
      [](auto x) {
        return pad(pad(x, {1, 0}, {0, 2}, 7), 0, 0, 1);
      },
      [](const Arrays& in) {
        const Index n = in[0].shape[0], c = in[0].shape[1];
        Array out({n + 2, c + 2});
        for_each_index(out.shape, [&](const Shape& at, Index i) {
          const bool inside = at[0] >= 1 && at[0] <= n && at[1] < c;
          out[i] = inside ? in[0].broadcast_at({at[0] - 1, at[1]}) : at[0] <= n ? 7 : 0;
        });
        return out;
      });
  row<1>(
      "repeat", {{{2, 3}}, {{3}}, {{}}, {{1, 1}}},
      [](auto x) {
        return repeat(x, {2, 3});
      },
      [](const Arrays& in) {
        Array x = in[0];
        while (x.shape.rank() < 2) x.shape.insert(0, 1);
        const Index r = x.shape[0], c = x.shape[1];
        return taken({x}, {2 * r, 3 * c}, [=](const Shape& at) { return Shape{at[0] % r, at[1] % c}; });
      });
  row<1>(
      "flip", {{{4}}, {{3, 5}}, {{2, 0}}, {{2, 3, 37}}}, [](auto x) { return flip(x, -1); },
      [](const Arrays& in) {
        const Shape s = in[0].shape;
        return taken(in, s, [s](Shape at) {
          at[s.rank() - 1] = s.back() - 1 - at[s.rank() - 1];
          return at;
        });
      });
  row<1>(
      "roll", {{{4, 2}}, {{7, 3}}, {{1, 5}}}, [](auto x) { return roll(x, -3, 0); },
      [](const Arrays& in) {
        const Shape s = in[0].shape;
        return taken(in, s, [s](Shape at) {
          at[0] = (at[0] + 3) % s[0];
          return at;
        });
      });
}
