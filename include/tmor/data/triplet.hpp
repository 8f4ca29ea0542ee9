#pragma once
/// @file triplet.hpp
/// One synchronized sample of the three modalities: a skeleton clip, the video it is seen in, and texts that
/// describe it. Generators and readers of all kinds return it; any modality may be missing.

#include <string>
#include <vector>

#include "tmor/io/pixels.hpp"
#include "tmor/skeleton/sequence.hpp"

TMOR_BEGIN
namespace data {

/// Frames [begin, end) of the skeleton clip show `action`.
struct Segment {
  Index begin = 0, end = 0;
  Index action = -1;
};

struct Triplet {
  std::string id;                  ///< unique in its data set; the basename of a shard's members
  SkeletonSequence skeleton;       ///< frames == 0: there is none
  std::vector<io::Pixels> video;   ///< equal sizes, evenly spaced over the skeleton's time; empty: there is none
  std::vector<float> features;     ///< (F, D) stored frame features instead of `video`; empty: there are none
  Index feature_dim = 0;           ///< D
  std::vector<std::string> texts;  ///< UTF-8, any one describes the clip; empty: there is none
  Index action = -1;               ///< class of the whole clip; -1: unknown, or a sequence of several
  std::vector<Segment> segments;   ///< frame labels, in order of begin; may leave gaps

  bool has_skeleton() const { return skeleton.frames > 0; }
  bool has_video() const { return !video.empty() || !features.empty(); }
  bool has_text() const { return !texts.empty(); }
};

}  // namespace data
TMOR_END
