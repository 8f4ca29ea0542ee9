#pragma once
/// @file image.hpp
/// JPEG, PNG and the first frame of a GIF as pixels, and pixels as JPEG or PNG, by stb (Debian: libstb-dev).
/// The only file that includes it, with internal linkage; a program that uses stb_image itself does so in
/// another source file.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "tmor/io/file.hpp"
#include "tmor/io/inflate.hpp"
#include "tmor/io/pixels.hpp"
#include "tmor/io/resize.hpp"

#if defined(STBI_INCLUDE_STB_IMAGE_H) || defined(INCLUDE_STB_IMAGE_WRITE_H)
#error "tmor/io/image.hpp makes an stb_image of its own: include yours in another source file"
#endif

TMOR_BEGIN
namespace io::detail {

/// Largest block that stb may take on this thread: set before each call from the size of the picture.
inline thread_local std::size_t stb_block_cap = 0;
inline void* stb_realloc(void* p, std::size_t n) {
  return n > 0 && n <= stb_block_cap ? std::realloc(p, n) : nullptr;
}
[[noreturn]] inline void stb_impossible() { fail<IoError>("[stb] a damaged picture"); }

}  // namespace io::detail
TMOR_END

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#define STBI_MALLOC(n) ::tmor::io::detail::stb_realloc(nullptr, n)
#define STBI_REALLOC(p, n) ::tmor::io::detail::stb_realloc(p, n)
#define STBI_FREE(p) ::std::free(p)
#define STBI_ASSERT(x) ((x) ? static_cast<void>(0) : ::tmor::io::detail::stb_impossible())
#define STBI_NO_STDIO
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_GIF
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

TMOR_BEGIN
namespace io {

struct ImageOptions {
  std::size_t max_bytes = std::size_t{1} << 26;  ///< of the file
  Index max_pixels = kMaxPixels;  ///< of the picture; it takes 3 bytes a pixel, up to 20 meanwhile
};

struct ImageSize {
  Index height = 0, width = 0;
};

namespace detail {

enum class ImageKind { jpeg, png, gif };

/// By the first bytes. @throws IoError
inline ImageKind image_kind(std::string_view bytes, std::string_view name) {
  if (bytes.starts_with("\xff\xd8\xff")) return ImageKind::jpeg;
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return ImageKind::png;
  if (bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a")) return ImageKind::gif;
  fail<IoError>(name, ": byte 0: ", bytes.empty() ? "the file is empty" : "no JPEG, PNG or GIF",
                ": convert the picture to one of them");
}

inline std::uint32_t big_endian(std::string_view bytes, std::size_t at, std::size_t n) {
  std::uint32_t v = 0;
  for (std::size_t i = 0; i < n; ++i) v = v << 8 | static_cast<unsigned char>(bytes[at + i]);
  return v;
}

/// Code tables of a JPEG, from byte `at` (their length) on: more than 256 codes would overrun stb's.
inline void check_jpeg_codes(std::string_view bytes, std::string_view name, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < bytes.size() ? big_endian(bytes, i, 1) : 0; };
  const std::size_t end = at + big_endian(bytes, at, 2);
  for (std::size_t i = at + 2; i < end;) {
    std::size_t codes = 0;
    for (std::size_t k = 1; k <= 16; ++k) codes += byte(i + k);
    TMOR_CHECK_IO(codes <= 256, name, ": byte ", i, ": a JPEG code table of ", codes, " codes");
    i += 17 + codes;
  }
}

/// Walks the segments to the end marker: stb fills what is cut off with grey and says nothing.
inline void check_jpeg_whole(std::string_view bytes, std::string_view name) {
  for (std::size_t i = 2; i + 1 < bytes.size();) {
    const auto marker = big_endian(bytes, i + 1, 1);
    if (bytes[i] != '\xff' || marker == 0 || marker == 0xff || (marker >= 0xd0 && marker <= 0xd7)) {
      ++i;  // entropy-coded data
    } else if (marker == 0xd9) {
      return;
    } else {
      if (i + 4 > bytes.size()) break;
      if (marker == 0xc4) check_jpeg_codes(bytes, name, i + 2);
      i += 2 + big_endian(bytes, i + 2, 2);
    }
  }
  fail<IoError>(name, ": byte ", bytes.size(),
                ": the JPEG ends before its end marker: it is cut off or damaged");
}

/// Walks the chunks and compares their checksums, which stb does not.
inline void check_png_whole(std::string_view bytes, std::string_view name) {
  for (std::size_t i = 8; i + 12 <= bytes.size();) {
    const std::size_t length = big_endian(bytes, i, 4);
    if (length > bytes.size() - i - 12) break;
    const auto chunk = bytes.substr(i + 4, length + 4);
    TMOR_CHECK_IO(crc32(chunk) == big_endian(bytes, i + 8 + length, 4), name, ": byte ", i,
                  ": the checksum of this PNG chunk differs: the file is damaged");
    if (chunk.starts_with("IEND")) return;
    i += 12 + length;
  }
  fail<IoError>(name, ": byte ", bytes.size(), ": the PNG ends before its last chunk: it is cut off");
}

/// The size, checked against `options`; stb may take what such a picture needs from now on.
inline ImageSize open_image(std::string_view bytes, std::string_view name, const ImageOptions& options) {
  check_size(std::string(name), bytes.size(), std::min(options.max_bytes, std::size_t{1} << 30));
  const auto kind = image_kind(bytes, name);
  if (kind == ImageKind::jpeg) check_jpeg_whole(bytes, name);
  if (kind == ImageKind::png) check_png_whole(bytes, name);
  stb_block_cap = std::size_t{1} << 20;
  int width = 0, height = 0, channels = 0;
  const auto* data = reinterpret_cast<const stbi_uc*>(bytes.data());
  if (!stbi_info_from_memory(data, static_cast<int>(bytes.size()), &width, &height, &channels) || width < 1 ||
      height < 1) {
    const char* reason = stbi_failure_reason();
    fail<IoError>(name, ": damaged header of a picture: ", reason ? reason : "no size");
  }
  TMOR_CHECK_IO(width <= options.max_pixels / height, name, ": a picture of ", width, " x ", height,
                " pixels, more than the cap of ", options.max_pixels,
                ": is it the right file? If so raise the cap");
  // Decoders pad to blocks of 32 and hold up to 8 bytes a pixel in one piece; buffers grow by doubling.
  stb_block_cap += 2 * bytes.size() + std::size_t{16} * static_cast<std::size_t>(width + 32) *
                                          static_cast<std::size_t>(height + 32);
  return {height, width};
}

}  // namespace detail

/// The size of the picture in `bytes`, without decoding it. `name` is named in errors. @throws IoError
inline ImageSize image_size(std::string_view bytes, std::string_view name, const ImageOptions& options = {}) {
  return detail::open_image(bytes, name, options);
}

/// The picture in the bytes of a JPEG, PNG or GIF file (the first frame); grey becomes RGB, 16 bits become 8,
/// an alpha channel is dropped, orientation tags are not looked at. `name` is named in errors.
/// @throws IoError for other formats, damaged or cut-off files, and sizes over the caps (before memory is
/// taken).
inline Pixels decode_image(std::string_view bytes, std::string_view name, const ImageOptions& options = {}) {
  const auto size = detail::open_image(bytes, name, options);
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> data(
      stbi_load_from_memory(reinterpret_cast<const stbi_uc*>(bytes.data()), static_cast<int>(bytes.size()),
                            &width, &height, &channels, 3),
      std::free);
  if (!data || width != size.width || height != size.height) {
    const char* reason = data ? "two sizes" : stbi_failure_reason();
    detail::fail<IoError>(name, ": a damaged picture of ", size.width, " x ", size.height,
                          " pixels: ", reason ? reason : "unknown reason");
  }
  return {size.height, size.width, {data.get(), data.get() + size.height * size.width * 3}};
}

/// A JPEG, PNG or GIF file. @throws IoError
inline Pixels read_image(const std::string& path, const ImageOptions& options = {}) {
  return decode_image(read_file(path, options.max_bytes), path, options);
}

namespace detail {

inline void append_bytes(void* to, void* data, int n) {
  static_cast<std::string*>(to)->append(static_cast<const char*>(data), static_cast<std::size_t>(n));
}

inline void check_pixels(const Pixels& image, std::string_view where) {
  TMOR_CHECK(image.height >= 1 && image.width >= 1 && image.width <= kMaxPixels / image.height &&
                 std::ssize(image.rgb) == image.height * image.width * 3,
             where, " ", image.rgb.size(), " bytes for a picture of ", image.width, " x ", image.height);
}

}  // namespace detail

/// The bytes of a JPEG file; quality 1 (small) to 100, colours at half resolution up to 90. Lossy.
/// @throws Error for an empty picture or one over kMaxPixels, or a side over 65535.
inline std::string encode_jpeg(const Pixels& image, int quality = 90) {
  detail::check_pixels(image, "[encode_jpeg]");
  TMOR_CHECK(image.width <= 65535 && image.height <= 65535,
             "[encode_jpeg] a side is longer than 65535 pixels");
  TMOR_CHECK(quality >= 1 && quality <= 100, "[encode_jpeg] quality ", quality, ", want 1 to 100");
  std::string out;
  const int done = stbi_write_jpg_to_func(detail::append_bytes, &out, static_cast<int>(image.width),
                                          static_cast<int>(image.height), 3, image.rgb.data(), quality);
  TMOR_CHECK(done, "[encode_jpeg] out of memory");
  return out;
}

/// The bytes of a PNG file, lossless. @throws Error for an empty picture or one over kMaxPixels.
inline std::string encode_png(const Pixels& image) {
  detail::check_pixels(image, "[encode_png]");
  std::string out;
  const int done = stbi_write_png_to_func(detail::append_bytes, &out, static_cast<int>(image.width),
                                          static_cast<int>(image.height), 3, image.rgb.data(),
                                          static_cast<int>(image.width * 3));
  TMOR_CHECK(done, "[encode_png] out of memory");
  return out;
}

/// Writes a JPEG or PNG file, by the ending of `path`, atomically. @throws IoError; Error for other endings.
inline void write_image(const std::string& path, const Pixels& image, int quality = 90) {
  const bool png = path.ends_with(".png");
  TMOR_CHECK(png || path.ends_with(".jpg") || path.ends_with(".jpeg"), "[write_image] '", path,
             "' ends in neither .png nor .jpg");
  write_atomic(path, png ? encode_png(image) : encode_jpeg(image, quality));
}

}  // namespace io
TMOR_END
