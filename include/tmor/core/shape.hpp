#pragma once
/// @file shape.hpp
/// `Shape`: the sizes (or strides) of a tensor, of run-time rank up to 8, held in place.

#include <initializer_list>
#include <string>

#include "tmor/core/error.hpp"

TMOR_BEGIN

/// Up to eight sizes, strides or dimension numbers; no memory of its own.
/// `Shape{}` has rank 0 and one element (a scalar).
class Shape {
 public:
  static constexpr int kMaxRank = 8;

  constexpr Shape() = default;
  constexpr Shape(std::initializer_list<Index> sizes) {
    for (Index s : sizes) push_back(s);
  }
  /// `rank` entries, each `value`.
  static constexpr Shape filled(int rank, Index value) {
    Shape s;
    for (int i = 0; i < rank; ++i) s.push_back(value);
    return s;
  }

  constexpr int rank() const { return rank_; }
  constexpr Index operator[](int i) const { return v_[i]; }
  constexpr Index& operator[](int i) { return v_[i]; }
  constexpr const Index* begin() const { return v_; }
  constexpr const Index* end() const { return v_ + rank_; }
  constexpr Index* begin() { return v_; }
  constexpr Index* end() { return v_ + rank_; }
  constexpr Index back() const { return v_[rank_ - 1]; }

  constexpr void push_back(Index s) {
    if (rank_ == kMaxRank) detail::fail<ShapeError>("a tensor has at most 8 dimensions");
    v_[rank_++] = s;
  }
  /// Inserts `s` before position `i`.
  constexpr void insert(int i, Index s) {
    push_back(s);
    for (int j = rank_ - 1; j > i; --j) v_[j] = v_[j - 1];
    v_[i] = s;
  }
  constexpr void erase(int i) {
    for (int j = i; j + 1 < rank_; ++j) v_[j] = v_[j + 1];
    --rank_;
  }

  /// Product of the sizes; 1 for a scalar.
  constexpr Index numel() const {
    Index n = 1;
    for (Index s : *this) n *= s;
    return n;
  }
  constexpr bool operator==(const Shape& o) const {
    if (rank_ != o.rank_) return false;
    for (int i = 0; i < rank_; ++i)
      if (v_[i] != o.v_[i]) return false;
    return true;
  }
  /// "(2, 3)"; "(4,)" for rank 1, "()" for a scalar.
  std::string str() const {
    std::string s = "(";
    for (int i = 0; i < rank_; ++i) s += (i ? ", " : "") + std::to_string(v_[i]);
    return s + (rank_ == 1 ? ",)" : ")");
  }

 private:
  Index v_[kMaxRank] = {};
  int rank_ = 0;
};

/// Dimension number `dim` counted from the back when negative; `op` names the caller in the error.
/// @throws ShapeError outside [-rank, rank).
inline int wrap_dim(Index dim, int rank, const char* op) {
  Index d = dim < 0 ? dim + rank : dim;
  TMOR_CHECK_SHAPE(d >= 0 && d < rank, "[", op, "] dimension ", dim, " is out of range for a tensor of rank ",
                   rank);
  return static_cast<int>(d);
}

/// Strides, in elements, of a row-major tensor of that shape.
inline Shape contiguous_strides(const Shape& shape) {
  Shape st = Shape::filled(shape.rank(), 1);
  for (int i = shape.rank() - 2; i >= 0; --i) st[i] = st[i + 1] * (shape[i + 1] > 0 ? shape[i + 1] : 1);
  return st;
}

/// NumPy's broadcasting of two shapes.
/// @throws ShapeError naming `op` and both shapes when a pair of sizes differs and neither is 1.
[[gnu::noinline]] inline Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op) {
  const int r = a.rank() > b.rank() ? a.rank() : b.rank();
  Shape out = Shape::filled(r, 1);
  for (int i = 0; i < r; ++i) {
    const Index x = i < r - a.rank() ? 1 : a[i - (r - a.rank())];
    const Index y = i < r - b.rank() ? 1 : b[i - (r - b.rank())];
    TMOR_CHECK_SHAPE(x == y || x == 1 || y == 1, "[", op, "] shapes ", a, " and ", b,
                     " do not broadcast: sizes ", x, " and ", y, " differ and neither is 1");
    out[i] = x == 1 ? y : x;
  }
  return out;
}

TMOR_END
