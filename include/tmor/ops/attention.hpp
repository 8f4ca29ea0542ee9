#pragma once
/// @file attention.hpp
/// Scaled dot-product attention (Vaswani et al. 2017), with masks, without ever holding all scores; how it
/// runs is in cpu/attention.hpp and cuda/attention.cuh.

#include "tmor/autograd/node.hpp"
#include "tmor/cpu/attention.hpp"
#include "tmor/ops/dense.hpp"
#include "tmor/ops/elementwise.hpp"

TMOR_BEGIN

/// What `attention` lets a query see; everything may be combined.
template <class Device = Cpu> struct AttentionOptions {
  /// False hides a key; broadcast to (batch, heads, queries, keys).
  Tensor<bool, Device> mask = {};
  /// Added to the scores, -infinity hides; broadcast likewise. It gets no gradient.
  Tensor<float, Device> bias = {};
  /// (batch,): only the first so many keys of an item are seen.
  Tensor<std::int64_t, Device> key_lengths = {};
  /// Query i sees keys up to i + keys - queries: the last query sees the last key.
  bool causal = false;
  /// Factor of the scores; 0 stands for 1 / sqrt(dim).
  double scale = 0;
};

namespace detail {

/// (batch, heads, rows, columns) whose memory is (batch, rows, heads, columns): joining the heads is free.
template <class T, class Device> Tensor<T, Device> heads_inside(const Shape& s, bool zero = false) {
  const Shape memory{s[0], s[2], s[1], s[3]};
  return swap_dims(zero ? Tensor<T, Device>::zeros(memory) : Tensor<T, Device>::empty(memory), 1, 2);
}
template <class T, class Device> Tensor<T, Device> contiguous_columns(const Tensor<T, Device>& x) {
  return x.stride(-1) == 1 || x.size(-1) == 1 ? x.detach() : dense(x);
}
template <class T, class Device>
Tensor<T, Device> broadcast_scores(const Tensor<T, Device>& x, const Shape& scores, const char* what) {
  if (!x.defined()) return x;
  const auto view = broadcast_view(x, scores, what);
  if (view.stride(-1) == 1) return view;
  Shape once = scores;  // a copy that is broadcast only where this costs nothing
  for (int d = 0; d < 3; ++d)
    if (view.strides()[d] == 0) once[d] = 1;
  Tensor<T, Device> source = view.as_strided(once, view.strides(), 0);
  const auto copy = Tensor<T, Device>::empty(once);
  copy_into(Device{}, copy, source);
  return broadcast_view(copy, scores, what);
}

}  // namespace detail

/// y = softmax(scale q k^T + bias) v, head by head: q (batch, heads, queries, dim), k (batch, heads, keys,
/// dim), v (batch, heads, keys, value_dim) -> (batch, heads, queries, value_dim). Views are read where they
/// lie. A query that sees no key gives 0.
///
/// bf16 and f16 are converted to float, and the result back; on `Cuda`, of up to 128 columns, they go as they
/// are to tensor cores: scores and sums in float, weights rounded where they multiply values.
///
/// The result lies in memory as (batch, queries, heads, value_dim), so that transposing it back and joining
/// the heads copies nothing.
/// @throws ShapeError naming the shapes that do not fit; Error for a bias that requires a gradient.
template <class T, class Device>
Tensor<T, Device> attention(const Tensor<T, Device>& q, const Tensor<T, Device>& k,
                            const Tensor<T, Device>& v, const AttentionOptions<Device>& options = {}) {
  using C = compute_t<T>;
  if constexpr (Device::host_memory && !std::is_same_v<T, C>) {
    return to<T>(attention(to<C>(q), to<C>(k), to<C>(v), options));
  } else {
    const bool fit = q.rank() == 4 && k.rank() == 4 && v.rank() == 4 && q.size(0) == k.size(0) &&
                     q.size(1) == k.size(1) && q.size(3) == k.size(3) && v.size(0) == k.size(0) &&
                     v.size(1) == k.size(1) && v.size(2) == k.size(2);
    TMOR_CHECK_SHAPE(fit, "[attention] q ", q.shape(), ", k ", k.shape(), ", v ", v.shape(),
                     " must be (batch, heads, queries, dim), (batch, heads, keys, dim), (batch, heads, keys, "
                     "value_dim)");
    TMOR_CHECK(!needs_grad(options.bias), "[attention] the bias gets no gradient here; detach() it");
    const auto& lengths = options.key_lengths;
    TMOR_CHECK_SHAPE(!lengths.defined() || lengths.shape() == Shape{q.size(0)}, "[attention] key_lengths ",
                     lengths.defined() ? lengths.shape() : Shape{}, " for a batch of ", q.size(0));
    if constexpr (!std::is_same_v<T, C>)
      if (!attention_takes_half(Device{}, q.shape(), k.shape(), v.size(3)))
        return to<T>(attention(to<C>(q), to<C>(k), to<C>(v), options));
    const Shape scores{q.size(0), q.size(1), q.size(2), k.size(2)};
    const Shape queries{q.size(0), q.size(1), q.size(2)};
    const double scale = options.scale != 0 ? options.scale
                         : q.size(3) > 0    ? 1 / math::sqrt(static_cast<double>(q.size(3)))
                                            : 1;
    const AttentionCall<T, Device> call{
        q.detach(),
        k.detach(),
        v.detach(),
        detail::broadcast_scores(options.mask, scores, "attention mask"),
        detail::broadcast_scores(options.bias.defined() ? to<C>(options.bias) : Tensor<C, Device>(), scores,
                                 "attention bias"),
        lengths.defined() ? detail::dense(lengths) : lengths,
        options.causal,
        static_cast<C>(scale),
        Tensor<C, Device>::empty(queries),
        Tensor<C, Device>::empty(queries)};
    const auto y = detail::heads_inside<T, Device>({q.size(0), q.size(1), q.size(2), v.size(3)});
    run_attention(Device{}, call, y);
    if (needs_grad(q, k, v))
      record(
          y, "attention", inputs(q, k, v),
          [call, q = save(q), k = save(k), v = save(v), y = save(y)](const Tensor<T, Device>& dy, Grads& g) {
            const auto dq = detail::heads_inside<T, Device>(q.get().shape(), true);
            const auto dk = detail::heads_inside<T, Device>(k.get().shape(), true);
            const auto dv = detail::heads_inside<T, Device>(v.get().shape(), true);
            run_attention_backward(Device{}, call, y.get(), detail::contiguous_columns(dy), dq, dk, dv);
            g.add(0, dq);
            g.add(1, dk);
            g.add(2, dv);
          });
    return y;
  }
}

TMOR_END

#ifdef TMOR_COMPILED
#include "tmor/instantiate/attention.inl"
#endif
