#pragma once
/// @file mat5.hpp
/// MATLAB's version 5 MAT-files (save -v6 and -v7): numbers, logicals, text, cells and structs. The format
/// leaves writers much freedom, and all that real files use of it is read: compressed variables without
/// padding, streams without an end, small elements, doubles stored as smaller integers.
///
/// Order of elements: MATLAB stores the first index fastest; arrays are given row-major with the same sizes,
/// so that MATLAB's `x(t, j)` is element (t - 1) * columns + (j - 1). Format: MathWorks, "MAT-File Format"
/// (R2019b), chapter 1.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tmor/io/array.hpp"
#include "tmor/io/file.hpp"
#include "tmor/io/inflate.hpp"

TMOR_BEGIN
namespace io {

struct Mat5Options {
  std::size_t max_bytes = std::size_t{1} << 30;   ///< of the file, and of all variables once expanded
  std::size_t max_values = std::size_t{1} << 20;  ///< arrays, counting those in cells and structs
};

/// A MATLAB value.
struct MatValue {
  enum class Kind {
    array,  ///< numbers or logicals
    text,   ///< char
    cell,
    record,  ///< struct
    other    ///< not read: complex, sparse, object, function; `shape` and nothing more is known
  };
  Kind kind = Kind::other;
  Shape shape;       ///< MATLAB's sizes, rank ≥ 2
  Array array;       ///< kind array: single as f32, double as f64, logical as bool, uint8 as u8, the rest
                     ///< of the integers as i32 or i64
  std::string text;  ///< kind text: UTF-8; the rows of a matrix are joined by '\n'
  std::vector<MatValue> cells;                          ///< kind cell: row-major
  std::map<std::string, std::vector<MatValue>> fields;  ///< kind record: the values of each field, row-major
};

namespace detail {

/// Appends a code point as UTF-8.
inline void append_utf8(std::string& s, char32_t c) {
  const auto put = [&](char32_t v) { s += static_cast<char>(static_cast<unsigned char>(v)); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xc0 | c >> 6);
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 63));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 63));
    put(0x80 | (c >> 6 & 63));
  }
  put(0x80 | (c & 63));
}

class Mat5Parser {
 public:
  Mat5Parser(std::string_view file, std::string name, const Mat5Options& options)
      : file_(file), name_(std::move(name)), budget_(options.max_bytes), values_(options.max_values) {}

  std::map<std::string, MatValue> parse() {
    check_header();
    std::map<std::string, MatValue> out;
    for (std::size_t at = 128; at < file_.size();) {
      where_ = at;
      std::string expanded;
      Element e = next(file_, at);
      if (e.type == kCompressed) {
        expanded = expand(e.data);
        std::size_t inner = 0;
        e = next(expanded, inner);
      }
      if (e.type != kMatrix) continue;  // such as the subsystem data of objects
      auto [name, value] = matrix(e.data, 0);
      if (name.empty()) continue;
      if (!out.emplace(name, std::move(value)).second) bad(cat("the variable '", name, "' appears twice"));
    }
    return out;
  }

 private:
  // Element types, then array classes.
  static constexpr std::uint32_t kInt8 = 1, kUint8 = 2, kUint16 = 4, kInt32 = 5, kUint32 = 6, kMatrix = 14,
                                 kCompressed = 15, kUtf8 = 16, kUtf16 = 17, kUtf32 = 18;
  static constexpr std::uint32_t kCell = 1, kStruct = 2, kChar = 4, kDouble = 6, kLastNumeric = 15;
  static constexpr int kMaxDepth = 16;

  struct Element {
    std::uint32_t type = 0;
    std::string_view data;
  };
  struct Named {
    std::string name;
    MatValue value;
  };

  /// Errors name the byte of the file at which the variable starts: inside compressed data there is no other.
  [[noreturn]] void bad(const std::string& what) const {
    fail<IoError>(name_, ": variable at byte ", where_, ": ", what);
  }

  void check_header() const {
    const auto tell = [&](const char* what) { fail<IoError>(name_, ": byte 124: ", what); };
    if (file_.size() < 128) fail<IoError>(name_, ": ", file_.size(), " bytes are no MATLAB file");
    const auto mark = file_.substr(124, 4);
    if (mark == std::string_view("\0\2IM", 4)) tell("this is a MATLAB 7.3 (HDF5) file: save it with -v7");
    if (mark.substr(2) == "MI") tell("a big-endian MATLAB file is not read: save it anew");
    if (mark != std::string_view("\0\1IM", 4)) tell("not a MATLAB 5 file (no version 0x0100 \"IM\")");
  }

  static std::uint32_t u32(std::string_view s, std::size_t at) {
    std::uint32_t v;
    std::memcpy(&v, s.data() + at, 4);
    return v;
  }

  /// The element at `at`, which moves behind it.
  Element next(std::string_view s, std::size_t& at) const {
    if (at > s.size() || s.size() - at < 8) bad("it ends inside the tag of an element");
    const std::uint32_t tag = u32(s, at);
    if (tag >> 16) {  // a small element: length and up to four bytes of data inside the tag
      const std::uint32_t n = tag >> 16;
      if (n > 4) bad("a small element of more than four bytes");
      const Element e{tag & 0xffff, s.substr(at + 4, n)};
      at += 8;
      return e;
    }
    const std::size_t n = u32(s, at + 4);
    at += 8;
    if (n > s.size() - at) bad(cat("an element of ", n, " bytes where ", s.size() - at, " are left"));
    const Element e{tag, s.substr(at, n)};
    at += tag == kCompressed ? n : (n + 7) / 8 * 8;  // the last one of a file may lack its padding
    at = std::min(at, s.size());
    return e;
  }

  std::string expand(std::string_view packed) {
    auto inflated = inflate(packed, budget_, Wrapper::zlib, cat(name_, ": variable at byte ", where_));
    // Some writers leave out the final block and the checksum. The element knows its size: `next` checks it.
    budget_ -= inflated.data.size();
    return std::move(inflated.data);
  }

  Named matrix(std::string_view s, int depth) {
    if (depth > kMaxDepth) bad("cells nested too deep");
    if (values_-- == 0) bad("more values than the cap allows");
    Named out;
    MatValue& v = out.value;
    if (s.empty()) {  // how an empty cell is written
      v.kind = MatValue::Kind::array;
      v.shape = {0, 0};
      v.array = Array(DType::f64, v.shape);
      return out;
    }
    std::size_t at = 0;
    const Element flags = next(s, at);
    if (flags.type != kUint32 || flags.data.size() != 8) bad("no array flags");
    const std::uint32_t word = u32(flags.data, 0), cls = word & 0xff;
    const bool logical = word & 0x200, complex = word & 0x800;
    if (cls == 0 || cls > kLastNumeric + 2) bad(cat("unknown array class ", cls));
    if (cls > kLastNumeric) return out;  // functions and objects have another layout
    v.shape = dimensions(next(s, at));
    const Element name = next(s, at);
    if (name.type != kInt8 && name.type != kUtf8) bad("no array name");
    out.name = name.data;
    if (cls == kCell) {
      cells(s, at, v, depth);
    } else if (cls == kStruct) {
      record(s, at, v, depth);
    } else if (cls == kChar) {
      text(next(s, at), v);
    } else if (cls >= kDouble && !complex) {
      v.array = numbers(next(s, at), cls, logical, v.shape);
      v.kind = MatValue::Kind::array;
    }
    return out;
  }

  Shape dimensions(const Element& e) const {
    const std::size_t rank = e.data.size() / 4;
    if (e.type != kInt32 || e.data.size() % 4 || rank < 2) bad("no dimensions");
    if (rank > Shape::kMaxRank) bad("more than 8 dimensions");
    Shape shape;
    for (std::size_t i = 0; i < rank; ++i) shape.push_back(static_cast<std::int32_t>(u32(e.data, 4 * i)));
    checked_bytes(DType::u8, shape, cat(name_, ": variable at byte ", where_));
    return shape;
  }

  Stored stored_type(std::uint32_t type) const {
    switch (type) {
      case 1:
        return Stored::i8;
      case 2:
        return Stored::u8;
      case 3:
        return Stored::i16;
      case 4:
        return Stored::u16;
      case 5:
        return Stored::i32;
      case 6:
        return Stored::u32;
      case 7:
        return Stored::f32;
      case 9:
        return Stored::f64;
      case 12:
        return Stored::i64;
      case 13:
        return Stored::u64;
      default:
        bad(cat("numbers of unknown type ", type));
    }
  }

  Array numbers(const Element& e, std::uint32_t cls, bool logical, const Shape& shape) const {
    static constexpr DType kClass[] = {DType::f64, DType::f32, DType::i32, DType::u8,  DType::i32,
                                       DType::i32, DType::i32, DType::i64, DType::i64, DType::i64};
    const DType dtype = logical ? DType::boolean : kClass[cls - kDouble];
    const Array raw =
        load_elements(e.data, stored_type(e.type), false, shape, cat(name_, ": variable"), where_);
    try {
      return from_column_major(raw.convert_to(dtype));
    } catch (const IoError&) {
      throw;
    } catch (const Error& error) {
      bad(cat("values that its class cannot hold: ", error.what()));
    }
  }

  /// Elements of a cell or struct array, each of which takes at least a tag of the `left` bytes.
  std::size_t count(const Shape& shape, std::size_t left) const {
    const auto n = checked_bytes(DType::u8, shape, name_);
    if (n > left / 8) bad(cat(n, " values where ", left, " bytes are left"));
    return n;
  }

  void cells(std::string_view s, std::size_t& at, MatValue& v, int depth) {
    std::vector<MatValue> list;
    for (std::size_t n = count(v.shape, s.size() - at); n > 0; --n) list.push_back(child(s, at, depth));
    v.cells = row_major(std::move(list), v.shape);
    v.kind = MatValue::Kind::cell;
  }
  MatValue child(std::string_view s, std::size_t& at, int depth) {
    const Element e = next(s, at);
    if (e.type != kMatrix) bad("a cell or field that is no array");
    return matrix(e.data, depth + 1).value;
  }
  static std::vector<MatValue> row_major(std::vector<MatValue> list, const Shape& shape) {
    Array order(DType::i64, shape);
    const auto n = order.as<std::int64_t>();
    for (std::size_t i = 0; i < n.size(); ++i) n[i] = static_cast<std::int64_t>(i);
    const Array places = from_column_major(std::move(order));
    std::vector<MatValue> out;
    for (const auto i : places.as<std::int64_t>())
      out.push_back(std::move(list[static_cast<std::size_t>(i)]));
    return out;
  }

  void record(std::string_view s, std::size_t& at, MatValue& v, int depth) {
    const Element width = next(s, at), names = next(s, at);
    if (width.type != kInt32 || width.data.size() != 4 || names.type != kInt8) bad("no field names");
    const std::size_t w = u32(width.data, 0);
    if (w == 0 || names.data.size() % w) bad("field names of another size than their width");
    if (names.data.size() / w > values_) bad("more field names than the cap on values allows");
    std::vector<std::pair<std::string, std::vector<MatValue>>> fields;
    for (std::size_t i = 0; i < names.data.size(); i += w) {
      const auto name = names.data.substr(i, w);
      fields.emplace_back(name.substr(0, name.find('\0')), std::vector<MatValue>());
    }
    const std::size_t n = fields.empty() ? 0 : count(v.shape, (s.size() - at) / fields.size());
    for (std::size_t i = 0; i < n; ++i)
      for (auto& f : fields) f.second.push_back(child(s, at, depth));
    for (auto& [name, list] : fields) {
      if (!v.fields.emplace(name, row_major(std::move(list), v.shape)).second)
        bad("a field name appears twice");
    }
    v.kind = MatValue::Kind::record;
  }

  void text(const Element& e, MatValue& v) const {
    const auto points = code_points(e);
    const std::size_t rows = static_cast<std::size_t>(v.shape[0]);
    v.kind = MatValue::Kind::text;
    if (rows <= 1 || points.empty()) {
      for (char32_t c : points) append_utf8(v.text, c);
      return;
    }
    if (points.size() % rows) bad("a char array whose characters do not fill its rows");
    for (std::size_t r = 0; r < rows; ++r) {
      if (r) v.text += '\n';
      for (std::size_t i = r; i < points.size(); i += rows) append_utf8(v.text, points[i]);
    }
  }

  std::u32string code_points(const Element& e) const {
    const auto& d = e.data;
    const auto byte = [&](std::size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(d[i])); };
    std::u32string out;
    const auto put = [&](char32_t c) {
      const bool surrogate = c >= 0xd800 && c < 0xe000;
      if (surrogate && c >= 0xdc00 && !out.empty() && out.back() >= 0xd800 && out.back() < 0xdc00) {
        out.back() = 0x10000 + ((out.back() - 0xd800) << 10) + (c - 0xdc00);
      } else {
        out += c;
      }
    };
    if (e.type == kUtf8 || e.type == kInt8 || e.type == kUint8) {
      for (std::size_t i = 0; i < d.size();) {
        const char32_t lead = byte(i);
        // Bytes that are not UTF-8 are the older writers' Latin-1.
        const std::size_t n = lead < 0xc2 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 1;
        bool whole = n > 1 && i + n <= d.size();
        char32_t c = whole ? lead & (0x7fu >> n) : lead;
        for (std::size_t k = 1; whole && k < n; ++k) {
          whole = (byte(i + k) & 0xc0) == 0x80;
          c = c << 6 | (byte(i + k) & 0x3f);
        }
        put(whole ? c : lead);
        i += whole ? n : 1;
      }
    } else if (e.type == kUint16 || e.type == kUtf16) {
      for (std::size_t i = 0; i + 1 < d.size(); i += 2) put(byte(i) | byte(i + 1) << 8);
    } else if (e.type == kUint32 || e.type == kUtf32) {
      for (std::size_t i = 0; i + 3 < d.size(); i += 4) put(u32(d, i));
    } else {
      bad(cat("text of unknown type ", e.type));
    }
    for (char32_t& c : out)
      if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) c = 0xfffd;  // no character: the replacement character
    return out;
  }

  std::string_view file_;
  std::string name_;
  std::size_t budget_, values_, where_ = 0;
};

}  // namespace detail

/// The variables of a MATLAB 5 file by name. `name` is named in errors.
/// @throws IoError naming the byte at which the variable at fault starts.
inline std::map<std::string, MatValue> parse_mat5(std::string_view bytes, std::string name,
                                                  const Mat5Options& options = {}) {
  return detail::Mat5Parser(bytes, std::move(name), options).parse();
}

/// @throws IoError
inline std::map<std::string, MatValue> read_mat5(const std::string& path, const Mat5Options& options = {}) {
  return parse_mat5(read_file(path, options.max_bytes), path, options);
}

}  // namespace io
TMOR_END
