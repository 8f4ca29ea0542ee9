#pragma once
/// @file stop_signal.hpp
/// SIGINT (Ctrl-C) and SIGTERM as a question a loop can ask between two steps.

#include <signal.h>

#include "tmor/core/config.hpp"

TMOR_BEGIN
namespace train {

/// While it lives, the first SIGINT or SIGTERM only makes `caught()` say so; the second one ends the program
/// as usual.
class StopSignal {
 public:
  StopSignal() {
    flag() = 0;
    struct sigaction action {};
    action.sa_handler = [](int number) { flag() = number; };
    action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &old_int_);
    sigaction(SIGTERM, &action, &old_term_);
  }
  ~StopSignal() {
    sigaction(SIGINT, &old_int_, nullptr);
    sigaction(SIGTERM, &old_term_, nullptr);
  }
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  /// The number of the signal, 0 while there was none.
  int caught() const { return static_cast<int>(flag()); }

 private:
  static volatile sig_atomic_t& flag() {
    static volatile sig_atomic_t number = 0;
    return number;
  }
  struct sigaction old_int_, old_term_;
};

}  // namespace train
TMOR_END
