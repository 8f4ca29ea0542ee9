#include "tmor/data/loader.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <numeric>

#include "../support/files.hpp"

using namespace tmor;
using data::BatchPlan;
using data::Loader;
using data::LoaderOptions;
using test::contains;
using test::message;

namespace {

/// What a batch function sees: sample numbers, each followed by its first random bits.
using Seen = std::vector<std::uint64_t>;

Seen see(const BatchPlan& p) {
  Seen s;
  for (Index i : p.samples) {
    s.push_back(static_cast<std::uint64_t>(i));
    s.push_back(p.rng(i).bits());
  }
  // Batches take unlike times, so that workers overtake each other.
  volatile std::uint64_t spin = 0;
  for (std::uint64_t i = s.back() % 20000; i > 0; --i) spin = spin + 1;
  return s;
}

/// All batches of some epochs; an empty one marks the end of each.
std::vector<Seen> run(Loader<Seen>& loader, int epochs) {
  std::vector<Seen> all;
  for (int e = 0; e < epochs; ++e) {
    while (auto b = loader.next()) all.push_back(*b);
    all.push_back({});
  }
  return all;
}

std::vector<Seen> run(Index n, const LoaderOptions& options, int epochs = 3) {
  Loader<Seen> loader(n, see, options);
  return run(loader, epochs);
}

}  // namespace

TEST_CASE("every sample once an epoch, the order new in each") {
  const auto all = run(10, {.batch_size = 4, .workers = 2}, 2);
  REQUIRE(all.size() == 8);
  std::vector<std::uint64_t> first, second;
  for (std::size_t b = 0; b < 3; ++b) {
    CHECK(all[b].size() == (b < 2 ? 8 : 4));
    for (std::size_t i = 0; i < all[b].size(); i += 2) first.push_back(all[b][i]);
    for (std::size_t i = 0; i < all[b + 4].size(); i += 2) second.push_back(all[b + 4][i]);
  }
  CHECK(first != second);
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  std::vector<std::uint64_t> ramp(10);
  std::iota(ramp.begin(), ramp.end(), 0u);
  CHECK(first == ramp);
  CHECK(second == ramp);
}

TEST_CASE("the same batches for any number of workers and any prefetch") {
  const LoaderOptions one{.batch_size = 3, .seed = 7, .workers = 0};
  const auto expected = run(50, one);
  for (int workers : {1, 2, 5}) {
    for (Index prefetch : {1, 3, 64}) {
      CAPTURE(workers);
      CAPTURE(prefetch);
      auto options = one;
      options.workers = workers;
      options.prefetch = prefetch;
      CHECK(run(50, options) == expected);
    }
  }
  auto other = one;
  other.seed = 8;
  CHECK(run(50, other) != expected);
}

TEST_CASE("without shuffling; with the last batch dropped; empty sets") {
  Loader<Seen> loader(5, see, {.batch_size = 2, .shuffle = false, .drop_last = true});
  CHECK(loader.batches() == 2);
  const auto all = run(loader, 1);
  REQUIRE(all.size() == 3);
  CHECK(all[0][0] == 0);
  CHECK(all[0][2] == 1);
  CHECK(all[1][0] == 2);
  CHECK(run(0, {}, 2) == std::vector<Seen>(2));
  CHECK(run(3, {.batch_size = 4, .drop_last = true}, 2) == std::vector<Seen>(2));
}

TEST_CASE("a run resumed from any position continues with the same batches") {
  for (int workers : {0, 3}) {
    const LoaderOptions options{.batch_size = 4, .seed = 3, .workers = workers};
    Loader<Seen> loader(18, see, options);
    for (int skipped = 0; skipped < 14; ++skipped) {
      CAPTURE(skipped);
      const auto state = loader.state();
      Loader<Seen> resumed(18, see, {.batch_size = 4, .seed = 99, .workers = workers});
      resumed.restore(state);
      CHECK(resumed.state() == state);
      const auto rest = run(resumed, 2);
      Loader<Seen> again(18, see, options);
      again.restore(state);
      CHECK(run(again, 2) == rest);
      loader.next();
    }
    loader.restore(
        {.seed = 3, .epoch = 0, .batch = 0, .samples = 18, .batch_size = 4});  // threads are running
    CHECK(run(loader, 3) == run(18, options));
  }
  Loader<Seen> loader(18, see, {.batch_size = 4});
  CHECK(contains(message<Error>([&] { loader.restore({.samples = 17, .batch_size = 4}); }), "17 samples"));
  CHECK_THROWS_AS(loader.restore({.batch = 6, .samples = 18, .batch_size = 4}), Error);
}

TEST_CASE("an exception arrives in its batch's place, and the batch is tried again") {
  for (int workers : {0, 4}) {
    CAPTURE(workers);
    std::atomic<bool> broken{true};
    const auto make = [&](const BatchPlan& p) {
      if (p.epoch == 0 && p.batch == 2 && broken) throw IoError("clip 0002 is damaged");
      return see(p);
    };
    const LoaderOptions options{.batch_size = 2, .workers = workers};
    Loader<Seen> loader(10, make, options);
    std::vector<Seen> all{*loader.next(), *loader.next()};
    for (int i = 0; i < 2; ++i) {
      CHECK(message<IoError>([&] { loader.next(); }) == "clip 0002 is damaged");
      CHECK(loader.state().batch == 2);
    }
    broken = false;
    while (auto b = loader.next()) all.push_back(*b);
    all.push_back({});
    CHECK(all == run(10, options, 1));
  }
}

TEST_CASE("no more than `prefetch` batches wait, and move-only batches will do") {
  std::atomic<int> made{0};
  {
    Loader<std::unique_ptr<int>> loader(100,
                                        [&](const BatchPlan& p) {
                                          ++made;
                                          return std::make_unique<int>(static_cast<int>(p.batch));
                                        },
                                        {.batch_size = 1, .workers = 3, .prefetch = 5});
    CHECK(made == 0);  // nothing before it is asked for
    for (int i = 0; i < 10; ++i) {
      CHECK(**loader.next() == i);
      CHECK(made <= i + 1 + 5);
    }
  }
  CHECK(made <= 15);
}

TEST_CASE("options out of range are refused") {
  CHECK_THROWS_AS(Loader<Seen>(-1, see), Error);
  CHECK_THROWS_AS(Loader<Seen>(1, see, {.batch_size = 0}), Error);
  CHECK_THROWS_AS(Loader<Seen>(1, see, {.workers = -1}), Error);
  CHECK_THROWS_AS(Loader<Seen>(1, see, {.prefetch = 0}), Error);
}
