/// Writes a data set as tar shards, the form that Python's `webdataset` reads too.
///
///     build/examples/make_shards --data synth --synth-clips 10000 --out shards/train
///
/// writes shards/train-000000.tar, ...; `pretrain --data shards:shards` reads them.

#include "common/sources.hpp"
#include "tmor/data/shards.hpp"

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program("Writes triplets of skeleton, video and texts as tar shards.");
    cli::Common common;
    task::SourceOptions source;
    tmor::data::ShardWriterOptions shard;
    std::string data = "synth", out;
    program.option("--data", data, "synth, shards:PATH or penn:DIR");
    program.option("--out", out, "prefix of the files").required();
    program.option("--layout", source.layout, "joints of generated skeletons");
    program.option("--synth-clips", source.synth_clips, "with --data synth")
        .check(cli::at_least<tmor::Index>(1));
    program.option("--video-frames", source.video_frames, "of a generated video; 0: none")
        .check(cli::in_range<tmor::Index>(0, 64));
    program.option("--side", source.side, "of a generated video frame, pixels")
        .check(cli::in_range<tmor::Index>(8, 1024));
    program.option("--penn-captions", source.penn_captions, "captions.json of Penn Action");
    program.option("--max-bad", source.max_bad, "bad samples of shards that may be passed over")
        .check(cli::at_least<tmor::Index>(0));
    program.option("--shard-samples", shard.max_samples, "of one file").check(cli::at_least<tmor::Index>(1));
    program.add(common, false);
    program.parse(argc, argv);

    source.seed = common.seed;
    const auto from = task::make_source(data, source);
    tmor::data::ShardWriter writer(out, shard);
    tmor::Index written = 0;
    for (tmor::Index i = 0; i < from.size; ++i) {
      const auto t = from.sample(i);
      if (t.id.empty()) continue;  // a bad one that was passed over
      writer.add(t);
      ++written;
    }
    writer.close();
    cli::print_result({{"prefix", out}, {"samples", written}, {"passed_over", from.size - written}},
                      common.json);
  });
}
