#include "tmor/core/parallel.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <vector>

using namespace tmor;

namespace {
/// Sets the number of threads for a scope.
struct Threads {
  int before = num_threads();
  explicit Threads(int n) { set_num_threads(n); }
  ~Threads() { set_num_threads(before); }
};
}  // namespace

TEST_CASE("parallel_for covers the range once, in chunks of exactly the grain") {
  for (int threads : {1, 2, 3, 7}) {
    Threads scope(threads);
    for (Index n : {0, 1, 2, 5, 64, 1000}) {
      for (Index grain : {1, 3, 64, 5000}) {
        std::vector<int> hits(static_cast<std::size_t>(n), 0);
        std::atomic<int> bad{0};
        parallel_chunks(n, grain, [&](Index chunk, Index begin, Index end) {
          if (begin != chunk * grain || end != std::min(n, begin + grain)) ++bad;
          for (Index i = begin; i < end; ++i) ++hits[static_cast<std::size_t>(i)];
        });
        CHECK(bad == 0);
        CHECK(hits == std::vector<int>(static_cast<std::size_t>(n), 1));
      }
    }
  }
}

TEST_CASE("parallel_for uses the other threads") {
  Threads scope(3);
  // Each chunk waits for the other two: this ends only when three threads are inside at once.
  std::atomic<int> inside{0};
  parallel_for(3, 1, [&](Index, Index) {
    ++inside;
    while (inside.load() < 3) sched_yield();
  });
  CHECK(inside == 3);
}

TEST_CASE("parallel_for called inside a chunk runs in place") {
  Threads scope(4);
  std::atomic<int> sum{0}, moved{0};
  parallel_for(8, 1, [&](Index, Index) {
    const pthread_t self = pthread_self();
    parallel_for(100, 10, [&](Index begin, Index end) {
      if (!pthread_equal(self, pthread_self())) ++moved;
      sum += static_cast<int>(end - begin);
    });
  });
  CHECK(sum == 800);
  CHECK(moved == 0);
}

TEST_CASE("an exception in a chunk reaches the caller and leaves the pool usable") {
  Threads scope(4);
  for (int round = 0; round < 20; ++round) {
    CHECK_THROWS_WITH_AS(parallel_for(100, 1,
                                      [](Index begin, Index) {
                                        if (begin == 37) throw Error("chunk 37");
                                      }),
                         "chunk 37", Error);
  }
  std::atomic<int> count{0};
  parallel_for(100, 1, [&](Index, Index) { ++count; });
  CHECK(count == 100);
}

TEST_CASE("many short calls, with pauses in which the workers fall asleep") {
  Threads scope(3);
  long total = 0;
  for (int call = 0; call < 20000; ++call) {
    long part[4] = {};
    parallel_chunks(4, 1, [&](Index chunk, Index, Index) { part[chunk] = chunk + 1; });
    for (long p : part) total += p;
    if (call % 4000 == 0) usleep(500);
  }
  CHECK(total == 200000);
}

TEST_CASE("several user threads may call at once") {
  Threads scope(3);
  std::atomic<long> sum{0};
  const auto body = [](void* p) -> void* {
    for (int call = 0; call < 500; ++call) {
      parallel_for(64, 4, [&](Index b, Index e) { *static_cast<std::atomic<long>*>(p) += e - b; });
    }
    return nullptr;
  };
  pthread_t users[3];
  for (pthread_t& u : users) REQUIRE(pthread_create(&u, nullptr, body, &sum) == 0);
  for (pthread_t& u : users) pthread_join(u, nullptr);
  CHECK(sum == 3L * 500 * 64);
}

TEST_CASE("the number of threads can change between calls") {
  Threads scope(1);
  for (int threads : {1, 4, 2, 6, 1, 3}) {
    set_num_threads(threads);
    CHECK(num_threads() == threads);
    std::atomic<Index> sum{0};
    parallel_for(1000, 7, [&](Index b, Index e) { sum += e - b; });
    CHECK(sum == 1000);
  }
}

TEST_CASE("bad arguments are errors") {
  CHECK_THROWS_AS(set_num_threads(0), Error);
  CHECK_THROWS_AS(set_num_threads(1 << 20), Error);
  CHECK_THROWS_AS(parallel_for(4, 0, [](Index, Index) {}), Error);
  CHECK_NOTHROW(parallel_for(-3, 1, [](Index, Index) { throw Error("called"); }));
}

TEST_CASE("TMOR_NUM_THREADS") {
  CHECK(detail::threads_from(nullptr) >= 1);
  CHECK(detail::threads_from("") == detail::threads_from(nullptr));
  CHECK(detail::threads_from("3") == 3);
  for (const char* bad : {"0", "-1", "two", "2 ", "2x", "1.5", "99999", "99999999999999999999"}) {
    CHECK_THROWS_AS(detail::threads_from(bad), Error);
  }
}

#if !defined(TMOR_TSAN)  // the sanitizer does not follow a fork of a threaded program
TEST_CASE("a forked child starts its own workers") {
  Threads scope(3);
  parallel_for(8, 1, [](Index, Index) {});
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::atomic<int> inside{0};
    parallel_for(3, 1, [&](Index, Index) {
      ++inside;
      while (inside.load() < 3) sched_yield();
    });
    _exit(inside == 3 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
#endif
