#pragma once
/// @file page.hpp
/// A report: one HTML file that needs nothing else, on a phone as on a desktop, light and dark.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tmor/io/file.hpp"
#include "tmor/report/figure.hpp"
#include "tmor/report/palette.hpp"
#include "tmor/report/script.hpp"
#include "tmor/report/style.hpp"

TMOR_BEGIN
namespace report {

/// A figure for the top of the page.
struct Headline {
  std::string label = {};  ///< "Zero-shot, unseen actions"
  std::string value = {};  ///< "31.2 %"
  std::string note = {};   ///< "chance 4.2 %"
};

/// What the page is about. All of it is text; the page escapes it.
struct Summary {
  std::string title = {};
  std::string lead = {};  ///< a sentence or two
  std::vector<Headline> headlines = {};
  std::vector<std::pair<std::string, std::string>> facts = {};  ///< "Command", "Seed", "Commit", "Date", ...
};

/// Largest page that `Page::write` accepts: what a phone opens without complaint.
inline constexpr std::size_t kMaxPageBytes = 5 << 20;

/// Collects sections and writes the file.
class Page {
 public:
  explicit Page(Summary summary) : summary_(std::move(summary)) {}

  /// Adds a section with an entry in the navigation; `lead` is plain text. Its body: `line_chart`, `table`,
  /// `beside({...})`, one after the other by `+=`. An empty body is a section that says so.
  Page& section(std::string title, std::string lead, Html body) {
    if (body.text.empty()) body = detail::empty_figure("", "There is nothing to show here.");
    sections_.push_back({std::move(title), std::move(lead), std::move(body)});
    return *this;
  }

  /// The whole file.
  std::string html() const {
    using detail::cat;
    std::string s = cat(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
        // The browser itself sees to it that nothing is fetched.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
        "'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">"
        "<meta name=\"color-scheme\" content=\"light dark\"><link rel=\"icon\" href=\"data:,\"><title>",
        escape(summary_.title), "</title><style>", detail::page_css(), "</style></head>\n<body>");
    s += cat("<header class=\"top\"><a class=\"brand\" href=\"#top\">", escape(summary_.title),
             "</a><nav aria-label=\"", "Sections\"><a href=\"#top\">Summary</a>");
    for (std::size_t i = 0; i < sections_.size(); ++i)
      s += cat("<a href=\"#s", i + 1, "\">", escape(sections_[i].title), "</a>");
    s += "</nav><button type=\"button\" class=\"theme\" hidden>Dark theme</button></header>\n<main>";
    s += summary_html();
    for (std::size_t i = 0; i < sections_.size(); ++i) {
      const Section& part = sections_[i];
      s += cat("\n<section id=\"s", i + 1, "\"><h2>", escape(part.title), "</h2>");
      if (!part.lead.empty()) s += cat("<p class=\"lead\">", escape(part.lead), "</p>");
      s += part.body.text + "</section>";
    }
    s += cat("</main>\n<script>", detail::kScript, "</script></body></html>\n");
    return s;
  }

  /// Writes the file atomically. @throws IoError when it cannot be written, Error when it would be larger
  /// than kMaxPageBytes, with the largest section.
  void write(const std::string& path) const {
    const std::string text = html();
    if (text.size() > kMaxPageBytes) {
      const auto largest = std::max_element(
          sections_.begin(), sections_.end(),
          [](const auto& a, const auto& b) { return a.body.text.size() < b.body.text.size(); });
      detail::fail<Error>("[report] '", path, "' would hold ", text.size(), " bytes, more than ",
                          kMaxPageBytes, "; the largest section is '",
                          largest == sections_.end() ? summary_.title : largest->title,
                          "': give it fewer or smaller pictures");
    }
    io::write_atomic(path, text);
  }

 private:
  struct Section {
    std::string title, lead;
    Html body;
  };

  std::string summary_html() const {
    using detail::cat;
    std::string s = cat("<section id=\"top\" class=\"hero\"><h1>", escape(summary_.title), "</h1>");
    if (!summary_.lead.empty()) s += cat("<p class=\"lead\">", escape(summary_.lead), "</p>");
    if (!summary_.headlines.empty()) {
      s += "<div class=\"headlines\">";
      for (const Headline& h : summary_.headlines) {
        s += cat("<div class=\"card\"><p class=\"what\">", escape(h.label), "</p><p class=\"value\">",
                 escape(h.value), "</p>");
        if (!h.note.empty()) s += cat("<p class=\"sub\">", escape(h.note), "</p>");
        s += "</div>";
      }
      s += "</div>";
    }
    if (!summary_.facts.empty()) {
      s += "<dl class=\"card facts\">";
      for (const auto& [name, value] : summary_.facts)
        s += cat(character_count(value) > 44 ? "<div class=\"long\"><dt>" : "<div><dt>", escape(name),
                 "</dt><dd>", escape(value), "</dd></div>");
      s += "</dl>";
    }
    return s + "</section>";
  }

  Summary summary_;
  std::vector<Section> sections_;
};

}  // namespace report
TMOR_END
