#include <doctest/doctest.h>

#include <cstdio>

#include "../support/files.hpp"
#include "tmor/train/logger.hpp"
#include "tmor/train/progress.hpp"
#include "tmor/train/run_dir.hpp"

using namespace tmor;
using test::contains;
using test::message;

TEST_CASE("the log drops later and broken lines when resumed") {
  const test::TempDir dir;
  io::write_atomic(dir / "log",
                   "{\"step\":1}\n{\"note\":\"kept\"}\n{\"step\":3}\nrubbish\n{\"step\":2}\n{\"step\":2");
  auto log = train::JsonlLog::resumed(dir / "log", 2);
  log.write({{"step", 3}, {"loss", std::numeric_limits<double>::infinity()}});
  CHECK(io::read_file(dir / "log") ==
        "{\"step\":1}\n{\"note\":\"kept\"}\n{\"step\":2}\n{\"loss\":null,\"step\":3}\n");
  train::JsonlLog full("/dev/full");
  CHECK(contains(message<IoError>([&] { full.write({}); }), "/dev/full"));
}

TEST_CASE("a folder that holds a run is refused unless told what to do") {
  const test::TempDir dir;
  const std::string out = dir / "a/b";
  using train::RunDir;
  using train::RunStart;
  const RunDir first(out, RunStart::fresh, {{"lr", 0.1}});
  first.write_metrics({{"top1", 0.5}});
  io::write_atomic(out + "/notes.txt", "mine");
  const auto text = message<Error>([&] { RunDir(out, RunStart::fresh, {}); });
  CHECK(contains(text, out));
  CHECK(contains(text, "--resume"));
  const RunDir resumed(out, RunStart::resume, {{"lr", 0.2}, {"new", 1}});
  CHECK(resumed.changed() == std::vector<std::string>{"lr: 0.2 was 0.1"});
  CHECK(io::exists(out + "/metrics.json"));
  const RunDir over(out, RunStart::overwrite, {{"lr", 0.3}});
  CHECK_FALSE(io::exists(out + "/metrics.json"));
  CHECK(io::exists(out + "/notes.txt"));
  CHECK(io::read_json(out + "/config.json")["lr"] == 0.3);
}

TEST_CASE("progress prints plain lines where there is no terminal") {
  const test::TempDir dir;
  std::FILE* to = std::fopen((dir / "out").c_str(), "w");
  {
    train::Progress bar("train", 10, 0, to);
    for (Index i = 1; i <= 10; ++i) bar.update(i, "loss 1");
    bar.line("done");
  }
  std::fclose(to);
  const auto text = io::read_file(dir / "out");
  CHECK(contains(text, "100% 10/10"));
  CHECK(contains(text, "done\n"));
  CHECK_FALSE(contains(text, "\r"));
  CHECK(train::duration_text(3723) == "1 h 02 min");
  CHECK(train::duration_text(59.9) == "1 min 00 s");
  CHECK(train::duration_text(4.4) == "4 s");
}
