#pragma once
/// @file tar.hpp
/// Tar archives: POSIX ustar, with GNU long names and the path and size records of pax; written as ustar with
/// pax records where a name is long or not ASCII. Only regular files are handed out; folders and links are
/// passed over.

#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "tmor/io/file.hpp"

TMOR_BEGIN
namespace io {

inline constexpr std::size_t kTarBlock = 512;

/// A regular file in an archive.
struct TarEntry {
  std::string name;
  std::size_t size = 0;    ///< bytes
  std::size_t offset = 0;  ///< of the first of them in the archive
};

namespace detail {

inline std::size_t tar_padding(std::size_t size) { return (kTarBlock - size % kTarBlock) % kTarBlock; }

/// The sum of a header's bytes, those of the checksum counted as spaces.
inline unsigned tar_checksum(std::string_view block) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < kTarBlock; ++i)
    sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(block[i]);
  return sum;
}

}  // namespace detail

/// Reads an archive from front to back, from any source of bytes: `read(to, n)` puts up to n bytes at `to`
/// and returns how many, 0 only at the end; `skip(n)` passes over n bytes and is true unless the source ends
/// first.
template <class Source> class TarReader {
 public:
  static constexpr std::size_t kMaxEntry = std::size_t{1}
                                           << 40;  ///< bytes of one file, beyond which it is damage
  static constexpr std::size_t kMaxName = std::size_t{1} << 16;  ///< bytes of a pax record or a long name

  /// `name` is named in errors.
  TarReader(Source source, std::string name) : source_(std::move(source)), name_(std::move(name)) {}

  /// The next regular file, or none at the end. What of the current one was not read is passed over.
  /// @throws IoError with the byte offset for a damaged or cut-off archive.
  std::optional<TarEntry> next() {
    pass(left_ + padding_);
    left_ = padding_ = 0;
    std::string long_name;
    std::optional<std::size_t> long_size;
    for (;;) {
      std::array<char, kTarBlock> buffer;
      const std::size_t start = at_, got = fill(buffer.data(), kTarBlock);
      const std::string_view block(buffer.data(), kTarBlock);
      if (got < kTarBlock)
        bad(start, start == 0 ? "the archive is empty, or too short for one"
                              : "the archive ends without its end mark: it is cut off");
      if (block.find_first_not_of('\0') == block.npos) {
        if (pending(long_name, long_size)) bad(start, "the archive ends behind a long name");
        return {};
      }
      if (number(block, 148, 8, start) != detail::tar_checksum(block))
        bad(start, "the checksum of a header differs: the archive is damaged, or no tar file");
      std::size_t size = number(block, 124, 12, start);
      const char type = block[156];
      if (type == 'x' || type == 'g' || type == 'L' || type == 'K') {
        if (size > kMaxName) bad(start, detail::cat("a record of ", size, " bytes"));
        const std::string record = take(size, start);
        if (type == 'L') long_name = record.substr(0, record.find('\0'));
        if (type == 'x') pax(record, start, long_name, long_size);
        continue;
      }
      if (long_size) size = *long_size;
      if (size > kMaxEntry) bad(start, detail::cat("a file of ", size, " bytes"));
      std::string name = long_name.empty() ? header_name(block) : long_name;
      long_name.clear();
      long_size.reset();
      const bool file = (type == '0' || type == '\0' || type == '7') && !name.ends_with('/');
      if (!file) {  // of the other types only unknown ones have data; links and folders say a size without
        if (type < '1' || type > '6') pass(size + detail::tar_padding(size));
        continue;
      }
      left_ = size;
      padding_ = detail::tar_padding(size);
      return TarEntry{std::move(name), size, at_};
    }
  }

  /// The bytes of the current file, all or those not read yet. @throws IoError when the archive ends before
  /// them or there are more than `cap` (checked before memory is taken).
  std::string read(std::size_t cap = kMaxFileBytes) {
    if (left_ > cap) bad(at_, detail::cat("a file of ", left_, " bytes, more than the cap of ", cap));
    const std::size_t size = std::exchange(left_, 0);
    return take_exactly(size, at_);
  }

 private:
  [[noreturn]] void bad(std::size_t at, std::string_view what) const {
    detail::fail<IoError>(name_, ": byte ", at, ": ", what);
  }
  static bool pending(const std::string& name, const std::optional<std::size_t>& size) {
    return !name.empty() || size;
  }
  std::size_t fill(char* to, std::size_t n) {
    std::size_t done = 0;
    while (done < n) {
      const std::size_t got = source_.read(to + done, n - done);
      if (got == 0) break;
      done += got;
    }
    at_ += done;
    return done;
  }
  /// In pieces, so that a size that lies takes no more memory than there are bytes.
  std::string take_exactly(std::size_t size, std::size_t start) {
    std::string out;
    while (out.size() < size) {
      const std::size_t have = out.size(), n = std::min(size - have, std::size_t{1} << 20);
      out.resize(have + n);
      if (fill(out.data() + have, n) < n)
        bad(start, detail::cat("the archive ends inside a file of ", size, " bytes"));
    }
    return out;
  }
  std::string take(std::size_t size, std::size_t start) {
    std::string out = take_exactly(size, start);
    pass(detail::tar_padding(size));
    return out;
  }
  void pass(std::size_t n) {
    if (n == 0) return;
    if (!source_.skip(n)) bad(at_, "the archive ends inside a file or its padding");
    at_ += n;
  }
  /// Octal digits, or GNU's base 256.
  std::size_t number(std::string_view block, std::size_t at, std::size_t n, std::size_t start) const {
    std::size_t value = 0;
    const auto field = block.substr(at, n);
    if (static_cast<unsigned char>(field[0]) == 0x80) {
      for (std::size_t i = 1; i < n; ++i) {
        if (value >> 48) bad(start + at, "a number of absurd size");
        value = value << 8 | static_cast<unsigned char>(field[i]);
      }
      return value;
    }
    std::size_t i = std::min(field.find_first_not_of(' '), n);
    for (; i < n && field[i] != ' ' && field[i] != '\0'; ++i) {
      if (field[i] < '0' || field[i] > '7')
        bad(start + at, "a number is not octal: the archive is damaged, or no tar file");
      value = value << 3 | static_cast<std::size_t>(field[i] - '0');  // at most 12 digits
    }
    return value;
  }
  static std::string header_name(std::string_view block) {
    const auto text = [&](std::size_t at, std::size_t n) {
      const auto s = block.substr(at, n);
      return std::string(s.substr(0, s.find('\0')));
    };
    const std::string name = text(0, 100);
    const std::string prefix = block.substr(257, 6) == std::string_view("ustar\0", 6) ? text(345, 155) : "";
    return prefix.empty() ? name : prefix + "/" + name;
  }
  /// Records "<length> <key>=<value>\n", the length counting all of that.
  void pax(std::string_view record, std::size_t start, std::string& long_name,
           std::optional<std::size_t>& long_size) const {
    while (!record.empty() && record[0] != '\0') {
      std::size_t length = 0;
      const auto r = std::from_chars(record.data(), record.data() + record.size(), length);
      const auto digits = static_cast<std::size_t>(r.ptr - record.data());
      if (r.ec != std::errc() || length > record.size() || length < digits + 3 || record[digits] != ' ' ||
          record[length - 1] != '\n')
        bad(start, "damaged pax records");
      const auto text = record.substr(digits + 1, length - digits - 2);
      record.remove_prefix(length);
      const auto equals = text.find('=');
      if (equals == text.npos) bad(start, "damaged pax records");
      const auto key = text.substr(0, equals), value = text.substr(equals + 1);
      if (key == "path") long_name = value;
      if (key == "size") {
        std::size_t size = 0;
        const auto s = std::from_chars(value.data(), value.data() + value.size(), size);
        if (s.ec != std::errc() || s.ptr != value.data() + value.size())
          bad(start, "a pax size that is no number");
        long_size = size;
      }
    }
  }

  Source source_;
  std::string name_;
  std::size_t at_ = 0, left_ = 0, padding_ = 0;
};

/// A file as a source of bytes: read in pieces, passed over by seeking.
class FileSource {
 public:
  /// @throws IoError
  explicit FileSource(const std::string& path) : path_(path) {
    struct stat st;
    fd_ = detail::open_for_reading(path, st);
    seekable_ = S_ISREG(st.st_mode);
    size_ = static_cast<std::size_t>(st.st_size);
  }
  std::size_t read(char* to, std::size_t n) {
    for (;;) {
      const auto got = ::read(fd_.get(), to, n);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) detail::fail_errno("read", path_, errno);
      at_ += static_cast<std::size_t>(got);
      return static_cast<std::size_t>(got);
    }
  }
  bool skip(std::size_t n) {
    if (seekable_) {
      if (n > size_ - std::min(size_, at_)) return false;
      at_ += n;
      return ::lseek(fd_.get(), static_cast<off_t>(at_), SEEK_SET) >= 0;
    }
    char buffer[4096];
    while (n > 0) {
      const std::size_t got = read(buffer, std::min(n, sizeof buffer));
      if (got == 0) return false;
      n -= got;
    }
    return true;
  }

 private:
  std::string path_;
  detail::Descriptor fd_;
  bool seekable_ = false;
  std::size_t size_ = 0, at_ = 0;
};

/// Bytes in memory as a source; they must stay.
class MemorySource {
 public:
  explicit MemorySource(std::string_view bytes) : left_(bytes) {}
  std::size_t read(char* to, std::size_t n) {
    n = std::min(n, left_.size());
    std::memcpy(to, left_.data(), n);
    left_.remove_prefix(n);
    return n;
  }
  bool skip(std::size_t n) {
    if (n > left_.size()) return false;
    left_.remove_prefix(n);
    return true;
  }

 private:
  std::string_view left_;
};

/// The regular files of an archive, from its headers alone. @throws IoError
inline std::vector<TarEntry> tar_index(const std::string& path) {
  TarReader<FileSource> tar(FileSource(path), path);
  std::vector<TarEntry> entries;
  while (auto e = tar.next()) entries.push_back(std::move(*e));
  return entries;
}

/// Writes an archive that appears complete or not at all. The same files give the same bytes: owner, group
/// and time are zero.
class TarWriter {
 public:
  /// @throws IoError when the folder cannot be written.
  explicit TarWriter(const std::string& path) : file_(path) {}

  /// Appends a regular file. @throws IoError; Error for an empty name, one with a NUL or one over 4096 bytes.
  void add(std::string_view name, std::string_view bytes) {
    TMOR_CHECK(!name.empty() && name.size() <= 4096 && name.find('\0') == name.npos && !name.ends_with('/'),
               "[TarWriter] the name '", name.substr(0, 64), "' is empty, too long, a folder or holds a NUL");
    const bool plain = name.size() <= 100 &&
                       std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c <= '~'; });
    if (!plain || bytes.size() >> 33) {
      std::string records = pax_record("path", name);
      if (bytes.size() >> 33) records += pax_record("size", detail::cat(bytes.size()));
      put("pax", records, 'x');
    }
    put(plain ? name : "long-name", bytes, '0');
  }

  /// Bytes so far, without the end.
  std::size_t size() const { return size_; }

  /// Makes the archive appear; nothing may be added afterwards. @throws IoError
  void commit() {
    file_.write(std::string(2 * kTarBlock, '\0'));
    file_.commit();
  }

 private:
  static std::string pax_record(std::string_view key, std::string_view value) {
    const std::string rest = detail::cat(" ", key, "=", value, "\n");
    std::size_t length = rest.size() + 1;
    while (detail::cat(length).size() + rest.size() != length) ++length;
    return detail::cat(length) + rest;
  }
  void put(std::string_view name, std::string_view bytes, char type) {
    std::string header(kTarBlock, '\0');
    const auto field = [&](std::size_t at, std::string_view text) { header.replace(at, text.size(), text); };
    const auto octal = [&](std::size_t at, std::size_t width, std::size_t value) {
      for (std::size_t i = width; i-- > 0; value >>= 3) header[at + i] = static_cast<char>('0' + (value & 7));
    };
    field(0, name);
    octal(100, 7, 0644);
    octal(108, 7, 0);
    octal(116, 7, 0);
    octal(124, 11, bytes.size() >> 33 ? 0 : bytes.size());
    octal(136, 11, 0);
    header[156] = type;
    field(257, std::string_view("ustar\0"
                                "00",
                                8));
    octal(148, 6, detail::tar_checksum(header));
    header[155] = ' ';
    file_.write(header);
    file_.write(bytes);
    file_.write(std::string(detail::tar_padding(bytes.size()), '\0'));
    size_ += kTarBlock + bytes.size() + detail::tar_padding(bytes.size());
  }

  AtomicFile file_;
  std::size_t size_ = 0;
};

}  // namespace io
TMOR_END
