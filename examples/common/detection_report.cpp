#include "common/detection_report.hpp"

#include <algorithm>
#include <cmath>

#include "tmor/report/report.hpp"

namespace task {

namespace {
namespace report = tmor::report;

using tmor::Index;
using tmor::io::Json;

constexpr std::size_t kVideos = 4, kActions = 12;  // most that are shown

report::Cell cell(const Json& v, const std::string& reason) {
  return v.is_number() ? report::Cell(v.get<double>()) : report::Cell::missing(reason);
}

report::Html policies(const Json& r) {
  report::Table t;
  t.title = "Frame mAP by every rule";
  t.protocol = r["protocol"].get<std::string>() +
               ". The other rules measure the same scores: no two are to be compared.";
  t.rows_are = "Rule";
  t.columns = {{.name = "mAP", .marked = false},
               {.name = "WAP", .marked = false},
               {.name = "Chance", .marked = false}};
  const std::string own = r["policy"];
  const auto add = [&](const std::string& name) {
    const Json& p = r["policies"][name];
    const std::string why = p.contains("reason") ? p["reason"].get<std::string>() : "a class has no value";
    const auto of = [&](const char* key) { return p.contains(key) ? cell(p[key], why) : cell({}, why); };
    const std::string rows =
        p.contains("rows") ? tmor::detail::cat(", ", p["rows"].get<Index>(), " rows") : "";
    t.rows.push_back(
        {name + (name == own ? " (the protocol's)" : "") + rows, {of("map"), of("wap"), of("chance")}});
  };
  add(own);
  for (const auto& [name, p] : r["policies"].items())
    if (name != own) add(name);
  return report::table(t);
}

report::Html classes(const Json& r, const std::vector<std::string>& names) {
  report::Table t;
  t.title = "Average precision of each class";
  t.protocol =
      "By the protocol's rule, worst first. Chance is the share of positive rows; their number is in "
      "brackets.";
  t.rows_are = "Class";
  t.columns = {{.name = "AP", .marked = false}, {.name = "Chance", .marked = false}};
  const double rows = r["rows"];
  std::vector<std::pair<double, std::size_t>> order;
  for (std::size_t c = 0; c < names.size(); ++c)
    order.emplace_back(r["positive"][c] > 0 ? r["ap"][c].get<double>() : 2.0, c);
  std::sort(order.begin(), order.end());
  for (const auto& [ap, c] : order) {
    const auto positive = r["positive"][c].get<Index>();
    t.rows.push_back({tmor::detail::cat(names[c], " (", positive, ")"),
                      {cell(positive > 0 ? r["ap"][c] : Json(), "no positive row"),
                       rows > 0 ? static_cast<double>(positive) / rows : 0.0}});
  }
  return report::table(t);
}

/// One video: the actions that are in it, and those that were told most surely though they are not.
report::Html video(const DetectionPage& p, const tmor::Timeline& truth, const tmor::FrameScores& s) {
  const auto n = p.classes.size(), rows = static_cast<std::size_t>(s.steps);
  report::Timeline line{.title = s.id, .note = "", .seconds = truth.length / p.units};
  float low = 0, high = 0;
  for (std::size_t i = 0; i < s.scores.size(); ++i) {
    if (!tmor::is_finite(s.scores[i])) continue;
    low = i == 0 ? s.scores[i] : std::min(low, s.scores[i]);
    high = i == 0 ? s.scores[i] : std::max(high, s.scores[i]);
  }
  std::vector<std::pair<double, report::TimelineRow>> lanes;  // most wanted first
  for (std::size_t c = 0; c < n; ++c) {
    report::TimelineRow row{.action = p.classes[c]};
    double seen = 0, most = 0;
    for (const auto& a : truth.spans)
      if (static_cast<std::size_t>(a.action) == c && a.end > a.start) {
        row.truth.push_back({a.start / p.units, a.end / p.units});
        seen += a.end - a.start;
      }
    const double step = line.seconds / static_cast<double>(std::max<std::size_t>(1, rows));
    for (std::size_t r = 0; r < rows; ++r) {
      const float v = s.scores[r * n + c];
      row.scores.push_back(p.logits ? 1 / (1 + std::exp(-v)) : high > low ? (v - low) / (high - low) : 0.f);
      most = std::max(most, static_cast<double>(row.scores.back()));
      if (!p.logits || row.scores.back() < 0.5f) continue;
      const double begin = step * static_cast<double>(r);
      if (!row.predicted.empty() && row.predicted.back().end >= begin - 1e-6)
        row.predicted.back().end = begin + step;
      else
        row.predicted.push_back({begin, begin + step});
    }
    if (!row.truth.empty() || !row.predicted.empty())
      lanes.emplace_back(row.truth.empty() ? most : 1 + seen, std::move(row));
  }
  std::stable_sort(lanes.begin(), lanes.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  if (lanes.size() > kActions) {
    line.note = tmor::detail::cat("The ", kActions, " longest of ", lanes.size(), " actions.");
    lanes.resize(kActions);
  }
  std::stable_sort(lanes.begin(), lanes.end(), [](const auto& a, const auto& b) {
    const auto begin = [](const auto& lane) {
      const auto& spans = lane.second.truth.empty() ? lane.second.predicted : lane.second.truth;
      return std::min_element(spans.begin(), spans.end(),
                              [](const auto& x, const auto& y) { return x.begin < y.begin; })
          ->begin;
    };
    return begin(a) < begin(b);
  });
  for (auto& lane : lanes) line.rows.push_back(std::move(lane.second));
  return report::timeline(line);
}

report::Html videos(const DetectionPage& p) {
  report::Html all;
  std::size_t shown = 0;
  for (const auto& t : p.truth) {
    if (shown == kVideos) break;
    const auto s =
        std::find_if(p.scores.begin(), p.scores.end(), [&](const auto& x) { return x.id == t.id; });
    if (s == p.scores.end() || s->steps == 0 || t.spans.empty()) continue;
    all += video(p, t, *s);
    ++shown;
  }
  return all;
}

}  // namespace

void write_detection_report(const std::string& path, const tmor::io::Json& r, const DetectionPage& p) {
  namespace report = tmor::report;
  const auto text = [&](const char* key) { return r[key].is_string() ? r[key].get<std::string>() : ""; };
  const auto percent = [](const tmor::io::Json& v) {
    return v.is_number() && tmor::is_finite(v.get<double>()) ? report::percent_text(v.get<double>()) : "–";
  };
  report::Summary top;
  top.title = p.title;
  top.lead = r.contains("model") ? text("model") + "." : "Given predictions, measured.";
  top.headlines = {{"Frame mAP", percent(r["map"]), "chance " + percent(r["chance"])},
                   {"WAP", percent(r["wap"]), "classes weighted by their rows"}};
  if (r.contains("online"))
    top.headlines.push_back(
        {"Frame mAP, online", percent(r["online"]["map"]),
         tmor::detail::cat(report::number_text(r["online"]["delay_seconds"].get<double>()),
                           " s late at most")});
  for (const auto& [key, name] : {std::pair{"split", "Split"}, {"poses", "Poses"}, {"init", "Pre-trained"}})
    if (r.contains(key) && r[key].is_string()) top.facts.emplace_back(name, text(key));
  for (const auto& [key, name] : {std::pair{"n_train", "Training videos"},
                                  {"n_test", "Videos measured"},
                                  {"rows", "Rows measured"},
                                  {"parameters", "Parameters"},
                                  {"seed", "Seed"}})
    if (r.contains(key) && r[key].is_number())
      top.facts.emplace_back(name, tmor::detail::cat(r[key].get<tmor::Index>()));
  report::Page page(top);
  page.section("Results", "", policies(r));
  page.section("Classes", "", classes(r, p.classes));
  page.section("Videos",
               p.logits ? "What happens, the probability of it, and where that is at least one half."
                        : "What happens, and the scores from the lowest to the highest of the video.",
               videos(p));
  if (!p.log.empty() && tmor::io::exists(p.log))
    page.section("Training", "", report::training_curves(report::read_run_log(p.log)));
  page.write(path);
}

}  // namespace task
