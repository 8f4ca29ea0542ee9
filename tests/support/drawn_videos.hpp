#pragma once
/// Generated videos drawn on a device, beside the CPU's pictures.

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "tmor/data/synth.hpp"
#include "tmor/ops/views.hpp"

namespace test {

/// No byte is off by more than one, and hardly any at all.
template <class Device> void check_drawn_videos() {
  using namespace tmor;
  namespace synth = data::synth;
  synth::SynthOptions o;
  o.video_frames = 3, o.width = 48, o.height = 40;
  const synth::SynthSet set(o, 2, 30);
  const std::vector<Index> samples{4, 0, 7, 21, 22};
  const auto drawn = synth::draw_videos<Device>(set, samples);
  REQUIRE(drawn.shape() == Shape{5, 3, 40, 48, 3});
  const auto got = drawn.to_vector();
  std::size_t at = 0, off = 0;
  bool covered = false, shaken = false;
  for (const Index i : samples) {
    for (const auto& picture : set.pictures(i)) {
      covered |= !picture.covers.empty();
      shaken |= picture.shift_x != 0;
    }
    for (const io::Pixels& picture : set(i).video)
      for (const std::uint8_t want : picture.rgb) {
        const float byte = (got[at++] + 1) * 127.5f;
        CHECK(std::abs(byte - std::round(byte)) < 1e-3f);
        const float difference = std::abs(std::round(byte) - static_cast<float>(want));
        if (difference > 1) CHECK(difference <= 1);
        off += difference > 0;
      }
  }
  CHECK(at == got.size());
  CHECK(covered);
  CHECK(shaken);
  CHECK(off * 1000 < at);
}

}  // namespace test
