#pragma once
/// @file gif.hpp
/// Animated GIFs, one frame at a time, by stb.

#include <utility>

#include "tmor/io/image.hpp"

TMOR_BEGIN
namespace io {

struct GifFrame {
  Pixels image;        ///< the whole picture as it is seen, on black where nothing was drawn
  double seconds = 0;  ///< how long it is shown; 0 where the file does not say
};

struct GifOptions {
  ImageOptions image{};
  Index max_frames = 10000;
};

/// Calls `use(frame)` for every frame of the GIF in `bytes`, in order, until it returns false. `name` is
/// named in errors. Memory is taken for one frame at a time.
/// @throws IoError for a damaged or cut-off file, sizes over the caps, more than max_frames frames.
template <class Use>
void for_each_gif_frame(std::string_view bytes, std::string_view name, Use&& use,
                        const GifOptions& options = {}) {
  const auto size = detail::open_image(bytes, name, options.image);
  TMOR_CHECK_IO(detail::image_kind(bytes, name) == detail::ImageKind::gif, name, ": not a GIF");
  stbi__context source;
  stbi__start_mem(&source, reinterpret_cast<const stbi_uc*>(bytes.data()), static_cast<int>(bytes.size()));
  struct State : stbi__gif {  // stb's whole-file reader goes wrong where a frame is to be undone
    State() : stbi__gif{} {}
    ~State() {
      std::free(out);
      std::free(background);
      std::free(history);
    }
  };
  const auto gif = std::make_unique<State>();
  for (Index n = 0;; ++n) {
    int channels = 0;
    const stbi_uc* rgba = stbi__gif_load_next(&source, gif.get(), &channels, 4, nullptr);
    if (rgba == reinterpret_cast<const stbi_uc*>(&source)) return;
    if (!rgba) {
      const char* reason = stbi_failure_reason();
      detail::fail<IoError>(name, ": byte ", source.img_buffer - source.img_buffer_original, ": frame ", n,
                            " of the GIF is damaged or cut off: ", reason ? reason : "unknown reason");
    }
    TMOR_CHECK_IO(n < options.max_frames, name, ": more than ", options.max_frames, " frames: raise the cap");
    GifFrame frame{Pixels::black(size.height, size.width), gif->delay / 1000.};
    for (Index i = 0; i < size.height * size.width; ++i) std::copy_n(rgba + 4 * i, 3, frame.image.at(0, i));
    if (!use(std::move(frame))) return;
  }
}

}  // namespace io
TMOR_END
