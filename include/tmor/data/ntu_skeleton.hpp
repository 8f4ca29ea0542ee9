#pragma once
/// @file ntu_skeleton.hpp
/// The text format of NTU RGB+D's `.skeleton` files, which UAV-Human shares: the number of frames; for each
/// the number of bodies; for each body ten numbers, the number of joints, and for each joint twelve numbers,
/// x y z first. A frame without anybody is a 0 alone.

#include "tmor/io/file.hpp"
#include "tmor/io/words.hpp"
#include "tmor/skeleton/repair.hpp"
#include "tmor/skeleton/sequence.hpp"

TMOR_BEGIN
namespace data {

struct NtuSkeletonOptions {
  Index channels = 3;  ///< 2 drops z
  Index read = 4;      ///< bodies of a frame that are looked at, in the order of the file
  Index keep = 2;      ///< of those, how many with the most motion stay; 0: all
  Index max_frames = 100'000;
};

/// Bodies of a frame go to the persons by their order in it. Joints at (0, 0, 0) are missing, and frames
/// without a body stay empty.
/// @throws IoError with the line for a text that ends early or goes on, another number of joints than the
/// layout's, coordinates that are infinite or NaN, more frames than `max_frames`.
inline SkeletonSequence parse_ntu_skeleton(std::string_view text, std::string_view name, LayoutPtr layout,
                                           const NtuSkeletonOptions& o = {}) {
  io::WordReader in(text, name);
  const Index frames = in.integer("the number of frames", 1, o.max_frames);
  const Index joints = layout->size();
  auto s = SkeletonSequence::make(std::move(layout), o.read, frames, o.channels);
  for (Index t = 0; t < frames; ++t) {
    const Index bodies = in.integer("the number of bodies", 0, 100);
    for (Index m = 0; m < bodies; ++m) {
      for (int k = 0; k < 10; ++k) in.word("a number of the body");
      const Index count = in.integer("the number of joints", 0, 1000);
      if (count != joints) in.fail("frame ", t, ", body ", m, ": ", count, " joints, want ", joints);
      for (Index v = 0; v < joints; ++v) {
        double xyz[3];
        for (double& x : xyz) x = in.number("a coordinate");
        for (int k = 3; k < 12; ++k) in.word("a number of the joint");
        if (m >= o.read) continue;
        for (Index c = 0; c < o.channels; ++c) s.point(m, t, v)[c] = static_cast<float>(xyz[c]);
        *s.state(m, t, v) = kObserved;
      }
    }
  }
  if (in.more()) in.fail("more text after the last of ", frames, " frames");
  s.mark_zeros_missing_();
  for (const float x : s.xyz)
    if (!is_finite(x)) in.fail("a coordinate is too large");
  return o.keep > 0 ? keep_most_active(s, o.keep) : s;
}

/// @throws IoError
inline SkeletonSequence read_ntu_skeleton(const std::string& path, LayoutPtr layout,
                                          const NtuSkeletonOptions& o = {}) {
  return parse_ntu_skeleton(io::read_file(path, std::size_t{1} << 28), path, std::move(layout), o);
}

}  // namespace data
TMOR_END
