/// NW-UCLA: action classification from Kinect skeletons seen by three cameras.
///
///     build/examples/nw_ucla --data DIR --json
///     build/examples/nw_ucla --data DIR --protocol cross-subject --mode linear --init runs/pretrained --json
///
/// DIR holds all_sqe/*.json, the skeletons of the Northwestern-UCLA Multiview Action 3D data set (J. Wang et
/// al., "Cross-view Action Modeling, Learning and Recognition", CVPR 2014) in the form that came into use
/// with CTR-GCN (https://github.com/Uason-Chen/CTR-GCN, which says where the archive is had).

#include "common/trimmed.hpp"

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program("Classifies the actions of NW-UCLA from 3-D skeletons.");
    task::Training o;
    o.common.epochs = 60;
    o.input.frames = 32;     // clips have 39 on average
    o.input.crop_low = 0.9;  // "drop trash" without the drop is "walk around"
    o.input.joint_drop = 0;  // no joint is missing here
    o.input.rotate = 0.5;
    o.protocol = "nw-ucla-cross-view";
    task::add_options(program, o, "folder with all_sqe/*.json");
    program.parse(argc, argv);
    const std::string inner = o.data + "/all_sqe", folder = tmor::io::exists(inner) ? inner : o.data;
    task::run_program(
        program, o, "nw-ucla-",
        {"Kinect v1 3-D joints (20)", [&](const std::string& id) { return folder + "/" + id + ".json"; },
         [](const std::string& path) { return tmor::data::read_nw_ucla_clip(path).skeleton; },
         [](tmor::SkeletonSequence s) { return task::prepare(s, "kinect20"); }, ""});
  });
}
