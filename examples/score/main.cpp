/// Measures anyone's predictions under a benchmark's protocol, without running a model.
///
///     build/examples/score --score submission.txt.gz --protocol charades --data path/to/Charades
///     build/examples/score --score clips.txt --protocol smarthome-cs --data path/to/smarthome --json
///
/// A line of the file is `id step s_1 ... s_C` (detection) or `id s_1 ... s_C` (clips). Frame mAP is printed
/// under every policy side by side: the same predictions differ by points between them.

#include "common/protocols.hpp"
#include "tmor/eval/score.hpp"

using namespace tmor;

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program("Measures predictions under a benchmark's protocol.");
    cli::Common common;
    std::string scores, protocol, data, folder = TMOR_EXAMPLES "/protocols";
    std::string csv;
    bool allow_missing = false;
    program.option("--score", scores, "predictions, text or .gz").required();
    program.option("--protocol", protocol, "name of a file in --protocols without .json, or a path")
        .required();
    program.option("--data", data, "folder of the data set's annotations").required();
    program.option("--protocols", folder, "folder of the protocols");
    program.option(
        "--csv", csv,
        "detection: folder with the annotations of each video as TSU has them, ID.csv, in place of "
        "the actions of the protocol's file");
    program.flag("--allow-missing", allow_missing,
                 "leave test videos or clips without scores out, and count them");
    program.add(common, false);
    program.parse(argc, argv);

    const auto p = task::find_protocol(protocol, "", folder);
    cli::Json result;
    if (p.frames) {
      const auto given =
          eval::parse_frame_scores(eval::read_text_or_gzip(scores), scores, p.classes, p.steps);
      auto truth = eval::test_timelines(p, data);
      std::vector<std::string> json_kept;
      task::use_csv(truth, task::class_names(p, data), csv, json_kept);
      task::refuse_missing(json_kept, allow_missing, "CSV", csv,
                           "keeps what the protocol's file says of them");
      result = eval::score_frames(p, truth, given, allow_missing);
      if (!csv.empty()) result["csv"] = {{"folder", csv}, {"json_kept", json_kept}};
      task::print_frame_policies(result);
    } else {
      if (!csv.empty()) throw cli::UsageError("--csv: '" + p.name + "' is a protocol of clips");
      result = task::score_clip_file(p, data, scores, allow_missing);
    }
    cli::print_result(result, common.json);
  });
}
