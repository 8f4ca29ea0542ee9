#pragma once
/// @file grad_mode.hpp
/// Whether operations are recorded on the tape; a property of the calling thread.

#include "tmor/core/config.hpp"

TMOR_BEGIN

namespace detail {
inline bool& grad_mode_flag() {
  thread_local bool enabled = true;
  return enabled;
}
}  // namespace detail

/// Are operations of this thread being recorded?
inline bool grad_enabled() { return detail::grad_mode_flag(); }

/// Switches recording on or off while it lives.
class GradMode {
 public:
  explicit GradMode(bool enabled) : before_(detail::grad_mode_flag()) { detail::grad_mode_flag() = enabled; }
  ~GradMode() { detail::grad_mode_flag() = before_; }
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool before_;
};

/// `NoGrad guard;`: nothing is recorded until the end of the scope.
struct NoGrad : GradMode {
  NoGrad() : GradMode(false) {}
};

TMOR_END
