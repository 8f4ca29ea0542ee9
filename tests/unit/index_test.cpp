#include "tmor/ops/index.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "tmor/autograd/backward.hpp"
#include "tmor/ops/random.hpp"
#include "tmor/ops/topk.hpp"

using namespace tmor;
using Floats = std::vector<float>;
using Indices = std::vector<Index>;

namespace {
template <class F> std::string message(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}
}  // namespace

TEST_CASE("an index outside the range names the operation, the index and the range") {
  const auto x = Tensor<>::ones({3, 2});
  const auto bad = Tensor<Index>::from({0, 3});
  const std::string end = " index 3 at position 1 is outside the range 0 to 2";
  CHECK(message([&] { index_select(x, 0, bad); }) == "[index_select]" + end);
  CHECK(message([&] { embedding(x, bad); }) == "[embedding]" + end);
  CHECK(message([&] { one_hot(bad, 3); }) == "[one_hot]" + end);
  CHECK(message([&] { gather(x, 0, reshape(bad, {1, 2})); }) == "[gather]" + end);
  CHECK(message([&] {
          scatter_add(x, 0, reshape(bad, {1, 2}), Tensor<>::ones({1, 2}));
        }) == "[scatter_add]" + end);
  CHECK(message([&] { embedding(x, Tensor<Index>::from({-1})); }).find("index -1") != std::string::npos);
}

TEST_CASE("wrong shapes are errors") {
  const auto x = Tensor<>::ones({3, 2});
  CHECK_THROWS_AS(index_select(x, 0, Tensor<Index>::zeros({1, 1})), ShapeError);
  CHECK_THROWS_AS(gather(x, 0, Tensor<Index>::zeros({3, 1})), ShapeError);
  CHECK_THROWS_AS(gather(x, 0, Tensor<Index>::zeros({3})), ShapeError);
  CHECK_THROWS_AS(scatter_add(x, 0, Tensor<Index>::zeros({1, 2}), Tensor<>::ones({2, 2})), ShapeError);
  CHECK_THROWS_AS(embedding(Tensor<>::ones({3}), Tensor<Index>::zeros({1})), ShapeError);
  CHECK_THROWS_AS(topk(x, 3, 1), Error);
  CHECK_THROWS_AS(arange(0, 1, 0), Error);
}

TEST_CASE("the gradient of a lookup does not depend on the number of threads") {
  Rng rng(3);
  const auto dy = normal(rng, {5000, 64});
  Indices ids;
  for (int i = 0; i < 5000; ++i) ids.push_back(rng.uniform_int(300));
  const int before = num_threads();
  const auto grad = [&] {
    const auto w = Tensor<>::zeros({300, 64});
    w.requires_grad_();
    backward(embedding(w, Tensor<Index>::from(ids)), dy);
    return w.grad().to_vector();
  };
  set_num_threads(1);
  const Floats one = grad();
  set_num_threads(4);
  CHECK(grad() == one);
  set_num_threads(before);
  // And it is the sum.
  std::vector<double> want(300 * 64);
  for (std::size_t i = 0; i < 5000; ++i)
    for (std::size_t c = 0; c < 64; ++c)
      want[static_cast<std::size_t>(ids[i]) * 64 + c] +=
          static_cast<double>(dy.at({static_cast<Index>(i), static_cast<Index>(c)}));
  double worst = 0;
  for (std::size_t i = 0; i < want.size(); ++i) worst = std::max(worst, std::fabs(want[i] - one[i]));
  CHECK(worst < 2e-5);
}

TEST_CASE("one_hot, arange, masked_fill") {
  const auto h = one_hot(Tensor<Index>::from({2, 0}, {2, 1}), 3);
  CHECK(h.shape() == Shape{2, 1, 3});
  CHECK(h.to_vector() == Floats{0, 0, 1, 1, 0, 0});
  CHECK(one_hot(Tensor<Index>::empty({0}), 3).shape() == Shape{0, 3});
  CHECK(arange(4).to_vector() == Indices{0, 1, 2, 3});
  CHECK(arange(5, 0, -2).to_vector() == Indices{5, 3, 1});
  CHECK(arange<float>(0, 1, 0.25f).to_vector() == Floats{0, 0.25f, 0.5f, 0.75f});
  const float inf = std::numeric_limits<float>::infinity();
  const auto x = Tensor<>::from({1, -2});
  x.requires_grad_();
  const auto y = masked_fill(x, less(x, Tensor<>::scalar(0)), static_cast<double>(-inf));
  CHECK(y.to_vector() == Floats{1, -inf});
  backward(y, Tensor<>::ones({2}));
  CHECK(x.grad().to_vector() == Floats{1, 0});
}

TEST_CASE("topk: positions, ties by position, NaN, the smallest") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto x = Tensor<>::from({1, 3, 2, 3, 1, 3});
  CHECK(topk(x, 4).indices.to_vector() == Indices{1, 3, 5, 2});
  CHECK(topk(x, 3, 0, false).indices.to_vector() == Indices{0, 4, 2});
  CHECK(topk(Tensor<>::from({1, nan, 2}), 3).indices.to_vector() == Indices{1, 2, 0});
  CHECK(topk(Tensor<>::from({1, nan, 2}), 3, 0, false).indices.to_vector() == Indices{0, 2, 1});
  CHECK(topk(Tensor<>::from({4, 1, 2, 3, 9, 8}, {2, 3}), 1, 0).values.to_vector() == Floats{4, 9, 8});
  CHECK(topk(x, 0).values.numel() == 0);
}
