// Contrastive losses over embeddings of any length, and cosine similarity.
#include "cases/table.hpp"
#include "tmor/autograd/checkpoint.hpp"
#include "tmor/losses/contrastive.hpp"
#include "tmor/ops/similarity.hpp"

using namespace table;
namespace loss = tmor::loss;
using Tf = Tensor<float>;
using Ti = Tensor<std::int64_t>;

namespace {

/// Cosines of all rows of a against all rows of b.
std::vector<double> cosines(const Array& a, const Array& b) {
  const Index n = a.shape[0], dim = a.shape[1];
  std::vector<double> c;
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n; ++j) {
      double ab = 0, aa = 0, bb = 0;
      for (Index d = 0; d < dim; ++d) {
        ab += a[i * dim + d] * b[j * dim + d];
        aa += a[i * dim + d] * a[i * dim + d];
        bb += b[j * dim + d] * b[j * dim + d];
      }
      c.push_back(ab / std::sqrt(aa * bb));
    }
  return c;
}
Array scalar(double v) {
  Array a{Shape{}};
  a[0] = v;
  return a;
}

}  // namespace

TEST_CASE("info_nce of embeddings of any length") {
  row<3>(
      "loss::info_nce", {{{6, 5}, {6, 5}, {}}, {{6, 5}, {6, 5}, {1}}},
      [](const auto& a, const auto& b, const auto& s) { return loss::info_nce(a, b, s); },
      [](const Arrays& in) {
        auto c = cosines(in[0], in[1]);
        double y = 0;
        for (std::size_t i = 0; i < 6; ++i) {
          double rows = 0, columns = 0;
          for (std::size_t j = 0; j < 6; ++j) {
            rows += std::exp(std::exp(in[2][0]) * c[i * 6 + j]);
            columns += std::exp(std::exp(in[2][0]) * c[j * 6 + i]);
          }
          y += (std::log(rows) + std::log(columns)) / 12 - std::exp(in[2][0]) * c[i * 7] / 6;
        }
        return scalar(y);
      });
  const auto a = Tf::from({1, 0, 0, 2, 3, 3}, {3, 2}), s = Tf::scalar(1);
  CHECK(loss::info_nce(a, a, s, Ti::from({5, 6, 7})).item() ==
        doctest::Approx(loss::info_nce(a, a, s).item()));
  CHECK(loss::info_nce(a, a, s, Ti::from({5, 5, 5})).item() > loss::info_nce(a, a, s).item());
}

/// By the definition: `positive(i, j)`, and pairs that are asked.
template <class Positive, class Asked>
Array reference_siglip(const Arrays& in, const Positive& positive, const Asked& asked) {
  const Index n = in[0].shape[0], dim = in[0].shape[1];
  double y = 0;
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n; ++j) {
      if (!positive(i, j) && !asked(i, j)) continue;
      double t = in[3][0];
      for (Index d = 0; d < dim; ++d) t += std::exp(in[2][0]) * in[0][i * dim + d] * in[1][j * dim + d];
      y += std::log1p(std::exp(positive(i, j) ? -t : t)) / static_cast<double>(n);
    }
  return scalar(y);
}

TEST_CASE("siglip of blocks, groups and kinds: the table") {
  for (const Index rows : {0, 1, 9}) {
    CAPTURE(rows);
    const tmor::detail::Restore<Index> forced(tmor::detail::forced_pair_rows(), rows);
    const Options o{.ranges = {{-1, 1}, {-1, 1}, {1, 1.2}, {-3, -2}}};
    row<4>(
        "siglip", {{{1, 5}, {1, 5}, {}, {}}, {{7, 5}, {7, 5}, {1}, {}}, {{37, 5}, {37, 5}, {}, {1}}},
        [](const auto& a, const auto& b, const auto& s, const auto& bias) { return siglip(a, b, s, bias); },
        [](const Arrays& in) {
          return reference_siglip(
              in, [](Index i, Index j) { return i == j; }, [](Index, Index) { return true; });
        },
        o);
    const auto ids = [](Index n) {
      std::vector<std::int64_t> v;
      for (Index i = 0; i < n; ++i) v.push_back(i * i % 5);
      return v;
    };
    const auto kinds = [](Index n) {
      std::vector<std::int64_t> v;
      for (Index i = 0; i < n; ++i) v.push_back(i % 3 - 1);
      return v;
    };
    row<4>(
        "siglip, groups and kinds", {{{20, 3}, {20, 3}, {}, {}}},
        [&](const auto& a, const auto& b, const auto& s, const auto& bias) {
          return siglip(a, b, s, bias, beside(a, Ti::from(ids(20))), {}, beside(a, Ti::from(kinds(20))));
        },
        [&](const Arrays& in) {
          return reference_siglip(
              in, [](Index i, Index j) { return i * i % 5 == j * j % 5; },
              [](Index i, Index j) { return i % 3 == 0 || i % 3 != j % 3; });
        },
        o);
  }
}

TEST_CASE("siglip of a large batch holds a block of its logits only") {
  constexpr Index n = 2500, dim = 8;
  const auto a = Tf::full({n, dim}, 0.5f).requires_grad_(), b = Tf::full({n, dim}, 0.25f).requires_grad_();
  tmor::reset_peak_memory();
  const std::size_t before = tmor::memory_stats().in_use;
  const auto y = siglip(a, b, Tf::scalar(0), Tf::scalar(-1));  // every logit is 0
  CHECK(tmor::memory_stats().in_use - before < 64 * n);
  backward(y);
  CHECK(static_cast<double>(tmor::memory_stats().peak - before) < n * n * sizeof(float) / 2.0);
  CHECK(static_cast<double>(y.item()) == doctest::Approx(2500 * std::log(2.0)).epsilon(1e-6));
}

TEST_CASE("siglip: wrong use") {
  const auto a = Tf::zeros({3, 4}), s = Tf::scalar(0);
  CHECK_THROWS_WITH_AS(siglip(a, Tf::zeros({2, 4}), s, s),
                       "[siglip] a (3, 4) and b (2, 4) must be equal (n, dim) with n at least 1",
                       tmor::ShapeError);
  CHECK_THROWS_AS(siglip(a, a, s, Tf::zeros({2})), tmor::ShapeError);
  CHECK_THROWS_AS(siglip(a, a, s, s, Ti::from({1, 2})), tmor::ShapeError);
  CHECK_THROWS_AS(siglip(a, a, s, s, {}, {}, Ti::from({1, 2})), tmor::ShapeError);
}

TEST_CASE("loss::siglip: the table") {
  row<4>(
      "siglip", {{{6, 5}, {6, 5}, {}, {1}}},
      [](const auto& a, const auto& b, const auto& s, const auto& bias) {
        return loss::siglip(a, b, s, bias, beside(a, Ti::from({1, 2, 3, 1, 2, 9})));
      },
      [](const Arrays& in) {
        const int ids[] = {1, 2, 3, 1, 2, 9};
        const auto c = cosines(in[0], in[1]);
        double y = 0;
        for (std::size_t i = 0; i < 36; ++i) {
          const double z = ids[i / 6] == ids[i % 6] ? 1 : -1;
          y += std::log1p(std::exp(-z * (std::exp(in[2][0]) * c[i] + in[3][0]))) / 6;
        }
        return scalar(y);
      });
}

TEST_CASE("loss::siglip, some pairs ignored: the table") {
  const auto ignored = [](Index k) { return k % 3 == 0 || k == 5; };  // the diagonal and equal ids stay
  row<4>(
      "siglip", {{{4, 5}, {4, 5}, {}, {1}}},
      [&](const auto& a, const auto& b, const auto& s, const auto& bias) {
        bool v[16];
        for (Index k = 0; k < 16; ++k) v[k] = ignored(k);
        return loss::siglip(a, b, s, bias, beside(a, Ti::from({1, 2, 3, 1})),
                            beside(a, Tensor<bool>::from_pointer(v, {4, 4})));
      },
      [&](const Arrays& in) {
        const int ids[] = {1, 2, 3, 1};
        const auto c = cosines(in[0], in[1]);
        double y = 0;
        for (std::size_t i = 0; i < 16; ++i) {
          const bool positive = ids[i / 4] == ids[i % 4];
          if (ignored(static_cast<Index>(i)) && !positive) continue;
          y += std::log1p(std::exp((positive ? -1 : 1) * (std::exp(in[2][0]) * c[i] + in[3][0]))) / 4;
        }
        return scalar(y);
      });
}

TEST_CASE("the learned log-scale is limited") {
  const auto s = Tf::from({9, 1}).requires_grad_();
  loss::limit_log_scale_(s);
  CHECK(s.to_vector() == std::vector<float>{static_cast<float>(std::log(100.0)), 1});
  CHECK(loss::kInitialLogScale == doctest::Approx(std::log(1 / 0.07)).epsilon(1e-14));
}

TEST_CASE("cosine_similarity: the table") {
  row<2>(
      "cosine_similarity", {{{3, 5}, {3, 5}}, {{3, 1, 4}, {2, 4}}, {{7}, {7}}},
      [](const auto& a, const auto& b) { return cosine_similarity(a, b); },
      [](const Arrays& in) {
        Shape s = tmor::broadcast_shapes(in[0].shape, in[1].shape, "reference");
        const Index n = s.back();
        s.erase(s.rank() - 1);
        Array y(s);
        for_each_index(s, [&](const Shape& at, Index i) {
          double ab = 0, aa = 0, bb = 0;
          for (Index d = 0; d < n; ++d) {
            Shape full = at;
            full.push_back(d);
            const double a = in[0].broadcast_at(full), b = in[1].broadcast_at(full);
            ab += a * b, aa += a * a, bb += b * b;
          }
          y[i] = ab / std::sqrt(aa * bb);
        });
        return y;
      });
  CHECK(cosine_similarity(Tf::zeros({1, 3}), Tf::ones({3})).item() == 0.0f);
  CHECK_THROWS_AS(cosine_similarity(Tf::zeros({2, 3}), Tf::zeros({2, 1})), tmor::ShapeError);
}
