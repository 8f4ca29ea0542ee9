#include "tmor/eval/retrieval.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "tmor/core/rng.hpp"

using namespace tmor;
using doctest::Approx;
using test::contains;
using test::message;

namespace {

Tensor<> noise(Index n, Index d, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> v(static_cast<std::size_t>(n * d));
  for (float& x : v) x = static_cast<float>(rng.normal());
  return Tensor<>::from(v, {n, d});
}

const std::vector<Index> kFour = {0, 1, 2, 3};

}  // namespace

TEST_CASE("the chance of a random order, by hand") {
  RetrievalRanks r;
  r.items = 4, r.ranks = {1, 1}, r.right = {1, 2};
  CHECK(r.chance_at(1) == Approx((0.25 + 0.5) / 2));
  CHECK(r.chance_at(2) == Approx((0.5 + (1 - 0.5 / 3)) / 2));  // wrong twice: 2/4 * 1/3
  CHECK(r.chance_at(3) == Approx((0.75 + 1) / 2));
  CHECK(r.chance_at(10) == 1);
  CHECK_THROWS_AS(r.chance_at(0), Error);
}

TEST_CASE("six directions between three sides, by hand") {
  const auto s = Tensor<>::from({1, 0, 0, 1, -1, 0, 0, -1}, {4, 2}), t = s;
  // Videos 0 and 1 are swapped.
  const auto v = Tensor<>::from({0, 2, 2, 0, -2, 0, 0, -2}, {4, 2});
  const auto r = eval::tri_modal_retrieval(s, v, t);
  REQUIRE(r.directions.size() == 6);
  CHECK(r.directions[0].name == "s2t");
  CHECK(r.directions[5].name == "t2v");
  CHECK(r.find("s2t")->r1 == 1);
  CHECK(r.find("t2s")->median_rank == 1);
  for (const char* d : {"s2v", "v2s", "v2t", "t2v"}) {
    CAPTURE(d);
    CHECK(r.find(d)->r1 == 0.5);
    CHECK(r.find(d)->r5 == 1);
    CHECK(r.find(d)->chance_r1 == 0.25);
    CHECK(r.find(d)->queries == 4);
  }
  CHECK(contains(r.protocol, "4 samples of 4 groups"));
  // With 0 and 1 of one group nothing is wrong any more.
  const auto grouped = eval::tri_modal_retrieval(s, v, t, std::vector<Index>{5, 5, 6, 7});
  CHECK(grouped.find("s2v")->r1 == 1);
  CHECK(grouped.find("s2v")->chance_r1 == Approx((0.5 + 0.5 + 0.25 + 0.25) / 4));
}

TEST_CASE("a missing side leaves out its directions; what does not fit is refused") {
  const auto x = noise(4, 3, 1);
  const auto r = eval::tri_modal_retrieval(x, {}, x);
  CHECK(r.directions.size() == 2);
  CHECK(r.find("s2v") == nullptr);
  CHECK(contains(message<Error>([&] { eval::tri_modal_retrieval(x, {}, {}); }), "1 of three sides"));
  CHECK_THROWS_AS(eval::tri_modal_retrieval(x, noise(4, 2, 1), x), ShapeError);
  CHECK_THROWS_AS(eval::tri_modal_retrieval(x, noise(5, 3, 1), x), ShapeError);
  CHECK_THROWS_AS(eval::tri_modal_retrieval(x, x, x, std::vector<Index>{1, 2}), ShapeError);
  CHECK_THROWS_AS(eval::tri_modal_retrieval(x, Tensor<>::zeros({4, 3}), x), Error);
}

TEST_CASE("large sets are ranked in blocks, with the figures of the whole matrix") {
  const Index n = 1500;
  const auto a = noise(n, 4, 1), b = a + noise(n, 4, 2) * 0.3f;
  std::vector<Index> groups;
  for (Index i = 0; i < n; ++i) groups.push_back(i / 2);
  const auto blocks = eval::retrieval(a, groups, b, groups).a_to_b;
  const auto whole =
      retrieval_ranks(eval::nearness(a, b, eval::Nearness::kCosine).to_vector(), groups, groups);
  CHECK(blocks.queries == n);
  CHECK(blocks.r1 == whole.recall_at(1));
  CHECK(blocks.r10 == whole.recall_at(10));
  CHECK(blocks.median_rank == whole.median_rank());
  CHECK(blocks.chance_r1 == Approx(2.0 / static_cast<double>(n)));
}
