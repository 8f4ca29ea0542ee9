#include <doctest/doctest.h>

#include "tmor/ops/conv.hpp"
#include "tmor/ops/joint_mix.hpp"
#include "tmor/ops/matmul.hpp"
#include "tmor/ops/random.hpp"

using namespace tmor;

namespace {

/// f with the tape on, where weights are packed for each call, against two calls without, where they are
/// kept.
template <class F> void same_bits(F&& f) {
  const auto expected = f().to_vector();
  NoGrad guard;
  CHECK(f().to_vector() == expected);
  CHECK(f().to_vector() == expected);
}

struct Kept final : Derived {};

}  // namespace

TEST_CASE("what is kept with a block of memory is gone when the contents change") {
  const auto t = Tensor<>::zeros({4});
  Storage& s = *t.body().storage;
  const DerivedKey a{1}, b{2};
  const auto first = make_ref<Kept>(), second = make_ref<Kept>();
  s.keep(a, Ref<Derived>(first.get()));
  CHECK(s.kept(a).get() == first.get());
  CHECK_FALSE(s.kept(b));
  s.keep(b, Ref<Derived>(second.get()));
  CHECK(s.kept(a).get() == first.get());
  CHECK(s.kept(b).get() == second.get());
  t.mutable_data();
  CHECK_FALSE(s.kept(a));
  CHECK_FALSE(s.kept(b));
  s.keep(b, Ref<Derived>(second.get()));
  CHECK(first->use_count() == 1);  // the stale one was let go
  CHECK(s.kept(b).get() == second.get());
}

TEST_CASE_TEMPLATE("products without tape keep packed weights, until they change", T, float, double) {
  Rng rng(1);
  const auto draw = [&](const Shape& shape) { return normal<T>(rng, shape); };
  const auto x = draw({2, 21, 5, 40});
  const auto conv = draw({5, 40, 48}), mix = draw({3, 5, 5}), weight = draw({3, 40, 48}),
             dense = draw({48, 40});
  const auto bias = draw({48}), joint_bias = draw({5, 48});
  const std::vector<Tensor<T>> weights{conv, weight, dense};
  for (int round = 0; round < 2; ++round) {
    for (const auto& w : weights) w.requires_grad_();
    same_bits([&] { return conv_time(x, conv, {.stride = 2, .pad = 2}, bias); });
    same_bits([&] { return conv_time(x, conv, {.pad = 2}); });
    same_bits([&] { return joint_mix(x, mix, weight, joint_bias); });
    same_bits([&] { return joint_mix(x, mix, weight); });
    same_bits([&] { return linear(x, dense, bias, Activation::relu); });
    same_bits([&] { return linear(narrow(x, 1, 0, 1), dense); });
    for (const auto& w : weights) copy_into(Cpu{}, w, draw(w.shape()));
  }
}

TEST_CASE("views of one block of memory are packed each for itself") {
  Rng rng(2);
  const auto both = normal(rng, {6, 4}), x = normal(rng, {5, 4});
  const auto top = narrow(both, 0, 0, 3), bottom = narrow(both, 0, 3, 3);
  const auto a = linear(x, top).to_vector(), b = linear(x, bottom).to_vector(),
             c = linear(x, both).to_vector();
  NoGrad guard;
  for (int i = 0; i < 2; ++i) {
    CHECK(linear(x, top).to_vector() == a);
    CHECK(linear(x, bottom).to_vector() == b);
    CHECK(linear(x, both).to_vector() == c);
  }
}
