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
  std::vector<std::string> classes;
  Tensor<> class_embeddings;  ///< (classes, embed), unit vectors
  io::Json input;             ///< how the program that trained it makes input from a clip

  static void visit(auto& self, auto&& v) {
    v.module("encoder", self.encoder);
    v.buffer("class_embeddings", self.class_embeddings);
  }
  /// Cosines of clips (N, M, T, V, C) with the classes, (N, classes).
  Tensor<> scores(const Tensor<>& x) const {
    NoGrad guard;
    return matmul(l2_normalize(encoder(x, Context{}).embed), transpose(class_embeddings));
  }
};

/// Writes the model atomically. @throws IoError
inline void save_skeleton_model(const std::string& path, const SkeletonModel& m) {
  save_checkpoint(path,
                  {{"format", "tmor skeleton model 1"},
                   {"encoder", to_json(m.encoder.config())},
                   {"classes", m.classes},
                   {"input", m.input}},
                  part("model", m));
}

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
  m.encoder = models::SkeletonEncoder<>(rng, config);
  for (const auto& c : io::json_at<io::Json>(state, "classes", path))
    m.classes.push_back(io::json_as<std::string>(c, path + ": classes"));
  TMOR_CHECK_IO(!m.classes.empty(), path, ": no classes");
  m.input = io::json_at<io::Json>(state, "input", path);
  m.class_embeddings = Tensor<>::zeros({static_cast<Index>(m.classes.size()), embed});
  load_checkpoint(path, part("model", m));
  return m;
}

}  // namespace train
TMOR_END
