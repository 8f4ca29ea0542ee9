#include "tmor/train/checkpoint.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>

#include "../support/files.hpp"

using namespace tmor;
using test::contains;
using test::message;
using train::part;

namespace {

/// Tensors of several types, one tied, one strided.
struct Model {
  Tensor<> w, tied, turned;
  Tensor<double> wide = Tensor<double>::full({2}, 0.1);
  Tensor<Index> count = Tensor<Index>::full({1}, 42);
  Tensor<bool> mask = Tensor<bool>::full({3}, true);
  explicit Model(float value = 1, Index rows = 4)
      : w(Tensor<>::full({rows, 3}, value)),
        tied(w),
        turned(Tensor<>::from({value, 2, 3, 4, 5, 6}, {2, 3}).as_strided({3, 2}, {1, 3}, 0)) {}
  static void visit(auto& self, auto&& v) {
    v.param("w", self.w);
    v.param("tied", self.tied);
    v.param("turned", self.turned);
    v.buffer("wide", self.wide);
    v.buffer("count", self.count);
    v.buffer("mask", self.mask);
  }
};

struct Other {
  Tensor<> w = Tensor<>::zeros({4, 2}), extra = Tensor<>::zeros({1}), wide = Tensor<>::zeros({2});
  static void visit(auto& self, auto&& v) {
    v.param("w", self.w);
    v.param("extra", self.extra);
    v.param("wide", self.wide);
  }
};

void save(const std::string& dir, float value) {
  train::save_last(dir, {{"value", value}}, part("model", Model(value)));
}
/// The value of the checkpoint that is loaded, and the warning.
std::pair<float, std::string> load(const std::string& dir) {
  Model m(0);
  const auto r = train::load_last(dir, part("model", m));
  if (!r) return {-1, "none"};
  CHECK(r->state["value"] == m.w.at({0, 0}));
  return {m.w.at({0, 0}), r->warning};
}

void damage(const std::string& path, std::size_t at) {
  std::string bytes = io::read_file(path);
  bytes[at % bytes.size()] ^= 1;
  io::write_atomic(path, bytes);
}

}  // namespace

TEST_CASE("tensors of every kind come back, and the state with them") {
  const test::TempDir dir;
  Model a(3), b(0);
  *a.count.mutable_data() = -7;
  train::save_checkpoint(dir / "x", {{"step", 5}}, part("a", a), part("", Other()));
  const io::SafeTensors file(dir / "x");
  CHECK(file.contains("a.turned"));
  CHECK_FALSE(file.contains("a.tied"));
  CHECK(train::load_checkpoint(dir / "x", part("a", b))["step"] == 5);
  CHECK(b.w.to_vector() == a.w.to_vector());
  CHECK(b.turned.to_vector() == a.turned.to_vector());
  CHECK(b.turned.at({0, 1}) == 4);
  CHECK(b.wide.to_vector() == a.wide.to_vector());
  CHECK(b.count.item() == -7);
}

TEST_CASE("the same numbers give the same bytes") {
  const test::TempDir dir;
  train::save_checkpoint(dir / "x", {{"a", 1}, {"b", 0.1}}, part("m", Model(3)));
  train::save_checkpoint(dir / "y", {{"b", 0.1}, {"a", 1}}, part("m", Model(3)));
  CHECK(io::read_file(dir / "x") == io::read_file(dir / "y"));
}

TEST_CASE("a file of another model is described in one error, and changes nothing") {
  const test::TempDir dir;
  train::save_checkpoint(dir / "x", {}, part("model", Model(3)));
  Other other;
  const auto text = message<Error>([&] { train::load_checkpoint(dir / "x", part("model", other)); });
  CHECK(contains(text, dir / "x"));
  CHECK(contains(text, "1 missing from the file: model.extra"));
  CHECK(contains(text, "3 unexpected in the file: model.count, model.mask, model.turned"));
  CHECK(contains(text,
                 "2 of another shape or type: model.w (float32 (4, 3) in the file, float32 (4, 2) here)"));
  CHECK(contains(text, "model.wide (float64 (2,) in the file, float32 (2,) here)"));
  CHECK(other.w.to_vector() == std::vector<float>(8, 0));
  Model larger(1, 5);
  CHECK_THROWS_AS(train::load_checkpoint(dir / "x", part("model", larger)), Error);
  CHECK(larger.count.item() == 42);
}

TEST_CASE("a file written by others needs no state or checksum") {
  const test::TempDir dir;
  const Other other;
  io::write_safetensors(dir / "x", {{"w", DType::f32, {4, 2}, other.w.data()},
                                    {"extra", DType::f32, {1}, other.extra.data()},
                                    {"wide", DType::f32, {2}, other.wide.data()}});
  CHECK(train::load_checkpoint(dir / "x", part("", other)).empty());
}

TEST_CASE("the newest checkpoint and the one before are kept") {
  const test::TempDir dir;
  CHECK(load(dir.path()).first == -1);
  save(dir.path(), 1);
  CHECK(load(dir.path()) == std::pair(1.f, std::string()));
  save(dir.path(), 2);
  save(dir.path(), 3);
  CHECK(load(dir.path()) == std::pair(3.f, std::string()));
  std::filesystem::remove(train::last_checkpoint(dir.path()));
  const auto [value, warning] = load(dir.path());
  CHECK(value == 2);
  CHECK(contains(warning, "is missing; continuing from the previous checkpoint"));
  CHECK(io::list_directory(dir.path()).size() == 1);
}

TEST_CASE("killed between any two steps of saving, a run finds a checkpoint") {
  const test::TempDir dir;
  save(dir.path(), 1);
  save(dir.path(), 2);
  const std::string last = train::last_checkpoint(dir.path()),
                    previous = train::previous_checkpoint(dir.path());
  // After the newest got its second name, before the next took its place:
  std::filesystem::remove(previous);
  std::filesystem::create_hard_link(last, previous);
  io::write_atomic(dir / "checkpoint.next.safetensors", "half of a file");
  io::write_atomic(previous + ".tmp", "left over");
  CHECK(load(dir.path()).first == 2);
  save(dir.path(), 3);
  CHECK(load(dir.path()) == std::pair(3.f, std::string()));
  CHECK(io::list_directory(dir.path()) ==
        std::vector<std::string>{"checkpoint.prev.safetensors", "checkpoint.safetensors"});
  damage(last, 3000);
  CHECK(load(dir.path()).first == 2);
}

TEST_CASE("any damaged byte is noticed, and the previous checkpoint is used") {
  for (std::size_t at = 0; at < 4000; at += 13) {
    const test::TempDir dir;
    save(dir.path(), 1);
    save(dir.path(), 2);
    const std::string last = train::last_checkpoint(dir.path());
    const std::string before = io::read_file(last);
    if (at >= before.size()) break;
    damage(last, at);
    const auto [value, warning] = load(dir.path());
    CAPTURE(at);
    // Spaces at the end of the header carry nothing, every other byte does.
    if (before[at] == ' ' && value == 2) continue;
    CHECK(value == 1);
    CHECK(contains(warning, last));
    CHECK(contains(warning, "continuing from the previous checkpoint"));
    CHECK(io::exists(last + ".damaged"));
    save(dir.path(), 3);
    CHECK(load(dir.path()).first == 3);
  }
}

TEST_CASE("cut short, empty, or no checkpoint at all") {
  for (const std::string& bytes : {std::string(), std::string("nonsense, but longer than eight bytes")}) {
    const test::TempDir dir;
    save(dir.path(), 1);
    io::write_atomic(train::last_checkpoint(dir.path()), bytes);
    const auto text = message<IoError>([&] { load(dir.path()); });
    CHECK(contains(text, "no previous checkpoint"));
    io::write_atomic(train::previous_checkpoint(dir.path()), bytes);
    CHECK(contains(message<IoError>([&] { load(dir.path()); }), "the previous checkpoint neither"));
  }
}

TEST_CASE("a checkpoint of another model is no reason to fall back") {
  const test::TempDir dir;
  save(dir.path(), 1);
  save(dir.path(), 2);
  Other other;
  CHECK(
      contains(message<Error>([&] { train::load_last(dir.path(), part("model", other)); }), "another model"));
  CHECK(load(dir.path()).first == 2);
}

TEST_CASE("a full disk loses nothing") {
  const test::TempDir dir;
  save(dir.path(), 1);
  save(dir.path(), 2);
  const auto before = io::list_directory(dir.path());
  rlimit old{}, small{};
  getrlimit(RLIMIT_FSIZE, &old);
  small = old;
  small.rlim_cur = 512;
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const auto text = message<IoError>([&] { save(dir.path(), 3); });
  setrlimit(RLIMIT_FSIZE, &old);
  ::signal(SIGXFSZ, handler);
  CHECK(contains(text, "checkpoint.next.safetensors"));
  CHECK(io::list_directory(dir.path()) == before);
  CHECK(load(dir.path()) == std::pair(2.f, std::string()));
  std::filesystem::remove(train::last_checkpoint(dir.path()));
  CHECK(load(dir.path()).first == 1);
}
