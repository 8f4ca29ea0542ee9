#include "table.hpp"
#include "tmor/ops/elementwise.hpp"
#include "tmor/ops/views.hpp"

using namespace table;

namespace {

/// The array of `shape` whose element at `at` is in[0] at `source(at)`.
template <class F> Array taken(const Arrays& in, const Shape& shape, F source) {
  Array out(shape);
  for_each_index(shape, [&](const Shape& at, Index i) { out[i] = in[0].broadcast_at(source(at)); });
  return out;
}
Array with_shape(const Array& a, const Shape& shape) {
  Array out = a;
  out.shape = shape;
  return out;
}

}  // namespace

TEST_CASE("op table: copies and shapes") {
  row<1>(
      "clone", unary_shapes(), [](auto x) { return clone(x); }, [](const Arrays& in) { return in[0]; });
  row<1>(
      "contiguous", unary_shapes(), [](auto x) { return contiguous(x); },
      [](const Arrays& in) { return in[0]; });
  row<1>(
      "reshape", {{{2, 6}}, {{12}}, {{3, 4}}, {{2, 2, 3}}},
      [](auto x) {
        return reshape(x, {3, -1, 2});
      },
      [](const Arrays& in) {
        return with_shape(in[0], {3, 2, 2});
      });
  row<1>(
      "flatten", {{{2, 3, 4, 5}}, {{1, 1, 1, 2}}, {{2, 0, 3, 1}}}, [](auto x) { return flatten(x, 1, -2); },
      [](const Arrays& in) {
        const Shape& s = in[0].shape;
        return with_shape(in[0], {s[0], s[1] * s[2], s[3]});
      });
  row<1>(
      "unsqueeze", {{{}}, {{3}}, {{2, 5}}}, [](auto x) { return unsqueeze(unsqueeze(x, -1), 0); },
      [](const Arrays& in) {
        Shape s = in[0].shape;
        s.push_back(1);
        s.insert(0, 1);
        return with_shape(in[0], s);
      });
  row<1>(
      "squeeze", {{{1, 3, 1}}, {{1, 0, 1}}, {{1, 1, 1}}},
      [](auto x) { return squeeze(unsqueeze(squeeze(x, 0), 1)); },
      [](const Arrays& in) {
        return with_shape(in[0], in[0].shape[1] == 1 ? Shape{} : Shape{in[0].shape[1]});
      });
}

TEST_CASE("op table: other orders") {
  row<1>(
      "permute", {{{2, 3, 4}}, {{1, 7, 3}}, {{0, 2, 3}}, {{19, 17, 18}}},
      [](auto x) {
        return clone(permute(x, {2, 0, -2}));
      },
      [](const Arrays& in) {
        const Shape& s = in[0].shape;
        return taken(in, {s[2], s[0], s[1]}, [](const Shape& at) { return Shape{at[1], at[2], at[0]}; });
      });
  row<1>(
      "transpose", {{{2, 3}}, {{37, 41}}, {{1, 5}}, {{64, 32}}, {{0, 4}}},
      [](auto x) { return clone(transpose(x)); },
      [](const Arrays& in) {
        return taken(in, {in[0].shape[1], in[0].shape[0]}, [](const Shape& at) {
          return Shape{at[1], at[0]};
        });
      });
  row<1>(
      "expand", {{{3, 1}}, {{1, 1}}, {{1}}, {{}}, {{2, 3, 4}}},
      [](auto x) {
        return expand(x, {2, 3, 4});
      },
      [](const Arrays& in) {
        return taken(in, {2, 3, 4}, [](const Shape& at) { return at; });
      });
}

TEST_CASE("op table: parts") {
  const ShapeSets shapes = {{{5, 3}}, {{6, 1}}, {{5, 0}}, {{7, 2, 3}}};
  auto rows_from = [](const Arrays& in, Index start, Index count, Index step) {
    Shape s = in[0].shape;
    s[0] = count;
    return taken(in, s, [=](Shape at) {
      at[0] = start + step * at[0];
      return at;
    });
  };
  row<1>(
      "narrow", shapes, [](auto x) { return narrow(x, 0, 1, 3); },
      [&](const Arrays& in) { return rows_from(in, 1, 3, 1); });
  row<1>(
      "select", shapes, [](auto x) { return select(x, 0, -2); },
      [&](const Arrays& in) {
        Array a = rows_from(in, in[0].shape[0] - 2, 1, 1);
        a.shape.erase(0);
        return a;
      });
  row<1>(
      "slice", shapes, [](auto x) { return slice(x, 0, 1, tmor::kEnd, 2); },
      [&](const Arrays& in) { return rows_from(in, 1, in[0].shape[0] / 2, 2); });
  row<1>(
      "split", shapes,
      [](auto x) {
        auto parts = split(x, 2, 0);
        return parts[1] * parts[0];
      },
      [&](const Arrays& in) {
        return map({rows_from(in, 2, 2, 1), rows_from(in, 0, 2, 1)},
                   [](double a, double b) { return a * b; });
      });
  row<1>(
      "chunk", {{{4, 3}}, {{2, 5}}, {{0, 1}}},
      [](auto x) {
        auto parts = chunk(x, 2, 0);
        return parts[0] - parts[1];
      },
      [&](const Arrays& in) {
        const Index n = in[0].shape[0] / 2;
        return map({rows_from(in, 0, n, 1), rows_from(in, n, n, 1)},
                   [](double a, double b) { return a - b; });
      });
}
