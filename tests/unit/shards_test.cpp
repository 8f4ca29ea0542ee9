#include "tmor/data/shards.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>

#include "../support/files.hpp"
#include "../support/fuzz.hpp"

using namespace tmor;
using test::contains;
using test::message;

namespace {

using Members = std::vector<std::pair<std::string, std::string>>;

/// A triplet with everything, its numbers told apart by `i`.
data::Triplet triplet(int i) {
  data::Triplet t;
  t.id = "clip." + std::to_string(i);
  t.skeleton = SkeletonSequence::make(joint_layout("coco17"), 1, 3, 2);
  for (std::size_t k = 0; k < t.skeleton.xyz.size(); ++k)
    t.skeleton.xyz[k] = static_cast<float>(k) + 0.5f * float(i);
  std::fill(t.skeleton.valid.begin(), t.skeleton.valid.end(), std::uint8_t{kObserved});
  *t.skeleton.state(0, 1, 4) = kMissing;
  t.skeleton.zero_missing_();
  t.skeleton.fps = 12.5f, t.skeleton.width = 64, t.skeleton.height = 48;
  for (int f = 0; f < 3; ++f) {
    t.video.push_back(io::Pixels::black(12, 20));
    for (auto& v : t.video.back().rgb) v = static_cast<std::uint8_t>(20 * i + 40 * f);
  }
  t.features = {1, 2, 3, 4.5f};
  t.feature_dim = 2;
  t.texts = {"one caption", "another \u2192 caption"};
  t.action = i;
  t.segments = {{0, 1, 4}, {1, 3, 2}};
  return t;
}

Members members(int i = 0) { return data::sample_members(triplet(i)); }
std::string& part(Members& m, const std::string& ending) {
  for (auto& [name, bytes] : m)
    if (name == ending) return bytes;
  return m.emplace_back(ending, "").second;
}
Members without(Members m, const std::string& ending) {
  std::erase_if(m, [&](const auto& p) { return p.first == ending; });
  return m;
}
data::Triplet read(const Members& m, const data::SampleOptions& o = {}) {
  std::vector<data::ShardMember> views;
  for (const auto& [ending, bytes] : m) views.push_back({ending, bytes});
  return data::read_sample(views, "key", "s.tar: sample 'key'", o);
}
/// "reason: message" of the error.
std::string refusal(const Members& m, const data::SampleOptions& o = {}) {
  try {
    read(m, o);
  } catch (const data::BadSample& e) {
    CHECK(contains(e.what(), "s.tar: sample 'key': member ."));
    return e.reason + ": " + e.what();
  }
  return "";
}
void check_same(const data::Triplet& a, const data::Triplet& b) {
  CHECK(a.id == b.id);
  CHECK(a.skeleton.xyz == b.skeleton.xyz);
  CHECK(a.skeleton.valid == b.skeleton.valid);
  CHECK(a.skeleton.layout == b.skeleton.layout);
  CHECK(a.skeleton.fps == b.skeleton.fps);
  CHECK(a.skeleton.width == b.skeleton.width);
  CHECK(a.skeleton.height == b.skeleton.height);
  CHECK(a.features == b.features);
  CHECK(a.feature_dim == b.feature_dim);
  CHECK(a.texts == b.texts);
  CHECK(a.action == b.action);
  REQUIRE(a.segments.size() == b.segments.size());
  for (std::size_t i = 0; i < a.segments.size(); ++i) {
    CHECK(a.segments[i].begin == b.segments[i].begin);
    CHECK(a.segments[i].end == b.segments[i].end);
    CHECK(a.segments[i].action == b.segments[i].action);
  }
  REQUIRE(a.video.size() == b.video.size());
  for (std::size_t i = 0; i < a.video.size(); ++i) {
    CHECK(a.video[i].height == b.video[i].height);
    CHECK(a.video[i].width == b.video[i].width);
    CHECK(std::abs(a.video[i].rgb[7] - b.video[i].rgb[7]) <= 3);
  }
}
/// A shard of samples 0 .. n-1 in `dir`.
std::string write(const test::TempDir& dir, int n) {
  data::ShardWriter writer(dir / "s");
  for (int i = 0; i < n; ++i) writer.add(triplet(i));
  writer.close();
  return writer.files().at(0);
}

/// The samples of tests/golden/shards/make.py.
void check_golden(const std::string& folder) {
  const data::Shards shards(data::shard_files(folder));
  REQUIRE(shards.size() == 3);
  const auto walk = *shards.read(0), texts = *shards.read(1), moving = *shards.read(2);
  CHECK(walk.id == "walk_01");
  CHECK(walk.texts == std::vector<std::string>{"someone walks", "a person is walking \u2192"});
  CHECK(walk.action == 3);
  REQUIRE(walk.segments.size() == 2);
  CHECK(walk.segments[1].action == 5);
  const auto& s = walk.skeleton;
  CHECK(s.layout->name == "penn13");
  CHECK(s.fps == 25);
  CHECK(s.width == 160);
  CHECK(*s.state(1, 2, 5) == kMissing);
  CHECK(s.point(1, 2, 6)[1] == ((1 * 4 + 2) * 13 + 6) * 2 + 1);
  REQUIRE(walk.video.size() == 4);
  for (int i = 0; i < 4; ++i) {
    const auto& p = walk.video[static_cast<std::size_t>(i)];
    CHECK(p.width == 16);
    CHECK(p.height == 12);
    CHECK(std::abs(p.at(5, 5)[0] - 40 * i) <= 2);
  }
  CHECK(texts.id == "texts.02");
  CHECK(texts.texts == std::vector<std::string>{"a", "b"});
  CHECK(texts.features == std::vector<float>{0, 1, 2, 3, 4, 5});
  CHECK(texts.feature_dim == 2);
  CHECK_FALSE(texts.has_skeleton());
  CHECK(moving.id == "moving_03");
  REQUIRE(moving.video.size() == 3);
  CHECK(std::abs(moving.video[2].at(0, 0)[1] - 120) <= 2);
}

}  // namespace

TEST_CASE("what is written is read, at random and as a stream") {
  const test::TempDir dir;
  data::ShardWriter writer(dir / "deep/train", {.max_samples = 2});
  for (int i = 0; i < 5; ++i) writer.add(triplet(i));
  CHECK(writer.files().size() == 2);  // the third is not complete
  CHECK_FALSE(io::exists(dir / "deep/train-000002.tar"));
  writer.close();
  CHECK(data::shard_files(dir / "deep") == writer.files());
  CHECK(data::shard_files(dir / "deep/train-{000000..000002}.tar") == writer.files());
  CHECK(contains(message<IoError>([&] { data::ShardWriter again(dir / "deep/train"); }), "is there already"));

  const data::Shards shards(writer.files());
  REQUIRE(shards.size() == 5);
  CHECK(shards.key(4) == "clip_4");
  for (int i : {4, 0, 3, 1, 2}) check_same(*shards.read(i), triplet(i));

  data::ShardStream::Options options;
  options.buffer = 1, options.shuffle_shards = false;
  data::ShardStream stream(writer.files(), Rng(1), options);
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (int i = 0; i < 5; ++i) check_same(*stream.next(), triplet(i));
    CHECK_FALSE(stream.next());
  }
}

TEST_CASE("a stream shuffles by the seed alone, another order each epoch") {
  const test::TempDir dir;
  data::ShardWriter writer(dir / "s", {.max_samples = 5});
  for (int i = 0; i < 20; ++i) {
    auto t = triplet(i);
    t.video.clear();
    writer.add(t);
  }
  writer.close();
  const auto order = [&](std::uint64_t seed, int epochs) {
    data::ShardStream::Options options;
    options.buffer = 8;
    data::ShardStream stream(writer.files(), Rng(seed), options);
    std::vector<std::string> ids;
    for (int e = 0; e < epochs; ++e)
      while (auto t = stream.next()) ids.push_back(t->id);
    return ids;
  };
  const auto a = order(1, 2);
  CHECK(a == order(1, 2));
  CHECK(a != order(2, 2));
  const std::vector<std::string> first(a.begin(), a.begin() + 20), second(a.begin() + 20, a.end());
  CHECK(first != second);
  CHECK(std::set<std::string>(first.begin(), first.end()).size() == 20);
  CHECK(std::set<std::string>(second.begin(), second.end()).size() == 20);
}

TEST_CASE("shards are closed by size too, and one never holds a name twice") {
  const test::TempDir dir;
  data::ShardWriter writer(dir / "s", {.max_bytes = 20000});
  for (int i = 0; i < 4; ++i) writer.add(triplet(i));
  writer.close();
  CHECK(writer.files().size() >= 2);
  for (const auto& f : writer.files()) CHECK(io::file_info(f).size <= 21024);
  data::ShardWriter twice(dir / "t");
  twice.add(triplet(0));
  auto t = triplet(0);
  t.id = "clip_0";
  CHECK(contains(message<Error>([&] { twice.add(t); }), "two samples of the name 'clip_0'"));
  t.id = "";
  CHECK(contains(message<Error>([&] { twice.add(t); }), "without an id"));
  t = triplet(1), t.texts = {"two\nlines"};
  CHECK(contains(message<Error>([&] { twice.add(t); }), "line end"));
  t = triplet(1), t.feature_dim = 3;
  CHECK(contains(message<Error>([&] { twice.add(t); }), "not rows of 3"));
}

TEST_CASE("shards of the webdataset library") {
  check_golden(test::golden("shards"));
  // tests/shard_exchange.py lets the library itself read ours, and gives us what it has just written.
  if (const char* out = std::getenv("TMOR_SHARDS_OUT")) {
    data::ShardWriter writer(out, {.max_samples = 2});
    for (int i = 0; i < 3; ++i) writer.add(triplet(i));
    writer.close();
  }
  if (const char* in = std::getenv("TMOR_SHARDS_IN")) check_golden(in);
}

TEST_CASE("frames: so many, so large") {
  const auto t = read(members(), {.frames = 2, .side = 6});
  REQUIRE(t.video.size() == 2);
  CHECK(t.video[0].width == 6);
  CHECK(std::abs(t.video[1].rgb[0] - 80) <= 3);  // the middle of the second half of three is the last
  CHECK(read(members(), {.read_video = false}).video.empty());
  CHECK(io::even_frames(10, 4) == std::vector<Index>{1, 3, 6, 8});
  CHECK(io::even_frames(3, 0) == std::vector<Index>{0, 1, 2});
  CHECK(contains(message<Error>([] { io::even_frames(2, 3); }), "3 of 2"));
  CHECK(io::natural_less("f2", "f10"));
  CHECK_FALSE(io::natural_less("f10", "f2"));
  CHECK(io::natural_less("f1", "f01"));
  CHECK_FALSE(io::natural_less("a", "a"));
}

TEST_CASE("bad samples: the reason, and an error that names shard, sample and member") {
  auto m = members();
  part(m, "txt") = "\n  \r\n";
  CHECK(contains(refusal(m), "caption: s.tar: sample 'key': member .txt holds no caption"));
  part(m, "txt") = "fine\n\xff\xfe\n";
  CHECK(contains(refusal(m), "a caption is not UTF-8"));
  m = without(members(), "txt");
  CHECK(refusal(m) == "");
  CHECK(contains(refusal(m, {.need_text = true}), "member: s.tar: sample 'key': member .txt is missing"));
  CHECK(contains(refusal(without(members(), "001.jpg")),
                 "video: s.tar: sample 'key': member .002.jpg follows a gap: frame 1"));
  CHECK(contains(refusal(members(), {.frames = 4}), "a video of 3 frames where 4"));
  CHECK(contains(refusal(members(), {.max_frames = 2}), "more than the cap of 2"));
  m = members();
  part(m, "001.jpg").resize(200);
  CHECK(contains(refusal(m), "video: s.tar: sample 'key': member .001.jpg: byte 200: the JPEG ends"));
  part(m, "001.jpg") = io::encode_jpeg(io::Pixels::black(4, 4));
  CHECK(contains(refusal(m), ".001.jpg has another size"));
  CHECK(contains(refusal(without(members(), "skeleton.npy")),
                 ".skeleton.npy is missing, but there is valid.npy"));
  m = without(without(members(), "skeleton.npy"), "valid.npy");
  CHECK(contains(refusal(m, {.need_skeleton = true}), ".skeleton.npy is missing"));
  m = members();
  m.push_back(m[0]);
  CHECK(contains(refusal(m), "appears twice"));
  m = members();
  part(m, "json") = "[";
  CHECK(contains(refusal(m), "json: s.tar: sample 'key': member .json: line 1"));
  part(m, "json") = R"({"layout": "coco18"})";
  CHECK(
      contains(refusal(m), "skeleton: s.tar: sample 'key': member .skeleton.npy: no joint layout 'coco18'"));
  part(m, "json") = R"({"layout": "penn13"})";
  CHECK(contains(refusal(m), "17 joints, but layout penn13 has 13"));
  part(m, "json") = R"({"layout": "coco17", "segments": [[1, 9, 0]]})";
  CHECK(contains(refusal(m), "ends after frame 3"));
  part(m, "json") = R"({"layout": "coco17", "segments": [[2, 2, 0]]})";
  CHECK(contains(refusal(m), "[2, 2, 0] is empty"));
  m = without(members(), "json");
  CHECK(contains(refusal(m), "names its joints"));
  CHECK(read(m, {.layout = "coco17"}).id == "key");
  auto t = triplet(0);
  std::fill(t.skeleton.valid.begin(), t.skeleton.valid.end(), std::uint8_t{kMissing});
  t.skeleton.zero_missing_();
  CHECK(contains(refusal(data::sample_members(t)), "no joint is visible in any frame"));
  m = members();
  part(m, "skeleton.npy") = io::npy_bytes(io::Array(DType::f32, {3, 17, 2}));
  CHECK(contains(refusal(m), "the shape (3, 17, 2) is not (M, T, V, C)"));
  io::Array nan(DType::f32, {1, 3, 17, 2});
  nan.as<float>()[0] = std::nanf("");
  part(m, "skeleton.npy") = io::npy_bytes(nan);
  CHECK(contains(refusal(m), "NaN or infinite"));
  m = members();
  part(m, "valid.npy") = io::npy_bytes(io::Array(DType::u8, {1, 3, 16}));
  CHECK(contains(refusal(m), "does not go with (1, 3, 17, 2)"));
}

TEST_CASE("bad samples are passed over and counted, or are an error") {
  const test::TempDir dir;
  io::TarWriter tar(dir / "s.tar");
  for (int i = 0; i < 5; ++i) {
    auto m = members(i);
    if (i == 1) part(m, "txt") = "";
    if (i == 3) part(m, "000.jpg") = "no picture";
    for (const auto& [ending, bytes] : m) tar.add("k" + std::to_string(i) + "." + ending, bytes);
  }
  for (const char* late : {"k0.more", "k2.more"}) tar.add(late, "x");  // far from their samples
  tar.commit();
  const data::Shards shards({dir / "s.tar"}, {.max_bad = 4});
  CHECK(shards.size() == 3);  // 0 and 2 are torn apart
  int good = 0;
  for (Index i = 0; i < shards.size(); ++i) good += shards.read(i).has_value();
  CHECK(good == 1);
  CHECK(shards.bad().counts() == std::map<std::string, Index>{{"caption", 1}, {"member", 2}, {"video", 1}});
  CHECK(contains(message<IoError>([&] { shards.read(0); }), "(bad sample number 5)"));
  CHECK(contains(message<IoError>([&] { data::Shards({dir / "s.tar"}); }),
                 "sample 'k0': its members do not stand together"));

  data::ShardStream::Options options;
  options.buffer = 2, options.shards.max_bad = 4;
  data::ShardStream stream({dir / "s.tar"}, Rng(0), options);
  std::set<std::string> ids;
  while (auto t = stream.next()) ids.insert(t->id);
  CHECK(ids == std::set<std::string>{"clip.0", "clip.2", "clip.4"});
  CHECK(stream.bad().total() == 4);
  CHECK(stream.bad().messages().size() == 4);
}

TEST_CASE("a shard that is cut off, damaged or missing") {
  const test::TempDir dir;
  const auto path = write(dir, 3);
  const auto good = io::read_file(path);
  io::write_atomic(path, std::string_view(good).substr(0, good.size() / 2));
  CHECK(contains(message<IoError>([&] { data::Shards({path}); }), "s-000000.tar: byte "));
  const data::Shards some({path}, {.max_bad = 1});
  CHECK(some.size() == 1);
  CHECK(some.bad().counts().at("archive") == 1);
  check_same(*some.read(0), triplet(0));
  data::ShardStream::Options options;
  data::ShardStream strict({path}, Rng(0), options);
  CHECK(contains(message<IoError>([&] { strict.next(); }), "s-000000.tar: byte "));
  options.shards.max_bad = 1;
  data::ShardStream stream({path}, Rng(0), options);
  CHECK(stream.next()->id == "clip.0");
  CHECK_FALSE(stream.next());
  CHECK(contains(message<IoError>([&] { data::Shards({dir / "none.tar"}); }), "none.tar"));
  CHECK(contains(message<IoError>([&] { data::shard_files(test::golden("io")); }), "no .tar file"));
  CHECK(contains(message<IoError>([&] { data::shard_files("a-{1..x}.tar"); }), "braces"));
}

TEST_CASE("damaged samples") {
  for (const char* ending : {"json", "txt", "skeleton.npy", "valid.npy", "features.npy", "000.jpg"}) {
    CAPTURE(ending);
    auto m = members();
    const std::string good = part(m, ending);
    const auto one = [&](std::string_view b) {
      part(m, ending) = b;
      const auto t = read(m, {.image = {.max_pixels = 100000}});
      if (t.has_skeleton()) t.skeleton.check("fuzz");
    };
    CHECK(test::fuzz(good, 500, one) > 20);
  }
}
