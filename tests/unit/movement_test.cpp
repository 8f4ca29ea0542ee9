#include "tmor/ops/movement.hpp"

#include <doctest/doctest.h>

#include <string>

#include "tmor/ops/elementwise.hpp"

using namespace tmor;
using Floats = std::vector<float>;

namespace {

/// 0, 1, ..., period - 1, 0, ...
Tensor<> counting(const Shape& shape, std::size_t period = 1 << 24) {
  Floats v(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i % period);
  return Tensor<>::from(v, shape);
}
template <class F> std::string message(F&& f) {
  try {
    f();
  } catch (const ShapeError& e) {
    return e.what();
  }
  return {};
}
bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }
bool shares(const Tensor<>& a, const Tensor<>& b) { return a.body().storage == b.body().storage; }

}  // namespace

TEST_CASE("views share storage, copies do not") {
  const auto x = counting({2, 3, 4});
  for (const auto& v : {reshape(x, {6, 4}), flatten(x), unsqueeze(x, 1), permute(x, {2, 0, 1}), transpose(x),
                        expand(unsqueeze(x, 0), {5, 2, 3, 4}), narrow(x, 1, 1, 2), select(x, 2, 3),
                        slice(x, 2, 1, kEnd, 2), contiguous(x)})
    CHECK(shares(v, x));
  for (const auto& v : {clone(x), contiguous(transpose(x)), reshape(transpose(x), {24}), flip(x, 0),
                        concat({x, x}, 0), pad(x, 0, 1, 1), repeat(x, {1, 1, 2})})
    CHECK_FALSE(shares(v, x));
  select(x, 0, 1).mutable_data()[0] = -5;
  CHECK(x.at({1, 0, 0}) == -5);
}

TEST_CASE("reshape is a view wherever one can be") {
  const auto x = counting({4, 6});
  CHECK(shares(reshape(narrow(x, 0, 1, 2), {2, 2, 3}), x));  // whole rows
  CHECK(shares(reshape(narrow(x, 1, 0, 4), {4, 2, 2}), x));  // cuts rows only
  CHECK(shares(reshape(transpose(x), {2, 3, 4}), x));
  CHECK_FALSE(shares(reshape(transpose(x), {24}), x));
  CHECK(reshape(transpose(x), {-1, 8}).to_vector() == transpose(x).to_vector());
  CHECK(reshape(narrow(x, 1, 0, 4), {4, 2, 2}).to_vector() == narrow(x, 1, 0, 4).to_vector());
  CHECK(reshape(expand(counting({1, 3}), {4, 3}), {2, 2, 3}).at({1, 1, 2}) == 2);
  CHECK(reshape(counting({0, 3}), {3, 0, 2}).numel() == 0);
  CHECK(reshape(Tensor<>::scalar(3), {1, 1}).item() == 3);
}

TEST_CASE("a copy of any layout holds the same numbers") {
  // Sizes around the side of a tile, dimensions of size 1, more dimensions than two, every element size.
  for (const Shape& s : {Shape{15, 17, 3}, Shape{16, 32, 1}, Shape{1, 64, 64}, Shape{3, 70, 130}}) {
    const auto x = counting(s, 251);  // exact in every type
    for (const Shape& order :
         {Shape{0, 2, 1}, Shape{2, 1, 0}, Shape{1, 0, 2}, Shape{1, 2, 0}, Shape{2, 0, 1}}) {
      const auto y = permute(x, order);
      const auto check = [&](const auto& copy) {
        for (Index i = 0; i < y.shape()[0]; ++i)
          for (Index j = 0; j < y.shape()[1]; ++j)
            for (Index k = 0; k < y.shape()[2]; ++k)
              if (static_cast<float>(copy.at({i, j, k})) != y.at({i, j, k})) return false;
        return true;
      };
      CHECK(check(clone(y)));
      CHECK(check(clone(permute(to<double>(x), order))));
      CHECK(check(clone(permute(to<std::int32_t>(x), order))));
      CHECK(check(clone(permute(to<bf16>(x), order))));
      CHECK(check(clone(permute(to<std::uint8_t>(x), order))));
      auto into = transpose(Tensor<>::zeros({y.shape()[0], y.shape()[2], y.shape()[1]}), 1, 2);
      copy_into(Cpu{}, into, y);
      CHECK(check(into));
    }
  }
}

TEST_CASE("views and copies of integers and booleans") {
  const auto i = Tensor<Index>::from({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(contiguous(transpose(i)).to_vector() == std::vector<Index>{1, 4, 2, 5, 3, 6});
  CHECK(concat({i, i}, 1).shape() == Shape{2, 6});
  CHECK(pad(i, 1, 0, 1, -1).at({0, 3}) == -1);
  const auto b = greater(counting({2, 2}), Tensor<>::scalar(1));
  CHECK_FALSE(flip(b, 0).at({1, 1}));
  CHECK(flip(b, 0).at({0, 1}));
}

TEST_CASE("slices follow Python's bounds") {
  const auto x = counting({5});
  CHECK(slice(x, 0, -2).to_vector() == Floats{3, 4});
  CHECK(slice(x, 0, 0, -1).to_vector() == Floats{0, 1, 2, 3});
  CHECK(slice(x, 0, -99, 99, 3).to_vector() == Floats{0, 3});
  CHECK(slice(x, 0, 4, 2).numel() == 0);
  CHECK(select(x, 0, -1).item() == 4);
  CHECK(split(x, 2, 0).size() == 3);
  CHECK(split(x, 2, 0)[2].to_vector() == Floats{4});
}

TEST_CASE("wrong arguments are errors that name the operation and the shapes") {
  const auto x = counting({2, 3});
  CHECK(contains(message([&] { reshape(x, {4, 2}); }), "[reshape] (2, 3)"));
  CHECK(contains(message([&] { reshape(x, {-1, -1}); }), "one size at most"));
  CHECK(contains(message([&] { reshape(x, {-1, 4}); }), "cannot become"));
  CHECK(contains(message([&] { reshape(counting({0}), {-1, 0}); }), "cannot become"));
  CHECK(contains(message([&] { permute(x, {0, 0}); }), "twice"));
  CHECK(contains(message([&] { permute(x, {0}); }), "[permute]"));
  CHECK(contains(message([&] { squeeze(x, 0); }), "not of size 1"));
  CHECK(contains(message([&] { expand(x, {3, 3}); }), "size 2 cannot become 3"));
  CHECK(contains(message([&] { expand(x, {3}); }), "lower rank"));
  CHECK(contains(message([&] { narrow(x, 1, 2, 2); }), "[narrow] 2 elements from 2"));
  CHECK(contains(message([&] { narrow(x, 2, 0, 1); }), "out of range"));
  CHECK(contains(message([&] { narrow(x, 0, INT64_MAX, 1); }), "[narrow]"));
  CHECK(contains(message([&] { select(x, 0, 2); }), "[select]"));
  CHECK(contains(message([&] { split(x, std::vector<Index>{1, 1}, 1); }), "[split]"));
  CHECK(contains(message([&] { chunk(x, 2, 1); }), "equal parts"));
  CHECK(contains(message([&] { concat({x, counting({3, 3})}, 1); }), "tensor 1 is (3, 3)"));
  CHECK(contains(message([&] { stack({x, counting({3, 3})}); }), "[stack]"));
  CHECK(contains(message([&] { pad(x, {1}, {1}); }), "one entry a dimension"));
  CHECK(contains(message([&] { pad(x, 0, -1, 0); }), "narrow() crops"));
  CHECK(contains(message([&] { repeat(x, {2}); }), "[repeat]"));
  CHECK(contains(message([&] { transpose(counting({3})); }), "needs a matrix"));
  CHECK_THROWS_AS(concat(std::vector<Tensor<>>{}, 0), Error);
  CHECK_THROWS_AS(slice(x, 0, 0, 1, 0), Error);
}
