/// UAV-GESTURE: 13 gestures of people seen from a drone, classified from 2-D skeletons.
///
///     build/examples/uav_gesture --data DIR --json                    every subject left out once
///     build/examples/uav_gesture --data DIR --protocol split1 --json  the official lists
///
/// DIR holds joint_positions/GESTURE/CLIP/CLIP.mat and splits/ (A. Perera, Y. W. Law, J. Chahl,
/// "UAV-GESTURE", ECCVW 2018; https://github.com/asankagp/UAV-GESTURE). Stands in for UAV-Human, whose poses
/// are given on request. With folds, a clip's probabilities are those of the network that never saw its
/// subject; what is reported is over all clips together.

#include "common/encoder.hpp"
#include "common/pretrained.hpp"
#include "common/protocols.hpp"
#include "common/supervised.hpp"
#include "common/trimmed.hpp"

namespace {

using tmor::Index;
using tmor::io::Json;

struct Settings : task::Training {
  Index folds = 0, only = 0;
};

/// Gaps filled, missing ends held, the pelvis of the clip in the origin, the torso 1 long.
tmor::SkeletonSequence prepare(tmor::SkeletonSequence s) {
  tmor::fill_gaps_(s, s.frames, tmor::GapEnds::kHold);
  tmor::normalize_body_(s, tmor::BodyCenter::kClip);
  return s;
}

/// Subjects of each fold: each its own, or dealt in turn in ascending order.
std::vector<std::vector<int>> folds_of(const tmor::eval::ClipList& list, Index folds) {
  std::vector<int> subjects;
  for (const auto& c : list.clips) subjects.push_back(c.subject);
  std::sort(subjects.begin(), subjects.end());
  subjects.erase(std::unique(subjects.begin(), subjects.end()), subjects.end());
  const std::size_t n = folds > 0 ? static_cast<std::size_t>(folds) : subjects.size();
  TMOR_CHECK(n >= 2 && n <= subjects.size(), "--folds ", n, ": the clips show ", subjects.size(),
             " subjects");
  std::vector<std::vector<int>> out(n);
  for (std::size_t i = 0; i < subjects.size(); ++i) out[i % n].push_back(subjects[i]);
  return out;
}

/// Cross-validation: probabilities of all clips, each by the networks of its fold.
Json cross_validate(const task::ClipSet& all, const Settings& given, const task::Training& o,
                    const std::vector<std::vector<int>>& folds, const std::string& out) {
  std::vector<const task::Clip*> tested;
  std::vector<tmor::Tensor<>> rows;
  Json each = Json::array();
  const std::size_t end =
      given.only > 0 ? std::min(folds.size(), static_cast<std::size_t>(given.only)) : folds.size();
  for (std::size_t f = 0; f < end; ++f) {
    // --measure validation: the fold is not looked at; the next one's subjects are measured on instead.
    const auto& left_out = folds[f];
    const auto& validated = folds[(f + 1) % folds.size()];
    const auto among = [](int s, const std::vector<int>& set) {
      return std::find(set.begin(), set.end(), s) != set.end();
    };
    task::Sides sides;
    for (const auto& c : all.clips) {
      const int s = static_cast<int>(c.subject);
      const bool fold = among(s, left_out), next = among(s, validated);
      if (given.measure == "validation" ? next : fold) {
        sides.test.push_back(&c);
      } else if (!fold) {
        sides.train.push_back(&c);
      }
    }
    auto r = task::train_supervised(all, sides, o, out.empty() ? out : tmor::detail::cat(out, "/fold", f));
    r.figures["subjects"] = given.measure == "validation" ? validated : left_out;
    r.figures["n_test"] = sides.test.size();
    std::fprintf(stderr, "fold %zu: %s\n", f, tmor::io::json_text(r.figures).c_str());
    each.push_back(r.figures);
    rows.push_back(r.probabilities);
    tested.insert(tested.end(), sides.test.begin(), sides.test.end());
  }
  const auto scores = tmor::concat(rows, 0);
  Json r = task::accuracy_json(scores, task::labels_of(tested), all.empty);
  r["folds"] = each;
  if (!o.predictions.empty()) task::write_predictions(o.predictions, tested, scores);
  r["n_test"] = tested.size();
  r["seed"] = o.common.seed;
  r["init"] = o.init.empty() ? Json() : Json(o.init);
  r["protocol"] = task::protocol_text(
      all, o,
      tmor::detail::cat(
          end, " of ", folds.size(), " folds of subjects, each network trained on the others",
          given.measure == "validation" ? " but for those of the next fold, which are measured" : "",
          "; figures over all clips together; ", task::supervised_text(o)));
  return r;
}

/// The cross-validation of a protocol with folds.
Json run_folds(const Settings& o, const task::ClipBenchmark& b, const tmor::eval::Protocol& p) {
  if (o.mode != "supervised")
    throw cli::UsageError("--mode " + o.mode + ": with folds only supervised; give --protocol split1");
  const auto list = tmor::eval::list_clips(p, o.data);
  Json missing;
  task::ClipSet set{list.classes.names(), {}, b.poses, tmor::eval::describe(p), p.empty};
  const auto prepare = o.init.empty() ? b.prepare : task::prepare_for(task::load_pretrained(o.init));
  set.clips = task::read_clips(b, list.clips, prepare, o, missing);
  const auto folds = folds_of(list, o.folds > 0 ? o.folds : p.split.folds);
  Json r = task::over_seeds(o, o.common.out, [&](const task::Training& one, const std::string& out) {
    return cross_validate(set, o, one, folds, out);
  });
  r["mode"] = o.mode;
  r["figure"] = p.figure;
  r["name"] = p.name;
  r["missing"] = missing;
  return r;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program("Classifies the gestures of UAV-GESTURE from 2-D skeletons.");
    Settings o;
    o.protocol = "uav-gesture-subjects";
    o.common.epochs = 120;
    o.size = "tiny";         // some 85 clips to train on
    o.input.crop_low = 0.5;  // a gesture is repeated several times a clip
    o.batch = 16;
    o.input.mirror = 0;  // move_to_left and move_to_right are mirror images
    // Arms tell the gestures, by their angles: poses are clean here, and little is to be changed in them.
    o.input.rotate = o.input.scale = o.input.shear = 0.1;
    o.input.joint_drop = 0;
    program.option("--folds", o.folds, "parts that subjects are dealt to; 0: each subject is one")
        .check(cli::in_range<Index>(0, 1000));
    program.option("--only", o.only, "folds that are run, from the first on; 0: all")
        .check(cli::at_least<Index>(0));
    task::add_options(program, o, "folder with joint_positions and splits");
    program.parse(argc, argv);
    const task::ClipBenchmark benchmark{
        "OpenPose joints (18) as the data set comes with them",
        [&](const std::string& id) {
          for (const auto& gesture : tmor::data::uav_gestures().names()) {
            const std::string path = o.data + "/joint_positions/" + gesture + "/" + id + "/" + id + ".mat";
            if (tmor::io::exists(path)) return path;
          }
          return o.data + "/joint_positions/*/" + id + "/" + id + ".mat";
        },
        [](const std::string& path) {
          return tmor::data::parse_uav_gesture_pose(tmor::io::read_file(path, std::size_t{1} << 26), path);
        },
        prepare, ""};
    const auto p = task::find_protocol(o.protocol, "uav-gesture-");
    if (!p.split.folded() || !o.score.empty() || !o.export_to.empty()) {
      task::run_program(program, o, p, benchmark);
    } else {
      task::run_and_report(program, o, [&] { return run_folds(o, benchmark, p); });
    }
  });
}
