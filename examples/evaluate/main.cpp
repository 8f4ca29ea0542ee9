/// Every protocol on a pre-trained model, skeletons alone at the input: linear probe, few-shot, zero-shot,
/// retrieval, detection.
///
///     build/examples/evaluate --model runs/first/model.safetensors --json

#include "common/evaluation.hpp"

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program(
        "Evaluates a model that examples/pretrain wrote, on generated clips it has never seen.");
    cli::Common common;
    std::string path, out;
    task::SourceOptions source;
    tmor::Index clips = 800;
    program.option("--model", path, "model.safetensors of a run").required();
    program
        .option("--eval-clips", clips, "generated clips that test trained actions; other tests in proportion")
        .check(cli::at_least<tmor::Index>(60));
    program.option("--metrics", out, "also write the result to this JSON file");
    common.gpu = task::check_gpu;
    program.add(common, false);
    program.parse(argc, argv);

    const auto model = task::load_model(path);
    source.seed = common.seed;
    source.layout = model.input.layout;
    source.dims = model.input.dims;
    if (const auto& video = model.net.config.video) {
      source.video_frames = video->frames;
      source.side = video->height;
    } else {
      source.video_frames = 0;
    }
    const auto set = task::make_eval_set(source, task::EvalSizes::of(clips));
    auto result = task::evaluate({"model", &model.net.skeleton, &model, model.input, common.device}, set);
    result["model"] = path;
    result["seed"] = common.seed;
    result["generator_version"] = tmor::data::synth::kVersion;
    if (!out.empty()) tmor::io::write_json(out, result);
    std::fprintf(stderr, "%s\n", result.dump(2).c_str());
    cli::print_result(result, common.json);
  });
}
