#pragma once
/// @file encoder.hpp
/// Any skeleton encoder behind one type: chosen by its configuration, called and visited alike.

#include <variant>

#include "tmor/models/skeleton/ctrgcn.hpp"
#include "tmor/models/skeleton/dstformer.hpp"
#include "tmor/models/skeleton/stgcn.hpp"
#include "tmor/models/skeleton/unik.hpp"
#include "tmor/skeleton/layout.hpp"

TMOR_BEGIN
namespace models {

/// What a `SkeletonEncoder` is built from; the alternative chooses the network.
using SkeletonConfig = std::variant<UnikConfig, StgcnConfig, CtrgcnConfig, DstformerConfig>;

/// Names by which configurations choose an encoder, in the order of the alternatives.
inline constexpr const char* kSkeletonEncoders[] = {"unik", "stgcn++", "ctrgcn", "dstformer"};

/// Sizes that every configuration has.
inline Index joints_of(const SkeletonConfig& c) {
  return std::visit([](const auto& x) { return x.joints; }, c);
}
inline Index channels_of(const SkeletonConfig& c) {
  return std::visit([](const auto& x) { return x.in_channels; }, c);
}
inline Index embed_of(const SkeletonConfig& c) {
  return std::visit([](const auto& x) { return x.embed; }, c);
}
inline const char* name_of(const SkeletonConfig& c) { return kSkeletonEncoders[c.index()]; }
/// Makes `c` that of encoder number `kind`: where it was of another, only joints, channels and embedding
/// stay.
inline void choose(SkeletonConfig& c, Index kind) {
  if (static_cast<Index>(c.index()) == kind) return;
  const SkeletonConfig all[] = {UnikConfig{}, StgcnConfig{}, CtrgcnConfig{}, DstformerConfig{}};
  SkeletonConfig chosen = all[kind];
  std::visit(
      [&](auto& to) {
        to.joints = joints_of(c);
        to.in_channels = channels_of(c);
        to.embed = embed_of(c);
      },
      chosen);
  c = chosen;
}
/// Sets the joints, and their parents where the encoder wants a graph.
inline void set_layout(SkeletonConfig& c, const JointLayout& layout) {
  std::visit(
      [&](auto& x) {
        x.joints = layout.size();
        if constexpr (requires { x.parents; }) x.parents = layout.parent;
      },
      c);
}

/// (N, M, T, V, C) skeletons -> features, by one of the encoders.
template <class T = float, class Device = Cpu> struct SkeletonEncoder {
  using Net = std::variant<Unik<T, Device>, Stgcn<T, Device>, Ctrgcn<T, Device>, Dstformer<T, Device>>;
  Net net;

  SkeletonEncoder() = default;
  template <class M>
  requires std::is_constructible_v<Net, M&&> &&
      (!std::is_same_v<std::remove_cvref_t<M>, SkeletonEncoder>)SkeletonEncoder(M&& m)
      : net(std::forward<M>(m)) {}
  SkeletonEncoder(Rng& rng, const SkeletonConfig& c) {
    switch (c.index()) {
      case 0:
        net.template emplace<0>(rng, std::get<0>(c));
        break;
      case 1:
        net.template emplace<1>(rng, std::get<1>(c));
        break;
      case 2:
        net.template emplace<2>(rng, std::get<2>(c));
        break;
      default:
        net.template emplace<3>(rng, std::get<3>(c));
    }
  }
  static void visit(auto& self, auto&& v) { v.one_of(self.net); }

  SkeletonConfig config() const {
    return std::visit([](const auto& m) -> SkeletonConfig { return m.config; }, net);
  }
  Index stride() const {  ///< frames in for one frame token out
    return std::visit([](const auto& m) { return m.config.stride(); }, net);
  }
  Index width() const {  ///< of a frame token
    return std::visit([](const auto& m) { return m.config.width(); }, net);
  }
  /// The last layer, from pooled features to the embedding.
  const nn::Linear<T, Device>& project() const {
    return std::visit([](const auto& m) -> const nn::Linear<T, Device>& { return m.head.project; }, net);
  }

  /// Takes the embedding away, for what is trained on the pooled features, with another dropout before them.
  void remove_embedding(double dropout) {
    std::visit(
        [&](auto& m) {
          m.config.dropout = m.head.drop.p = dropout;
          m.config.embed = 0;
          m.head.project = {};
        },
        net);
  }

  /// `x` (N, M, T, V, C); `present` (N, M), 1 where there is a person, undefined when all are there.
  /// @throws ShapeError naming the sizes that are not the configured ones.
  SkeletonFeatures<T, Device> operator()(const Tensor<param_t<T>, Device>& x, const Context& ctx,
                                         const Tensor<param_t<T>, Device>& present = {}) const {
    return std::visit([&](const auto& m) { return m(x, ctx, present); }, net);
  }
};

}  // namespace models
TMOR_END
