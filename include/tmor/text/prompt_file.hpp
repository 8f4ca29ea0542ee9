#pragma once
/// @file prompt_file.hpp
/// Prompt books from JSON:
/// `{"templates": ["a person {}", ...], "description_templates": [...], "classes": [{"label": "squat",
/// "names": ["doing squats", ...], "descriptions": ["bends both knees", ...]}, ...]}`; both `description`
/// lists may be left out.

#include <string>
#include <string_view>
#include <vector>

#include "tmor/io/json.hpp"
#include "tmor/text/prompts.hpp"

TMOR_BEGIN

namespace detail {

/// A list of strings; an absent one is empty unless it is `required`.
inline std::vector<std::string> json_strings(const io::Json& object, const std::string& key,
                                             std::string_view where, bool required) {
  std::vector<std::string> out;
  if (!required && object.is_object() && !object.contains(key)) return out;
  const auto list = io::json_at<io::Json>(object, key, where);
  TMOR_CHECK_IO(list.is_array(), where, ": ", key, ": a list of strings expected, not ", list.type_name());
  for (const auto& entry : list)
    out.push_back(io::json_as<std::string>(entry, cat(where, ": ", key, "[", out.size(), "]")));
  return out;
}

}  // namespace detail

/// The book in a JSON text; `where` (a file name) begins every message. Throws IoError for damaged or
/// incomplete JSON, Error for what `PromptBook::check` refuses.
inline PromptBook parse_prompt_book(std::string_view text, std::string_view where) {
  const io::Json root = io::parse_json(text, where);
  PromptBook book;
  book.templates = detail::json_strings(root, "templates", where, true);
  book.description_templates = detail::json_strings(root, "description_templates", where, false);
  const auto classes = io::json_at<io::Json>(root, "classes", where);
  TMOR_CHECK_IO(classes.is_array(), where, ": classes: a list expected, not ", classes.type_name());
  for (const auto& entry : classes) {
    const std::string here = detail::cat(where, ": classes[", book.classes.size(), "]");
    book.classes.push_back({io::json_at<std::string>(entry, "label", here),
                            detail::json_strings(entry, "names", here, true),
                            detail::json_strings(entry, "descriptions", here, false)});
  }
  book.check(where);
  return book;
}

/// The book in a JSON file. Throws as `parse_prompt_book`, and IoError for a file that cannot be read.
inline PromptBook read_prompt_book(const std::string& path) {
  return parse_prompt_book(io::read_file(path), path);
}

TMOR_END
