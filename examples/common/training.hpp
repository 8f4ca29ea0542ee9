#pragma once
/// The options of training that the programs on trimmed clips share.

#include <functional>
#include <string>
#include <vector>

#include "common/cli.hpp"
#include "common/clips.hpp"

namespace task {

struct Training {
  cli::Common common;
  std::string data, protocol, measure = "test", mode = "supervised", captions, score, export_to;
  std::string size = "small", predictions, stream = "early", init;
  bool scratch = false, allow_missing = false;
  Index batch = 32, validate_every = 10, seeds = 1, store = 0;
  double lr = 3e-3, weight_decay = 0.05, dropout = 0.2, label_smoothing = 0.1, ema = 0.998, clip = 5,
         holdout = 0, part = 1;
  InputOptions input;
};

/// `modes` besides those that every program has.
void add_options(cli::Program& p, Training& o, const std::string& data,
                 const std::vector<std::string>& more_modes = {});

/// Runs `body()`, which returns the result as JSON: the run folder before it, the time, metrics.json and what
/// is printed after it.
void run_and_report(const cli::Program& program, const Training& o,
                    const std::function<tmor::io::Json()>& body);

}  // namespace task
