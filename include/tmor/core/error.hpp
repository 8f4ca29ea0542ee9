#pragma once
/// @file error.hpp
/// The one family of exceptions the library throws, and the checks that throw them. Checks are on in every
/// build type: a message names the operation, every shape or place involved, and what to do about it.

#include <charconv>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "tmor/core/config.hpp"

TMOR_BEGIN

/// Base of everything tmor throws.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// Shapes, ranks or dimensions that do not fit together.
struct ShapeError : Error {
  using Error::Error;
};
/// A file or stream that is missing, damaged or not what it should be; names the file and the place.
struct IoError : Error {
  using Error::Error;
};

namespace detail {

/// Appends the text of `v`: strings, characters, numbers, or anything with a `str()` found by ADL or a member.
template <class A>
void append(std::string& s, const A& v) {
  if constexpr (std::is_same_v<A, bool>) {
    s += v ? "true" : "false";
  } else if constexpr (std::is_same_v<A, char>) {
    s += v;
  } else if constexpr (std::is_arithmetic_v<A>) {
    char buf[40];
    auto r = std::to_chars(buf, buf + sizeof buf, v);
    s.append(buf, r.ptr);
  } else if constexpr (std::is_convertible_v<const A&, std::string_view>) {
    s += std::string_view(v);
  } else {
    s += v.str();
  }
}

/// `cat("a", 1, shape)`: the parts written one after the other.
template <class... A>
std::string cat(const A&... parts) {
  std::string s;
  (append(s, parts), ...);
  return s;
}

/// One part of a message without its type, so that what puts the message together is compiled once, not for every
/// check.
struct MessagePart {
  const void* value;
  void (*write)(std::string&, const void*);
};
template <class A>
MessagePart message_part(const A& v) {
  if constexpr (std::is_array_v<A>) {  // literals of any length
    return {v, [](std::string& s, const void* p) { s += static_cast<const char*>(p); }};
  } else {
    return {&v, [](std::string& s, const void* p) { append(s, *static_cast<const A*>(p)); }};
  }
}

template <class E>
[[noreturn, gnu::noinline, gnu::cold]] void fail_with(const MessagePart* parts, std::size_t count) {
  std::string s;
  for (std::size_t i = 0; i < count; ++i) parts[i].write(s, parts[i].value);
  throw E(s);
}

template <class E, class... A>
[[noreturn, gnu::noinline, gnu::cold]] void fail(const A&... parts) {
  const MessagePart list[] = {message_part(parts)...};
  fail_with<E>(list, sizeof...(A));
}

}  // namespace detail

TMOR_END

/// Throws `tmor::Error` made of the further arguments unless `cond` holds.
#define TMOR_CHECK(cond, ...)                                         \
  do {                                                                \
    if (!(cond)) [[unlikely]]                                         \
      ::tmor::detail::fail<::tmor::Error>(__VA_ARGS__);               \
  } while (0)
/// The same with `tmor::ShapeError`, `tmor::IoError`.
#define TMOR_CHECK_SHAPE(cond, ...)                                   \
  do {                                                                \
    if (!(cond)) [[unlikely]]                                         \
      ::tmor::detail::fail<::tmor::ShapeError>(__VA_ARGS__);          \
  } while (0)
#define TMOR_CHECK_IO(cond, ...)                                      \
  do {                                                                \
    if (!(cond)) [[unlikely]]                                         \
      ::tmor::detail::fail<::tmor::IoError>(__VA_ARGS__);             \
  } while (0)
