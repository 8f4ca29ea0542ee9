#pragma once
/// @file triplet_files.hpp
/// A `Triplet` from loose files: a video (a folder of frames, a GIF, or anything ffmpeg reads), poses as
/// JSON, and texts. Any may be missing.

#include <string>
#include <utility>
#include <vector>

#include "tmor/data/frame_folder.hpp"
#include "tmor/data/pose_json.hpp"
#include "tmor/data/triplet.hpp"
#include "tmor/io/gif.hpp"
#include "tmor/io/video.hpp"

TMOR_BEGIN
namespace data {

struct TripletFiles {
  std::string id;
  std::string video = {};  ///< path; empty: none
  std::string poses = {};  ///< path of a file or folder that `read_pose_json` reads; empty: none
  std::vector<std::string> texts = {};
  Index action = -1;
};

/// The frames of a folder, of a GIF, or of any other file through ffmpeg. @throws IoError
inline std::vector<io::Pixels> read_any_video(const std::string& path, const FrameOptions& options = {}) {
  if (io::file_info(path).is_directory) return read_frames(path, options);
  if (!path.ends_with(".gif"))
    return io::read_video(path, {.frames = options.frames,
                                 .side = options.side,
                                 .max_frames = options.max_frames,
                                 .max_pixels = options.image.max_pixels});
  const auto bytes = io::read_file(path, options.image.max_bytes);
  const io::GifOptions caps{options.image, options.max_frames};
  Index count = 0, at = 0;
  io::for_each_gif_frame(
      bytes, path, [&](const io::GifFrame&) { return ++count > 0; }, caps);
  TMOR_CHECK_IO(count >= options.frames, "'", path, "' has ", count, " frames where ", options.frames,
                " are asked for");
  const auto wanted = io::even_frames(count, options.frames);
  std::vector<io::Pixels> out;
  const auto keep = [&](io::GifFrame f) {
    if (std::binary_search(wanted.begin(), wanted.end(), at++))
      out.push_back(options.side > 0 ? io::resize_square(f.image, options.side) : std::move(f.image));
    return true;
  };
  io::for_each_gif_frame(bytes, path, keep, caps);
  return out;
}

/// Reads what `files` names. @throws IoError
inline Triplet read_triplet(const TripletFiles& files, const FrameOptions& frames = {},
                            const PoseOptions& poses = {}) {
  Triplet t;
  t.id = files.id, t.texts = files.texts, t.action = files.action;
  if (!files.video.empty()) t.video = read_any_video(files.video, frames);
  if (!files.poses.empty()) t.skeleton = read_pose_json(files.poses, poses);
  return t;
}

}  // namespace data
TMOR_END
