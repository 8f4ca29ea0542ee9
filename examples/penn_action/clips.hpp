#pragma once
/// Penn Action's clips, prepared for the network.

#include "common/clips.hpp"
#include "tmor/data/penn_action.hpp"

namespace penn {

/// Hidden joints keep the annotators' guess; ones in the image's corner are filled from the frames beside
/// them. Then the clip's box is put into [-1, 1]^2.
inline tmor::SkeletonSequence prepare(const tmor::data::PennClip& clip) {
  tmor::SkeletonSequence s = clip.sequence();
  tmor::fill_gaps_(s);
  tmor::normalize_box_(s);
  return s;
}

inline task::ClipSet read_clips(const std::string& directory) {
  task::ClipSet out{tmor::data::penn_actions(),
                    {},
                    "Penn Action",
                    "manual 2-D poses (13 joints)",
                    "official train/test flags of the clips given"};
  for (const auto& c : tmor::data::read_penn_action(directory).clips)
    out.clips.push_back({c.id, prepare(c), c.label, c.train});
  return out;
}

}  // namespace penn
