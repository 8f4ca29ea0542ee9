#pragma once
/// @file frames.hpp
/// Choosing frames of a video, and the order of numbered files.

#include <algorithm>
#include <string_view>
#include <vector>

#include "tmor/core/error.hpp"

TMOR_BEGIN
namespace io {

/// The middles of `wanted` equal parts of frames 0 .. count - 1, evenly spaced and never twice the same; all
/// of them for wanted = 0. @throws Error unless 0 <= wanted <= count.
inline std::vector<Index> even_frames(Index count, Index wanted) {
  TMOR_CHECK(wanted >= 0 && wanted <= count, "[even_frames] ", wanted, " of ", count, " frames");
  std::vector<Index> out(static_cast<std::size_t>(wanted == 0 ? count : wanted));
  const Index n = static_cast<Index>(out.size());
  for (Index i = 0; i < n; ++i) out[static_cast<std::size_t>(i)] = (2 * i + 1) * count / (2 * n);
  return out;
}

/// Order of file names in which numbers count by value: "f2" before "f10". Equal values by length.
inline bool natural_less(std::string_view a, std::string_view b) {
  const auto digits = [](std::string_view s) {
    return std::min(s.find_first_not_of("0123456789"), s.size());
  };
  while (!a.empty() && !b.empty()) {
    const std::size_t na = digits(a), nb = digits(b);
    if (na && nb) {
      auto x = a.substr(0, na), y = b.substr(0, nb);
      x.remove_prefix(std::min(x.find_first_not_of('0'), x.size()));
      y.remove_prefix(std::min(y.find_first_not_of('0'), y.size()));
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
      if (na != nb) return na < nb;
      a.remove_prefix(na), b.remove_prefix(nb);
    } else {
      if (a[0] != b[0]) return static_cast<unsigned char>(a[0]) < static_cast<unsigned char>(b[0]);
      a.remove_prefix(1), b.remove_prefix(1);
    }
  }
  return a.empty() && !b.empty();
}

}  // namespace io
TMOR_END
