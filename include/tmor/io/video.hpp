#pragma once
/// @file video.hpp
/// Frames of any video, by the `ffmpeg` program: started without a shell, its frames read through a pipe,
/// with bounds on time, number and size. Nothing is linked; where the program is missing the error says what
/// to do.

#include <sys/mman.h>

#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "tmor/io/frames.hpp"
#include "tmor/io/image.hpp"
#include "tmor/io/process.hpp"

TMOR_BEGIN
namespace io {

struct VideoOptions {
  Index frames = 0;          ///< evenly spaced over the video; 0: all
  Index side = 0;            ///< frames are cut to their middle square and resized to this; 0: as they are
  Index max_frames = 10000;  ///< of the whole video
  Index max_pixels = kMaxPixels;  ///< of one frame
  double seconds = 300;           ///< that the program may run
  std::string ffmpeg = "ffmpeg";  ///< the program
};

/// What the program says of a video; 0 where it does not.
struct VideoInfo {
  Index width = 0, height = 0;  ///< as stored, before a rotation that the file asks for
  double fps = 0, seconds = 0;
};

namespace detail {

/// A run of ffmpeg on one video.
class Ffmpeg {
 public:
  /// `path` is what ffmpeg opens, `name` what errors call it, `fd` (or -1) its descriptor 3.
  Ffmpeg(std::string path, std::string name, const VideoOptions& options, int fd = -1)
      : path_(std::move(path)), name_(std::move(name)), options_(options), fd_(fd) {}

  VideoInfo probe() const {
    Process p = run({});
    char buffer[4096];
    while (p.read(buffer, sizeof buffer) > 0) continue;
    p.finish();  // fails: there is no output
    const std::string_view text = p.stderr_text();
    const auto video = text.find("Video:");
    if (video == text.npos) fail<IoError>("'", name_, "' is no video that ffmpeg knows; it says: ", p.said());
    VideoInfo info;
    auto line = text.substr(video, text.substr(video).find('\n'));
    if (const auto fps = line.find(" fps"); fps != line.npos) {
      const auto begin = line.rfind(' ', fps - 1) + 1;
      info.fps = number<double>(line.substr(begin, fps - begin));
    }
    for (auto at = line.find(", "); at != line.npos; at = line.find(", ", at + 2)) {
      const auto word = line.substr(at + 2, line.find_first_of(", ", at + 2) - at - 2);
      const auto x = word.find('x');
      const Index w = number<Index>(word.substr(0, x)),
                  h = x == word.npos ? 0 : number<Index>(word.substr(x + 1));
      if (w > 0 && h > 0 && info.width == 0) info.width = w, info.height = h;
    }
    if (const auto at = text.find("Duration: "); at != text.npos && text.size() >= at + 21) {
      const auto t = text.substr(at + 10, 11);  // hh:mm:ss.cc
      if (t[2] == ':' && t[5] == ':')
        info.seconds = 3600 * number<double>(t.substr(0, 2)) + 60 * number<double>(t.substr(3, 2)) +
                       number<double>(t.substr(6));
    }
    return info;
  }

  /// Calls `use(i, frame)` for each frame for which `want(i)`; returns how many there are.
  template <class Want, class Use> Index decode(Want&& want, Use&& use) const {
    Process p = run({"-map", "0:v:0", "-f", "image2pipe", "-c:v", "ppm", "pipe:1"});
    Index count = 0;
    while (read_frame(p, count, want, use)) {
      if (++count > options_.max_frames)
        fail<IoError>("'", name_, "' has more than ", options_.max_frames, " frames: raise the cap");
    }
    const int status = p.finish();
    if (status != 0 || count == 0)
      fail<IoError>("'", name_, "': ffmpeg ended with status ", status, " after ", count,
                    " frames; it says: ", p.said());
    return count;
  }

 private:
  Process run(const std::vector<std::string>& output) const {
    std::vector<std::string> a{options_.ffmpeg, "-hide_banner", "-nostdin"};
    if (!output.empty()) a.insert(a.end(), {"-v", "error", "-xerror"});
    a.insert(a.end(), {"-protocol_whitelist", "file", "-i", "file:" + path_});
    a.insert(a.end(), output.begin(), output.end());
    return Process(
        a, options_.seconds,
        "install ffmpeg (Debian: apt-get install ffmpeg), or give the frames as a folder of JPEG or as a GIF",
        fd_);
  }
  template <class T> static T number(std::string_view s) {
    T v{};
    const auto r = std::from_chars(s.data(), s.data() + s.size(), v);
    return r.ec == std::errc() && r.ptr == s.data() + s.size() ? v : T{};
  }

  [[noreturn]] void bad(Index frame, std::string_view what, const Process& p) const {
    fail<IoError>("'", name_, "': frame ", frame, ": ", what, "; ffmpeg says: ", p.said());
  }
  /// One P6 picture: "P6\n<width> <height>\n255\n" and the bytes. False at the end.
  template <class Want, class Use> bool read_frame(Process& p, Index i, Want& want, Use& use) const {
    std::string header;
    for (int lines = 0; lines < 3;) {
      char c;
      if (p.read(&c, 1) == 0) {
        if (header.empty()) return false;
        bad(i, "the pipe ends inside a frame", p);
      }
      header += c;
      lines += c == '\n';
      if (header.size() > 64) bad(i, "what comes through the pipe is no picture", p);
    }
    const std::string_view h = header;
    const auto space = h.find(' '), end = h.find('\n', 3);
    if (!h.starts_with("P6\n") || space == h.npos || space > end || !h.ends_with("\n255\n"))
      bad(i, "what comes through the pipe is no picture", p);
    const Index width = number<Index>(h.substr(3, space - 3)),
                height = number<Index>(h.substr(space + 1, end - space - 1));
    if (width < 1 || height < 1 || width > options_.max_pixels / height)
      bad(i, cat("a picture of ", width, " x ", height, " pixels where the cap is ", options_.max_pixels), p);
    Pixels image = Pixels::black(height, width);
    for (std::size_t at = 0; at < image.rgb.size();) {
      const auto got = p.read(reinterpret_cast<char*>(image.rgb.data()) + at, image.rgb.size() - at);
      if (got == 0) bad(i, "the pipe ends inside a frame", p);
      at += got;
    }
    if (want(i)) use(i, options_.side > 0 ? resize_square(image, options_.side) : std::move(image));
    return true;
  }

  std::string path_, name_;
  VideoOptions options_;
  int fd_;
};

/// All frames, or `frames` of them: chosen by the expected number, and again when there turn out to be more
/// or fewer.
inline std::vector<Pixels> video_frames(const Ffmpeg& ffmpeg, const std::string& name,
                                        const VideoOptions& options) {
  std::vector<Pixels> out;
  const auto use = [&](Index, Pixels image) { out.push_back(std::move(image)); };
  if (options.frames == 0) {
    ffmpeg.decode([](Index) { return true; }, use);
    return out;
  }
  const VideoInfo info = ffmpeg.probe();
  const double guess = std::min(info.fps * info.seconds, static_cast<double>(options.max_frames));
  for (Index expected = std::max(options.frames, static_cast<Index>(std::lround(guess)));;) {
    out.clear();
    const auto wanted = even_frames(expected, options.frames);
    const Index count =
        ffmpeg.decode([&](Index i) { return std::binary_search(wanted.begin(), wanted.end(), i); }, use);
    if (count < options.frames)
      fail<IoError>("'", name, "' has ", count, " frames where ", options.frames, " are asked for");
    if (count == expected) return out;
    expected = count;
  }
}

}  // namespace detail

/// Size, rate and length of a video file as ffmpeg tells them. @throws IoError
inline VideoInfo probe_video(const std::string& path, const VideoOptions& options = {}) {
  file_info(path);  // a missing file is ours to report
  return detail::Ffmpeg(path, path, options).probe();
}

/// The frames of a video file. @throws IoError when ffmpeg or the file is missing, it complains, takes too
/// long, or the video has fewer frames than asked for or exceeds a cap.
inline std::vector<Pixels> read_video(const std::string& path, const VideoOptions& options = {}) {
  file_info(path);
  return detail::video_frames(detail::Ffmpeg(path, path, options), path, options);
}

/// The same for the bytes of a video file; `name` is named in errors. @throws IoError
inline std::vector<Pixels> decode_video(std::string_view bytes, const std::string& name,
                                        const VideoOptions& options = {}) {
  const detail::Descriptor memory(
      ::memfd_create("video", MFD_CLOEXEC));  // some formats are read back and forth
  if (memory.get() < 0) detail::fail_errno("make a file in memory for", name, errno);
  while (!bytes.empty()) {
    const auto put = ::write(memory.get(), bytes.data(), std::min(bytes.size(), std::size_t{1} << 30));
    if (put < 0 && errno != EINTR) detail::fail_errno("hold in memory", name, errno);
    bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(put, 0)));
  }
  return detail::video_frames(detail::Ffmpeg("/proc/self/fd/3", name, options, memory.get()), name, options);
}

}  // namespace io
TMOR_END
