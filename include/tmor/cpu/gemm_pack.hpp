#pragma once
/// @file gemm_pack.hpp
/// How a matrix product cuts its sum over k into blocks, and copies of its operands in the order in which the
/// tile kernel reads them.

#include <algorithm>
#include <cstdlib>
#include <type_traits>
#include <utility>

#include "tmor/core/config.hpp"
#include "tmor/core/error.hpp"
#include "tmor/cpu/gemm_kernel.hpp"

TMOR_BEGIN

namespace cpu {

/// What a thread's scratch memory is for: uses that nest never share a buffer.
enum class Scratch { pack_a, pack_b, partial, conv, mix, taps, count };

namespace detail {

/// A buffer that only grows, 64-byte aligned.
class ScratchBuffer {
 public:
  ScratchBuffer() = default;
  ScratchBuffer(ScratchBuffer&& o) noexcept
      : data_(std::exchange(o.data_, nullptr)), bytes_(std::exchange(o.bytes_, 0)) {}
  ScratchBuffer& operator=(ScratchBuffer&& o) noexcept {
    std::swap(data_, o.data_);
    std::swap(bytes_, o.bytes_);
    return *this;
  }
  ~ScratchBuffer() { std::free(data_); }
  void* reserve(std::size_t bytes) {
    if (bytes > bytes_) {
      bytes = (bytes + bytes / 4 + 4095) & ~std::size_t{4095};
      std::free(data_);
      bytes_ = 0;
      data_ = std::aligned_alloc(4096, bytes);
      TMOR_CHECK(data_, "out of memory: ", bytes, " bytes of scratch for a matrix product");
      bytes_ = bytes;
    }
    return data_;
  }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace detail

/// `count` elements of the calling thread's scratch memory, valid until its next request for the same use.
template <class T> T* scratch(Scratch use, Index count) {
  static thread_local detail::ScratchBuffer buffers[static_cast<int>(Scratch::count)];
  constexpr Index kMax = Index{1} << 40;
  TMOR_CHECK(count >= 0 && count < kMax, "a matrix product wants ", count, " elements of scratch");
  return static_cast<T*>(buffers[static_cast<int>(use)].reserve(static_cast<std::size_t>(count) * sizeof(T)));
}

/// The blocks of the sum over `segments` x `k` terms, each summed in registers before C is touched. They
/// depend on nothing but these two numbers, and so do the bits of the result.
struct KPlan {
  static constexpr Index kTerms = 384;  ///< most terms of a block: a panel of B of this length stays in L2
  static constexpr Index kMaxSegments = 64;  ///< most segments of a block

  struct Block {
    Index segment, segments;  ///< first segment and how many
    Index p, k;               ///< first term of each segment and how many
    Index terms_before;       ///< terms of all blocks before this one
    Index terms() const { return segments * k; }
  };

  Index k, segments, step;  ///< step: terms of a segment, or segments, a block
  Index parts;              ///< blocks a segment is cut into

  KPlan(Index k_, Index segments_) : k(k_), segments(segments_) {
    parts = k > kTerms ? (k + kTerms - 1) / kTerms : 1;
    if (parts > 1) {
      step = (k + parts - 1) / parts;
      return;
    }
    const Index most = k < kTerms / kMaxSegments ? kMaxSegments : kTerms / (k > 0 ? k : 1);
    const Index even = (segments + most - 1) / most;
    step = even > 1 ? (segments + even - 1) / even : most;
  }
  Index terms() const { return k * segments; }
  Index blocks() const { return parts > 1 ? segments * parts : (segments + step - 1) / step; }
  Block block(Index i) const {
    if (parts > 1) {
      const Index s = i / parts, p = i % parts * step;
      return {s, 1, p, k - p < step ? k - p : step, s * k + p};
    }
    const Index s = i * step;
    return {s, segments - s < step ? segments - s : step, 0, k, s * k};
  }
};

namespace detail {

/// out[i][j] = in[j][i] for a block of four by four.
template <class T> TMOR_ALWAYS_INLINE void transpose4(const T* in, Index in_row, T* out, Index out_row) {
  typedef T V4 __attribute__((vector_size(4 * sizeof(T))));
  V4 r0, r1, r2, r3;
  std::memcpy(&r0, in, sizeof r0);
  std::memcpy(&r1, in + in_row, sizeof r1);
  std::memcpy(&r2, in + 2 * in_row, sizeof r2);
  std::memcpy(&r3, in + 3 * in_row, sizeof r3);
  const V4 lo01 = __builtin_shufflevector(r0, r1, 0, 4, 1, 5),
           hi01 = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
  const V4 lo23 = __builtin_shufflevector(r2, r3, 0, 4, 1, 5),
           hi23 = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
  const V4 c0 = __builtin_shufflevector(lo01, lo23, 0, 1, 4, 5),
           c1 = __builtin_shufflevector(lo01, lo23, 2, 3, 6, 7);
  const V4 c2 = __builtin_shufflevector(hi01, hi23, 0, 1, 4, 5),
           c3 = __builtin_shufflevector(hi01, hi23, 2, 3, 6, 7);
  std::memcpy(out, &c0, sizeof c0);
  std::memcpy(out + out_row, &c1, sizeof c1);
  std::memcpy(out + 2 * out_row, &c2, sizeof c2);
  std::memcpy(out + 3 * out_row, &c3, sizeof c3);
}

/// Copies columns [j, ...) of k rows, `kWidth` at a time while they fit before `cols`; returns where it
/// stopped.
template <int kWidth, class T>
Index copy_columns(const T* in, Index in_row, Index k, Index j, Index cols, T* out, Index out_row) {
  for (; j + kWidth <= cols; j += kWidth) {
    for (Index p = 0; p < k; ++p) std::memcpy(out + p * out_row + j, in + p * in_row + j, kWidth * sizeof(T));
  }
  return j;
}

/// out[p * width + j] = in[p * in_row + j * in_col] for p < k, j < cols; zeros follow up to a
/// whole vector, for the kernel reads whole vectors. Converts where `S` is a storage type other than `T`.
template <class T, class S>
void pack_panel(const S* in, Index in_row, Index in_col, Index k, Index cols, Index width, T* out) {
  const auto plain = [&](Index p0, Index p1, Index j0, Index j1) {
    for (Index p = p0; p < p1; ++p) {
      for (Index j = j0; j < j1; ++j) out[p * width + j] = static_cast<T>(in[p * in_row + j * in_col]);
    }
  };
  constexpr Index kCols = Tile<T>::kCols;
  if constexpr (!std::is_same_v<T, S>) {
    plain(0, k, 0, cols);
  } else if (in_col == 1 && cols == kCols && width == kCols) {
    for (Index p = 0; p < k; ++p) std::memcpy(out + p * kCols, in + p * in_row, kCols * sizeof(T));
  } else if (in_col == 1) {
    Index j = copy_columns<Tile<T>::kLanes>(in, in_row, k, 0, cols, out, width);
    j = copy_columns<4>(in, in_row, k, j, cols, out, width);
    copy_columns<1>(in, in_row, k, j, cols, out, width);
  } else if (in_row == 1) {
    const Index k4 = k & ~Index{3}, cols4 = cols & ~Index{3};
    for (Index j = 0; j < cols4; j += 4) {
      for (Index p = 0; p < k4; p += 4) transpose4(in + p + j * in_col, in_col, out + p * width + j, width);
    }
    plain(0, k4, cols4, cols);
    plain(k4, k, 0, cols);
  } else {
    plain(0, k, 0, cols);
  }
  const Index read = std::min(width, (cols + Tile<T>::kLanes - 1) / Tile<T>::kLanes * Tile<T>::kLanes);
  for (Index j = cols; j < read; ++j) {
    for (Index p = 0; p < k; ++p) out[p * width + j] = T(0);
  }
}

}  // namespace detail

/// The rows of B of a product, cut into panels of `Tile<T>::kCols` columns: the whole panels either as they
/// lie in memory or packed, a last narrow one always packed (the kernel reads whole panels).
template <class T, class S = T> class Panels {
 public:
  static constexpr Index kCols = Tile<T>::kCols;

  /// B as `b[b_segments[s] + p * b_row + j * b_col]`; `direct` needs b_col == 1 and S = T. `packed` holds
  /// `packed_size()`.
  Panels(const KPlan& plan, Index n, const S* b, Index b_row, Index b_col, const Index* b_segments,
         bool direct)
      : plan_(plan),
        n_(n),
        b_(b),
        b_row_(b_row),
        b_col_(b_col),
        segments_(b_segments),
        first_packed_(direct ? n / kCols : 0) {}

  const KPlan& plan() const { return plan_; }
  Index count() const { return (n_ + kCols - 1) / kCols; }
  Index packed_count() const { return count() - first_packed_; }
  Index packed_size() const { return packed_count() * kCols * plan_.terms(); }
  /// Where the packed panels are or go, those of the blocks with fewer than `terms_before` terms left out.
  void set_packed(T* p, Index terms_before = 0) { packed_ = p, packed_from_ = terms_before; }

  /// Packs the panels [first, last) counted among the packed ones, for block `block` of the sum.
  void pack(Index block, Index first, Index last) const {
    const KPlan::Block kb = plan_.block(block);
    for (Index i = first; i < last; ++i) {
      const Index j = (i + first_packed_) * kCols, cols = n_ - j < kCols ? n_ - j : kCols;
      T* out = packed_ + packed_offset(kb, i);
      for (Index s = 0; s < kb.segments; ++s, out += kb.k * kCols) {
        const S* in = b_ + segments_[kb.segment + s] + kb.p * b_row_ + j * b_col_;
        detail::pack_panel(in, b_row_, b_col_, kb.k, cols, kCols, out);
      }
    }
  }
  void pack_all() const {
    if (packed_count() == 0) return;
    for (Index i = 0; i < plan_.blocks(); ++i) pack(i, 0, packed_count());
  }

  /// Tells a tile of panel `j` in block `kb` where its rows of B are; `offsets` has room for `kMaxSegments`.
  void aim(TileArgs<T>& t, const KPlan::Block& kb, Index j, Index* offsets) const {
    if constexpr (std::is_same_v<T, S>) {
      if (j < first_packed_) {
        t.b = b_ + kb.p * b_row_ + j * kCols;
        t.b_row = b_row_;
        t.b_segments = segments_ + kb.segment;
        return;
      }
    }
    t.b = packed_ + packed_offset(kb, j - first_packed_);
    t.b_row = kCols;
    for (Index s = 0; s < kb.segments; ++s) offsets[s] = s * kb.k * kCols;
    t.b_segments = offsets;
  }

 private:
  Index packed_offset(const KPlan::Block& kb, Index i) const {
    return ((kb.terms_before - packed_from_) * packed_count() + i * kb.terms()) * kCols;
  }

  KPlan plan_;
  Index n_;
  const S* b_;
  Index b_row_, b_col_;
  const Index* segments_;
  Index first_packed_;
  T* packed_ = nullptr;
  Index packed_from_ = 0;
};

}  // namespace cpu

TMOR_END
