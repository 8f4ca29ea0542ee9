#pragma once
/// @file fiber.hpp
/// `Fiber`: a stack of its own on which a function runs until it pauses, and goes on later. The emulated CUDA
/// device runs each CUDA thread on one: a barrier is then nothing but a pause. On x86-64 a switch is a few
/// instructions; elsewhere `ucontext` does it, slower.

#ifndef TMOR_CUDA_EMULATED
#error "the emulated CUDA device: compile every file of the program with -DTMOR_CUDA_EMULATED"
#endif

#include <sys/mman.h>

#include "tmor/core/error.hpp"
#include "tmor/cuda/emu/race.hpp"

#ifndef __x86_64__
#include <ucontext.h>
#endif
#ifdef TMOR_ASAN
#include <sanitizer/asan_interface.h>
#endif

TMOR_BEGIN
namespace emu {

#ifdef __x86_64__
/// Saves the registers a call must keep on the present stack, its place in `*from`, and goes on where `to`
/// was saved.
[[gnu::naked, gnu::noinline, gnu::no_sanitize_thread]] inline void switch_stack(void** /*from*/,
                                                                                void* /*to*/) {
  asm("pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
      "movq %rsp, (%rdi)\n movq %rsi, %rsp\n"
      "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n ret\n");
}
#endif

class Fiber {
 public:
#if defined(TMOR_ASAN) || defined(TMOR_TSAN)
  static constexpr std::size_t kStack = 256 << 10;
#else
  static constexpr std::size_t kStack = 64 << 10;
#endif
  static constexpr std::size_t kPage = 4096;

  /// Runs `body`, which never returns, at the first `resume`. A guard page lies below the stack.
  explicit Fiber(void (*body)()) : body_(body) {
    void* p = mmap(nullptr, kStack + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TMOR_CHECK(p != MAP_FAILED, "[emulated CUDA] no memory for the stack of a thread");
    mprotect(p, kPage, PROT_NONE);
    stack_ = static_cast<char*>(p) + kPage;
    reset();
  }
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Starts anew, forgetting what was running: no destructor of it is called.
  void reset() {
    context_.make();
#ifdef TMOR_ASAN
    __asan_unpoison_memory_region(stack_, kStack);  // what guarded the frames that are forgotten
#endif
#ifdef __x86_64__
    void** top = reinterpret_cast<void**>(stack_ + kStack);
    *--top = nullptr;  // where a return address would be: the ABI wants rsp = 8 mod 16 on entry
    *--top = reinterpret_cast<void*>(&Fiber::enter);
    for (int i = 0; i < 6; ++i) *--top = nullptr;
    place_ = top;
#else
    getcontext(&place_);
    place_.uc_stack.ss_sp = stack_;
    place_.uc_stack.ss_size = kStack;
    place_.uc_link = nullptr;
    makecontext(&place_, &Fiber::enter, 0);
#endif
  }

  /// From the host: runs the fiber until it pauses.
  void resume() {
    current() = this;
    host_context_.make_present();
    context_.enter();
#ifdef TMOR_ASAN
    void* fake;
    __sanitizer_start_switch_fiber(&fake, stack_, kStack);
#endif
#ifdef __x86_64__
    switch_stack(&host_, place_);
#else
    swapcontext(&host_, &place_);
#endif
#ifdef TMOR_ASAN
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
  }
  /// From inside the fiber: back to the host.
  void pause() {
    host_context_.enter();
#ifdef TMOR_ASAN
    void* fake;
    __sanitizer_start_switch_fiber(&fake, host_stack_, host_size_);
#endif
#ifdef __x86_64__
    switch_stack(&place_, host_);
#else
    swapcontext(&place_, &host_);
#endif
#ifdef TMOR_ASAN
    __sanitizer_finish_switch_fiber(fake, &host_stack_, &host_size_);
#endif
  }
  /// The thread that the sanitizer sees here.
  race::Context& context() { return context_; }
  /// From the host: what the fiber did, though it will not go on, comes before what is after `m`.
  void leave(race::Moment& m) {
    context_.enter();
    m.leave();
    host_context_.enter();
  }
  /// Is `p` in the guard page below the stack?
  bool overflowed(const void* p) const { return p >= stack_ - kPage && p < stack_; }

  static Fiber*& current() {
    static Fiber* f = nullptr;
    return f;
  }

 private:
  static void enter() {
    Fiber* self = current();
#ifdef TMOR_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &self->host_stack_, &self->host_size_);
#endif
    self->body_();
    __builtin_trap();
  }

  void (*body_)();
  char* stack_;
  race::Context context_, host_context_;
#ifdef __x86_64__
  void *place_ = nullptr, *host_ = nullptr;
#else
  ucontext_t place_, host_;
#endif
#ifdef TMOR_ASAN
  const void* host_stack_ = nullptr;
  std::size_t host_size_ = 0;
#endif
};

}  // namespace emu
TMOR_END
