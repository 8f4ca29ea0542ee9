#pragma once
/// @file charades.hpp
/// Charades (Sigurdsson et al., "Hollywood in Homes", ECCV 2016): 9,848 videos, 157 classes, times in
/// seconds. The official CSV files (columns id, actions, length; actions "c092 11.90 21.20;c147 0.00 12.60"),
/// the JSON derived from them (data/annotations.hpp) and the class list.

#include "tmor/data/annotations.hpp"
#include "tmor/data/class_names.hpp"
#include "tmor/io/csv.hpp"

TMOR_BEGIN
namespace data {

inline constexpr Index kCharadesClasses = 157;

/// `Charades_v1_classes.txt`, lines "c000 Holding some clothes". @throws IoError
inline ClassNames read_charades_classes(const std::string& path) {
  return read_class_names(path, ClassCode::kNumber);
}

/// `charades.json`. @throws IoError
inline AnnotationSet read_charades_json(const std::string& path) {
  return read_annotations(path, kCharadesClasses);
}

/// One side of the split, `Charades_v1_train.csv` or `_test.csv`, in the order of the file: the order in
/// which the official script breaks ties.
/// @throws IoError with line for a missing column, an action of another form, a class out of range, times
/// that are not numbers, a length that is not above 0, an id given twice.
inline std::vector<Timeline> parse_charades_csv(std::string_view text, std::string_view name) {
  const auto table = io::parse_csv(text, name);
  const auto id = table.column("id"), actions = table.column("actions"), length = table.column("length");
  std::vector<Timeline> videos;
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const auto& row = table.rows[i];
    const std::string where = tmor::detail::cat(name, ": line ", table.lines[i]);
    TMOR_CHECK_IO(!row[id].empty() && seen.insert(row[id]).second, where, ": the id '", row[id].substr(0, 40),
                  "' is ", row[id].empty() ? "empty" : "given twice");
    Timeline t{row[id], io::parse_number(row[length], "the length", where), {}};
    TMOR_CHECK_IO(t.length > 0, where, ": the length is ", t.length, ", want more than 0");
    for (std::string_view rest = row[actions]; !rest.empty();) {
      const auto end = std::min(rest.find(';'), rest.size());
      io::WordReader in(rest.substr(0, end), name, table.lines[i]);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      auto code = in.word("an action");
      Index action = -1;
      const auto r = std::from_chars(code.data() + 1, code.data() + code.size(), action);
      TMOR_CHECK_IO(code[0] == 'c' && r.ec == std::errc{} && r.ptr == code.data() + code.size() &&
                        action >= 0 && action < kCharadesClasses,
                    where, ": the action '", code.substr(0, 40), "', want c000 to c156");
      const double start = in.number("the start"), stop = in.number("the end");
      TMOR_CHECK_IO(!in.more(), where, ": an action of more than a class, a start and an end");
      t.spans.push_back({action, start, stop});
    }
    videos.push_back(std::move(t));
  }
  TMOR_CHECK_IO(!videos.empty(), name, ": no videos");
  return videos;
}

/// @throws IoError
inline std::vector<Timeline> read_charades_csv(const std::string& path) {
  return parse_charades_csv(io::read_file(path, std::size_t{1} << 28), path);
}

}  // namespace data
TMOR_END
