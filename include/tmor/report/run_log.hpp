#pragma once
/// @file run_log.hpp
/// The curves of a run from its log.jsonl: one JSON object a line, as train/logger.hpp writes it, readable
/// while the run goes on.

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "tmor/report/line_chart.hpp"

TMOR_BEGIN
namespace report {

/// The numbers of a log over the step, named by their keys: "loss", "lr", and for those inside an object
/// "valid.top1". null (what NaN and infinity become in JSON) is NaN.
struct RunLog {
  std::vector<Series> series;  ///< in the order of first appearance

  /// The series of that name, an empty one if there is none.
  Series find(std::string_view name) const {
    for (const Series& s : series)
      if (s.name == name) return s;
    return {std::string(name), {}, {}, {}};
  }
  /// The series whose names begin with `prefix`, for instance all of "valid." or "scale.".
  std::vector<Series> starting_with(std::string_view prefix) const {
    std::vector<Series> out;
    for (const Series& s : series)
      if (s.name.starts_with(prefix)) out.push_back(s);
    return out;
  }
};

namespace detail {

/// Most different numbers in one log.
inline constexpr std::size_t kMaxLogSeries = 2000;

inline void add_numbers(RunLog& log, const io::Json& object, const std::string& prefix, double step,
                        std::string_view where) {
  for (const auto& [key, value] : object.items()) {
    if (prefix.empty() && (key == "step" || key == "epoch")) continue;
    const std::string name = prefix + key;
    if (value.is_object()) add_numbers(log, value, name + ".", step, where);
    if (!value.is_number() && !value.is_null()) continue;
    auto it =
        std::find_if(log.series.begin(), log.series.end(), [&](const Series& s) { return s.name == name; });
    if (it == log.series.end()) {
      TMOR_CHECK_IO(log.series.size() < kMaxLogSeries, where, ": more than ", kMaxLogSeries,
                    " different numbers");
      it = log.series.insert(it, {name, {}, {}, {}});
    }
    it->x.push_back(step);
    it->y.push_back(value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>());
  }
}

}  // namespace detail

/// `name` is named in errors. Objects without a "step" and values that are no numbers are passed over; so is
/// a last line cut short, which a killed or running program leaves.
/// @throws IoError with the line for one before that is not a JSON object.
inline RunLog parse_run_log(std::string_view text, std::string_view name) {
  RunLog log;
  Index number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    const bool torn = end == text.npos;
    text.remove_prefix(torn ? text.size() : end + 1);
    const std::string where = detail::cat(name, ", line ", ++number);
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    io::Json object;
    try {
      object = io::parse_json(line, where);
      TMOR_CHECK_IO(object.is_object(), where, ": an object expected, not ", object.type_name());
    } catch (const IoError&) {
      if (torn) break;
      throw;
    }
    const auto step = object.find("step");
    if (step == object.end() || !step->is_number()) continue;
    detail::add_numbers(log, object, "", step->get<double>(), where);
  }
  return log;
}

/// The log of a run folder. @throws IoError when it cannot be read, or as `parse_run_log`.
inline RunLog read_run_log(const std::string& path) {
  return parse_run_log(io::read_file(path, std::size_t{1} << 28), path);
}

/// The usual figures of a run beside one another: training losses (names that begin with "loss"), validation
/// metrics that are fractions and the other ones ("valid."), learned scales (names with "scale" in them),
/// learning rate, gradient norm, and whatever else was logged but for clock times. Curves that the log does
/// not have make no figure; an empty log makes one that says so.
inline Html training_curves(const RunLog& log) {
  const Axis step{.label = "step"};
  LineChart loss{.title = "Training loss", .x = step, .smooth = 0.9},
      fractions = {.title = "Validation", .x = step};
  LineChart others{.title = "Validation, not fractions", .x = step},
      scales = {.title = "Learned scales", .x = step};
  LineChart rate{.title = "Learning rate", .x = step},
      norm = {.title = "Gradient norm", .x = step, .y = {.log = true}};
  LineChart rest{.title = "Also logged", .x = step};
  fractions.y = {.percent = true, .from_zero = true};
  for (Series s : log.series) {
    const bool valid = s.name.starts_with("valid.");
    const auto has = [&](std::string_view part) { return s.name.find(part) != s.name.npos; };
    if (s.name == "seconds") continue;
    if (valid) {
      const bool within =
          std::all_of(s.y.begin(), s.y.end(), [](double v) { return !is_finite(v) || (v >= 0 && v <= 1); });
      s.name.erase(0, 6);
      (within && !has("loss") && !has("rank") ? fractions : others).series.push_back(std::move(s));
    } else {
      (s.name == "loss_scale"       ? rest
       : s.name.starts_with("loss") ? loss
       : has("scale")               ? scales
       : s.name == "lr"             ? rate
       : s.name == "grad_norm"      ? norm
                                    : rest)
          .series.push_back(std::move(s));
    }
  }
  loss.note = "The heavy line is a moving average.";
  std::vector<Html> figures;
  for (const LineChart* c : {&loss, &fractions, &scales, &rate, &norm, &others, &rest})
    if (!c->series.empty()) figures.push_back(line_chart(*c));
  return figures.empty() ? detail::empty_figure("", "The run has logged nothing yet.") : beside(figures);
}

}  // namespace report
TMOR_END
