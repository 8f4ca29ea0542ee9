#pragma once
/// A data set of trimmed clips under a protocol: read once, then trained on with labels, or looked at through
/// a frozen pre-trained encoder (linear probe, few-shot, zero-shot) beside that encoder untrained and nearest
/// neighbours on coordinates. The same for every program on trimmed clips.

#include <functional>
#include <string>
#include <vector>

#include "common/training.hpp"
#include "tmor/eval/clip_list.hpp"

namespace task {

using tmor::io::Json;

/// What a program knows of its data set.
struct ClipBenchmark {
  std::string poses;                                               ///< "manual 2-D poses (13 joints)"
  std::function<std::string(const std::string&)> file;             ///< where the poses of a clip are, by id
  std::function<tmor::SkeletonSequence(const std::string&)> read;  ///< of such a file
  Prepare prepare;       ///< as networks trained from scratch read clips
  std::string captions;  ///< prompts of the classes; "": made from their names
};

/// The clips of a list, prepared. Clips without a file or without anybody in it are an error, or, with
/// --allow-missing, listed on standard error and counted in `missing`.
std::vector<Clip> read_clips(const ClipBenchmark& b, const std::vector<tmor::eval::ListedClip>& listed,
                             const Prepare& prepare, const Training& o, Json& missing);

/// Runs `once(options, folder)` for every seed of --seeds. One: its result. Several: that of the first seed,
/// with "over_seeds" beside it, and a folder and a file of predictions for each.
Json over_seeds(const Training& o, const std::string& out,
                const std::function<Json(const Training&, const std::string&)>& once);

/// A whole program: with --score the file of predictions is measured, otherwise the mode is run.
void run_program(const cli::Program& program, const Training& o, const tmor::eval::Protocol& p,
                 const ClipBenchmark& b);

/// The same under the protocol that --protocol names; `prefix` may be left out of its name.
void run_program(const cli::Program& program, const Training& o, const std::string& prefix,
                 const ClipBenchmark& b);

}  // namespace task
