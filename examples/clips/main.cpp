/// Trains and measures on a data set of one's own, any joints: a folder with clips.json and a safetensors
/// file a clip (docs/how-to/custom-data.md).
///
///     build/examples/clips --data DIR --json
///     build/examples/clips --data DIR --mode linear --init runs/pretrained --json
///
/// Sides are the parts that clips.json gives, or those of a protocol file: --protocol mine.json.

#include "common/protocols.hpp"
#include "common/trimmed.hpp"
#include "tmor/data/clip_folder.hpp"

int main(int argc, char** argv) {
  return cli::run([&] {
    cli::Program program("Classifies the clips of a folder in tmor's own form.");
    task::Training o;
    o.common.epochs = 60;
    task::add_options(program, o, "folder with clips.json and clips/*.safetensors");
    program.parse(argc, argv);
    const auto folder = tmor::data::read_clip_folder(o.data);
    const auto protocol =
        o.protocol.empty() ? tmor::eval::folder_protocol(folder) : task::find_protocol(o.protocol);
    task::run_program(program, o, protocol,
                      {folder.poses, [&](const std::string& id) { return tmor::data::clip_path(o.data, id); },
                       [&](const std::string& path) {
                         return tmor::data::read_folder_clip(path, folder.layout, folder.coordinates);
                       },
                       [&](tmor::SkeletonSequence s) { return task::prepare(s, folder.layout->name); }, ""});
  });
}
