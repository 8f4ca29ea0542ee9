#include "../../examples/common/cli.cpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"

using namespace tmor;
using test::contains;
using test::message;

namespace {

struct Options {
  cli::Common common;
  double lr = 1e-3;
  std::string mode = "supervised";
  std::vector<Index> ks{1, 2};
  std::string text;
  io::Json config;
};

/// What a program with these arguments sees.
Options parse(std::vector<const char*> args) {
  Options o;
  cli::Program program("A program for tests.");
  o.common.epochs = 30;
  program.add(o.common);
  program.option("--lr", o.lr, "learning rate").check(cli::at_least(0.0));
  program.option("--ks", o.ks, "shots");
  program.option("--text", o.text, "anything");
  program.choice("--mode", o.mode, {"supervised", "contrastive"}, "what to train");
  args.insert(args.begin(), "program");
  program.parse(static_cast<int>(args.size()), args.data());
  o.config = program.config();
  return o;
}
std::string usage_error(std::vector<const char*> args) {
  return message<cli::UsageError>([&] { parse(std::move(args)); });
}

}  // namespace

TEST_CASE("options and their defaults") {
  const int threads = num_threads();
  const auto o = parse({"--lr", "0.5", "--max-steps=7", "--ks", "3", "4", "5", "--json", "--threads", "1"});
  CHECK(o.lr == 0.5);
  CHECK(o.common.max_steps == 7);
  CHECK(o.common.epochs == 30);
  CHECK(o.common.json);
  CHECK(o.ks == std::vector<Index>{3, 4, 5});
  CHECK(num_threads() == 1);
  set_num_threads(threads);
  CHECK(parse({}).ks == std::vector<Index>{1, 2});
}

TEST_CASE("wrong usage names the nearest valid option or value") {
  CHECK(contains(usage_error({"--epoch", "3"}), "unknown option '--epoch'; did you mean '--epochs'?"));
  CHECK(
      contains(usage_error({"--max_steps=3"}), "unknown option '--max_steps'; did you mean '--max-steps'?"));
  CHECK(contains(usage_error({"stray"}), "unknown option 'stray'"));
  CHECK(contains(usage_error({"--mode", "contrast"}), "did you mean 'contrastive'?"));
  CHECK(contains(usage_error({"--device", "gpu"}), "did you mean 'cpu'?"));
  CHECK(contains(usage_error({"--lr", "fast"}), "--lr"));
  CHECK(contains(usage_error({"--lr", "-1"}), "at least 0"));
  CHECK(contains(usage_error({"--epochs", "1.5"}), "--epochs"));
  CHECK(contains(usage_error({"--epochs", "0"}), "at least 1"));
  CHECK(contains(usage_error({"--seed", "-1"}), "--seed"));
  CHECK(contains(usage_error({"--epochs"}), "--epochs"));
  CHECK(contains(usage_error({"--resume"}), "--out"));
  CHECK(contains(usage_error({"--resume", "--overwrite", "--out", "x"}), "exclude"));
}

TEST_CASE("a config file sets what the command line does not") {
  const test::TempDir dir;
  const std::string path = dir / "c.json";
  io::write_atomic(
      path,
      R"({"lr": 0.25, "epochs": 9, "ks": [8, 16], "json": true, "text": "a, b c", "mode": "contrastive"})");
  const auto o = parse({"--config", path.c_str(), "--epochs", "4"});
  CHECK(o.lr == 0.25);
  CHECK(o.common.epochs == 4);
  CHECK(o.ks == std::vector<Index>{8, 16});
  CHECK(o.common.json);
  CHECK(o.text == "a, b c");
  CHECK(o.mode == "contrastive");

  io::write_json(path, o.config);
  CHECK(parse({"--config", path.c_str()}).config == o.config);

  auto error = [&](const char* text) {
    io::write_atomic(path, text);
    return usage_error({"--config", path.c_str()});
  };
  CHECK(contains(error(R"({"max_steps": 1})"), "did you mean \"max-steps\"?"));
  CHECK(contains(error(R"({"mode": "x"})"), "did you mean"));
  CHECK(contains(error(R"({"epochs": "many"})"), "epochs"));
  CHECK(contains(error("{"), "--config"));
  CHECK(contains(error("[]"), "JSON object"));
  CHECK(contains(usage_error({"--config", "/no/such.json"}), "/no/such.json"));
}

TEST_CASE("exit status") {
  CHECK(cli::run([] {}) == 0);
  CHECK(cli::run([] { parse({"--help"}); }) == 0);
  CHECK(cli::run([] { parse({"--wrong"}); }) == 2);
  CHECK(cli::run([] { parse({"--device", "cuda"}); }) == 1);
  CHECK(cli::run([] { io::read_file("/no/such/file"); }) == 1);
  CHECK(cli::run([] { throw std::bad_alloc(); }) == 1);
}

TEST_CASE("a fresh, a resumed and an overwritten run") {
  CHECK(parse({"--out", "x"}).common.start() == train::RunStart::fresh);
  CHECK(parse({"--out", "x", "--resume"}).common.start() == train::RunStart::resume);
  CHECK(parse({"--out", "x", "--overwrite"}).common.start() == train::RunStart::overwrite);
}
