// The same weights, data and settings as tests/golden/peer_training/make.py: 50 steps of training give
// PyTorch's losses.

#include <doctest/doctest.h>

#include "../../bench/models/peer_network.hpp"
#include "../support/files.hpp"
#include "../support/numbers.hpp"
#include "tmor/io/json.hpp"
#include "tmor/losses/regression.hpp"
#include "tmor/optim/adamw.hpp"

using namespace tmor;
using support::hashed;

namespace {

/// Fills `t`, walked in row-major order with indices (i, j, k, l) of its shape after ones in front, with the
/// elements `at(i, j, k, l)` of tensor `number` in PyTorch's layout.
template <class At> void fill(const Tensor<>& t, Index number, double low, double high, At at) {
  Shape s = Shape::filled(4, 1);
  for (int d = 0; d < t.rank(); ++d) s[4 - t.rank() + d] = t.shape()[d];
  float* out = t.mutable_data();
  for (Index i = 0; i < s[0]; ++i)
    for (Index j = 0; j < s[1]; ++j)
      for (Index k = 0; k < s[2]; ++k)
        for (Index l = 0; l < s[3]; ++l) *out++ = hashed(number, at(i, j, k, l), low, high);
}

bool ends_with(const std::string& name, const char* end) {
  const std::string e = end;
  return name.size() >= e.size() && name.compare(name.size() - e.size(), e.size(), e) == 0;
}

/// The weights of the golden run: parameters are numbered in visiting order.
void set_weights(const peer::SkeletonEncoder& model, Index joints) {
  Index number = 0;
  for (const auto& p : parameters(model)) {
    const auto& t = p.tensor;
    const Index rows = t.size(-2 < -t.rank() ? -1 : -2), cols = t.size(-1);
    const auto flat = [&](Index, Index j, Index k, Index l) { return (j * rows + k) * cols + l; };
    const auto bound = [](Index fan_in) { return 1 / std::sqrt(static_cast<double>(fan_in)); };
    const auto weight = [&](Index fan_in, auto at) { fill(t, number, -bound(fan_in), bound(fan_in), at); };
    if (p.name == "bn.gamma" || p.name == "bn.beta") {  // (v, c) here, (c, v) there
      const double middle = p.name == "bn.gamma" ? 1 : 0;
      fill(t, number, middle - 0.1, middle + 0.1,
           [&](Index, Index, Index, Index i) { return i % 3 * joints + i / 3; });
    } else if (ends_with(p.name, "gamma")) {
      fill(t, number, 0.9, 1.1, flat);
    } else if (ends_with(p.name, "beta") || ends_with(p.name, ".b") || ends_with(p.name, "proj_b")) {
      fill(t, number, -0.1, 0.1, flat);
    } else if (ends_with(p.name, "mix")) {
      weight(joints, flat);
    } else if (ends_with(p.name, "proj_w")) {  // (heads, in, out) here, (heads, out, in) there
      weight(rows, [&](Index, Index h, Index in, Index out) { return (h * cols + out) * rows + in; });
    } else if (ends_with(p.name, "tc.w")) {  // (taps, in, out) here, (out, in, taps) there
      const Index taps = t.size(0);
      weight(taps * rows,
             [&](Index, Index tap, Index in, Index out) { return (out * rows + in) * taps + tap; });
    } else {
      weight(cols, flat);  // a Linear's
    }
    ++number;
  }
}

}  // namespace

TEST_CASE("fifty steps of training follow PyTorch's") {
  const io::Json golden = io::read_json(test::golden("peer_training/losses.json"));
  const auto size = [&](const char* name) { return golden[name].get<Index>(); };
  const Index joints = size("joints"), frames = size("frames"), batch = size("batch"), embed = size("embed");
  Rng rng(0);
  const peer::SkeletonEncoder model(rng, joints, size("heads"), embed, 10, size("width"));
  set_weights(model, joints);
  optim::AdamW opt(parameters(model), {.lr = golden["lr"].get<double>(),
                                       .eps = golden["eps"].get<double>(),
                                       .rules = {{"", 1, golden["weight_decay"].get<double>()}}});
  const auto expected = golden["losses"].get<std::vector<double>>();
  REQUIRE(std::ssize(expected) == size("steps"));
  double worst = 0;
  for (Index step = 0; step < size("steps"); ++step) {
    const Index number = 1000 + 2 * (step % size("batches"));
    const auto x = Tensor<>::empty({batch, frames, joints, 3}), target = Tensor<>::empty({batch, embed});
    fill(x, number, -1, 1, [&](Index n, Index t, Index v, Index c) {  // (batch, 3, frames, joints) there
      return ((n * 3 + c) * frames + t) * joints + v;
    });
    fill(target, number + 1, -1, 1, [&](Index, Index, Index n, Index i) { return n * embed + i; });
    const auto loss = loss::mse(l2_normalize(model(x, Context{true})), l2_normalize(target));
    backward(loss);
    opt.step();
    const double want = expected[static_cast<std::size_t>(step)], got = static_cast<double>(loss.item());
    CAPTURE(step);
    CHECK(std::abs(got - want) <= 1e-4 * want);
    worst = std::max(worst, std::abs(got - want) / want);
  }
  MESSAGE("largest relative difference ", worst);
}
