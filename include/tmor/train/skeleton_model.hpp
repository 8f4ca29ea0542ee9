#pragma once
/// @file skeleton_model.hpp
/// The skeleton-only export of a trained pair: encoder, how its input is made, and the embeddings of named
/// classes. One safetensors file; no text tower is needed to use it.

#include "tmor/models/skeleton/unik.hpp"
#include "tmor/ops/norm.hpp"
#include "tmor/train/checkpoint.hpp"

TMOR_BEGIN
namespace train {

/// What a `models::Unik` is built from, as JSON.
inline io::Json to_json(const models::UnikConfig& c) {
  io::Json stages = io::Json::array();
  for (const auto& s : c.stages) stages.push_back({{"channels", s.channels}, {"stride", s.stride}});
  return {{"joints", c.joints},       {"in_channels", c.in_channels}, {"heads", c.heads}, {"taps", c.taps},
          {"attention", c.attention}, {"dropout", c.dropout},         {"embed", c.embed}, {"stages", stages}};
}
/// @throws IoError naming `where` for a missing or absurd entry.
inline models::UnikConfig unik_config_from_json(const io::Json& j, const std::string& where) {
  models::UnikConfig c;
  auto size = [&](const io::Json& from, const char* key, Index low, Index high) {
    const auto v = io::json_at<Index>(from, key, where);
    TMOR_CHECK_IO(v >= low && v <= high, where, ": ", key, " is ", v, ", want ", low, " to ", high);
    return v;
  };
  c.joints = size(j, "joints", 1, 1024);
  c.in_channels = size(j, "in_channels", 1, 64);
  c.heads = size(j, "heads", 1, 64);
  c.taps = size(j, "taps", 1, 255);
  c.embed = size(j, "embed", 0, 1 << 16);
  c.attention = io::json_at<bool>(j, "attention", where);
  c.dropout = io::json_at<double>(j, "dropout", where);
  c.stages.clear();
  for (const auto& s : io::json_at<io::Json>(j, "stages", where))
    c.stages.push_back({size(s, "channels", 1, 1 << 16), size(s, "stride", 1, 64)});
  TMOR_CHECK_IO(!c.stages.empty() && c.stages.size() <= 256, where, ": ", c.stages.size(),
                " stages, want 1 to 256");
  return c;
}

/// A skeleton encoder that can name actions.
struct SkeletonModel {
  models::Unik<> encoder;
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
                   {"encoder", to_json(m.encoder.config)},
                   {"classes", m.classes},
                   {"input", m.input}},
                  part("model", m));
}

/// @throws IoError for a file that cannot be read, is damaged or is no such export; Error where its tensors
/// do not fit.
inline SkeletonModel load_skeleton_model(const std::string& path) {
  const io::SafeTensors file(path);
  const auto text = file.metadata().find(detail::kStateKey);
  TMOR_CHECK_IO(text != file.metadata().end(), path, ": no skeleton model (its description is missing)");
  const io::Json state = io::parse_json(text->second, path);
  TMOR_CHECK_IO(io::json_at<std::string>(state, "format", path) == "tmor skeleton model 1", path,
                ": no skeleton model of this version");
  SkeletonModel m;
  Rng rng(0);
  const auto config =
      unik_config_from_json(io::json_at<io::Json>(state, "encoder", path), path + ": encoder");
  TMOR_CHECK_IO(config.embed > 0, path, ": the encoder has no embedding");
  m.encoder = models::Unik<>(rng, config);
  for (const auto& c : io::json_at<io::Json>(state, "classes", path))
    m.classes.push_back(io::json_as<std::string>(c, path + ": classes"));
  TMOR_CHECK_IO(!m.classes.empty(), path, ": no classes");
  m.input = io::json_at<io::Json>(state, "input", path);
  m.class_embeddings = Tensor<>::zeros({static_cast<Index>(m.classes.size()), config.embed});
  load_checkpoint(path, part("model", m));
  return m;
}

}  // namespace train
TMOR_END
