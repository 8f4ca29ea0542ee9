// InfoNCE: rows of the op table with one and several positives, large scales, wrong use.
#include "cases/table.hpp"
#include "tmor/autograd/checkpoint.hpp"
#include "tmor/ops/info_nce.hpp"

using namespace table;
using Tf = Tensor<float>;
using Ti = Tensor<std::int64_t>;

namespace {

/// Mean over rows and columns of the cross-entropy against weights w, by the definition.
/// Pairs where `ignore` holds and w is 0 are left out.
Array reference_info_nce(const Arrays& in, const std::vector<double>& w,
                         const std::vector<bool>& ignore = {}) {
  const Array &a = in[0], &b = in[1];
  const Index n = a.shape[0], dim = a.shape[1];
  Array s({n, n});
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n; ++j)
      for (Index d = 0; d < dim; ++d) s[i * n + j] += std::exp(in[2][0]) * a[i * dim + d] * b[j * dim + d];
  for (std::size_t k = 0; k < ignore.size(); ++k)
    if (ignore[k] && w[k] == 0) s[static_cast<Index>(k)] = -INFINITY;
  double loss = 0;
  for (const bool columns : {false, true}) {
    for (Index i = 0; i < n; ++i) {
      double top = -INFINITY, sum = 0, mass = 0, dot = 0;
      const auto at = [&](Index j) { return columns ? j * n + i : i * n + j; };
      for (Index j = 0; j < n; ++j) top = std::fmax(top, s[at(j)]);
      for (Index j = 0; j < n; ++j) {
        sum += std::exp(s[at(j)] - top);
        mass += w[static_cast<std::size_t>(at(j))];
        if (w[static_cast<std::size_t>(at(j))] > 0)
          dot += w[static_cast<std::size_t>(at(j))] * (s[at(j)] - top);
      }
      if (mass > 0) loss += (std::log(sum) - dot / mass) / 2 / static_cast<double>(n);
    }
  }
  Array y{Shape{}};
  y[0] = loss;
  return y;
}
std::vector<double> weights_of(const std::vector<std::int64_t>& ids) {
  std::vector<double> w;
  for (auto i : ids)
    for (auto j : ids) w.push_back(i == j);
  return w;
}
std::vector<std::int64_t> counted(Index n, Index groups) {
  std::vector<std::int64_t> ids;
  for (Index i = 0; i < n; ++i) ids.push_back(i * i % groups - 3);
  return ids;
}
/// Rows of logits in a block for as long as it lives; 0: as many as the size says.
using Blocks = tmor::detail::Restore<Index>;

ShapeSets sizes(std::initializer_list<Index> list) {
  ShapeSets s;
  for (Index n : list) s.push_back({{n, 5}, {n, 5}, {}});
  return s;
}

}  // namespace

TEST_CASE("info_nce: the table") {
  // Scales up to 100: the last does not fit one shift. Then blocks of 1 and 9 rows.
  for (const auto& tried : std::vector<std::pair<double, Index>>{
           {0.0, 0}, {2.0, 0}, {4.6, 0}, {1.0, 1}, {2.0, 9}, {4.6, 9}, {6.0, 9}}) {
    const double log_scale = tried.first;  // clang 14 captures no structured bindings
    const Index rows = tried.second;
    const Blocks forced(tmor::detail::forced_pair_rows(), rows);
    CAPTURE(log_scale);
    CAPTURE(rows);
    const Options o{.tol = log_scale > 4 ? 2e-5 : 2e-6,
                    .tol64 = 1e-12,
                    .ranges = {{-1, 1}, {-1, 1}, {log_scale, log_scale + 0.1}},
                    .gradcheck_tol = 3e-6};
    row<3>(
        "info_nce", sizes({1, 2, 7, 70}),
        [](const auto& a, const auto& b, const auto& s) { return info_nce(a, b, s); },
        [](const Arrays& in) {
          std::vector<std::int64_t> ids;
          for (Index i = 0; i < in[0].shape[0]; ++i) ids.push_back(i);
          return reference_info_nce(in, weights_of(ids));
        },
        o);
    row<3>(
        "info_nce of groups", sizes({2, 7, 37}),
        [](const auto& a, const auto& b, const auto& s) {
          return info_nce(a, b, s, beside(a, Ti::from(counted(a.size(0), 5))));
        },
        [](const Arrays& in) { return reference_info_nce(in, weights_of(counted(in[0].shape[0], 5))); }, o);
    // Some of the pairs ignored, positives among them, which stay.
    const auto ignored = [](Index n) {
      std::vector<bool> v;
      for (Index i = 0; i < n * n; ++i) v.push_back(i % 3 == 0 || i / n == n - 1);
      return v;
    };
    row<3>(
        "info_nce of groups, some pairs ignored", sizes({1, 2, 7, 37}),
        [&](const auto& a, const auto& b, const auto& s) {
          const Index n = a.size(0);
          const auto v = ignored(n);
          const auto host = std::make_unique<bool[]>(v.size());
          std::copy(v.begin(), v.end(), host.get());
          return info_nce(a, b, s, beside(a, Ti::from(counted(n, 5))),
                          beside(a, Tensor<bool>::from_pointer(host.get(), {n, n})));
        },
        [&](const Arrays& in) {
          const Index n = in[0].shape[0];
          return reference_info_nce(in, weights_of(counted(n, 5)), ignored(n));
        },
        o);
    row<3>(
        "info_nce of groups, other pairs of equal kinds ignored", sizes({7, 37}),
        [](const auto& a, const auto& b, const auto& s) {
          auto kinds = counted(a.size(0), 4);  // some are negative: of their own
          return info_nce(a, b, s, beside(a, Ti::from(counted(a.size(0), 5))), {},
                          beside(a, Ti::from(kinds)));
        },
        [](const Arrays& in) {
          const Index n = in[0].shape[0];
          const auto kinds = counted(n, 4);
          std::vector<bool> ignore;
          for (const auto i : kinds)
            for (const auto j : kinds) ignore.push_back(i >= 0 && i == j);
          return reference_info_nce(in, weights_of(counted(n, 5)), ignore);
        },
        o);
    const auto weights = [](Index n) {
      std::vector<double> w;
      for (Index i = 0; i < n; ++i)
        for (Index j = 0; j < n; ++j)
          w.push_back(i == 1 || j == 2 ? 0 : static_cast<double>((i * 3 + j) % 4) / 4);
      return w;
    };
    row<3>(
        "info_nce of weights", sizes({7, 20}),
        [&](const auto& a, const auto& b, const auto& s) {
          using T = typename std::remove_cvref_t<decltype(a)>::value_type;
          const auto w = weights(a.size(0));
          return info_nce_weighted(a, b, s,
                                   beside(a, Tensor<T>::from({w.begin(), w.end()}, {a.size(0), a.size(0)})));
        },
        [&](const Arrays& in) { return reference_info_nce(in, weights(in[0].shape[0])); }, o);
  }
}

TEST_CASE("info_nce of far apart logits is finite and right") {
  // Logits 1e4 * {1, 0, 0, -1}: the second row and column are 1e4 below the top.
  const auto a = Tf::from({1, 0}, {2, 1}).requires_grad_(), b = Tf::from({1, -1}, {2, 1}).requires_grad_();
  const auto log_scale = Tf::scalar(std::log(1e4f)).requires_grad_();
  const auto y = info_nce(a, b, log_scale);
  // rows: 0 and ln 2; columns: 0 and 0
  CHECK(static_cast<double>(y.item()) == doctest::Approx(std::log(2) / 4).epsilon(1e-6));
  backward(y);
  for (const auto& t : {a, b, log_scale})
    for (const float g : t.grad().to_vector()) CHECK(std::isfinite(g));
  CHECK(static_cast<double>(a.grad().at({1, 0})) == doctest::Approx(1e4 / 4).epsilon(1e-4));
}

TEST_CASE("info_nce in blocks: far apart logits, and rows whose kind fills a block") {
  const Blocks forced(tmor::detail::forced_pair_rows(), 2);
  // The logits of the blocks are of very different size; pairs of the first four rows say nothing.
  std::vector<double> v[2] = {{100, 90, 1, 2, -3, 0.5}, {1, -1, 2, 0.1, 5, 30}};
  const auto kinds = Ti::from({7, 7, 7, 7, -1, -1});
  for (const bool hidden : {false, true}) {
    const auto a = Tensor<double>::from(v[0], {6, 1}).requires_grad_(),
               b = Tensor<double>::from(v[1], {6, 1});
    const auto y = info_nce(a, b, Tensor<double>::scalar(0), {}, {}, hidden ? kinds : Ti());
    Arrays in{Array({6, 1}), Array({6, 1}), Array(Shape{})};
    in[0].v = v[0];
    in[1].v = v[1];
    std::vector<bool> ignore;
    for (Index i = 0; i < 36; ++i) ignore.push_back(hidden && i / 6 < 4 && i % 6 < 4);
    CHECK(y.item() ==
          doctest::Approx(reference_info_nce(in, weights_of({0, 1, 2, 3, 4, 5}), ignore)[0]).epsilon(1e-12));
    backward(y);
    for (const double g : a.grad().to_vector()) CHECK(std::isfinite(g));
  }
  const auto bad = Tf::from({1, NAN, 2, 3}, {4, 1});
  CHECK(std::isnan(info_nce(bad, Tf::ones({4, 1}), Tf::scalar(0)).item()));
}

TEST_CASE("info_nce may be differentiated again when the graph is kept, and scales with what arrives") {
  for (const Index rows : {0, 1}) {
    const Blocks forced(tmor::detail::forced_pair_rows(), rows);
    const auto a = Tf::from({1, 2, 0, 1}, {2, 2}).requires_grad_(), b = Tf::from({1, 0, 0, 1}, {2, 2});
    const auto y = info_nce(a, b, Tf::scalar(0.5f));
    backward(y, {.keep_graph = true});
    const auto once = a.grad().to_vector();
    backward(y, Tf::scalar(2));
    for (std::size_t i = 0; i < 4; ++i) CHECK(a.grad().to_vector()[i] == doctest::Approx(3 * once[i]));
  }
}

TEST_CASE("info_nce of a large batch holds a block of its logits only, in both passes") {
  constexpr Index n = 2500, dim = 8;
  const auto a = Tf::full({n, dim}, 0.5f).requires_grad_(), b = Tf::full({n, dim}, 0.25f).requires_grad_();
  tmor::reset_peak_memory();
  const std::size_t before = tmor::memory_stats().in_use;
  const auto y = info_nce(a, b, Tf::scalar(0));
  CHECK(tmor::memory_stats().in_use - before < 64 * n);  // vectors
  backward(y);
  const auto peak = static_cast<double>(tmor::memory_stats().peak - before);
  CHECK(peak < n * n * sizeof(float) / 2.0);
  CHECK(static_cast<double>(y.item()) == doctest::Approx(std::log(2500.0)).epsilon(1e-6));
}

TEST_CASE("info_nce gives the same bits with any number of threads") {
  tmor::Rng rng(11);
  std::vector<float> v(300 * 16);
  for (float& x : v) x = static_cast<float>(rng.uniform(-1, 1));
  std::vector<float> first;
  for (const int threads : {1, 2, 5}) {
    tmor::set_num_threads(threads);
    std::vector<float> got;
    for (const Index rows : {0, 70}) {
      const Blocks forced(tmor::detail::forced_pair_rows(), rows);
      const auto a = Tf::from(v, {300, 16}).requires_grad_(), b = Tf::from(v, {300, 16}).requires_grad_(),
                 s = Tf::scalar(2).requires_grad_();
      const auto y = info_nce(a, b, s);
      backward(y);
      for (const auto& t : {a.grad(), b.grad(), s.grad(), y.detach()})
        for (const float x : t.to_vector()) got.push_back(x);
    }
    if (first.empty()) first = got;
    CHECK(got == first);
  }
  tmor::set_num_threads(2);
}

TEST_CASE("info_nce: wrong use") {
  const auto a = Tf::zeros({3, 4}), s = Tf::scalar(0);
  CHECK_THROWS_WITH_AS(info_nce(a, Tf::zeros({2, 4}), s),
                       "[info_nce] a (3, 4) and b (2, 4) must be equal (n, dim) with n at least 1",
                       tmor::ShapeError);
  CHECK_THROWS_AS(info_nce(Tf::zeros({0, 4}), Tf::zeros({0, 4}), s), tmor::ShapeError);
  CHECK_THROWS_AS(info_nce(a, a, Tf::zeros({2})), tmor::ShapeError);
  CHECK_THROWS_AS(info_nce(a, a, s, Ti::from({1, 2})), tmor::ShapeError);
  CHECK_THROWS_AS(info_nce(a, a, s, Ti::from({1, 2, 3}), Tensor<bool>::full({3, 2}, true)), tmor::ShapeError);
  CHECK_THROWS_AS(info_nce_weighted(a, a, s, Tf::zeros({3, 4})), tmor::ShapeError);
}
