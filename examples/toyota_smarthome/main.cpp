/// Toyota Smarthome, trimmed: daily activities of older people from skeletons (S. Das et al., ICCV 2019).
///
///     build/examples/toyota_smarthome --data DIR --protocol cs --json
///     build/examples/toyota_smarthome --data DIR --protocol cv2 --stream ensemble --allow-missing --json
///     build/examples/toyota_smarthome --data DIR --protocol cs --score predictions.txt.gz --json
///
/// DIR holds splits/ (the official lists) and poses/: a file a clip, `NAME_pose3d.json` (v1.2) or `NAME.json`
/// (v1.1) of LCR-Net, or `NAME.npz` with key points (T, 17, 2) in COCO's order. What is compared is the mean
/// over classes of the accuracy.

#include "common/trimmed.hpp"
#include "tmor/data/pose_file.hpp"

namespace {

using tmor::Index;

struct Settings : task::Training {
  std::string poses;
  Index dims = 2;
  bool swap_sides = false;
};

/// Left joints where right ones stood and the other way round.
tmor::SkeletonSequence with_sides_swapped(const tmor::SkeletonSequence& s) {
  auto out = s.like(s.frames);
  for (Index m = 0; m < s.persons; ++m)
    for (Index t = 0; t < s.frames; ++t)
      for (Index v = 0; v < s.joints; ++v) {
        const Index from = s.layout->mirror[static_cast<std::size_t>(v)];
        std::copy_n(s.point(m, t, from), s.channels, out.point(m, t, v));
        *out.state(m, t, v) = *s.state(m, t, from);
      }
  return out;
}

/// Gaps filled, UNIK's 17 joints; in the image, whose width becomes [-1, 1], or facing the camera in 3-D.
tmor::SkeletonSequence prepare(const tmor::SkeletonSequence& given) {
  if (given.channels == 3) return task::prepare(given, "unik17");
  auto s = tmor::map_joints(given, tmor::make_map(given.layout, tmor::joint_layout("unik17")));
  tmor::fill_gaps_(s);
  s.width = 640, s.height = 480;
  tmor::normalize_image_(s);
  return s;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program("Classifies the activities of Toyota Smarthome from skeletons.");
    Settings o;
    o.protocol = "smarthome-cs";
    o.common.epochs = 30;
    o.store = 256;
    program.option("--poses", o.poses, "folder of the pose files; default: poses below --data");
    program.option("--dims", o.dims, "2: pose2d, 3: pose3d of LCR-Net's files")
        .check(cli::in_range<Index>(2, 3));
    program.flag("--swap-sides", o.swap_sides,
                 "take the left joints for right ones: public readers of the files disagree about them");
    task::add_options(program, o, "folder with splits/ and poses/");
    program.parse(argc, argv);
    const std::string folder = o.poses.empty() ? o.data + "/poses" : o.poses;
    const task::ClipBenchmark benchmark{
        tmor::detail::cat("LCR-Net poses, ", o.dims, "-D, or key points of the .npz files"),
        [&](const std::string& id) {
          for (const char* ending : {"_pose3d.json", ".json", ".npz"})
            if (const auto path = folder + "/" + id + ending; tmor::io::exists(path)) return path;
          return folder + "/" + id + ".json";
        },
        [&](const std::string& path) {
          auto s = tmor::data::read_pose_file(path, "coco17", {.channels = o.dims, .allow_empty = true});
          return o.swap_sides ? with_sides_swapped(s) : s;
        },
        prepare, TMOR_EXAMPLES "/toyota_smarthome/captions.json"};
    task::run_program(program, o, "smarthome-", benchmark);
  });
}
