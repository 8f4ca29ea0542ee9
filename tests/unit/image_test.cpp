#include "tmor/io/image.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "../support/files.hpp"
#include "../support/fuzz.hpp"
#include "tmor/io/gif.hpp"

using namespace tmor;
using test::contains;
using test::message;

namespace {

std::string file(const std::string& name) { return io::read_file(test::golden("images/" + name)); }
io::Pixels picture(const std::string& name) { return io::read_image(test::golden("images/" + name)); }

/// What tests/golden/images/make.py draws.
io::Pixels ramp() {
  auto p = io::Pixels::black(17, 23);
  for (Index y = 0; y < 17; ++y)
    for (Index x = 0; x < 23; ++x) {
      const Index rgb[] = {10 * x, 14 * y, 5 * (x + y)};
      for (Index c = 0; c < 3; ++c) p.at(y, x)[c] = static_cast<std::uint8_t>(rgb[c]);
    }
  return p;
}

/// Largest difference of two pictures of equal size.
int distance(const io::Pixels& a, const io::Pixels& b) {
  REQUIRE(a.height == b.height);
  REQUIRE(a.width == b.width);
  REQUIRE(a.rgb.size() == b.rgb.size());
  int most = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i)
    most = std::max(most, std::abs(int{a.rgb[i]} - int{b.rgb[i]}));
  return most;
}

/// Gives every chunk of a PNG the checksum it wants, so that damage reaches the decoder.
std::string with_checksums(std::string_view bytes) {
  std::string s(bytes);
  for (std::size_t i = 8; i + 12 <= s.size();) {
    const std::size_t length = io::detail::big_endian(s, i, 4);
    if (length > s.size() - i - 12) break;
    const auto crc = io::crc32(std::string_view(s).substr(i + 4, length + 4));
    for (std::size_t k = 0; k < 4; ++k) s[i + 8 + length + k] = static_cast<char>(crc >> (24 - 8 * k) & 255);
    i += 12 + length;
  }
  return s;
}

std::string refusal(std::string_view bytes, const io::ImageOptions& options = {}) {
  return message<IoError>([&] { io::decode_image(bytes, "x.jpg", options); });
}

}  // namespace

TEST_CASE("pictures of another writer") {
  CHECK(distance(picture("ramp.png"), ramp()) == 0);
  CHECK(distance(picture("alpha.png"), ramp()) == 0);
  CHECK(distance(picture("ramp.jpg"), ramp()) <= 6);
  CHECK(distance(picture("progressive.jpg"), ramp()) <= 24);  // colours at half resolution
  CHECK(distance(picture("palette.png"), ramp()) <= 60);      // 16 colours
  const auto grey = picture("grey.png"), colour = ramp();
  CHECK(distance(picture("grey.jpg"), grey) <= 4);
  for (Index i = 0; i < 17 * 23; ++i) {
    const auto* p = colour.at(0, i);
    CHECK(std::abs(grey.at(0, i)[0] - (0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2])) <= 1);
    CHECK(grey.at(0, i)[0] == grey.at(0, i)[2]);
  }
  CHECK(picture("grey16.png").at(16, 22)[1] == (16 * 1000 + 22) / 256);
  const auto size = io::image_size(file("ramp.jpg"), "x");
  CHECK(size.height == 17);
  CHECK(size.width == 23);
}

TEST_CASE("what is written is read again") {
  const auto p = ramp();
  CHECK(distance(io::decode_image(io::encode_png(p), "x"), p) == 0);
  CHECK(distance(io::decode_image(io::encode_jpeg(p, 95), "x"), p) <= 8);
  CHECK(io::encode_jpeg(p, 20).size() < io::encode_jpeg(p, 95).size());
  const test::TempDir dir;
  for (const char* name : {"a.png", "a.jpg"}) {
    io::write_image(dir / name, p);
    CHECK(io::read_image(dir / name).width == 23);
  }
  CHECK(distance(io::read_image(dir / "a.png"), p) == 0);
  CHECK(contains(message<Error>([&] { io::write_image(dir / "a.webp", p); }), "neither"));
  CHECK(contains(message<Error>([&] { io::encode_jpeg(p, 0); }), "quality 0"));
  CHECK(contains(message<Error>([&] { io::encode_png({}); }), "encode_png"));
  CHECK(contains(message<Error>([&] { io::encode_png({4, 4, {1, 2, 3}}); }), "3 bytes"));
}

TEST_CASE("other formats, damage, and sizes over the caps are refused") {
  const auto jpeg = file("ramp.jpg"), png = file("ramp.png");
  CHECK(contains(refusal(""), "x.jpg: byte 0: the file is empty"));
  CHECK(contains(refusal(file("ramp.webp")), "no JPEG, PNG or GIF"));
  for (std::size_t keep = 4; keep < jpeg.size(); keep += 13) CHECK(refusal(jpeg.substr(0, keep)) != "");
  CHECK(contains(refusal(jpeg.substr(0, jpeg.size() - 2)), "ends before its end marker"));
  for (std::size_t keep = 9; keep < png.size(); keep += 13) CHECK(refusal(png.substr(0, keep)) != "");
  auto flipped = png;
  flipped[png.find("IDAT") + 20] ^= 4;
  CHECK(contains(refusal(flipped), "checksum"));
  CHECK(contains(refusal(png, {.max_pixels = 17 * 23 - 1}), "23 x 17 pixels, more than the cap of 390"));
  CHECK(refusal(png, {.max_pixels = 17 * 23}) == "");
  CHECK(contains(refusal(png, {.max_bytes = 50}), "more than the cap of 50"));
  auto huge = jpeg;
  const auto frame = jpeg.find("\xff\xc0");
  huge.replace(frame + 5, 4, "\xff\xff\xff\xff");
  CHECK(contains(refusal(huge), "65535 x 65535"));
}

TEST_CASE("a picture that expands to far more than its size is refused before memory is taken") {
  const auto chunk = [](std::string type, const std::string& data) {
    const auto word = [](std::size_t v) {
      std::string s;
      for (int shift : {24, 16, 8, 0}) s += static_cast<char>(v >> shift & 255);
      return s;
    };
    return word(data.size()) + type + data + word(io::crc32(type + data));
  };
  // The stream of a large picture in a small one.
  const auto whole = io::encode_png(io::Pixels::black(3000, 3000));
  const auto at = whole.find("IDAT");
  const auto length = io::detail::big_endian(whole, at - 4, 4);
  const std::string header("\0\0\0\1\0\0\0\1\x08\x02\0\0\0", 13);
  const std::string bomb = "\x89PNG\r\n\x1a\n" + chunk("IHDR", header) +
                           chunk("IDAT", whole.substr(at + 4, length)) + chunk("IEND", "");
  CHECK(contains(refusal(bomb), "1 x 1 pixels"));
}

TEST_CASE("an animation, with a frame that is undone") {
  std::vector<io::GifFrame> frames;
  const auto bytes = file("moving.gif");
  const auto keep = [&](io::GifFrame f) {
    frames.push_back(std::move(f));
    return true;
  };
  io::for_each_gif_frame(bytes, "x.gif", keep);
  REQUIRE(frames.size() == 3);
  CHECK(frames[0].seconds == 0.1);
  CHECK(frames[1].seconds == 0.04);
  const auto is = [](const std::uint8_t* p, int r, int g, int b) {
    return p[0] == r && p[1] == g && p[2] == b;
  };
  for (Index y = 0; y < 12; ++y)
    for (Index x = 0; x < 16; ++x) {
      const bool row = y >= 3 && y < 8;
      CHECK(is(frames[0].image.at(y, x), 255, 0, 0));
      CHECK(is(frames[1].image.at(y, x), row && x >= 2 && x < 7 ? 0 : 255, row && x >= 2 && x < 7 ? 255 : 0,
               0));
      CHECK(is(frames[2].image.at(y, x), row && x >= 9 && x < 14 ? 0 : 255, 0,
               row && x >= 9 && x < 14 ? 255 : 0));
    }
  CHECK(distance(io::decode_image(bytes, "x"), frames[0].image) == 0);
  int seen = 0;
  io::for_each_gif_frame(bytes, "x", [&](const io::GifFrame&) { return ++seen < 2; });
  CHECK(seen == 2);
  const auto cut = [&](std::size_t n, io::GifOptions o = {}) {
    return message<IoError>(
        [&] { io::for_each_gif_frame(std::string_view(bytes).substr(0, n), "x", keep, o); });
  };
  CHECK(contains(cut(bytes.size() - 1), "frame 3 of the GIF is damaged or cut off"));
  CHECK(contains(cut(bytes.size(), {.max_frames = 2}), "more than 2 frames"));
  CHECK(
      contains(message<IoError>([&] { io::for_each_gif_frame(file("ramp.png"), "x", keep); }), "not a GIF"));
}

TEST_CASE("resizing equals another implementation's") {
  CHECK(distance(io::resize(ramp(), 31, 40), picture("ramp_up.png")) <= 1);
  CHECK(distance(io::resize(ramp(), 5, 7), picture("ramp_down.png")) <= 1);
  CHECK(distance(io::resize(ramp(), 40, 5), picture("ramp_squeezed.png")) <= 1);
  CHECK(distance(io::resize(ramp(), 17, 23), ramp()) == 0);
  CHECK(io::resize(ramp(), 1, 1).at(0, 0)[0] == 110);  // the mean
  CHECK(contains(message<Error>([] { io::resize(ramp(), 0, 4); }), "at least 1"));
  CHECK(contains(message<Error>([] { io::resize(ramp(), Index{1} << 40, Index{1} << 40); }), "no more than"));
  CHECK(contains(message<Error>([] { io::resize({}, 2, 2); }), "empty"));
}

TEST_CASE("crops") {
  const auto p = io::centre_crop(ramp(), 5, 9);
  CHECK(p.at(0, 0)[0] == 70);
  CHECK(p.at(0, 0)[1] == 84);
  CHECK(p.at(4, 8)[0] == 150);
  CHECK(contains(message<Error>([] { io::centre_crop(ramp(), 18, 9); }), "9 x 18 pixels out of 23 x 17"));
  CHECK(io::resize_square(ramp(), 8).width == 8);
}

TEST_CASE("damaged pictures") {
  const io::ImageOptions caps{.max_pixels = 100000};
  for (const char* name : {"ramp.png", "palette.png", "ramp.jpg", "progressive.jpg", "moving.gif"}) {
    CAPTURE(name);
    CHECK(test::fuzz(file(name), 2000, [&](std::string_view b) { io::decode_image(b, "x", caps); }) > 50);
  }
  for (const char* name : {"palette.png", "grey16.png"}) {
    CAPTURE(name);
    CHECK(test::fuzz(file(name), 3000,
                     [&](std::string_view b) { io::decode_image(with_checksums(b), "x", caps); }) > 500);
  }
  CHECK(test::fuzz(file("moving.gif"), 4000, [&](std::string_view b) {
          io::for_each_gif_frame(b, "x", [](const io::GifFrame&) { return true; }, {caps, 50});
        }) > 500);
}
