/// Penn Action: action classification from skeletons, supervised, by contrastive training against captions,
/// or on a frozen pre-trained encoder.
///
///     build/examples/penn_action --data DIR --mode supervised --json
///     build/examples/penn_action --data DIR --mode contrastive --json
///     build/examples/penn_action --data DIR --mode linear --init runs/pretrained --json
///
/// DIR is the data set's folder with labels/*.mat (W. Zhang, M. Zhu, K. Derpanis, "From Actemes to Action",
/// ICCV 2013; http://dreamdragon.github.io/PennAction). Only labels are read; the split is each file's own
/// `train` flag.

#include "common/protocols.hpp"
#include "common/trimmed.hpp"
#include "contrastive.hpp"

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program("Classifies the actions of Penn Action from 2-D skeletons.");
    penn::Settings o;
    penn::add_options(program, o);
    program.parse(argc, argv);
    // Hidden joints keep the annotators' guess; ones in the image's corner are filled from the frames beside.
    const task::ClipBenchmark benchmark{
        "manual 2-D poses (13 joints)",
        [&](const std::string& id) { return o.data + "/labels/" + id + ".mat"; },
        [](const std::string& path) { return tmor::data::read_penn_clip(path).sequence(); },
        [](tmor::SkeletonSequence s) { return task::prepare(s, "penn13"); },
        TMOR_EXAMPLES "/penn_action/captions.json"};
    if (o.mode != "contrastive") {
      task::run_program(program, o, "penn-", benchmark);
      return;
    }
    if (o.captions.empty()) o.captions = benchmark.captions;
    task::run_and_report(program, o, [&] {
      tmor::io::Json missing;
      const auto list = tmor::eval::list_clips(task::find_protocol(o.protocol, "penn-"), o.data);
      auto r = penn::run_contrastive(task::read_clips(benchmark, list.clips, benchmark.prepare, o, missing),
                                     o, o.common.out);
      r["mode"] = o.mode;
      return r;
    });
  });
}
