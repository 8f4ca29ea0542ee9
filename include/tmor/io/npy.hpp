#pragma once
/// @file npy.hpp
/// NumPy's .npy (format versions 1 to 3). Reads C and Fortran order, both byte orders, and f2 f4 f8 i1..i8
/// u1..u8 b1; types that `DType` lacks are widened (i1 i2 u2 to int32, u4 u8 to int64).

#include <charconv>
#include <string>
#include <string_view>

#include "tmor/io/array.hpp"
#include "tmor/io/file.hpp"

TMOR_BEGIN
namespace io {

namespace detail {

struct NpyHeader {
  Stored stored = Stored::f32;
  bool big_endian = false, fortran = false;
  Shape shape;
};

/// Reads the header, a Python dictionary such as {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
class NpyHeaderParser {
 public:
  /// `text` starts at byte `offset` of the file `name`.
  NpyHeaderParser(std::string_view text, std::string_view name, std::size_t offset)
      : text_(text), name_(name), offset_(offset) {}

  NpyHeader parse() {
    NpyHeader h;
    bool have[3] = {};
    expect('{');
    while (!accept('}')) {
      const auto key = quoted();
      expect(':');
      const int k = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : -1;
      if (k < 0 || have[k]) bad("an unknown or repeated key");
      have[k] = true;
      if (k == 0) descr(h);
      if (k == 1) h.fortran = boolean();
      if (k == 2) h.shape = shape();
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip();
    if (i_ != text_.size() || !(have[0] && have[1] && have[2]))
      bad("text after the dictionary or a missing key");
    return h;
  }

 private:
  [[noreturn]] void bad(std::string_view what) const {
    fail<IoError>(name_, ": byte ", offset_ + i_, ": damaged npy header: ", what);
  }
  void skip() {
    while (i_ < text_.size() && (text_[i_] == ' ' || text_[i_] == '\n')) ++i_;
  }
  bool accept(char c) {
    skip();
    return i_ < text_.size() && text_[i_] == c && ++i_;
  }
  void expect(char c) {
    if (!accept(c)) bad(cat("'", c, "' expected"));
  }
  bool accept_word(std::string_view w) {
    skip();
    if (!text_.substr(i_).starts_with(w)) return false;
    i_ += w.size();
    return true;
  }
  std::string_view quoted() {
    const char quote = accept('"') ? '"' : '\'';
    if (quote == '\'') expect('\'');
    const auto end = text_.find(quote, i_);
    if (end == std::string_view::npos) bad("a string without an end");
    const auto s = text_.substr(i_, end - i_);
    i_ = end + 1;
    return s;
  }
  bool boolean() {
    if (accept_word("True")) return true;
    if (!accept_word("False")) bad("True or False expected");
    return false;
  }
  Shape shape() {
    Shape s;
    expect('(');
    while (!accept(')')) {
      skip();
      Index n = 0;
      const char* begin = text_.data() + i_;
      const auto r = std::from_chars(begin, text_.data() + text_.size(), n);
      if (r.ec != std::errc() || n < 0) bad("a size expected");
      if (s.rank() == Shape::kMaxRank) bad("more than 8 dimensions");
      i_ += static_cast<std::size_t>(r.ptr - begin);
      accept_word("L");  // Python 2 wrote long integers so
      s.push_back(n);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return s;
  }
  void descr(NpyHeader& h) {
    skip();
    if (i_ < text_.size() && text_[i_] == '[')
      bad("structured arrays are not read: save each field on its own");
    const auto d = quoted();
    static constexpr struct {
      std::string_view name;
      Stored stored;
    } kTypes[] = {{"f2", Stored::f16}, {"f4", Stored::f32}, {"f8", Stored::f64}, {"i1", Stored::i8},
                  {"i2", Stored::i16}, {"i4", Stored::i32}, {"i8", Stored::i64}, {"u1", Stored::u8},
                  {"u2", Stored::u16}, {"u4", Stored::u32}, {"u8", Stored::u64}, {"b1", Stored::boolean}};
    for (const auto& t : kTypes) {
      if (d.size() == 3 && d.substr(1) == t.name &&
          std::string_view("<>|=").find(d[0]) != std::string_view::npos) {
        h.stored = t.stored;
        h.big_endian = d[0] == '>';
        return;
      }
    }
    bad(cat("elements of type '", d, "' are not read: save them as numbers (astype)"));
  }

  std::string_view text_, name_;
  std::size_t offset_, i_ = 0;
};

}  // namespace detail

/// The array in the bytes of a .npy file, row-major whatever the order in the file. `name` is named in
/// errors.
/// @throws IoError naming the byte at fault; also when the elements take more than `cap` bytes.
inline Array parse_npy(std::string_view bytes, std::string_view name, std::size_t cap = kMaxFileBytes) {
  TMOR_CHECK_IO(bytes.size() >= 10 && bytes.starts_with("\x93NUMPY"), name, ": byte 0: not an npy file");
  const int version = bytes[6];
  TMOR_CHECK_IO(version >= 1 && version <= 3, name, ": byte 6: npy version ", version,
                " is unknown (1 to 3 are)");
  const auto byte = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i]));
  };
  const std::size_t start = version == 1 ? 10 : 12;
  TMOR_CHECK_IO(bytes.size() >= start, name, ": byte 8: the file ends inside the header");
  std::size_t length = byte(8) | byte(9) << 8;
  if (version > 1) length |= byte(10) << 16 | byte(11) << 24;
  TMOR_CHECK_IO(length <= bytes.size() - start, name, ": byte 8: a header of ", length,
                " bytes where the file has ", bytes.size() - start, " left");
  const auto h = detail::NpyHeaderParser(bytes.substr(start, length), name, start).parse();
  checked_bytes(detail::widened(h.stored), h.shape, name, cap);
  Array a = detail::load_elements(bytes.substr(start + length), h.stored, h.big_endian, h.shape, name,
                                  start + length);
  return h.fortran ? detail::from_column_major(std::move(a)) : std::move(a);
}

/// Reads a .npy file. @throws IoError
inline Array read_npy(const std::string& path, std::size_t cap = kMaxFileBytes) {
  return parse_npy(MappedFile(path).bytes(), path, cap);
}

/// The header NumPy would write for `a`, padded so that the elements start at a multiple of 64 bytes.
/// @throws Error for bf16, which NumPy has not.
inline std::string npy_header(const Array& a) {
  TMOR_CHECK(a.dtype() != DType::bf16, "[npy] NumPy has no bfloat16: write convert_to<float>()");
  constexpr const char* descr[] = {"<f4", "<f8", "", "<f2", "<i4", "<i8", "|u1", "|b1"};
  std::string text = detail::cat("{'descr': '", descr[static_cast<int>(a.dtype())],
                                 "', 'fortran_order': False, 'shape': ", a.shape(), ", }");
  text.append(63 - (10 + text.size()) % 64, ' ');
  text += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(text.size() & 255);
  out += static_cast<char>(text.size() >> 8);
  return out + text;
}

/// The bytes of a .npy file that holds `a`, version 1, C order. @throws Error for bf16.
inline std::string npy_bytes(const Array& a) {
  return npy_header(a).append(reinterpret_cast<const char*>(a.data()), a.bytes());
}

/// Writes `a` as version 1, C order, atomically. @throws IoError; Error for bf16.
inline void write_npy(const std::string& path, const Array& a) {
  AtomicFile file(path);
  file.write(npy_header(a));
  file.write(a.data(), a.bytes());
  file.commit();
}

}  // namespace io
TMOR_END
