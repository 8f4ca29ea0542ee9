// Dropout is differentiable; what it and the fills draw is checked in unit/random_test.cpp.
#include "table.hpp"
#include "tmor/ops/random.hpp"

using namespace table;

TEST_CASE("op table: dropout") {
  // The stream, one block of four words at a time, as rng.hpp defines it.
  auto kept = [](Index i, double p) {
    const auto b = tmor::philox(5, 9, static_cast<std::uint64_t>(i / 4));
    return tmor::uniform_from_bits(b.word[i % 4]) >= static_cast<float>(p);
  };
  row<1>(
      "dropout", unary_shapes(),
      [](auto x) {
        tmor::Rng rng(5, 9);
        return dropout(x, 0.25, rng);
      },
      [&](const Arrays& in) {
        Array y = in[0];
        for (Index i = 0; i < y.numel(); ++i) y[i] = kept(i, 0.25) ? y[i] / 0.75 : 0;
        return y;
      });
  row<1>(
      "drop_path", {{{7, 3}}, {{5}}, {{0, 2}}, {{6, 2, 37}}},
      [](auto x) {
        tmor::Rng rng(5, 9);
        return drop_path(x, 0.5, rng);
      },
      [&](const Arrays& in) {
        Array y = in[0];
        for_each_index(y.shape, [&](const Shape& at, Index i) { y[i] = kept(at[0], 0.5) ? 2 * y[i] : 0; });
        return y;
      });
}
