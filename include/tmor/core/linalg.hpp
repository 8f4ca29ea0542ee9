#pragma once
/// @file linalg.hpp
/// Decompositions of small dense matrices on the CPU: SVD, QR, symmetric eigenvalues, least squares. Values
/// only: nothing is recorded on the tape. All are computed in double. The one header over Eigen; link
/// `tmor::linalg`, or add Eigen's folder to the include path. Not part of tmor.hpp.
///
/// Eigen's functions have the same names in every translation unit, whatever its flags, and the linker keeps
/// any one of them: one file built without -march can make a whole program's Eigen many times slower. So
/// this header includes Eigen under a namespace of its own that names the instruction set,
/// `tmor_eigen_v0_<isa>`, which cannot meet another copy. A file that also uses Eigen itself includes Eigen
/// *before* this header, with the modules it needs: then it is used as it is, and the program must be built
/// with one set of flags, as any program over Eigen. In the other order, the compiler does not find `Eigen`.

#include <algorithm>
#include <limits>

#include "tmor/core/finite.hpp"
#include "tmor/core/tensor.hpp"

#if defined(EIGEN_WORLD_VERSION) || defined(Eigen)
#define TMOR_LINALG_EIGEN shared_eigen
#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <Eigen/SVD>
TMOR_BEGIN
namespace eigen = ::Eigen;
TMOR_END
#else
#define TMOR_LINALG_EIGEN own_eigen
#define TMOR_EIGEN_PASTE(abi) tmor_eigen_##abi
#define TMOR_EIGEN_NAME(abi) TMOR_EIGEN_PASTE(abi)
#define Eigen TMOR_EIGEN_NAME(TMOR_ABI)
#ifndef EIGEN_DONT_PARALLELIZE
#define EIGEN_DONT_PARALLELIZE  // with -fopenmp the order of sums would depend on the number of threads
#endif
#ifndef EIGEN_DONT_VECTORIZE
#define EIGEN_DONT_VECTORIZE  // no intrinsics, which some compilers warn about; small matrices do not miss
                              // them
#endif
#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <Eigen/SVD>
TMOR_BEGIN
namespace eigen = ::Eigen;
TMOR_END
#undef Eigen
#endif

TMOR_BEGIN

/// A = U diag(s) V^T for A (m, n), r = min(m, n).
template <class T> struct Svd {
  Tensor<T> u;   ///< (m, r), orthonormal columns
  Tensor<T> s;   ///< (r,), not negative, descending
  Tensor<T> vt;  ///< (r, n), orthonormal rows
};
/// A = Q R for A (m, n), r = min(m, n).
template <class T> struct Qr {
  Tensor<T> q;  ///< (m, r), orthonormal columns
  Tensor<T> r;  ///< (r, n), upper triangular, diagonal not negative
};
/// A = V diag(values) V^T for symmetric A (n, n).
template <class T> struct SymmetricEigen {
  Tensor<T> values;   ///< (n,), ascending
  Tensor<T> vectors;  ///< (n, n), orthonormal columns
};
/// The x of least |A x - b|.
template <class T> struct LeastSquares {
  Tensor<T> x;     ///< (n, k)
  Index rank = 0;  ///< numerical rank of A
};

// Functions over our own Eigen and over a shared one are different functions to the linker too.
inline namespace TMOR_LINALG_EIGEN {

namespace linalg_detail {

using Matrix = eigen::MatrixXd;

/// `a`, any view, in double and in Eigen's own layout.
template <class T> Matrix to_eigen(const Tensor<T>& a, const char* op) {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "decompositions of float or double");
  TMOR_CHECK_SHAPE(a.rank() == 2 && a.numel() > 0, "[", op, "] needs a matrix with rows and columns, got ",
                   a.shape());
  Matrix m(a.size(0), a.size(1));
  for (Index i = 0; i < m.rows(); ++i)
    for (Index j = 0; j < m.cols(); ++j) {
      const T v = a.data()[i * a.stride(0) + j * a.stride(1)];
      TMOR_CHECK(is_finite(v), "[", op, "] element (", i, ", ", j, ") of the matrix ", a.shape(),
                 " is infinite or NaN");
      m(i, j) = static_cast<double>(v);
    }
  return m;
}

template <class T> Tensor<T> from_eigen(const Matrix& m) {
  const auto t = Tensor<T>::empty({m.rows(), m.cols()});
  T* out = t.mutable_data();
  for (Index i = 0; i < m.rows(); ++i)
    for (Index j = 0; j < m.cols(); ++j) *out++ = static_cast<T>(m(i, j));
  return t;
}
/// A column as a tensor of rank 1.
template <class T> Tensor<T> from_eigen_vector(const Matrix& m) {
  return from_eigen<T>(m).as_strided({m.rows()}, {1}, 0);
}

}  // namespace linalg_detail

/// Thin singular value decomposition of a (m, n), by two-sided Jacobi rotations: accurate, and slow for
/// hundreds of columns, where the principal components are sooner had from `symmetric_eigen` of a^T a.
/// @throws ShapeError unless it is a matrix with elements, Error for elements that are not finite.
template <class T> Svd<T> svd(const Tensor<T>& a) {
  // Eigen's divide and conquer takes four times as long to compile and is wrong under -ffast-math.
  const eigen::JacobiSVD<linalg_detail::Matrix> d(linalg_detail::to_eigen(a, "svd"),
                                                  eigen::ComputeThinU | eigen::ComputeThinV);
  TMOR_CHECK(d.info() == eigen::Success, "[svd] of a matrix ", a.shape(), " did not converge");
  return {linalg_detail::from_eigen<T>(d.matrixU()), linalg_detail::from_eigen_vector<T>(d.singularValues()),
          linalg_detail::from_eigen<T>(d.matrixV().transpose())};
}

/// Thin QR decomposition of a (m, n) by reflections; unique where the columns are independent.
/// @throws as `svd`.
template <class T> Qr<T> qr(const Tensor<T>& a) {
  using linalg_detail::Matrix;
  const Index m = a.rank() == 2 ? a.size(0) : 0, n = a.rank() == 2 ? a.size(1) : 0, k = std::min(m, n);
  const eigen::HouseholderQR<Matrix> d(linalg_detail::to_eigen(a, "qr"));
  Matrix q = d.householderQ() * Matrix::Identity(m, k);
  Matrix r = d.matrixQR().topRows(k).triangularView<eigen::Upper>();
  for (Index i = 0; i < k; ++i) {
    if (r(i, i) >= 0) continue;
    r.row(i) = -r.row(i);
    q.col(i) = -q.col(i);
  }
  return {linalg_detail::from_eigen<T>(q), linalg_detail::from_eigen<T>(r)};
}

/// Eigenvalues and eigenvectors of a symmetric matrix (n, n).
/// @throws as `svd`; Error where the matrix is further from symmetric than rounding (1000 units of its
/// largest element's last place).
template <class T> SymmetricEigen<T> symmetric_eigen(const Tensor<T>& a) {
  using linalg_detail::Matrix;
  const Matrix m = linalg_detail::to_eigen(a, "symmetric_eigen");
  TMOR_CHECK_SHAPE(m.rows() == m.cols(), "[symmetric_eigen] a matrix ", a.shape(), " is not square");
  const double off = (m - m.transpose()).cwiseAbs().maxCoeff(), most = m.cwiseAbs().maxCoeff();
  TMOR_CHECK(off <= 1000 * static_cast<double>(std::numeric_limits<T>::epsilon()) * most,
             "[symmetric_eigen] the matrix is not symmetric: elements (i, j) and (j, i) differ by up to ",
             off, " where the largest element is ", most);
  const eigen::SelfAdjointEigenSolver<Matrix> d(m);
  TMOR_CHECK(d.info() == eigen::Success, "[symmetric_eigen] of a matrix ", a.shape(), " did not converge");
  return {linalg_detail::from_eigen_vector<T>(d.eigenvalues()),
          linalg_detail::from_eigen<T>(d.eigenvectors())};
}

/// The x (n, k) that makes each column of a x - b least, for a (m, n) and b (m, k); where several do (rank <
/// n), the shortest. By a complete orthogonal decomposition.
/// @throws as `svd`; ShapeError unless b has as many rows as a.
template <class T> LeastSquares<T> least_squares(const Tensor<T>& a, const Tensor<T>& b) {
  using linalg_detail::Matrix;
  const Matrix ma = linalg_detail::to_eigen(a, "least_squares"),
               mb = linalg_detail::to_eigen(b, "least_squares");
  TMOR_CHECK_SHAPE(ma.rows() == mb.rows(), "[least_squares] matrix ", a.shape(), " and right-hand side ",
                   b.shape(), ": the numbers of rows differ");
  const eigen::CompleteOrthogonalDecomposition<Matrix> d(ma);
  return {linalg_detail::from_eigen<T>(d.solve(mb)), d.rank()};
}

}  // namespace TMOR_LINALG_EIGEN

TMOR_END
