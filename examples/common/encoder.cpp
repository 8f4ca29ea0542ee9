#include "common/encoder.hpp"

namespace task {

tmor::models::UnikConfig encoder_config(const std::string& size, Index joints, Index coordinates,
                                        const InputOptions& in, Index embed, double dropout) {
  tmor::models::UnikConfig c;
  c.joints = joints;
  c.in_channels = in.streams.channels(coordinates);
  c.embed = embed;
  c.dropout = dropout;
  const Index w = size == "tiny" ? 16 : size == "small" ? 32 : 48;
  c.stages = {{w}, {w}, {w}, {2 * w, 2}, {2 * w}, {4 * w, 2}, {4 * w}};
  return c;
}

std::vector<std::pair<std::string, tmor::Streams>> streams_of(const std::string& name) {
  const std::vector<std::pair<std::string, tmor::Streams>> all{{"joint", {.bone = false, .motion = false}},
                                                               {"bone", {.joint = false, .motion = false}},
                                                               {"motion", {.joint = false, .bone = false}}};
  if (name == "early") return {{name, {.known = true}}};
  if (name == "ensemble") return all;
  for (const auto& s : all)
    if (s.first == name) return {s};
  tmor::detail::fail<tmor::Error>("no stream is named '", name, "'");
}

Tensor<> over_views(const std::vector<const Clip*>& clips, const std::vector<View>& views,
                    const InputOptions& in, const std::function<Tensor<>(const Batch&)>& f) {
  tmor::NoGrad guard;
  constexpr std::size_t at_once = 64;
  std::vector<Tensor<>> rows;
  for (std::size_t begin = 0; begin < clips.size(); begin += at_once) {
    const std::size_t end = std::min(clips.size(), begin + at_once);
    Tensor<> sum;
    for (const View& view : views) {
      const Tensor<> y = f(view_batch(clips, begin, end, view, in));
      sum = sum.defined() ? sum + y : y;
    }
    rows.push_back(sum * (1.0 / static_cast<double>(views.size())));
  }
  return tmor::concat(rows, 0);
}

std::vector<Index> labels_of(const std::vector<const Clip*>& clips) {
  std::vector<Index> y;
  for (const Clip* c : clips) y.push_back(c->label);
  return y;
}

Tensor<> coordinate_features(const std::vector<const Clip*>& clips) {
  InputOptions in;
  in.frames = 32;
  in.streams = {.bone = false, .motion = false};
  return over_views(clips, {View{}}, in, [](const Batch& b) { return tmor::flatten(b.x, 1, -1); });
}

}  // namespace task
