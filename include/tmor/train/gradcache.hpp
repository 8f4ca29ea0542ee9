#pragma once
/// @file gradcache.hpp
/// GradCache (Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", 2021):
/// the gradient of a loss that compares all samples of a large batch, in the memory of a small one.
///
/// Pass 1 embeds the batch chunk by chunk without tape. The loss of all embeddings gives their gradients.
/// Pass 2 embeds each chunk again, on the tape and with the same random draws, and sends its share of those
/// gradients back. What is held at once: during a pass the embeddings, or their gradients, and the tape of
/// one chunk; between the passes both and what the loss itself needs (a block of its logits:
/// ops/pair_blocks.hpp). Batch norms see chunks, in both passes, and update their running statistics in the
/// first.

#include <vector>

#include "tmor/autograd/checkpoint.hpp"
#include "tmor/models/tri_modal.hpp"
#include "tmor/optim/accumulate.hpp"

TMOR_BEGIN
namespace train {

/// Adds d loss / d p to the gradient of every parameter p.
///
/// - `embed(i, ctx)` returns the embeddings of chunk i, i < chunks, as a `std::vector<Tensor<T, Device>>` of
///   as many tensors for every chunk, each with one row a sample, or undefined where a chunk has none. It is
///   called twice and must do the same both times; all that is random comes from `ctx.rng`.
/// - `loss(e)` gets the same tensors with the rows of all chunks, and calls `backward` itself, once or more
///   (parts of a loss one after the other need less memory than all at once). Its result is handed on.
///
/// `ctx.rng` is left as one run of `embed` over all chunks, then `loss`, leaves it.
/// @throws Error when chunks differ in the number of their embeddings.
template <class T = float, class Device = Cpu, class Embed, class Loss>
auto grad_cache(Index chunks, const Embed& embed, const Loss& loss, const Context& ctx) {
  TMOR_CHECK(chunks > 0, "[grad_cache] no chunks");
  std::vector<std::vector<Tensor<T, Device>>> parts;  // by output, of every chunk
  std::vector<Rng::State> draws;
  {
    NoGrad guard;
    for (Index i = 0; i < chunks; ++i) {
      if (ctx.rng) draws.push_back(ctx.rng->state());
      const std::vector<Tensor<T, Device>> e = embed(i, ctx);
      if (i == 0) parts.resize(e.size());
      TMOR_CHECK(e.size() == parts.size(), "[grad_cache] chunk ", i, " gave ", e.size(),
                 " embeddings and chunk 0 ", parts.size());
      for (std::size_t k = 0; k < e.size(); ++k) parts[k].push_back(e[k]);
    }
  }
  std::vector<Tensor<T, Device>> all(parts.size());
  std::vector<std::vector<Index>> rows(parts.size());  // of every chunk
  for (std::size_t k = 0; k < parts.size(); ++k) {
    std::vector<Tensor<T, Device>> defined;
    for (const auto& p : parts[k]) {
      rows[k].push_back(p.defined() ? p.size(0) : 0);
      if (p.defined()) defined.push_back(p);
    }
    if (!defined.empty()) all[k] = concat(defined, 0).requires_grad_();
    parts[k].clear();
  }
  auto result = loss(std::as_const(all));
  for (auto& t : all)
    if (t.defined()) t = t.grad();  // the embeddings themselves are needed no longer

  tmor::detail::Restore<bool> second(tmor::detail::replaying_flag(), true);
  std::vector<Index> begin(all.size(), 0);
  for (Index i = 0; i < chunks; ++i) {
    Rng again(ctx.rng ? draws[static_cast<std::size_t>(i)] : Rng::State{});
    Context same = ctx;
    if (ctx.rng) same.rng = &again;
    const std::vector<Tensor<T, Device>> e = embed(i, same);
    Tensor<T, Device> share;  // its gradient with respect to e is that of the loss
    for (std::size_t k = 0; k < e.size(); ++k) {
      const Index n = rows[k][static_cast<std::size_t>(i)], from = begin[k];
      begin[k] += n;
      if (n == 0 || !needs_grad(e[k])) continue;
      if (!all[k].defined()) continue;
      const auto dot = sum(e[k] * narrow(all[k], 0, from, n));
      share = share.defined() ? share + dot : dot;
    }
    if (share.defined()) backward(share);
  }
  return result;
}

/// The gradient of `model.loss` of all chunks together, times `ctx.loss_scale`, by `grad_cache`; returns that
/// loss (off the tape, not scaled).
/// `chunk(i)`, called twice for each i < chunks, returns the same `TriBatch` both times; `ignore` (n, n) are
/// the pairs of all n samples that are no negatives (the chunks' own must be undefined).
template <class T, class Device, class Chunk>
models::TriLoss<param_t<T>, Device> grad_cache(const models::TriModal<T, Device>& model, Index chunks,
                                               const Chunk& chunk, const Context& ctx,
                                               const Tensor<bool, Device>& ignore = {}) {
  using Model = models::TriModal<T, Device>;
  using P = param_t<T>;
  std::vector<models::TriTargets<Device>> targets;
  const auto embed = [&](Index i, const Context& c) {
    const models::TriBatch<P, Device> b = chunk(i);
    if (std::ssize(targets) == i) targets.push_back(Model::targets(b));
    const auto e = model.embed(b, targets[static_cast<std::size_t>(i)], c);
    return std::vector{e.skeleton, e.video, e.text, e.skeleton_tokens, e.video_tokens};
  };
  const auto loss = [&](const std::vector<Tensor<P, Device>>& e) {
    const auto t = Model::join(targets, ignore);
    models::TriLoss<P, Device> out;
    model.each_part({e[0], e[1], e[2], e[3], e[4]}, t, out, [&](const Tensor<P, Device>& weighted) {
      optim::backward_share(weighted, 1,
                            ctx.loss_scale);  // each part by itself: only one block of logits at a time
      const auto v = weighted.detach();
      out.total = out.total.defined() ? out.total + v : v;
    });
    return out;
  };
  return grad_cache<P, Device>(chunks, embed, loss, ctx);
}

}  // namespace train
TMOR_END
