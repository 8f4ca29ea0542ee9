/// Names the action of one skeleton clip with an exported skeleton-only model.
///
///     build/examples/classify_clip --model run/split0-seed0/skeleton.safetensors --clip labels/0001.mat
///     build/examples/classify_clip --model ... --clip ... --classes squat pullup situp
///
/// The model is written by penn_action --mode contrastive --out run; the clip is one label file of Penn
/// Action.

#include <numeric>

#include "common/cli.hpp"
#include "penn_action/clips.hpp"
#include "tmor/train/skeleton_model.hpp"

using tmor::Index;

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program("Names the action of one skeleton clip.");
    cli::Common common;
    std::string model_path, clip_path;
    std::vector<std::string> classes;
    program.option("--model", model_path, "skeleton.safetensors of a run")->required();
    program.option("--clip", clip_path, "label file (.mat) of a clip")->required();
    program.option("--classes", classes, "names to choose from; none: all the model has");
    program.add(common, false);
    program.parse(argc, argv);

    const auto model = tmor::train::load_skeleton_model(model_path);
    if (classes.empty()) classes = model.classes;
    std::vector<std::size_t> of;
    for (const auto& name : classes) {
      const auto at = std::find(model.classes.begin(), model.classes.end(), name);
      if (at == model.classes.end())
        throw cli::UsageError("--classes: the model does not know '" + name + "'; did you mean '" +
                              tmor::nearest_name(name, model.classes) + "'?");
      of.push_back(static_cast<std::size_t>(at - model.classes.begin()));
    }

    const auto input = task::input_from_json(model.input, model_path + ": input");
    const task::Clip clip{
        clip_path, task::prepare(tmor::data::read_penn_clip(clip_path).sequence(), input.layout), 0, false};
    const auto batch = task::view_batch({&clip}, 0, 1, task::View{}, input);
    const auto scores = model.scores(batch.x).to_vector();
    std::sort(of.begin(), of.end(), [&](std::size_t a, std::size_t b) {
      return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
    });

    cli::Json ranking = cli::Json::array();
    for (const std::size_t c : of) {
      ranking.push_back({{"class", model.classes[c]}, {"cosine", scores[c]}});
      if (!common.json) std::printf("%6.3f  %s\n", static_cast<double>(scores[c]), model.classes[c].c_str());
    }
    cli::print_result({{"clip", clip_path}, {"class", model.classes[of.front()]}, {"ranking", ranking}},
                      common.json);
  });
}
