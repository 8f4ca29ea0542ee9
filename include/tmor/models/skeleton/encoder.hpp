#pragma once
/// @file encoder.hpp
/// Any skeleton encoder behind one type: chosen by its configuration, called and visited alike.

#include <variant>

#include "tmor/models/skeleton/unik.hpp"

TMOR_BEGIN
namespace models {

/// What a `SkeletonEncoder` is built from; the alternative chooses the network.
using SkeletonConfig = std::variant<UnikConfig>;

/// Names by which configurations choose an encoder, in the order of the alternatives.
inline constexpr const char* kSkeletonEncoders[] = {"unik"};

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
/// Makes `c` that of encoder number `kind`, with its defaults where it was of another.
inline void choose(SkeletonConfig& c, Index kind) {
  if (static_cast<Index>(c.index()) == kind) return;
  if (kind == 0) c = UnikConfig{};
}

/// (N, M, T, V, C) skeletons -> features, by one of the encoders.
template <class T = float, class Device = Cpu> struct SkeletonEncoder {
  std::variant<Unik<T, Device>> net;

  SkeletonEncoder() = default;
  SkeletonEncoder(Unik<T, Device> m) : net(std::move(m)) {}
  SkeletonEncoder(Rng& rng, const SkeletonConfig& c) {
    std::visit([&](const auto& x) { build(rng, x); }, c);
  }
  static void visit(auto& self, auto&& v) {
    std::visit([&](auto& m) { std::remove_cvref_t<decltype(m)>::visit(m, v); }, self.net);
  }

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
    return std::visit([](const auto& m) -> const nn::Linear<T, Device>& { return m.project; }, net);
  }

  /// `x` (N, M, T, V, C); `present` (N, M), 1 where there is a person, undefined when all are there.
  /// @throws ShapeError naming the sizes that are not the configured ones.
  SkeletonFeatures<T, Device> operator()(const Tensor<T, Device>& x, const Context& ctx,
                                         const Tensor<T, Device>& present = {}) const {
    return std::visit([&](const auto& m) { return m(x, ctx, present); }, net);
  }

 private:
  void build(Rng& rng, const UnikConfig& c) { net.template emplace<Unik<T, Device>>(rng, c); }
};

}  // namespace models
TMOR_END
