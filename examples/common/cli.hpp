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

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tmor/io/json.hpp"
#include "tmor/train/run_dir.hpp"

namespace CLI {  // of CLI11, which cli.cpp alone reads: it takes long to compile
class App;
class Option;
class Validator;
}  // namespace CLI

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
  std::string device = "cpu", precision = "float";
  void (*gpu)() = nullptr;  ///< throws where there is no GPU to be used; null: this program never uses one
  std::string out;
  bool resume = false, overwrite = false, json = false;

  tmor::train::RunStart start() const {
    return resume      ? tmor::train::RunStart::resume
           : overwrite ? tmor::train::RunStart::overwrite
                       : tmor::train::RunStart::fresh;
  }
};

/// What an option refuses.
using Check = std::shared_ptr<CLI::Validator>;
/// Refuses numbers outside [low, high]; of int, Index or double.
template <class T> Check in_range(T low, T high);
/// Refuses numbers below `low`; of Index or double.
template <class T> Check at_least(T low);

/// An option that was added to a program.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}
  Option& check(const Check& c);
  Option& required();

 private:
  CLI::Option* option_;
};

/// The options of one program.
class Program {
 public:
  explicit Program(const std::string& description);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();

  /// `option("--lr", lr, "learning rate").check(cli::at_least(0.0))`; `value` holds the default. T is a
  /// string, a list of strings, int, Index, std::uint64_t or double.
  template <class T> Option option(const std::string& name, T& value, const std::string& help);
  void flag(const std::string& name, bool& value, const std::string& help);
  /// One of several words; another one is refused with the nearest.
  Option choice(const std::string& name, std::string& value, const std::vector<std::string>& words,
                const std::string& help);

  /// The shared options. Without `trains`, those of training are left out; with `Common::gpu` there is a
  /// --precision.
  void add(Common& c, bool trains = true);

  /// Reads the command line and the --config file, and sets the number of threads.
  /// @throws UsageError, or Exit{0} after --help.
  void parse(int argc, const char* const* argv);

  /// The options' values, for config.json; itself a valid --config. Leaves out how a run was started.
  Json config() const;

 private:
  std::vector<std::string> names() const;

  std::unique_ptr<CLI::App> app_;
  Common* common_ = nullptr;
  std::vector<std::pair<std::string, std::function<Json()>>> values_;
};

/// With `json`, prints the result as the last line of stdout. @throws IoError when stdout cannot be written.
void print_result(const Json& result, bool json = true);

/// Runs `body()` and turns what it throws into an exit status: 2 for wrong usage, 1 for everything else, each
/// with one line on stderr.
int run(const std::function<void()>& body);

}  // namespace cli
