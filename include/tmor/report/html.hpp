#pragma once
/// @file html.hpp
/// Text that is safe inside a page: escaping for HTML, attributes and JSON in a script, pictures as data
/// URIs, and numbers as people read them. Nothing here depends on the locale.

#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "tmor/core/error.hpp"
#include "tmor/core/finite.hpp"
#include "tmor/io/json.hpp"

TMOR_BEGIN
namespace report {

/// HTML or SVG made by this library, every foreign string in it escaped. A type of its own, so that plain
/// text cannot get into a page unescaped.
struct Html {
  std::string text;

  Html& operator+=(const Html& more) {
    text += more.text;
    return *this;
  }
};

/// An encoded picture: the bytes of a PNG, JPEG, GIF or WebP file.
struct Picture {
  std::string bytes = {};
  std::string mime = "image/jpeg";
  std::string alt = {};  ///< what is to be seen, for those who cannot; UTF-8
};

namespace detail {

using tmor::detail::cat;
using tmor::detail::fail;

/// Bytes of the UTF-8 character that `s` begins with; 0 if it begins with none (RFC 3629).
inline std::size_t utf8_size(std::string_view s) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t n = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  if (n == 0 || s.size() < n) return 0;
  for (std::size_t i = 1; i < n; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const bool too_short = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
  const bool no_character = (first == 0xED && byte(1) > 0x9F) || (first == 0xF4 && byte(1) > 0x8F);
  return too_short || no_character ? 0 : n;
}

/// Calls `f` with each character of `s` as a piece of valid UTF-8; bytes that are none, and control
/// characters other than tab and line feed, are given as U+FFFD.
template <class F> void each_character(std::string_view s, F&& f) {
  while (!s.empty()) {
    const std::size_t n = utf8_size(s);
    const bool control =
        n == 1 && (static_cast<unsigned char>(s[0]) < 0x20 || s[0] == 0x7F) && s[0] != '\t' && s[0] != '\n';
    f(n == 0 || control ? std::string_view("\xEF\xBF\xBD") : s.substr(0, n));
    s.remove_prefix(n == 0 ? 1 : n);
  }
}

/// `v` as JSON numbers and SVG coordinates want it: shortest, at most `digits` decimals.
inline std::string fixed(double v, int digits) {
  char buffer[512];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, v, std::chars_format::fixed, digits).ptr;
  std::string s(buffer, end);
  if (s.find_first_not_of("-0.") == s.npos) return s.substr(s[0] == '-');  // no minus zero
  return s;
}

/// A coordinate in a picture: a tenth of a unit is finer than a pixel.
inline std::string px(double v) {
  std::string s = fixed(v, 1);
  if (s.ends_with(".0")) s.resize(s.size() - 2);
  return s;
}

}  // namespace detail

/// `text` as valid UTF-8: every byte that is part of no character becomes U+FFFD.
inline std::string clean_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  detail::each_character(text, [&](std::string_view c) { out += c; });
  return out;
}

/// `text` for element content and for attributes in either kind of quotes.
inline std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  detail::each_character(text, [&](std::string_view c) {
    switch (c[0]) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  });
  return out;
}

/// The first characters of `text`, the last one "…" where something was cut off.
inline std::string shorten(std::string_view text, std::size_t characters) {
  std::string out;
  std::size_t n = 0, before_last = 0;
  detail::each_character(text, [&](std::string_view c) {
    if (++n == characters) before_last = out.size();
    if (n <= characters) out += c;
  });
  if (n > characters) out = out.substr(0, before_last) + "…";
  return out;
}

/// Characters (code points) of `text`.
inline std::size_t character_count(std::string_view text) {
  std::size_t n = 0;
  detail::each_character(text, [&](std::string_view) { ++n; });
  return n;
}

/// `<script type="application/json">` around `value`, which no string in it can end.
inline Html script_data(const io::Json& value) {
  std::string safe;
  for (const char c : io::json_text(value)) {
    if (c == '<' || c == '>' || c == '&') {
      safe += c == '<' ? "\\u003c" : c == '>' ? "\\u003e" : "\\u0026";
    } else {
      safe += c;
    }
  }
  return {"<script type=\"application/json\">" + safe + "</script>"};
}

/// RFC 4648, with padding.
inline std::string base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t k) {
      return i + k < bytes.size() ? unsigned{static_cast<unsigned char>(bytes[i + k])} : 0u;
    };
    const unsigned word = byte(0) << 16 | byte(1) << 8 | byte(2);
    out += kDigits[word >> 18];
    out += kDigits[word >> 12 & 63];
    out += i + 1 < bytes.size() ? kDigits[word >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? kDigits[word & 63] : '=';
  }
  return out;
}

/// `<img>` with the picture inside. @throws Error for no bytes or a type other than PNG, JPEG, GIF, WebP.
inline Html picture(const Picture& p, std::string_view css_class = "") {
  TMOR_CHECK(
      p.mime == "image/png" || p.mime == "image/jpeg" || p.mime == "image/gif" || p.mime == "image/webp",
      "[report] a picture of type '", p.mime.substr(0, 64),
      "': give image/png, image/jpeg, image/gif or image/webp");
  TMOR_CHECK(!p.bytes.empty(), "[report] a picture without bytes: leave it out instead");
  return {detail::cat("<img class=\"", css_class, "\" alt=\"", escape(p.alt), "\" src=\"data:", p.mime,
                      ";base64,", base64(p.bytes), "\">")};
}

/// Three significant digits, powers of ten only where needed: 0.123, 45.6, 1234, 2.5e-05. "–" if not finite.
inline std::string number_text(double v) {
  if (!is_finite(v)) return "–";
  const double a = std::abs(v);
  if (a != 0 && (a < 1e-3 || a >= 1e7)) {
    char buffer[32];
    return {buffer, std::to_chars(buffer, buffer + sizeof buffer, v, std::chars_format::scientific, 1).ptr};
  }
  return detail::fixed(v, a >= 100 ? 0 : a >= 10 ? 1 : a >= 1 ? 2 : 3);
}

/// A fraction in percent with one decimal: "34.5 %". "–" if not finite.
inline std::string percent_text(double fraction) {
  return is_finite(fraction) ? detail::fixed(100 * fraction, 1) + " %" : "–";
}

}  // namespace report
TMOR_END
