#pragma once
/// @file shards.hpp
/// Data sets as tar shards (`name-000000.tar`, ...), as Python's `webdataset` writes and reads them: written,
/// read at random through an index, or as a stream through a shuffle buffer.

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tmor/core/rng.hpp"
#include "tmor/data/shard_sample.hpp"
#include "tmor/io/tar.hpp"

TMOR_BEGIN
namespace data {

/// Counts samples that cannot be used, and stops when there are too many. Threads may share it.
class BadSamples {
 public:
  /// `max_bad` samples are passed over; the next one is an error.
  explicit BadSamples(Index max_bad = 0) : max_bad_(max_bad) {}

  /// Counts one. @throws IoError when that is one too many.
  void add(const std::string& reason, const std::string& message) {
    const std::lock_guard lock(mutex_);
    ++counts_[reason];
    if (messages_.size() < 100) messages_.push_back(message);
    if (++total_ > max_bad_) {
      tmor::detail::fail<IoError>(message,
                                  max_bad_ > 0 ? tmor::detail::cat(" (bad sample number ", total_, ")") : "",
                                  ": repair it, or allow more bad samples than ", max_bad_);
    }
  }
  Index total() const {
    const std::lock_guard lock(mutex_);
    return total_;
  }
  /// How many for each reason of `BadSample`.
  std::map<std::string, Index> counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
  }
  /// The messages of the first hundred.
  std::vector<std::string> messages() const {
    const std::lock_guard lock(mutex_);
    return messages_;
  }

 private:
  mutable std::mutex mutex_;
  Index max_bad_ = 0, total_ = 0;
  std::map<std::string, Index> counts_;
  std::vector<std::string> messages_;
};

struct ShardOptions {
  SampleOptions sample{};
  Index max_bad = 0;                                    ///< samples that may be passed over, in all
  std::size_t max_member_bytes = std::size_t{1} << 28;  ///< of one member
};

/// The shards that `where` names: a .tar file, all those of a folder (sorted), or a pattern such as
/// "train-{000000..000012}.tar". @throws IoError when there is none.
inline std::vector<std::string> shard_files(const std::string& where) {
  const auto open = where.find('{'), dots = where.find("..", open), close = where.find('}', dots);
  if (open != where.npos && dots != where.npos && close != where.npos) {
    const auto first = where.substr(open + 1, dots - open - 1),
               last = where.substr(dots + 2, close - dots - 2);
    Index a = -1, b = -1;
    std::from_chars(first.data(), first.data() + first.size(), a);
    std::from_chars(last.data(), last.data() + last.size(), b);
    TMOR_CHECK_IO(a >= 0 && b >= a && b - a < 1000000 && first.size() == last.size(), "shards '", where,
                  "': the braces do not hold two numbers of equal width such as {000000..000012}");
    std::vector<std::string> files;
    for (; a <= b; ++a) {
      auto number = tmor::detail::cat(a);
      number.insert(0, first.size() - std::min(first.size(), number.size()), '0');
      files.push_back(where.substr(0, open) + number + where.substr(close + 1));
    }
    return files;
  }
  if (!io::file_info(where).is_directory) return {where};
  std::vector<std::string> files;
  for (const auto& name : io::list_directory(where))
    if (name.ends_with(".tar")) files.push_back(where + "/" + name);
  TMOR_CHECK_IO(!files.empty(), "no .tar file in '", where, "': give a folder with shards in it");
  return files;
}

namespace detail {

/// "a/b.000.jpg" is member "000.jpg" of sample "a/b". No ending: belongs to no sample (a read-me, say).
inline std::pair<std::string_view, std::string_view> split_member(std::string_view name) {
  const auto slash = name.rfind('/') + 1, dot = name.find('.', slash);  // npos + 1 is 0
  if (dot == name.npos || dot == slash) return {name, {}};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

inline std::string sample_place(const std::string& shard, std::string_view key) {
  return tmor::detail::cat(shard, ": sample '", key, "'");
}

}  // namespace detail

struct ShardWriterOptions {
  Index max_samples = 1000;                      ///< of one shard
  std::size_t max_bytes = std::size_t{1} << 29;  ///< of one shard, unless one sample alone has more
  int quality = 90;                              ///< of JPEG frames
};

/// Writes `<prefix>-000000.tar`, `<prefix>-000001.tar`, ...; each appears when it is complete.
class ShardWriter {
 public:
  /// Makes the folder of `prefix` where missing. @throws IoError when there are shards of that name already.
  explicit ShardWriter(std::string prefix, const ShardWriterOptions& options = {})
      : prefix_(std::move(prefix)), options_(options) {
    TMOR_CHECK(options.max_samples >= 1, "[ShardWriter] shards of ", options.max_samples, " samples");
    io::make_directories(io::detail::parent_directory(prefix_));
    TMOR_CHECK_IO(!io::exists(path(0)), "'", path(0), "' is there already: remove the shards or name others");
  }

  /// Appends a sample. The members' name is its id, with characters that file names do not like replaced; it
  /// may not occur twice in a shard. @throws Error as `sample_members`, and for an empty or repeated id;
  /// IoError
  void add(const Triplet& t) {
    std::string key = t.id;
    for (char& c : key)
      if (!(('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z') || ('0' <= c && c <= '9') || c == '-')) c = '_';
    TMOR_CHECK(!key.empty(), "[ShardWriter] a sample without an id");
    const auto members = sample_members(t, options_.quality);
    std::size_t bytes = 0;
    for (const auto& m : members) bytes += 2 * io::kTarBlock + m.second.size();
    const bool full = static_cast<Index>(keys_.size()) == options_.max_samples ||
                      (tar_ && tar_->size() + bytes > options_.max_bytes);
    if (full) close();
    TMOR_CHECK(keys_.insert(key).second, "[ShardWriter] two samples of the name '", key, "' in one shard");
    if (!tar_) tar_ = std::make_unique<io::TarWriter>(path(files_.size()));
    for (const auto& [ending, data] : members) tar_->add(key + "." + ending, data);
  }

  /// Completes the last shard. Without this call it does not appear. @throws IoError
  void close() {
    if (!tar_) return;
    tar_->commit();
    tar_.reset();
    keys_.clear();
    files_.push_back(path(files_.size()));
  }

  /// The complete shards.
  const std::vector<std::string>& files() const { return files_; }

 private:
  std::string path(std::size_t number) const {
    auto digits = tmor::detail::cat(number);
    digits.insert(0, digits.size() < 6 ? 6 - digits.size() : 0, '0');
    return prefix_ + "-" + digits + ".tar";
  }

  std::string prefix_;
  ShardWriterOptions options_;
  std::unique_ptr<io::TarWriter> tar_;
  std::set<std::string> keys_;
  std::vector<std::string> files_;
};

/// All samples of some shards, in any order: the headers are read once, the rest when asked for. Reading is
/// safe from several threads.
class Shards {
 public:
  /// @throws IoError for shards that cannot be read; when `max_bad` allows it, the rest of a damaged shard is
  /// one bad sample ("archive"), and so is a sample whose members do not stand together ("member").
  explicit Shards(std::vector<std::string> files, const ShardOptions& options = {})
      : files_(std::move(files)), options_(options), bad_(std::make_unique<BadSamples>(options.max_bad)) {
    for (std::size_t i = 0; i < files_.size(); ++i) {
      maps_.emplace_back(files_[i]);
      try {
        scan(i);
      } catch (const IoError& e) {
        if (!samples_.empty() && samples_.back().shard == i) samples_.pop_back();  // perhaps not whole
        bad_->add("archive", e.what());
      }
      std::erase_if(samples_, [&](const Sample& s) { return s.shard == i && torn_.contains(s.key); });
      torn_.clear();
    }
  }

  Index size() const { return static_cast<Index>(samples_.size()); }
  const std::string& key(Index i) const { return at(i).key; }

  /// Sample i, or none when it is bad and `max_bad` allows that. @throws IoError naming shard, sample and
  /// member
  std::optional<Triplet> read(Index i) const {
    try {
      return read_strict(i);
    } catch (const BadSample& e) {
      bad_->add(e.reason, e.what());
      return {};
    }
  }
  /// The same; every bad sample is an error. @throws BadSample
  Triplet read_strict(Index i) const {
    const Sample& s = at(i);
    const auto where = detail::sample_place(files_[s.shard], s.key);
    std::vector<ShardMember> members;
    for (const auto& e : s.members) {
      check_member(where, e, options_);
      members.push_back(
          {detail::split_member(e.name).second, maps_[s.shard].bytes().substr(e.offset, e.size)});
    }
    return read_sample(members, s.key, where, options_.sample);
  }

  const BadSamples& bad() const { return *bad_; }

 private:
  struct Sample {
    std::size_t shard;
    std::string key;
    std::vector<io::TarEntry> members;
  };

  const Sample& at(Index i) const {
    TMOR_CHECK(i >= 0 && i < size(), "[Shards] sample ", i, " of ", size());
    return samples_[static_cast<std::size_t>(i)];
  }
  static void check_member(const std::string& where, const io::TarEntry& e, const ShardOptions& options) {
    if (e.size <= options.max_member_bytes) return;
    throw BadSample("member", tmor::detail::cat(where, ": member ", e.name, " of ", e.size,
                                                " bytes is over the cap of ", options.max_member_bytes));
  }
  void scan(std::size_t shard) {
    io::TarReader<io::MemorySource> tar(io::MemorySource(maps_[shard].bytes()), files_[shard]);
    std::set<std::string, std::less<>> seen;
    std::string current;
    while (auto e = tar.next()) {
      const auto [key, ending] = detail::split_member(e->name);
      if (ending.empty()) continue;
      if (key != current) {
        current = key;
        if (!seen.insert(current).second) {
          if (torn_.insert(current).second)
            bad_->add("member",
                      detail::sample_place(files_[shard], key) + ": its members do not stand together");
          continue;
        }
        samples_.push_back({shard, current, {}});
      }
      if (!torn_.contains(current)) samples_.back().members.push_back(std::move(*e));
    }
  }

  std::vector<std::string> files_;
  ShardOptions options_;
  std::unique_ptr<BadSamples> bad_;
  std::vector<io::MappedFile> maps_;
  std::vector<Sample> samples_;
  std::set<std::string> torn_;  // of the shard being scanned
};

/// Reads shards from front to back, for data too large or too far away to be read at random. Samples leave
/// through a buffer that shuffles them; the order depends on the seed alone. Of a sample whose members do not
/// stand together, those behind the first run are one bad sample.
class ShardStream {
 public:
  struct Options {
    ShardOptions shards{};
    Index buffer = 1000;         ///< samples held to choose from; 1: in the order of the files
    bool shuffle_shards = true;  ///< another order of the files each epoch
  };

  ShardStream(std::vector<std::string> files, Rng rng, const Options& options)
      : files_(std::move(files)), rng_(rng), options_(options), bad_(options.shards.max_bad) {
    TMOR_CHECK(options.buffer >= 1, "[ShardStream] a buffer of ", options.buffer, " samples");
    start_epoch();
  }

  /// The next good sample; none at the end of an epoch (the next call begins another).
  /// @throws IoError naming shard, sample and member, when `max_bad` does not allow it
  std::optional<Triplet> next() {
    for (;;) {
      while (static_cast<Index>(buffer_.size()) < options_.buffer && fetch()) continue;
      if (buffer_.empty()) {
        start_epoch();
        return {};
      }
      std::swap(buffer_[static_cast<std::size_t>(order_.uniform_int(static_cast<Index>(buffer_.size())))],
                buffer_.back());
      const Raw raw = std::move(buffer_.back());
      buffer_.pop_back();
      std::vector<ShardMember> members;
      for (const auto& [ending, bytes] : raw.members) members.push_back({ending, bytes});
      try {
        return read_sample(members, raw.key, detail::sample_place(raw.shard, raw.key),
                           options_.shards.sample);
      } catch (const BadSample& e) {
        bad_.add(e.reason, e.what());
      }
    }
  }

  const BadSamples& bad() const { return bad_; }

 private:
  struct Raw {
    std::string shard, key;
    std::vector<std::pair<std::string, std::string>> members;
    bool torn = false;  // seen before, so that these are not all its members
  };

  void start_epoch() {
    order_ = rng_.fork(epoch_++);
    todo_ = files_;
    if (options_.shuffle_shards) order_.shuffle(todo_);
    std::reverse(todo_.begin(), todo_.end());
  }

  /// Puts one more sample into the buffer; false when there is none.
  bool fetch() {
    for (;;) {
      if (!tar_) {
        if (todo_.empty()) return false;
        shard_ = std::move(todo_.back());
        todo_.pop_back();
        seen_.clear();
        pending_ = {};
      }
      try {
        if (!tar_) tar_ = std::make_unique<io::TarReader<io::FileSource>>(io::FileSource(shard_), shard_);
        if (gather()) return true;
      } catch (const IoError& e) {
        tar_.reset();
        pending_ = {};
        bad_.add("archive", e.what());
      }
    }
  }
  /// Reads members until a sample is complete; false at the end of the shard without one.
  bool gather() {
    while (auto e = tar_->next()) {
      const auto [key, ending] = detail::split_member(e->name);
      if (ending.empty()) continue;
      const bool complete = key != pending_.key && flush();
      if (key != pending_.key) {
        pending_.key = key;
        pending_.torn = !seen_.insert(pending_.key).second;
        if (pending_.torn)
          bad_.add("member", detail::sample_place(shard_, key) + ": its members do not stand together");
      }
      if (!pending_.torn) pending_.members.emplace_back(ending, tar_->read(options_.shards.max_member_bytes));
      if (complete) return true;
    }
    tar_.reset();
    return flush();
  }
  bool flush() {
    const bool whole = !pending_.members.empty();
    if (whole) {
      buffer_.push_back(std::move(pending_));
      buffer_.back().shard = shard_;
    }
    pending_ = {};
    return whole;
  }

  std::vector<std::string> files_, todo_;
  Rng rng_, order_{0};
  std::uint64_t epoch_ = 0;
  Options options_;
  BadSamples bad_;
  std::unique_ptr<io::TarReader<io::FileSource>> tar_;
  std::string shard_;
  std::set<std::string> seen_;
  Raw pending_;
  std::vector<Raw> buffer_;
};

}  // namespace data
TMOR_END
