#include "table.hpp"
#include "tmor/ops/joint_mix.hpp"
#include "tmor/ops/joint_scores.hpp"

using namespace table;

namespace {
Array reference(const Array& x, const Array& a, const Array& weight, const Array* bias) {
  const bool own = a.shape.rank() == 4;
  const Index n = x.shape[0], t = x.shape[1], v = x.shape[2], c = x.shape[3], h = weight.shape[0],
              o = weight.shape[2];
  const Index w = a.shape[a.shape.rank() - 1];
  Array y({n, t, w, o});
  for (Index i = 0; i < n; ++i)
    for (Index s = 0; s < t; ++s)
      for (Index k = 0; k < w; ++k) {
        double* const out = &y[((i * t + s) * w + k) * o];
        for (Index b = 0; b < o; ++b) out[b] = bias ? (*bias)[k * o + b] : 0;
        for (Index head = 0; head < h; ++head)
          for (Index j = 0; j < v; ++j) {
            const double m = a[(((own ? i * h : 0) + head) * v + j) * w + k];
            for (Index q = 0; q < c; ++q)
              for (Index b = 0; b < o; ++b)
                out[b] += m * x[((i * t + s) * v + j) * c + q] * weight[(head * c + q) * o + b];
          }
      }
  return y;
}

/// Scores of two heads, scaled by 0.3.
Array scores_reference(const Array& x, const Array& w, const Array* b) {
  const Index n = x.shape[0], t = x.shape[1], v = x.shape[2], c = x.shape[3], h = 2, d = w.shape[0] / (2 * h);
  const auto projected = [&](Index row, Index j) {
    double y = b ? (*b)[j] : 0;
    for (Index i = 0; i < c; ++i) y += x[row * c + i] * w[j * c + i];
    return y;
  };
  Array s({n, h, v, v});
  for (Index i = 0; i < n; ++i)
    for (Index head = 0; head < h; ++head)
      for (Index p = 0; p < v; ++p)
        for (Index q = 0; q < v; ++q) {
          double sum = 0;
          for (Index f = 0; f < t; ++f)
            for (Index j = 0; j < d; ++j)
              sum += projected((i * t + f) * v + p, head * d + j) *
                     projected((i * t + f) * v + q, (h + head) * d + j);
          s[((i * h + head) * v + p) * v + q] = 0.3 * sum;
        }
  return s;
}
const Options kOptions{.tol = 1e-5, .tol64 = 1e-12, .tol_grad = 3e-5, .low = -1, .high = 1};
}  // namespace

TEST_CASE("op table: joint_mix") {
  row<3>(
      "joint_mix",
      {{{1, 1, 1, 1}, {1, 1, 1}, {1, 1, 1}},
       {{2, 3, 5, 4}, {3, 5, 5}, {3, 4, 6}},
       {{0, 3, 5, 4}, {3, 5, 5}, {3, 4, 6}},
       {{3, 7, 17, 19}, {2, 17, 17}, {2, 19, 33}},
       {{18, 2, 3, 2}, {2, 3, 4}, {2, 2, 3}}},
      [](auto x, auto a, auto w) { return joint_mix(x, a, w); },
      [](const Arrays& in) { return reference(in[0], in[1], in[2], nullptr); }, kOptions);
  row<4>(
      "joint_mix with bias", {{{2, 3, 5, 4}, {3, 5, 5}, {3, 4, 6}, {5, 6}}},
      [](auto x, auto a, auto w, auto b) { return joint_mix(x, a, w, b); },
      [](const Arrays& in) { return reference(in[0], in[1], in[2], &in[3]); }, kOptions);
  row<3>(
      "joint_mix, a matrix a sample",
      {{{3, 4, 5, 2}, {3, 2, 5, 5}, {2, 2, 3}}, {{2, 300, 17, 16}, {2, 3, 17, 17}, {3, 16, 8}}},
      [](auto x, auto a, auto w) { return joint_mix(x, a, w); },
      [](const Arrays& in) { return reference(in[0], in[1], in[2], nullptr); }, kOptions);
}

TEST_CASE("op table: joint_scores") {
  row<3>(
      "joint_scores",
      {{{1, 1, 1, 1}, {4, 1}, {4}},
       {{2, 3, 5, 4}, {12, 4}, {12}},
       {{0, 3, 5, 4}, {12, 4}, {12}},
       {{3, 70, 17, 6}, {64, 6}, {64}},
       {{18, 2, 3, 33}, {128, 33}, {128}}},
      [](auto x, auto w, auto b) { return joint_scores(x, w, b, 2, 0.3); },
      [](const Arrays& in) { return scores_reference(in[0], in[1], &in[2]); },
      {.tol = 3e-5, .tol64 = 1e-12, .tol_grad = 1e-4, .low = -1, .high = 1});
  row<2>(
      "joint_scores without bias", {{{2, 3, 5, 4}, {12, 4}}},
      [](auto x, auto w) { return joint_scores(x, w, std::decay_t<decltype(x)>(), 2, 0.3); },
      [](const Arrays& in) { return scores_reference(in[0], in[1], nullptr); }, kOptions);
}

TEST_CASE("joint_mix and joint_scores give the same bits with any number of threads") {
  using tmor::Tensor;
  tmor::Rng rng(3);
  auto random = [&](const Shape& s) {
    std::vector<float> v(static_cast<std::size_t>(s.numel()));
    for (float& f : v) f = static_cast<float>(rng.normal());
    return Tensor<>::from(v, s);
  };
  const auto x = random({5, 40, 17, 24}), a = random({3, 17, 17}), w = random({3, 24, 40}),
             dy = random({5, 40, 17, 40}), project = random({96, 24});
  auto run = [&](int threads) {
    tmor::set_num_threads(threads);
    const auto p = x.detach(), q = a.detach(), r = w.detach();
    for (const auto& t : {p, q, r}) t.requires_grad_();
    const auto y = joint_mix(p, q, r);
    backward(y, dy);
    const auto e = project.detach();
    e.requires_grad_();
    const auto s = joint_scores(p, e, {}, 3, 0.1);
    backward(s, s.detach());
    return std::vector{y.to_vector(),        s.to_vector(),        p.grad().to_vector(),
                       q.grad().to_vector(), r.grad().to_vector(), e.grad().to_vector()};
  };
  const int before = tmor::num_threads();
  const auto one = run(1), three = run(3);
  tmor::set_num_threads(before);
  CHECK(one == three);
}
