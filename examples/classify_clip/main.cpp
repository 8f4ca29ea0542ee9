/// Names the action of one skeleton clip with an exported skeleton-only model.
///
///     build/examples/classify_clip --clip poses.json
///     build/examples/classify_clip --model runs/first/skeleton.safetensors --clip labels/0001.mat --classes
///     squat jump
///
/// A clip is a label file of Penn Action (.mat), or 2-D poses as estimators write them (COCO, AlphaPose,
/// OpenPose, LCR-Net, landmarks a frame: .json, or OpenPose's folder). Models are written by pretrain and by
/// penn_action --mode contrastive.

#include <numeric>

#include "common/cli.hpp"
#include "common/clips.hpp"
#include "tmor/data/penn_action.hpp"
#include "tmor/data/pose_json.hpp"
#include "tmor/train/skeleton_model.hpp"

using tmor::Index;

/// The first person of a file of poses.
static tmor::SkeletonSequence read_clip(const std::string& path) {
  if (path.ends_with(".mat")) return tmor::data::read_penn_clip(path).sequence();
  return tmor::data::read_pose_json(path, {.threshold = 0.05f});
}

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program("Names the action of one skeleton clip.");
    cli::Common common;
    std::string model_path = TMOR_EXAMPLES "/models/tiny.safetensors", clip_path;
    std::vector<std::string> classes;
    program.option("--model", model_path, "skeleton.safetensors of a run");
    program.option("--clip", clip_path, "label file of Penn Action (.mat), or poses as JSON").required();
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
    const task::Clip clip{clip_path, task::prepare(read_clip(clip_path), input), 0, false};
    const auto batch = task::view_batch({&clip}, 0, 1, task::View{}, input);
    const auto scores = model.scores(batch.x, batch.present).to_vector();
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
