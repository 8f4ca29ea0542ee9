#include "tmor/train/fine_tune.hpp"

#include <doctest/doctest.h>

#include "support/tiny_models.hpp"

using namespace tmor;
using namespace test;

namespace {

/// 32 clips of 8 frames: of class 1 a joint moves up, of class 0 down.
train::LabelledClips clips_of(std::span<const Index> which) {
  std::vector<float> x;
  std::vector<Index> y;
  for (const Index i : which) {
    y.push_back(i % 2);
    Rng noise(static_cast<std::uint64_t>(i));
    for (Index t = 0; t < 8; ++t)
      for (Index v = 0; v < 8; ++v)
        x.push_back(static_cast<float>((v == 3 ? (i % 2 ? 0.3 : -0.3) * static_cast<double>(t) : 0.0) +
                                       0.1 * noise.normal()));
  }
  return {Tensor<>::from(x, {std::ssize(which), 1, 8, 4, 2}), {}, Tensor<Index>::from(y)};
}

double accuracy_of(const train::SkeletonClassifier<>& m) {
  NoGrad guard;
  std::vector<Index> other;
  for (Index i = 100; i < 132; ++i) other.push_back(i);
  const auto b = clips_of(other);
  const auto guess = argmax(m(b.x, Context{}), 1).to_vector(), truth = b.labels.to_vector();
  double right = 0;
  for (std::size_t i = 0; i < guess.size(); ++i) right += guess[i] == truth[i];
  return right / static_cast<double>(guess.size());
}

}  // namespace

TEST_CASE("fine_tune learns what the labels say, and leaves the encoder it was given as it was") {
  Rng rng(1);
  const models::SkeletonEncoder<> encoder(rng, tiny_unik());
  const auto before = train::deep_copy(encoder);
  const auto make = [](const data::BatchPlan& plan) { return clips_of(plan.samples); };
  const auto tuned =
      train::fine_tune(encoder, 2, 32, make, {.epochs = 20, .batch = 8, .lr = 1e-2, .quiet = true});
  CHECK(accuracy_of(tuned) >= 0.95);
  const auto again =
      train::fine_tune(encoder, 2, 32, make, {.epochs = 20, .batch = 8, .lr = 1e-2, .quiet = true});

  const auto b = clips_of(std::vector<Index>{1, 2, 3});
  NoGrad guard;
  CHECK(encoder(b.x, Context{}).pooled.to_vector() == before(b.x, Context{}).pooled.to_vector());
  CHECK(tuned.encoder(b.x, Context{}).pooled.to_vector() != before(b.x, Context{}).pooled.to_vector());

  CHECK(again(b.x, Context{}).to_vector() == tuned(b.x, Context{}).to_vector());
}

TEST_CASE("fine_tune refuses what cannot be trained") {
  Rng rng(1);
  const models::SkeletonEncoder<> encoder(rng, tiny_unik());
  const auto make = [](const data::BatchPlan& plan) { return clips_of(plan.samples); };
  CHECK_THROWS_WITH_AS(train::fine_tune(encoder, 1, 32, make), doctest::Contains("nothing to tell apart"),
                       Error);
  CHECK_THROWS_AS(train::fine_tune(encoder, 2, 0, make), Error);
}
