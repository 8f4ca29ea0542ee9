#pragma once
/// What the rows of reductions share.

#include "table.hpp"

namespace table {

/// `f` of the elements (row-major) along `dims` (none: all) for each of the others.
template <class F> Array reduced(const Array& x, const Shape& dims, bool keepdim, F f) {
  Shape keep, out;
  for (int d = 0; d < x.shape.rank(); ++d) {
    bool gone = dims.rank() == 0;
    for (Index e : dims) gone |= (e < 0 ? e + x.shape.rank() : e) == d;
    keep.push_back(gone ? 1 : x.shape[d]);
    if (!gone || keepdim) out.push_back(keep[d]);
  }
  std::vector<std::vector<double>> groups(static_cast<std::size_t>(keep.numel()));
  const Shape strides = tmor::contiguous_strides(keep);
  for_each_index(x.shape, [&](const Shape& at, Index i) {
    Index g = 0;
    for (int d = 0; d < at.rank(); ++d)
      if (keep[d] != 1) g += at[d] * strides[d];
    groups[static_cast<std::size_t>(g)].push_back(x[i]);
  });
  Array y(out);
  for (std::size_t g = 0; g < groups.size(); ++g) y.v[g] = f(groups[g]);
  return y;
}

inline double sum_of(const std::vector<double>& v) {
  double s = 0;
  for (double x : v) s += x;
  return s;
}

struct Reduction {
  const char* name;
  Shape dims;
  ShapeSets shapes;
};
/// Rows, columns, few columns, the middle, both ends; shorter and longer than what is summed in one go.
inline std::vector<Reduction> reductions() {
  return {{"sum of rows", {-1}, {{{3, 5}}, {{2, 131}}, {{5, 1}}, {{1, 9000}}, {{2, 0}}, {{0, 2}}}},
          {"sum of columns", {0}, {{{3, 5}}, {{131, 2}}, {{300, 37}}, {{1000, 3}}, {{1, 7}}, {{2, 700}}}},
          {"sum over the middle", {1}, {{{2, 3, 5}}, {{3, 130, 4}}, {{2, 1, 3}}, {{2, 5, 600}}, {{1, 4, 0}}}},
          {"sum over both ends", {0, 2}, {{{2, 3, 5}}, {{7, 2, 37}}, {{70, 3, 100}}, {{1, 3, 1}}}}};
}

}  // namespace table
