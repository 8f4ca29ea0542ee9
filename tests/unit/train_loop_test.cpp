#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>

#include "../support/files.hpp"
#include "../support/toy_training.hpp"

using namespace tmor;
using test::contains;
using test::message;
using test::toy_options;
using test::ToyRun;

namespace {

std::string final_bytes(const std::string& dir) { return io::read_file(train::last_checkpoint(dir)); }

std::vector<io::Json> log_lines(const std::string& path) {
  std::vector<io::Json> lines;
  const std::string text = io::read_file(path);
  for (std::size_t at = 0, end; (end = text.find('\n', at)) != text.npos; at = end + 1)
    lines.push_back(io::parse_json(text.substr(at, end - at), path));
  return lines;
}

/// The bytes a run ends with when nothing interrupts it.
const std::string& uninterrupted() {
  static const std::string bytes = [] {
    const test::TempDir dir;
    ToyRun().run(toy_options(dir.path()));
    return final_bytes(dir.path());
  }();
  return bytes;
}

/// Of a run in f16 whose gradients are infinite with a loss scaled by 65536, which it is every third step.
struct ScaledRun : ToyRun {
  ScaledRun() { loss_scale = 3; }
  static train::LoopOptions options(const std::string& out) {
    auto o = toy_options(out);
    o.precision = train::Precision::f16;
    o.loss_scale.interval = 3;
    return o;
  }
};

}  // namespace

TEST_CASE("a run trains, validates and leaves what it should") {
  const test::TempDir dir;
  ToyRun run;
  auto o = toy_options(dir.path());
  o.epochs = 60;
  o.schedule = {};
  o.clip_norm = 0;
  const auto result = run.run(o);
  CHECK(result.steps == 180);
  CHECK(result.stopped_by == 0);
  CHECK(result.loss < 0.5);
  CHECK(result.best["sum"].get<double>() >= result.metrics["sum"].get<double>());
  const auto lines = log_lines(dir / "log.jsonl");
  CHECK(lines.size() == 90 + 60);
  CHECK(lines[0]["step"] == 2);
  CHECK(lines[0]["loss"].get<double>() > 2 * result.loss);
  CHECK(lines.back()["valid"] == result.metrics);
  // The best file holds the averaged weights that were validated.
  test::ToyModel best;
  const auto info = train::load_checkpoint(train::best_checkpoint(dir.path()), train::part("model", best));
  CHECK(info == result.best);
  double sum = 0;
  for (float v : best.w1.to_vector()) sum += v;
  CHECK(sum == result.best["sum"].get<double>());
}

TEST_CASE("a run stopped at any step and resumed ends with the same bytes") {
  for (Index stop : {1, 2, 3, 5, 7, 12}) {
    CAPTURE(stop);
    const test::TempDir dir;
    auto o = toy_options(dir.path());
    o.max_steps = stop;
    ToyRun().run(o);
    // A shorter run validates its end, which the whole run does not: continue from the checkpoint before.
    std::filesystem::remove(train::best_checkpoint(dir.path()));
    if (stop % 3 != 0) std::filesystem::remove(train::last_checkpoint(dir.path()));
    o.max_steps = 0;
    o.resume = true;
    const auto result = ToyRun().run(o);
    CHECK(result.steps == 12);
    CHECK(final_bytes(dir.path()) == uninterrupted());
    CHECK(ToyRun().run(o).metrics == result.metrics);  // resuming a finished run changes nothing
    CHECK(final_bytes(dir.path()) == uninterrupted());
  }
}

TEST_CASE("killed at a random moment again and again, then resumed: the same bytes") {
  Rng rng(3);
  for (int round = 0; round < 4; ++round) {
    const test::TempDir dir;
    auto o = toy_options(dir.path());
    o.resume = true;
    for (int kills = 0; kills < 3; ++kills) {
      const auto die_at = rng.uniform_int(12);
      const pid_t child = fork();
      REQUIRE(child >= 0);
      if (child == 0) {
        ToyRun run;
        run.before_batch = [&](Index batch) {
          if (batch == die_at) kill(getpid(), SIGKILL);
        };
        run.run(o);
        _exit(0);
      }
      int status = 0;
      waitpid(child, &status, 0);
    }
    CHECK(ToyRun().run(o).steps == 12);
    CHECK(final_bytes(dir.path()) == uninterrupted());
    const auto lines = log_lines(dir / "log.jsonl");
    REQUIRE(lines.size() == 6 + 4);
    for (std::size_t i = 1; i < lines.size(); ++i) CHECK(lines[i - 1]["step"] <= lines[i]["step"]);
  }
}

TEST_CASE("the number of threads does not show in the checkpoint") {
  const int before = num_threads();
  for (int threads : {1, 3}) {
    set_num_threads(threads);
    const test::TempDir dir;
    ToyRun().run(toy_options(dir.path()));
    CHECK(final_bytes(dir.path()) == uninterrupted());
  }
  set_num_threads(before);
}

TEST_CASE("SIGTERM saves and stops, the next run continues") {
  const test::TempDir dir;
  auto o = toy_options(dir.path());
  o.checkpoint_every = 0;
  ToyRun run;
  run.before_batch = [](Index batch) {
    if (batch == 7) raise(SIGTERM);
  };
  const auto result = run.run(o);
  CHECK(result.stopped_by == SIGTERM);
  CHECK(result.steps == 4);
  o.resume = true;
  CHECK(ToyRun().run(o).steps == 12);
}

TEST_CASE("a damaged checkpoint is replaced by the one before, and the result is the same") {
  const test::TempDir dir;
  auto o = toy_options(dir.path());
  o.max_steps = 7;
  ToyRun().run(o);
  std::filesystem::resize_file(train::last_checkpoint(dir.path()), 1000);
  o.max_steps = 0;
  o.resume = true;
  CHECK(ToyRun().run(o).steps == 12);
  CHECK(final_bytes(dir.path()) == uninterrupted());
}

TEST_CASE("a loss that is not finite stops with the step and what to try") {
  const test::TempDir dir;
  auto o = toy_options(dir.path());
  ToyRun run;
  run.loss_scale = std::numeric_limits<double>::quiet_NaN();
  const auto text = message<Error>([&] { run.run(o); });
  CHECK(contains(text, "step 0 (epoch 0): the loss is not finite"));
  CHECK(contains(text, "smaller learning rate"));
  run.loss_scale = 1e38;
  CHECK(contains(message<Error>([&] { run.run(o); }), "not finite"));
  for (float v : run.model.w1.to_vector()) CHECK(is_finite(v));
}

TEST_CASE("f16: steps with infinite gradients are left out, and the log says so") {
  const test::TempDir dir;
  ScaledRun run;
  std::vector<std::vector<float>> weights;
  run.before_batch = [&](Index batch) {
    if (batch % 2 == 0) weights.push_back(run.model.w1.to_vector());  // two batches a step
  };
  run.run(ScaledRun::options(dir.path()));
  weights.push_back(run.model.w1.to_vector());
  REQUIRE(weights.size() == 13);
  // 65536 is too much; three steps at 32768, and it is tried again.
  std::vector<Index> skipped;
  std::vector<double> scales;
  for (const auto& line : log_lines(dir / "log.jsonl")) {
    if (line.contains("skipped")) skipped.push_back(line["step"]);
    if (line.contains("loss")) scales.push_back(line["loss_scale"]);
  }
  CHECK(skipped == std::vector<Index>{1, 5, 9});
  CHECK(scales == std::vector<double>{32768, 65536, 32768, 65536, 32768, 65536});
  for (std::size_t step = 1; step <= 12; ++step) {
    CAPTURE(step);
    CHECK((weights[step] == weights[step - 1]) == (step % 4 == 1));
  }
  for (const auto& line : log_lines(dir / "log.jsonl"))
    if (line.contains("grad_norm")) CHECK(line["grad_norm"].is_number());
}

TEST_CASE("f16: stopped at any step and resumed, the scale goes on as it was: the same bytes") {
  const test::TempDir whole;
  ScaledRun().run(ScaledRun::options(whole.path()));
  const auto lines_of = [](const std::string& dir) {
    auto lines = log_lines(dir + "/log.jsonl");
    for (auto& line : lines) line.erase("seconds");
    return lines;
  };
  for (Index stop : {1, 3, 4, 6}) {
    CAPTURE(stop);
    const test::TempDir dir;
    auto o = ScaledRun::options(dir.path());
    o.checkpoint_every = 1;
    ScaledRun run;
    run.before_batch = [&](Index batch) {
      if (batch == 2 * stop) throw Error("stopped");
    };
    CHECK_THROWS_AS(run.run(o), Error);
    o.resume = true;
    ScaledRun().run(o);
    CHECK(final_bytes(dir.path()) == final_bytes(whole.path()));
    CHECK(lines_of(dir.path()) == lines_of(whole.path()));
  }
  auto o = ScaledRun::options(whole.path());
  o.resume = true;
  o.precision = train::Precision::bf16;  // has no scale
  CHECK(contains(message<Error>([&] { ScaledRun().run(o); }), "scaler.state"));
}

TEST_CASE("f16: a loss function that goes backward itself is told the scale") {
  std::vector<std::vector<float>> weights;
  for (const bool own : {false, true}) {
    ScaledRun run;
    auto o = ScaledRun::options("");
    o.accumulate = 1;
    o.own_backward = own;
    run.run(o);
    weights.push_back(run.model.w1.to_vector());
  }
  CHECK(weights[0] == weights[1]);
}

TEST_CASE("f16: what no scale helps against is an error") {
  ScaledRun run;
  auto o = ScaledRun::options("");
  o.epochs = 20;
  run.loss_scale = 1e36;
  CHECK(contains(message<Error>([&] { run.run(o); }), "train with bf16"));
  ScaledRun lost;
  lost.loss_scale = std::numeric_limits<double>::quiet_NaN();
  CHECK(contains(message<Error>([&] { lost.run(o); }), "f16 ends at 65504"));
}

TEST_CASE("accumulated batches step like one large batch") {
  auto weights = [](Index batch, Index accumulate) {
    ToyRun run(24, batch);
    train::LoopOptions o;
    o.accumulate = accumulate;
    o.lr = 1e-3;
    o.quiet = true;
    run.run(o);
    return run.model.w1.to_vector();
  };
  const auto large = weights(12, 1), small = weights(4, 3);
  for (std::size_t i = 0; i < large.size(); ++i) CHECK(small[i] == doctest::Approx(large[i]).epsilon(1e-5));
}

TEST_CASE("options out of range, and a source without batches") {
  ToyRun run;
  train::LoopOptions o;
  o.accumulate = 0;
  CHECK_THROWS_AS(run.run(o), Error);
  o = {};
  o.best_metric = "top1";
  o.quiet = true;
  CHECK(contains(message<Error>([&] { run.run(o); }), "\"top1\" is missing"));
  CHECK(contains(message<Error>([&] { ToyRun(0).run(o); }), "no batch to train on"));
}
