#pragma once
/// How the programs run `tmor::train::Loop`.

#include <algorithm>
#include <iterator>
#include <string>

#include "tmor/train/loop.hpp"

namespace task {

using tmor::Index;

/// Of --precision.
inline tmor::train::Precision precision_of(const std::string& name) {
  const auto& names = tmor::train::kPrecisions;
  return static_cast<tmor::train::Precision>(std::find(std::begin(names), std::end(names), name) -
                                             std::begin(names));
}

/// One cycle of the learning rate over the whole run, `warm_up` of it rising. `Options` are those of a
/// program, with `common`, `lr`, `clip` and `ema`.
template <class Options, class Source>
tmor::train::LoopOptions loop_options(const Options& o, const Source& source, const std::string& out,
                                      Index validate_every, double warm_up = 0.2) {
  tmor::train::LoopOptions l;
  l.epochs = o.common.epochs;
  l.max_steps = o.common.max_steps;
  l.lr = o.lr;
  l.clip_norm = o.clip;
  l.ema_decay = o.ema;
  l.validate_every = validate_every;
  l.out = out;
  l.resume = o.common.resume;
  l.precision = precision_of(o.common.precision);
  l.schedule = tmor::optim::Schedule::one_cycle(tmor::train::total_steps(source, l), warm_up);
  return l;
}

/// A run that a signal ended is saved, but has no result.
inline void stop_if_interrupted(const tmor::train::LoopResult& r) {
  TMOR_CHECK(r.stopped_by == 0, "stopped by signal ", r.stopped_by, " at step ", r.steps,
             "; with --out, continue with --resume and the same options");
}

}  // namespace task
