// Teams: rows of every length, sums in a fixed order, chunks that cover the rows.
#include "tmor/core/team.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "tmor/cpu/rows.hpp"

using tmor::HostTeam;
using tmor::Index;
using tmor::RowChunks;
using tmor::Two;

TEST_CASE_TEMPLATE("a team reads, writes, sums and compares rows of every length", C, float, double) {
  using V = typename HostTeam<C>::V;
  const HostTeam<C> team;
  for (Index n = 0; n < 70; ++n) {
    CAPTURE(n);
    // Negative numbers, so that a lane beyond the end would win the maximum; whole, so that sums are exact.
    std::vector<C> x(static_cast<std::size_t>(n));
    C sum = 0, squares = 0, most = tmor::kLowest<C>;
    for (Index i = 0; i < n; ++i) {
      const C v = x[static_cast<std::size_t>(i)] = static_cast<C>(-1 - i * 7 % 13);
      sum += v;
      squares += v * v;
      most = v > most ? v : most;
    }
    CHECK(team.sum(n, [&](auto at) { return at.load(x.data()); }) == sum);
    // A constant counts once an element, not once a lane.
    CHECK(team.sum(n, [&](auto) { return V(C(1)); }) == static_cast<C>(n));
    const Two<C> both = team.sum(n, [&](auto at) {
      const V v = at.load(x.data());
      return Two<V>{v, v * v};
    });
    CHECK(both.first == sum);
    CHECK(both.second == squares);
    CHECK(team.max(n, [&](auto at) { return at.load(x.data()); }) == most);

    std::vector<C> y(static_cast<std::size_t>(n) + 1, C(42));
    team.each(n, [&](auto at) {
      at.store(y.data(), at.load(x.data()) + at.load_or(static_cast<C*>(nullptr), C(3)));
    });
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(y[i] == x[i] + 3);
    CHECK(y.back() == C(42));
  }
}

TEST_CASE("a team converts from and to the types in memory") {
  const HostTeam<float> team;
  tmor::bf16 x[21], y[21];
  bool mask[21];
  for (int i = 0; i < 21; ++i) {
    x[i] = static_cast<float>(i);
    mask[i] = i % 3 == 0;
  }
  team.each(21, [&](auto at) { at.store(y, at.load(x) * at.load(mask)); });
  for (int i = 0; i < 21; ++i) CHECK(static_cast<float>(y[i]) == (i % 3 == 0 ? static_cast<float>(i) : 0.0f));
}

TEST_CASE("chunks of rows cover the rows and stay few") {
  for (const Index rows : {0, 1, 2, 127, 128, 129, 5000, 1000000})
    for (const Index cols : {0, 1, 64, 100000}) {
      CAPTURE(rows);
      CAPTURE(cols);
      const RowChunks c(rows, cols);
      CHECK(c.count <= 128);
      Index next = 0;
      for (Index i = 0; i < c.count; ++i) {
        CHECK(c.begin(i) == next);
        CHECK(c.end(i) > c.begin(i));
        next = c.end(i);
      }
      CHECK(next == rows);
    }
}

namespace {

struct CountRows {
  using Compute = float;
  std::vector<int>* seen;
  template <class Team> void operator()(const Team&, Index row) const {
    ++(*seen)[static_cast<std::size_t>(row)];
  }
  template <class Team> void operator()(const Team&, Index, Index begin, Index end) const {
    for (Index r = begin; r < end; ++r) ++(*seen)[static_cast<std::size_t>(r)];
  }
};

}  // namespace

TEST_CASE("every row is run once") {
  for (const Index rows : {0, 1, 777}) {
    std::vector<int> seen(static_cast<std::size_t>(rows));
    run_rows(tmor::Cpu{}, rows, 1000, CountRows{&seen});
    run_row_chunks(tmor::Cpu{}, RowChunks(rows, 1000), CountRows{&seen});
    for (const int n : seen) CHECK(n == 2);
  }
}
