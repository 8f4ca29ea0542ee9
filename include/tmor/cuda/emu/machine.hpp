#pragma once
/// @file machine.hpp
/// The emulated CUDA device's execution: one block after the other, each thread of a block a fiber that runs
/// until it must wait for others. What CUDA leaves undefined is an error that names the kernel, the block,
/// the thread and the source lines: a barrier that some threads do not reach, a shuffle with an absent lane,
/// an access outside device memory, a write past a shared array, a launch beyond the limits.
///
/// The order in which the threads of a block take turns is a setting: a kernel that misses a barrier gives
/// another result in another order. What the emulation cannot see: memory ordering between blocks (they run
/// one at a time), registers, bank conflicts, speed.

#include <atomic>
#include <cstdlib>
#include <deque>
#include <exception>
#include <mutex>
#include <utility>

#include "tmor/cuda/emu/collective.hpp"
#include "tmor/cuda/emu/faults.hpp"

TMOR_BEGIN

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned nx = 1, unsigned ny = 1, unsigned nz = 1) : x(nx), y(ny), z(nz) {}
};
struct uint3 {
  unsigned x, y, z;
};

/// Of the thread that runs, as in CUDA; in a debugger, too.
inline uint3 threadIdx{}, blockIdx{};
inline dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

namespace emu {

/// Which thread goes first among those that can.
enum class Order { forward, reverse, random };

/// 16 bytes on their way to shared memory (emu/mma.hpp): the first `bytes` come from `from`, the rest is 0.
struct AsyncCopy {
  void* to;
  const void* from;
  unsigned bytes, group;
};

struct ThreadState {
  enum { unborn, ready, waiting, returned } state = unborn;
  Fiber* fiber = nullptr;
  bool fenced = false;
  Wait wait;
  std::deque<AsyncCopy> copies = {};  ///< not waited for, in their order
  unsigned copy_group = 0;            ///< that the next copy belongs to
};

/// Limits that every GPU since 2010 has.
inline constexpr unsigned kMaxThreads = 1024, kMaxBlockZ = 64, kMaxGridYZ = 65535;
inline constexpr std::size_t kMaxShared = 48 << 10;

class Machine {
 public:
  Order order = Order::forward;
  std::uint64_t seed = 1;
  bool idle = false;  ///< launches are checked, but nothing runs: to count the memory of what takes too long

  /// @throws Error when a GPU would refuse the launch.
  static void check_limits(const char* name, dim3 g, dim3 b, std::size_t dynamic_bytes) {
    const auto size = [](dim3 d) { return text({d.x, d.y, d.z}); };
    const std::uint64_t n = std::uint64_t{b.x} * b.y * b.z;
    TMOR_CHECK(n > 0 && g.x > 0 && g.y > 0 && g.z > 0, "[kernel ", name, "] launched with grid ", size(g),
               " and block ", size(b), ": nothing would run, which CUDA refuses");
    TMOR_CHECK(n <= kMaxThreads && b.z <= kMaxBlockZ, "[kernel ", name, "] block ", size(b), " has ", n,
               " threads, at most ", kMaxThreads, " (", kMaxBlockZ, " along z) can be");
    TMOR_CHECK(g.x <= 0x7fffffffu && g.y <= kMaxGridYZ && g.z <= kMaxGridYZ, "[kernel ", name, "] grid ",
               size(g), ": y and z can be at most ", kMaxGridYZ);
    TMOR_CHECK(dynamic_bytes <= kMaxShared, "[kernel ", name, "] launched with ", dynamic_bytes,
               " bytes of shared memory, more than ", kMaxShared);
  }

  /// Runs `body(context)` once for every thread. @throws Error for what the kernel does wrong.
  void launch(const char* name, dim3 grid, dim3 block, std::size_t dynamic_bytes, void (*body)(const void*),
              const void* context) {
    const std::lock_guard<std::mutex> guard(mutex_);
    Faults& faults = Faults::instance();
    faults.listen();
    race::Moment begin, end;
    begin.leave();
    const race::Unseen unseen;
    begin_ = &begin;
    end_ = &end;
    name_ = name;
    gridDim = grid;
    blockDim = block;
    body_ = body;
    context_ = context;
    dynamic_bytes_ = dynamic_bytes;
    threads_.assign(std::size_t{block.x} * block.y * block.z, ThreadState{});
    turn_.resize(threads_.size());
    error_ = nullptr;
    if (sigsetjmp(faults.exit, 1) == 0) {
      faults.inside = true;
      run_blocks();
    } else {
      error_ =
          std::make_exception_ptr(Error(tmor::detail::cat("[kernel ", name_, "] ", where(), faults.what())));
      Fiber::current()->reset();
      idle_.push_back(Fiber::current());
      threads_[now_].fiber = nullptr;
    }
    faults.inside = false;
    if (error_)
      for (ThreadState& t : threads_) forget(t);
    end.pass();
    if (!error_) return;
    release_shared();
    std::rethrow_exception(std::exchange(error_, nullptr));
  }

  /// The present thread takes part in a collective operation of its warp or block and gets its result.
  std::uint64_t meet(Wait w) {
    const race::Unseen unseen;
    ThreadState& me = threads_[now_];
    ++met_[static_cast<std::size_t>(w.op)];
    me.wait = w;
    me.wait.op == Op::syncthreads ? arrive_block() : arrive_warp();
    if (me.state == ThreadState::waiting) {
      Fiber* f = me.fiber = Fiber::current();
      f->pause();
    }
    return me.wait.result;
  }

  /// Fresh memory of the block, full of NaN, with a margin behind it that nobody may write to. It starts at a
  /// multiple of `alignment` and, below 64, of no more, so that what wants more is noticed.
  void* shared(std::size_t bytes, std::size_t alignment) {
    const race::Unseen unseen;
    const std::size_t start = (shared_used_ + alignment - 1) / alignment * alignment;
    if (start + bytes > kMaxShared)
      fail_here(tmor::detail::cat("the block wants ", start + bytes, " bytes of shared memory, more than ",
                                  kMaxShared));
    shared_used_ = start + bytes;
    const std::size_t skew = alignment % 64, room = skew + bytes + kMargin;
    char* const memory = static_cast<char*>(std::aligned_alloc(64, (room + 63) / 64 * 64));
    char* const p = memory + skew;
    __builtin_memset(p, 0xff, bytes);
    __builtin_memset(p + bytes, kMarginByte, kMargin);
    shared_.push_back({p, bytes, memory});
    return p;
  }
  /// A fence makes what its thread did before visible to those that see its later atomic operations.
  void fence() {
    const race::Unseen unseen;
    threads_[now_].fenced = true;
  }
  std::memory_order atomic_order() const {
    return race::kChecked && threads_[now_].fenced ? std::memory_order_acq_rel : std::memory_order_relaxed;
  }
  void* dynamic_shared() { return dynamic_; }
  /// Changes with every block.
  std::uint64_t block_number() const { return block_number_; }
  std::uint64_t launches() const { return launches_; }
  /// How often a thread took part in such an operation.
  std::uint64_t met(Op op) const { return met_[static_cast<std::size_t>(op)]; }

  /// Does [p, p + bytes) lie in one shared array of the block?
  bool is_shared(const void* p, std::size_t bytes) const {
    const char* c = static_cast<const char*>(p);
    for (const Shared& s : shared_)
      if (c >= s.p && c + bytes <= s.p + s.bytes) return true;
    return false;
  }
  ThreadState& present() { return threads_[now_]; }

  unsigned lane() const { return static_cast<unsigned>(now_ % 32); }

  /// "block (0, 1, 0), thread (3, 0, 0)" of the present one.
  std::string where() const { return tmor::detail::cat("block ", text(blockIdx), ", ", thread(now_)); }
  [[noreturn]] void fail_here(const std::string& what) const {
    tmor::detail::fail<Error>("[kernel ", name_, "] ", where(), ": ", what);
  }

  static Machine& instance() {
    static Machine* m = new Machine;
    return *m;
  }

 private:
  static constexpr std::size_t kMargin = 64;
  static constexpr unsigned char kMarginByte = 0xa5;
  struct Shared {
    char* p;
    std::size_t bytes;
    char* memory;
  };

  Machine() {
    // TMOR_EMU_ORDER=forward, reverse, random or random:SEED
    if (const char* s = std::getenv("TMOR_EMU_ORDER")) {
      const std::string_view v(s);
      if (v == "reverse") order = Order::reverse;
      if (v.substr(0, 6) == "random") order = Order::random;
      if (v.size() > 7 && order == Order::random) seed = std::strtoull(s + 7, nullptr, 10);
      TMOR_CHECK(v == "forward" || order != Order::forward, "[emulated CUDA] TMOR_EMU_ORDER is '", v,
                 "': give forward, reverse, random or random:SEED");
    }
  }

  static std::string text(uint3 i) { return tmor::detail::cat("(", i.x, ", ", i.y, ", ", i.z, ")"); }
  uint3 index_of(std::size_t t) const {
    const auto n = static_cast<unsigned>(t);
    return {n % blockDim.x, n / blockDim.x % blockDim.y, n / blockDim.x / blockDim.y};
  }
  std::string thread(std::size_t t) const { return tmor::detail::cat("thread ", text(index_of(t))); }
  // ---- Turns ----------------------------------------------------------------------------------------------

  std::uint64_t next_random() {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed >> 33;
  }
  void run_blocks() {
    ++launches_;
    const std::uint64_t n = std::uint64_t{gridDim.x} * gridDim.y * gridDim.z;
    std::uint64_t step = 1, at = order == Order::reverse ? n - 1 : 0;
    if (order == Order::reverse) step = n - 1;
    if (order == Order::random) {
      // Steps prime to n meet every block once.
      const auto divides = [n](std::uint64_t s) {
        for (std::uint64_t a = n, b = s; b;) {
          const std::uint64_t r = a % b;
          a = b;
          b = r;
          if (b == 0) return a != 1;
        }
        return n != 1;
      };
      do step = next_random() % n + 1;
      while (divides(step));
      at = next_random() % n;
    }
    for (std::uint64_t i = 0; i < n; ++i, at = (at + step) % n) {
      blockIdx = {static_cast<unsigned>(at % gridDim.x), static_cast<unsigned>(at / gridDim.x % gridDim.y),
                  static_cast<unsigned>(at / gridDim.x / gridDim.y)};
      run_block();
      if (error_) return;
    }
  }
  void run_block() {
    ++block_number_;
    shared_used_ = 0;
    dynamic_ = dynamic_bytes_ ? shared(dynamic_bytes_, 16) : nullptr;
    const std::size_t n = threads_.size();
    for (std::size_t i = 0; i < n; ++i) {
      threads_[i].state = ThreadState::unborn;
      turn_[i] = order == Order::reverse ? n - 1 - i : i;
    }
    shuffle();
    born_ = live_ = arrived_ = 0;
    // Every fiber starts threads until one has to wait.
    while (born_ < n && !error_) {
      next_fiber()->resume();
    }
    std::uint64_t rest = 0;  // in random order, the warps that sit out some turns while others run ahead
    while (live_ > 0 && !error_) {
      bool moved = false, rested = false;
      shuffle();
      if (order == Order::random && next_random() % 8 == 0) rest = next_random();
      for (std::size_t i = 0; i < n && !error_; ++i) {
        ThreadState& t = threads_[turn_[i]];
        if (t.state != ThreadState::ready) continue;
        if (rest >> turn_[i] / 32 % 31 & 1) {
          rested = true;
          continue;
        }
        moved = true;
        enter(turn_[i]);
        t.fiber->resume();
      }
      if (!moved && rested) rest = 0;
      if (!moved && !rested && !error_) {
        error_ = std::make_exception_ptr(Error(stuck_message()));
      }
    }
    for (const Shared& s : shared_)
      for (std::size_t i = 0; i < kMargin; ++i)
        if (static_cast<unsigned char>(s.p[s.bytes + i]) != kMarginByte && !error_)
          error_ = std::make_exception_ptr(
              Error(tmor::detail::cat("[kernel ", name_, "] block ", text(blockIdx), ": a thread wrote ", i,
                                      " bytes past the end of a shared array of ", s.bytes, " bytes")));
    release_shared();
  }
  Fiber* next_fiber() {
    // In the race check every thread has its own, and other ones than those of the block before.
    const std::size_t least = race::kChecked ? 2 * threads_.size() : 1;
    while (idle_.empty() || fibers_ < least) {
      idle_.push_front(new Fiber(&Machine::fiber_body));
      ++fibers_;
    }
    Fiber* f = race::kChecked ? idle_.front() : idle_.back();
    race::kChecked ? idle_.pop_front() : idle_.pop_back();
    return f;
  }
  void release_shared() {
    for (const Shared& s : shared_) std::free(s.memory);
    shared_.clear();
  }
  void shuffle() {
    if (order != Order::random) return;
    for (std::size_t i = turn_.size(); i > 1; --i) std::swap(turn_[i - 1], turn_[next_random() % i]);
  }
  void enter(std::size_t t) {
    now_ = t;
    threadIdx = index_of(t);
  }
  static void fiber_body() {
    const race::Unseen unseen;
    Machine& m = instance();
    for (;;) {
      m.run_threads();
      m.idle_.push_back(Fiber::current());
      Fiber::current()->pause();
    }
  }
  void run_threads() {
    while (born_ < threads_.size() && !error_) {
      const std::size_t t = turn_[born_++];
      if (!run_thread(t) || threads_[t].fiber) return;  // what waited once goes back to the host
      if (race::kChecked) return;
    }
  }
  bool run_thread(std::size_t t) {
    ++live_;
    threads_[t].state = ThreadState::ready;
    threads_[t].fenced = false;
    threads_[t].copies.clear();
    threads_[t].copy_group = 0;
    enter(t);
    if (race::kChecked) Fiber::current()->context().name(where());
    try {
      begin_->pass();
      run_body(body_, context_);
    } catch (...) {
      error_ = std::current_exception();
    }
    end_->leave();
    threads_[t].state = ThreadState::returned;
    --live_;
    return !error_;
  }
  static void run_body(void (*body)(const void*), const void* context) {
    const race::Seen seen;
    body(context);
  }
  void forget(ThreadState& t) {
    if ((t.state == ThreadState::waiting || t.state == ThreadState::ready) && t.fiber) {
      t.fiber->leave(*end_);
      t.fiber->reset();
      idle_.push_back(t.fiber);
    }
    t = ThreadState{};
  }

  // ---- Meetings -------------------------------------------------------------------------------------------

  void arrive_block() {
    ThreadState& me = threads_[now_];
    me.state = ThreadState::waiting;
    if (++arrived_ < threads_.size()) return;
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      const Wait& w = threads_[i].wait;
      if (!(w.at == me.wait.at))
        fail_here(tmor::detail::cat("waits in ", site(me.wait), " while ", thread(i), " waits in ", site(w),
                                    ": all threads of a block must meet at the same barrier"));
      count += w.value;
    }
    for (ThreadState& t : threads_) {
      t.wait.result = count;
      t.state = ThreadState::ready;
    }
    arrived_ = 0;
    order_memory(0, threads_.size(), ~0u);
  }

  void arrive_warp() {
    ThreadState& me = threads_[now_];
    const Wait& mine = me.wait;
    const std::size_t first = now_ / 32 * 32, n = threads_.size();
    const unsigned lane_number = lane();
    if (!(mine.mask >> lane_number & 1))
      fail_here(tmor::detail::cat(site(mine), ": lane ", lane_number, " takes part, but is not in the mask ",
                                  DeviceMemory::hex(mine.mask)));
    bool complete = true;
    for (unsigned l = 0; l < 32; ++l) {
      if (!(mine.mask >> l & 1) || l == lane_number) continue;
      const std::size_t i = first + l;
      const auto wrong = [&](const std::string& what) {
        fail_here(
            tmor::detail::cat(site(mine), " with mask ", DeviceMemory::hex(mine.mask), ": lane ", l, what));
      };
      if (i >= n) wrong(tmor::detail::cat(" does not exist, the block has only ", n, " threads"));
      const ThreadState& t = threads_[i];
      if (t.state == ThreadState::returned) wrong(" has returned");
      if (t.state != ThreadState::waiting || t.wait.op == Op::syncthreads) {
        complete = false;
        continue;
      }
      if (t.wait.mask != mine.mask || t.wait.op != mine.op || !(t.wait.at == mine.at))
        wrong(tmor::detail::cat(" waits in ", site(t.wait), " with mask ", DeviceMemory::hex(t.wait.mask)));
    }
    me.state = ThreadState::waiting;
    if (!complete) return;
    if (mine.together) {
      const Wait* lanes[32];
      for (unsigned l = 0; l < 32; ++l) lanes[l] = &threads_[first + l].wait;
      mine.together(lanes);
    } else {
      for (unsigned l = 0; l < 32; ++l)
        if (mine.mask >> l & 1) threads_[first + l].wait.result = result_of(first, l);
    }
    for (unsigned l = 0; l < 32; ++l)
      if (mine.mask >> l & 1) threads_[first + l].state = ThreadState::ready;
    if (mine.op == Op::syncwarp) order_memory(first, first + 32, mine.mask);  // the others order none
  }

  /// What the threads of [first, end) in `mask` did so far comes before what they do from here on.
  void order_memory(std::size_t first, std::size_t end, unsigned mask) {
    if constexpr (race::kChecked) {
      race::Moment met;
      for (const auto move : {&race::Moment::leave, &race::Moment::pass})
        for (std::size_t i = first; i < end; ++i)
          if (mask >> i % 32 & 1) {
            (i == now_ ? Fiber::current() : threads_[i].fiber)->context().enter();
            (met.*move)();
          }
      Fiber::current()->context().enter();
    }
  }

  /// What the lane `l` of the warp that starts at `first` gets, all lanes of its mask being there.
  std::uint64_t result_of(std::size_t first, unsigned l) {
    const auto wait = [&](unsigned i) -> const Wait& { return threads_[first + i].wait; };
    const Wait& w = wait(l);
    if (const unsigned from = source_lane(w, l); !(w.mask >> from & 1)) {
      now_ = first + l;
      fail_here(tmor::detail::cat(site(w), ": lane ", l, " reads from lane ", from,
                                  ", which is not in the mask ", DeviceMemory::hex(w.mask)));
    }
    return lane_result(l, wait);
  }

  /// Why no thread can go on.
  std::string stuck_message() const {
    std::string s =
        tmor::detail::cat("[kernel ", name_, "] block ", text(blockIdx), ": no thread can go on. ");
    std::vector<std::size_t> shown;
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      const ThreadState& t = threads_[i];
      const auto same = [&](std::size_t j) {
        const ThreadState& o = threads_[j];
        return o.state == t.state &&
               (t.state == ThreadState::returned || (o.wait.op == t.wait.op && o.wait.at == t.wait.at));
      };
      bool seen = false;
      for (std::size_t j : shown) seen |= same(j);
      if (seen || shown.size() >= 4) continue;
      shown.push_back(i);
      Index others = -1;
      for (std::size_t j = 0; j < threads_.size(); ++j) others += same(j);
      s += thread(i);
      if (others > 0) s += tmor::detail::cat(" and ", others, " more");
      if (t.state == ThreadState::returned) {
        s += " returned; ";
      } else {
        s += tmor::detail::cat(others > 0 ? " wait in " : " waits in ", site(t.wait));
        if (t.wait.op != Op::syncthreads) s += " with mask " + DeviceMemory::hex(t.wait.mask);
        s += "; ";
      }
    }
    return s +
           "a barrier must be reached by every thread of the block, a warp operation by every lane of its "
           "mask";
  }

  std::mutex mutex_;
  const char* name_ = "";
  void (*body_)(const void*) = nullptr;
  const void* context_ = nullptr;
  std::vector<ThreadState> threads_;
  std::vector<std::size_t> turn_;
  std::deque<Fiber*> idle_;
  std::size_t fibers_ = 0;
  race::Moment *begin_ = nullptr, *end_ = nullptr;
  std::size_t now_ = 0, born_ = 0, live_ = 0, arrived_ = 0;
  std::exception_ptr error_;
  std::vector<Shared> shared_;
  std::size_t shared_used_ = 0, dynamic_bytes_ = 0;
  void* dynamic_ = nullptr;
  std::uint64_t block_number_ = 0, launches_ = 0, met_[kOps] = {};
};

}  // namespace emu
TMOR_END
