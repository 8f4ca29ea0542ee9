#pragma once
/// @file race.hpp
/// The race check of the emulated device, in programs built with -fsanitize=thread: the sanitizer sees a
/// thread for every CUDA thread, which only barriers, `__syncwarp`, atomic operations after fences and the
/// ends of a launch order. Two accesses to shared or global memory that nothing orders are reported with both
/// their lines, in whatever order the threads took turns and whatever they wrote. In other programs all of
/// this is nothing.

#include "tmor/core/error.hpp"

#ifdef TMOR_TSAN
#include <sanitizer/tsan_interface.h>
extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

TMOR_BEGIN
namespace emu::race {

#ifdef TMOR_TSAN
inline constexpr bool kChecked = true;

/// While one lives, what the present thread does is not looked at: the emulation's own work.
struct Unseen {
  Unseen() { begin(); }
  ~Unseen() { end(); }
  Unseen(const Unseen&) = delete;
  static void begin() {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  static void end() {
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  }
};
/// And it is again: a kernel inside the emulation.
struct Seen {
  Seen() { Unseen::end(); }
  ~Seen() { Unseen::begin(); }
  Seen(const Seen&) = delete;
};

/// What threads did before they left here comes before what others do after they passed.
class Moment {
 public:
  Moment() : p_(new char) {}
  ~Moment() { delete p_; }
  Moment(const Moment&) = delete;
  void leave() { __tsan_release(p_); }
  void pass() { __tsan_acquire(p_); }

 private:
  char* p_;  // the sanitizer knows moments by address, and forgets them when they are freed
};

/// One thread to the sanitizer.
class Context {
 public:
  void make() { p_ = __tsan_create_fiber(0); }  // an old one is left as it is, with what it was doing
  void make_present() { p_ = __tsan_get_current_fiber(); }
  void name(const std::string& text) { __tsan_set_fiber_name(p_, text.c_str()); }
  /// Goes on as this thread, which by itself orders nothing.
  void enter() { __tsan_switch_to_fiber(p_, __tsan_switch_to_fiber_no_sync); }

 private:
  void* p_ = nullptr;
};

#else
inline constexpr bool kChecked = false;
struct Unseen {
  Unseen() {}
};
struct Seen {
  Seen() {}
};
struct Moment {
  void leave() {}
  void pass() {}
};
struct Context {
  void make() {}
  void make_present() {}
  void name(const std::string&) {}
  void enter() {}
};
#endif

}  // namespace emu::race
TMOR_END
