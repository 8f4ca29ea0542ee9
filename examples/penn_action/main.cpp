/// Penn Action: action classification from skeletons, supervised or by contrastive training against captions.
///
///     build/examples/penn_action --data DIR --mode supervised --json
///     build/examples/penn_action --data DIR --mode contrastive --json
///
/// DIR is the data set's folder with labels/*.mat (W. Zhang, M. Zhu, K. Derpanis, "From Actemes to Action",
/// ICCV 2013; http://dreamdragon.github.io/PennAction). Only labels are read; the split is each file's own
/// `train` flag.

#include <chrono>

#include "contrastive.hpp"
#include "supervised.hpp"

#ifndef TMOR_EXAMPLE_DIR
#define TMOR_EXAMPLE_DIR "examples/penn_action"
#endif

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program("Classifies the actions of Penn Action from 2-D skeletons.");
    penn::Settings o;
    penn::add_options(program, o);
    program.parse(argc, argv);
    if (o.captions.empty()) o.captions = TMOR_EXAMPLE_DIR "/captions.json";

    const auto start = std::chrono::steady_clock::now();
    const auto clips = penn::read_clips(o.data);
    std::optional<tmor::train::RunDir> run;
    if (!o.common.out.empty()) run.emplace(o.common.out, o.common.start(), program.config());
    tmor::io::Json result = o.mode == "supervised" ? penn::run_supervised(clips, o, o.common.out)
                                                   : penn::run_contrastive(clips, o, o.common.out);
    result["mode"] = o.mode;
    result["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (run) run->write_metrics(result);
    std::fprintf(stderr, "%s\n", result.dump(2).c_str());
    cli::print_result(result, o.common.json);
  });
}
