#pragma once
/// @file faults.hpp
/// An access of a kernel outside device memory, or below its stack, ends the kernel and not the program: the
/// signal's handler jumps back to the launch, which reports what was touched.

#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

#include <memory>

#include "tmor/cuda/emu/memory.hpp"

TMOR_BEGIN
namespace emu {

class Faults {
 public:
  bool inside = false;  ///< does a kernel run? Else faults are the program's own
  sigjmp_buf exit;      ///< where one in a kernel leads

  /// Takes faults from now on, on a stack of their own, so that a full one can be reported.
  void listen() {
    thread_local std::unique_ptr<char[]> stack;
    if (!stack) {
      stack.reset(new char[std::size_t{64} << 10]);
      stack_t s{};
      s.ss_sp = stack.get();
      s.ss_size = std::size_t{64} << 10;
      sigaltstack(&s, nullptr);
    }
    struct sigaction a {
    }, old{};
    a.sa_sigaction = &Faults::handle;
    a.sa_flags = SA_SIGINFO | SA_ONSTACK;
    for (int i = 0; i < 2; ++i) {  // at every launch: test frameworks and others set their own in between
      sigaction(i ? SIGBUS : SIGSEGV, &a, &old);
      if (old.sa_sigaction != &Faults::handle) before_[i] = old;
    }
  }
  /// " writes 0 bytes past the end of a buffer of 148 bytes": the last one.
  std::string what() const {
    if (overflow_)
      return tmor::detail::cat(": the thread's stack of ", Fiber::kStack,
                               " bytes is full: recursion, or large local arrays");
    return tmor::detail::cat(write_ ? " writes " : " reads ", DeviceMemory::instance().describe(address_));
  }

  static Faults& instance() {
    static Faults* f = new Faults;
    return *f;
  }

 private:
  static void handle(int signal_number, siginfo_t* info, void* context) {
    Faults& f = instance();
    if (!f.inside) {
      if (DeviceMemory::instance().knows(info->si_addr)) {
        static constexpr char text[] = "tmor: host code touched memory of the emulated CUDA device\n";
        [[maybe_unused]] const auto n = ::write(2, text, sizeof text - 1);
      }
      sigaction(signal_number, &f.before_[signal_number == SIGBUS], nullptr);  // as it would have been
      return;
    }
    f.address_ = info->si_addr;
    f.overflow_ = Fiber::current() && Fiber::current()->overflowed(info->si_addr);
    f.write_ = false;
#if defined(__x86_64__) && defined(REG_ERR)
    f.write_ = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_ERR] & 2;
#endif
    (void)context;
    siglongjmp(f.exit, 1);
  }

  bool overflow_ = false, write_ = false;
  void* address_ = nullptr;
  struct sigaction before_[2] = {};
};

}  // namespace emu
TMOR_END
