#pragma once
/// @file prompts.hpp
/// Captions of classes: templates such as "a person doing {}" filled with the class's names, and its
/// descriptions.

#include <string>
#include <string_view>
#include <vector>

#include "tmor/core/config.hpp"
#include "tmor/core/error.hpp"
#include "tmor/core/rng.hpp"

TMOR_BEGIN

/// `pattern` with every `{}` replaced by `value`. Throws Error if the pattern has no `{}` or another brace.
inline std::string fill_prompt(std::string_view pattern, std::string_view value) {
  std::string out;
  bool filled = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '{' && pattern[i] != '}') {
      out += pattern[i];
      continue;
    }
    TMOR_CHECK(pattern.substr(i, 2) == "{}", "prompt template '", pattern, "': a brace at byte ", i,
               " that is not part of {}");
    out += value;
    filled = true;
    ++i;
  }
  TMOR_CHECK(filled, "prompt template '", pattern, "' has no {} for the class name");
  return out;
}

/// What is said about one class.
struct ClassText {
  std::string label;                      ///< as data sets write it: "jump_rope"
  std::vector<std::string> names;         ///< synonyms that fit the name templates: "jumping rope"
  std::vector<std::string> descriptions;  ///< how the body moves: "both hands swing the rope"
};

/// Templates and classes, as kept in one data file.
struct PromptBook {
  std::vector<std::string> templates;              ///< with {} for a name
  std::vector<std::string> description_templates;  ///< with {} for a description
  std::vector<ClassText> classes;

  /// Throws Error, beginning with `where`, for a book without templates or classes, a class without label or
  /// names, a label used twice, or a template `fill_prompt` refuses. Descriptions may be absent.
  void check(std::string_view where) const {
    TMOR_CHECK(!templates.empty() && !classes.empty(), where, ": ", templates.size(), " templates and ",
               classes.size(), " classes, want at least one of each");
    for (const auto& t : templates) fill_prompt(t, "");
    for (const auto& t : description_templates) fill_prompt(t, "");
    for (const auto& c : classes) {
      TMOR_CHECK(!c.label.empty() && !c.names.empty(), where, ": class '", c.label,
                 "' lacks a label or names");
      TMOR_CHECK(c.descriptions.empty() || !description_templates.empty(), where, ": class '", c.label,
                 "' has descriptions, but there are no description templates");
      TMOR_CHECK(&find(c.label) == &c, where, ": class '", c.label, "' appears twice");
    }
  }

  /// The class of that label; throws Error if there is none.
  const ClassText& find(std::string_view label) const {
    for (const auto& c : classes)
      if (c.label == label) return c;
    detail::fail<Error>("prompts: no class '", label, "'");
  }
};

/// Every caption of a class: templates x names, then description templates x descriptions.
inline std::vector<std::string> all_prompts(const PromptBook& book, const ClassText& c) {
  std::vector<std::string> out;
  for (const auto& t : book.templates)
    for (const auto& name : c.names) out.push_back(fill_prompt(t, name));
  for (const auto& t : book.description_templates)
    for (const auto& d : c.descriptions) out.push_back(fill_prompt(t, d));
  return out;
}

/// A random caption of a class: with probability `describe` one of its descriptions (if it has any), else a
/// name, in a random template. Throws Error where there is nothing to draw from.
inline std::string random_prompt(const PromptBook& book, const ClassText& c, Rng& rng,
                                 double describe = 0.5) {
  const auto pick = [&](const std::vector<std::string>& from) -> const std::string& {
    TMOR_CHECK(!from.empty(), "random_prompt: class '", c.label,
               "' or the book has nothing to draw from; see check");
    return from[static_cast<std::size_t>(rng.uniform_int(static_cast<Index>(from.size())))];
  };
  const bool body = rng.bernoulli(describe) && !c.descriptions.empty();
  const std::string& pattern = pick(body ? book.description_templates : book.templates);
  return fill_prompt(pattern, pick(body ? c.descriptions : c.names));
}

TMOR_END
