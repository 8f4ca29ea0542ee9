#pragma once
/// @file logger.hpp
/// A log of one JSON object a line, readable while the run goes on.

#include <string>

#include "tmor/io/json.hpp"

TMOR_BEGIN
namespace train {

/// Appends lines to a file, each at once. The file is created where missing.
class JsonlLog {
 public:
  JsonlLog() = default;  ///< writes nothing
  /// @throws IoError when the file cannot be written.
  explicit JsonlLog(const std::string& path) : path_(path) {
    fd_ = io::detail::Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
    if (fd_.get() < 0) io::detail::fail_errno("write", path, errno);
  }
  /// Of a run resumed at `step`: first drops the lines of later steps (those with a "step" above it), which
  /// will be written again, and whatever is no JSON object, such as a last line cut short.
  static JsonlLog resumed(const std::string& path, Index step) {
    if (io::exists(path)) {
      const std::string text = io::read_file(path);
      std::string kept;
      for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        if (end == text.npos) break;
        const std::string line = text.substr(at, end - at);
        if (keep(line, path, step)) kept += line + "\n";
        at = end + 1;
      }
      if (kept != text) io::write_atomic(path, kept);
    }
    return JsonlLog(path);
  }

  /// Writes `line` and a newline in one piece. @throws IoError, for instance when the disk is full.
  void write(const io::Json& line) {
    if (fd_.get() < 0) return;
    const std::string text = io::json_text(line) + "\n";
    for (std::size_t at = 0; at < text.size();) {
      const auto put = ::write(fd_.get(), text.data() + at, text.size() - at);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) io::detail::fail_errno("write", path_, errno);
      at += static_cast<std::size_t>(put);
    }
  }

 private:
  static bool keep(const std::string& line, const std::string& path, Index step) {
    try {
      const io::Json j = io::parse_json(line, path);
      return j.is_object() && (!j.contains("step") || io::json_at<Index>(j, "step", path) <= step);
    } catch (const IoError&) {
      return false;
    }
  }

  std::string path_;
  io::detail::Descriptor fd_;
};

}  // namespace train
TMOR_END
