#include "common/pretrained.hpp"

#include "tmor/train/skeleton_model.hpp"

namespace task {

Pretrained load_pretrained(const std::string& given) {
  std::string path = given;
  if (tmor::io::exists(given) && tmor::io::file_info(given).is_directory) {
    path = given + "/model.safetensors";
    if (!tmor::io::exists(path)) path = given + "/skeleton.safetensors";
  }
  const auto format = tmor::io::json_at<std::string>(tmor::train::read_state(path), "format", path);
  Pretrained p;
  if (format == "tmor tri-modal model 1") {
    p.towers = load_model(path);
    p.encoder = p.towers->net.skeleton;
    p.input = p.towers->input;
  } else {
    auto m = tmor::train::load_skeleton_model(path);
    p.input = input_from_json(m.input, path + ": input");
    p.encoder = std::move(m.encoder);
  }
  const auto config = p.encoder.config();
  const auto channels = tmor::models::channels_of(config);
  TMOR_CHECK_IO(tmor::models::joints_of(config) == tmor::joint_layout(p.input.layout)->size() &&
                    channels == p.input.streams.channels(p.input.dims),
                path, ": an encoder of ", tmor::models::joints_of(config), " joints and ", channels,
                " channels does not fit its own input options (layout ", p.input.layout, ", ", p.input.dims,
                "-D)");
  return p;
}

InputOptions fine_tuning_input(InputOptions program, const InputOptions& model) {
  program.frames = model.frames;
  program.streams = model.streams;
  program.layout = model.layout;
  program.dims = model.dims;
  return program;
}

tmor::SkeletonSequence seen_in_image(const tmor::SkeletonSequence& s) {
  auto out = tmor::SkeletonSequence::make(s.layout, s.persons, s.frames, 2);
  out.fps = s.fps;
  out.valid = s.valid;
  const bool up = s.layout->name == "kinect20" || s.layout->name == "ntu25";
  for (std::size_t i = 0; i < s.valid.size(); ++i) {
    out.xyz[2 * i] = s.xyz[3 * i];
    out.xyz[2 * i + 1] = up ? -s.xyz[3 * i + 1] : s.xyz[3 * i + 1];
  }
  return out;
}

Prepare prepare_for(const Pretrained& p) {
  return [in = p.input](tmor::SkeletonSequence s) {
    TMOR_CHECK(in.dims <= s.channels, "--init: the encoder reads 3-D joints, these clips are 2-D");
    return prepare(in.dims < s.channels ? seen_in_image(s) : s, in);
  };
}

}  // namespace task
