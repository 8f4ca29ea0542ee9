// The protocol with ffmpeg, against small programs that speak it; real videos are in tests/real.
#include "tmor/io/video.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "../support/files.hpp"

using namespace tmor;
using test::contains;
using test::message;

namespace {

/// A program that answers a probe with `said` and a decoding with `frames`, a shell script.
class Fake {
 public:
  Fake(const std::string& said, const std::string& frames) {
    io::write_atomic(dir_ / "ffmpeg", "#!/bin/sh\ncase \"$*\" in\n*image2pipe*) " + frames +
                                          ";;\n*) cat >&2 <<'END'\n" + said + "\nEND\nexit 1;;\nesac\n");
    ::chmod((dir_ / "ffmpeg").c_str(), 0755);
    io::write_atomic(dir_ / "v.mp4", "bytes of a video");
  }
  io::VideoOptions options(io::VideoOptions o = {}) const {
    o.ffmpeg = dir_ / "ffmpeg";
    return o;
  }
  std::vector<io::Pixels> read(io::VideoOptions o = {}) const {
    return io::read_video(dir_ / "v.mp4", options(o));
  }
  std::string refusal(io::VideoOptions o = {}) const {
    const auto m = message<IoError>([&] { read(o); });
    CHECK(contains(m, "v.mp4"));
    return m;
  }
  std::string video() const { return dir_ / "v.mp4"; }

 private:
  test::TempDir dir_;
};

const std::string kSaid =
    "Input #0, matroska,webm, from 'v.mp4':\n  Duration: 00:00:01.50, start: 0.000000, bitrate: 551 kb/s\n"
    "  Stream #0:0(und): Video: h264 (High) (avc1 / 0x31637661), yuv420p(tv, bt709), 640x480 [SAR 1:1 DAR "
    "4:3], "
    "92 kb/s, 4 fps, 4 tbr, 1k tbn\n  Stream #0:1: Audio: aac, 44100 Hz\nAt least one output file must be "
    "specified";

/// n frames of 2 x 1 pixels, frame i of bytes 'a' + i.
std::string frames(int n) {
  return "i=0; for c in a b c d e f g h i j; do [ $i -lt " + std::to_string(n) +
         " ] && printf 'P6\\n2 1\\n255\\n%s' $c$c$c$c$c$c; i=$((i+1)); done; exit 0";
}
std::string shades(const std::vector<io::Pixels>& video) {
  std::string s;
  for (const auto& p : video) s += static_cast<char>(p.rgb.at(5));
  return s;
}

}  // namespace

TEST_CASE("what ffmpeg says of a video") {
  const Fake fake(kSaid, frames(6));
  const auto info = io::probe_video(fake.video(), fake.options());
  CHECK(info.width == 640);
  CHECK(info.height == 480);
  CHECK(info.fps == 4);
  CHECK(info.seconds == 1.5);
  const Fake text("v.mp4: Invalid data found when processing input", "exit 1");
  CHECK(contains(message<IoError>([&] { io::probe_video(text.video(), text.options()); }),
                 "Invalid data found"));
}

TEST_CASE("frames through the pipe: all, and so many evenly spaced") {
  const Fake fake(kSaid, frames(6));
  CHECK(shades(fake.read()) == "abcdef");
  CHECK(fake.read()[0].width == 2);
  CHECK(shades(fake.read({.frames = 3})) == "bdf");
  CHECK(fake.read({.side = 4})[0].height == 4);
  const Fake longer(kSaid, frames(9));  // than it says
  CHECK(shades(longer.read({.frames = 3})) == "beh");
  const Fake mute("Stream #0:0: Video: mjpeg", frames(4));
  CHECK(shades(mute.read({.frames = 2})) == "bd");
  CHECK(shades(io::decode_video("bytes", "s.tar: member .mp4", fake.options({.frames = 2}))) == "be");
  const Fake copy("", "printf 'P6\\n2 1\\n255\\n'; cat /proc/self/fd/3; exit 0");  // gives back what it was given
  CHECK(shades(io::decode_video("uvwxyz", "v", copy.options())) == "z");
}

TEST_CASE("every failure is an error that names the video") {
  CHECK(contains(Fake(kSaid, "exit 0").refusal(), "ended with status 0 after 0 frames"));
  CHECK(contains(Fake(kSaid, "echo moov atom not found >&2; exit 3").refusal(),
                 "status 3 after 0 frames; it says: moov atom not found"));
  CHECK(contains(Fake(kSaid, "kill -9 $$").refusal(), "status 137"));
  CHECK(contains(Fake(kSaid, "printf 'P6\\n2 1\\n255\\nabc'").refusal(),
                 "frame 0: the pipe ends inside a frame"));
  CHECK(contains(Fake(kSaid, "printf 'P6\\n2'").refusal(), "frame 0: the pipe ends inside"));
  CHECK(contains(Fake(kSaid, "echo hello; echo you; echo there").refusal(), "is no picture"));
  CHECK(contains(Fake(kSaid, "cat /dev/zero").refusal(), "is no picture"));
  CHECK(contains(Fake(kSaid, "printf 'P6\\n99999999 99999999\\n255\\n'").refusal(), "where the cap is"));
  CHECK(contains(Fake(kSaid, frames(6)).refusal({.max_frames = 5}), "more than 5 frames"));
  CHECK(contains(Fake(kSaid, frames(6)).refusal({.frames = 7}), "6 frames where 7 are asked for"));
  CHECK(contains(message<IoError>([] { io::read_video("/no/such.mp4"); }), "does not exist"));
  const test::TempDir dir;
  io::write_atomic(dir / "v.mp4", "x");
  const auto absent =
      message<IoError>([&] { io::read_video(dir / "v.mp4", {.ffmpeg = "tmor-no-such-program"}); });
  CHECK(contains(absent, "cannot run 'tmor-no-such-program'"));
  CHECK(contains(absent, "apt-get install ffmpeg"));
}

TEST_CASE("a program that hangs is stopped") {
  CHECK(contains(message<IoError>([] { Fake(kSaid, "echo slow >&2; exec sleep 60").read({.seconds = 0.3}); }),
                 "took too long and was stopped; it said: slow"));
  CHECK(contains(message<IoError>([] { Fake(kSaid, frames(2) + "; exec sleep 60").read({.max_frames = 1}); }),
                 "more than 1 frames"));
  CHECK(contains(message<IoError>([] { Fake(kSaid, "exec >&- 2>&-; exec sleep 60").read({.seconds = 0.3}); }),
                 "took too long"));
}
