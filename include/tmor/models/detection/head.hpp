#pragma once
/// @file head.hpp
/// Any head of frame-wise detection behind one type: chosen by its configuration, called and visited alike.

#include <variant>

#include "tmor/models/detection/mstct.hpp"
#include "tmor/models/detection/tcn.hpp"

TMOR_BEGIN
namespace models {

/// What a `FrameHead` is built from; the alternative chooses the network.
using FrameHeadConfig = std::variant<TcnConfig, MstctConfig>;

/// Names by which configurations choose a head, in the order of the alternatives.
inline constexpr const char* kFrameHeads[] = {"tcn", "mstct"};

inline const char* name_of(const FrameHeadConfig& c) { return kFrameHeads[c.index()]; }
inline Index tokens_of(const FrameHeadConfig& c) {  ///< width of a token
  return std::visit([](const auto& x) { return x.in; }, c);
}
/// For tokens of `width` columns and `classes` classes.
inline FrameHeadConfig sized(FrameHeadConfig c, Index width, Index classes) {
  std::visit([&](auto& x) { x.in = width, x.classes = classes; }, c);
  return c;
}
inline Index classes_of(const FrameHeadConfig& c) {
  return std::visit([](const auto& x) { return x.classes; }, c);
}
/// "causal dilated head of 3 layers of 512"
inline std::string describe(const FrameHeadConfig& c) {
  if (const auto* m = std::get_if<MstctConfig>(&c))
    return tmor::detail::cat("multi-scale head of ", m->stages, " stages of ", m->width, ", ", m->span,
                             " rows at once");
  const auto& t = std::get<TcnConfig>(c);
  return t.layers == 0 ? "linear head"
                       : tmor::detail::cat(t.causal ? "causal " : "", "dilated head of ", t.layers,
                                           " layers of ", t.width);
}
/// The configuration of a head that can run on a stream, row by row.
/// @throws Error for a head whose logits depend on every row it is given.
inline const TcnConfig& streamable(const FrameHeadConfig& c) {
  const auto* t = std::get_if<TcnConfig>(&c);
  TMOR_CHECK(t, "a ", describe(c),
             " sees its rows all at once and cannot tell them one by one as they come; ",
             "train a dilated head (tcn) to use a detector online");
  return *t;
}

/// Frame tokens (N, T, in) -> class logits (N, T, classes), by one of the heads.
template <class T = float, class Device = Cpu> struct FrameHead {
  using Net = std::variant<TcnHead<T, Device>, MstctHead<T, Device>>;
  Net net;

  FrameHead() = default;
  template <class M>
  requires std::is_constructible_v<Net, M&&> &&
      (!std::is_same_v<std::remove_cvref_t<M>, FrameHead>)FrameHead(M&& m)
      : net(std::forward<M>(m)) {}  // NOLINT(google-explicit-constructor): a head is a head
  FrameHead(Rng& rng, const FrameHeadConfig& c) {
    if (const auto* m = std::get_if<MstctConfig>(&c))
      net.template emplace<1>(rng, *m);
    else
      net.template emplace<0>(rng, std::get<0>(c));
  }
  static void visit(auto& self, auto&& v) { v.one_of(self.net); }

  FrameHeadConfig config() const {
    return std::visit([](const auto& m) -> FrameHeadConfig { return m.config; }, net);
  }
  /// The last layer.
  nn::Linear<T, Device>& out() {
    return std::visit([](auto& m) -> nn::Linear<T, Device>& { return m.out; }, net);
  }

  /// `mask` (N, T), 1 for rows of the sequence, 0 for padding. @throws ShapeError as the heads.
  Tensor<T, Device> operator()(const Tensor<T, Device>& x, const Context& ctx,
                               const Tensor<T, Device>& mask = {}) const {
    return std::visit([&](const auto& m) { return m(x, ctx, mask); }, net);
  }
};

}  // namespace models
TMOR_END
