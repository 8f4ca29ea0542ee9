#pragma once
/// @file markup.hpp
/// A check of the HTML that report/ writes: stricter than a browser, which repairs what it can.

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace test {

inline int count(std::string_view text, std::string_view part) {
  int n = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

/// What is wrong with `html`: a tag that is not closed or not open, an attribute given twice or unquoted, a
/// bare & or <, a number that is none, something to fetch; "" if nothing is.
inline std::string markup_error(std::string_view html) {
  std::vector<std::string> open;
  std::set<std::string> ids;
  const auto here = [&](std::size_t at) { return std::string(html.substr(at, 60)); };
  for (std::size_t at = 0; at < html.size();) {
    if (html[at] == '&') {
      const std::size_t end = html.find(';', at);
      if (end == html.npos || end - at > 7) return "a bare &: " + here(at);
      at = end;
    }
    if (html[at] != '<') {
      ++at;
      continue;
    }
    if (html.substr(at, 9) == "<!DOCTYPE") {
      at = html.find('>', at) + 1;
      continue;
    }
    std::size_t k = at + 1;
    const bool closing = html[k] == '/';
    k += closing;
    std::size_t end = html.find_first_of(" />", k);
    const std::string name(html.substr(k, end - k));
    if (name.empty() || end == html.npos ||
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") != name.npos)
      return "no tag: " + here(at);
    if (closing) {
      if (open.empty() || open.back() != name) return "closes what is not open: " + here(at);
      open.pop_back();
      at = end + 1;
      continue;
    }
    std::set<std::string> names;
    for (k = end; html[k] == ' ';) {
      const std::size_t stop = html.find_first_of("= />", ++k);
      const std::string key(html.substr(k, stop - k));
      if (!names.insert(key).second) return "attribute twice: " + here(at);
      k = stop;
      if (html[k] != '=') continue;
      const std::size_t quote = html.find('"', k + 2);
      if (html[k + 1] != '"' || quote == html.npos) return "attribute without quotes: " + here(at);
      const std::string_view value = html.substr(k + 2, quote - k - 2);
      if (value.find('<') != value.npos) return "< in an attribute: " + here(at);
      if (key == "id" && !ids.insert(std::string(value)).second) return "id twice: " + here(at);
      for (const char* bad : {"NaN", "nan", "inf"})
        if (std::set<std::string>{"d", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "viewBox",
                                  "transform", "style", "fill-opacity"}
                .contains(key) &&
            value.find(bad) != value.npos)
          return "not a number: " + here(at);
      if (value.find("http:") != value.npos || value.find("https:") != value.npos || value.find("//") == 0)
        return "something to fetch: " + here(at);
      k = quote + 1;
    }
    const bool empty = html[k] == '/';
    k += empty;
    if (k >= html.size() || html[k] != '>') return "tag without an end: " + here(at);
    at = k + 1;
    if (name == "script" || name == "style") {  // no markup inside
      at = html.find("</" + name + ">", at);
      if (at == html.npos) return "no end of " + name;
      at += name.size() + 3;
    } else if (!empty && name != "meta" && name != "link" && name != "img" && name != "input" &&
               name != "br") {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : "never closed: " + open.back();
}

}  // namespace test
