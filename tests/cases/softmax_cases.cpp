// softmax and log_softmax: rows of the op table, masks, extreme values.
#include "cases/table.hpp"
#include "tmor/ops/elementwise.hpp"
#include "tmor/ops/softmax.hpp"

using namespace table;
using tmor::backward;

namespace {

/// Calls f(first element, stride, count) for every line along dimension `d`.
template <class F> void for_each_line(const Shape& shape, int d, F&& f) {
  const Shape strides = tmor::contiguous_strides(shape);
  Shape outer = shape;
  outer[d] = shape[d] > 0 ? 1 : 0;
  for_each_index(outer, [&](const Shape& at, Index) {
    Index first = 0;
    for (int i = 0; i < at.rank(); ++i) first += at[i] * strides[i];
    f(first, strides[d], shape[d]);
  });
}

Array reference_softmax(const Array& x, int dim, bool log, const Array* mask = nullptr) {
  Array y(x.shape);
  for_each_line(x.shape, dim < 0 ? dim + x.shape.rank() : dim, [&](Index first, Index step, Index n) {
    double top = -INFINITY, sum = 0;
    const auto seen = [&](Index i) { return !mask || (*mask)[first + i * step] != 0; };
    for (Index i = 0; i < n; ++i)
      if (seen(i)) top = std::fmax(top, x[first + i * step]);
    for (Index i = 0; i < n; ++i)
      if (seen(i)) sum += std::exp(x[first + i * step] - top);
    for (Index i = 0; i < n; ++i) {
      const double z = x[first + i * step] - top;
      y[first + i * step] = log ? z - std::log(sum) : seen(i) ? std::exp(z) / sum : 0;
    }
  });
  return y;
}

Tensor<bool> bools(const std::vector<int>& v, const Shape& shape) {
  return equal(Tensor<int>::from(v, shape), Tensor<int>::scalar(1));
}

constexpr float kInf = std::numeric_limits<float>::infinity();

}  // namespace

TEST_CASE("softmax and log_softmax: the table") {
  const ShapeSets sets = {{{0}},          {{1}},       {{7}},   {{3, 5}}, {{2, 1, 37}},
                          {{4, 3, 2, 5}}, {{3, 0, 2}}, {{131}}, {{0, 4}}};
  for (const int dim : {-1, 0}) {
    CAPTURE(dim);
    row<1>(
        "softmax", sets, [dim](const auto& x) { return softmax(x, dim); },
        [dim](const Arrays& in) { return reference_softmax(in[0], dim, false); }, {.low = -6, .high = 6});
    row<1>(
        "log_softmax", sets, [dim](const auto& x) { return log_softmax(x, dim); },
        [dim](const Arrays& in) { return reference_softmax(in[0], dim, true); }, {.low = -6, .high = 6});
  }
  row<1>(
      "softmax of a middle dimension", {{{3, 4, 5}}}, [](const auto& x) { return softmax(x, 1); },
      [](const Arrays& in) { return reference_softmax(in[0], 1, false); });
}

TEST_CASE("softmax: masks broadcast, and hidden rows are zero") {
  const std::vector<int> pattern = {1, 0, 1, 1, 0, /**/ 0, 0, 0, 0, 0, /**/ 1, 1, 1, 1, 1};
  Array full({2, 3, 5});
  for (Index i = 0; i < 30; ++i) full[i] = pattern[static_cast<std::size_t>(i % 15)];
  row<1>(
      "masked softmax", {{{2, 3, 5}}},
      [&](const auto& x) {
        return softmax(x, -1, beside(x, bools(pattern, {3, 5})));
      },
      [&](const Arrays& in) { return reference_softmax(in[0], 2, false, &full); });
  for (Index i = 0; i < 30; ++i) full[i] = i / 5 % 3 != 1;
  row<1>(
      "softmax masked by rows", {{{2, 3, 5}}},
      [&](const auto& x) {
        return softmax(x, -1, beside(x, bools({1, 0, 1}, {3, 1})));
      },
      [&](const Arrays& in) { return reference_softmax(in[0], 2, false, &full); });
  row<1>(
      "softmax of a masked middle dimension", {{{2, 3, 5}}},
      [&](const auto& x) {
        return softmax(x, 1, beside(x, bools({1, 0, 1}, {3, 1})));
      },
      [&](const Arrays& in) { return reference_softmax(in[0], 1, false, &full); });
}

TEST_CASE("softmax: extreme values") {
  const auto x = Tensor<float>::from({1e4f, -1e4f, 1e4f, -kInf, 0, -kInf, -kInf, -kInf, -kInf}, {3, 3});
  const auto y = softmax(x).to_vector();
  const std::vector<float> want = {0.5f, 0, 0.5f, 0, 1, 0, 0, 0, 0};
  CHECK(y == want);
  const auto logs = log_softmax(Tensor<float>::from({1e4f, -1e4f, 3e38f, -3e38f}, {2, 2})).to_vector();
  CHECK(logs == std::vector<float>{0, -2e4f, 0, -kInf});
  x.requires_grad_();
  backward(softmax(x), Tensor<float>::ones({3, 3}));
  for (const float g : x.grad().to_vector()) CHECK(g == 0.0f);
}

TEST_CASE("softmax: wrong use") {
  const auto x = Tensor<float>::zeros({2, 3});
  CHECK_THROWS_WITH_AS(softmax(x, 2), "[softmax] dimension 2 is out of range for a tensor of rank 2",
                       tmor::ShapeError);
  CHECK_THROWS_AS(softmax(x, -1, bools({1, 1}, {2})), tmor::ShapeError);
  CHECK_THROWS_AS(log_softmax(Tensor<float>::scalar(1)), tmor::ShapeError);
}
