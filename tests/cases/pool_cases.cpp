#include "table.hpp"
#include "tmor/core/parallel.hpp"
#include "tmor/ops/pool.hpp"

using namespace table;

namespace {

/// Largest or mean over windows given by `begin` and `end` along height and width.
template <class Window>
Array pool_reference(const Array& x, Index oh, Index ow, bool largest, Window window) {
  const Index n = x.shape[0], h = x.shape[1], w = x.shape[2], c = x.shape[3];
  Array y({n, oh, ow, c});
  for_each_index(y.shape, [&](const Shape& at, Index i) {
    const auto [y0, y1, x0, x1, count] = window(at[1], at[2]);
    double sum = 0, most = -INFINITY;
    for (Index r = std::max<Index>(0, y0); r < std::min(h, y1); ++r)
      for (Index s = std::max<Index>(0, x0); s < std::min(w, x1); ++s) {
        const double v = x[((at[0] * h + r) * w + s) * c + at[3]];
        sum += v;
        most = std::fmax(most, v);
      }
    y[i] = largest ? most : sum / static_cast<double>(count);
  });
  return y;
}

Array sliding_reference(const Array& x, const tmor::Pool2dOptions& o, bool largest) {
  const Index h = x.shape[1], w = x.shape[2];
  const Index sh = o.stride_h ? o.stride_h : o.kernel_h, sw = o.stride_w ? o.stride_w : o.kernel_w;
  const Index oh = (h + 2 * o.pad_h - o.kernel_h) / sh + 1, ow = (w + 2 * o.pad_w - o.kernel_w) / sw + 1;
  return pool_reference(x, oh, ow, largest, [&](Index i, Index j) {
    const Index y0 = i * sh - o.pad_h, x0 = j * sw - o.pad_w, y1 = y0 + o.kernel_h, x1 = x0 + o.kernel_w;
    const Index inside =
        (std::min(h, y1) - std::max<Index>(0, y0)) * (std::min(w, x1) - std::max<Index>(0, x0));
    return std::tuple{y0, y1, x0, x1, o.count_padding ? o.kernel_h * o.kernel_w : inside};
  });
}

Array adaptive_reference(const Array& x, Index oh, Index ow) {
  const Index h = x.shape[1], w = x.shape[2];
  return pool_reference(x, oh, ow, false, [&](Index i, Index j) {
    const Index y0 = i * h / oh, x0 = j * w / ow;
    const Index y1 = ((i + 1) * h + oh - 1) / oh, x1 = ((j + 1) * w + ow - 1) / ow;
    return std::tuple{y0, y1, x0, x1, (y1 - y0) * (x1 - x0)};
  });
}

/// The image that a sequence (N, T, ...) is: all its inner dimensions as channels of a column.
Array as_image(Array x) {
  Index c = 1;
  for (int d = 2; d < x.shape.rank(); ++d) c *= x.shape[d];
  x.shape = {x.shape[0], x.shape[1], 1, c};
  return x;
}
Array with_shape(Array y, Shape shape) {
  shape[1] = y.shape[1];
  y.shape = shape;
  return y;
}

const std::vector<std::pair<tmor::Pool2dOptions, ShapeSets>> kImages = {
    {{}, {{{1, 2, 2, 1}}, {{2, 4, 6, 3}}, {{2, 5, 7, 5}}, {{0, 4, 4, 3}}, {{2, 4, 4, 0}}, {{1, 4, 4, 37}}}},
    {{.kernel_h = 1, .kernel_w = 1}, {{{2, 3, 2, 3}}}},
    {{.kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1},
     {{{2, 7, 6, 5}}, {{1, 1, 1, 2}}}},
    {{.kernel_h = 3,
      .kernel_w = 2,
      .stride_h = 1,
      .stride_w = 1,
      .pad_h = 2,
      .pad_w = 1,
      .count_padding = true},
     {{{1, 4, 5, 17}}}},
    {{.kernel_h = 2, .kernel_w = 3, .stride_h = 3, .stride_w = 1}, {{{2, 6, 3, 2}}}}};

}  // namespace

TEST_CASE("op table: avg_pool2d") {
  for (const auto& [o, shapes] : kImages)
    row<1>(
        "avg_pool2d", shapes, [o = o](auto x) { return avg_pool2d(x, o); },
        [o = o](const Arrays& in) { return sliding_reference(in[0], o, false); });
}

TEST_CASE("op table: max_pool2d") {
  for (const auto& [o, shapes] : kImages)
    row<1>(
        "max_pool2d", shapes, [o = o](auto x) { return max_pool2d(x, o); },
        [o = o](const Arrays& in) { return sliding_reference(in[0], o, true); });
}

TEST_CASE("op table: pooling over time") {
  const std::vector<tmor::PoolTimeOptions> options = {
      {}, {.kernel = 3, .stride = 1, .pad = 1}, {.kernel = 5, .stride = 2, .pad = 2, .count_padding = true}};
  for (const auto& o : options) {
    const tmor::Pool2dOptions image{.kernel_h = o.kernel,
                                    .kernel_w = 1,
                                    .stride_h = o.stride,
                                    .pad_h = o.pad,
                                    .count_padding = o.count_padding};
    const ShapeSets shapes = {{{2, 9, 3}}, {{2, 6, 3, 5}}, {{1, 8, 17, 2}}, {{0, 8, 3}}, {{2, 5, 0, 3}}};
    row<1>(
        "avg_pool_time", shapes, [=](auto x) { return avg_pool_time(x, o); },
        [=](const Arrays& in) {
          return with_shape(sliding_reference(as_image(in[0]), image, false), in[0].shape);
        });
    row<1>(
        "max_pool_time", shapes, [=](auto x) { return max_pool_time(x, o); },
        [=](const Arrays& in) {
          return with_shape(sliding_reference(as_image(in[0]), image, true), in[0].shape);
        });
  }
}

TEST_CASE("op table: adaptive_avg_pool") {
  const std::vector<std::pair<Index, Index>> sizes = {{1, 1}, {2, 3}, {7, 5}, {9, 11}};
  for (const auto& [oh, ow] : sizes)
    row<1>(
        "adaptive_avg_pool2d", {{{2, 7, 5, 3}}, {{1, 1, 4, 19}}, {{0, 7, 5, 3}}},
        [=, oh = oh, ow = ow](auto x) { return adaptive_avg_pool2d(x, oh, ow); },
        [=, oh = oh, ow = ow](const Arrays& in) { return adaptive_reference(in[0], oh, ow); });
  for (const Index out : {1, 3, 8, 13})
    row<1>(
        "adaptive_avg_pool_time", {{{2, 8, 3}}, {{1, 8, 5, 4}}},
        [=](auto x) { return adaptive_avg_pool_time(x, out); },
        [=](const Arrays& in) {
          return with_shape(adaptive_reference(as_image(in[0]), out, 1), in[0].shape);
        });
}

TEST_CASE("of equal maxima the first gets the gradient") {
  const auto x = Tensor<>::from({1, 3, 3, 2}, {1, 4, 1}).requires_grad_();
  backward(max_pool_time(x, {.kernel = 4}), Tensor<>::full({1, 1, 1}, 5));
  CHECK(x.grad().to_vector() == std::vector<float>{0, 5, 0, 0});
}

TEST_CASE("padding never wins a maximum") {
  const auto y = max_pool_time(Tensor<>::full({1, 3, 2}, -7), {.kernel = 3, .stride = 1, .pad = 1});
  CHECK(y.to_vector() == std::vector<float>(6, -7));
}

TEST_CASE("pooling has the same bits with 1 and 3 threads") {
  const int before = tmor::num_threads();
  tmor::Rng rng(1);
  std::vector<float> v(4 * 33 * 29 * 70);
  for (float& e : v) e = static_cast<float>(rng.normal());
  std::vector<std::vector<float>> results[2];
  for (const int threads : {1, 3}) {
    tmor::set_num_threads(threads);
    const tmor::Pool2dOptions o{
        .kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1};
    for (const bool largest : {false, true}) {
      const auto x = Tensor<>::from(v, {4, 33, 29, 70}).requires_grad_();
      const auto y = largest ? max_pool2d(x, o) : avg_pool2d(x, o);
      backward(y, y.detach());
      results[threads > 1].push_back(y.to_vector());
      results[threads > 1].push_back(x.grad().to_vector());
    }
  }
  tmor::set_num_threads(before);
  CHECK(results[0] == results[1]);
}

TEST_CASE("pooling says which windows do not fit") {
  const auto image = Tensor<>::zeros({1, 4, 4, 2});
  CHECK_THROWS_AS(avg_pool2d(image, {.kernel_h = 5}), tmor::ShapeError);
  CHECK_THROWS_AS(avg_pool2d(image, {.kernel_h = 0}), tmor::ShapeError);
  CHECK_THROWS_AS(max_pool2d(image, {.pad_w = 2}), tmor::ShapeError);
  CHECK_THROWS_AS(max_pool2d(image, {.stride_h = -1}), tmor::ShapeError);
  CHECK_THROWS_AS(max_pool2d(image, {.kernel_h = Index{1} << 62, .pad_h = Index{1} << 61}), tmor::ShapeError);
  CHECK_THROWS_AS(avg_pool2d(Tensor<>::zeros({4, 4, 2})), tmor::ShapeError);
  CHECK_THROWS_AS(avg_pool_time(Tensor<>::zeros({4, 4})), tmor::ShapeError);
  CHECK_THROWS_AS(adaptive_avg_pool2d(image, 0, 1), tmor::ShapeError);
  CHECK_THROWS_AS(adaptive_avg_pool_time(Tensor<>::zeros({1, 0, 2}), 1), tmor::ShapeError);
}
