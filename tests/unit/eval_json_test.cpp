#include <doctest/doctest.h>

#include "tmor/eval/to_json.hpp"

using namespace tmor;
using doctest::Approx;
using eval::to_json;

namespace {

/// Class c lies along axis c; class 0 has half of the samples.
eval::Features features() {
  eval::Features f{{}, {0, 0, 0, 0, 1, 1, 2, 2}, 3};
  std::vector<float> x;
  for (const Index y : f.y)
    for (Index d = 0; d < 3; ++d) x.push_back(d == y ? 1 : 0.1f * static_cast<float>(d));
  f.x = Tensor<>::from(x, {8, 3});
  return f;
}

bool complete(const io::Json& j) {
  return j.contains("protocol") && j["protocol"].is_string() && j.contains("chance");
}

}  // namespace

TEST_CASE("every protocol on samples becomes a section with protocol, chance and seeds") {
  const auto f = features();
  const eval::LinearProbeOptions probe{.lambdas = {0.1}, .seed = 3};
  const auto linear = to_json(eval::linear_probe(f, f, probe), f, probe);
  CHECK(complete(linear));
  CHECK(linear["top1"] == 1.0);
  CHECK(linear["seeds"] == io::Json{3});
  CHECK(linear["chance"].get<double>() == Approx(1.0 / 3));
  CHECK(linear["majority"] == 0.5);

  const eval::FewShotOptions few{
      .shots = {1, 4}, .seeds = 3, .seed = 5, .head = eval::FewShotHead::kNearestMean};
  const auto shots = to_json(eval::few_shot(f, f, few), f, few);
  CHECK(complete(shots));
  CHECK(shots["1"]["mean"] == 1.0);
  CHECK(shots["1"]["std"] == 0.0);
  CHECK(shots["4"]["top1"].size() == 3);
  CHECK(shots["4"]["short_classes"] == 2);
  CHECK(shots["seeds"] == io::Json{5, 6, 7});

  const auto zero = to_json(eval::zero_shot(f, Tensor<>::from({1, 0, 0, 0, 1, 0, 0, 0, 1}, {3, 3})), f);
  CHECK(complete(zero));
  CHECK(zero["top1"] == 1.0);
  const auto nn = to_json(eval::nearest_neighbour(f, f), f);
  CHECK(complete(nn));
  CHECK(nn["samples"] == 8);
}

TEST_CASE("retrieval and detection as sections") {
  const auto f = features();
  const auto r = to_json(eval::tri_modal_retrieval(f.x, {}, f.x, f.y));
  CHECK(r["protocol"].is_string());
  CHECK(r["s2t"]["r1"] == 1.0);
  CHECK(r["t2s"]["chance"]["r1"].get<double>() == Approx((0.5 * 4 + 0.25 * 4) / 8));
  CHECK(r["s2v"].is_null());

  const std::vector<eval::DetectionSequence> test = {
      {Tensor<>::from({1, 0, 0, 1, 1, 0}, {3, 2}), {"a", 3, {{0, 0, 3}}}}};
  const eval::DetectionOptions o{.policies = {"tsu", "all-steps", "charades-official"}};
  const auto result = eval::zero_shot_detection(test, Tensor<>::from({1, 0, 0, 1}, {2, 2}), o.policies);
  const auto d = to_json(result, o);
  CHECK(complete(d));
  CHECK(d["policy"] == "tsu");
  CHECK(d["map"] == d["policies"]["tsu"]["map"]);
  CHECK(d["policies"]["all-steps"]["map"].get<double>() == Approx(d["map"].get<double>() / 2));
  const auto text = io::json_text(d["policies"]["charades-official"]);  // a class without positives
  CHECK(text.find("\"map\":null") != std::string::npos);
  CHECK_THROWS_AS(to_json(result), Error);
}
