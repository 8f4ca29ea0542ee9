#pragma once
/// @file to_json.hpp
/// The result of every protocol as one section of metrics.json: always "protocol" (how the figures came
/// about) and "chance" (what no information reaches), the seeds where draws were made, and figures as
/// fractions in [0, 1]. The report prints the same sections. NaN becomes null when the JSON is written.

#include "tmor/eval/detection.hpp"
#include "tmor/eval/few_shot.hpp"
#include "tmor/eval/linear_probe.hpp"
#include "tmor/eval/nearest_neighbour.hpp"
#include "tmor/eval/retrieval.hpp"
#include "tmor/eval/zero_shot.hpp"
#include "tmor/io/json.hpp"

TMOR_BEGIN
namespace eval {

namespace detail {

/// "chance": a guess among all classes, "majority": always the most frequent class of the test samples. Of
/// the mean over classes both are `chance`.
inline void add_chance(io::Json& section, const Features& test) {
  std::size_t most = 0;
  for (const auto& rows : samples_by_class(test)) most = std::max(most, rows.size());
  section["chance"] = 1 / static_cast<double>(test.classes);
  section["majority"] = static_cast<double>(most) / static_cast<double>(test.size());
  section["samples"] = test.size();
  section["classes"] = test.classes;
}

}  // namespace detail

/// {"top1", "top5", "mean_class"}.
inline io::Json to_json(const Accuracy& a) {
  return {{"top1", a.top1}, {"top5", a.top5}, {"mean_class", a.mean_class}};
}

/// Section "linear". `test`: the samples it was tested on.
inline io::Json to_json(const LinearProbeResult& r, const Features& test, const LinearProbeOptions& o = {}) {
  io::Json j = to_json(r.test);
  detail::add_chance(j, test);
  j["protocol"] = r.protocol;
  j["seeds"] = {o.seed};
  j["lambda"] = r.lambda;
  return j;
}

/// Section "zero_shot": nothing is drawn.
inline io::Json to_json(const ZeroShotResult& r, const Features& test) {
  io::Json j = to_json(r.test);
  detail::add_chance(j, test);
  j["protocol"] = r.protocol;
  return j;
}

/// Section "nearest_neighbour": nothing is drawn.
inline io::Json to_json(const NearestNeighbourResult& r, const Features& test) {
  io::Json j{{"top1", r.top1}, {"mean_class", r.mean_class}, {"protocol", r.protocol}};
  detail::add_chance(j, test);
  return j;
}

/// Section "few_shot": one member for each number of samples, "1", "4", ..., with the mean and deviation of
/// top-1 over the draws, and every draw.
inline io::Json to_json(const FewShotResult& r, const Features& test, const FewShotOptions& o = {}) {
  io::Json j{{"protocol", r.protocol}};
  detail::add_chance(j, test);
  io::Json seeds = io::Json::array();
  for (int s = 0; s < o.seeds; ++s) seeds.push_back(o.seed + static_cast<std::uint64_t>(s));
  j["seeds"] = seeds;
  for (const FewShotPoint& p : r.points)
    j[std::to_string(p.shots)] = {{"mean", p.top1_mean()},
                                  {"std", p.top1_std()},
                                  {"top1", p.top1},
                                  {"mean_class_mean", p.mean_class_mean()},
                                  {"mean_class_std", p.mean_class_std()},
                                  {"short_classes", p.short_classes}};
  return j;
}

inline io::Json to_json(const RetrievalFigures& f) {
  return {{"r1", f.r1},
          {"r5", f.r5},
          {"r10", f.r10},
          {"median_rank", f.median_rank},
          {"queries", f.queries},
          {"without_match", f.without_match},
          {"chance", {{"r1", f.chance_r1}, {"r5", f.chance_r5}, {"r10", f.chance_r10}}}};
}

/// Section "retrieval": a member for each of the six directions, null for those of a missing side; each has a
/// chance of its own.
inline io::Json to_json(const TriModalResult& r) {
  io::Json j{{"protocol", r.protocol}};
  for (const char* name : {"s2t", "t2s", "s2v", "v2s", "v2t", "t2v"}) {
    const RetrievalFigures* f = r.find(name);
    j[name] = f ? to_json(*f) : io::Json(nullptr);
  }
  return j;
}

/// {"map", "wap", "chance", "protocol", ...} of one policy; `ap` is null for classes without positives.
inline io::Json to_json(const FrameMapResult& r) {
  return {{"map", r.map},
          {"wap", r.wap},
          {"chance", r.chance},
          {"protocol", r.protocol},
          {"ap", r.ap},
          {"positive", r.positive},
          {"rows", r.rows},
          {"sequences", r.sequences},
          {"left_out", r.left_out},
          {"missing_rows", r.missing_rows}};
}

/// Section "detection": "map" and "chance" are those of the first policy, named by "policy"; "policies" has
/// all.
inline io::Json to_json(const DetectionResult& r, const DetectionOptions& o = {}) {
  TMOR_CHECK(!r.maps.empty() && r.maps.size() == o.policies.size(), "[to_json] ", r.maps.size(),
             " results of detection for ", o.policies.size(), " policies: pass the options it ran with");
  io::Json j{{"protocol", r.protocol},
             {"seeds", {o.seed}},
             {"policy", o.policies[0]},
             {"map", r.maps[0].map},
             {"chance", r.maps[0].chance}};
  for (std::size_t i = 0; i < r.maps.size(); ++i) j["policies"][o.policies[i]] = to_json(r.maps[i]);
  return j;
}

}  // namespace eval
TMOR_END
