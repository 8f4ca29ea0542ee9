#pragma once
/// The protocols of examples/protocols by name, and predictions measured under one.

#include <string>
#include <vector>

#include "common/cli.hpp"
#include "tmor/eval/protocol.hpp"

namespace task {

using tmor::io::Json;

/// The protocol of a path ending in .json, or of a name in `folder`; `prefix` may be left out of the name
/// ("cs" for "smarthome-cs"). @throws UsageError naming the nearest one.
tmor::eval::Protocol find_protocol(const std::string& given, const std::string& prefix = "",
                                   const std::string& folder = TMOR_EXAMPLES "/protocols");

/// Class names as the protocol's list has them; "class 12" without a list. @throws IoError for another
/// number.
std::vector<std::string> class_names(const tmor::eval::Protocol& p, const std::string& data);

/// Puts the actions of TSU's CSV in `folder` (ID.csv, ...) in place of those that the protocol's file has; of
/// videos that are added to `without` there is none. No folder: no change.
void use_csv(std::vector<tmor::Timeline>& side, const std::vector<std::string>& classes,
             const std::string& folder, std::vector<std::string>& without);

/// Refuses that videos lack something, or says so where that is allowed. `what`: "poses"; `where` they were
/// looked for; `remedy`: what --allow-missing does.
void refuse_missing(const std::vector<std::string>& missing, bool allowed, const char* what,
                    const std::string& where, const char* remedy);

/// A fraction for people: "  97.35", or a dash for what has no value.
std::string percent(const Json& value);

/// The table of all frame policies of a result of `eval::score_frames`.
void print_frame_policies(const Json& r);

/// Measures the predictions of clips in the file `path` against the labels of the test side of `p`.
Json score_clip_file(const tmor::eval::Protocol& p, const std::string& data, const std::string& path,
                     bool allow_missing);

}  // namespace task
