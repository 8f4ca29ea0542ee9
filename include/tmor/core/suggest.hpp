#pragma once
/// @file suggest.hpp
/// "Did you mean ...?": the nearest of the valid names, for the messages of registries and option parsers.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tmor/core/config.hpp"

TMOR_BEGIN

/// Levenshtein distance of two byte strings (insert, delete, replace cost 1 each); ASCII letter case is
/// ignored.
inline Index edit_distance(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  std::vector<Index> row(b.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = static_cast<Index>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    Index diagonal = row[0];
    row[0] = static_cast<Index>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const Index replaced = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

/// The candidate nearest to `name` (the first of equals), or "" when there is none. Only the first 64 bytes
/// of `name` are looked at, so that absurd input costs nothing.
inline std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  name = name.substr(0, 64);
  const std::string* best = nullptr;
  Index best_distance = 0;
  for (const auto& c : candidates) {
    const Index d = edit_distance(name, c);
    if (!best || d < best_distance) best = &c, best_distance = d;
  }
  return best ? *best : std::string();
}

TMOR_END
