#include "common/sources.hpp"

#include <algorithm>
#include <memory>
#include <numbers>

#include "tmor/data/penn_action.hpp"
#include "tmor/data/shards.hpp"
#include "tmor/skeleton/augment.hpp"
#include "tmor/text/prompt_file.hpp"

namespace task {

tmor::data::synth::SynthOptions synth_options(const SourceOptions& o, tmor::data::synth::Split split) {
  tmor::data::synth::SynthOptions s;
  s.split = split;
  s.layout = o.layout;
  s.channels = o.dims;
  s.video_frames = o.video_frames;
  s.width = s.height = o.side;
  return s;
}

tmor::data::Triplet generated(const tmor::data::synth::SynthSet& set, Index i) {
  auto t = set(i);
  if (t.skeleton.channels == 3) tmor::rotate_(t.skeleton, 0, std::numbers::pi, 0);
  return t;
}

namespace {

Source synth_source(const SourceOptions& o) {
  namespace synth = tmor::data::synth;
  const synth::SynthSet set(synth_options(o, synth::Split::kTrain), o.seed, o.synth_clips);
  Source s{"synth",
           set.size(),
           1,
           [set](Index i) { return generated(set, i); },
           [set](Index i) { return set.label(i).combination; },
           {}};
  auto words = synth_options(o, synth::Split::kTrain);
  words.video_frames = 0;
  words.captions = 4;
  const synth::SynthSet corpus(words, o.seed, std::min<Index>(o.synth_clips, 1000));
  for (Index i = 0; i < corpus.size(); ++i)
    for (auto& text : corpus(i).texts) s.corpus.push_back(std::move(text));
  return s;
}

/// Penn Action's training clips with what its captions file says of each action; no video.
Source penn_source(const std::string& directory, const SourceOptions& o) {
  auto clips = std::make_shared<std::vector<tmor::data::PennClip>>();
  for (auto& c : tmor::data::read_penn_action(directory).clips)
    if (c.train) clips->push_back(std::move(c));
  TMOR_CHECK(!clips->empty(), "--data penn:", directory, ": no training clips");
  const auto book = tmor::read_prompt_book(o.penn_captions);
  auto texts = std::make_shared<std::vector<std::vector<std::string>>>();
  Source s{"penn", std::ssize(*clips), 1, {}, {}, {}};
  for (const auto& action : tmor::data::penn_actions()) {
    texts->push_back(tmor::all_prompts(book, book.find(action)));
    s.corpus.insert(s.corpus.end(), texts->back().begin(), texts->back().end());
  }
  s.sample = [clips, texts](Index i) {
    const auto& c = (*clips)[static_cast<std::size_t>(i)];
    tmor::data::Triplet t;
    t.id = "penn_" + c.id;
    t.skeleton = c.sequence();
    t.texts = (*texts)[static_cast<std::size_t>(c.label)];
    t.action = c.label;
    return t;
  };
  s.kind = [clips](Index i) { return Index{(*clips)[static_cast<std::size_t>(i)].label}; };
  return s;
}

/// Tar shards: a file, a folder, or a pattern like train-{000000..000012}.tar. A bad sample that may be
/// passed over is one without any modality.
Source shards_source(const std::string& where, const SourceOptions& o) {
  const auto shards = std::make_shared<tmor::data::Shards>(tmor::data::shard_files(where),
                                                           tmor::data::ShardOptions{.max_bad = o.max_bad});
  TMOR_CHECK(shards->size() > 0, "--data shards:", where, ": no sample in them");
  Source s{"shards", shards->size(), 1, {}, {}, {}};
  s.sample = [shards](Index i) { return shards->read(i).value_or(tmor::data::Triplet{}); };
  for (Index i = 0; i < std::min<Index>(s.size, 1000); ++i)
    for (auto& text : s.sample(i).texts) s.corpus.push_back(std::move(text));
  return s;
}

}  // namespace

Source make_source(const std::string& given, const SourceOptions& o) {
  const auto at = given.rfind('@');
  const std::string spec = given.substr(0, at), kind = spec.substr(0, spec.find(':')),
                    path = spec == kind ? "" : spec.substr(kind.size() + 1);
  double share = 1;
  if (at != given.npos) {
    const std::string text = given.substr(at + 1);
    char* end = nullptr;
    share = std::strtod(text.c_str(), &end);
    if (end == text.c_str() || *end || !(share > 0 && share <= 1000))
      throw cli::UsageError("--data " + given + ": the share behind @ is no number between 0 and 1000");
  }
  Source s;
  if (spec == "synth") {
    s = synth_source(o);
  } else if (kind == "penn" && !path.empty()) {
    s = penn_source(path, o);
  } else if (kind == "shards" && !path.empty()) {
    s = shards_source(path, o);
  } else {
    throw cli::UsageError("--data " + given + ": give synth, shards:PATH or penn:DIR");
  }
  s.share = share;
  TMOR_CHECK(!s.corpus.empty(), "--data ", given, ": no sample has a text");
  return s;
}

}  // namespace task
