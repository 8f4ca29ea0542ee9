#pragma once
/// The options of pre-training, and the sizes of models by name.

#include <string>
#include <vector>

#include "common/cli.hpp"
#include "common/clips.hpp"
#include "common/device.hpp"
#include "common/eval_set.hpp"
#include "tmor/io/json.hpp"
#include "tmor/train/model_config.hpp"

namespace pretrain {

using tmor::Index;

struct Settings {
  cli::Common common;
  std::vector<std::string> data = {"synth"};
  std::string size = "tiny", encoder = "unik", model, contrast = "info_nce";
  task::SourceOptions source;
  Index batch = 64, chunk = 0, features = 0, eval_every = 0, vocab = 1000;
  double lr = 2e-3, weight_decay = 0.05, clip = 1, ema = 0.998, frame = 0.2, video_text = 0.5;
  bool compare = false, no_eval = false;
  task::InputOptions input;
  Index eval_clips = 800;
};

inline void add_options(cli::Program& p, Settings& o) {
  p.option(
      "--data", o.data,
      "sources, several make a mixture: synth, shards:PATH or penn:DIR, @SHARE behind for passes an epoch");
  p.choice("--size", o.size, {"tiny", "small", "base"}, "of all towers");
  p.choice("--encoder", o.encoder, {"unik", "stgcn++", "ctrgcn", "dstformer"},
           "of skeletons; others in their own sizes");
  p.option("--model", o.model, "JSON file of model settings that differ from --size");
  p.option("--layout", o.source.layout, "joints that the encoder reads");
  p.option("--dims", o.source.dims, "coordinates of generated joints: 2, pixels, or 3, metres")
      .check(cli::in_range<Index>(2, 3));
  p.option("--frames", o.input.frames, "frames of a skeleton clip after resampling")
      .check(cli::in_range<Index>(8, 1024));
  p.option("--synth-clips", o.source.synth_clips, "size of the generated set").check(cli::at_least<Index>(1));
  p.option("--video-frames", o.source.video_frames, "of a video; 0: no video tower")
      .check(cli::in_range<Index>(0, 64));
  p.option("--side", o.source.side, "of a video frame, pixels").check(cli::in_range<Index>(8, 1024));
  p.option(
       "--video-features", o.features,
       "numbers of a stored frame feature (.features.npy of shards) that the video tower reads instead of "
       "pixels; 0: pixels")
      .check(cli::in_range<Index>(0, 65536));
  p.option("--batch", o.batch, "samples a step").check(cli::at_least<Index>(2));
  p.option("--chunk", o.chunk,
           "samples that the towers see at once (GradCache): a larger batch in the memory of this; 0: all")
      .check(cli::at_least<Index>(0));
  p.option("--lr", o.lr, "highest learning rate").check(cli::at_least(0.0));
  p.option("--weight-decay", o.weight_decay, "AdamW's").check(cli::at_least(0.0));
  p.option("--clip", o.clip, "bound on the norm of the gradient; 0: none").check(cli::at_least(0.0));
  p.option("--ema", o.ema, "decay of the averaged parameters that are saved and measured; 0: none")
      .check(cli::in_range(0.0, 0.99999));
  p.choice("--contrast", o.contrast, {"info_nce", "siglip"}, "how towers are compared");
  p.option("--frame-weight", o.frame, "of the frame-level term").check(cli::at_least(0.0));
  p.option("--video-text-weight", o.video_text, "of video against text").check(cli::at_least(0.0));
  p.option("--vocab", o.vocab, "tokens of the tokenizer at most").check(cli::in_range<Index>(259, 65536));
  p.option("--max-bad", o.source.max_bad, "bad samples of shards that may be passed over")
      .check(cli::at_least<Index>(0));
  p.option("--eval-every", o.eval_every,
           "epochs between looks at retrieval on unseen bodies; 0: only at the end")
      .check(cli::at_least<Index>(0));
  p.option("--penn-captions", o.source.penn_captions, "captions.json of Penn Action");
  p.option("--eval-clips", o.eval_clips,
           "generated clips that test trained actions; other tests in proportion")
      .check(cli::at_least<Index>(60));
  p.flag("--compare", o.compare,
         "also train the models to compare with: skeletons and text alone, and labels");
  p.flag("--no-eval", o.no_eval, "train and save only");
  o.common.epochs = 12;
  o.common.gpu = task::check_gpu;
  p.add(o.common);
}

/// The towers of a size. `vocab` 0: no text tower; the encoder reads `in` its joints.
inline tmor::models::TriModalConfig model_config(const Settings& o, Index vocab) {
  const Index step = o.size == "tiny" ? 1 : o.size == "small" ? 2 : 4, w = 24 * step, embed = 128 * step;
  tmor::models::UnikConfig s;
  s.joints = tmor::joint_layout(o.source.layout)->size();
  s.in_channels = o.input.streams.channels(o.source.dims);
  s.embed = embed;
  s.stages = {{w}, {w}, {2 * w, 2}, {2 * w}, {4 * w, 2}, {4 * w}};
  tmor::models::TriModalConfig c;
  c.skeleton = s;
  const auto& names = tmor::models::kSkeletonEncoders;
  tmor::models::choose(c.skeleton,
                       std::find(std::begin(names), std::end(names), o.encoder) - std::begin(names));
  std::visit(
      [&](auto& x) {
        x.in_channels = s.in_channels;
        x.embed = embed;
      },
      c.skeleton);
  tmor::models::set_layout(c.skeleton, *tmor::joint_layout(o.source.layout));
  if (o.source.video_frames > 0) {
    tmor::models::VideoConfig v;
    v.frames = o.source.video_frames;
    v.height = v.width = o.source.side;
    v.patch = o.features > 0 ? 0 : o.source.side % 12 == 0 ? 12 : 8;
    v.features = o.features;
    v.dim = 96 * step;
    v.depth = 2 * step;
    v.heads = 4;
    v.embed = embed;
    c.video = v;
  }
  tmor::models::CausalTextConfig t;
  t.vocab = vocab;
  t.context = 40;
  t.width = 96 * step;
  t.depth = 2 * step;
  t.heads = 4;
  t.embed = embed;
  c.text = t;
  c.loss.contrast =
      o.contrast == "siglip" ? tmor::models::Contrast::siglip : tmor::models::Contrast::info_nce;
  c.loss.frame = o.source.video_frames > 0 ? o.frame : 0;
  c.loss.video_text = o.video_text;
  if (!o.model.empty())
    c = tmor::train::from_json<tmor::models::TriModalConfig>(tmor::io::read_json(o.model), o.model, c);
  return c;
}

}  // namespace pretrain
