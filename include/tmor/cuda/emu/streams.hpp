#pragma once
/// @file streams.hpp
/// Streams and events of the emulated CUDA device. What a stream is given is done at once or, with
/// TMOR_EMU_STREAMS=deferred, as late as CUDA allows: kernels, copies, fills and frees are queued, and run
/// only when something waits for them, and nothing else with them. A program that forgets to wait then reads
/// NaN or old numbers, and one that frees what another stream may still use is told so. What a captured
/// stream is given is only written down, and done whenever the graph is launched.

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "tmor/cuda/emu/memory.hpp"

TMOR_BEGIN
namespace emu {

class Streams {
 public:
  using Id = std::uint64_t;  ///< of a piece of work, in the order in which they were given; 0 is none
  /// A piece of work with the buffers it may touch.
  struct Node {
    std::string what;
    std::set<const void*> uses;
    std::function<void()> work;
  };
  using Graph = std::vector<Node>;
  struct Stream {
    unsigned number = 0;
    bool blocking = true;  ///< in step with the default stream, as CUDA's are unless made otherwise
    Id last = 0;
    Graph* graph = nullptr;  ///< that takes what the stream is given, while it is captured
  };
  struct Event {
    Id recorded = 0;
  };

  bool deferred = false;

  /// The default one for null.
  Stream& stream(void* s) { return s ? *static_cast<Stream*>(s) : default_; }
  Stream* create(bool blocking) {
    const std::lock_guard<std::mutex> guard(mutex_);
    auto* s = new Stream{++made_, blocking};
    all_.insert(s);
    return s;
  }
  /// What it was given will still be done.
  void destroy(Stream* s) {
    const std::lock_guard<std::mutex> guard(mutex_);
    all_.erase(s);
    delete s;
  }

  /// `work` is to be done after all that `s` was given before. `uses` are the buffers it may touch, `what`
  /// says what it is in errors. @throws Error for what was found wrong since the last call.
  void add(Stream& s, const std::string& what, std::set<const void*> uses, std::function<void()> work) {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (s.graph) {
      s.graph->push_back({what, std::move(uses), std::move(work)});
    } else {
      add_locked(s, what, std::move(uses), std::move(work));
    }
  }
  /// From now on `s` is captured. False when it is already.
  bool capture(Stream& s) {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (s.graph) return false;
    s.graph = new Graph;
    return true;
  }
  /// What `s` was given meanwhile, for the caller to delete; null when it is not captured.
  Graph* end_capture(Stream& s) {
    const std::lock_guard<std::mutex> guard(mutex_);
    return std::exchange(s.graph, nullptr);
  }
  /// Gives `s` all work of a graph. @throws Error for what uses memory that is no more.
  void launch(const Graph& g, Stream& s) {
    const std::lock_guard<std::mutex> guard(mutex_);
    for (const Node& n : g) {
      for (const void* p : n.uses)
        TMOR_CHECK(DeviceMemory::instance().contains(p, 0) && !freed_.contains(p),
                   "[emulated CUDA] a graph is launched whose ", n.what, " uses a freed buffer");
      add_locked(s, n.what, n.uses, n.work);
    }
  }
  /// Frees the buffer at `p` in its turn. False when it is none. What is wrong about it is told later: owners
  /// of memory free it where they may not throw.
  bool free(Stream& s, void* p) {
    DeviceMemory& memory = DeviceMemory::instance();
    const std::lock_guard<std::mutex> guard(mutex_);
    if (!deferred) return memory.release(p);
    if (memory.buffer_of(p) != p || !freed_.insert(p).second) return false;
    const Id id = queue(s, "free", {}, [p, this] {
      freed_.erase(p);
      DeviceMemory::instance().release(p);
    });
    pending_[id].frees = true;
    const std::vector<Id> before = with_all_before(id);
    for (const auto& [other, t] : pending_)
      if (t.uses.contains(p) && std::find(before.begin(), before.end(), other) == before.end() &&
          late_.empty())
        late_ = tmor::detail::cat("[emulated CUDA] memory is freed on ", name(s), " while ", t.what,
                                  " may still use it: nothing makes the one wait for the other");
    return true;
  }
  /// Is `p` in a buffer that is to be freed?
  bool freed(const void* p) {
    const std::lock_guard<std::mutex> guard(mutex_);
    return freed_.contains(DeviceMemory::instance().buffer_of(p));
  }

  void record(Event& e, Stream& s) {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (deferred) e.recorded = queue(s, "event", {}, [] {});
  }
  /// What `s` is given from now on comes after what `e` recorded.
  void wait(Stream& s, const Event& e) {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (!deferred) return;
    pending_[queue(s, "wait", {}, [] {})].after.insert(e.recorded);
  }

  /// Does what `s` was given. @throws Error for what a kernel did wrong; all that is queued is then dropped.
  void synchronize(Stream& s) {
    const std::lock_guard<std::mutex> guard(mutex_);
    throw_late();
    if (deferred) finish(queue(s, "wait", {}, [] {}));
  }
  void synchronize(const Event& e) {
    const std::lock_guard<std::mutex> guard(mutex_);
    throw_late();
    finish(e.recorded);
  }
  /// Does all that is queued anywhere.
  void synchronize() {
    const std::lock_guard<std::mutex> guard(mutex_);
    throw_late();
    while (!pending_.empty()) finish(pending_.rbegin()->first);
  }

  static std::string name(const Stream& s) {
    return s.number ? tmor::detail::cat("stream ", s.number) : "the default stream";
  }
  static Streams& instance() {
    static Streams* s = new Streams;
    return *s;
  }

 private:
  static constexpr std::size_t kMost = 1000;  // about as many as a GPU takes before launches wait
  struct Task {
    std::string what;
    std::set<Id> after;
    std::set<const void*> uses;
    std::function<void()> work;
    bool frees = false;
  };

  Streams() {
    if (const char* s = std::getenv("TMOR_EMU_STREAMS")) {
      deferred = std::string_view(s) == "deferred";
      TMOR_CHECK(deferred || std::string_view(s) == "immediate", "[emulated CUDA] TMOR_EMU_STREAMS is '", s,
                 "': give immediate or deferred");
    }
  }

  void add_locked(Stream& s, const std::string& what, std::set<const void*> uses,
                  std::function<void()> work) {
    if (!deferred) return work();
    throw_late();
    while (pending_.size() >= kMost) finish(pending_.begin()->first);
    queue(s, what, std::move(uses), std::move(work));
  }
  Id queue(Stream& s, const std::string& what, std::set<const void*> uses, std::function<void()> work) {
    std::set<Id> after{s.last};
    if (&s == &default_) {
      for (const Stream* other : all_)
        if (other->blocking) after.insert(other->last);
    } else if (s.blocking) {
      after.insert(default_.last);
    }
    pending_[++given_] = {tmor::detail::cat(what, " on ", name(s)), std::move(after), std::move(uses),
                          std::move(work)};
    return s.last = given_;
  }
  /// What is to be done before `id`, in an order that the streams allow, and `id` itself at the end. Of two
  /// that nothing orders, the one given last goes first: what forgot to wait for the other then misses it.
  std::vector<Id> with_all_before(Id id) const {
    std::vector<Id> order;
    std::set<Id> seen;
    const auto visit = [&](const auto& self, Id at) -> void {
      const auto t = pending_.find(at);
      if (t == pending_.end() || !seen.insert(at).second) return;
      for (auto before = t->second.after.rbegin(); before != t->second.after.rend(); ++before)
        self(self, *before);
      order.push_back(at);
    };
    visit(visit, id);
    return order;
  }
  void finish(Id wanted) {
    for (const Id id : with_all_before(wanted)) {
      const Task task = std::move(pending_.extract(id).mapped());
      try {
        task.work();
      } catch (...) {
        drop();
        throw;
      }
    }
  }
  /// After an error: memory is freed, nothing else happens.
  void drop() {
    for (const auto& [id, t] : pending_)
      if (t.frees) t.work();
    pending_.clear();
  }
  void throw_late() {
    if (late_.empty()) return;
    drop();
    tmor::detail::fail<Error>(std::exchange(late_, ""));
  }

  std::mutex mutex_;
  Stream default_;
  std::set<Stream*> all_;       ///< but the default one
  std::map<Id, Task> pending_;  ///< in the order in which it was given
  std::set<const void*> freed_;
  std::string late_;
  Id given_ = 0;
  unsigned made_ = 0;
};

}  // namespace emu
TMOR_END
