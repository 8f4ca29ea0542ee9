#pragma once
/// @file tsu.hpp
/// Toyota Smarthome Untrimmed (Dai et al. 2022): 536 videos, 51 classes, times in frames. The split files
/// `smarthome_{CS,CV}_51.json` (data/annotations.hpp), the CSV of each video, which the authors call the
/// reference, the class list, and the files of the event metric.

#include <map>

#include "tmor/data/annotations.hpp"
#include "tmor/data/class_names.hpp"
#include "tmor/io/csv.hpp"

TMOR_BEGIN
namespace data {

inline constexpr Index kTsuClasses = 51;

/// `Action_list`, lines "0<TAB>Enter". @throws IoError
inline ClassNames read_tsu_classes(const std::string& path) {
  return read_class_names(path, ClassCode::kNumber);
}

/// `smarthome_CS_51.json` or `smarthome_CV_51.json`. @throws IoError
inline AnnotationSet read_tsu_json(const std::string& path) { return read_annotations(path, kTsuClasses); }

/// The class that a name of the CSV files belongs to: two of their 53 were merged.
inline std::string_view tsu_merged_name(std::string_view name) {
  if (name == "Make_coffee.Get_water") return "Get_water";
  if (name == "Make_tea.Insert_tea_bag") return "Insert_tea_bag";
  return name;
}

/// The actions of one video, "event,start_frame,end_frame" with LF or CRLF.
/// @throws IoError with line for an unknown name (the nearest one is suggested) and times that are not
/// numbers.
inline std::vector<ActionSpan> parse_tsu_csv(std::string_view text, std::string_view name,
                                             const ClassNames& classes) {
  const auto table = io::parse_csv(text, name);
  const auto event = table.column("event"), start = table.column("start_frame"),
             end = table.column("end_frame");
  std::vector<ActionSpan> spans;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const auto& row = table.rows[i];
    const std::string where = tmor::detail::cat(name, ": line ", table.lines[i]);
    spans.push_back({classes.at(tsu_merged_name(row[event]), where),
                     io::parse_number(row[start], "the start", where),
                     io::parse_number(row[end], "the end", where)});
  }
  return spans;
}

/// @throws IoError
inline std::vector<ActionSpan> read_tsu_csv(const std::string& path, const ClassNames& classes) {
  return parse_tsu_csv(io::read_file(path, std::size_t{1} << 24), path, classes);
}

/// Puts the actions of the CSV files in `folder` in place of those of `videos`: ID.csv, there or in a folder
/// in it. Durations and order stay. @returns the ids without a file, whose actions stay as well.
/// @throws IoError for a folder or file that cannot be read, as `parse_tsu_csv`, and for two files of an id.
inline std::vector<std::string> use_tsu_csv(std::vector<Timeline>& videos, const std::string& folder,
                                            const ClassNames& classes) {
  std::map<std::string, std::string> files;
  const auto add = [&](const std::string& in, const std::string& name) {
    const std::string path = in + "/" + name;
    const auto [it, fresh] = files.emplace(name.substr(0, name.size() - 4), path);
    TMOR_CHECK_IO(fresh, folder, ": two files of '", it->first, "': ", it->second, " and ", path);
  };
  for (const auto& name : io::list_directory(folder)) {
    const std::string path = folder + "/" + name;
    if (name.ends_with(".csv")) {
      add(folder, name);
    } else if (io::file_info(path).is_directory) {
      for (const auto& inner : io::list_directory(path))
        if (inner.ends_with(".csv")) add(path, inner);
    }
  }
  std::vector<std::string> without;
  for (auto& video : videos) {
    const auto it = files.find(video.id);
    if (it == files.end())
      without.push_back(video.id);
    else
      video.spans = read_tsu_csv(it->second, classes);
  }
  return without;
}

/// Ground truth or proposals of the event metric, "class,start,end,confidence" a line without header, times
/// in 16-frame steps. @throws IoError with line.
inline std::vector<ScoredSpan> parse_tsu_events(std::string_view text, std::string_view name) {
  const auto table = io::parse_csv(text, name, {.header = false});
  std::vector<ScoredSpan> events;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const auto& row = table.rows[i];
    const std::string where = tmor::detail::cat(name, ": line ", table.lines[i]);
    TMOR_CHECK_IO(row.size() == 4, where, ": ", row.size(), " fields, want class, start, end, confidence");
    ScoredSpan s;
    s.action = io::parse_integer(row[0], 0, kTsuClasses - 1, "the class", where);
    s.start = io::parse_number(row[1], "the start", where);
    s.end = io::parse_number(row[2], "the end", where);
    s.score = io::parse_number(row[3], "the confidence", where);
    events.push_back(s);
  }
  return events;
}

/// @throws IoError
inline std::vector<ScoredSpan> read_tsu_events(const std::string& path) {
  return parse_tsu_events(io::read_file(path, std::size_t{1} << 26), path);
}

}  // namespace data
TMOR_END
