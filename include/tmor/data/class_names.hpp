#pragma once
/// @file class_names.hpp
/// The classes of a data set as its list file names them: a class's index is its place in the file.

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tmor/core/suggest.hpp"
#include "tmor/io/file.hpp"
#include "tmor/io/words.hpp"

TMOR_BEGIN
namespace data {

class ClassNames {
 public:
  ClassNames() = default;
  /// @throws IoError naming `source` for an empty list or a name that is empty or given twice.
  ClassNames(std::vector<std::string> names, std::string_view source) : names_(std::move(names)) {
    TMOR_CHECK_IO(!names_.empty(), source, ": no class names");
    for (std::size_t i = 0; i < names_.size(); ++i)
      TMOR_CHECK_IO(!names_[i].empty() && index_.emplace(names_[i], static_cast<Index>(i)).second, source,
                    ": the class '", names_[i], "' is ", names_[i].empty() ? "empty" : "given twice");
  }

  Index size() const { return std::ssize(names_); }
  const std::vector<std::string>& names() const { return names_; }
  const std::string& operator[](Index i) const { return names_[static_cast<std::size_t>(i)]; }

  /// -1 when there is no such class.
  Index find(std::string_view name) const {
    const auto it = index_.find(std::string(name));
    return it == index_.end() ? -1 : it->second;
  }
  /// @throws IoError beginning with `where` and naming the nearest class.
  Index at(std::string_view name, std::string_view where) const {
    const Index i = find(name);
    TMOR_CHECK_IO(i >= 0, where, ": unknown class '", name.substr(0, 80), "': did you mean '",
                  nearest_name(name, names_), "'?");
    return i;
  }

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, Index> index_;
};

/// What stands before the name on a line of a class list.
enum class ClassCode {
  kNone,    ///< nothing: the line is the name
  kNumber,  ///< the class's number from 0 ("12<TAB>Enter"), or a letter and the number ("A012 drink"), in
            ///< order
};

/// One class a line; blank lines are skipped. @throws IoError with the line for codes out of order, a missing
/// name, names given twice.
inline ClassNames parse_class_names(std::string_view text, std::string_view name, ClassCode code) {
  io::WordReader in(text, name);
  std::vector<std::string> names;
  while (in.more()) {
    if (code == ClassCode::kNumber) {
      std::string_view digits = in.word("a class code");
      const std::string_view whole = digits;
      if (!digits.empty() && (digits[0] < '0' || digits[0] > '9')) digits.remove_prefix(1);
      std::size_t number = 0;
      const auto r = std::from_chars(digits.data(), digits.data() + digits.size(), number);
      if (r.ec != std::errc{} || r.ptr != digits.data() + digits.size() || number != names.size())
        in.fail("the class code '", whole.substr(0, 40), "' where number ", names.size(), " was expected");
    }
    const auto rest = in.rest_of_line();
    if (rest.empty()) in.fail("a class without a name");
    names.emplace_back(rest);
  }
  return ClassNames(std::move(names), name);
}

/// @throws IoError
inline ClassNames read_class_names(const std::string& path, ClassCode code) {
  return parse_class_names(io::read_file(path, std::size_t{1} << 24), path, code);
}

}  // namespace data
TMOR_END
