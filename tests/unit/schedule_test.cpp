#include "tmor/optim/schedule.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "tmor/io/json.hpp"

using namespace tmor;
using optim::Schedule;

TEST_CASE("schedules follow PyTorch") {
  const io::Json golden = io::read_json(test::golden("optim/schedule.json"));
  auto follow = [&](const char* name, const Schedule& s) {
    CAPTURE(name);
    const auto want = golden[name].get<std::vector<double>>();
    for (std::size_t i = 0; i < want.size(); ++i) {
      CAPTURE(i);
      CHECK(s(static_cast<Index>(i)) == doctest::Approx(want[i]).epsilon(1e-12));
    }
  };
  follow("cosine", Schedule::cosine(20, 0.1));
  follow("step", Schedule::step(4, 0.5));
  follow("multi_step", Schedule::multi_step({10, 3, 11}));
  follow("linear", Schedule::linear(10, 0.25));
  follow("one_cycle", Schedule::one_cycle(20));
  follow("one_cycle_uneven", Schedule::one_cycle(13, 0.1, 10, 100));
  follow("warmup_cosine", Schedule::cosine(15).warmed_up(5));
}

TEST_CASE("schedules stay at their last value") {
  CHECK(Schedule::constant()(1'000'000) == 1);
  CHECK(Schedule::cosine(10, 0.2)(1000) == doctest::Approx(0.2));
  CHECK(Schedule::linear(10)(1000) == doctest::Approx(0));
  CHECK(Schedule::one_cycle(10)(1000) == doctest::Approx(1 / 25e4));
  CHECK(Schedule::one_cycle(1)(0) >= 0);
  CHECK(Schedule::one_cycle(5, 0.2)(0) == doctest::Approx(1));  // the peak is the first step
  CHECK(Schedule::one_cycle(10, 1.0)(9) == doctest::Approx(1));
  CHECK(Schedule::cosine(10).warmed_up(0)(0) == 1);
}

TEST_CASE("schedules by name") {
  const Schedule s = Schedule::named("cosine", 20, 5);
  CHECK(s(0) == doctest::Approx(0.01));
  CHECK(s(5) == doctest::Approx(1));
  CHECK(s(20) == doctest::Approx(0));
  CHECK(Schedule::named("constant", 20)(7) == 1);
  CHECK(Schedule::named("linear", 3, 9)(4) < 1);
  CHECK(Schedule::named("one_cycle", 20)(5) == doctest::Approx(1));
  CHECK(test::contains(test::message<Error>([] { Schedule::named("cosin", 10); }), "'cosine'"));
  CHECK_THROWS_AS(Schedule::cosine(0), Error);
  CHECK_THROWS_AS(Schedule::step(1, -1), Error);
  CHECK_THROWS_AS(Schedule::constant()(-1), Error);
  CHECK_THROWS_AS(Schedule::one_cycle(10, 2), Error);
}
