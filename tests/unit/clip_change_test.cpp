#include "tmor/skeleton/clip_change.hpp"

#include <doctest/doctest.h>

#include "support/clip_changes.hpp"
#include "support/numbers.hpp"
#include "tmor/skeleton/augment_batch.hpp"

using namespace tmor;

TEST_CASE("changes of a batch are those of sequences") {
  test::check_changes<Cpu>("penn13", 2);
  test::check_changes<Cpu>("ntu25", 3);
}

TEST_CASE("a batch is augmented as its clips would be") {
  test::check_augment<Cpu>("penn13", 2);
  test::check_augment<Cpu>("ntu25", 3);
}

TEST_CASE("noise and drops belong to the clip") { test::check_noise_and_drops<Cpu>(); }

TEST_CASE("a batch is normalised as its clips would be") { test::check_normalize_box<Cpu>(); }

TEST_CASE("the same bits with any number of threads") {
  Rng rng(1);
  const auto clips = test::random_clips(rng, "ntu25", 3, 8, 40);
  const auto b = collate<Cpu>(clips);
  const std::vector<Index> ids{0, 1, 2, 3, 4, 5, 6, 7};
  const Augmentation a{.noise = 0.1, .joint_drop = 0.1};
  const auto with = [&](int threads) {
    const support::Threads guard(threads);
    return augment(b, *clips[0].layout, a, Rng(2), ids, {.low = 0.5}).x.to_vector();
  };
  CHECK(with(1) == with(3));
}

TEST_CASE("augmentation of batches refuses what makes no sense") {
  Rng rng(1);
  const auto clips = test::random_clips(rng, "penn13", 2, 2, 6);
  const auto b = collate<Cpu>(clips);
  const auto& layout = *clips[0].layout;
  std::vector<ClipChange> changes(2);
  CHECK_THROWS_AS(change_clips(b, *joint_layout("ntu25"), changes, 6), ShapeError);
  CHECK_THROWS_AS(change_clips(b, layout, std::span(changes).first(1), 6), ShapeError);
  CHECK_THROWS_AS(change_clips(b, layout, changes, 0), ShapeError);
  CHECK_THROWS_AS(change_clips<Cpu>({b.x, narrow(b.known, 2, 0, 3), b.present}, layout, changes, 6),
                  ShapeError);
  changes[1].stretch = {3, 4};
  CHECK_THROWS_AS(change_clips(b, layout, changes, 6), Error);
  changes[1] = {};
  changes[0].frame_drop = 1.5f;
  CHECK_THROWS_AS(change_clips(b, layout, changes, 6), Error);
  CHECK_THROWS_AS(augment(b, layout, {}, rng, std::vector<Index>{1}), ShapeError);
  CHECK_THROWS_AS(augment(b, layout, {.mirror = 2}, rng, std::vector<Index>{1, 2}), Error);
  CHECK_THROWS_AS(augment(b, layout, {}, rng, std::vector<Index>{1, 2}, {.low = 0}), Error);
  const auto x = clone(b.x).requires_grad_();
  changes[0] = {};
  CHECK_THROWS_AS(change_clips<Cpu>({x, b.known, b.present}, layout, changes, 6), Error);
}
