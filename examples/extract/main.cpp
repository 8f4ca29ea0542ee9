/// Embeddings and frame tokens of skeleton clips by a pre-trained model.
///
///     build/examples/extract --model runs/first/model.safetensors --data penn:DIR --out penn.safetensors
///
/// The file holds "embedding" (N, D), unit vectors in the space shared with texts; "pooled" (N, W), the
/// features that probes use; "tokens" (N, T', W), one a group of frames; and the clips' ids as a JSON list in
/// its metadata.

#include "common/evaluation.hpp"
#include "tmor/io/safetensors.hpp"

namespace {

struct Embedded {
  tmor::Tensor<> embedding, pooled, tokens;
  static void visit(auto& self, auto&& v) {
    v.buffer("embedding", self.embedding);
    v.buffer("pooled", self.pooled);
    v.buffer("tokens", self.tokens);
  }
};

}  // namespace

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program("Writes embeddings and frame tokens of skeleton clips.");
    cli::Common common;
    std::string path, data = "synth", out;
    task::SourceOptions source;
    source.synth_clips = 100;
    program.option("--model", path, "model.safetensors of a run of examples/pretrain").required();
    program.option("--data", data, "synth, shards:PATH or penn:DIR");
    program.option("--synth-clips", source.synth_clips, "with --data synth")
        .check(cli::at_least<tmor::Index>(1));
    program.option("--penn-captions", source.penn_captions, "captions.json of Penn Action");
    program.option("--out", out, "file to write, .safetensors").required();
    common.gpu = task::check_gpu;
    program.add(common, false);
    program.parse(argc, argv);

    const auto model = task::load_model(path);
    source.layout = model.input.layout;
    source.dims = model.input.dims;
    source.video_frames = 0;
    source.seed = common.seed;
    const auto clips = task::make_source(data, source);

    const auto encode = task::encoder_on(common.device, model.net.skeleton);
    const tmor::NoGrad guard;
    std::vector<tmor::Tensor<>> embedding, pooled, tokens;
    cli::Json ids = cli::Json::array(), skipped = cli::Json::array();
    for (tmor::Index i = 0; i < clips.size;) {
      std::vector<tmor::SkeletonSequence> some;
      for (; i < clips.size && some.size() < 64; ++i) {
        const auto t = clips.sample(i);
        (t.has_skeleton() ? ids : skipped).push_back(t.id);
        if (t.has_skeleton()) some.push_back(t.skeleton);
      }
      if (some.empty()) continue;
      const auto batch = task::skeleton_batch(some, model.input);
      const auto f = encode(batch);
      embedding.push_back(tmor::l2_normalize(f.embed));
      pooled.push_back(f.pooled);
      tokens.push_back(f.tokens);
    }
    TMOR_CHECK(!ids.empty(), "--data ", data, ": no clip has a skeleton");
    const Embedded e{tmor::concat(embedding, 0), tmor::concat(pooled, 0), tmor::concat(tokens, 0)};
    tmor::train::save_checkpoint(out, {{"ids", ids}, {"model", path}, {"data", data}},
                                 tmor::train::part("", e));
    cli::print_result({{"file", out},
                       {"clips", ids.size()},
                       {"without_skeleton", skipped.size()},
                       {"embedding", e.embedding.size(1)},
                       {"tokens", {e.tokens.size(1), e.tokens.size(2)}}},
                      common.json);
  });
}
