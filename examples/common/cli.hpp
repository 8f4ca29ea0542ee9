#pragma once
/// @file cli.hpp
/// The command line that every program here shares: the same options by the same names, defaults in --help,
/// --config file.json, exit status 0, 1 or 2, and the result as one JSON object on the last line of stdout.
///
///     int main(int argc, char** argv) {
///       return cli::run([&] {
///         cli::Program program("Trains a model on X.");
///         cli::Common common;
///         double lr = 1e-3;
///         program.add(common);
///         program.option("--lr", lr, "learning rate");
///         program.parse(argc, argv);
///         ...
///         cli::print_result({{"top1", top1}}, common.json);
///       });
///     }

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <iterator>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "tmor/core/parallel.hpp"
#include "tmor/core/suggest.hpp"
#include "tmor/io/json.hpp"
#include "tmor/train/run_dir.hpp"

namespace cli {

using tmor::Index;
using tmor::io::Json;

/// Wrong usage: exit status 2.
struct UsageError : tmor::Error {
  using Error::Error;
};
/// Ends the program with this status, having said all there is to say.
struct Exit {
  int status;
};

/// The options every program has; their values before `Program::add` are the defaults shown.
struct Common {
  std::uint64_t seed = 0;
  int threads = 0;  ///< 0: TMOR_NUM_THREADS, or one per processor
  Index epochs = 1;
  Index max_steps = 0;
  std::string device = "cpu";
  void (*gpu)() = nullptr;  ///< throws where there is no GPU to be used; null: this program never uses one
  std::string out;
  bool resume = false, overwrite = false, json = false;

  tmor::train::RunStart start() const {
    return resume      ? tmor::train::RunStart::resume
           : overwrite ? tmor::train::RunStart::overwrite
                       : tmor::train::RunStart::fresh;
  }
};

/// A JSON object as CLI11's source of option values.
class JsonConfig : public CLI::Config {
 public:
  explicit JsonConfig(std::function<std::vector<std::string>()> names) : names_(std::move(names)) {}

  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return ""; }
  std::vector<CLI::ConfigItem> from_config(std::istream& in) const override {
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const Json config = tmor::io::parse_json(text, "--config");
    TMOR_CHECK_IO(config.is_object(), "--config: the file does not hold a JSON object");
    const auto names = names_();
    std::vector<CLI::ConfigItem> found;
    for (const auto& [key, value] : config.items()) {
      if (std::find(names.begin(), names.end(), "--" + key) == names.end())
        throw UsageError("--config: unknown option \"" + key + "\"; did you mean \"" +
                         tmor::nearest_name("--" + key, names).substr(2) + "\"?");
      CLI::ConfigItem item;
      item.name = key;
      if (value.is_array()) {
        for (const auto& v : value) item.inputs.push_back(text_of(v));
        if (value.empty()) continue;
      } else {
        item.inputs.push_back(text_of(value));
      }
      found.push_back(std::move(item));
    }
    return found;
  }

 private:
  static std::string text_of(const Json& v) {
    return v.is_string() ? v.get<std::string>() : tmor::io::json_text(v);
  }
  std::function<std::vector<std::string>()> names_;
};

/// Refuses numbers outside [low, high].
template <class T> CLI::Validator in_range(T low, T high) { return CLI::Range(low, high); }
/// Refuses numbers below `low`.
template <class T> CLI::Validator at_least(T low) {
  CLI::Validator v;
  v.description(">= " + tmor::detail::cat(low));
  v.operation([low](std::string& text) {
    T value{};
    return CLI::detail::lexical_cast(text, value) && value >= low
               ? std::string()
               : "'" + text + "' is not a number of at least " + tmor::detail::cat(low);
  });
  return v;
}

inline CLI::Validator no_sign() {
  CLI::Validator v;
  v.operation([](std::string& text) {
    return text.find('-') == text.npos ? std::string() : "'" + text + "' must not be negative";
  });
  return v;
}

/// The options of one program.
class Program {
 public:
  explicit Program(const std::string& description) : app_(description) {
    app_.option_defaults()->always_capture_default();
    app_.allow_extras();
    app_.set_help_flag("--help", "print this and exit");
    app_.get_formatter()->column_width(34);
    app_.set_config("--config", "", "JSON file of option values, by long name; the command line wins");
    app_.config_formatter(std::make_shared<JsonConfig>([this] { return names(); }));
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// `option("--lr", lr, "learning rate")->check(cli::at_least(0.0))`; `value` holds the default.
  template <class T> CLI::Option* option(const std::string& name, T& value, const std::string& help) {
    values_.emplace_back(name.substr(2), [&value] { return Json(value); });
    CLI::Option* o = app_.add_option(name, value, help);
    if constexpr (std::is_unsigned_v<T>) o->check(no_sign());  // CLI11 would take -1 for 2^64 - 1
    return o;
  }
  CLI::Option* flag(const std::string& name, bool& value, const std::string& help) {
    values_.emplace_back(name.substr(2), [&value] { return Json(value); });
    return app_.add_flag(name, value, help);
  }
  /// One of several words; another one is refused with the nearest.
  CLI::Option* choice(const std::string& name, std::string& value, const std::vector<std::string>& words,
                      const std::string& help) {
    std::string list;
    for (const auto& w : words) list += (list.empty() ? "" : "|") + w;
    CLI::Validator known;
    known.description(list);
    known.operation([words](std::string& text) {
      if (std::find(words.begin(), words.end(), text) != words.end()) return std::string();
      return "'" + text + "' is none of its values; did you mean '" + tmor::nearest_name(text, words) + "'?";
    });
    return option(name, value, help)->check(known);
  }

  /// The shared options. Without `trains`, those of training are left out.
  void add(Common& c, bool trains = true) {
    option("--seed", c.seed, "of everything random");
    option("--threads", c.threads, "0: TMOR_NUM_THREADS, or one per processor")->check(in_range(0, 4096));
    choice("--device", c.device, {"cpu", "cuda"}, "where to compute");
    if (trains) {
      option("--epochs", c.epochs, "passes over the training data")->check(at_least<Index>(1));
      option("--max-steps", c.max_steps, "optimiser steps at most; 0: no limit")->check(at_least<Index>(0));
      option("--out", c.out, "folder of the run: checkpoints, log, metrics");
      flag("--resume", c.resume, "continue the run in --out");
      flag("--overwrite", c.overwrite, "delete the run in --out first");
    }
    flag("--json", c.json, "print the result as one JSON object on the last line of stdout");
    common_ = &c;
  }

  /// Reads the command line and the --config file, and sets the number of threads.
  /// @throws UsageError, or Exit{0} after --help.
  void parse(int argc, const char* const* argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
      std::fputs(app_.help().c_str(), stdout);
      throw Exit{0};
    } catch (const CLI::ParseError& e) {
      throw UsageError(std::string(e.what()) + " (see --help)");
    } catch (const tmor::IoError& e) {
      throw UsageError(e.what());
    }
    const auto unknown = app_.remaining();
    if (!unknown.empty()) {
      const std::string given = unknown[0].substr(0, unknown[0].find('='));
      throw UsageError("unknown option '" + given + "'; did you mean '" + tmor::nearest_name(given, names()) +
                       "'?");
    }
    if (!common_) return;
    if (common_->resume && common_->overwrite)
      throw UsageError("--resume and --overwrite exclude each other");
    if (common_->resume && common_->out.empty())
      throw UsageError("--resume needs --out, the folder to resume");
    if (common_->threads > 0) tmor::set_num_threads(common_->threads);
    if (common_->device == "cpu") return;
    TMOR_CHECK(common_->gpu, "this program computes on the CPU alone: use --device cpu");
    common_->gpu();
  }

  /// The options' values, for config.json; itself a valid --config. Leaves out how a run was started.
  Json config() const {
    Json j = Json::object();
    for (const auto& [name, value] : values_)
      if (name != "resume" && name != "overwrite" && name != "json" && name != "out") j[name] = value();
    return j;
  }

 private:
  std::vector<std::string> names() const {
    std::vector<std::string> all{"--help", "--config"};
    for (const auto& [name, value] : values_) all.push_back("--" + name);
    return all;
  }

  CLI::App app_;
  Common* common_ = nullptr;
  std::vector<std::pair<std::string, std::function<Json()>>> values_;
};

/// With `json`, prints the result as the last line of stdout. @throws IoError when stdout cannot be written.
inline void print_result(const Json& result, bool json = true) {
  if (!json) return;
  const std::string line = tmor::io::json_text(result) + "\n";
  const bool ok = std::fputs(line.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  TMOR_CHECK_IO(ok, "cannot write the result to stdout: is the disk full?");
}

/// Runs `body()` and turns what it throws into an exit status: 2 for wrong usage, 1 for everything else, each
/// with one line on stderr.
template <class Body> int run(Body&& body) {
  try {
    body();
    return 0;
  } catch (const Exit& e) {
    return e.status;
  } catch (const UsageError& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return 2;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "error: out of memory\n");
  } catch (const std::exception& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
  }
  return 1;
}

}  // namespace cli
