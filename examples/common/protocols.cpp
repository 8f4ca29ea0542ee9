#include "common/protocols.hpp"

#include <cstdio>
#include <vector>

#include "tmor/data/tsu.hpp"
#include "tmor/eval/score.hpp"

namespace task {

tmor::eval::Protocol find_protocol(const std::string& given, const std::string& prefix,
                                   const std::string& folder) {
  if (given.ends_with(".json")) return tmor::eval::read_protocol(given);
  for (const auto& name : {given, prefix + given})
    if (const std::string path = folder + "/" + name + ".json"; tmor::io::exists(path))
      return tmor::eval::read_protocol(path);
  std::vector<std::string> names;
  for (const auto& name : tmor::io::list_directory(folder))
    if (name.ends_with(".json") && name.starts_with(prefix)) names.push_back(name.substr(0, name.size() - 5));
  throw cli::UsageError("--protocol: no '" + given + "' in " + folder + "; did you mean '" +
                        tmor::nearest_name(given, names) + "'?");
}

std::vector<std::string> class_names(const tmor::eval::Protocol& p, const std::string& data) {
  if (!p.class_file.empty() && tmor::io::exists(data + "/" + p.class_file)) {
    const auto names =
        tmor::data::read_class_names(data + "/" + p.class_file, tmor::data::ClassCode::kNumber);
    TMOR_CHECK_IO(names.size() == p.classes, data, "/", p.class_file, ": ", names.size(), " classes, '",
                  p.name, "' has ", p.classes);
    return names.names();
  }
  std::vector<std::string> names;
  for (tmor::Index c = 0; c < p.classes; ++c) names.push_back(tmor::detail::cat("class ", c));
  return names;
}

void use_csv(std::vector<tmor::Timeline>& side, const std::vector<std::string>& classes,
             const std::string& folder, std::vector<std::string>& without) {
  if (folder.empty()) return;
  const auto ids =
      tmor::data::use_tsu_csv(side, folder, tmor::data::ClassNames(classes, "the list of classes"));
  without.insert(without.end(), ids.begin(), ids.end());
}

void refuse_missing(const std::vector<std::string>& missing, bool allowed, const char* what,
                    const std::string& where, const char* remedy) {
  if (missing.empty()) return;
  std::string list;
  for (std::size_t i = 0; i < missing.size() && i < 20; ++i) list += (i ? ", " : "") + missing[i];
  if (missing.size() > 20) list += ", ...";
  TMOR_CHECK(allowed, where, ": no ", what, " of ", missing.size(), " videos: ", list, "; --allow-missing ",
             remedy);
  std::fprintf(stderr, "no %s of %zu videos: %s\n", what, missing.size(), list.c_str());
}

std::string percent(const Json& value) {
  if (!value.is_number() || !tmor::is_finite(value.get<double>())) return "     -";
  char text[32];
  std::snprintf(text, sizeof text, "%6.2f", 100 * value.get<double>());
  return text;
}

void print_frame_policies(const Json& r) {
  std::fprintf(stderr, "%s\n\n", r["protocol"].get<std::string>().c_str());
  std::fprintf(stderr, "%-20s %8s %8s %8s %10s\n", "policy", "mAP %", "WAP %", "chance %", "rows");
  for (const auto& [name, p] : r["policies"].items()) {
    const bool defined = p.contains("rows");
    std::fprintf(stderr, "%-20s %8s %8s %8s %10s%s\n", name.c_str(), percent(p["map"]).c_str(),
                 percent(defined ? p["wap"] : Json()).c_str(),
                 percent(defined ? p["chance"] : Json()).c_str(),
                 defined ? std::to_string(p["rows"].get<tmor::Index>()).c_str() : "-",
                 name == r["policy"].get<std::string>() ? "  <- the protocol's" : "");
    if (!defined) std::fprintf(stderr, "    %s\n", p["reason"].get<std::string>().c_str());
  }
}

Json score_clip_file(const tmor::eval::Protocol& p, const std::string& data, const std::string& path,
                     bool allow_missing) {
  const std::string text = tmor::eval::read_text_or_gzip(path);
  Json r = tmor::eval::score_clips(p, tmor::eval::test_labels(p, data),
                                   tmor::eval::parse_clip_scores(text, path, p.classes), allow_missing);
  std::fprintf(
      stderr,
      "%s\n\ntop-1 %s %%, top-5 %s %%, mean over classes %s %% (chance %s %%), %d clips, %d without scores\n",
      r["protocol"].get<std::string>().c_str(), percent(r["top1"]).c_str(), percent(r["top5"]).c_str(),
      percent(r["mean_class"]).c_str(), percent(r["chance"]).c_str(), r["samples"].get<int>(),
      r["missing"].get<int>());
  return r;
}

}  // namespace task
