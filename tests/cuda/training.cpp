// A small T-MOR trained on the GPU must follow the CPU's loss curve: links with training.cu. Without a GPU it
// says so in one line and exits 1. Prints one line of JSON.
#include "training.hpp"

#include <cmath>
#include <cstdio>

int main() {
  try {
    constexpr int steps = 40;
    const auto gpu = training::cuda_losses(steps), cpu = training::losses<tmor::Cpu>(steps);
    // Rounding grows from step to step: 1e-4 at the first, and a part of the loss later.
    double first = 0, worst = 0;
    for (std::size_t i = 0; i < cpu.size(); ++i) {
      const double d =
          std::fabs(static_cast<double>(gpu[i]) - static_cast<double>(cpu[i])) / static_cast<double>(cpu[i]);
      if (i == 0) first = d;
      worst = std::isfinite(d) ? std::fmax(worst, d) : INFINITY;
    }
    const bool good = first < 1e-4 && worst < 0.05 && cpu.back() < cpu.front() / 2;
    std::printf(
        "{\"steps\": %d, \"cpu_first\": %.6f, \"cpu_last\": %.6f, \"gpu_last\": %.6f, \"first_difference\": "
        "%.2e, "
        "\"worst_difference\": %.2e, \"good\": %s}\n",
        steps, static_cast<double>(cpu.front()), static_cast<double>(cpu.back()),
        static_cast<double>(gpu.back()), first, std::isfinite(worst) ? worst : 1e30, good ? "true" : "false");
    return good ? 0 : 1;
  } catch (const tmor::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
