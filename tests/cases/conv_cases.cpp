#include "table.hpp"
#include "tmor/ops/conv.hpp"

using namespace table;

namespace {

struct Geometry {
  Index stride, pad, dilation;
};

/// y[n,t,v,o] = sum over taps and channels.
Array conv_time_reference(const Array& x, const Array& w, Geometry g) {
  const Index n = x.shape[0], t = x.shape[1], v = x.shape[2], c = x.shape[3], k = w.shape[0], o = w.shape[2];
  const Index to = (t + 2 * g.pad - (k - 1) * g.dilation - 1) / g.stride + 1;
  Array y({n, to, v, o});
  for (Index i = 0; i < n; ++i)
    for (Index s = 0; s < to; ++s)
      for (Index j = 0; j < v; ++j)
        for (Index q = 0; q < k; ++q) {
          const Index at = s * g.stride + q * g.dilation - g.pad;
          if (at < 0 || at >= t) continue;
          for (Index a = 0; a < c; ++a)
            for (Index b = 0; b < o; ++b)
              y[((i * to + s) * v + j) * o + b] += x[((i * t + at) * v + j) * c + a] * w[(q * c + a) * o + b];
        }
  return y;
}

Array conv2d_reference(const Array& x, const Array& w, const tmor::Conv2dOptions& o) {
  const Index n = x.shape[0], h = x.shape[1], wd = x.shape[2], c = x.shape[3];
  const Index kh = w.shape[0], kw = w.shape[1], ci = w.shape[2], co = w.shape[3];
  const Index oh = (h + 2 * o.pad_h - (kh - 1) * o.dilation_h - 1) / o.stride_h + 1;
  const Index ow = (wd + 2 * o.pad_w - (kw - 1) * o.dilation_w - 1) / o.stride_w + 1;
  Array y({n, oh, ow, co});
  for_each_index(y.shape, [&](const Shape& at, Index i) {
    const Index group = at[3] / (co / o.groups);
    for (Index p = 0; p < kh; ++p)
      for (Index q = 0; q < kw; ++q) {
        const Index r = at[1] * o.stride_h + p * o.dilation_h - o.pad_h,
                    s = at[2] * o.stride_w + q * o.dilation_w - o.pad_w;
        if (r < 0 || r >= h || s < 0 || s >= wd) continue;
        for (Index a = 0; a < ci; ++a)
          y[i] +=
              x[((at[0] * h + r) * wd + s) * c + group * ci + a] * w[((p * kw + q) * ci + a) * co + at[3]];
      }
  });
  return y;
}

}  // namespace

TEST_CASE("op table: conv_time") {
  const std::vector<std::pair<Geometry, ShapeSets>> cases = {
      {{1, 0, 1},
       {{{1, 1, 1, 1}, {1, 1, 1}},
        {{2, 5, 3, 4}, {3, 4, 6}},
        {{2, 5, 3, 4}, {1, 4, 6}},
        {{0, 5, 3, 4}, {3, 4, 6}}}},
      {{1, 4, 1}, {{{2, 7, 5, 3}, {9, 3, 4}}, {{1, 16, 17, 19}, {9, 19, 33}}}},
      {{2, 4, 1}, {{{2, 9, 3, 5}, {9, 5, 7}}, {{3, 8, 2, 16}, {9, 16, 16}}}},
      {{3, 2, 2}, {{{2, 11, 2, 3}, {3, 3, 5}}}},
      {{1, 2, 2}, {{{1, 6, 1, 17}, {3, 17, 2}}}}};
  for (const auto& [g, shapes] : cases)
    row<2>(
        "conv_time", shapes,
        [g = g](auto x, auto w) {
          return conv_time(x, w, {.stride = g.stride, .pad = g.pad, .dilation = g.dilation});
        },
        [g = g](const Arrays& in) { return conv_time_reference(in[0], in[1], g); },
        {.tol = 5e-6, .tol_grad = 2e-5, .low = -1, .high = 1});
}

TEST_CASE("op table: conv2d") {
  using O = tmor::Conv2dOptions;
  const std::vector<std::pair<O, ShapeSets>> cases = {
      {O{},
       {{{1, 1, 1, 1}, {1, 1, 1, 1}},
        {{2, 5, 4, 3}, {3, 2, 3, 5}},
        {{2, 5, 4, 3}, {1, 1, 3, 5}},
        {{0, 5, 4, 3}, {3, 2, 3, 5}}}},
      {O{.pad_h = 1, .pad_w = 1}, {{{2, 6, 5, 4}, {3, 3, 4, 7}}}},
      {O{.stride_h = 2, .stride_w = 3, .pad_h = 1, .pad_w = 2}, {{{2, 7, 8, 3}, {3, 5, 3, 4}}}},
      {O{.pad_h = 2, .pad_w = 2, .dilation_h = 2, .dilation_w = 2}, {{{1, 6, 6, 2}, {3, 3, 2, 3}}}},
      {O{.pad_h = 1, .pad_w = 1, .groups = 2}, {{{2, 4, 5, 6}, {3, 3, 3, 4}}}},
      {O{.pad_h = 1, .groups = 5}, {{{1, 6, 2, 5}, {3, 1, 1, 5}}}}};
  for (const auto& [o, shapes] : cases)
    row<2>(
        "conv2d", shapes, [o = o](auto x, auto w) { return conv2d(x, w, o); },
        [o = o](const Arrays& in) { return conv2d_reference(in[0], in[1], o); },
        {.tol = 5e-6, .tol_grad = 2e-5, .low = -1, .high = 1});
}

TEST_CASE("op table: conv1d") {
  for (const Index groups : {Index{1}, Index{3}})
    row<2>(
        "conv1d", {{{2, 9, 6}, {3, 6 / groups, 9}}},
        [=](auto x, auto w) { return conv1d(x, w, {.stride = 2, .pad = 1}, groups); },
        [=](const Arrays& in) {
          Array x = in[0], w = in[1];
          x.shape = {2, 9, 1, 6};
          w.shape = {3, 1, 6 / groups, 9};
          Array y = conv2d_reference(x, w, {.stride_h = 2, .pad_h = 1, .groups = groups});
          y.shape = {y.shape[0], y.shape[1], y.shape[3]};
          return y;
        },
        {.tol = 5e-6, .tol_grad = 2e-5, .low = -1, .high = 1});
}

TEST_CASE("convolutions say which shapes do not fit") {
  using tmor::Tensor;
  CHECK_THROWS_AS(conv_time(Tensor<>::zeros({1, 5, 2, 3}), Tensor<>::zeros({3, 4, 6})), tmor::ShapeError);
  CHECK_THROWS_AS(conv_time(Tensor<>::zeros({1, 2, 2, 3}), Tensor<>::zeros({3, 3, 6})), tmor::ShapeError);
  CHECK_THROWS_AS(conv2d(Tensor<>::zeros({1, 2, 2, 3}), Tensor<>::zeros({3, 3, 3, 6})), tmor::ShapeError);
  CHECK_THROWS_AS(conv2d(Tensor<>::zeros({1, 5, 5, 3}), Tensor<>::zeros({3, 3, 3, 6}), {.groups = 2}),
                  tmor::ShapeError);
}
