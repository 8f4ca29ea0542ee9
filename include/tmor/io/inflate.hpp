#pragma once
/// @file inflate.hpp
/// Expanding deflate streams with a cap on the result, by zlib (link with -lz).

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "tmor/core/error.hpp"

TMOR_BEGIN
namespace io {

/// What surrounds a deflate stream: the zlib header of MATLAB and PNG, nothing (zip), or gzip's header.
enum class Wrapper { zlib, raw, gzip };

/// The CRC-32 of `bytes` after bytes whose checksum is `crc`, as zip and gzip store it.
inline std::uint32_t crc32(std::string_view bytes, std::uint32_t crc = 0) {
  return static_cast<std::uint32_t>(
      ::crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

struct Inflated {
  std::string data;
  /// False when the input ended before the stream did: no final block or checksum. The bytes are all that the
  /// input holds; real files are written like that, so the caller decides by the size that it expects.
  bool complete = false;
};

/// Expands `bytes`; several gzip members in a row give one result, further bytes after the end are ignored.
/// `name` is named in errors.
/// @throws IoError when the stream is damaged or expands to more than `cap` bytes.
inline Inflated inflate(std::string_view bytes, std::size_t cap, Wrapper wrapper = Wrapper::zlib,
                        std::string_view name = "deflate stream") {
  constexpr std::size_t kStep = std::size_t{1} << 30;  // zlib counts in 32 bits
  z_stream z{};
  const int bits = wrapper == Wrapper::zlib ? 15 : wrapper == Wrapper::raw ? -15 : 15 + 16;
  TMOR_CHECK_IO(inflateInit2(&z, bits) == Z_OK, "cannot start zlib: out of memory");
  struct Guard {
    z_stream* z;
    ~Guard() { inflateEnd(z); }
  } guard{&z};

  Inflated out;
  std::size_t in = 0, n = 0;
  // One byte beyond the cap: filling it is how a stream that is too large shows.
  const std::size_t limit = std::max(cap, cap + 1);
  out.data.resize(
      std::min(limit, std::max<std::size_t>(256, bytes.size() < limit / 4 ? 4 * bytes.size() : limit)));
  for (;;) {
    if (n == out.data.size()) out.data.resize(std::min(limit, 2 * n));
    const std::size_t give = std::min(kStep, bytes.size() - in), room = std::min(kStep, out.data.size() - n);
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + in));
    z.avail_in = static_cast<uInt>(give);
    z.next_out = reinterpret_cast<Bytef*>(out.data.data() + n);
    z.avail_out = static_cast<uInt>(room);
    const int rc = ::inflate(&z, Z_NO_FLUSH);
    in += give - z.avail_in;
    n += room - z.avail_out;
    TMOR_CHECK_IO(n <= cap, name, ": expands to more than the cap of ", cap,
                  " bytes: is it the right file? If so raise the cap");
    if (rc == Z_STREAM_END) {
      const std::string_view rest = bytes.substr(in);
      if (wrapper == Wrapper::gzip && rest.starts_with("\x1f\x8b") && inflateReset(&z) == Z_OK) continue;
      out.complete = true;
      break;
    }
    TMOR_CHECK_IO(rc == Z_OK || rc == Z_BUF_ERROR, name, ": damaged deflate stream at byte ", in, ": ",
                  z.msg ? z.msg : "zlib gives no reason");
    if (in == bytes.size() && z.avail_out > 0) break;  // the input is used up and gives nothing more
  }
  out.data.resize(n);
  return out;
}

}  // namespace io
TMOR_END
