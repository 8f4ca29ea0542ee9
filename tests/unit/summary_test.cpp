#include "tmor/nn/summary.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "tmor/ops/matmul.hpp"

using namespace tmor;
using test::contains;

namespace {
struct Layer {
  Tensor<> w, b;
  static void visit(auto& self, auto&& v) {
    v.param("w", self.w);
    v.param("b", self.b, no_decay);
  }
};
struct Net {
  Layer first{Tensor<>::ones({30, 50}).requires_grad_(), Tensor<>::ones({50}).requires_grad_()};
  Layer second{Tensor<>::ones({50, 2}), {}};
  Tensor<> tied = first.w, mean = Tensor<>::zeros({3});
  static void visit(auto& self, auto&& v) {
    v.module("first", self.first);
    v.module("second", self.second);
    v.param("tied", self.tied);
    v.buffer("mean", self.mean);
  }
};
}  // namespace

TEST_CASE("the summary names every tensor and adds up") {
  const Net net;
  const auto text = summary(net, [&] {
    matmul(matmul(Tensor<>::zeros({10, 30}), net.first.w), net.second.w);
  });
  CHECK(contains(text, "first.w   (30, 50)  decay      1,500\n"));
  CHECK(contains(text, "first.b   (50,)     no decay      50\n"));
  CHECK(contains(text, "second.w  (50, 2)   frozen       100\n"));
  CHECK(contains(text, "tied      (30, 50)  tied       1,500\n"));
  CHECK(contains(text, "mean      (3,)      buffer         3\n"));
  CHECK(contains(text, "parameters: 1,650 (1,550 trained); buffers: 3\n"));
  CHECK(contains(text, "one forward pass: 32 kFLOP\n"));
}

TEST_CASE("flops are counted per thread and scope") {
  FlopCounter outer;
  {
    const FlopCounter inner;
    detail::count_flops(5);
    CHECK(inner.count() == 5);
  }
  detail::count_flops(2);
  CHECK(outer.count() == 7);
}
