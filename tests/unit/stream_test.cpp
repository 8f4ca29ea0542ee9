#include "tmor/eval/stream.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "tmor/models/skeleton/unik.hpp"
#include "tmor/skeleton/streams.hpp"
#include "tmor/skeleton/transforms.hpp"

using namespace tmor;
using doctest::Approx;
using test::contains;
using test::message;

namespace {

/// A person who wanders about, at times unseen.
SkeletonSequence walk(Index frames) {
  auto s = SkeletonSequence::make(joint_layout("penn13"), 1, frames, 2);
  Rng rng(3);
  float at[2] = {300, 200};
  for (Index t = 0; t < frames; ++t) {
    at[0] += static_cast<float>(4 * rng.normal());
    at[1] += static_cast<float>(4 * rng.normal());
    for (Index v = 0; v < s.joints; ++v) {
      if (t / 7 % 5 == 3 || rng.bernoulli(0.1)) continue;
      *s.state(0, t, v) = kObserved;
      for (Index c = 0; c < 2; ++c)
        s.point(0, t, v)[c] =
            at[c] + static_cast<float>(static_cast<double>(10 * (v % 4)) + 3 * rng.normal());
    }
  }
  return s;
}

struct Net {
  models::Unik<> encoder;
  models::TcnHead<> head;

  explicit Net(bool causal) {
    Rng rng(1);
    models::UnikConfig c;
    c.joints = 13;
    c.in_channels = 6;
    c.heads = 2;
    c.taps = 3;
    c.embed = 0;
    c.stages = {{8}, {16, 2}, {16, 2}};
    encoder = models::Unik<>(rng, c);
    head = models::TcnHead<>(rng, {.in = 16, .classes = 3, .width = 8, .layers = 2, .causal = causal});
  }
  /// Normalised by what the window shows alone.
  Tensor<> tokens(SkeletonSequence w) const {
    const NoGrad guard;
    fill_gaps_(w);
    normalize_body_(w, BodyCenter::kClip);
    const auto b = collate<Cpu>(std::span(&w, 1));
    const auto y = encoder(stream_channels(b, *w.layout, Streams{}), Context{}, b.present).tokens;
    return reshape(y, {y.size(1), y.size(2)});
  }
  Tensor<> logits(const Tensor<>& x) const {
    const NoGrad guard;
    return reshape(head(reshape(x, {1, x.size(0), 16}), Context{}), {x.size(0), 3});
  }
};

/// What came out of a stream, and after which frame.
struct Output {
  std::vector<float> values;
  std::vector<Index> after;  ///< number of frames that were in
  void add(const Tensor<>& x, Index frames) {
    if (!x.defined()) return;
    const auto v = x.to_vector();
    values.insert(values.end(), v.begin(), v.end());
    after.insert(after.end(), static_cast<std::size_t>(x.size(0)), frames);
  }
};

struct Streamed {
  Output tokens, logits;
};

Streamed run_online(const Net& net, const SkeletonSequence& s, const eval::StreamOptions& o) {
  eval::TokenStream tokens(s, 4, o, [&](const SkeletonSequence& w) { return net.tokens(w); });
  eval::HeadStream head([&](const Tensor<>& x) { return net.logits(x); }, net.head.config);
  Streamed out;
  for (Index t = 0; t < s.frames; ++t) {
    const auto x = tokens.push(s, t);
    out.tokens.add(x, t + 1);
    out.logits.add(head.push(x), t + 1);
  }
  const auto x = tokens.finish();
  out.tokens.add(x, s.frames);
  out.logits.add(head.push(x), s.frames);
  out.logits.add(head.finish(), s.frames);
  return out;
}

/// The same windows cut out of the whole sequence, and the head on all tokens at once.
std::pair<std::vector<float>, std::vector<float>> run_offline(const Net& net, const SkeletonSequence& s,
                                                              const eval::StreamOptions& o) {
  const auto all = eval::at_rate(s, o.fps, o.rate);
  std::vector<Tensor<>> parts;
  for (Index start = 0; start < all.frames; start += o.hop) {
    auto w = all.like(o.window);
    for (Index t = 0; t < o.window; ++t) {
      const Index from = start - o.before() + t;
      if (from < 0 || from >= all.frames) continue;
      std::copy_n(all.point(0, from), all.joints * all.channels, w.point(0, t));
      std::copy_n(all.state(0, from), all.joints, w.state(0, t));
    }
    const Index rows = std::min(o.hop / 4, (all.frames - start + 3) / 4);
    parts.push_back(narrow(net.tokens(w), 0, o.before() / 4, rows));
  }
  const auto tokens = concat(parts, 0);
  return {tokens.to_vector(), net.logits(tokens).to_vector()};
}

}  // namespace

TEST_CASE("frame by frame gives the bits of the whole sequence, at the stated delay") {
  const auto s = walk(203);
  struct Case {
    double fps, rate;
    Index window, hop, ahead;
    bool causal;
  };
  for (const Case c :
       {Case{25, 10, 32, 8, 4, true}, Case{25, 10, 32, 8, 0, true}, Case{25, 10, 32, 8, 12, false},
        Case{15, 15, 32, 4, 8, false}, Case{10, 16, 24, 24, 0, true}}) {
    CAPTURE(c.fps);
    CAPTURE(c.ahead);
    const Net net(c.causal);
    const eval::StreamOptions o{
        .fps = c.fps, .rate = c.rate, .window = c.window, .hop = c.hop, .ahead = c.ahead};
    const auto online = run_online(net, s, o);
    const auto offline = run_offline(net, s, o);  // clang 14 captures no structured bindings
    const auto &tokens = offline.first, &logits = offline.second;
    const Index frames = eval::at_rate(s, c.fps, c.rate).frames;
    CHECK(std::ssize(tokens) == (frames + 3) / 4 * 16);
    CHECK(online.tokens.values == tokens);
    CHECK(online.logits.values == logits);
    CHECK(eval::stream_tokens(s, 4, o, [&](const SkeletonSequence& w) {
            return net.tokens(w);
          }).to_vector() == tokens);

    // Step k speaks for k * 4 / rate; frame n is in at n / fps.
    const Index after = c.causal ? 0 : net.head.config.reach();
    const double stated = eval::stream_delay(o, 4, after);
    double longest = 0;
    for (std::size_t k = 0; k < online.logits.after.size(); ++k)
      if (online.logits.after[k] < s.frames)
        longest = std::max(longest, static_cast<double>(online.logits.after[k] - 1) / c.fps -
                                        4 * static_cast<double>(k) / c.rate);
    CHECK(longest <= stated + 1e-9);
    CHECK(longest >= stated - 2 / c.fps);
  }
}

TEST_CASE("nothing that comes later than the delay changes a step") {
  const Net net(true);
  const eval::StreamOptions o{.fps = 25, .rate = 10, .window = 32, .hop = 8, .ahead = 4};
  auto s = walk(203);
  const auto before = run_online(net, s, o).logits;
  for (Index t = 120; t < s.frames; ++t)
    for (Index v = 0; v < s.joints; ++v)
      if (*s.state(0, t, v) != kMissing) s.point(0, t, v)[0] += 50;
  const auto changed = run_online(net, s, o).logits;
  Index same = 0;
  for (std::size_t k = 0; k < before.after.size(); ++k)
    if (before.after[k] <= 120) {
      ++same;
      for (std::size_t c = 0; c < 3; ++c) CHECK(before.values[3 * k + c] == changed.values[3 * k + c]);
    }
  CHECK(same >= 8);
  CHECK(before.values.back() != changed.values.back());
}

TEST_CASE("short sequences, and streams that cannot be") {
  const Net net(false);
  const auto encode = [&](const SkeletonSequence& w) { return net.tokens(w); };
  const eval::StreamOptions o{.fps = 25, .rate = 10, .window = 32, .hop = 8, .ahead = 12};
  CHECK(eval::stream_tokens(walk(1), 4, o, encode).shape() == Shape{1, 16});
  const auto online = run_online(net, walk(3), o);
  CHECK(online.logits.values.size() == 3);

  auto bad = o;
  bad.hop = 6;
  CHECK(contains(message<Error>([&] { eval::TokenStream(walk(1), 4, bad, encode); }), "multiples"));
  bad = o;
  bad.ahead = 28;
  CHECK_THROWS_AS(eval::TokenStream(walk(1), 4, bad, encode), Error);
  bad = o;
  bad.fps = 0;
  CHECK_THROWS_AS(eval::TokenStream(walk(1), 4, bad, encode), Error);
  CHECK_THROWS_AS(eval::at_rate(walk(2), 25, 0), Error);
  eval::TokenStream stream(walk(1), 4, o, encode);
  const auto other = SkeletonSequence::make(joint_layout("penn13"), 2, 1, 2);
  CHECK_THROWS_AS(stream.push(other, 0), ShapeError);
  eval::TokenStream wrong(walk(1), 4, o, [&](const SkeletonSequence&) { return Tensor<>::zeros({7, 16}); });
  wrong.push(walk(1), 0);
  CHECK_THROWS_AS(wrong.finish(), ShapeError);
}

TEST_CASE("another rate is linear between frames; scores are held at the end") {
  auto s = SkeletonSequence::make(joint_layout("penn13"), 1, 6, 2);
  for (Index t = 0; t < 6; ++t) {
    *s.state(0, t) = kObserved;
    s.point(0, t)[0] = static_cast<float>(10 * t);
  }
  const auto slow = eval::at_rate(s, 10, 4);  // every 2.5 frames: 0, 2.5, 5
  CHECK(slow.frames == 3);
  CHECK(slow.fps == 4);
  CHECK(slow.point(0, 1)[0] == 25);
  CHECK(slow.point(0, 2)[0] == 50);
  CHECK(eval::at_rate(s, 10, 10).xyz == s.xyz);

  const auto scores = Tensor<>::from({0, 10, 4, 20}, {2, 2});  // at 0 and 0.5 s
  const auto rows = eval::scores_at_rows(scores, 0.5, 1, 4);   // at 0, 0.25, 0.5, 0.75 s
  CHECK(rows == std::vector<float>{0, 10, 2, 15, 4, 20, 4, 20});
  CHECK_THROWS_AS(eval::scores_at_rows(scores, 0.5, 1, 0), Error);
}
