#pragma once
/// The options of this program.

#include "common/training.hpp"

namespace penn {

struct Settings : task::Training {
  std::string split = "all";
  tmor::Index runs = 1;
  double describe = 0.6, instance = 0;
};

inline void add_options(cli::Program& p, Settings& o) {
  p.option("--describe", o.describe,
           "share of captions that describe the motion instead of naming the action (contrastive)")
      .check(cli::in_range(0.0, 1.0));
  p.option("--instance", o.instance,
           "weight of a contrast between two random views of each clip (contrastive); 0: none")
      .check(cli::at_least(0.0));
  p.choice("--split", o.split, {"all", "0", "1", "2"}, "which seen/unseen split (contrastive)");
  p.option("--runs", o.runs, "seeds a split, from --seed on (contrastive)")
      .check(cli::at_least<tmor::Index>(1));
  o.common.epochs = 90;
  o.protocol = "penn-action";
  task::add_options(p, o, "folder with labels/*.mat in the official layout", {"contrastive"});
}

}  // namespace penn
