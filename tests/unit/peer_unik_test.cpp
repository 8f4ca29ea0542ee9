// The encoder gives what bench/peers/models.py's Unik gives: weights, running statistics and input as in
// tests/golden/peer_unik/make.py.

#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "../support/numbers.hpp"
#include "tmor/io/json.hpp"
#include "tmor/models/skeleton/unik.hpp"

using namespace tmor;

namespace {

void fill(const Tensor<>& t, Index number, double low, double high) {
  float* out = t.mutable_data();
  for (Index i = 0; i < t.numel(); ++i) out[i] = support::hashed(number, i, low, high);
}

/// The range of a tensor's numbers, from what its name ends in.
std::pair<double, double> range(const std::string& name) {
  const std::vector<std::pair<const char*, std::pair<double, double>>> ranges = {
      {"gamma", {0.8, 1.2}},    {"beta", {-0.2, 0.2}},   {".b", {-0.2, 0.2}},
      {"time.w", {-0.3, 0.3}},  {"pool_query", {-1, 1}}, {"running_mean", {-0.3, 0.3}},
      {"running_var", {0.5, 2}}};
  for (const auto& [end, r] : ranges)
    if (name.ends_with(end)) return r;
  return {-0.5, 0.5};
}

}  // namespace

TEST_CASE("the skeleton encoder equals its PyTorch twin, evaluating and training") {
  const io::Json golden = io::read_json(test::golden("peer_unik/embed.json"));
  const auto size = [&](const char* name) { return golden[name].get<Index>(); };
  models::UnikConfig config{
      .joints = size("joints"), .in_channels = size("channels"), .heads = size("heads")};
  config.embed = size("embed");
  config.stages.clear();
  for (const auto& s : golden["stages"]) config.stages.push_back({s[0].get<Index>(), s[1].get<Index>()});
  Rng rng(0);
  models::Unik<> model(rng, config);
  Index parameter = 0, buffer = 500;
  const auto fill_next = [](Index& number) {
    return [&number](const std::string& name, const Tensor<>& t, auto...) {
      const auto [low, high] = range(name);
      fill(t, number++, low, high);
    };
  };
  visit_tensors(model, fill_next(parameter), fill_next(buffer));
  const auto x = Tensor<>::empty({size("batch"), 1, size("frames"), config.joints, config.in_channels});
  fill(x, 1000, -1, 1);

  NoGrad guard;
  for (const bool training : {false, true}) {
    const auto got = model(x, Context{training}).embed.to_vector();
    const auto want = golden[training ? "train" : "eval"].get<std::vector<double>>();
    REQUIRE(got.size() == want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      CAPTURE(i);
      CHECK(std::abs(static_cast<double>(got[i]) - want[i]) <= 1e-5 * std::max(1.0, std::abs(want[i])));
    }
  }
}
