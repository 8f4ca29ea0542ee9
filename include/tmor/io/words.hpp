#pragma once
/// @file words.hpp
/// Words and numbers between blanks, the shape of many annotation and skeleton files, with the line in every
/// error.

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

#include "tmor/core/error.hpp"
#include "tmor/core/finite.hpp"

TMOR_BEGIN
namespace io {

namespace detail {

/// The whole of `w`, blanks around it aside, as a number. @throws IoError beginning with `where()`
template <class T, class Where> T number_from(std::string_view w, std::string_view what, Where&& where) {
  constexpr std::string_view kBlanks = " \t\r";
  w.remove_prefix(std::min(w.find_first_not_of(kBlanks), w.size()));
  w = w.substr(0, w.find_last_not_of(kBlanks) + 1);
  T v{};
  const auto r = std::from_chars(w.data(), w.data() + w.size(), v);
  if (r.ec != std::errc{} || r.ptr != w.data() + w.size())
    tmor::detail::fail<IoError>(where(), ": ", what, " is '", w.substr(0, 40), "', not ",
                                std::is_integral_v<T> ? "a whole number" : "a number",
                                r.ec == std::errc::result_out_of_range ? " that fits" : "");
  return v;
}

/// The same, neither infinite nor NaN.
template <class Where> double finite_from(std::string_view w, std::string_view what, Where&& where) {
  const double v = number_from<double>(w, what, where);
  if (!is_finite(v)) tmor::detail::fail<IoError>(where(), ": ", what, " is infinite or NaN");
  return v;
}

/// The same as an integer from `low` to `high`.
template <class Where>
Index integer_from(std::string_view w, Index low, Index high, std::string_view what, Where&& where) {
  const Index v = number_from<Index>(w, what, where);
  if (v < low || v > high)
    tmor::detail::fail<IoError>(where(), ": ", what, " is ", v, ", want ", low, " to ", high);
  return v;
}

}  // namespace detail

/// A field as a number that is neither infinite nor NaN. @throws IoError beginning with `where`
inline double parse_number(std::string_view field, std::string_view what, std::string_view where) {
  return detail::finite_from(field, what, [&] { return where; });
}
/// A field as an integer from `low` to `high`. @throws IoError beginning with `where`
inline Index parse_integer(std::string_view field, Index low, Index high, std::string_view what,
                           std::string_view where) {
  return detail::integer_from(field, low, high, what, [&] { return where; });
}

/// Reads the words of a text one by one; nothing is copied, so the text must outlive the reader.
class WordReader {
 public:
  /// `name` is named in errors, lines count from `line`. A byte-order mark is skipped.
  WordReader(std::string_view text, std::string_view name, std::size_t line = 1)
      : text_(text), name_(name), line_(line) {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
  }

  /// Is there another word? Passes over blanks and line ends.
  bool more() {
    while (at_ < text_.size() && blank(text_[at_])) line_ += text_[at_++] == '\n';
    return at_ < text_.size();
  }
  /// Is there another word on this line? Passes over blanks alone.
  bool more_on_line() {
    while (at_ < text_.size() && blank(text_[at_]) && text_[at_] != '\n') ++at_;
    return at_ < text_.size() && text_[at_] != '\n';
  }

  /// The next word. @throws IoError when there is none; `what` says what it was to be.
  std::string_view word(std::string_view what) {
    if (!more()) fail("the text ends where ", what, " was expected");
    const std::size_t begin = at_;
    while (at_ < text_.size() && !blank(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  /// What is left of this line, without blanks around it.
  std::string_view rest_of_line() {
    if (!more_on_line()) return {};
    const std::size_t begin = at_;
    at_ = std::min(text_.find('\n', at_), text_.size());
    std::size_t end = at_;
    while (end > begin && blank(text_[end - 1])) --end;
    return text_.substr(begin, end - begin);
  }

  /// A number that is neither infinite nor NaN. @throws IoError
  double number(std::string_view what) {
    const auto w = word(what);
    return detail::finite_from(w, what, [this] { return place(); });
  }
  /// A number, "nan", "inf" and "-inf" among them. @throws IoError
  double any_number(std::string_view what) {
    const auto w = word(what);
    return detail::number_from<double>(w, what, [this] { return place(); });
  }
  /// An integer from `low` to `high`. @throws IoError
  Index integer(std::string_view what, Index low, Index high) {
    const auto w = word(what);
    return detail::integer_from(w, low, high, what, [this] { return place(); });
  }

  std::size_t line() const { return line_; }  ///< of the word last read, from 1
  std::size_t left() const { return text_.size() - at_; }

  template <class... A> [[noreturn]] void fail(const A&... parts) const {
    tmor::detail::fail<IoError>(place(), ": ", parts...);
  }

 private:
  static bool blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
  }
  std::string place() const { return tmor::detail::cat(name_, ": line ", line_); }

  std::string_view text_, name_;
  std::size_t at_ = 0, line_;
};

}  // namespace io
TMOR_END
