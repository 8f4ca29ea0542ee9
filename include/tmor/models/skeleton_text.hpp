#pragma once
/// @file skeleton_text.hpp
/// Two towers and a temperature: skeleton clips and texts embedded into one space, trained so that a clip is
/// nearest to what is said of it. At inference the skeleton tower works alone, with the texts' embeddings
/// computed once.

#include "tmor/losses/contrastive.hpp"
#include "tmor/models/skeleton/unik.hpp"
#include "tmor/models/text/causal.hpp"

TMOR_BEGIN
namespace models {

/// Skeleton encoder, text encoder and the learned scale of their similarities.
template <class T = float, class Device = Cpu> struct SkeletonText {
  using Tn = Tensor<param_t<T>, Device>;  ///< clips, embeddings and losses

  Unik<T, Device> skeleton;
  CausalText<T, Device> text;
  Param<T, Device> log_scale;  ///< scalar: logits are exp(log_scale) cosines

  static constexpr double kInitialLogScale =
      2.659260036932778;                                     ///< ln(1 / 0.07), as CLIP (Radford et al. 2021)
  static constexpr double kMaxLogScale = 4.605170185988092;  ///< ln 100

  SkeletonText() = default;
  SkeletonText(Rng& rng, const UnikConfig& s, const CausalTextConfig& t)
      : skeleton(rng, s),
        text(rng, t),
        log_scale(init::constant<param_t<T>, Device>({}, loss::kInitialLogScale)) {
    TMOR_CHECK(s.embed == t.embed, "[SkeletonText] the skeleton's embedding has ", s.embed,
               " numbers and the text's ", t.embed);
  }
  static void visit(auto& self, auto&& v) {
    v.module("skeleton", self.skeleton);
    v.module("text", self.text);
    v.param("log_scale", self.log_scale, no_decay);
  }

  /// Unit vectors, (N, embed).
  Tn embed_clips(const Tn& x, const Context& ctx) const {
    return l2_normalize(to<param_t<T>>(skeleton(x, ctx).embed));
  }
  Tn embed_texts(const TextBatch<Device>& t, const Context& ctx) const {
    return l2_normalize(to<param_t<T>>(text(t.ids, t.last, ctx)));
  }
  /// Symmetric InfoNCE of clips and their captions. Pairs of equal `group` (the class, say) are all positives
  /// of one another, so that a caption that fits several clips is not called wrong for any.
  Tn loss(const Tn& x, const TextBatch<Device>& captions, const Tensor<Index, Device>& group,
          const Context& ctx) const {
    return match(to<param_t<T>>(skeleton(x, ctx).embed), captions, group, ctx);
  }
  /// The same for clips embedded already, (N, embed).
  Tn match(const Tn& embed, const TextBatch<Device>& captions, const Tensor<Index, Device>& group,
           const Context& ctx) const {
    return loss::info_nce(embed, embed_texts(captions, ctx), clamp(log_scale, -100, kMaxLogScale), group);
  }
};

}  // namespace models
TMOR_END
