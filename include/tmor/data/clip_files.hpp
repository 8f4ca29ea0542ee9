#pragma once
/// @file clip_files.hpp
/// Reading a data set of one file a clip: in parallel, and with a choice of what a file that cannot be read
/// means.

#include <string>
#include <utility>
#include <vector>

#include "tmor/core/error.hpp"
#include "tmor/core/parallel.hpp"
#include "tmor/io/file.hpp"

TMOR_BEGIN
namespace data::detail {

/// Paths of the files in `folder` whose names end in `ending`, sorted.
/// @throws IoError when there is none; `hint` says what the folder should be.
inline std::vector<std::string> clip_files(const std::string& folder, std::string_view ending,
                                           std::string_view hint) {
  std::vector<std::string> paths;
  for (const auto& name : io::list_directory(folder))
    if (name.size() > ending.size() && name.ends_with(ending)) paths.push_back(folder + "/" + name);
  TMOR_CHECK_IO(!paths.empty(), "no ", ending, " file in '", folder, "': ", hint);
  return paths;
}

/// `read(path)` of every path, in parallel, appended to `clips` in the order of `paths`. A file that `read`
/// throws Error for is left out and its message appended to `skipped`.
/// @throws IoError for the first such file when `strict`.
template <class Clip, class Read>
void read_clips(const std::vector<std::string>& paths, bool strict, Read&& read, std::vector<Clip>& clips,
                std::vector<std::string>& skipped) {
  std::vector<Clip> all(paths.size());
  std::vector<std::string> errors(paths.size());
  parallel_for(static_cast<Index>(paths.size()), 16, [&](Index begin, Index end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      try {
        all[i] = read(paths[i]);
      } catch (const Error& e) {
        errors[i] = e.what();
      }
    }
  });
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (errors[i].empty()) {
      clips.push_back(std::move(all[i]));
    } else {
      TMOR_CHECK_IO(!strict, errors[i], " (or read without 'strict' to leave such files out)");
      skipped.push_back(std::move(errors[i]));
    }
  }
}

}  // namespace data::detail
TMOR_END
