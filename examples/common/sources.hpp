#pragma once
/// Where pre-training takes its triplets from: the generator, shards, or a data set of clips and captions;
/// and mixtures of them.

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "common/cli.hpp"
#include "tmor/data/synth.hpp"

namespace task {

using tmor::Index;

/// Triplets by number. Calls may come from any thread.
struct Source {
  std::string name;
  Index size = 0;
  double share = 1;  ///< passes over it in an epoch
  std::function<tmor::data::Triplet(Index)> sample;
  std::function<Index(Index)> kind;  ///< samples of equal kind >= 0 show the same, and are no negatives
  std::vector<std::string> corpus;   ///< texts for the tokenizer to learn from
};

/// What sources need to know.
struct SourceOptions {
  std::string layout = "coco17";
  Index dims = 2;                     ///< coordinates of generated joints
  Index synth_clips = 6000;           ///< size of the generated set
  Index video_frames = 4, side = 48;  ///< of generated videos; 0 frames: none
  std::uint64_t seed = 0;
  std::string penn_captions = TMOR_EXAMPLES "/penn_action/captions.json";
  Index max_bad = 0;  ///< samples of shards that may be passed over
};

/// The generator's options for one of its splits.
tmor::data::synth::SynthOptions synth_options(const SourceOptions& o, tmor::data::synth::Split split);

/// Sample i; in three dimensions as a Kinect gives it, x to its left and z away from it.
tmor::data::Triplet generated(const tmor::data::synth::SynthSet& set, Index i);

/// "synth", "shards:PATH" or "penn:DIR", each with "@SHARE" behind it or not. @throws UsageError.
Source make_source(const std::string& given, const SourceOptions& o);

/// Several sources as one: an epoch passes over each by its share, a part of a pass going on where the epoch
/// before left off.
class Mixture {
 public:
  explicit Mixture(std::vector<Source> sources) : sources_(std::move(sources)) {
    for (const Source& s : sources_) {
      counts_.push_back(std::max<Index>(1, static_cast<Index>(s.share * static_cast<double>(s.size) + 0.5)));
      size_ += counts_.back();
    }
  }
  Index size() const { return size_; }
  const std::vector<Source>& sources() const { return sources_; }
  std::vector<std::string> corpus() const {
    std::vector<std::string> all;
    for (const Source& s : sources_) all.insert(all.end(), s.corpus.begin(), s.corpus.end());
    return all;
  }

  /// Slot i of an epoch.
  tmor::data::Triplet sample(Index i, Index epoch) const {
    const auto [source, number] = find(i, epoch);
    return sources_[source].sample(number);
  }
  /// Its kind; those of different sources differ.
  Index kind(Index i, Index epoch) const {
    const auto [source, number] = find(i, epoch);
    const Index k = sources_[source].kind ? sources_[source].kind(number) : -1;
    return k < 0 ? -1 : k * std::ssize(sources_) + static_cast<Index>(source);
  }

 private:
  std::pair<std::size_t, Index> find(Index i, Index epoch) const {
    std::size_t s = 0;
    for (; i >= counts_[s]; ++s) i -= counts_[s];
    return {s, (i + epoch * counts_[s]) % sources_[s].size};
  }

  std::vector<Source> sources_;
  std::vector<Index> counts_;
  Index size_ = 0;
};

}  // namespace task
