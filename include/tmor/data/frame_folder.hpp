#pragma once
/// @file frame_folder.hpp
/// A video as a folder of pictures, as Penn Action and many others have it.

#include <string>
#include <vector>

#include "tmor/io/frames.hpp"
#include "tmor/io/image.hpp"

TMOR_BEGIN
namespace data {

struct FrameOptions {
  Index frames = 0;          ///< evenly spaced over the folder; 0: all
  Index side = 0;            ///< cut to the middle square and resized to this; 0: as they are
  Index max_frames = 10000;  ///< returned
  io::ImageOptions image{};
};

/// The .jpg, .jpeg and .png files of a folder, numbers in the order of their values. @throws IoError if none
inline std::vector<std::string> frame_files(const std::string& folder) {
  std::vector<std::string> names = io::list_directory(folder);
  std::erase_if(names, [](const std::string& n) {
    return !n.ends_with(".jpg") && !n.ends_with(".jpeg") && !n.ends_with(".png");
  });
  TMOR_CHECK_IO(!names.empty(), "no .jpg or .png file in '", folder, "': give a folder of frames");
  std::sort(names.begin(), names.end(),
            [](const std::string& a, const std::string& b) { return io::natural_less(a, b); });
  return names;
}

/// The frames of a folder. @throws IoError naming the file for damaged pictures or sizes that differ, and
/// when there are fewer frames than asked for or more than the cap.
inline std::vector<io::Pixels> read_frames(const std::string& folder, const FrameOptions& options = {}) {
  const auto names = frame_files(folder);
  const auto count = static_cast<Index>(names.size());
  TMOR_CHECK_IO(count >= options.frames, "'", folder, "' holds ", count, " frames where ", options.frames,
                " are asked for");
  const auto wanted = io::even_frames(count, options.frames);
  TMOR_CHECK_IO(std::ssize(wanted) <= options.max_frames, "'", folder, "' holds ", count,
                " frames, more than the cap of ", options.max_frames);
  std::vector<io::Pixels> out;
  for (Index i : wanted) {
    const auto path = folder + "/" + names[static_cast<std::size_t>(i)];
    auto image = io::read_image(path, options.image);
    if (options.side > 0) image = io::resize_square(image, options.side);
    TMOR_CHECK_IO(out.empty() || (image.height == out[0].height && image.width == out[0].width), path,
                  ": another size than the frames before it");
    out.push_back(std::move(image));
  }
  return out;
}

}  // namespace data
TMOR_END
