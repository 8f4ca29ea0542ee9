#pragma once
/// @file model_config.hpp
/// Models as JSON: every size of every tower, by the names of the configuration structs. A key that is left
/// out keeps its default; one that is not known, or a size that is absurd, is an error.

#include <algorithm>
#include <string>
#include <vector>

#include "tmor/core/suggest.hpp"
#include "tmor/io/json.hpp"
#include "tmor/models/tri_modal.hpp"

TMOR_BEGIN
namespace train {
namespace detail {

using tmor::detail::cat;

/// ", did you mean \"x\"?" when some candidate is near enough to help.
inline std::string did_you_mean(const std::string& name, const std::vector<std::string>& candidates) {
  const auto near = nearest_name(name, candidates);
  return near.empty() ? "" : "; did you mean \"" + near + "\"?";
}

/// A configuration struct, described once: `Fields<C>::of(f, c)` calls f for each member of c with its name
/// and range, to write it as to read it.
template <class C> struct Fields;

template <class C> io::Json write_config(const C& c);
template <class C> void read_config(const io::Json& j, const std::string& where, C& c);

class ConfigWriter {
 public:
  io::Json json = io::Json::object();

  void operator()(const char* key, Index v, Index, Index) { json[key] = v; }
  void operator()(const char* key, double v, double, double) { json[key] = v; }
  void operator()(const char* key, bool v) { json[key] = v; }
  template <class E> void choice(const char* key, E v, const std::vector<std::string>& names) {
    json[key] = names[static_cast<std::size_t>(v)];
  }
  template <class C> void list(const char* key, const std::vector<C>& v) {
    json[key] = io::Json::array();
    for (const C& c : v) json[key].push_back(write_config(c));
  }
  void list(const char* key, const std::vector<Index>& v, Index, Index) { json[key] = v; }
  template <class C> void part(const char* key, const C& c) { json[key] = write_config(c); }
  template <class C> void part(const char* key, const std::optional<C>& c) {
    json[key] = c ? write_config(*c) : io::Json();
  }
};

class ConfigReader {
 public:
  /// `where` is named in errors. @throws IoError when `j` is no object.
  ConfigReader(const io::Json& j, std::string where) : json_(j), where_(std::move(where)) {
    TMOR_CHECK_IO(j.is_object(), where_, ": an object expected, not ", j.type_name());
  }

  void operator()(const char* key, Index& v, Index low, Index high) { number(key, v, low, high); }
  void operator()(const char* key, double& v, double low, double high) { number(key, v, low, high); }
  void operator()(const char* key, bool& v) {
    if (find(key)) v = io::json_at<bool>(json_, key, where_);
  }
  template <class E> void choice(const char* key, E& v, const std::vector<std::string>& names) {
    if (!find(key)) return;
    const auto name = io::json_at<std::string>(json_, key, where_);
    const auto found = std::find(names.begin(), names.end(), name);
    TMOR_CHECK_IO(found != names.end(), where_, ": ", key, " is \"", name, "\"", did_you_mean(name, names));
    v = static_cast<E>(found - names.begin());
  }
  template <class C> void list(const char* key, std::vector<C>& v) {
    if (!find(key)) return;
    const io::Json& from = json_.at(key);
    const std::string where = cat(where_, ": ", key);
    TMOR_CHECK_IO(from.is_array() && !from.empty() && from.size() <= 256, where,
                  ": a list of 1 to 256 expected");
    v.assign(from.size(), C{});
    for (std::size_t i = 0; i < v.size(); ++i) read_config(from[i], cat(where, "[", i, "]"), v[i]);
  }
  void list(const char* key, std::vector<Index>& v, Index low, Index high) {
    if (!find(key)) return;
    const io::Json& from = json_.at(key);
    const std::string where = cat(where_, ": ", key);
    TMOR_CHECK_IO(from.is_array() && from.size() <= 1024, where, ": a list of at most 1024 numbers expected");
    v.assign(from.size(), 0);
    for (std::size_t i = 0; i < v.size(); ++i) {
      v[i] = io::json_as<Index>(from[i], where);
      TMOR_CHECK_IO(v[i] >= low && v[i] <= high, where, ": ", v[i], ", want ", low, " to ", high);
    }
  }
  template <class C> void part(const char* key, C& c) {
    if (find(key)) read_config(json_.at(key), cat(where_, ": ", key), c);
  }
  template <class C> void part(const char* key, std::optional<C>& c) {
    if (!find(key)) return;
    if (json_.at(key).is_null()) return c.reset();
    if (!c) c.emplace();
    read_config(json_.at(key), cat(where_, ": ", key), *c);
  }
  /// @throws IoError for a key that no member has.
  void finish() const {
    for (const auto& [key, value] : json_.items())
      TMOR_CHECK_IO(std::find(known_.begin(), known_.end(), key) != known_.end(), where_,
                    ": there is no setting \"", key, "\"", did_you_mean(key, known_));
  }

 private:
  bool find(const char* key) {
    known_.push_back(key);
    return json_.contains(key);
  }
  template <class N> void number(const char* key, N& v, N low, N high) {
    if (!find(key)) return;
    v = io::json_at<N>(json_, key, where_);
    TMOR_CHECK_IO(v >= low && v <= high, where_, ": ", key, " is ", v, ", want ", low, " to ", high);
  }

  const io::Json& json_;
  std::string where_;
  std::vector<std::string> known_;
};

template <> struct Fields<models::SkeletonStage> {
  static void of(auto&& f, auto& c) {
    f("channels", c.channels, Index{1}, Index{1} << 16);
    f("stride", c.stride, Index{1}, Index{64});
  }
};
/// What all skeleton encoders have.
void fields_of_skeleton(auto&& f, auto& c) {
  f("joints", c.joints, Index{1}, Index{1024});
  f("in_channels", c.in_channels, Index{1}, Index{64});
  f("dropout", c.dropout, 0.0, 0.99);
  f("embed", c.embed, Index{0}, Index{1} << 16);
}
template <> struct Fields<models::UnikConfig> {
  static void of(auto&& f, auto& c) {
    fields_of_skeleton(f, c);
    f("heads", c.heads, Index{1}, Index{64});
    f("taps", c.taps, Index{1}, Index{255});
    f("attention", c.attention);
    f.list("stages", c.stages);
  }
};
/// Graph networks are described alike.
struct GraphFields {
  static void of(auto&& f, auto& c) {
    fields_of_skeleton(f, c);
    f.list("parents", c.parents, Index{0}, Index{1023});
    f.list("stages", c.stages);
  }
};
template <> struct Fields<models::StgcnConfig> : GraphFields {};
template <> struct Fields<models::CtrgcnConfig> : GraphFields {};
template <> struct Fields<models::DstformerConfig> {
  static void of(auto&& f, auto& c) {
    fields_of_skeleton(f, c);
    f("dim", c.dim, Index{2}, Index{1} << 14);
    f("depth", c.depth, Index{0}, Index{128});
    f("heads", c.heads, Index{1}, Index{256});
    f("frames_per_token", c.frames_per_token, Index{1}, Index{64});
  }
};
template <> struct Fields<models::VideoConfig> {
  static void of(auto&& f, auto& c) {
    f("frames", c.frames, Index{1}, Index{4096});
    f("height", c.height, Index{1}, Index{4096});
    f("width", c.width, Index{1}, Index{4096});
    f("patch", c.patch, Index{0}, Index{1024});
    f("features", c.features, Index{0}, Index{1} << 16);
    f("dim", c.dim, Index{1}, Index{1} << 14);
    f("depth", c.depth, Index{0}, Index{128});
    f("heads", c.heads, Index{1}, Index{256});
    f("temporal_depth", c.temporal_depth, Index{0}, Index{128});
    f("embed", c.embed, Index{0}, Index{1} << 16);
    f("dropout", c.dropout, 0.0, 0.99);
    f("class_token", c.class_token);
    f("quick_gelu", c.quick_gelu);
    f("checkpoint", c.checkpoint);
  }
};
template <> struct Fields<models::CausalTextConfig> {
  static void of(auto&& f, auto& c) {
    f("vocab", c.vocab, Index{1}, Index{1} << 22);
    f("context", c.context, Index{1}, Index{1} << 16);
    f("width", c.width, Index{1}, Index{1} << 14);
    f("depth", c.depth, Index{0}, Index{128});
    f("heads", c.heads, Index{1}, Index{256});
    f("embed", c.embed, Index{1}, Index{1} << 16);
    f("dropout", c.dropout, 0.0, 0.99);
  }
};
template <> struct Fields<models::TriLossConfig> {
  static void of(auto&& f, auto& c) {
    f.choice("contrast", c.contrast, {"info_nce", "siglip"});
    f("skeleton_video", c.skeleton_video, 0.0, 1e6);
    f("skeleton_text", c.skeleton_text, 0.0, 1e6);
    f("video_text", c.video_text, 0.0, 1e6);
    f("frame", c.frame, 0.0, 1e6);
    f("frame_dim", c.frame_dim, Index{1}, Index{1} << 14);
    f("frame_margin", c.frame_margin, Index{0}, Index{4096});
  }
};
template <> struct Fields<models::TriModalConfig> {
  static void of(auto&& f, auto& c) {
    f.part("skeleton", c.skeleton);
    f.part("video", c.video);
    f.part("text", c.text);
    f.part("loss", c.loss);
  }
};

template <class C> io::Json write_config(const C& c) {
  ConfigWriter w;
  if constexpr (std::is_same_v<C, models::SkeletonConfig>) {
    std::visit([&](const auto& x) { Fields<std::remove_cvref_t<decltype(x)>>::of(w, x); }, c);
    w.json["encoder"] = models::name_of(c);
  } else {
    Fields<C>::of(w, c);
  }
  return w.json;
}
template <class C> void read_config(const io::Json& j, const std::string& where, C& c) {
  ConfigReader r(j, where);
  if constexpr (std::is_same_v<C, models::SkeletonConfig>) {
    auto kind = static_cast<Index>(c.index());
    r.choice("encoder", kind, {std::begin(models::kSkeletonEncoders), std::end(models::kSkeletonEncoders)});
    models::choose(c, kind);
    std::visit([&](auto& x) { Fields<std::remove_cvref_t<decltype(x)>>::of(r, x); }, c);
  } else {
    Fields<C>::of(r, c);
  }
  r.finish();
}

}  // namespace detail

/// A configuration that can be written as JSON: `models::TriModalConfig` and every struct it is made of.
template <class C>
concept ModelConfig = std::is_same_v<C, models::SkeletonConfig> || requires {
  sizeof(detail::Fields<C>);
};

/// Every setting by its name; a skeleton encoder's has "encoder" beside them.
template <ModelConfig C> io::Json to_json(const C& c) { return detail::write_config(c); }

/// `C` with what `j` says of it; the rest as in `base`. `where` is named in errors.
/// @throws IoError for a setting that is unknown (with the nearest name), of another type or out of range.
template <ModelConfig C> C from_json(const io::Json& j, const std::string& where, C base = {}) {
  detail::read_config(j, where, base);
  return base;
}

/// Names of `named_config`, small to large.
inline std::vector<std::string> config_names() { return {"tiny", "small", "base"}; }

/// A whole model by name. The caller sets what its data decide: the skeleton's joints, parents and channels
/// (`models::set_layout`, `in_channels`), the text's vocabulary, and which towers there are.
///
/// - tiny: minutes of training on two CPU cores; 32 x 32 frames.
/// - small: hours of the same; 64 x 64 frames.
/// - base: UNIK's ten blocks, and towers of the sizes of CLIP ViT-B/16; for a GPU.
/// @throws Error for another name, with the nearest one.
inline models::TriModalConfig named_config(const std::string& name) {
  models::TriModalConfig c;
  models::UnikConfig s;
  models::VideoConfig v;
  models::CausalTextConfig t;
  if (name == "tiny") {
    s.stages = {{16}, {16}, {32, 2}, {32}, {64, 2}, {64}};
    s.embed = 128;
    v = {.frames = 8,
         .height = 32,
         .width = 32,
         .patch = 8,
         .dim = 64,
         .depth = 2,
         .heads = 4,
         .temporal_depth = 1};
    t = {.vocab = 512, .context = 32, .width = 64, .depth = 2, .heads = 4};
  } else if (name == "small") {
    s.stages = {{32}, {32}, {32}, {64, 2}, {64}, {128, 2}, {128}};
    s.embed = 256;
    v = {.frames = 8,
         .height = 64,
         .width = 64,
         .patch = 8,
         .dim = 128,
         .depth = 4,
         .heads = 4,
         .temporal_depth = 2};
    t = {.vocab = 2048, .context = 48, .width = 128, .depth = 4, .heads = 4};
  } else if (name == "base") {
    v = {.frames = 16,
         .height = 224,
         .width = 224,
         .patch = 16,
         .dim = 768,
         .depth = 12,
         .heads = 12,
         .temporal_depth = 4};
    t = {.vocab = 49408, .context = 77, .width = 512, .depth = 12, .heads = 8};
  } else {
    tmor::detail::fail<Error>("no configuration '", name.substr(0, 64), "'",
                              detail::did_you_mean(name, config_names()));
  }
  v.embed = t.embed = s.embed;
  c.skeleton = s;
  c.video = v;
  c.text = t;
  return c;
}

}  // namespace train
TMOR_END
