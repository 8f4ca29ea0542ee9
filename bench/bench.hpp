#pragma once
/// Timing and reporting for the benchmark programs: one JSON object a case on stdout, with the keys of
/// bench/peers/common.py, so that bench/compare.py can put the two side by side.
///
///     int main(int argc, char** argv) {
///       bench::Bench b(argc, argv);
///       b.run("name", [&] {            // called only when the case is wanted
///         auto x = ...;                // made once, not timed
///         return [=] { step(x); };     // timed
///       });
///       return b.finish();
///     }
///
/// Options: --case NAME (default: all), --threads N, --repeat N, --warmup N, --sample-ms N (short calls are
/// repeated until a sample takes this long), --list (only names the cases), --interactive (warms up, prints
/// "ready", then takes one sample for every line it reads: how two programs are timed in turns), --cpu-time
/// (processor time instead of the time of day: for one thread on a machine that others use too).

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "tmor/core/parallel.hpp"
#include "tmor/core/suggest.hpp"

namespace bench {

inline double now(clockid_t clock = CLOCK_MONOTONIC) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// Peak resident memory of this process, MiB.
inline double peak_rss_mb() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_maxrss) / 1024;
}

class Bench {
 public:
  Bench(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      const std::string arg = argv[i];
      const auto value = [&] {
        if (++i == argc) usage(arg + " needs a value");
        return std::string(argv[i]);
      };
      const auto count = [&](int least) {
        const std::string text = value();
        char* end = nullptr;
        const long n = std::strtol(text.c_str(), &end, 10);
        if (text.empty() || *end || n < least || n > 1'000'000)
          usage(arg + " " + text + ": not a number it takes");
        return static_cast<int>(n);
      };
      if (arg == "--case") {
        only_ = value();
      } else if (arg == "--threads") {
        tmor::set_num_threads(count(1));
      } else if (arg == "--repeat") {
        repeat_ = count(1);
      } else if (arg == "--warmup") {
        warmup_ = count(0);
      } else if (arg == "--sample-ms") {
        sample_s_ = count(0) * 1e-3;
      } else if (arg == "--list") {
        list_ = true;
      } else if (arg == "--interactive") {
        interactive_ = true;
      } else if (arg == "--cpu-time") {
        clock_ = CLOCK_PROCESS_CPUTIME_ID;
      } else {
        usage("unknown option " + arg);
      }
    }
  }

  /// Times what `make()` returns, if case `name` is wanted.
  template <class Make> void run(const std::string& name, Make&& make) {
    names_.push_back(name);
    if (list_) std::puts(name.c_str());
    if (list_ || (!only_.empty() && only_ != name)) return;
    ran_ = true;
    auto f = make();
    const double first = time(f, 1);
    double once = first;
    for (int i = 0; i < warmup_; ++i) once = std::min(once, time(f, 1));
    const int inner = std::clamp(static_cast<int>(std::lround(sample_s_ / once)), 1, 100'000);
    std::vector<double> v;
    if (interactive_) {
      std::puts("ready");
      std::fflush(stdout);
      for (char line[16]; std::fgets(line, sizeof line, stdin);) {
        v.push_back(time(f, inner));
        std::printf("%.6f\n", v.back() * 1e3);
        std::fflush(stdout);
      }
    } else {
      for (int i = 0; i < repeat_; ++i) v.push_back(time(f, inner));
    }
    if (v.empty()) return;
    std::sort(v.begin(), v.end());
    std::printf(
        "{\"peer\": \"tmor\", \"version\": \"%s\", \"isa\": \"%s\", \"case\": \"%s\", \"threads\": %d, "
        "\"min_ms\": %.4f, \"med_ms\": %.4f, \"max_ms\": %.4f, \"first_ms\": %.4f, \"repeat\": %zu, "
        "\"rss_peak_mb\": %.1f}\n",
        TMOR_VERSION_STRING, tmor::kIsa, name.c_str(), tmor::num_threads(), v.front() * 1e3,
        v[v.size() / 2] * 1e3, v.back() * 1e3, first * 1e3, v.size(), peak_rss_mb());
    std::fflush(stdout);
  }

  /// The exit status; 2 when no case had the name asked for.
  int finish() const {
    if (ran_ || list_) return 0;
    std::fprintf(stderr, "no case '%s'; did you mean '%s'? --list names all\n", only_.c_str(),
                 tmor::nearest_name(only_, names_).c_str());
    return 2;
  }

 private:
  /// Seconds a call takes, over `inner` calls.
  template <class F> double time(F& f, int inner) const {
    const double t = now(clock_);
    for (int i = 0; i < inner; ++i) f();
    return (now(clock_) - t) / inner;
  }
  [[noreturn]] static void usage(const std::string& what) {
    std::fprintf(stderr,
                 "%s\noptions: --case NAME --threads N --repeat N --warmup N --sample-ms N --cpu-time --list "
                 "--interactive\n",
                 what.c_str());
    std::exit(2);
  }

  std::string only_;
  clockid_t clock_ = CLOCK_MONOTONIC;
  int repeat_ = 10, warmup_ = 3;
  double sample_s_ = 0.02;
  bool list_ = false, interactive_ = false, ran_ = false;
  std::vector<std::string> names_;
};

}  // namespace bench
