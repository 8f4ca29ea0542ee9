// Every family of operations on the GPU, compared with the CPU: links with kernels.cu. Arguments: the
// families wanted (default: all). Without a GPU it says so in one line and exits 1.
#include <cmath>
#include <cstdio>
#include <set>

#include "families.hpp"

int main(int argc, char** argv) {
  using namespace families;
  const std::set<std::string> wanted(argv + 1, argv + argc);
  int failures = 0, run = 0;
  try {
    const auto gpu = cuda_families(), cpu = Families<Cpu>::all();
    for (std::size_t f = 0; f < cpu.size(); ++f) {
      if (!wanted.empty() && !wanted.contains(cpu[f].name)) continue;
      ++run;
      Rng rng(7);
      Numbers in;
      for (const Shape& s : cpu[f].shapes) {
        in.emplace_back();
        for (Index i = 0; i < s.numel(); ++i) in.back().push_back(static_cast<float>(rng.uniform(-1, 1)));
      }
      const Numbers want = cpu[f].run(in), got = gpu[f].run(in);
      double worst = 0;
      for (std::size_t k = 0; k < want.size(); ++k)
        for (std::size_t i = 0; i < want[k].size(); ++i) {
          const double w = static_cast<double>(want[k][i]), d = std::fabs(static_cast<double>(got[k][i]) - w);
          worst = std::isfinite(d) ? std::fmax(worst, d / std::fmax(1.0, std::fabs(w))) : INFINITY;
        }
      const bool good = worst <= cpu[f].tolerance;
      failures += !good;
      std::printf("%-16s worst difference %.1e%s\n", cpu[f].name.c_str(), worst, good ? "" : ": too large");
    }
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  if (run == 0 || run < static_cast<int>(wanted.size())) {
    std::fprintf(stderr, "families: not all of those named exist\n");
    return 2;
  }
  return failures != 0;
}
