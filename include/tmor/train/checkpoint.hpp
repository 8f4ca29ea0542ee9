#pragma once
/// @file checkpoint.hpp
/// Everything a run consists of in one safetensors file: the tensors of modules, optimisers and averages by
/// name, and a JSON value. Files appear whole or not at all, carry a checksum, and are loaded whole or not at
/// all.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tmor/core/module.hpp"
#include "tmor/cpu/pointwise.hpp"
#include "tmor/io/safetensors.hpp"

TMOR_BEGIN
namespace train {

/// A named part of a file: anything with a `visit`. Make it with `part`.
template <class M> struct Part {
  std::string prefix;  ///< "model." before every name; may be empty
  const M& module;
};
/// `part("model", model)` holds "model.head.w"; `part("", model)` holds "head.w".
template <class M> Part<M> part(const std::string& name, const M& module) {
  return {name.empty() ? "" : name + ".", module};
}

namespace detail {

using tmor::detail::cat;
using tmor::detail::fail;

/// One tensor of a part, its type forgotten.
struct Slot {
  std::string name;
  DType dtype;
  Shape shape;
  const void* first;                             ///< its memory, to know tied tensors by
  std::function<io::Array()> read;               ///< a copy on the host
  const void* host;                              ///< the elements where they can be read in place, else null
  std::function<void(const io::Array&)> assign;  ///< takes an array of its type and shape
};

template <class T, class Device> Slot slot_of(const std::string& name, const Tensor<T, Device>& t) {
  Slot s{name, dtype_of<T>, t.shape(), t.data(), {}, nullptr, {}};
  if (Device::host_memory && t.is_contiguous()) s.host = t.data();
  s.read = [t] {
    io::Array a(dtype_of<T>, t.shape());
    t.read(a.template as<T>().data());
    return a;
  };
  s.assign = [t](const io::Array& a) {
    const T* const from = a.template as<T>().data();
    if (t.is_contiguous()) {
      copy_from_host(Device{}, t.mutable_data(), from, t.numel());
    } else {
      copy_into(Device{}, t, Tensor<T, Device>::from_pointer(from, t.shape()));
    }
  };
  return s;
}

/// Every tensor of the parts once; tied ones under their first name.
template <class... M> std::vector<Slot> collect(const Part<M>&... parts) {
  std::vector<Slot> slots;
  auto add_part = [&](const auto& p) {
    const std::size_t start = slots.size();
    auto add = [&](const std::string& name, const auto& t, auto...) {
      for (std::size_t i = start; i < slots.size(); ++i)
        if (slots[i].first == t.data() && slots[i].shape == t.shape() && t.numel() > 0) return;
      slots.push_back(slot_of(p.prefix + name, t));
    };
    visit_tensors(p.module, add, add);
  };
  (add_part(parts), ...);
  return slots;
}

/// A checksum that every changed bit changes: each step is a bijection of the state.
class Checksum {
 public:
  void add(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t n = std::min<std::size_t>(8, bytes.size());
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data(), n);
      add(word);
      bytes.remove_prefix(n);
    }
  }
  void add(std::uint64_t word) {
    h_ = (h_ ^ word) * 0x9E3779B97F4A7C15u;
    h_ ^= h_ >> 32;
  }
  void add(const std::string& name, DType dtype, const Shape& shape, std::string_view bytes) {
    add(std::uint64_t{name.size()});
    add(std::string_view(name));
    add(static_cast<std::uint64_t>(dtype));
    for (Index s : shape) add(static_cast<std::uint64_t>(s));
    add(std::uint64_t{bytes.size()});
    add(bytes);
  }
  std::string text() const {
    char digits[17];
    return std::string(digits, std::to_chars(digits, digits + sizeof digits, h_, 16).ptr);
  }

 private:
  std::uint64_t h_ = 0x243F6A8885A308D3u;
};

inline constexpr const char* kStateKey = "tmor.state";
inline constexpr const char* kChecksumKey = "tmor.checksum";

/// @throws IoError when the file has a checksum and it is not that of its contents, or has none but needs
/// one.
inline void verify(const io::SafeTensors& file, const std::string& path, bool required) {
  const auto& meta = file.metadata();
  const auto found = meta.find(kChecksumKey);
  if (found == meta.end() && !required) return;
  TMOR_CHECK_IO(found != meta.end() && meta.count(kStateKey), path,
                ": header: not a checkpoint, or damaged: ", kChecksumKey, " and ", kStateKey, " are missing");
  Checksum sum;
  sum.add(std::string_view(meta.at(kStateKey)));
  for (const auto& [name, info] : file.tensors()) sum.add(name, info.dtype, info.shape, file.bytes(name));
  TMOR_CHECK_IO(sum.text() == found->second, path,
                ": the contents do not match their checksum: the file is damaged");
}

/// Up to 100 of the names, with their number.
inline std::string list_names(const char* what, const std::vector<std::string>& names) {
  if (names.empty()) return "";
  std::string s = cat("\n  ", names.size(), " ", what, ":");
  for (std::size_t i = 0; i < names.size() && i < 100; ++i) s += (i ? ", " : " ") + names[i];
  return names.size() > 100 ? s + ", ..." : s;
}

/// @throws Error listing every name that is missing, unexpected, or has another type or shape.
inline void check_names(const io::SafeTensors& file, const std::string& path, const std::vector<Slot>& slots,
                        const std::vector<std::string>& prefixes) {
  std::vector<std::string> missing, unexpected, unlike;
  auto known = file.tensors();
  for (const Slot& s : slots) {
    if (!file.contains(s.name)) {
      missing.push_back(s.name);
      continue;
    }
    const auto& info = file.info(s.name);
    if (info.dtype != s.dtype || !(info.shape == s.shape))
      unlike.push_back(cat(s.name, " (", dtype_name(info.dtype), " ", info.shape, " in the file, ",
                           dtype_name(s.dtype), " ", s.shape, " here)"));
    known.erase(s.name);
  }
  for (const auto& [name, info] : known)
    for (const auto& prefix : prefixes)
      if (name.compare(0, prefix.size(), prefix) == 0) {
        unexpected.push_back(name);
        break;
      }
  TMOR_CHECK(missing.empty() && unexpected.empty() && unlike.empty(), "'", path,
             "' is of another model than this one; build it with the options the file was made with",
             list_names("missing from the file", missing), list_names("unexpected in the file", unexpected),
             list_names("of another shape or type", unlike));
}

template <class... M> io::Json load(const std::string& path, bool required, const Part<M>&... parts) {
  const io::SafeTensors file(path);
  verify(file, path, required);
  const auto slots = collect(parts...);
  check_names(file, path, slots, {parts.prefix...});
  const auto state = file.metadata().find(kStateKey);
  io::Json json = state == file.metadata().end() ? io::Json::object()
                                                 : io::parse_json(state->second, path + ": " + kStateKey);
  for (const Slot& s : slots) s.assign(file.array(s.name));
  return json;
}

}  // namespace detail

/// Writes all tensors of the parts and `state` to `path`, atomically. The same numbers give the same bytes.
/// @throws IoError; Error when a name appears twice.
template <class... M>
void save_checkpoint(const std::string& path, const io::Json& state, const Part<M>&... parts) {
  auto slots = detail::collect(parts...);
  std::sort(slots.begin(), slots.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  std::vector<io::Array> copies;  // of what does not lie in host memory as it is written
  copies.reserve(slots.size());
  std::vector<io::SafeTensorView> views;
  detail::Checksum sum;
  const std::string text = io::json_text(state);
  sum.add(std::string_view(text));
  for (auto& s : slots) {
    if (!s.host) s.host = copies.emplace_back(s.read()).data();
    const auto n = io::checked_bytes(s.dtype, s.shape, s.name);
    sum.add(s.name, s.dtype, s.shape, {static_cast<const char*>(s.host), n});
    views.emplace_back(s.name, s.dtype, s.shape, s.host);
  }
  io::write_safetensors(path, std::move(views),
                        {{detail::kStateKey, text}, {detail::kChecksumKey, sum.text()}});
}

/// Fills the parts from `path` and returns the state it was saved with ({} for a foreign file). Names of
/// other parts in the file are left alone. Either all tensors are changed or none.
/// @throws IoError when the file cannot be read or is damaged; Error listing together all names that are
/// missing, unexpected, or of another shape or type.
template <class... M> io::Json load_checkpoint(const std::string& path, const Part<M>&... parts) {
  return detail::load(path, false, parts...);
}

/// What is saved beside the tensors, read alone: a model's description, from which to build it before its
/// tensors are loaded. @throws IoError when the file cannot be read or has none.
inline io::Json read_state(const std::string& path) {
  const io::SafeTensors file(path);
  const auto text = file.metadata().find(detail::kStateKey);
  TMOR_CHECK_IO(text != file.metadata().end(), path, ": its description (", detail::kStateKey, ") is missing");
  return io::parse_json(text->second, path);
}

/// A run's newest checkpoint in a folder, the one before, and the best by validation.
inline std::string last_checkpoint(const std::string& dir) { return dir + "/checkpoint.safetensors"; }
inline std::string previous_checkpoint(const std::string& dir) {
  return dir + "/checkpoint.prev.safetensors";
}
inline std::string best_checkpoint(const std::string& dir) { return dir + "/best.safetensors"; }

/// Saves the newest checkpoint of `dir` and keeps the one before. Killed at any moment, or with the disk
/// full, it leaves the newest one of before in place. @throws as `save_checkpoint`.
template <class... M> void save_last(const std::string& dir, const io::Json& state, const Part<M>&... parts) {
  const std::string last = last_checkpoint(dir), previous = previous_checkpoint(dir);
  const std::string next = dir + "/checkpoint.next.safetensors", link = previous + ".tmp";
  save_checkpoint(next, state, parts...);
  if (io::exists(last)) {
    ::unlink(link.c_str());
    // A second name first, so that `last` is never missing; not every file system has hard links.
    const bool linked = ::link(last.c_str(), link.c_str()) == 0;
    if (::rename((linked ? link : last).c_str(), previous.c_str()) != 0)
      io::detail::fail_errno("rename to", previous, errno);
    ::unlink(link.c_str());  // still there when both were names of one file
  }
  if (::rename(next.c_str(), last.c_str()) != 0) io::detail::fail_errno("rename to", last, errno);
}

/// What `load_last` found.
struct Resumed {
  io::Json state;
  std::string path;     ///< the file it came from
  std::string warning;  ///< says so when that is not the newest one, and why; else empty
};

/// Fills the parts from the newest checkpoint of `dir`; from the one before when it is damaged or missing (a
/// damaged one is kept as `checkpoint.safetensors.damaged`). Nothing when there is neither.
/// @throws IoError when both are damaged; Error when the file is of another model.
template <class... M> std::optional<Resumed> load_last(const std::string& dir, const Part<M>&... parts) {
  const std::string last = last_checkpoint(dir), previous = previous_checkpoint(dir);
  std::string problem;
  if (io::exists(last)) {
    try {
      return Resumed{detail::load(last, true, parts...), last, ""};
    } catch (const IoError& e) {
      problem = e.what();
    }
  } else {
    problem = last + " is missing";
  }
  if (!io::exists(previous)) {
    TMOR_CHECK_IO(!io::exists(last), problem,
                  "; there is no previous checkpoint to fall back to: start the run anew");
    return std::nullopt;
  }
  Resumed r{{}, previous, ""};
  try {
    r.state = detail::load(previous, true, parts...);
  } catch (const IoError& e) {
    detail::fail<IoError>(problem, "; the previous checkpoint neither: ", e.what(), "; start the run anew");
  }
  if (io::exists(last)) ::rename(last.c_str(), (last + ".damaged").c_str());
  r.warning = detail::cat(problem, "; continuing from the previous checkpoint ", previous);
  return r;
}

/// A random stream as JSON.
inline io::Json to_json(const Rng::State& s) {
  return {{"seed", s.seed}, {"stream", s.stream}, {"counter", s.counter}};
}
/// @throws IoError naming `where`.
inline Rng::State rng_from_json(const io::Json& j, const std::string& where) {
  return {io::json_at<std::uint64_t>(j, "seed", where), io::json_at<std::uint64_t>(j, "stream", where),
          io::json_at<std::uint64_t>(j, "counter", where)};
}

}  // namespace train
TMOR_END
