/// Skeletons as PySKL and MMAction2 hand them on (one pickle) to a folder that `clips` trains on.
///
///     build/examples/convert --pickle ntu60_hrnet.pkl --train xsub_train --test xsub_val --out DIR
///
/// The pickle may hold plain containers and NumPy arrays; anything else is refused by name, nothing in it is
/// ever called. Folders of the data sets that have a program here are made by that program's --export.

#include "common/cli.hpp"
#include "tmor/data/clip_folder.hpp"
#include "tmor/data/pyskl.hpp"

using namespace tmor;

namespace {

const std::vector<std::string>& split_of(const data::Pyskl& file, const std::string& name,
                                         const char* option) {
  const auto it = file.splits.find(name);
  if (it != file.splits.end()) return it->second;
  std::vector<std::string> names;
  for (const auto& [known, ids] : file.splits) names.push_back(known);
  throw cli::UsageError(std::string(option) + ": the file has no split '" + name + "'; did you mean '" +
                        nearest_name(name, names) + "'?");
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program("Makes a folder of clips from a PySKL pickle.");
    cli::Common common;
    std::string pickle, out, train, test, names;
    double threshold = 0.01;
    program.option("--pickle", pickle, "file of PySKL or MMAction2").required();
    program.option("--out", out, "folder to write").required();
    program.option("--train", train, "split that trains").required();
    program.option("--test", test, "split that tests").required();
    program.option("--classes", names,
                   "text file, a class a line in the order of the labels; default: numbers");
    program.option("--threshold", threshold, "joints with a score not above it are missing");
    program.add(common, false);
    program.parse(argc, argv);

    const auto file = data::read_pyskl(pickle, static_cast<float>(threshold));
    const auto &training = split_of(file, train, "--train"), &testing = split_of(file, test, "--test");
    const std::set<std::string> trains(training.begin(), training.end()),
        tests(testing.begin(), testing.end());
    data::ClipFolder folder{pickle.substr(pickle.rfind('/') + 1), "poses of the pickle", nullptr, 2, {}, {}};
    io::make_directories(out + "/clips");
    Index classes = 0, left_out = 0;
    for (Index i = 0; i < file.size(); ++i) {
      const auto c = file.clip(i);
      const bool is_test = tests.count(c.id) > 0;
      TMOR_CHECK_IO(!is_test || !trains.count(c.id), pickle, ": '", c.id, "' both trains and tests");
      if (!is_test && !trains.count(c.id)) {
        ++left_out;
        continue;
      }
      if (!folder.layout) folder.layout = c.skeleton.layout, folder.coordinates = c.skeleton.channels;
      TMOR_CHECK_IO(folder.layout == c.skeleton.layout, pickle, ": '", c.id,
                    "' has other joints than the first clip");
      data::write_folder_clip(out, c.id, c.skeleton);
      classes = std::max(classes, c.label + 1);
      folder.clips.push_back({c.id, c.label, is_test ? data::ClipPart::kTest : data::ClipPart::kTrain});
    }
    TMOR_CHECK_IO(!folder.clips.empty(), pickle, ": no clip is in the two splits");
    if (names.empty()) {
      std::vector<std::string> numbers;
      for (Index c = 0; c < classes; ++c) numbers.push_back(std::to_string(c));
      folder.classes = data::ClassNames(numbers, pickle);
    } else {
      folder.classes = data::read_class_names(names, data::ClassCode::kNone);
      TMOR_CHECK_IO(folder.classes.size() >= classes, names, ": ", folder.classes.size(),
                    " classes, the labels have ", classes);
    }
    data::write_clip_folder(out, folder);
    std::fprintf(stderr, "%zu clips of %lld classes in %s, %lld in neither split\n", folder.clips.size(),
                 static_cast<long long>(folder.classes.size()), out.c_str(),
                 static_cast<long long>(left_out));
    cli::print_result(
        {{"clips", folder.clips.size()}, {"classes", folder.classes.size()}, {"left_out", left_out}},
        common.json);
  });
}
