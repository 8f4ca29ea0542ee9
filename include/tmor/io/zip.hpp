#pragma once
/// @file zip.hpp
/// Zip archives: reading stored and deflated members (ZIP64 too), writing stored ones.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tmor/io/file.hpp"
#include "tmor/io/inflate.hpp"

TMOR_BEGIN
namespace io {

struct ZipEntry {
  std::string name;
  std::size_t packed = 0, size = 0;  ///< bytes in the archive and after expansion
  std::size_t offset = 0;            ///< of the local header, from the start of the file
  std::uint32_t crc = 0;
  bool deflated = false;
};

/// The directory of a zip archive whose bytes the caller keeps alive, and the contents of its members.
class ZipReader {
 public:
  /// `file` is named in errors. @throws IoError for a damaged directory, encryption, unknown compression.
  ZipReader(std::string_view bytes, std::string file) : bytes_(bytes), file_(std::move(file)) {
    std::size_t at = find_end();
    std::size_t count = u16(at + 10), start = u32(at + 16);
    if (at >= 20 && u32(at - 20) == 0x07064b50) {  // ZIP64: its own record holds the wide numbers
      const std::size_t wide = u64(at - 12);
      need(wide, 56, "the ZIP64 record");
      if (u32(wide) != 0x06064b50) bad(wide, "no ZIP64 record where the archive says");
      count = u64(wide + 32);
      start = u64(wide + 48);
    }
    std::size_t p = start;
    for (std::size_t i = 0; i < count; ++i) p = read_entry(p);
  }

  /// In the archive's order.
  const std::vector<ZipEntry>& entries() const { return entries_; }
  bool contains(const std::string& name) const { return index_.count(name) != 0; }

  /// The expanded bytes of a member. @throws IoError when there is none of that name, it is damaged (size or
  /// checksum differ), or is larger than `cap`.
  std::string extract(const std::string& name, std::size_t cap = kMaxFileBytes) const {
    const auto it = index_.find(name);
    TMOR_CHECK_IO(it != index_.end(), file_, ": no member '", name, "'", listing());
    const ZipEntry& e = entries_[it->second];
    TMOR_CHECK_IO(e.size <= cap, file_, ": member '", name, "' expands to ", e.size,
                  " bytes, more than the cap of ", cap);
    need(e.offset, 30, "a local header");
    if (u32(e.offset) != 0x04034b50) bad(e.offset, "no local header of '" + name + "'");
    // The sizes here may be zero (they then follow the data): only the directory's are used.
    const std::size_t data = e.offset + 30 + u16(e.offset + 26) + u16(e.offset + 28);
    need(data, e.packed, "the data of '" + name + "'");
    const auto packed = bytes_.substr(data, e.packed);
    std::string out;
    if (e.deflated) {
      auto inflated = inflate(packed, e.size, Wrapper::raw, file_ + ": member '" + name + "'");
      if (!inflated.complete) bad(data, "the deflate stream of '" + name + "' has no end");
      out = std::move(inflated.data);
    } else {
      out = packed;
    }
    if (out.size() != e.size)
      bad(data, "the data of '" + name + "' has another size than the directory says");
    if (crc32(out) != e.crc) bad(data, "the checksum of '" + name + "' differs: the file is damaged");
    return out;
  }

 private:
  [[noreturn]] void bad(std::size_t at, const std::string& what) const {
    detail::fail<IoError>(file_, ": byte ", at, ": ", what);
  }
  void need(std::size_t at, std::size_t n, const std::string& what) const {
    if (at > bytes_.size() || n > bytes_.size() - at) bad(at, "the zip archive ends inside " + what);
  }
  std::size_t little(std::size_t at, int n) const {
    need(at, static_cast<std::size_t>(n), "a record");
    std::size_t v = 0;
    for (int i = n - 1; i >= 0; --i)
      v = v << 8 | static_cast<unsigned char>(bytes_[at + static_cast<std::size_t>(i)]);
    return v;
  }
  std::size_t u16(std::size_t at) const { return little(at, 2); }
  std::size_t u32(std::size_t at) const { return little(at, 4); }
  std::size_t u64(std::size_t at) const { return little(at, 8); }

  /// The record at the end, which a comment of up to 65535 bytes may follow.
  std::size_t find_end() const {
    constexpr std::size_t kRecord = 22, kComment = 65535;
    if (bytes_.size() >= kRecord) {
      const std::size_t last = bytes_.size() - kRecord, first = last - std::min(last, kComment);
      for (std::size_t at = last + 1; at-- > first;) {
        if (u32(at) == 0x06054b50 && at + kRecord + u16(at + 20) == bytes_.size()) return at;
      }
    }
    bad(bytes_.size(), "no zip directory: not a zip archive, or its end is missing");
  }

  /// Reads the directory's entry at `p`; returns where the next one starts.
  std::size_t read_entry(std::size_t p) {
    need(p, 46, "the directory");
    if (u32(p) != 0x02014b50) bad(p, "no directory entry where the archive says");
    ZipEntry e;
    const std::size_t flags = u16(p + 8), method = u16(p + 10), name = u16(p + 28), extra = u16(p + 30);
    e.crc = static_cast<std::uint32_t>(u32(p + 16));
    e.packed = u32(p + 20);
    e.size = u32(p + 24);
    e.offset = u32(p + 42);
    need(p + 46, name + extra, "the directory");
    e.name = bytes_.substr(p + 46, name);
    for (std::size_t x = p + 46 + name, end = x + extra; x + 4 <= end; x += 4 + u16(x + 2)) {
      if (u16(x) != 1) continue;  // the ZIP64 field holds, in this order, those that are all ones
      std::size_t at = x + 4;
      for (std::size_t* v : {&e.size, &e.packed, &e.offset}) {
        if (*v == 0xffffffff) *v = u64(std::exchange(at, at + 8));
      }
    }
    if (flags & 1) bad(p, "member '" + e.name + "' is encrypted");
    if (method != 0 && method != 8)
      bad(p, "member '" + e.name + "' is compressed by neither store nor deflate");
    e.deflated = method == 8;
    if (!index_.emplace(e.name, entries_.size()).second) bad(p, "member '" + e.name + "' appears twice");
    entries_.push_back(std::move(e));
    return p + 46 + name + extra + u16(p + 32);
  }

  std::string listing() const {
    std::string s = "; it has:";
    for (std::size_t i = 0; i < entries_.size() && i < 20; ++i) s += " " + entries_[i].name;
    return s;
  }

  std::string_view bytes_;
  std::string file_;
  std::vector<ZipEntry> entries_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

/// Writes a zip archive of stored members, atomically; the same members give the same bytes (no clock).
class ZipWriter {
 public:
  explicit ZipWriter(const std::string& path) : path_(path), file_(path) {}

  /// Adds a member whose bytes are those of `parts` one after the other.
  /// @throws IoError; Error when the archive grows beyond 4 GiB or 65535 members (use safetensors).
  void add(const std::string& name, std::initializer_list<std::string_view> parts) {
    std::size_t size = 0;
    std::uint32_t crc = 0;
    for (auto p : parts) {
      size += p.size();
      crc = crc32(p, crc);
    }
    TMOR_CHECK(offset_ + size + name.size() < 0xffff0000 && count_ < 65535 && name.size() < 65536, "[zip] '",
               path_, "' would be too large for a plain zip archive: write safetensors, or several files");
    std::string common =
        le(20, 2) + le(0, 2) + le(0, 2) + le(0, 2) + le(0x21, 2);  // 1980-01-01, the format's zero
    common += le(crc, 4) + le(size, 4) + le(size, 4) + le(name.size(), 2) + le(0, 2);
    directory_ += le(0x02014b50, 4) + le(20, 2) + common + le(0, 2) + le(0, 2) + le(0, 2) + le(0, 4);
    directory_ += le(offset_, 4) + name;
    const std::string header = le(0x04034b50, 4) + common + name;
    file_.write(header);
    for (auto p : parts) file_.write(p);
    offset_ += header.size() + size;
    ++count_;
  }

  /// Writes the directory and makes the file appear. @throws IoError
  void commit() {
    file_.write(directory_);
    file_.write(le(0x06054b50, 4) + le(0, 4) + le(count_, 2) + le(count_, 2) + le(directory_.size(), 4) +
                le(offset_, 4) + le(0, 2));
    file_.commit();
  }

 private:
  static std::string le(std::size_t v, int bytes) {
    std::string s;
    for (int i = 0; i < bytes; ++i, v >>= 8) s += static_cast<char>(v & 255);
    return s;
  }

  std::string path_, directory_;
  AtomicFile file_;
  std::size_t offset_ = 0, count_ = 0;
};

}  // namespace io
TMOR_END
