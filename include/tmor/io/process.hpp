#pragma once
/// @file process.hpp
/// The output of another program, read through a pipe: no shell, bounded time, its complaints kept for
/// errors.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "tmor/io/file.hpp"

extern char** environ;

TMOR_BEGIN
namespace io {

/// A running program. Destroyed before its end, it is killed.
class Process {
 public:
  /// Starts `arguments[0]` (looked for in PATH), which may run for `seconds`. Its standard input is empty,
  /// its file descriptor 3 is `inherited` unless that is -1. `remedy` ends the error for a program that is
  /// not there.
  /// @throws IoError
  Process(const std::vector<std::string>& arguments, double seconds, const std::string& remedy,
          int inherited = -1)
      : name_(arguments.at(0)),
        deadline_(Clock::now() + std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000))) {
    const auto [out, to_out] = pipe();
    const auto [err, to_err] = pipe();
    struct Actions {
      posix_spawn_file_actions_t list;
      Actions() { posix_spawn_file_actions_init(&list); }
      ~Actions() { posix_spawn_file_actions_destroy(&list); }
    } actions;
    posix_spawn_file_actions_addopen(&actions.list, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions.list, to_out, 1);
    posix_spawn_file_actions_adddup2(&actions.list, to_err, 2);
    if (inherited >= 0) posix_spawn_file_actions_adddup2(&actions.list, inherited, 3);
    std::vector<char*> argv;
    for (const auto& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    out_ = detail::Descriptor(out), err_ = detail::Descriptor(err);
    const detail::Descriptor child_out(to_out), child_err(to_err);
    const int error = ::posix_spawnp(&pid_, argv[0], &actions.list, nullptr, argv.data(), environ);
    if (error) {
      pid_ = -1;
      detail::fail<IoError>("cannot run '", name_, "': ", std::generic_category().message(error), " (",
                            remedy, ")");
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
    }
  }

  /// Up to n bytes of its standard output; 0 at the end. @throws IoError when the time is over.
  std::size_t read(char* to, std::size_t n) {
    for (;;) {
      pollfd fds[2] = {{out_.get(), POLLIN, 0}, {err_.get(), POLLIN, 0}};
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
      const int ready = left > 0 ? ::poll(fds, 2, static_cast<int>(std::min<std::int64_t>(left, 1000))) : 0;
      if (ready < 0 && errno != EINTR) detail::fail_errno("wait for", name_, errno);
      if (left <= 0) fail_late();
      if (ready <= 0) continue;
      if (fds[1].revents) listen();
      if (fds[0].revents) {
        const auto got = ::read(out_.get(), to, n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) detail::fail_errno("read from", name_, errno);
        return static_cast<std::size_t>(got);
      }
    }
  }
  /// Waits for the end, after `read` gave 0. @return the exit status, 128 + the signal when killed.
  int finish() {
    while (err_.get() >= 0 && milliseconds_left() > 0) {
      pollfd fd{err_.get(), POLLIN, 0};
      if (::poll(&fd, 1, static_cast<int>(std::min<std::int64_t>(milliseconds_left() + 1, 1000))) > 0)
        listen();
    }
    int status = 0;
    while (::waitpid(pid_, &status, WNOHANG) == 0) {  // closed its pipes and goes on
      if (milliseconds_left() <= 0) fail_late();
      ::poll(nullptr, 0, 2);
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  /// What it wrote to its standard error, the first 16 KiB, on one line.
  std::string said() const { return said_.empty() ? "nothing" : said_; }
  const std::string& stderr_text() const { return text_; }

 private:
  using Clock = std::chrono::steady_clock;

  std::pair<int, int> pipe() const {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) detail::fail_errno("make a pipe to", name_, errno);
    return {fds[0], fds[1]};
  }
  void listen() {
    char buffer[4096];
    const auto got = ::read(err_.get(), buffer, sizeof buffer);
    if (got <= 0) {
      if (got == 0 || errno != EINTR) err_ = detail::Descriptor();
      return;
    }
    for (auto i = 0; i < got && text_.size() < 16384; ++i) {
      text_ += buffer[i];
      said_ += buffer[i] == '\n' || buffer[i] == '\r' ? ' ' : buffer[i];
    }
  }
  std::int64_t milliseconds_left() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
  }
  [[noreturn]] void fail_late() const {
    detail::fail<IoError>("'", name_, "' took too long and was stopped; it said: ", said());
  }

  std::string name_, text_, said_;
  Clock::time_point deadline_;
  detail::Descriptor out_, err_;
  pid_t pid_ = -1;
};

}  // namespace io
TMOR_END
