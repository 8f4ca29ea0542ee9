#pragma once
/// @file files.hpp
/// Files of the tests: a directory that removes itself, the golden files, the real data.

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace test {

/// A fresh directory, removed with everything in it at the end of the scope.
class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "tmor-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// `golden("io/a.npy")`: the path of a file in tests/golden.
inline std::string golden(const std::string& name) {
  const auto tests = std::filesystem::absolute(__FILE__).parent_path().parent_path();
  return (tests / "golden" / name).string();
}

/// The path of `name` in the folder of real data (TMOR_DATA, else data beside the project), or "" with a
/// printed reason when it is not there: the caller then returns.
inline std::string real_data(const std::string& name) {
  const char* env = std::getenv("TMOR_DATA");
#ifdef TMOR_DEFAULT_DATA
  const std::string root = env ? env : TMOR_DEFAULT_DATA;
#else
  const std::string root = env ? env : "../shared/data";
#endif
  const std::string path = root + "/" + name;
  if (std::filesystem::exists(path)) return path;
  MESSAGE("skipped: no ", path, " (set TMOR_DATA to the folder of real data)");
  return "";
}

/// The message of the tmor::Error that `f` throws; "" when it throws none.
template <class E, class F> std::string message(F&& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

}  // namespace test
