#pragma once
/// @file summary.hpp
/// A table of a model's tensors for people to read.

#include <algorithm>
#include <charconv>
#include <utility>

#include "tmor/autograd/grad_mode.hpp"
#include "tmor/core/flops.hpp"
#include "tmor/core/module.hpp"

TMOR_BEGIN

namespace detail {

/// 1234567 as "1,234,567".
inline std::string with_commas(Index n) {
  const std::string digits = std::to_string(n);
  std::string s;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) s += ',';
    s += digits[i];
  }
  return s;
}

/// 1.234e9 as "1.23 G", 12 as "12 ": a unit may follow.
inline std::string with_unit(double n) {
  const char* const units[] = {" ", " k", " M", " G", " T", " P"};
  int u = 0;
  for (; n >= 999.5 && u < 5; ++u) n /= 1000;
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, n, std::chars_format::general, 3).ptr;
  return std::string(text, end) + units[u];
}

/// Columns padded to equal width; the last one to the right.
inline std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> width;
  for (const auto& row : rows)
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (c == width.size()) width.push_back(0);
      width[c] = std::max(width[c], row[c].size());
    }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string pad(width[c] - row[c].size(), ' ');
      const bool last = c + 1 == row.size();
      out += (last ? pad + row[c] : row[c] + pad + "  ");
    }
    out += '\n';
  }
  return out;
}

}  // namespace detail

/// One line a tensor: name, shape, kind ("decay", "no decay", "frozen", "buffer", "tied") and number of
/// values, then the totals. Tied parameters count once.
template <class M> std::string summary(const M& model) {
  std::vector<std::vector<std::string>> rows{{"name", "shape", "kind", "values"}};
  std::vector<std::pair<const void*, Shape>> seen;  // first element and shape: what tied parameters share
  Index trained = 0, frozen = 0, buffers = 0;
  visit_tensors(
      model,
      [&](const std::string& name, const auto& t, Decay decay) {
        const std::pair<const void*, Shape> key(t.data(), t.shape());
        const bool tied = std::find(seen.begin(), seen.end(), key) != seen.end();
        seen.push_back(key);
        if (!tied) (t.requires_grad() ? trained : frozen) += t.numel();
        const char* kind = tied                  ? "tied"
                           : !t.requires_grad()  ? "frozen"
                           : decay == Decay::yes ? "decay"
                                                 : "no decay";
        rows.push_back({name, t.shape().str(), kind, detail::with_commas(t.numel())});
      },
      [&](const std::string& name, const auto& t) {
        buffers += t.numel();
        rows.push_back({name, t.shape().str(), "buffer", detail::with_commas(t.numel())});
      });
  std::string out = detail::table(rows);
  out +=
      detail::cat("parameters: ", detail::with_commas(trained + frozen), " (", detail::with_commas(trained),
                  " trained); buffers: ", detail::with_commas(buffers), "\n");
  return out;
}

/// The same, and the floating-point operations of one `forward()`, which calls the model on an input of
/// interest.
template <class M, class Forward> std::string summary(const M& model, Forward&& forward) {
  const NoGrad guard;
  const FlopCounter flops;
  forward();
  return summary(model) +
         detail::cat("one forward pass: ", detail::with_unit(static_cast<double>(flops.count())), "FLOP\n");
}

TMOR_END
