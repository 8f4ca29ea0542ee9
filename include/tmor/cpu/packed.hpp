#pragma once
/// @file packed.hpp
/// Products with a matrix B that was packed before: a layer's weights are packed at the first use without
/// tape and kept with their memory until their version changes, so that inference on one clip does not pay
/// for it every time.

#include "tmor/core/tensor.hpp"
#include "tmor/cpu/gemm.hpp"

TMOR_BEGIN

namespace cpu {

/// The matrix B of a product, packed once for many. With several segments (see GemmArgs), each is a (k x n)
/// matrix, `segment_stride` elements after the one before.
template <class T> class PackedB final : public Derived {
 public:
  /// Copies the matrices at `b`, of any strides.
  PackedB(Index k, Index n, const T* b, Index b_row, Index b_col, Index segments = 1,
          Index segment_stride = 0)
      : k_(k), n_(n), segments_(segments) {
    TMOR_CHECK(k >= 0 && n >= 0 && segments >= 0, "PackedB: negative size: k ", k, ", n ", n, ", segments ",
               segments);
    std::vector<Index> offsets;
    for (Index s = 0; s < segments; ++s) offsets.push_back(s * segment_stride);
    Panels<T> to(KPlan(k, segments), n, b, b_row, b_col, offsets.data(), false);
    memory_ = Cpu::allocate(static_cast<std::size_t>(to.packed_size()) * sizeof(T));
    to.set_packed(static_cast<T*>(memory_->data()));
    parallel_for(to.plan().blocks(), 1, [&](Index block, Index) { to.pack(block, 0, to.packed_count()); });
  }
  Index k() const { return k_; }
  Index n() const { return n_; }
  Index segments() const { return segments_; }
  Panels<T> panels() const {
    Panels<T> p(KPlan(k_, segments_), n_, nullptr, 0, 1, nullptr, false);
    p.set_packed(static_cast<T*>(memory_->data()));
    return p;
  }

 private:
  Index k_, n_, segments_;
  Ref<Storage> memory_;
};

/// What `make()` builds from the contents of `w`, kept with its memory under `key` until they change.
template <class Made, class T, class F>
Ref<Made> kept(const Tensor<T, Cpu>& w, const DerivedKey& key, F&& make) {
  Storage& storage = *w.body().storage;
  if (const auto have = storage.kept(key))
    if (auto* made = dynamic_cast<Made*>(have.get())) return Ref<Made>(made);
  const Ref<Made> made = make();
  storage.keep(key, Ref<Derived>(made.get()));
  return made;
}

/// The matrices that start at `w`'s first element (see PackedB), packed now or earlier; kept with `w`'s
/// memory.
template <class T>
Ref<PackedB<T>> kept_packed(const Tensor<T, Cpu>& w, Index k, Index n, Index row, Index col,
                            Index segments = 1, Index segment_stride = 0) {
  return kept<PackedB<T>>(w, {w.body().offset, k, n, row, col, segments, segment_stride, 0}, [&] {
    return make_ref<PackedB<T>>(k, n, w.data(), row, col, segments, segment_stride);
  });
}

/// `gemm` with the B of `packed` in place of `g.b`, on the calling thread where the product is small. Throws
/// ShapeError unless its sizes are those of `g`.
template <class T>
void gemm(const GemmArgs<T>& g, const PackedB<T>& packed, const std::type_identity_t<RowHook<T>>& hook = {}) {
  TMOR_CHECK_SHAPE(g.m >= 0 && g.k == packed.k() && g.n == packed.n() && g.segments == packed.segments(),
                   "gemm: the packed matrix is ", packed.k(), " x ", packed.n(), " in ", packed.segments(),
                   " segments, the product wants ", g.k, " x ", g.n, " in ", g.segments);
  if (g.m == 0 || g.n == 0) return;
  if (g.k == 0 || g.segments == 0) return detail::gemm_no_terms(g, hook);
  Panels<T> panels = packed.panels();
  if (detail::flops(g) < detail::kSerialFlops) {
    detail::gemm_block(g, panels, 0, g.m, 0, panels.count(), 0, panels.plan().blocks(), hook,
                       detail::pack_a(g));
  } else {
    detail::gemm_tasks(g, panels, true, hook);
  }
}

}  // namespace cpu

TMOR_END
