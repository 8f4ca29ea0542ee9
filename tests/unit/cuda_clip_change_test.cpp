// Changes of skeleton batches on the emulated GPU.
#ifdef TMOR_CUDA_EMULATED
#include <doctest/doctest.h>

#include "support/clip_changes.hpp"
#include "tmor/cuda/cuda.cuh"
#include "tmor/ops/device.hpp"

using namespace tmor;

TEST_CASE("changes of a batch on the GPU are those of sequences") {
  test::check_changes<Cuda>("penn13", 2);
  test::check_changes<Cuda>("ntu25", 3);
  test::check_augment<Cuda>("penn13", 2);
  test::check_augment<Cuda>("ntu25", 3);
  test::check_noise_and_drops<Cuda>();
  test::check_normalize_box<Cuda>();
}

TEST_CASE("an augmented batch has the same bits on both devices") {
  Rng rng(1);
  const std::vector<Index> ids{0, 1, 2};
  for (const Index channels : {2, 3}) {
    const auto clips = test::random_clips(rng, "kinect20", channels, 3, 15);
    const Augmentation a{.noise = 0.1, .joint_drop = 0.2, .frame_drop = 0.1};
    const auto on = [&]<class D>(D) {
      return augment(collate<D>(clips), *clips[0].layout, a, Rng(2), ids, {.low = 0.4, .frames = 11});
    };
    const auto here = on(Cpu{});
    const auto there = on(Cuda{});
    CHECK(there.x.to_vector() == here.x.to_vector());
    CHECK(there.known.to_vector() == here.known.to_vector());
    CHECK(there.present.to_vector() == here.present.to_vector());
  }
}
#endif
