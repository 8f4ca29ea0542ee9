#include "common/training.hpp"

#include <chrono>
#include <optional>

#include "common/device.hpp"

namespace task {

void add_options(cli::Program& p, Training& o, const std::string& data,
                 const std::vector<std::string>& more_modes) {
  p.option("--data", o.data, data).required();
  p.option("--protocol", o.protocol,
           "name of a file in examples/protocols without .json, or a path: sides, classes, what is compared");
  p.choice("--measure", o.measure, {"test", "validation"},
           "what is measured; the validation part is then left out of training, and the test side not read");
  std::vector<std::string> modes{"supervised", "linear", "fewshot", "zeroshot"};
  modes.insert(modes.end(), more_modes.begin(), more_modes.end());
  p.choice(
      "--mode", o.mode, modes,
      "train with labels (from --init: fine-tune), or measure the frozen encoder of --init: linear probe, "
      "few-shot, zero-shot by prompts");
  p.option("--captions", o.captions, "JSON file of prompts of the classes (zero-shot)");
  p.option("--seeds", o.seeds, "runs, from --seed on; more than one: mean and deviation beside each figure")
      .check(cli::in_range<Index>(1, 1000));
  p.option("--score", o.score,
           "measure the predictions of this file (.gz too) under the protocol, without a model");
  p.option("--export", o.export_to,
           "write the clips, as read, into this folder in the form that `clips` trains on, and stop");
  p.flag("--allow-missing", o.allow_missing,
         "go on without the clips that have no poses (with --score: no scores): listed and counted");
  p.option("--store", o.store, "frames of a clip that are kept at most, longer ones resampled; 0: all")
      .check(cli::at_least<Index>(0));
  p.choice("--size", o.size, {"tiny", "small", "base"}, "width of the encoder");
  p.option(
      "--init", o.init,
      "pre-trained model: the folder of a run of pretrain, its model.safetensors or skeleton.safetensors; "
      "its size, joints, streams and frames hold");
  p.flag("--scratch", o.scratch, "take size, streams and frames of --init, but no weights: what it is worth");
  p.option("--part", o.part,
           "train on this part of each class's training clips, drawn by --seed (supervised)")
      .check(cli::in_range(0.001, 1.0));
  p.option("--batch", o.batch, "clips a step").check(cli::at_least<Index>(2));
  p.option("--lr", o.lr, "highest learning rate").check(cli::at_least(0.0));
  p.option("--weight-decay", o.weight_decay, "AdamW's").check(cli::at_least(0.0));
  p.option("--dropout", o.dropout, "of frame tokens").check(cli::in_range(0.0, 0.95));
  p.option("--label-smoothing", o.label_smoothing, "supervised only").check(cli::in_range(0.0, 0.9));
  p.option("--ema", o.ema, "decay of the averaged parameters that are tested; 0: none")
      .check(cli::in_range(0.0, 0.99999));
  p.option("--clip", o.clip, "bound on the norm of the gradient; 0: none").check(cli::at_least(0.0));
  p.option("--frames", o.input.frames, "frames of a clip after resampling")
      .check(cli::in_range<Index>(4, 1024));
  p.option("--crop", o.input.crop_low, "shortest part of a clip seen in training")
      .check(cli::in_range(0.05, 1.0));
  p.option("--rotate", o.input.rotate, "radians at most, training").check(cli::at_least(0.0));
  p.option("--scale", o.input.scale, "change of size at most, training").check(cli::in_range(0.0, 0.9));
  p.option("--shear", o.input.shear, "at most, training").check(cli::at_least(0.0));
  p.option("--noise", o.input.noise, "of coordinates, training").check(cli::at_least(0.0));
  p.option("--mirror", o.input.mirror,
           "probability, training; 0, for classes that say left and right, keeps test views unmirrored too")
      .check(cli::in_range(0.0, 1.0));
  p.option("--joint-drop", o.input.joint_drop, "probability, training").check(cli::in_range(0.0, 0.9));
  p.choice("--stream", o.stream, {"joint", "bone", "motion", "early", "ensemble"},
           "input: one stream, all three in one network, or a network for each with their probabilities "
           "averaged; with --init the pre-trained one is among them, at a third of --lr (supervised)");
  p.option("--holdout", o.holdout, "measure on this part of the training clips instead of the test side")
      .check(cli::in_range(0.0, 0.5));
  p.option("--validate-every", o.validate_every, "epochs").check(cli::at_least<Index>(1));
  p.option("--predictions", o.predictions,
           "write a line a test clip: its id and the score of each class (not few-shot)");
  o.common.gpu = check_gpu;
  p.add(o.common);
}

void run_and_report(const cli::Program& program, const Training& o,
                    const std::function<tmor::io::Json()>& body) {
  const auto start = std::chrono::steady_clock::now();
  std::optional<tmor::train::RunDir> run;
  if (!o.common.out.empty()) run.emplace(o.common.out, o.common.start(), program.config());
  tmor::io::Json result = body();
  result["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (run) run->write_metrics(result);
  std::fprintf(stderr, "%s\n", result.dump(2).c_str());
  cli::print_result(result, o.common.json);
}

}  // namespace task
