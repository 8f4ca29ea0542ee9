#pragma once
/// Models of a few thousand numbers, and random batches for them.

#include <algorithm>
#include <vector>

#include "tmor/models/tri_modal.hpp"

namespace test {

using tmor::Index;
using tmor::Rng;
using tmor::Tensor;
namespace models = tmor::models;

inline models::UnikConfig tiny_unik(Index embed = 16) {
  models::UnikConfig c;
  c.joints = 4;
  c.in_channels = 2;
  c.heads = 2;
  c.taps = 3;
  c.embed = embed;
  c.stages = {{8}, {16, 2}};
  return c;
}
inline models::VideoConfig tiny_video(Index embed = 16) {
  models::VideoConfig c;
  c.frames = 3;
  c.height = 8;
  c.width = 4;
  c.patch = 4;
  c.dim = 16;
  c.depth = 1;
  c.heads = 2;
  c.embed = embed;
  return c;
}
inline models::CausalTextConfig tiny_text(Index embed = 16) {
  return {.vocab = 20, .context = 6, .width = 16, .depth = 1, .heads = 2, .embed = embed};
}
inline models::TriModalConfig tiny_tri_modal() {
  models::TriModalConfig c;
  c.skeleton = tiny_unik();
  c.video = tiny_video();
  c.text = tiny_text();
  c.loss.frame = 0.5;
  c.loss.frame_dim = 8;
  return c;
}
/// Random skeletons of 8 frames, videos of 3 and texts of 4 tokens.
template <class T = float> models::TriBatch<T> random_triplets(Rng& rng, Index n) {
  models::TriBatch<T> b;
  b.skeleton = tmor::normal<T>(rng, {n, 1, 8, 4, 2});
  b.frames = tmor::normal<T>(rng, {n, 3, 8, 4, 3});
  std::vector<Index> ids;
  for (Index i = 0; i < n * 4; ++i) ids.push_back(rng.uniform_int(20));
  b.text = {Tensor<Index>::from(ids, {n, 4}), Tensor<Index>::full({n}, 3)};
  return b;
}

}  // namespace test
