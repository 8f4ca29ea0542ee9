#pragma once
/// @file csv.hpp
/// Comma-separated values (RFC 4180): quoted fields, CRLF or LF, an optional byte-order mark.

#include <string>
#include <string_view>
#include <vector>

#include "tmor/io/file.hpp"

TMOR_BEGIN
namespace io {

struct CsvOptions {
  char separator = ',';
  bool header = true;   ///< the first row names the columns
  bool ragged = false;  ///< allow rows with another number of fields than the first
  std::size_t max_bytes = std::size_t{1} << 28;
};

struct CsvTable {
  std::string name;                 ///< of the file, for errors
  std::vector<std::string> header;  ///< empty without one
  std::vector<std::vector<std::string>> rows;
  std::vector<std::size_t> lines;  ///< where each row starts in the file, from 1

  /// Position of a named column. @throws IoError listing those there are.
  std::size_t column(std::string_view wanted) const {
    std::string all;
    for (std::size_t i = 0; i < header.size(); ++i) {
      if (header[i] == wanted) return i;
      all += (i ? ", " : "") + header[i];
    }
    detail::fail<IoError>(name, ": no column '", wanted, "'; it has: ", all);
  }
};

namespace detail {

class CsvParser {
 public:
  CsvParser(std::string_view text, std::string_view name, const CsvOptions& options)
      : text_(text), name_(name), options_(options) {
    if (text_.starts_with("\xef\xbb\xbf")) i_ = 3;
  }

  CsvTable parse() {
    CsvTable table;
    table.name = name_;
    std::size_t width = 0;
    while (i_ < text_.size()) {
      if (text_[i_] == '\n' || at_crlf()) {  // a blank line
        end_of_line();
        continue;
      }
      const std::size_t line = line_;
      auto row = record();
      if (width == 0) width = row.size();
      TMOR_CHECK_IO(options_.ragged || row.size() == width, name_, ": line ", line, ": ", row.size(),
                    " fields where the first row has ", width);
      if (options_.header && table.header.empty()) {
        table.header = std::move(row);
      } else {
        table.rows.push_back(std::move(row));
        table.lines.push_back(line);
      }
    }
    return table;
  }

 private:
  std::vector<std::string> record() {
    std::vector<std::string> row;
    do row.push_back(i_ < text_.size() && text_[i_] == '"' ? quoted() : plain());
    while (i_ < text_.size() && text_[i_] == options_.separator && ++i_);
    end_of_line();
    return row;
  }
  std::string plain() {
    const std::size_t begin = i_;
    while (i_ < text_.size() && text_[i_] != options_.separator && text_[i_] != '\n' && !at_crlf()) {
      TMOR_CHECK_IO(text_[i_] != '"', name_, ": line ", line_, ": a quote inside an unquoted field");
      ++i_;
    }
    return std::string(text_.substr(begin, i_ - begin));
  }
  std::string quoted() {
    std::string field;
    const std::size_t start = line_;
    for (++i_; i_ < text_.size(); ++i_) {
      if (text_[i_] == '"') {
        ++i_;
        if (i_ == text_.size() || text_[i_] != '"') return field;  // a doubled quote stands for one
      }
      line_ += text_[i_] == '\n';
      field += text_[i_];
    }
    fail<IoError>(name_, ": line ", start, ": a quoted field without an end");
  }
  bool at_crlf() const { return text_.substr(i_).starts_with("\r\n"); }
  void end_of_line() {
    if (i_ == text_.size()) return;
    if (at_crlf()) ++i_;
    TMOR_CHECK_IO(text_[i_] == '\n', name_, ": line ", line_, ": text after a closing quote");
    ++i_;
    ++line_;
  }

  std::string_view text_, name_;
  CsvOptions options_;
  std::size_t i_ = 0, line_ = 1;
};

}  // namespace detail

/// `name` is named in errors. Blank lines are skipped. @throws IoError with the line
inline CsvTable parse_csv(std::string_view text, std::string_view name, const CsvOptions& options = {}) {
  return detail::CsvParser(text, name, options).parse();
}

/// @throws IoError
inline CsvTable read_csv(const std::string& path, const CsvOptions& options = {}) {
  return parse_csv(read_file(path, options.max_bytes), path, options);
}

/// One record with its LF; fields are quoted where they must be.
inline std::string csv_line(const std::vector<std::string>& fields, char separator = ',') {
  std::string line;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i) line += separator;
    const bool quote = fields[i].find_first_of(std::string("\"\r\n") + separator) != std::string::npos ||
                       (fields.size() == 1 && fields[i].empty());
    if (quote) line += '"';
    for (char c : fields[i]) line.append(c == '"' ? 2 : 1, c);
    if (quote) line += '"';
  }
  return line + '\n';
}

}  // namespace io
TMOR_END
