#include "cli.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <new>

#include "tmor/core/parallel.hpp"
#include "tmor/core/suggest.hpp"

namespace cli {

namespace {

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

CLI::Validator no_sign() {
  CLI::Validator v;
  v.operation([](std::string& text) {
    return text.find('-') == text.npos ? std::string() : "'" + text + "' must not be negative";
  });
  return v;
}

}  // namespace

template <class T> Check in_range(T low, T high) {
  return std::make_shared<CLI::Validator>(CLI::Range(low, high));
}
template Check in_range(int, int);
template Check in_range(Index, Index);
template Check in_range(double, double);

template <class T> Check at_least(T low) {
  const auto v = std::make_shared<CLI::Validator>();
  v->description(">= " + tmor::detail::cat(low));
  v->operation([low](std::string& text) {
    T value{};
    return CLI::detail::lexical_cast(text, value) && value >= low
               ? std::string()
               : "'" + text + "' is not a number of at least " + tmor::detail::cat(low);
  });
  return v;
}
template Check at_least(Index);
template Check at_least(double);

Option& Option::check(const Check& c) {
  option_->check(*c);
  return *this;
}
Option& Option::required() {
  option_->required();
  return *this;
}

Program::Program(const std::string& description) : app_(std::make_unique<CLI::App>(description)) {
  app_->option_defaults()->always_capture_default();
  app_->allow_extras();
  app_->set_help_flag("--help", "print this and exit");
  app_->get_formatter()->column_width(34);
  app_->set_config("--config", "", "JSON file of option values, by long name; the command line wins");
  app_->config_formatter(std::make_shared<JsonConfig>([this] { return names(); }));
}
Program::~Program() = default;

template <class T> Option Program::option(const std::string& name, T& value, const std::string& help) {
  values_.emplace_back(name.substr(2), [&value] { return Json(value); });
  CLI::Option* o = app_->add_option(name, value, help);
  if constexpr (std::is_unsigned_v<T>) o->check(no_sign());  // CLI11 would take -1 for 2^64 - 1
  return Option(o);
}
template Option Program::option(const std::string&, std::string&, const std::string&);
template Option Program::option(const std::string&, std::vector<std::string>&, const std::string&);
template Option Program::option(const std::string&, int&, const std::string&);
template Option Program::option(const std::string&, Index&, const std::string&);
template Option Program::option(const std::string&, std::uint64_t&, const std::string&);
template Option Program::option(const std::string&, double&, const std::string&);

void Program::flag(const std::string& name, bool& value, const std::string& help) {
  values_.emplace_back(name.substr(2), [&value] { return Json(value); });
  app_->add_flag(name, value, help);
}

Option Program::choice(const std::string& name, std::string& value, const std::vector<std::string>& words,
                       const std::string& help) {
  std::string list;
  for (const auto& w : words) list += (list.empty() ? "" : "|") + w;
  const auto known = std::make_shared<CLI::Validator>();
  known->description(list);
  known->operation([words](std::string& text) {
    if (std::find(words.begin(), words.end(), text) != words.end()) return std::string();
    return "'" + text + "' is none of its values; did you mean '" + tmor::nearest_name(text, words) + "'?";
  });
  return option(name, value, help).check(known);
}

void Program::add(Common& c, bool trains) {
  option("--seed", c.seed, "of everything random");
  option("--threads", c.threads, "0: TMOR_NUM_THREADS, or one per processor").check(in_range(0, 4096));
  choice("--device", c.device, {"cpu", "cuda"}, "where to compute");
  if (trains) {
    if (c.gpu)
      choice(
          "--precision", c.precision, {"float", "bf16", "f16"},
          "of activations in training with --device cuda; what is trained, losses and checkpoints are float");
    option("--epochs", c.epochs, "passes over the training data").check(at_least<Index>(1));
    option("--max-steps", c.max_steps, "optimiser steps at most; 0: no limit").check(at_least<Index>(0));
    option("--out", c.out, "folder of the run: checkpoints, log, metrics");
    flag("--resume", c.resume, "continue the run in --out");
    flag("--overwrite", c.overwrite, "delete the run in --out first");
  }
  flag("--json", c.json, "print the result as one JSON object on the last line of stdout");
  common_ = &c;
}

void Program::parse(int argc, const char* const* argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(app_->help().c_str(), stdout);
    throw Exit{0};
  } catch (const CLI::ParseError& e) {
    throw UsageError(std::string(e.what()) + " (see --help)");
  } catch (const tmor::IoError& e) {
    throw UsageError(e.what());
  }
  const auto unknown = app_->remaining();
  if (!unknown.empty()) {
    const std::string given = unknown[0].substr(0, unknown[0].find('='));
    throw UsageError("unknown option '" + given + "'; did you mean '" + tmor::nearest_name(given, names()) +
                     "'?");
  }
  if (!common_) return;
  if (common_->resume && common_->overwrite) throw UsageError("--resume and --overwrite exclude each other");
  if (common_->resume && common_->out.empty()) throw UsageError("--resume needs --out, the folder to resume");
  if (common_->threads > 0) tmor::set_num_threads(common_->threads);
  if (common_->precision != "float" && common_->device == "cpu")
    throw UsageError("--precision " + common_->precision + ": the CPU trains in float; give --device cuda");
  if (common_->device == "cpu") return;
  TMOR_CHECK(common_->gpu, "this program computes on the CPU alone: use --device cpu");
  common_->gpu();
}

Json Program::config() const {
  Json j = Json::object();
  for (const auto& [name, value] : values_)
    if (name != "resume" && name != "overwrite" && name != "json" && name != "out") j[name] = value();
  return j;
}

std::vector<std::string> Program::names() const {
  std::vector<std::string> all{"--help", "--config"};
  for (const auto& [name, value] : values_) all.push_back("--" + name);
  return all;
}

void print_result(const Json& result, bool json) {
  if (!json) return;
  const std::string line = tmor::io::json_text(result) + "\n";
  const bool ok = std::fputs(line.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  TMOR_CHECK_IO(ok, "cannot write the result to stdout: is the disk full?");
}

int run(const std::function<void()>& body) {
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
