/// Charades: which of 157 actions are being done in every frame of videos of half a minute.
///
///     build/examples/charades --data DIR --poses POSES --protocol charades --out runs/charades --json
///
/// DIR holds the official Charades_v1_train.csv, Charades_v1_test.csv and Charades_v1_classes.txt (or
/// charades.json for the protocols `json` and `all-steps`); POSES a file of poses for each video, which
/// Charades does not come with: those of any estimator. docs/benchmarks/charades.md says more.

#include "common/benchmark.hpp"

int main(int argc, char** argv) {
  task::BenchmarkSettings o;
  o.common.epochs = 30;
  o.input.layout = "unik17";
  o.joints = "coco17";
  return task::detection_benchmark(argc, argv, "Detects the actions of Charades in every frame.", o,
                                   {.name = "charades", .protocol = "charades"});
}
