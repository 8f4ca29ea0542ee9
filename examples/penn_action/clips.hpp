#pragma once
/// Penn Action's clips, prepared for the network.

#include "common/clips.hpp"
#include "tmor/data/penn_action.hpp"

namespace penn {

/// Hidden joints keep the annotators' guess; ones in the image's corner are filled from the frames beside
/// them.
inline task::ClipSet read_clips(const std::string& directory) {
  task::ClipSet out{tmor::data::penn_actions(),
                    {},
                    "Penn Action",
                    "manual 2-D poses (13 joints)",
                    "official train/test flags of the clips given"};
  for (const auto& c : tmor::data::read_penn_action(directory).clips)
    out.clips.push_back({c.id, task::prepare(c.sequence(), "penn13"), c.label, c.train});
  return out;
}

}  // namespace penn
