/// Penn Action: action classification from skeletons, supervised or by contrastive training against captions.
///
///     build/examples/penn_action --data DIR --mode supervised --json
///     build/examples/penn_action --data DIR --mode contrastive --json
///
/// DIR is the data set's folder with labels/*.mat (W. Zhang, M. Zhu, K. Derpanis, "From Actemes to Action",
/// ICCV 2013; http://dreamdragon.github.io/PennAction). Only labels are read; the split is each file's own
/// `train` flag.

#include "common/supervised.hpp"
#include "contrastive.hpp"

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program("Classifies the actions of Penn Action from 2-D skeletons.");
    penn::Settings o;
    penn::add_options(program, o);
    program.parse(argc, argv);
    if (o.captions.empty()) o.captions = TMOR_EXAMPLES "/penn_action/captions.json";

    task::run_and_report(program, o, [&] {
      const auto set = penn::read_clips(o.data);
      auto result = o.mode == "supervised" ? task::run_supervised(set, o, o.common.out)
                                           : penn::run_contrastive(set.clips, o, o.common.out);
      result["mode"] = o.mode;
      return result;
    });
  });
}
