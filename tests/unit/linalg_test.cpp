#include "tmor/core/linalg.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tmor/core/rng.hpp"
#include "tmor/cpu/pointwise.hpp"

using namespace tmor;

#ifdef Eigen
#error "linalg.hpp leaves its macro behind"
#endif
// linalg.hpp has its own copy: this one would collide with Eigen's.
namespace Eigen {
enum MatrixXd {};
}

namespace {

using Matrix = Tensor<double>;

template <class T = double> Tensor<T> random_matrix(Index m, Index n, std::uint64_t seed = 1) {
  Rng rng(seed);
  std::vector<T> v(static_cast<std::size_t>(m * n));
  for (T& x : v) x = static_cast<T>(rng.normal());
  return Tensor<T>::from(v, {m, n});
}
/// op(a) op(b), by hand: the operations of tmor are another test's subject.
template <class T> Tensor<T> product(const Tensor<T>& a, const Tensor<T>& b) {
  const Index m = a.size(0), k = a.size(1), n = b.size(1);
  REQUIRE(b.size(0) == k);
  const auto va = a.to_vector(), vb = b.to_vector();
  std::vector<T> c(static_cast<std::size_t>(m * n));
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < n; ++j)
      for (Index p = 0; p < k; ++p)
        c[static_cast<std::size_t>(i * n + j)] +=
            va[static_cast<std::size_t>(i * k + p)] * vb[static_cast<std::size_t>(p * n + j)];
  return Tensor<T>::from(c, {m, n});
}
template <class T> Tensor<T> flip(const Tensor<T>& a) {
  return a.as_strided({a.size(1), a.size(0)}, {a.stride(1), a.stride(0)}, 0);
}
template <class T> Tensor<T> diagonal(const Tensor<T>& s) {
  const Index n = s.size(0);
  const auto d = Tensor<T>::zeros({n, n});
  for (Index i = 0; i < n; ++i) d.mutable_data()[i * n + i] = s.at({i});
  return d;
}
template <class T> double distance(const Tensor<T>& a, const Tensor<T>& b) {
  REQUIRE(a.shape() == b.shape());
  const auto x = a.to_vector(), y = b.to_vector();
  double most = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    most = std::fmax(most, std::fabs(static_cast<double>(x[i] - y[i])));
  return most;
}
template <class T> bool orthonormal_columns(const Tensor<T>& q, double tolerance) {
  const auto one = diagonal(Tensor<T>::ones({q.size(1)}));
  return distance(product(flip(q), q), one) < tolerance;
}
/// (8, 6) of rank 2.
Matrix rank_two() { return product(random_matrix(8, 2, 5), random_matrix(2, 6, 6)); }

}  // namespace

TEST_CASE("svd gives back the matrix, with orthonormal factors and descending values") {
  for (const auto& [m, n] : {std::pair<Index, Index>{1, 1}, {7, 4}, {4, 7}, {40, 40}, {60, 33}}) {
    const auto a = random_matrix(m, n);
    const auto d = svd(a);
    CHECK(distance(product(product(d.u, diagonal(d.s)), d.vt), a) < 1e-12);
    CHECK(orthonormal_columns(d.u, 1e-12));
    CHECK(orthonormal_columns(flip(d.vt), 1e-12));
    const auto s = d.s.to_vector();
    for (std::size_t i = 0; i < s.size(); ++i) CHECK(s[i] >= (i + 1 < s.size() ? s[i + 1] : 0));
  }
}

TEST_CASE("svd of known and of deficient matrices") {
  const auto d = svd(Matrix::from({3, 0, 0, 0, 0, -5}, {2, 3}));
  CHECK(d.s.at({0}) == doctest::Approx(5));
  CHECK(d.s.at({1}) == doctest::Approx(3));
  const auto a = rank_two();
  const auto low = svd(a);
  CHECK(low.s.at({1}) > 0.1);
  CHECK(low.s.at({2}) < 1e-12);
  CHECK(orthonormal_columns(low.u, 1e-12));
  CHECK(distance(product(product(low.u, diagonal(low.s)), low.vt), a) < 1e-12);
  CHECK(svd(Matrix::zeros({3, 2})).s.to_vector() == std::vector<double>{0, 0});
}

TEST_CASE("float decompositions, and views") {
  const auto a = random_matrix<float>(9, 5);
  const auto d = svd(flip(a));
  CHECK(d.u.shape() == Shape{5, 5});
  CHECK(distance(product(product(d.u, diagonal(d.s)), d.vt), flip(a)) < 1e-5);
  const auto f = qr(flip(a));
  CHECK(distance(product(f.q, f.r), flip(a)) < 1e-5);
}

TEST_CASE("qr gives back the matrix; R is triangular with a diagonal that is not negative") {
  for (const auto& [m, n] : {std::pair<Index, Index>{1, 1}, {7, 4}, {4, 7}, {40, 40}}) {
    const auto a = random_matrix(m, n);
    const auto d = qr(a);
    CHECK(distance(product(d.q, d.r), a) < 1e-12);
    CHECK(orthonormal_columns(d.q, 1e-12));
    for (Index i = 0; i < d.r.size(0); ++i) {
      CHECK(d.r.at({i, i}) >= 0);
      for (Index j = 0; j < i; ++j) CHECK(d.r.at({i, j}) == 0);
    }
  }
  const auto low = qr(rank_two());
  CHECK(distance(product(low.q, low.r), rank_two()) < 1e-12);
  CHECK(orthonormal_columns(low.q, 1e-12));
}

TEST_CASE("eigenvalues of symmetric matrices") {
  const auto known = symmetric_eigen(Matrix::from({2, 1, 1, 2}, {2, 2}));
  CHECK(known.values.at({0}) == doctest::Approx(1));
  CHECK(known.values.at({1}) == doctest::Approx(3));
  const auto half = random_matrix(12, 12), deficient = rank_two();
  for (const auto& a : {product(half, flip(half)), product(deficient, flip(deficient))}) {
    const auto d = symmetric_eigen(a);
    CHECK(orthonormal_columns(d.vectors, 1e-12));
    CHECK(distance(product(product(d.vectors, diagonal(d.values)), flip(d.vectors)), a) < 1e-11);
  }
}

TEST_CASE("least squares: exact, overdetermined, and the shortest of many") {
  const auto a = random_matrix(9, 4), x = random_matrix(4, 2, 2);
  const auto exact = least_squares(a, product(a, x));
  CHECK(exact.rank == 4);
  CHECK(distance(exact.x, x) < 1e-12);
  // The residual is orthogonal to the columns.
  const auto b = random_matrix(9, 1, 3);
  const auto fit = least_squares(a, b).x;
  CHECK(distance(product(flip(a), product(a, fit)), product(flip(a), b)) < 1e-12);
  // x + y = 2 for the two columns (1, 1): the shortest is (1, 1).
  const auto one = least_squares(Matrix::ones({3, 2}), Matrix::full({3, 1}, 2));
  CHECK(one.rank == 1);
  CHECK(distance(one.x, Matrix::ones({2, 1})) < 1e-12);
}

TEST_CASE("decompositions say what they cannot do") {
  auto bad = random_matrix(3, 3);
  bad.mutable_data()[4] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH_AS(svd(bad), doctest::Contains("element (1, 1)"), Error);
  bad.mutable_data()[4] = std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS(qr(bad), Error);
  CHECK_THROWS_AS(symmetric_eigen(bad), Error);
  CHECK_THROWS_AS(least_squares(bad, random_matrix(3, 1)), Error);
  CHECK_THROWS_AS(least_squares(random_matrix(3, 1), bad), Error);
  CHECK_THROWS_AS(svd(Matrix::zeros({3})), ShapeError);
  CHECK_THROWS_AS(qr(Matrix::zeros({3})), ShapeError);
  CHECK_THROWS_AS(qr(Matrix::zeros({0, 3})), ShapeError);
  CHECK_THROWS_AS(symmetric_eigen(Matrix::zeros({2, 3})), ShapeError);
  CHECK_THROWS_AS(symmetric_eigen(random_matrix(3, 3)), Error);
  CHECK_THROWS_AS(least_squares(random_matrix(3, 2), random_matrix(4, 1)), ShapeError);
}
