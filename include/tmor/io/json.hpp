#pragma once
/// @file json.hpp
/// JSON by nlohmann/json, strict: sizes and depth capped, repeated keys and bytes that are not UTF-8 refused,
/// errors with file, line and column. The only file that includes the library.

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tmor/core/finite.hpp"
#include "tmor/io/file.hpp"

TMOR_BEGIN
namespace io {

/// A JSON value; the keys of an object are sorted.
using Json = nlohmann::json;

struct JsonOptions {
  std::size_t max_bytes = std::size_t{1} << 28;  ///< of text; the value takes up to about 20 times that
  int max_depth = 100;
};

/// "line 3, column 7" of a byte offset; columns count bytes from 1.
inline std::string text_position(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  const auto before = text.substr(0, offset);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const auto start = before.rfind('\n');
  return detail::cat("line ", line, ", column ",
                     offset - (start == std::string_view::npos ? 0 : start + 1) + 1);
}

namespace detail {

/// Builds the value from the parser's events, which is where depth and repeated keys can be refused.
class JsonBuilder {
 public:
  using number_integer_t = Json::number_integer_t;
  using number_unsigned_t = Json::number_unsigned_t;

  JsonBuilder(std::string_view text, std::string_view name, int max_depth)
      : text_(text), name_(name), max_depth_(static_cast<std::size_t>(max_depth)) {}

  Json take() { return std::move(root_); }

  bool null() { return put(nullptr); }
  bool boolean(bool v) { return put(v); }
  bool number_integer(number_integer_t v) { return put(v); }
  bool number_unsigned(number_unsigned_t v) { return put(v); }
  bool number_float(double v, const std::string& digits) {
    // The library's own check does not survive -ffast-math.
    TMOR_CHECK_IO(is_finite(v), name_, ": the number ", digits, " is too large");
    return put(v);
  }
  bool string(std::string& v) { return put(std::move(v)); }
  bool binary(Json::binary_t&) { return false; }
  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& k) {
    auto [it, fresh] = open_.back()->emplace(k, nullptr);
    TMOR_CHECK_IO(fresh, name_, ": the key \"", k, "\" appears twice in one object");
    slot_ = &*it;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const Json::exception& e) {
    const std::string_view what = e.what();  // "[json.exception.parse_error.101] parse error at ...: reason"
    const auto colon = what.find(": ");
    fail<IoError>(name_, ": ", text_position(text_, position ? position - 1 : 0),
                  ": not valid JSON: ", colon == std::string_view::npos ? what : what.substr(colon + 2));
  }

 private:
  template <class V> bool put(V&& v) {
    place() = std::forward<V>(v);
    return true;
  }
  bool open(Json v) {
    TMOR_CHECK_IO(open_.size() < max_depth_, name_, ": JSON nested deeper than ", max_depth_, " levels");
    Json& p = place();
    p = std::move(v);
    open_.push_back(&p);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }
  Json& place() {
    if (open_.empty()) return root_;
    if (open_.back()->is_object()) return *slot_;
    open_.back()->push_back(nullptr);
    return open_.back()->back();
  }

  std::string_view text_, name_;
  std::size_t max_depth_;
  Json root_;
  std::vector<Json*>
      open_;              // objects and arrays not yet closed; only the last one grows, so these stay valid
  Json* slot_ = nullptr;  // where the value of the last key goes
};

}  // namespace detail

/// `name` is named in errors. @throws IoError with line and column.
inline Json parse_json(std::string_view text, std::string_view name, const JsonOptions& options = {}) {
  detail::check_size(std::string(name), text.size(), options.max_bytes);
  detail::JsonBuilder builder(text, name, options.max_depth);
  Json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

/// @throws IoError
inline Json read_json(const std::string& path, const JsonOptions& options = {}) {
  return parse_json(read_file(path, options.max_bytes), path, options);
}

namespace detail {

/// Infinities and NaN become null; by ourselves, since the library's test does not survive -ffast-math.
inline void null_not_finite(Json& value) {
  if (value.is_structured()) {
    for (auto& v : value) null_not_finite(v);
  } else if (value.is_number_float() && !is_finite(value.get<double>())) {
    value = nullptr;
  }
}

}  // namespace detail

/// The text of `value`, on one line or indented by `indent` spaces. Infinities and NaN, which JSON has not,
/// become null. @throws Error when a string is not UTF-8.
inline std::string json_text(Json value, int indent = -1) {
  detail::null_not_finite(value);
  try {
    return value.dump(indent);
  } catch (const Json::exception& e) {
    detail::fail<Error>("[json] ", e.what());
  }
}

/// Writes `value` and a final newline, atomically. @throws IoError
inline void write_json(const std::string& path, Json value, int indent = 2) {
  write_atomic(path, json_text(std::move(value), indent) + "\n");
}

/// `value` as a `T` (bool, integer, floating, std::string, Json), without silent conversions: an integer must
/// be one in the file and fit. `where` is named in errors. @throws IoError
template <class T> T json_as(const Json& value, std::string_view where) {
  if constexpr (std::is_same_v<T, Json>) {
    return value;
  } else if constexpr (std::is_same_v<T, bool>) {
    TMOR_CHECK_IO(value.is_boolean(), where, ": true or false expected, not ", value.type_name());
    return value.template get<bool>();
  } else if constexpr (std::is_integral_v<T>) {
    TMOR_CHECK_IO(value.is_number_integer(), where, ": a whole number expected, not ", value.type_name());
    const bool fits = value.is_number_unsigned() ? std::in_range<T>(value.template get<std::uint64_t>())
                                                 : std::in_range<T>(value.template get<std::int64_t>());
    TMOR_CHECK_IO(fits, where, ": ", value.dump(), " is out of range");
    return value.template get<T>();
  } else if constexpr (std::is_floating_point_v<T>) {
    TMOR_CHECK_IO(value.is_number(), where, ": a number expected, not ", value.type_name());
    const double v = value.template get<double>();
    TMOR_CHECK_IO(std::abs(v) <= static_cast<double>(std::numeric_limits<T>::max()), where, ": ",
                  value.dump(), " is out of range");
    return static_cast<T>(v);
  } else {
    TMOR_CHECK_IO(value.is_string(), where, ": a string expected, not ", value.type_name());
    return value.template get<std::string>();
  }
}

/// Member `key` of `object` as a `T`. @throws IoError naming `where` and the key when it is missing or not a
/// T.
template <class T> T json_at(const Json& object, const std::string& key, std::string_view where) {
  TMOR_CHECK_IO(object.is_object(), where, ": an object expected, not ", object.type_name());
  const auto it = object.find(key);
  TMOR_CHECK_IO(it != object.end(), where, ": the key \"", key, "\" is missing");
  return json_as<T>(*it, detail::cat(where, ": ", key));
}

}  // namespace io
TMOR_END
