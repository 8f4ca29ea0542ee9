#pragma once
/// @file shard_sample.hpp
/// A `Triplet` as the members of a sample in a tar shard, and back. Members share a name and differ in what
/// follows its first dot:
///
///     .skeleton.npy  float32 (M, T, V, C)        .json  layout, fps, width, height, action, segments, id
///     .valid.npy     uint8 (M, T, V), JointState .txt   captions, UTF-8, one a line
///     .000.jpg ...   frames (also .png)          .gif .mp4 .mkv .avi .webm .mov  frames
///     .features.npy  float32 (F, D)
///
/// Any may be missing. In .json, "segments" holds [begin, end, action] triples and "texts" may hold the
/// captions.

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tmor/data/triplet.hpp"
#include "tmor/io/frames.hpp"
#include "tmor/io/gif.hpp"
#include "tmor/io/image.hpp"
#include "tmor/io/json.hpp"
#include "tmor/io/npy.hpp"
#include "tmor/io/video.hpp"

TMOR_BEGIN
namespace data {

/// A sample that cannot be used, with a short reason to count by: "skeleton", "video", "caption", "json",
/// "features", "member", "archive".
struct BadSample : IoError {
  BadSample(std::string why, const std::string& message) : IoError(message), reason(std::move(why)) {}
  std::string reason;
};

/// What to make of a sample.
struct SampleOptions {
  bool need_skeleton = false, need_video = false, need_text = false;  ///< a sample without it is bad
  std::string layout = {};  ///< of skeletons whose .json is missing or names none
  bool read_video = true;   ///< decode frames; else they are left out
  Index frames = 0;         ///< frames to return, evenly spaced over the video; one with fewer is bad; 0: all
  Index side = 0;           ///< frames are cut to their middle square and resized to this; 0: as they are
  Index max_frames = 10000;  ///< of one video when `frames` is 0
  io::ImageOptions image{};
  std::string ffmpeg = "ffmpeg";  ///< the program that decodes .mp4 and the like
};

/// One member: what follows the first dot of its name, and its bytes.
struct ShardMember {
  std::string_view ending, bytes;
};

namespace detail {

/// UTF-8 as JSON's writer checks it.
inline bool is_utf8(const std::string& text) {
  try {
    io::Json(text).dump();
    return true;
  } catch (const io::Json::exception&) {
    return false;
  }
}

/// Reads the members of one sample.
class SampleReader {
 public:
  /// `where` names shard and sample in errors.
  SampleReader(const std::vector<ShardMember>& members, std::string where, const SampleOptions& options)
      : members_(members), where_(std::move(where)), options_(options) {}

  /// The triplet; `key` is its id unless .json says another. @throws BadSample
  Triplet read(std::string_view key) {
    for (std::size_t i = 0; i < members_.size(); ++i)
      for (std::size_t k = 0; k < i; ++k)
        if (members_[i].ending == members_[k].ending) bad("member", members_[i].ending, "appears twice");
    Triplet t;
    t.id = key;
    guard("json", "json", [&] { read_json(t); });
    guard("skeleton", "skeleton.npy", [&] { read_skeleton(t); });
    guard("caption", "txt", [&] { read_texts(t); });
    guard("features", "features.npy", [&] { read_features(t); });
    if (options_.read_video) read_video(t);
    if (options_.need_skeleton && !t.has_skeleton()) bad("member", "skeleton.npy", "is missing");
    if (options_.need_text && !t.has_text()) bad("member", "txt", "is missing");
    if (options_.need_video && options_.read_video && !t.has_video())
      bad("member", "000.jpg", "is missing, and there is no other video");
    return t;
  }

 private:
  template <class... A>
  [[noreturn]] void bad(const char* reason, std::string_view member, const A&... what) const {
    throw BadSample(reason, tmor::detail::cat(where_, ": member .", member, " ", what...));
  }
  /// Any other error of `f` becomes a BadSample; its message names the member already.
  template <class F> void guard(const char* reason, std::string_view member, F&& f) const {
    try {
      f();
    } catch (const BadSample&) {
      throw;
    } catch (const IoError& e) {
      throw BadSample(reason, e.what());
    } catch (const Error& e) {
      throw BadSample(reason, place(member) + ": " + e.what());
    }
  }
  std::string place(std::string_view member) const { return tmor::detail::cat(where_, ": member .", member); }
  const ShardMember* find(std::string_view ending) const {
    const auto it = std::find_if(members_.begin(), members_.end(),
                                 [&](const ShardMember& m) { return m.ending == ending; });
    return it == members_.end() ? nullptr : &*it;
  }

  void read_json(Triplet& t) {
    const auto* m = find("json");
    if (!m) return;
    const auto name = place("json");
    json_ = io::parse_json(m->bytes, name, {.max_bytes = std::size_t{1} << 24, .max_depth = 20});
    TMOR_CHECK_IO(json_.is_object(), name, ": an object expected");
    const auto get = [&](const char* key, auto fallback) {
      using T = decltype(fallback);
      return json_.contains(key) ? io::json_at<T>(json_, key, name) : fallback;
    };
    t.id = get("id", t.id);
    t.action = get("action", Index{-1});
    TMOR_CHECK_IO(t.action >= -1, name, ": action ", t.action, " is negative");
    layout_ = get("layout", options_.layout);
    fps_ = get("fps", 0.f), width_ = get("width", 0.f), height_ = get("height", 0.f);
    Index before = 0;
    for (const auto& s : get("segments", io::Json::array())) {
      TMOR_CHECK_IO(s.is_array() && s.size() == 3, name, ": segments: not a list of [begin, end, action]");
      const auto number = [&](std::size_t i) { return io::json_as<Index>(s[i], name + ": segments"); };
      const Segment segment{number(0), number(1), number(2)};
      TMOR_CHECK_IO(segment.begin >= before && segment.begin < segment.end && segment.action >= 0, name,
                    ": segments: [", segment.begin, ", ", segment.end, ", ", segment.action,
                    "] is empty, negative or out of order");
      before = segment.begin;
      t.segments.push_back(segment);
    }
  }

  void read_skeleton(Triplet& t) const {
    const auto *xyz = find("skeleton.npy"), *valid = find("valid.npy");
    if (!xyz && valid) bad("member", "skeleton.npy", "is missing, but there is valid.npy");
    if (!xyz) return;
    const auto name = place("skeleton.npy");
    const std::string& layout = json_.is_null() ? options_.layout : layout_;
    TMOR_CHECK_IO(!layout.empty(), name,
                  ": neither a .json member nor SampleOptions::layout names its joints");
    const auto a = io::parse_npy(xyz->bytes, name).convert_to<float>();
    const Shape shape = a.shape();
    TMOR_CHECK_IO(shape.rank() == 4, name, ": the shape ", shape, " is not (M, T, V, C)");
    const LayoutPtr joints = joint_layout(layout);
    TMOR_CHECK_IO(shape[2] == joints->size(), name, ": ", shape[2], " joints, but layout ", layout, " has ",
                  joints->size());
    auto s = SkeletonSequence::make(joints, shape[0], shape[1], shape[3]);
    s.fps = fps_, s.width = width_, s.height = height_;
    std::copy(a.as<float>().begin(), a.as<float>().end(), s.xyz.begin());
    if (valid) {
      const auto v = io::parse_npy(valid->bytes, place("valid.npy"));
      TMOR_CHECK_IO((v.shape() == Shape{shape[0], shape[1], shape[2]}), place("valid.npy"), ": the shape ",
                    v.shape(), " does not go with ", shape, " of .skeleton.npy");
      const auto states = v.convert_to<std::uint8_t>();
      std::copy(states.as<std::uint8_t>().begin(), states.as<std::uint8_t>().end(), s.valid.begin());
    } else {
      std::fill(s.valid.begin(), s.valid.end(), std::uint8_t{kObserved});
      s.mark_zeros_missing_();
    }
    s.check(name);
    const bool seen = std::any_of(s.valid.begin(), s.valid.end(), [](auto v) { return v != kMissing; });
    TMOR_CHECK_IO(seen, name, ": no joint is visible in any frame");
    const bool fits = t.segments.empty() || std::all_of(t.segments.begin(), t.segments.end(),
                                                        [&](const Segment& g) { return g.end <= s.frames; });
    if (!fits) bad("json", "json", "has a segment that ends after frame ", s.frames, " of the skeleton");
    t.skeleton = std::move(s);
  }

  void read_texts(Triplet& t) const {
    const auto add = [&](std::string text, const std::string& name) {
      while (!text.empty() && (text.back() == '\r' || text.back() == ' ')) text.pop_back();
      text.erase(0, text.find_first_not_of(' ') == text.npos ? text.size() : text.find_first_not_of(' '));
      if (text.empty()) return;
      TMOR_CHECK_IO(is_utf8(text), name, ": a caption is not UTF-8");
      t.texts.push_back(std::move(text));
    };
    const auto* m = find("txt");
    const bool listed = json_.is_object() && json_.contains("texts");
    if (m) {
      std::string_view rest = m->bytes;
      while (!rest.empty()) {
        const auto end = std::min(rest.find('\n'), rest.size());
        add(std::string(rest.substr(0, end)), place("txt"));
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
    } else if (listed) {
      for (const auto& text : io::json_at<io::Json>(json_, "texts", place("json")))
        add(io::json_as<std::string>(text, place("json") + ": texts"), place("json"));
    }
    if (m && t.texts.empty()) bad("caption", "txt", "holds no caption");
    if (!m && listed && t.texts.empty()) bad("caption", "json", "holds no caption in \"texts\"");
  }

  void read_features(Triplet& t) const {
    const auto* m = find("features.npy");
    if (!m) return;
    const auto name = place("features.npy");
    const auto a = io::parse_npy(m->bytes, name).convert_to<float>();
    TMOR_CHECK_IO(a.shape().rank() == 2 && a.numel() > 0, name, ": the shape ", a.shape(), " is not (F, D)");
    TMOR_CHECK_IO(
        std::all_of(a.as<float>().begin(), a.as<float>().end(), [](float v) { return is_finite(v); }), name,
        ": holds an infinity or NaN");
    t.features.assign(a.as<float>().begin(), a.as<float>().end());
    t.feature_dim = a.shape()[1];
  }

  void read_video(Triplet& t) const {
    std::vector<const ShardMember*> stills;
    for (const auto& m : members_)
      if (is_still(m.ending)) stills.push_back(&m);
    std::sort(stills.begin(), stills.end(),
              [](auto* a, auto* b) { return io::natural_less(a->ending, b->ending); });
    if (!stills.empty()) return read_stills(t, stills);
    if (const auto* m = find("gif")) return guard("video", "gif", [&] { read_gif(t, *m); });
    for (const char* format : {"mp4", "mkv", "avi", "webm", "mov"})
      if (const auto* m = find(format)) return guard("video", format, [&] { decode_film(t, *m); });
  }
  /// "000.jpg": digits, a dot and the name of a format.
  static bool is_still(std::string_view ending) {
    const auto dot = ending.find_first_not_of("0123456789");
    const auto format = ending.substr(std::min(dot, ending.size()));
    return dot != 0 && dot != ending.npos && (format == ".jpg" || format == ".jpeg" || format == ".png");
  }
  void read_stills(Triplet& t, const std::vector<const ShardMember*>& stills) const {
    const auto count = static_cast<Index>(stills.size());
    for (Index i = 0; i < count; ++i) {
      const auto& ending = stills[static_cast<std::size_t>(i)]->ending;
      Index number = 0;
      std::from_chars(ending.data(), ending.data() + ending.find('.'), number);
      if (number != i) bad("video", ending, "follows a gap: frame ", i, " is missing");
    }
    check_count(count, stills[0]->ending);
    for (Index i : io::even_frames(count, options_.frames)) {
      const auto* m = stills[static_cast<std::size_t>(i)];
      guard("video", m->ending,
            [&] { add_frame(t, io::decode_image(m->bytes, place(m->ending), options_.image), m->ending); });
    }
  }
  void read_gif(Triplet& t, const ShardMember& m) const {
    Index count = 0;
    const io::GifOptions caps{options_.image, options_.max_frames};
    io::for_each_gif_frame(
        m.bytes, place("gif"), [&](const io::GifFrame&) { return ++count > 0; }, caps);
    check_count(count, "gif");
    const auto wanted = io::even_frames(count, options_.frames);
    Index at = 0;
    const auto keep = [&](io::GifFrame f) {
      if (std::binary_search(wanted.begin(), wanted.end(), at++)) add_frame(t, std::move(f.image), "gif");
      return true;
    };
    io::for_each_gif_frame(m.bytes, place("gif"), keep, caps);
  }
  void decode_film(Triplet& t, const ShardMember& m) const {
    t.video = io::decode_video(m.bytes, place(m.ending),
                               {.frames = options_.frames,
                                .side = options_.side,
                                .max_frames = options_.max_frames,
                                .max_pixels = options_.image.max_pixels,
                                .ffmpeg = options_.ffmpeg});
  }
  void check_count(Index count, std::string_view member) const {
    if (count < std::max<Index>(options_.frames, 1))
      bad("video", member, "belongs to a video of ", count, " frames where ", options_.frames,
          " are asked for");
    if (count > options_.max_frames)
      bad("video", member, "belongs to a video of ", count, " frames, more than the cap of ",
          options_.max_frames);
  }
  void add_frame(Triplet& t, io::Pixels image, std::string_view member) const {
    if (options_.side > 0) image = io::resize_square(image, options_.side);
    if (!t.video.empty() && (image.height != t.video[0].height || image.width != t.video[0].width))
      bad("video", member, "has another size than the frames before it");
    t.video.push_back(std::move(image));
  }

  const std::vector<ShardMember>& members_;
  std::string where_;
  const SampleOptions& options_;
  io::Json json_;
  std::string layout_;
  float fps_ = 0, width_ = 0, height_ = 0;
};

}  // namespace detail

/// The triplet that `members` hold. `where` names shard and sample in errors. @throws BadSample
inline Triplet read_sample(const std::vector<ShardMember>& members, std::string_view key, std::string where,
                           const SampleOptions& options = {}) {
  return detail::SampleReader(members, std::move(where), options).read(key);
}

/// The members of a triplet as (ending, bytes); frames become JPEG of the given quality.
/// @throws Error for a triplet that `read_sample` would refuse: captions with line ends, not UTF-8 or blank,
/// sizes that do not agree, a skeleton that does not hold.
inline std::vector<std::pair<std::string, std::string>> sample_members(const Triplet& t, int quality = 90) {
  const std::string where = tmor::detail::cat("[shards] sample '", t.id, "'");
  std::vector<std::pair<std::string, std::string>> out;
  const auto npy = [&](const char* ending, const io::Array& a) {
    out.emplace_back(ending, io::npy_bytes(a));
  };
  io::Json json{{"id", t.id}};
  if (t.action >= 0) json["action"] = t.action;
  for (const auto& g : t.segments) json["segments"].push_back({g.begin, g.end, g.action});
  if (t.has_skeleton()) {
    const auto& s = t.skeleton;
    s.check(where);
    json["layout"] = s.layout->name;
    if (s.fps > 0) json["fps"] = s.fps;
    if (s.width > 0) json["width"] = s.width;
    if (s.height > 0) json["height"] = s.height;
    io::Array xyz(DType::f32, {s.persons, s.frames, s.joints, s.channels}),
        valid(DType::u8, {s.persons, s.frames, s.joints});
    std::copy(s.xyz.begin(), s.xyz.end(), xyz.as<float>().begin());
    std::copy(s.valid.begin(), s.valid.end(), valid.as<std::uint8_t>().begin());
    npy("skeleton.npy", xyz);
    npy("valid.npy", valid);
  }
  if (t.has_text()) {
    std::string lines;
    for (const auto& text : t.texts) {
      TMOR_CHECK(
          text.find_first_not_of(" \r") != text.npos && text.find('\n') == text.npos && detail::is_utf8(text),
          where, ": a caption is blank, has a line end or is not UTF-8");
      lines += text + "\n";
    }
    out.emplace_back("txt", lines);
  }
  if (!t.features.empty()) {
    TMOR_CHECK(t.feature_dim >= 1 && std::ssize(t.features) % t.feature_dim == 0, where, ": ",
               t.features.size(), " features are not rows of ", t.feature_dim);
    io::Array a(DType::f32, {static_cast<Index>(t.features.size()) / t.feature_dim, t.feature_dim});
    std::copy(t.features.begin(), t.features.end(), a.as<float>().begin());
    json["feature_dim"] = t.feature_dim;
    npy("features.npy", a);
  }
  for (std::size_t i = 0; i < t.video.size(); ++i) {
    auto number = tmor::detail::cat(i);
    number.insert(0, number.size() < 3 ? 3 - number.size() : 0, '0');
    out.emplace_back(number + ".jpg", io::encode_jpeg(t.video[i], quality));
  }
  out.emplace_back("json", io::json_text(json));
  return out;
}

}  // namespace data
TMOR_END
