#pragma once
/// @file run_dir.hpp
/// The folder of a run: config.json, log.jsonl, checkpoints, metrics.json, report.html.

#include <string>
#include <vector>

#include "tmor/train/checkpoint.hpp"

TMOR_BEGIN
namespace train {

/// What to do with a folder that holds a run already.
enum class RunStart {
  fresh,     ///< refuse
  resume,    ///< continue it; where there is none, begin
  overwrite  ///< delete its files first
};

/// Makes or opens the folder of a run and writes its config.json.
class RunDir {
 public:
  /// @throws Error when the folder holds a run and `start` is fresh; IoError when it cannot be written.
  RunDir(const std::string& path, RunStart start, const io::Json& config) : path_(path) {
    TMOR_CHECK(!path.empty(), "the folder of a run needs a name: give --out DIR");
    io::make_directories(path);
    const auto found = run_files();
    if (start == RunStart::fresh)
      TMOR_CHECK(found.empty(), "'", path, "' already holds a run (", found[0],
                 "): continue it with --resume, delete it with --overwrite, or choose another --out");
    if (start == RunStart::overwrite)
      for (const auto& name : found)
        if (::unlink(file(name).c_str()) != 0) io::detail::fail_errno("delete", file(name), errno);
    if (start == RunStart::resume && io::exists(file("config.json")))
      note_changes(io::read_json(file("config.json")), config);
    io::write_json(file("config.json"), config);
  }

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  /// Of a resumed run: the settings that differ from those it was started with, as "lr: 0.1 was 0.2".
  const std::vector<std::string>& changed() const { return changed_; }
  /// The result of the run. @throws IoError
  void write_metrics(const io::Json& metrics) const { io::write_json(file("metrics.json"), metrics); }

 private:
  std::vector<std::string> run_files() const {
    std::vector<std::string> found;
    for (const char* name :
         {"config.json", "log.jsonl", "metrics.json", "report.html", "checkpoint.safetensors",
          "checkpoint.prev.safetensors", "checkpoint.next.safetensors", "checkpoint.safetensors.damaged",
          "best.safetensors"})
      if (io::exists(file(name))) found.push_back(name);
    return found;
  }
  void note_changes(const io::Json& before, const io::Json& now) {
    if (!before.is_object() || !now.is_object()) return;
    for (const auto& [key, value] : now.items())
      if (before.contains(key) && before[key] != value)
        changed_.push_back(detail::cat(key, ": ", io::json_text(value), " was ", io::json_text(before[key])));
  }

  std::string path_;
  std::vector<std::string> changed_;
};

}  // namespace train
TMOR_END
