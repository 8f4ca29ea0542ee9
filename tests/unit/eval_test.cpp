#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tmor/core/rng.hpp"
#include "tmor/eval/few_shot.hpp"
#include "tmor/eval/linear_probe.hpp"
#include "tmor/eval/nearest_neighbour.hpp"
#include "tmor/eval/retrieval.hpp"
#include "tmor/eval/zero_shot.hpp"

using namespace tmor;
using doctest::Approx;
using doctest::Contains;
using eval::Features;

namespace {

/// `per_class` samples around a random centre for each class; the centres depend on neither seed nor number.
Features clusters(Index classes, Index per_class, Index dim, double noise, std::uint64_t seed) {
  Rng centres(99), rng(seed);
  std::vector<float> c(static_cast<std::size_t>(classes * dim)), v;
  for (float& x : c) x = static_cast<float>(centres.normal());
  Features f{{}, {}, classes};
  for (Index i = 0; i < classes * per_class; ++i) {
    const Index label = i % classes;
    for (Index j = 0; j < dim; ++j)
      v.push_back(c[static_cast<std::size_t>(label * dim + j)] + static_cast<float>(noise * rng.normal()));
    f.y.push_back(label);
  }
  f.x = Tensor<>::from(v, {classes * per_class, dim});
  return f;
}

Features with(Features f, Index at, float value) {
  f.x = clone(f.x);
  f.x.mutable_data()[at] = value;
  return f;
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("lbfgs finds the minimum of a quadratic and of Rosenbrock's function") {
  std::vector<double> x = {3, -2, 5};
  const auto quadratic = [](const std::vector<double>& p, std::vector<double>& g) {
    double f = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const double a = std::pow(10.0, static_cast<double>(i)), d = p[i] - 1;
      f += a * d * d / 2;
      g[i] = a * d;
    }
    return f;
  };
  const auto r = eval::lbfgs(quadratic, x, {.tolerance = 1e-9});
  CHECK(r.converged);
  for (const double v : x) CHECK(v == Approx(1).epsilon(1e-8));
  std::vector<double> y = {-1.2, 1};
  const auto rosenbrock = [](const std::vector<double>& p, std::vector<double>& g) {
    const double a = 1 - p[0], b = p[1] - p[0] * p[0];
    g = {-2 * a - 400 * p[0] * b, 200 * b};
    return a * a + 100 * b * b;
  };
  const auto s = eval::lbfgs(rosenbrock, y, {.tolerance = 1e-8});
  CHECK(s.converged);
  CHECK(s.iterations < 60);
  CHECK(y[0] == Approx(1).epsilon(1e-6));
  CHECK_THROWS_AS(eval::lbfgs(rosenbrock, y, {.history = 0}), Error);
}

TEST_CASE("the objective of the logistic regression has the gradient of its values") {
  const Features f = clusters(4, 9, 5, 1.0, 3);
  const eval::detail::LogisticObjective objective{to<double>(f.x), f.y, 4, 0.1};
  Rng rng(5);
  std::vector<double> theta(4 * 5 + 4), g(theta.size()), unused(theta.size());
  for (double& t : theta) t = rng.normal();
  objective(theta, g);
  for (std::size_t i = 0; i < theta.size(); ++i) {
    auto up = theta, down = theta;
    up[i] += 1e-5, down[i] -= 1e-5;
    CHECK(g[i] == Approx((objective(up, unused) - objective(down, unused)) / 2e-5).epsilon(1e-6));
  }
}

TEST_CASE("logistic regression of two points, in closed form") {
  // x = -1 and 1, so w1 - w0 = 2w with w the root of sigmoid(-2w) = lambda w by symmetry, b = 0.
  const Features f{Tensor<>::from({-1, 1}, {2, 1}), {0, 1}, 2};
  const auto m = eval::fit_logistic(f, {.lambda = 0.1, .solver = {.tolerance = 1e-10}});
  REQUIRE(m.converged);
  const double w = m.weight.at({1, 0});
  CHECK(m.weight.at({0, 0}) == Approx(-w));
  CHECK(1 / (1 + std::exp(2 * w)) == Approx(0.1 * w));
  CHECK(m.bias.at({0}) == Approx(0));
}

TEST_CASE("logistic regression ignores offset, scale and constant columns of the features") {
  Features f = clusters(3, 20, 4, 0.8, 1), g = f;
  auto v = f.x.to_vector();
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = i % 4 == 2 ? 7 : v[i];
  f.x = Tensor<>::from(v, {60, 4});
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = i % 4 == 2 ? -3 : i % 4 == 1 ? v[i] * 256 + 128 : v[i];
  g.x = Tensor<>::from(v, {60, 4});
  const auto a = eval::fit_logistic(f), b = eval::fit_logistic(g);
  CHECK(a.objective == Approx(b.objective).epsilon(1e-6));
  CHECK(a.weight.at({0, 2}) == 0);
  const auto sa = a.scores(f.x).to_vector(), sb = b.scores(g.x).to_vector();
  for (std::size_t i = 0; i < sa.size(); ++i) CHECK(std::fabs(sa[i] - sb[i]) < 1e-2);
}

TEST_CASE("the linear probe separates clusters and says how") {
  const Features train = clusters(5, 30, 16, 0.5, 1), test = clusters(5, 20, 16, 0.5, 2);
  const auto r = eval::linear_probe(train, test);
  CHECK(r.test.top1 > 0.98);
  CHECK(r.test.top5 == 1);
  CHECK(r.held_out.size() == 6);
  CHECK(r.protocol.find("held out by class") != std::string::npos);
  CHECK(r.protocol.find("150 training and 100 test samples of 5 classes, 16 features") != std::string::npos);
  const auto one = eval::linear_probe(train, test, {.lambdas = {0.5}});
  CHECK(one.lambda == 0.5);
  CHECK(one.held_out.empty());
  CHECK(one.protocol.find("lambda 0.5, given") != std::string::npos);
}

TEST_CASE("equally good lambdas: the largest") {
  const Features f = clusters(3, 20, 8, 0.01, 1);  // any lambda is right
  CHECK(eval::linear_probe(f, f, {.lambdas = {1e-3, 1e-1, 1e-2}}).lambda == 1e-1);
}

TEST_CASE("held-out samples: a part of every class, or whole groups") {
  const Features f = clusters(4, 10, 2, 1, 1);
  const auto [kept, held] = eval::hold_out(f, 0.3, 7);
  CHECK(kept.size() == 28);
  CHECK(held.size() == 12);
  for (const auto& rows : eval::samples_by_class(eval::take(f, held))) CHECK(rows.size() == 3);
  CHECK(eval::hold_out(f, 0.3, 8).second != held);
  std::vector<Index> groups;
  for (Index i = 0; i < 40; ++i) groups.push_back(i / 5 * 100);
  const auto [stay, out] = eval::hold_out(f, 0.2, 1, groups);
  CHECK(out.size() == 10);
  for (const Index i : out)
    for (const Index j : stay)
      CHECK(groups[static_cast<std::size_t>(i)] != groups[static_cast<std::size_t>(j)]);
  CHECK(eval::linear_probe(f, f, {}, groups).protocol.find("by group") != std::string::npos);
  CHECK_THROWS_AS(eval::hold_out(f, 0, 1), Error);
  CHECK_THROWS_AS(eval::hold_out(f, 1, 1), Error);
  CHECK_THROWS_AS(eval::hold_out(f, 0.5, 1, std::vector<Index>(40, 1)), Error);  // one group
  CHECK_THROWS_AS(eval::hold_out(f, 0.5, 1, std::vector<Index>(39)), Error);
  CHECK_THROWS_AS(eval::hold_out(clusters(4, 1, 2, 1, 1), 0.3, 1), Error);  // one sample a class
}

TEST_CASE("few-shot: better with more samples, draws contain one another, short classes are named") {
  const Features train = clusters(5, 12, 16, 1.5, 1), test = clusters(5, 40, 16, 1.5, 2);
  for (const auto head : {eval::FewShotHead::kLogistic, eval::FewShotHead::kNearestMean})
    for (const auto by : {eval::Nearness::kCosine, eval::Nearness::kL2}) {
      const auto r = eval::few_shot(train, test, {.head = head, .by = by});
      REQUIRE(r.points.size() == 5);
      CHECK(r.points[0].top1.size() == 5);
      CHECK(r.points[0].top1_mean() > 0.3);
      CHECK(r.points[3].top1_mean() > r.points[0].top1_mean() + 0.1);
      CHECK(r.points[0].top1_std() > 0);
      CHECK(r.points[3].short_classes == 0);
      CHECK(r.points[4].short_classes == 5);
      CHECK(r.points[4].top1_std() < 1e-12);  // all samples, whatever the draw
      CHECK(r.protocol.find("k = 16: 5 classes have fewer samples") != std::string::npos);
    }
  const auto two = eval::draw_shots(train, 2, 3), four = eval::draw_shots(train, 4, 3);
  CHECK(two.size() == 10);
  CHECK(std::vector<Index>(four.begin(), four.begin() + 2) ==
        std::vector<Index>(two.begin(), two.begin() + 2));
  CHECK(eval::draw_shots(train, 2, 4) != two);
  CHECK_THROWS_AS(eval::few_shot(train, test, {.shots = {0}}), Error);
  CHECK_THROWS_AS(eval::few_shot(train, test, {.shots = {}}), Error);
  CHECK_THROWS_AS(eval::few_shot(train, test, {.seeds = 0}), Error);
}

TEST_CASE("nearest neighbours, by hand") {
  const Features train{Tensor<>::from({1, 0, 0, 4, 3, 3}, {3, 2}), {0, 1, 2}, 3};
  const Features test{Tensor<>::from({5, 0, 2, 2.5f, 0, 1}, {3, 2}), {0, 2, 1}, 3};
  const auto cosine = eval::nearest_neighbour(train, test);
  CHECK(cosine.predicted == std::vector<Index>{0, 2, 1});
  CHECK(cosine.top1 == 1);
  CHECK(cosine.protocol.find("1 nearest training samples by cosine") != std::string::npos);
  const auto l2 = eval::nearest_neighbour(train, test, {.by = eval::Nearness::kL2});
  CHECK(l2.predicted == std::vector<Index>{2, 2, 0});  // (5, 0) is 3.6 from (3, 3) and 4 from (1, 0)
  CHECK(l2.top1 == Approx(1.0 / 3));
  // Two of three beat the nearest; one each, the nearest wins.
  const Features line{Tensor<>::from({0, 1, 1.5f, 9}, {4, 1}), {0, 1, 1, 0}, 2};
  const Features at{Tensor<>::from({0.4f, -1}, {2, 1}), {1, 0}, 2};
  CHECK(eval::nearest_neighbour(line, at, {.k = 3, .by = eval::Nearness::kL2}).predicted ==
        std::vector<Index>{1, 1});
  CHECK(eval::nearest_neighbour(line, at, {.k = 2, .by = eval::Nearness::kL2}).predicted ==
        std::vector<Index>{0, 0});
  CHECK(eval::nearest_neighbour(line, at, {.k = 99, .by = eval::Nearness::kL2}).predicted ==
        std::vector<Index>{0, 0});
  CHECK_THROWS_AS(eval::nearest_neighbour(line, at, {.k = 0}), Error);
}

TEST_CASE("nearest neighbours far from the origin keep their digits") {
  const Features train{Tensor<>::from({10000, 10001, 10002}, {3, 1}), {0, 1, 2}, 3};
  const Features test{Tensor<>::from({10000.4f, 10000.6f, 10001.6f}, {3, 1}), {0, 1, 2}, 3};
  CHECK(eval::nearest_neighbour(train, test, {.by = eval::Nearness::kL2}).top1 == 1);
}

TEST_CASE("a class without samples is never the nearest mean") {
  const Features train{Tensor<>::from({1, 0, 0, 1}, {2, 2}), {0, 2}, 3};
  const auto s = eval::nearest_mean_scores(train, Tensor<>::from({-1, -1}, {1, 2}), eval::Nearness::kCosine);
  CHECK(s.at({0, 1}) < s.at({0, 0}));
  CHECK(s.at({0, 0}) == Approx(-std::sqrt(0.5)));
}

TEST_CASE("zero-shot: prompts are averaged at length 1") {
  // Class 0: (1, 0) and (0, 10), so the direction (1, 1); class 1: (-2, 0).
  const auto prompts = Tensor<>::from({1, 0, 0, 10, -2, 0}, {3, 2});
  const auto e = eval::class_embeddings(prompts, std::vector<Index>{0, 0, 1}, 2);
  CHECK(e.at({0, 0}) == Approx(std::sqrt(0.5)));
  CHECK(e.at({0, 1}) == Approx(std::sqrt(0.5)));
  CHECK(e.at({1, 0}) == Approx(-1));
  const Features test{Tensor<>::from({3, 3, -1, 0.5f, 0, -1}, {3, 2}), {0, 1, 0}, 2};
  const auto r = eval::zero_shot(test, e, "2 templates");
  CHECK(r.scores.at({0, 0}) == Approx(1));
  CHECK(r.test.top1 == Approx(2.0 / 3));
  CHECK(r.test.mean_class == Approx(0.75));
  CHECK(r.protocol.find("2 templates; 3 test samples of 2 classes") != std::string::npos);
  CHECK_THROWS_WITH_AS(eval::class_embeddings(prompts, std::vector<Index>{0, 0, 2}, 3),
                       Contains("class 1 has no prompt"), Error);
  CHECK_THROWS_AS(eval::class_embeddings(prompts, std::vector<Index>{0, 0}, 1), Error);
  CHECK_THROWS_AS(eval::class_embeddings(Tensor<>::from({1, 0, -1, 0}, {2, 2}), std::vector<Index>{0, 0}, 1),
                  Error);
  CHECK_THROWS_AS(eval::zero_shot(test, Tensor<>::ones({2, 3})), ShapeError);
  CHECK_THROWS_WITH_AS(eval::zero_shot(with(with(test, 0, 0), 1, 0), e), Contains("all zero"), Error);
}

TEST_CASE("retrieval in both directions, by hand") {
  const auto a = Tensor<>::from({1, 0, 0, 1}, {2, 2}), b = Tensor<>::from({1, 0.1f, 1, 2, -1, 0}, {3, 2});
  const auto r = eval::retrieval(a, std::vector<Index>{7, 8}, b, std::vector<Index>{7, 7, 8});
  CHECK(r.a_to_b.r1 == 0.5);  // (0, 1) finds (-1, 0) last
  CHECK(r.a_to_b.r5 == 1);
  CHECK(r.a_to_b.median_rank == 2);
  CHECK(r.b_to_a.r1 == Approx(2.0 / 3));  // (1, 2) is nearer to (0, 1)
  CHECK(r.b_to_a.queries == 3);
  CHECK(r.protocol.find("2 x 3") != std::string::npos);
  CHECK_THROWS_AS(eval::retrieval(a, std::vector<Index>{1, 2}, b, std::vector<Index>{3, 4, 5}), Error);
  CHECK_THROWS_AS(eval::retrieval(a, std::vector<Index>{1}, b, std::vector<Index>{1, 1, 1}), ShapeError);
}

TEST_CASE("protocols refuse what they cannot use") {
  const Features good = clusters(3, 6, 4, 0.5, 1);
  Features empty{Tensor<>::empty({0, 4}), {}, 3}, range = good, negative = good, short_labels = good,
                                                  one = good;
  range.y[4] = 3;
  negative.y[2] = -1;
  short_labels.y.pop_back();
  for (Index& y : one.y) y = 1;
  const Features nan = with(good, 9, kNan), inf = with(good, 9, std::numeric_limits<float>::infinity());
  for (const Features& bad : {Features{}, empty, range, negative, short_labels, nan, inf}) {
    CHECK_THROWS_AS(eval::fit_logistic(bad), Error);
    CHECK_THROWS_AS(eval::linear_probe(bad, good), Error);
    CHECK_THROWS_AS(eval::linear_probe(good, bad), Error);
    CHECK_THROWS_AS(eval::few_shot(good, bad), Error);
    CHECK_THROWS_AS(eval::nearest_neighbour(bad, good), Error);
    CHECK_THROWS_AS(eval::zero_shot(bad, Tensor<>::ones({3, 4})), Error);
  }
  CHECK_THROWS_WITH_AS(eval::fit_logistic(nan), Contains("feature 1 of sample 2"), Error);
  CHECK_THROWS_WITH_AS(eval::fit_logistic(range), Contains("label 3 of sample 4 is outside [0, 3)"), Error);
  CHECK_THROWS_WITH_AS(eval::fit_logistic(one), Contains("are of class 1"), Error);
  CHECK_THROWS_AS(eval::fit_logistic(good, {.lambda = -1}), Error);
  CHECK_THROWS_AS(eval::linear_probe(good, clusters(3, 6, 5, 0.5, 1)), ShapeError);
  CHECK_THROWS_AS(eval::linear_probe(good, clusters(4, 6, 4, 0.5, 1)), ShapeError);
  CHECK_THROWS_AS(eval::linear_probe(good, good, {.lambdas = {}}), Error);
  CHECK_THROWS_AS(eval::take(good, std::vector<Index>{18}), Error);
}

TEST_CASE("results have the same bits with 1 and 3 threads") {
  const Features train = clusters(6, 60, 64, 1.5, 1), test = clusters(6, 50, 64, 1.5, 2);
  const int before = num_threads();
  std::vector<std::vector<double>> weights;
  std::vector<std::vector<float>> near;
  for (const int threads : {1, 3}) {
    set_num_threads(threads);
    weights.push_back(eval::fit_logistic(train).weight.to_vector());
    near.push_back(eval::nearness(test.x, train.x, eval::Nearness::kL2).to_vector());
  }
  set_num_threads(before);
  CHECK(weights[0] == weights[1]);
  CHECK(near[0] == near[1]);
}
