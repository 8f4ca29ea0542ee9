/// UTKinect-Action3D, untrimmed: which of ten actions is being done in every frame of a Kinect recording.
///
///     build/examples/utkinect --data DIR --json
///
/// DIR holds joints/joints_sSS_eEE.txt and actionLabel.txt (Xia, Chen and Aggarwal, "View invariant human
/// action recognition using histograms of 3D joints", CVPRW 2012). Trained on subjects 1 to 6, tested on 7
/// and 8; `--holdout 6` measures on a training subject instead, to choose options by.

#include "common/detect.hpp"
#include "tmor/data/utkinect.hpp"

namespace {

constexpr double kRowsPerSecond = 15;  // of 30 frames a second every other one is stored

struct Settings : task::DetectionSettings {
  std::string data, labels = "actionLabel.txt";
  tmor::Index holdout = 0;
};

task::VideoSet read_videos(const Settings& o, tmor::Index stride) {
  task::VideoSet set;
  set.classes = tmor::data::utkinect_actions().names();
  set.poses = "Kinect v1 3-D joints (20)";
  set.split = o.holdout > 0
                  ? tmor::detail::cat("validation: subject ", o.holdout,
                                      " of the training subjects 1 to 6 left out and measured on")
                  : "trained on subjects 1 to 6 (12 sequences), tested on subjects 7 and 8 (4 sequences); "
                    "subjects 9 and 10 are not at hand: no published split";
  set.validation = o.holdout > 0;
  set.units = kRowsPerSecond;
  set.protocol.name = "utkinect";
  set.protocol.title = "UTKinect-Action3D, every row of the untrimmed sequences";
  set.protocol.source =
      "our own split: a stand-in for TSU and Charades, not to be set beside published figures";
  set.protocol.annotations = o.labels;
  set.protocol.classes = std::ssize(set.classes);
  set.protocol.policy = tmor::frame_map_policy("all-steps");
  set.protocol.empty = set.protocol.policy.empty;
  for (auto& s : tmor::data::read_utkinect(o.data, true, o.labels).sequences) {
    const bool test_subject = s.subject > 6, test = o.holdout > 0 ? s.subject == o.holdout : test_subject;
    if (test_subject && !test) continue;
    tmor::Timeline seconds = s.timeline;
    seconds.length /= kRowsPerSecond;
    for (auto& a : seconds.spans) a.start /= kRowsPerSecond, a.end /= kRowsPerSecond;
    if (test) set.truth.push_back(s.timeline);
    (test ? set.test : set.train)
        .push_back({s.id, tmor::eval::at_rate(s.skeleton, kRowsPerSecond, o.rate(stride)), seconds,
                    s.skeleton.frames});
  }
  return set;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program("Detects actions in the untrimmed sequences of UTKinect-Action3D.");
    Settings o;
    o.common.epochs = 60;
    o.steps_per_second = 3.75;
    o.input.layout = "kinect20";
    o.input.dims = 3;
    o.input.streams = {.known = false};
    o.input.rotate = 0.1;
    o.turn = 0.8;
    o.flip = true;
    program.option("--data", o.data, "folder with joints/*.txt and the labels").required();
    program.option("--labels", o.labels, "file of labels in it");
    program.option("--holdout", o.holdout, "training subject to measure on instead of the test subjects")
        .check(cli::in_range<tmor::Index>(0, 6));
    task::add_detection_options(program, o);
    program.parse(argc, argv);
    task::run_and_print(program, o.common, [&] { return task::run_detection(read_videos(o, 4), o); });
  });
}
