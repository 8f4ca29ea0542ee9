#pragma once
/// @file parallel.hpp
/// The one thread pool: `parallel_for` splits a range into chunks of a fixed size that the threads take one
/// after the other. Chunks depend on the grain alone, never on the number of threads, so a function
/// whose chunks are independent gives the same bits with any number of threads.
///
/// Built on pthreads: `<thread>` and `<mutex>` would cost every including file half a second. Idle workers
/// spin for a fraction of a millisecond, then sleep. A call waits only for workers that have joined it: one
/// that the system is slow to wake delays nobody, which is what makes barriers collapse on a shared machine.

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <type_traits>

#include "tmor/core/config.hpp"
#include "tmor/core/error.hpp"

TMOR_BEGIN

namespace detail {

inline constexpr int kMaxThreads = 4096;

/// Processors this process may run on.
inline int cpu_count() {
#ifdef CPU_COUNT
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
  const long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n < 1 ? 1 : n > kMaxThreads ? kMaxThreads : static_cast<int>(n);
}

/// Tells the processor that the caller is only waiting.
inline void cpu_relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Calls `done()` for at most about 200 microseconds; returns its last answer. Between the parallel parts of
/// a network lie tens of microseconds, and waking a sleeper costs as much: batch-1 inference on two threads
/// took 16 % longer, by the median, when workers slept after 20.
template <class F> bool spin_until(F&& done) {
  constexpr long kNanoseconds = 200'000;
  timespec start{}, now{};
  clock_gettime(CLOCK_MONOTONIC, &start);
  do {
    for (int i = 0; i < 16; ++i) {
      if (done()) return true;
      cpu_relax();
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while ((now.tv_sec - start.tv_sec) * 1'000'000'000L + (now.tv_nsec - start.tv_nsec) < kNanoseconds);
  return done();
}

/// The number of threads that the text of `TMOR_NUM_THREADS` (null where unset) asks for.
inline int threads_from(const char* text) {
  if (!text || !*text) return cpu_count();
  int n = 0;
  const char* end = text + std::strlen(text);
  const auto r = std::from_chars(text, end, n);
  TMOR_CHECK(r.ec == std::errc{} && r.ptr == end && n >= 1 && n <= kMaxThreads, "TMOR_NUM_THREADS is '", text,
             "': it must be a whole number from 1 to ", kMaxThreads,
             ", or unset for one thread per processor");
  return n;
}

/// The workers and the one job they can share at a time. Immortal: never destroyed, its threads are detached.
class ThreadPool {
 public:
  using Task = void (*)(void* context, Index chunk);

  static ThreadPool& get() {
    static ThreadPool* pool = new ThreadPool;
    return *pool;
  }

  int threads() const { return threads_.load(std::memory_order_relaxed); }
  void set_threads(int n) { threads_.store(n, std::memory_order_relaxed); }

  /// Runs `task(context, c)` for every c in [0, chunks), the caller taking part.
  void run(Task task, void* context, Index chunks) {
    const int threads = this->threads();
    const bool alone =
        chunks < 2 || threads < 2 || inside_job() || busy_.exchange(true, std::memory_order_acquire);
    if (alone) {
      for (Index c = 0; c < chunks; ++c) task(context, c);
      return;
    }
    task_ = task;
    context_ = context;
    chunks_ = chunks;
    error_ = nullptr;
    failed_.store(false, std::memory_order_relaxed);
    next_.store(0, std::memory_order_relaxed);
    const int helpers = chunks < threads ? static_cast<int>(chunks) - 1 : threads - 1;
    hire(helpers);
    open(helpers);
    work();
    close();
    const std::exception_ptr error = error_;
    error_ = nullptr;
    busy_.store(false, std::memory_order_release);
    if (error) std::rethrow_exception(error);
  }

 private:
  // state_ = epoch (32 bits) | helpers wanted (15) | open (1) | workers inside (16). A worker joins by a
  // compare-and-swap that needs the open bit; the job's fields change only while closed with nobody inside.
  static constexpr std::uint64_t kOpen = std::uint64_t{1} << 16;
  static std::uint64_t inside(std::uint64_t s) { return s & 0xffff; }
  static std::uint64_t wanted(std::uint64_t s) { return (s >> 17) & 0x7fff; }
  static std::uint64_t epoch(std::uint64_t s) { return s >> 32; }

  ThreadPool() {
    threads_.store(threads_from(std::getenv("TMOR_NUM_THREADS")), std::memory_order_relaxed);
    pthread_atfork(nullptr, nullptr, [] { get().forget_workers(); });
  }

  /// True on workers, and on a caller while its own job runs: nested calls then run in place.
  static bool& inside_job() {
    static thread_local bool inside = false;
    return inside;
  }

  /// A forked child has none of the workers.
  void forget_workers() {
    hired_ = 0;
    sleepers_.store(0, std::memory_order_relaxed);
    caller_sleeps_.store(false, std::memory_order_relaxed);
    state_.store(0, std::memory_order_relaxed);
    if (!inside_job()) busy_.store(false, std::memory_order_relaxed);
    mutex_ = PTHREAD_MUTEX_INITIALIZER;
    wake_ = PTHREAD_COND_INITIALIZER;
    done_ = PTHREAD_COND_INITIALIZER;
  }

  /// Starts workers until there are `count`; with fewer (the system refuses) the rest of us do the work.
  void hire(int count) {
    if (hired_ >= count) return;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);  // signals belong to the program's own threads
    while (hired_ < count) {
      pthread_t thread;
      if (pthread_create(&thread, nullptr, &ThreadPool::worker, this) != 0) break;
      pthread_detach(thread);
      ++hired_;
    }
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
    crowded_.store(hired_ >= cpu_count(), std::memory_order_relaxed);
  }

  void open(int helpers) {
    const std::uint64_t next = (epoch(state_.load(std::memory_order_relaxed)) + 1) << 32;
    state_.store(next | static_cast<std::uint64_t>(helpers) << 17 | kOpen, std::memory_order_seq_cst);
    int asleep = sleepers_.load(std::memory_order_seq_cst);
    if (asleep == 0) return;
    pthread_mutex_lock(&mutex_);  // a worker between its last look and its sleep holds the mutex
    pthread_mutex_unlock(&mutex_);
    for (asleep = asleep < helpers ? asleep : helpers; asleep > 0; --asleep) pthread_cond_signal(&wake_);
  }

  void close() {
    state_.fetch_and(~kOpen, std::memory_order_seq_cst);
    const auto empty = [this] { return inside(state_.load(std::memory_order_seq_cst)) == 0; };
    if (crowded_.load(std::memory_order_relaxed) ? empty() : spin_until(empty)) return;
    pthread_mutex_lock(&mutex_);
    caller_sleeps_.store(true, std::memory_order_seq_cst);
    while (!empty()) pthread_cond_wait(&done_, &mutex_);
    caller_sleeps_.store(false, std::memory_order_relaxed);
    pthread_mutex_unlock(&mutex_);
  }

  /// Takes chunks until none is left.
  void work() {
    bool& nested = inside_job();
    nested = true;
    for (Index c; (c = next_.fetch_add(1, std::memory_order_relaxed)) < chunks_;) {
      try {
        task_(context_, c);
      } catch (...) {
        if (!failed_.exchange(true, std::memory_order_relaxed)) error_ = std::current_exception();
        next_.store(chunks_, std::memory_order_relaxed);
      }
    }
    nested = false;
  }

  bool join() {
    std::uint64_t s = state_.load(std::memory_order_acquire);
    while ((s & kOpen) && inside(s) < wanted(s)) {
      if (state_.compare_exchange_weak(s, s + 1, std::memory_order_acquire)) return true;
    }
    return false;
  }

  void leave() {
    const std::uint64_t before = state_.fetch_sub(1, std::memory_order_seq_cst);
    if (inside(before) != 1 || (before & kOpen) || !caller_sleeps_.load(std::memory_order_seq_cst)) return;
    pthread_mutex_lock(&mutex_);
    pthread_mutex_unlock(&mutex_);
    pthread_cond_signal(&done_);
  }

  static void* worker(void* self) {
    ThreadPool& pool = *static_cast<ThreadPool*>(self);
    for (std::uint64_t seen = 0;;) {
      seen = pool.next_epoch(seen);
      if (!pool.join()) continue;
      pool.work();
      pool.leave();
    }
    return nullptr;
  }

  /// Waits for an epoch other than `seen`, spinning for a while before sleeping.
  std::uint64_t next_epoch(std::uint64_t seen) {
    std::uint64_t now = seen;
    const auto changed = [&] { return (now = epoch(state_.load(std::memory_order_seq_cst))) != seen; };
    if (crowded_.load(std::memory_order_relaxed) ? changed() : spin_until(changed)) return now;
    pthread_mutex_lock(&mutex_);
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    while (!changed()) pthread_cond_wait(&wake_, &mutex_);
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
    pthread_mutex_unlock(&mutex_);
    return now;
  }

  alignas(64) std::atomic<std::uint64_t> state_{0};
  alignas(64) std::atomic<Index> next_{0};
  alignas(64) Task task_ = nullptr;
  void* context_ = nullptr;
  Index chunks_ = 0;
  std::exception_ptr error_;
  std::atomic<bool> failed_{false};
  std::atomic<bool> busy_{false};
  std::atomic<bool> crowded_{false};
  std::atomic<bool> caller_sleeps_{false};
  std::atomic<int> sleepers_{0};
  std::atomic<int> threads_{1};
  int hired_ = 0;
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t wake_ = PTHREAD_COND_INITIALIZER;
  pthread_cond_t done_ = PTHREAD_COND_INITIALIZER;
};

}  // namespace detail

/// Threads that `parallel_for` may use, the caller included. At first the environment variable
/// `TMOR_NUM_THREADS` or, where that is unset or empty, the number of processors the process may run on (its
/// affinity mask). Throws Error when the variable is not a whole number from 1 to 4096.
inline int num_threads() { return detail::ThreadPool::get().threads(); }

/// Sets `num_threads()`, from the next call on. Throws Error unless 1 <= n <= 4096.
inline void set_num_threads(int n) {
  TMOR_CHECK(n >= 1 && n <= detail::kMaxThreads, "set_num_threads(", n, "): give a number from 1 to ",
             detail::kMaxThreads);
  detail::ThreadPool::get().set_threads(n);
}

/// Calls `f(chunk, begin, end)` for each of the ceil(n / grain) chunks of [0, n): every chunk has exactly
/// `grain` elements but the last, which may be shorter. Chunks run on several threads in no fixed order; the
/// call returns when all are done. The first exception a chunk throws stops further chunks and is rethrown
/// here. A call made inside a chunk, or while another thread's call runs, does all its chunks itself. Throws
/// Error unless grain >= 1.
template <class F> void parallel_chunks(Index n, Index grain, F&& f) {
  TMOR_CHECK(grain >= 1, "parallel_for: the grain is ", grain, ", it must be at least 1");
  if (n <= 0) return;
  struct Range {
    std::remove_reference_t<F>* f;
    Index n, grain;
  } range{&f, n, grain};
  const auto task = [](void* context, Index chunk) {
    const Range& r = *static_cast<Range*>(context);
    const Index begin = chunk * r.grain;
    (*r.f)(chunk, begin, r.n - begin < r.grain ? r.n : begin + r.grain);
  };
  detail::ThreadPool::get().run(task, &range, (n - 1) / grain + 1);
}

/// `parallel_chunks` for functions that do not care which chunk it is: calls `f(begin, end)`.
template <class F> void parallel_for(Index n, Index grain, F&& f) {
  parallel_chunks(n, grain, [&f](Index, Index begin, Index end) { f(begin, end); });
}

TMOR_END
