#pragma once
/// @file loader.hpp
/// `Loader`: batches made ahead by worker threads. Which samples a batch holds, and the randomness its
/// samples see, depend on the seed, the epoch and the position alone: any number of workers, or a run resumed
/// from `state()`, gives the same batches in the same order.

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "tmor/core/error.hpp"
#include "tmor/core/rng.hpp"

TMOR_BEGIN
namespace data {

struct LoaderOptions {
  Index batch_size = 32;
  bool shuffle = true;     ///< another order each epoch; else 0, 1, ...
  bool drop_last = false;  ///< leave out the last batch of an epoch when it is not full
  std::uint64_t seed = 0;
  int workers = 2;     ///< threads, 0 to 256; 0: `next()` makes each batch itself
  Index prefetch = 4;  ///< batches made ahead at most, 1 to 1024; also beyond the end of the epoch
};

/// A position between two batches, and what it is a position in. Plain numbers: save them in any format.
struct LoaderState {
  std::uint64_t seed = 0;
  Index epoch = 0, batch = 0;  ///< of the batch that comes next
  Index samples = 0, batch_size = 0;
  bool operator==(const LoaderState&) const = default;
};

/// What one batch is to be made of.
struct BatchPlan {
  std::uint64_t seed = 0;
  Index epoch = 0, batch = 0;                       ///< `batch` counts within the epoch
  std::span<const Index> samples;                   ///< numbers in the data set
  std::shared_ptr<const std::vector<Index>> order;  ///< of the whole epoch; `samples` points into it

  /// Randomness for augmenting a sample: its own in each epoch, whatever batch and worker it falls to.
  Rng rng(Index sample) const {
    constexpr std::uint64_t kAugment = 2;
    return Rng(seed)
        .fork(kAugment)
        .fork(static_cast<std::uint64_t>(epoch))
        .fork(static_cast<std::uint64_t>(sample));
  }
};

/// Calls a batch function ahead of time on worker threads. `Batch` is any movable type. For use by one
/// thread:
/// @code
/// data::Loader<Batch> loader(set.size(), [&](const data::BatchPlan& p) { return make_batch(set, p); },
/// options); for (Index epoch = 0; epoch < epochs; ++epoch)
///   while (auto batch = loader.next()) step(*batch);
/// @endcode
template <class Batch> class Loader {
 public:
  /// Makes one batch; called by several threads at once, so it must only read what it shares.
  using Make = std::function<Batch(const BatchPlan&)>;

  /// A loader of a data set of `samples` samples. Threads start at the first `next()`.
  /// @throws Error for options out of range.
  Loader(Index samples, Make make, const LoaderOptions& options = {})
      : make_(std::move(make)), options_(options) {
    TMOR_CHECK(samples >= 0 && options.batch_size >= 1, "[Loader] ", samples, " samples in batches of ",
               options.batch_size, ": give at least 0 and 1");
    TMOR_CHECK(
        options.workers >= 0 && options.workers <= 256 && options.prefetch >= 1 && options.prefetch <= 1024,
        "[Loader] ", options.workers, " workers, ", options.prefetch,
        " batches ahead: give 0 to 256 and 1 to 1024");
    state_ = {options.seed, 0, 0, samples, options.batch_size};
  }
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  ~Loader() { stop(); }

  /// Batches in an epoch.
  Index batches() const {
    return state_.samples / state_.batch_size +
           (!options_.drop_last && state_.samples % state_.batch_size != 0);
  }

  /// The next batch; nothing once at the end of each epoch, after which the next epoch begins. Rethrows what
  /// the batch function threw for this batch, however far ahead that was; the call after it tries once more.
  std::optional<Batch> next() {
    if (state_.batch == batches()) {
      ++state_.epoch;
      state_.batch = 0;
      return std::nullopt;
    }
    std::optional<Batch> batch;
    if (options_.workers == 0) {
      batch.emplace(make_(plan(state_)));
    } else {
      batch = take();
    }
    ++state_.batch;
    return batch;
  }

  /// Where the loader stands: `restore` of it, here or in another run, continues with the same batches.
  const LoaderState& state() const { return state_; }

  /// Continues at `state`, with its seed. @throws Error when it belongs to another data set or batch size.
  void restore(const LoaderState& state) {
    TMOR_CHECK(state.samples == state_.samples && state.batch_size == state_.batch_size,
               "[Loader] the state is of ", state.samples, " samples in batches of ", state.batch_size,
               ", the loader has ", state_.samples, " in batches of ", state_.batch_size,
               ": resume with the same data and batch size");
    TMOR_CHECK(state.epoch >= 0 && state.batch >= 0 && state.batch <= batches(), "[Loader] a state at epoch ",
               state.epoch, ", batch ", state.batch, " of ", batches());
    stop();
    state_ = state;
  }

 private:
  struct Slot {
    std::optional<Batch> batch;
    std::exception_ptr error;
    bool full = false;
  };

  /// Keeps the order of the epoch asked for last. Called by one thread at a time.
  BatchPlan plan(const LoaderState& at) {
    if (!order_ || order_seed_ != at.seed || order_epoch_ != at.epoch) {
      constexpr std::uint64_t kShuffle = 1;
      auto rng = Rng(at.seed).fork(kShuffle).fork(static_cast<std::uint64_t>(at.epoch));
      std::vector<Index> order(static_cast<std::size_t>(at.samples));
      for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Index>(i);
      if (options_.shuffle) rng.shuffle(order);
      order_ = std::make_shared<const std::vector<Index>>(std::move(order));
      order_seed_ = at.seed;
      order_epoch_ = at.epoch;
    }
    const auto begin = static_cast<std::size_t>(at.batch * at.batch_size);
    const auto count = std::min(static_cast<std::size_t>(at.batch_size), order_->size() - begin);
    return {at.seed, at.epoch, at.batch, std::span(*order_).subspan(begin, count), order_};
  }

  /// The batch at `state_`, from the ring.
  std::optional<Batch> take() {
    if (threads_.empty()) start();
    std::unique_lock lock(mutex_);
    Slot& slot = ring_[taken_ % ring_.size()];
    ready_.wait(lock, [&] { return slot.full; });
    Slot got = std::exchange(slot, Slot());
    ++taken_;
    lock.unlock();
    room_.notify_one();
    if (got.error) {
      stop();  // so that the next call starts again at this batch
      std::rethrow_exception(got.error);
    }
    return std::move(got.batch);
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      room_.wait(lock, [&] { return stopping_ || given_ < taken_ + ring_.size(); });
      if (stopping_) return;
      const std::size_t ticket = given_++;
      Slot done;
      try {
        const BatchPlan p = plan(ahead_);
        if (++ahead_.batch == batches()) ++ahead_.epoch, ahead_.batch = 0;
        lock.unlock();
        done.batch.emplace(make_(p));
      } catch (...) {
        done.error = std::current_exception();
      }
      if (!lock.owns_lock()) lock.lock();
      done.full = true;
      ring_[ticket % ring_.size()] = std::move(done);
      ready_.notify_one();
    }
  }

  void start() {
    ring_ = std::vector<Slot>(static_cast<std::size_t>(options_.prefetch));
    ahead_ = state_;
    given_ = taken_ = 0;
    stopping_ = false;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);  // signals belong to the program's own threads
    try {
      for (int i = 0; i < options_.workers; ++i) threads_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {  // fewer threads do as well
    }
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
    TMOR_CHECK(!threads_.empty(),
               "[Loader] the system starts no thread: raise its limit (ulimit -u) or set workers to 0");
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    room_.notify_all();
    for (auto& t : threads_) t.join();
    threads_.clear();
    ring_.clear();
  }

  Make make_;
  LoaderOptions options_;
  LoaderState state_;

  std::vector<std::thread> threads_;
  std::mutex mutex_;  // of all below, while threads run
  std::condition_variable ready_, room_;
  std::vector<Slot> ring_;             // the batch of ticket k is at k modulo its size
  std::size_t given_ = 0, taken_ = 0;  // tickets that workers drew, and that next() returned
  LoaderState ahead_;                  // of the next ticket
  bool stopping_ = false;
  std::shared_ptr<const std::vector<Index>> order_;
  std::uint64_t order_seed_ = 0;
  Index order_epoch_ = 0;
};

}  // namespace data
TMOR_END
