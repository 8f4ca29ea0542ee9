#pragma once
/// @file progress.hpp
/// How far a run is, on standard error: one line that is rewritten on a terminal, plain lines otherwise.

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "tmor/core/error.hpp"

TMOR_BEGIN
namespace train {

/// Seconds on a clock that only runs forward.
inline double seconds() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// Four digits of a number, for people.
inline std::string short_number(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", v);
  return text;
}

/// "7 s", "3 min 05 s", "2 h 07 min".
inline std::string duration_text(double s) {
  const auto n = static_cast<long long>(std::clamp(s, 0.0, 1e9) + 0.5);
  char text[64];
  if (n < 60) {
    std::snprintf(text, sizeof text, "%lld s", n);
  } else if (n < 3600) {
    std::snprintf(text, sizeof text, "%lld min %02lld s", n / 60, n % 60);
  } else {
    std::snprintf(text, sizeof text, "%lld h %02lld min", n / 3600, n / 60 % 60);
  }
  return text;
}

/// `Progress bar("train", 1000); bar.update(done, "loss 0.31");`
class Progress {
 public:
  /// `total` 0 or less: the end is not known. `begin`: where a resumed run starts. `to` is for tests.
  Progress(std::string label, Index total, Index begin = 0, std::FILE* to = stderr)
      : label_(std::move(label)), total_(total), begin_(begin), to_(to), terminal_(::isatty(::fileno(to))) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  /// Shows that `done` of the total are done: at most ten times a second on a terminal, every ten seconds
  /// otherwise.
  void update(Index done, const std::string& note = "") {
    const double now = seconds();
    if (done < total_ && now - shown_ < (terminal_ ? 0.1 : 10)) return;
    shown_ = now;
    show(done, now, note);
  }
  /// A line of its own above the bar.
  void line(const std::string& text) {
    clear();
    std::fprintf(to_, "%s\n", text.c_str());
    std::fflush(to_);
  }

 private:
  void show(Index done, double now, const std::string& note) {
    const double elapsed = now - start_;
    const double rate = elapsed > 0 ? static_cast<double>(done - begin_) / elapsed : 0;
    char text[160];
    if (total_ > 0) {
      const int percent = static_cast<int>(100 * done / total_);
      constexpr int kWidth = 20;
      const std::string bar =
          std::string(static_cast<std::size_t>(std::clamp(percent, 0, 100) * kWidth / 100), '#');
      const std::string left =
          rate > 0 ? duration_text(static_cast<double>(total_ - done) / rate) + " left" : "";
      std::snprintf(text, sizeof text, "[%-*s] %3d%% %lld/%lld  %.3g/s  %s", kWidth, bar.c_str(), percent,
                    static_cast<long long>(done), static_cast<long long>(total_), rate, left.c_str());
    } else {
      std::snprintf(text, sizeof text, "%lld  %.3g/s", static_cast<long long>(done), rate);
    }
    if (terminal_) {
      std::fprintf(to_, "\r\033[K%s %s  %s", label_.c_str(), text, note.c_str());
      dirty_ = true;
    } else {
      std::fprintf(to_, "%s %s  %s\n", label_.c_str(), text, note.c_str());
    }
    std::fflush(to_);
  }
  void clear() {
    if (dirty_) std::fputs("\r\033[K", to_);
    if (dirty_) std::fflush(to_);
    dirty_ = false;
  }

  std::string label_;
  Index total_, begin_;
  std::FILE* to_;
  bool terminal_, dirty_ = false;
  double start_ = seconds(), shown_ = 0;
};

}  // namespace train
TMOR_END
