#pragma once
/// @file skeleton_model.hpp
/// The skeleton-only export of a trained model: encoder, how its input is made, and the embeddings of named
/// classes. One safetensors file; no text tower is needed to use it.

#include "tmor/ops/norm.hpp"
#include "tmor/train/checkpoint.hpp"
#include "tmor/train/model_config.hpp"

TMOR_BEGIN
namespace train {

/// A skeleton encoder that can name actions.
struct SkeletonModel {
  models::SkeletonEncoder<> encoder;
  std::vector<std::string> classes;  ///< may be none: an encoder alone
  Tensor<> class_embeddings;         ///< (classes, embed), unit vectors
  io::Json input;                    ///< how the program that trained it makes input from a clip

  static void visit(auto& self, auto&& v) {
    v.module("encoder", self.encoder);
    v.buffer("class_embeddings", self.class_embeddings);
  }
  /// Unit vectors (N, embed) of clips (N, M, T, V, C); `present` (N, M) or undefined.
  Tensor<> embed(const Tensor<>& x, const Tensor<>& present = {}) const {
    NoGrad guard;
    return l2_normalize(encoder(x, Context{}, present).embed);
  }
  /// Cosines of clips with the classes, (N, classes). @throws Error when there are none.
  Tensor<> scores(const Tensor<>& x, const Tensor<>& present = {}) const {
    TMOR_CHECK(!classes.empty(), "[SkeletonModel] exported without classes: embed their texts first");
    NoGrad guard;
    return matmul(embed(x, present), transpose(class_embeddings));
  }
};

/// The skeleton tower of a tri-modal model, which is all that inference needs; tensors are shared.
/// `class_embeddings` (classes, embed) are unit vectors, as `TriModal::embed_texts` makes them.
inline SkeletonModel skeleton_only(const models::TriModal<>& m, std::vector<std::string> classes = {},
                                   const Tensor<>& class_embeddings = {}, io::Json input = {}) {
  const Index n = std::ssize(classes), embed = models::embed_of(m.config.skeleton);
  const auto named = class_embeddings.defined() ? class_embeddings : Tensor<>::zeros({0, embed});
  TMOR_CHECK_SHAPE(named.shape() == (Shape{n, embed}), "[skeleton_only] embeddings ", named.shape(), " of ",
                   n, " classes; expected ", Shape{n, embed});
  return {m.skeleton, std::move(classes), named, std::move(input)};
}

/// Writes the model atomically. @throws IoError
inline void save_skeleton_model(const std::string& path, const SkeletonModel& m) {
  save_checkpoint(path,
                  {{"format", "tmor skeleton model 1"},
                   {"encoder", to_json(m.encoder.config())},
                   {"classes", m.classes},
                   {"input", m.input}},
                  part("model", m));
}

namespace detail {

/// Numbers that an encoder of this description has at least: a file must hold them before memory is taken.
inline Index least_parameters(const models::SkeletonConfig& c) {
  return std::visit(
      [](const auto& x) {
        Index n = x.joints * x.in_channels + x.width() * x.embed;
        if constexpr (requires { x.stages; }) {
          Index in = x.in_channels;
          for (const auto& s : x.stages) {
            const Index mixing = x.joints * x.joints + in * s.channels;
            if constexpr (requires { x.taps; }) {
              n += x.heads * mixing + x.taps * s.channels * s.channels;
            } else {
              n += 3 * mixing;
            }
            in = s.channels;
          }
        } else {
          n += x.depth * 32 * x.dim * x.dim;
        }
        return n;
      },
      c);
}

}  // namespace detail

/// @throws IoError for a file that cannot be read, is damaged or is no such export; Error where its tensors
/// do not fit.
inline SkeletonModel load_skeleton_model(const std::string& path) {
  const io::Json state = read_state(path);
  TMOR_CHECK_IO(io::json_at<std::string>(state, "format", path) == "tmor skeleton model 1", path,
                ": no skeleton model of this version");
  SkeletonModel m;
  Rng rng(0);
  const auto config =
      from_json<models::SkeletonConfig>(io::json_at<io::Json>(state, "encoder", path), path + ": encoder");
  const Index embed = models::embed_of(config);
  TMOR_CHECK_IO(embed > 0, path, ": the encoder has no embedding");
  Index held = 0;
  const io::SafeTensors file(path);
  for (const auto& [name, info] : file.tensors()) held += info.shape.numel();
  TMOR_CHECK_IO(detail::least_parameters(config) <= held, path, ": encoder: described with at least ",
                detail::least_parameters(config), " numbers, but the file holds ", held);
  m.encoder = models::SkeletonEncoder<>(rng, config);
  for (const auto& c : io::json_at<io::Json>(state, "classes", path))
    m.classes.push_back(io::json_as<std::string>(c, path + ": classes"));
  m.input = io::json_at<io::Json>(state, "input", path);
  m.class_embeddings = Tensor<>::zeros({static_cast<Index>(m.classes.size()), embed});
  load_checkpoint(path, part("model", m));
  return m;
}

}  // namespace train
TMOR_END
