/// Toyota Smarthome Untrimmed: which of 51 activities are being done in every frame of videos of 20 minutes.
///
///     build/examples/tsu --data DIR --poses POSES --protocol cs --out runs/tsu --json
///
/// DIR holds smarthome_CS_51.json, smarthome_CV_51.json and Action_list; POSES a file of poses for each video
/// (LCR-Net's JSON, or arrays). docs/benchmarks/tsu.md says where they are had.

#include "common/benchmark.hpp"

int main(int argc, char** argv) {
  task::BenchmarkSettings o;
  o.common.epochs = 30;
  o.input.layout = "unik17";
  return task::detection_benchmark(argc, argv,
                                   "Detects the activities of Toyota Smarthome Untrimmed in every frame.", o,
                                   {.name = "tsu", .protocol = "cs", .in_frames = true});
}
