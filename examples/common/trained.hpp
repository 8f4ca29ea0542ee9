#pragma once
/// What programs train, besides what the library has, and the batches of it. Batches are made on the CPU.

#include <cmath>
#include <string>
#include <vector>

#include "common/batch.hpp"
#include "tmor/models/detection/head.hpp"
#include "tmor/models/skeleton/encoder.hpp"
#include "tmor/models/skeleton_text.hpp"
#include "tmor/models/tri_modal.hpp"

namespace task {

using tmor::Context;
using tmor::Cpu;
using tmor::Rng;

/// One batch of pre-training: what the model reads, and whose it is.
struct TriSamples {
  tmor::models::TriBatch<> batch;
  std::vector<std::string> ids;
};

/// Windows of long sequences with what is done in them.
struct WindowBatch {
  Batch input;
  Tensor<> y;            ///< (N, T, classes), 1 inside an action
  Tensor<bool> counted;  ///< the same shape: false outside the video
};

/// Encoder and head as they are trained together on windows.
template <class T = float, class Device = Cpu> struct WindowDetector {
  tmor::models::SkeletonEncoder<T, Device> encoder;
  tmor::models::FrameHead<T, Device> head;

  static void visit(auto& self, auto&& v) {
    v.module("encoder", self.encoder);
    v.module("head", self.head);
  }
  /// Logits (N, T', classes), in the parameters' type as clips are, whatever type the activations have.
  Tensor<tmor::param_t<T>, Device> operator()(const Tensor<tmor::param_t<T>, Device>& x,
                                              const Tensor<tmor::param_t<T>, Device>& present,
                                              const Context& ctx) const {
    return tmor::to<tmor::param_t<T>>(head(encoder(x, ctx, present).tokens, ctx));
  }
};

/// Clips with a caption for each, and another look at the clips where views are compared.
struct CaptionedBatch {
  Batch clips, again;
  tmor::models::TextBatch<> captions;
};

/// A skeleton and a text tower, and what compares two views of one clip (SimCLR, Chen et al. 2020): features
/// that tell the trained actions apart alone would drop what tells others apart.
template <class T = float, class Device = Cpu> struct CaptionTowers {
  tmor::models::SkeletonText<T, Device> pair;
  tmor::nn::Linear<T, Device> hidden, view;

  CaptionTowers() = default;
  CaptionTowers(Rng& rng, const tmor::models::UnikConfig& s, const tmor::models::CausalTextConfig& t,
                bool views)
      : pair(rng, s, t) {
    if (!views) return;
    hidden = tmor::nn::Linear<T, Device>(rng, pair.skeleton.config.width(), 256);
    view = tmor::nn::Linear<T, Device>(rng, 256, 128);
  }
  static void visit(auto& self, auto&& v) {
    v.module("pair", self.pair);
    v.module("hidden", self.hidden);
    v.module("view", self.view);
  }
  /// InfoNCE of views of the same clips, temperature 0.1.
  Tensor<tmor::param_t<T>, Device> view_loss(const Tensor<T, Device>& pooled,
                                             const Tensor<T, Device>& again) const {
    using P = tmor::param_t<T>;
    const auto of = [&](const Tensor<T, Device>& x) { return tmor::to<P>(view(tmor::relu(hidden(x)))); };
    return tmor::loss::info_nce(of(pooled), of(again), Tensor<P, Device>::full({}, std::log(10.f)));
  }
};

}  // namespace task
