#pragma once
/// @file causal.hpp
/// The small text encoder: token and position embeddings, a causal pre-norm transformer, and the features of
/// the last token, as in CLIP (Radford et al. 2021).

#include "tmor/nn/embedding.hpp"
#include "tmor/nn/transformer.hpp"
#include "tmor/ops/index.hpp"

TMOR_BEGIN
namespace models {

/// Texts as token ids.
template <class Device = Cpu> struct TextBatch {
  Tensor<Index, Device> ids;   ///< (N, L), padded
  Tensor<Index, Device> last;  ///< (N,): place of each text's end token
};

/// Sizes of a `CausalText` encoder.
struct CausalTextConfig {
  Index vocab = 512, context = 32, width = 128, depth = 2, heads = 4;
  Index embed = 512;  ///< size of the text's embedding
  double dropout = 0;
};

/// Token ids -> one embedding a text.
template <class T = float, class Device = Cpu> struct CausalText {
  CausalTextConfig config;
  nn::Embedding<T, Device> token;
  Param<T, Device> position;  ///< (context, width)
  std::vector<nn::TransformerBlock<T, Device>> blocks;
  nn::LayerNorm<T, Device> norm;
  nn::Linear<T, Device> project;

  CausalText() = default;
  CausalText(Rng& rng, const CausalTextConfig& c)
      : config(c),
        token(rng, c.vocab, c.width),
        position(init::normal<param_t<T>, Device>(rng, {c.context, c.width}, 0.01)),
        norm(c.width),
        project(rng, c.width, c.embed, false) {
    for (Index i = 0; i < c.depth; ++i)
      blocks.emplace_back(rng, c.width, c.heads, 4 * c.width, Activation::quick_gelu, c.dropout);
  }
  static void visit(auto& self, auto&& v) {
    v.setting("config", self.config);
    v.module("token", self.token);
    v.param("position", self.position, no_decay);
    v.module("blocks", self.blocks);
    v.module("norm", self.norm);
    v.module("project", self.project);
  }

  /// `ids` (N, L), L <= context; `last` (N,), the place of each text's end token -> (N, embed), not
  /// normalised.
  /// @throws ShapeError for texts longer than the context.
  Tensor<T, Device> operator()(const Tensor<Index, Device>& ids, const Tensor<Index, Device>& last,
                               const Context& ctx) const {
    TMOR_CHECK_SHAPE(ids.rank() == 2 && ids.size(1) <= config.context && last.shape() == Shape{ids.size(0)},
                     "[CausalText] ids ", ids.shape(), " and ends ", last.shape(),
                     ": expected (N, L), L <= ", config.context, ", and (N,)");
    const Index n = ids.size(0), length = ids.size(1);
    auto h = token(ids) + to<T>(narrow(position, 0, 0, length));
    AttentionOptions<Device> causal;
    causal.causal = true;
    for (const auto& block : blocks) h = block(h, ctx, causal);
    // The row of each text's end token, out of all rows.
    const auto rows = arange<Index, Device>(0, n * length, length) + last;
    return project(norm(index_select(reshape(h, {n * length, config.width}), 0, rows)));
  }
};

}  // namespace models
TMOR_END
