/// UAV-Human: 155 actions of people filmed from a drone, from 2-D skeletons (T. Li et al., CVPR 2021).
///
///     build/examples/uav_human --data DIR --protocol csv1 --json
///     build/examples/uav_human --data DIR --protocol csv2 --stream ensemble --json
///
/// DIR holds Skeleton/*.txt, the data set's files in the text format of NTU RGB+D: 17 joints of at most four
/// bodies a frame, of which the two that move most are read. Classes say left and right, so that nothing is
/// mirrored.

#include "common/trimmed.hpp"

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program("Classifies the actions of UAV-Human from 2-D skeletons.");
    task::Training o;
    o.protocol = "uav-human-csv1";
    o.common.epochs = 30;
    o.store = 256;
    o.input.mirror = 0;
    task::add_options(program, o, "folder with Skeleton/*.txt");
    program.parse(argc, argv);
    task::run_program(program, o, "uav-human-",
                      {"2-D poses as the data set comes with them (17 joints, two bodies)",
                       [&](const std::string& id) { return o.data + "/Skeleton/" + id + ".txt"; },
                       tmor::data::read_uav_human_skeleton,
                       [](tmor::SkeletonSequence s) { return task::prepare(s, "coco17"); }, ""});
  });
}
