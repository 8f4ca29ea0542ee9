#pragma once
/// @file clip_list.hpp
/// The clips of a protocol (eval/protocol.hpp) in a data folder: id, class and side of each, without reading
/// a pose where the names say it all. Programs read the poses of these; score files are measured on them.

#include <map>
#include <set>

#include "tmor/data/clip_folder.hpp"
#include "tmor/data/nw_ucla.hpp"
#include "tmor/data/penn_action.hpp"
#include "tmor/data/smarthome.hpp"
#include "tmor/data/uav_gesture.hpp"
#include "tmor/data/uav_human.hpp"
#include "tmor/eval/protocol.hpp"
#include "tmor/io/csv.hpp"

TMOR_BEGIN
namespace eval {

/// One clip as the protocol sees it. A clip may both train and validate, but not train and test.
struct ListedClip {
  std::string id;
  Index label = -1;
  int subject = -1, camera = -1;  ///< -1: not said
  bool train = false, validation = false, test = false;
};

struct ClipList {
  data::ClassNames classes;
  std::vector<ListedClip> clips;           ///< on some side, by id (of lists: in their order)
  std::vector<std::string> without_class;  ///< ids left out because their activity is no class
};

/// The classes, named in the protocol or in the file it names. @throws IoError
inline data::ClassNames protocol_classes(const Protocol& p, const std::string& root) {
  if (!p.class_names.empty()) return {p.class_names, p.name};
  auto classes = data::read_class_names(root + "/" + p.class_file, data::ClassCode::kNone);
  TMOR_CHECK_IO(classes.size() == p.classes, root, "/", p.class_file, ": ", classes.size(),
                " classes, the protocol '", p.name, "' has ", p.classes);
  return classes;
}

namespace detail {

inline bool one_of(int x, const std::vector<int>& set) {
  return std::find(set.begin(), set.end(), x) != set.end();
}

/// Sets the sides of a clip by its subject or camera.
inline void set_sides(ListedClip& c, const SplitRule& r) {
  const int x = r.by == SplitBy::kSubject ? c.subject : c.camera;
  c.test = one_of(x, r.test);
  c.validation = one_of(x, r.validation);
  c.train = !c.test && (r.train.empty() || one_of(x, r.train));
}

/// `folder/pattern`; one * in the name of the file stands for any text. Sorted. @throws IoError for none.
inline std::vector<std::string> matching_files(const std::string& root, const std::string& pattern) {
  const auto star = pattern.find('*');
  if (star == pattern.npos) return {root + "/" + pattern};
  const auto slash = pattern.rfind('/', star);
  const std::string folder = slash == pattern.npos ? root : root + "/" + pattern.substr(0, slash);
  const std::string before = pattern.substr(slash + 1, star - slash - 1), after = pattern.substr(star + 1);
  std::vector<std::string> out;
  for (const auto& name : io::list_directory(folder))
    if (name.size() >= before.size() + after.size() && name.starts_with(before) && name.ends_with(after))
      out.push_back(folder + "/" + name);
  TMOR_CHECK_IO(!out.empty(), "no file matches '", root, "/", pattern, "'");
  std::sort(out.begin(), out.end());
  return out;
}

/// Names of lists, each once, in their order. `id_of(word, where)` is the clip's id.
template <class F>
std::vector<std::string> listed_names(const std::string& root, const std::vector<std::string>& lists,
                                      F&& id_of) {
  std::vector<std::string> out;
  std::set<std::string> seen;
  for (const auto& pattern : lists)
    for (const auto& path : matching_files(root, pattern)) {
      const std::string text = io::read_file(path, std::size_t{1} << 26);
      for (io::WordReader in(text, path); in.more();) {
        const auto word = in.word("a clip");
        const std::string id = id_of(word, tmor::detail::cat(path, ": line ", in.line()));
        if (!seen.insert(id).second) in.fail("the clip '", id, "' is given twice");
        out.push_back(id);
      }
    }
  return out;
}

/// All clips of lists with their sides; `clip_of(word, where)` reads a name.
template <class F>
std::vector<ListedClip> clips_of_lists(const Protocol& p, const std::string& root, F&& clip_of) {
  std::vector<ListedClip> clips;
  std::map<std::string, std::size_t> at;
  const auto add = [&](const std::vector<std::string>& lists, bool ListedClip::*side) {
    std::map<std::string, ListedClip> parsed;
    for (const auto& id : listed_names(root, lists, [&](std::string_view word, const std::string&where) {
           ListedClip c = clip_of(word, where);
           return parsed.emplace(c.id, c).first->first;
         })) {
      const auto [it, fresh] = at.emplace(id, clips.size());
      if (fresh) clips.push_back(parsed.at(id));
      clips[it->second].*side = true;
    }
  };
  add(p.split.train_lists, &ListedClip::train);
  add(p.split.validation_lists, &ListedClip::validation);
  add(p.split.test_lists, &ListedClip::test);
  for (const auto& c : clips)
    TMOR_CHECK_IO(!(c.test && (c.train || c.validation)), "the lists of '", p.name, "': '", c.id,
                  "' both trains and tests");
  return clips;
}

/// File names of a folder without their ending; others are passed over. @throws IoError when there is none.
inline std::vector<std::string> stems(const std::string& folder, std::string_view ending) {
  std::vector<std::string> out;
  for (const auto& path : data::detail::clip_files(folder, ending, "see the protocol's annotations")) {
    const auto slash = path.rfind('/') + 1;
    out.push_back(path.substr(slash, path.size() - slash - ending.size()));
  }
  return out;
}

inline void list_smarthome(const Protocol& p, const std::string& root, ClipList& out) {
  auto clips = clips_of_lists(p, root, [&](std::string_view word, const std::string& where) {
    const auto c = data::parse_smarthome_name(word, where);
    return ListedClip{c.id, out.classes.find(c.activity), c.subject, c.camera};
  });
  for (auto& c : clips) {
    if (c.label < 0) {
      out.without_class.push_back(c.id);
    } else {
      out.clips.push_back(std::move(c));
    }
  }
}

inline void list_csv(const std::string& path, ClipList& out) {
  const auto table = io::read_csv(path);
  const auto id = table.column("id"), label = table.column("label");
  std::set<std::string> seen;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const std::string where = tmor::detail::cat(path, ": line ", table.lines[i]);
    TMOR_CHECK_IO(seen.insert(table.rows[i][id]).second, where, ": the clip '", table.rows[i][id],
                  "' is given twice");
    ListedClip c{table.rows[i][id], out.classes.at(table.rows[i][label], where)};
    c.test = true;
    out.clips.push_back(std::move(c));
  }
}

inline void list_uav_gesture(const Protocol& p, const std::string& root, ClipList& out) {
  const std::string folder = root + "/" + p.annotations;
  for (const auto& gesture : io::list_directory(folder)) {
    const Index label = out.classes.at(gesture, folder);
    for (const auto& id : io::list_directory(folder + "/" + gesture))
      out.clips.push_back({id, label, data::uav_gesture_subject(id, folder)});
  }
  TMOR_CHECK_IO(!out.clips.empty(), "no clip in '", folder, "'");
  if (p.split.by != SplitBy::kList) return;
  // Clips that are listed but not there are left to the program, which counts them.
  std::map<std::string, ListedClip> there;
  for (auto& c : out.clips) there.emplace(c.id, c);
  out.clips = clips_of_lists(p, root, [&](std::string_view word, const std::string& where) {
    const auto it = there.find(std::string(word));
    if (it != there.end()) return it->second;
    const std::string list = where.substr(where.rfind('/') + 1);
    const auto end = std::min(list.find("_train_split"), list.find("_test_split"));
    return ListedClip{std::string(word), out.classes.at(list.substr(0, end), where),
                      data::uav_gesture_subject(word, where)};
  });
}

}  // namespace detail

/// The clips of a protocol of clips in the folder of the data set. Of split rules with folds, all clips are
/// listed and `fold_sides` says who tests.
/// @throws IoError for lists, names or classes that are not as the protocol says; Error for one of detection.
inline ClipList list_clips(const Protocol& p, const std::string& root) {
  TMOR_CHECK(!p.frames, "[list_clips] '", p.name, "' is a protocol of detection");
  ClipList out;
  out.classes = protocol_classes(p, root);
  const std::string folder = root + "/" + p.annotations;
  switch (p.format) {
    case AnnotationFormat::kSmarthome:
      detail::list_smarthome(p, root, out);
      break;
    case AnnotationFormat::kUavGesture:
      detail::list_uav_gesture(p, root, out);
      break;
    case AnnotationFormat::kUavHuman:
      for (const auto& id : detail::stems(folder, ".txt")) {
        const auto c = data::parse_uav_human_name(id, folder);
        out.clips.push_back({id, c.label, c.subject});
      }
      break;
    case AnnotationFormat::kNwUcla:
      for (const auto& id : detail::stems(io::exists(folder) ? folder : root, ".json")) {
        const auto c = data::parse_nw_ucla_name(id, folder + "/" + id);
        out.clips.push_back({id, c.label, c.subject, c.view});
      }
      break;
    case AnnotationFormat::kClips:
      for (const auto& c : data::read_clip_folder(root).clips) {
        ListedClip l{c.id, c.label, c.subject, c.camera};
        l.train = c.part != data::ClipPart::kTest;
        l.validation = c.part == data::ClipPart::kValidation;
        l.test = c.part == data::ClipPart::kTest;
        out.clips.push_back(std::move(l));
      }
      break;
    case AnnotationFormat::kPennAction:
      for (const auto& c : data::read_penn_action(root).clips) {
        ListedClip l{c.id, out.classes.at(c.action, folder)};
        l.train = c.train, l.test = !c.train;
        out.clips.push_back(std::move(l));
      }
      break;
    default:
      detail::list_csv(folder, out);
  }
  if ((p.split.by == SplitBy::kSubject || p.split.by == SplitBy::kCamera) && !p.split.folded())
    for (auto& c : out.clips) detail::set_sides(c, p.split);
  if (!p.split.folded())
    std::erase_if(out.clips, [](const ListedClip& c) { return !c.train && !c.validation && !c.test; });
  TMOR_CHECK_IO(!out.clips.empty(), "no clip of the protocol '", p.name, "' in '", root, "'");
  return out;
}

/// The protocol of a folder of clips whose own parts are the sides.
inline Protocol folder_protocol(const data::ClipFolder& folder) {
  Protocol p;
  p.name = p.title = folder.name;
  p.source = "clips.json";
  p.frames = false;
  p.format = AnnotationFormat::kClips;
  p.annotations = "clips.json";
  p.class_names = folder.classes.names();
  p.classes = folder.classes.size();
  p.split.by = SplitBy::kFlag;
  return p;
}

/// Label of every test clip by id (with folds: of every clip). @throws IoError, Error as `list_clips`.
inline std::map<std::string, Index> test_labels(const Protocol& p, const std::string& root) {
  std::map<std::string, Index> labels;
  for (const auto& c : list_clips(p, root).clips)
    if (c.test || p.split.folded()) labels.emplace(c.id, c.label);
  TMOR_CHECK_IO(!labels.empty(), "no test clip of the protocol '", p.name, "' in '", root, "'");
  return labels;
}

}  // namespace eval
TMOR_END
