/// Tri-modal pre-training: skeletons, videos and texts of the same clips are embedded into one space by
/// contrast. At inference the skeleton encoder works alone.
///
///     build/examples/pretrain --out runs/first
///     build/examples/pretrain --data synth penn:DIR@2 --layout penn13 --out runs/mixed --compare
///
/// Writes OUT/model.safetensors (all towers, for examples/evaluate and extract), OUT/skeleton.safetensors
/// (the skeleton encoder alone with its class names, for classify_clip and --init), metrics.json and
/// report.html.

#include <chrono>

#include "report.hpp"
#include "tmor/train/skeleton_model.hpp"
#include "training.hpp"

namespace pretrain {

/// The skeleton encoder alone, with the embeddings of the generator's actions.
void export_skeleton(const TriModel& m, const std::string& path) {
  if (!m.net.text) return;
  namespace synth = tmor::data::synth;
  tmor::train::save_skeleton_model(
      path,
      {m.net.skeleton, synth::action_names(),
       task::embed_prompts(m, task::range(0, synth::kActions), synth::prompts), task::to_json(m.input)});
}

/// A model of untrained towers for the mixture.
TriModel new_model(const Settings& o, const tmor::BpeTokenizer& bpe, bool video) {
  Rng rng(o.common.seed);
  auto config = model_config(o, bpe.vocab_size());
  if (!video) config.video.reset();
  return {tmor::models::TriModal<>(rng, config), bpe, o.input};
}

Json run(const Settings& o) {
  const std::string& out = o.common.out;
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  std::vector<task::Source> sources;
  for (const auto& spec : o.data) sources.push_back(task::make_source(spec, o.source));
  const task::Mixture data(std::move(sources));
  const auto bpe = tmor::BpeTokenizer::train(data.corpus(), o.vocab, 2);
  TriModel model = new_model(o, bpe, true);
  Json r{{"samples_an_epoch", data.size()},
         {"vocabulary", bpe.vocab_size()},
         {"parameters", tmor::parameter_count(model)},
         {"parameters_skeleton", tmor::parameter_count(model.net.skeleton)}};
  std::optional<task::EvalSet> set;
  if (!o.no_eval) set.emplace(task::make_eval_set(o.source, task::EvalSizes::of(o.eval_clips)));
  r["seconds_data"] = seconds();

  train_towers(model, data, o, out, [&] {
    if (o.eval_every == 0 || !set || !model.net.text) return Json::object();
    const auto figures = task::retrieval_section(model, task::encoder_on(o.common.device, model.net.skeleton),
                                                 o.common.device, *set, nullptr);
    return Json{{"s2t_r1", figures["s2t"]["r1"]}, {"t2s_r1", figures["t2s"]["r1"]}};
  });
  r["seconds_trained"] = seconds();
  if (!out.empty()) {
    task::save_model(out + "/model.safetensors", model);
    export_skeleton(model, out + "/skeleton.safetensors");
  }
  if (!set) return r;

  task::EvalDetails details;
  r.update(
      task::evaluate({"tri-modal", &model.net.skeleton, &model, o.input, o.common.device}, *set, &details));
  Json& others = r["comparisons"] = Json::object();
  others["nearest_neighbour"] = task::evaluate({"1-NN on coordinates", nullptr, nullptr, o.input}, *set);
  {
    const TriModel untrained = new_model(o, bpe, true);
    others["untrained"] =
        task::evaluate({"untrained", &untrained.net.skeleton, &untrained, o.input, o.common.device}, *set);
  }
  if (o.compare) {
    const auto folder = [&](const char* name) { return out.empty() ? out : out + "/" + name; };
    TriModel pair = new_model(o, bpe, false);
    train_towers(pair, data, o, folder("skeleton_text"), [] { return Json::object(); });
    others["skeleton_text"] =
        task::evaluate({"skeleton-text", &pair.net.skeleton, &pair, o.input, o.common.device}, *set);
    const auto supervised = train_supervised(task::make_source("synth", o.source), o,
                                             model.net.config.skeleton, folder("supervised"));
    others["supervised"] =
        task::evaluate({"supervised", &supervised, nullptr, o.input, o.common.device}, *set);
  }
  r["seconds"] = seconds();
  r["seed"] = o.common.seed;
  r["generator_version"] = tmor::data::synth::kVersion;
  if (!out.empty()) write_report(out, o, r, model, *set, details);
  return r;
}

}  // namespace pretrain

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program("Pre-trains a skeleton encoder by contrast with video and text.");
    pretrain::Settings o;
    o.input = {
        .frames = 32, .crop_low = 0.85, .rotate = 0.15, .scale = 0.15, .shear = 0.1, .joint_drop = 0.05};
    pretrain::add_options(program, o);
    program.parse(argc, argv);
    o.input.layout = o.source.layout;
    o.input.dims = o.source.dims;
    o.source.seed = o.common.seed;
    std::optional<tmor::train::RunDir> folder;
    if (!o.common.out.empty()) folder.emplace(o.common.out, o.common.start(), program.config());
    const auto result = pretrain::run(o);
    if (folder) folder->write_metrics(result);
    std::fprintf(stderr, "%s\n", result.dump(2).c_str());
    cli::print_result(result, o.common.json);
  });
}
