#pragma once
/// @file emu/mma.hpp
/// The emulation of cuda/mma.cuh: products of fragments, loads of matrices and asynchronous copies, with the
/// registers of each lane where PTX has them. The first two are collective operations of a whole warp, and
/// like shuffles they order no memory. A copy is done as late as CUDA allows, when its thread waits for it;
/// until then its destination is NaN.

#include "tmor/core/dtype.hpp"
#include "tmor/core/math_exp.hpp"
#include "tmor/cuda/emu/cuda.hpp"

TMOR_BEGIN
namespace emu {

/// One lane's registers in a product.
struct Product {
  const unsigned *a, *b;
  float* d;
};
/// One lane's part in a load of up to four 8 x 8 matrices: where its row starts, and what it is told: where
/// the two elements of each of its registers lie.
struct MatrixLoad {
  const char* row;
  const char* element[4][2] = {};
};

template <class T> float half_of(unsigned word, unsigned which) {
  T v;
  v.bits = static_cast<std::uint16_t>(word >> 16 * which);
  return v;
}

/// d += a b for the matrices that 32 lanes hold together.
template <class T> void multiply(const Wait* const* lanes) {
  float a[16][16], b[16][8], d[16][8] = {};
  const auto part = [&](unsigned l) { return reinterpret_cast<const Product*>(lanes[l]->value); };
  for (unsigned l = 0; l < 32; ++l) {
    const unsigned group = l / 4, pair = 2 * (l % 4);
    for (unsigned r = 0; r < 4; ++r)
      for (unsigned e = 0; e < 2; ++e)
        a[group + 8 * (r % 2)][pair + e + 8 * (r / 2)] = half_of<T>(part(l)->a[r], e);
    for (unsigned r = 0; r < 2; ++r)
      for (unsigned e = 0; e < 2; ++e) b[pair + e + 8 * r][group] = half_of<T>(part(l)->b[r], e);
  }
  for (int i = 0; i < 16; ++i)
    for (int k = 0; k < 16; ++k)
      for (int j = 0; j < 8; ++j) d[i][j] += a[i][k] * b[k][j];
  for (unsigned l = 0; l < 32; ++l)
    for (unsigned r = 0; r < 4; ++r) part(l)->d[r] += d[l / 4 + 8 * (r / 2)][2 * (l % 4) + r % 2];
}

/// Tells every lane where its elements lie.
template <int Count, bool Transposed> void share_rows(const Wait* const* lanes) {
  const auto part = [&](unsigned l) { return reinterpret_cast<MatrixLoad*>(lanes[l]->value); };
  for (unsigned l = 0; l < 32; ++l)
    for (unsigned m = 0; m < Count; ++m)
      for (unsigned e = 0; e < 2; ++e) {
        const unsigned i = l / 4, j = 2 * (l % 4) + e;
        part(l)->element[m][e] = Transposed ? part(8 * m + j)->row + 2 * i : part(8 * m + i)->row + 2 * j;
      }
}

inline void meet_warp(Op op, const void* part, void (*together)(const Wait* const*), Place at) {
  Wait w{.op = op, .mask = 0xffffffffu, .value = reinterpret_cast<std::uintptr_t>(part), .at = at};
  w.together = together;
  Machine::instance().meet(w);
}

using Word [[gnu::may_alias]] = std::uint64_t;
using Half [[gnu::may_alias]] = std::uint16_t;

/// @throws Error in the thread unless the 16 bytes at `p` are those of one shared array, at a multiple of 16.
inline void check_shared16(const char* what, const void* p) {
  const race::Unseen unseen;
  Machine& m = Machine::instance();
  if (!m.is_shared(p, 16))
    m.fail_here(tmor::detail::cat(what, " of 16 bytes at ",
                                  DeviceMemory::hex(reinterpret_cast<std::uintptr_t>(p)),
                                  ", which do not lie in a shared array of the block"));
  if (reinterpret_cast<std::uintptr_t>(p) % 16 != 0)
    m.fail_here(
        tmor::detail::cat(what, " of 16 bytes of shared memory at an address that is no multiple of 16"));
}

/// The first lanes say where the rows of `matrices` are; the others' addresses mean nothing.
inline void check_matrix_row(const void* row, unsigned matrices) {
  const race::Unseen unseen;
  if (Machine::instance().lane() < 8 * matrices) check_shared16("ldmatrix", row);
}
/// The oldest copy of the present thread that is to be done until all but the last `left` groups are.
inline bool next_copy(unsigned left, AsyncCopy* copy) {
  const race::Unseen unseen;
  ThreadState& t = Machine::instance().present();
  if (t.copies.empty() || t.copies.front().group + left >= t.copy_group) return false;
  *copy = t.copies.front();
  t.copies.pop_front();
  return true;
}

}  // namespace emu

namespace cuda {

template <class T>
void mma_m16n8k16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                  const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  const emu::Product part{a, b, d};
  emu::meet_warp(emu::Op::mma, &part, &emu::multiply<T>, {file, line});
}

template <int Count, bool Transposed = false>
void ldmatrix(unsigned (&r)[Count], const void* row, const char* file = __builtin_FILE(),
              int line = __builtin_LINE()) {
  static_assert(Count == 2 || Count == 4);
  emu::check_matrix_row(row, Count);
  emu::MatrixLoad part{static_cast<const char*>(row)};
  emu::meet_warp(emu::Op::ldmatrix, &part, &emu::share_rows<Count, Transposed>, {file, line});
  for (int m = 0; m < Count; ++m) {
    unsigned element[2];
    for (int e = 0; e < 2; ++e) element[e] = *reinterpret_cast<const emu::Half*>(part.element[m][e]);
    r[m] = element[0] | element[1] << 16;
  }
}

inline void cp_async16(void* shared, const void* global, bool wanted = true) {
  emu::check_shared16("cp.async", shared);
  if (wanted) {
    const emu::race::Unseen unseen;
    emu::check_aligned(global, 16, 16);
    if (!emu::DeviceMemory::instance().contains(global, 16))
      emu::Machine::instance().fail_here(tmor::detail::cat("cp.async of 16 bytes that begin at ",
                                                           emu::DeviceMemory::instance().describe(global)));
  }
  for (int i = 0; i < 2; ++i) static_cast<emu::Word*>(shared)[i] = ~std::uint64_t{0};
  const emu::race::Unseen unseen;
  emu::ThreadState& t = emu::Machine::instance().present();
  t.copies.push_back({shared, global, wanted ? 16u : 0u, t.copy_group});
}
inline void cp_async_commit() {
  const emu::race::Unseen unseen;
  ++emu::Machine::instance().present().copy_group;
}
template <int Left> void cp_async_wait() {
  for (emu::AsyncCopy c; emu::next_copy(Left, &c);)
    for (int i = 0; i < 2; ++i)
      static_cast<emu::Word*>(c.to)[i] = c.bytes ? static_cast<const emu::Word*>(c.from)[i] : 0;
}

template <class T> unsigned pack_pair(float low, float high) {
  return static_cast<unsigned>(T(low).bits) | static_cast<unsigned>(T(high).bits) << 16;
}
inline float exp2_approx(float x) { return math::exp2(x); }

}  // namespace cuda
TMOR_END
