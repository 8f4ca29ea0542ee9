#include "common/detector_file.hpp"

#include "tmor/train/checkpoint.hpp"
#include "tmor/train/model_config.hpp"

namespace task {

tmor::io::Json to_json(const tmor::models::FrameHeadConfig& config) {
  tmor::io::Json j{{"kind", tmor::models::name_of(config)}};
  std::visit(
      [&](const auto& c) {
        j.update({{"in", c.in}, {"classes", c.classes}, {"width", c.width}, {"taps", c.taps}});
        if constexpr (requires { c.layers; })
          j.update({{"layers", c.layers}, {"causal", c.causal}});
        else
          j.update({{"stages", c.stages}, {"blocks", c.blocks}, {"heads", c.heads}, {"span", c.span}});
      },
      config);
  return j;
}

tmor::models::FrameHeadConfig head_from_json(const tmor::io::Json& head, const std::string& where) {
  using tmor::io::json_at;
  const auto number = [&](const char* key, Index low, Index high) {
    const auto v = json_at<Index>(head, key, where);
    TMOR_CHECK_IO(v >= low && v <= high, where, ": ", key, " is ", v, ", want ", low, " to ", high);
    return v;
  };
  const auto kind = head.contains("kind") ? json_at<std::string>(head, "kind", where) : "tcn";
  TMOR_CHECK_IO(kind == "tcn" || kind == "mstct", where, ": '", kind.substr(0, 40),
                "', want 'tcn' or 'mstct'");
  const Index in = number("in", 1, 4096), classes = number("classes", 1, 4096),
              width = number("width", 1, 4096), taps = number("taps", 1, 15);
  if (kind == "tcn")
    return tmor::models::TcnConfig{.in = in,
                                   .classes = classes,
                                   .width = width,
                                   .layers = number("layers", 0, 12),
                                   .taps = taps,
                                   .causal = json_at<bool>(head, "causal", where)};
  return tmor::models::MstctConfig{.in = in,
                                   .classes = classes,
                                   .width = width,
                                   .stages = number("stages", 1, 8),
                                   .blocks = number("blocks", 1, 12),
                                   .heads = number("heads", 1, 64),
                                   .taps = taps,
                                   .span = number("span", 1, 1 << 20)};
}

void save_detector(const std::string& path, const Detector& d, const std::vector<std::string>& classes,
                   const DetectionSettings& o) {
  tmor::train::save_checkpoint(path,
                               {{"format", "tmor frame detector 1"},
                                {"encoder", tmor::train::to_json(d.encoder.config())},
                                {"head", to_json(d.head.head.config())},
                                {"classes", classes},
                                {"input", to_json(o.input)},
                                {"normalise", o.normalise},
                                {"steps_per_second", o.steps_per_second},
                                {"hop", o.hop},
                                {"ahead", o.ahead}},
                               tmor::train::part("", d));
}

DetectorFile load_detector(const std::string& path) {
  using tmor::io::json_at;
  const auto state = tmor::train::read_state(path);
  TMOR_CHECK_IO(json_at<std::string>(state, "format", path) == "tmor frame detector 1", path,
                ": no frame detector of this version");
  DetectorFile f;
  Rng rng(0);
  f.detector.encoder = tmor::models::SkeletonEncoder<>(
      rng, tmor::train::from_json<tmor::models::SkeletonConfig>(
               json_at<tmor::io::Json>(state, "encoder", path), path + ": encoder"));
  const auto head = json_at<tmor::io::Json>(state, "head", path);
  f.detector.head =
      tmor::eval::DetectionModel(tmor::models::FrameHead<>(rng, head_from_json(head, path + ": head")));
  for (const auto& c : json_at<tmor::io::Json>(state, "classes", path))
    f.classes.push_back(tmor::io::json_as<std::string>(c, path + ": classes"));
  f.settings.input = input_from_json(json_at<tmor::io::Json>(state, "input", path), path + ": input");
  f.settings.normalise = json_at<std::string>(state, "normalise", path);
  f.settings.steps_per_second = json_at<double>(state, "steps_per_second", path);
  f.settings.hop = json_at<Index>(state, "hop", path);
  f.settings.ahead = json_at<Index>(state, "ahead", path);
  tmor::train::load_checkpoint(path, tmor::train::part("", f.detector));
  return f;
}

}  // namespace task
