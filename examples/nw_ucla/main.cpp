/// NW-UCLA: action classification from Kinect skeletons seen by three cameras.
///
///     build/examples/nw_ucla --data DIR --json
///
/// DIR holds all_sqe/*.json, the skeletons of the Northwestern-UCLA Multiview Action 3D data set (J. Wang et
/// al., "Cross-view Action Modeling, Learning and Recognition", CVPR 2014) in the form that came into use
/// with CTR-GCN (https://github.com/Uason-Chen/CTR-GCN, which says where the archive is had).

#include "common/supervised.hpp"
#include "tmor/data/nw_ucla.hpp"

namespace {

struct Settings : task::Training {
  std::string data, protocol = "cross-view";
};

task::ClipSet read_clips(const Settings& o) {
  task::ClipSet out{tmor::data::nw_ucla_actions(), {}, "NW-UCLA", "Kinect v1 3-D joints (20)", {}};
  tmor::data::NwUclaSplit split = tmor::data::NwUclaSplit::cross_view(3);
  if (o.protocol == "cross-view") {
    out.split = "cross-view: trained on cameras 1 and 2, tested on the clips given of camera 3";
  } else if (o.protocol == "cross-view-validation") {
    split = tmor::data::NwUclaSplit::cross_view(2);
    out.split = "validation: trained on camera 1, measured on camera 2; camera 3 is not read";
  } else {
    split = tmor::data::NwUclaSplit::cross_subject(10);
    out.split = "cross-subject: subject 10 left out";
  }
  for (const auto& c : tmor::data::read_nw_ucla(o.data).clips) {
    if (o.protocol == "cross-view-validation" && c.view == 3) continue;
    out.clips.push_back({c.id, task::prepare(c.skeleton, "kinect20"), c.label, !split.is_test(c)});
  }
  TMOR_CHECK(!out.clips.empty(), "--data ", o.data, ": no clip of cameras 1 and 2");
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program("Classifies the actions of NW-UCLA from 3-D skeletons.");
    Settings o;
    o.common.epochs = 60;
    o.input.rotate = 0.5;
    program.option("--data", o.data, "folder with all_sqe/*.json")->required();
    program.choice("--protocol", o.protocol, {"cross-view", "cross-view-validation", "cross-subject"},
                   "which clips train and which test");
    task::add_options(program, o);
    program.parse(argc, argv);
    task::run_and_report(program, o, [&] { return task::run_supervised(read_clips(o), o, o.common.out); });
  });
}
