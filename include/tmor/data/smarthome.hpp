#pragma once
/// @file smarthome.hpp
/// Toyota Smarthome, trimmed (Das et al., ICCV 2019): 16,115 clips of 31 classes, named
/// `Cook.Cut_p02_r00_v14_c03`. The official lists of clips, the class files (31 classes cross-subject, 19
/// cross-view, each with its own numbers from 0), and the rules behind the lists.

#include <array>
#include <set>

#include "tmor/data/class_names.hpp"

TMOR_BEGIN
namespace data {

/// What a clip's name says.
struct SmarthomeClip {
  std::string id;        ///< without a file ending
  std::string activity;  ///< "Cook.Cut"
  int subject = 0, repetition = 0, video = 0, camera = 0;
  Index label = -1;  ///< in the class file that the list was read with
};

/// @throws IoError beginning with `where` for a name of another form.
inline SmarthomeClip parse_smarthome_name(std::string_view name, std::string_view where) {
  SmarthomeClip c;
  if (const auto dot = name.rfind('.'); dot != name.npos && name.find('_', dot) == name.npos)
    name = name.substr(0, dot);  // a file ending: an activity's dot has "_p.." behind it
  c.id = name;
  std::array<int*, 4> numbers{&c.camera, &c.video, &c.repetition, &c.subject};
  std::string_view letters = "cvrp", rest = name;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto at = rest.rfind('_');
    TMOR_CHECK_IO(at != rest.npos && at + 3 <= rest.size() && rest[at + 1] == letters[i], where,
                  ": the name '", name.substr(0, 80), "' is not of the form Activity_p00_r00_v00_c00");
    *numbers[i] =
        static_cast<int>(io::parse_integer(rest.substr(at + 2), 0, 99, "a number of the name", where));
    rest = rest.substr(0, at);
  }
  TMOR_CHECK_IO(!rest.empty(), where, ": the name '", name.substr(0, 80), "' has no activity");
  c.activity = rest;
  return c;
}

struct SmarthomeList {
  std::vector<SmarthomeClip> clips;        ///< in the order of the list
  std::vector<std::string> without_class;  ///< names left out because the class file has no such activity
};

/// One list, a name a line with or without ".mp4". `allow_unknown` leaves out and lists clips of activities
/// that are not in `classes`: the lists hold 14 of Pour.Fromcup, which is none of the 31.
/// @throws IoError with line for a name of another form or given twice; an unknown activity otherwise, with
/// the nearest one.
inline SmarthomeList parse_smarthome_list(std::string_view text, std::string_view name,
                                          const ClassNames& classes, bool allow_unknown = true) {
  io::WordReader in(text, name);
  SmarthomeList list;
  std::set<std::string> seen;
  while (in.more()) {
    const auto word = in.word("a clip");
    const std::string where = tmor::detail::cat(name, ": line ", in.line());
    SmarthomeClip c = parse_smarthome_name(word, where);
    TMOR_CHECK_IO(seen.insert(c.id).second, where, ": the clip '", c.id, "' is given twice");
    c.label = allow_unknown ? classes.find(c.activity) : classes.at(c.activity, where);
    if (c.label < 0) {
      list.without_class.push_back(c.id);
    } else {
      list.clips.push_back(std::move(c));
    }
  }
  TMOR_CHECK_IO(!list.clips.empty(), name, ": no clip of a known class");
  return list;
}

/// @throws IoError
inline SmarthomeList read_smarthome_list(const std::string& path, const ClassNames& classes,
                                         bool allow_unknown = true) {
  return parse_smarthome_list(io::read_file(path, std::size_t{1} << 26), path, classes, allow_unknown);
}

/// `classes_CS_31.txt` or `classes_CV_19.txt`. @throws IoError
inline ClassNames read_smarthome_classes(const std::string& path) {
  return read_class_names(path, ClassCode::kNone);
}

enum class SmarthomeProtocol { kCrossSubject, kCrossView1, kCrossView2 };
enum class SplitPart { kTrain, kValidation, kTest, kUnused };

/// The rule behind the lists: cross-subject by subject (19 and 25, of the training side, validate),
/// cross-view by camera: 2 tests, 5 validates, 1 trains in CV1; 1, 3, 4, 6, 7 in CV2.
inline SplitPart smarthome_part(const SmarthomeClip& c, SmarthomeProtocol p) {
  const auto one_of = [](int x, std::initializer_list<int> set) {
    return std::find(set.begin(), set.end(), x) != set.end();
  };
  if (p == SmarthomeProtocol::kCrossSubject) {
    if (one_of(c.subject, {19, 25})) return SplitPart::kValidation;
    if (one_of(c.subject, {3, 4, 6, 7, 9, 12, 13, 15, 17})) return SplitPart::kTrain;
    return one_of(c.subject, {2, 10, 11, 14, 16, 18, 20}) ? SplitPart::kTest : SplitPart::kUnused;
  }
  if (c.camera == 2) return SplitPart::kTest;
  if (c.camera == 5) return SplitPart::kValidation;
  if (c.camera == 1) return SplitPart::kTrain;
  return p == SmarthomeProtocol::kCrossView2 && one_of(c.camera, {3, 4, 6, 7}) ? SplitPart::kTrain
                                                                               : SplitPart::kUnused;
}

}  // namespace data
TMOR_END
